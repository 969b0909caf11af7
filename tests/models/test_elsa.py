import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec import Interactions, evaluate, load_model
from aerec.baselines import Popularity
from aerec.canonical import canonical_csr
from aerec.closed_form.penalties import automatic_l2
from aerec.datasets import load_dataset
from aerec.models import EASE, ELSA
from aerec.models.elsa import automatic_factors, automatic_scale
from aerec.network.rows import SparseRows
from aerec.noise import MaskingNoise
from aerec.splitting import RandomHoldout, StrongGeneralization
from aerec.training.callbacks import Callback


def likes(n_users=50, n_items=12, seed=0):
    rng = np.random.default_rng(seed)
    return sp.csr_array((rng.random((n_users, n_items)) < 0.3) * rng.integers(1, 4, (n_users, n_items)).astype(float))


def quick(**given):
    return ELSA(**{"n_factors": 4, "epochs": 3, "batch_size": 20, "progress": False, **given})


def test_cost_and_scores_are_the_formula_of_the_paper():
    X = likes()
    model = quick(shrinkage=0.0, user_norm=1.0, item_scale=0.0).fit(X)
    A = model.item_vectors_.astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(A, axis=1), 1, rtol=1e-5)
    x = X.toarray()
    output = x @ (A @ A.T - np.eye(12))
    np.testing.assert_allclose(model.score_items(X)[x.any(axis=1)], output[x.any(axis=1)], atol=1e-4)
    lengths = np.linalg.norm(output, axis=1, keepdims=True), np.linalg.norm(x, axis=1, keepdims=True)
    rated = x.any(axis=1)
    unit = [value[rated] / length[rated] for value, length in zip((output, x), lengths, strict=True)]
    expected = (np.square(unit[0] - unit[1]).sum() + 2 * (~rated).sum()) / len(x)
    assert model.total_cost(X) == pytest.approx(expected, rel=1e-4)
    assert model.total_cost(x) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(model.reconstruct(X), x @ A @ A.T, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_cosine_of_an_output_that_cancels_stays_a_cosine(seed):
    """With orthonormal vectors VVᵀ − I is 0: what is left of the output is rounding, of any direction and length."""
    X = canonical_csr(likes(seed=seed))
    model = quick(n_factors=12, shrinkage=0.0, user_norm=1.0, item_scale=0.0).fit(X)
    orthonormal = np.linalg.qr(np.random.default_rng(seed).normal(size=(12, 12)))[0]
    model.network_.encoder_weights[0].data = torch.tensor(orthonormal, dtype=torch.float32)
    for row in X[np.unique(X.nonzero()[0])]:
        assert 1.9 <= model.total_cost(row.reshape(1, -1)) <= 2.1


def test_a_vector_is_as_long_as_the_users_of_its_item_allow():
    dense = likes().toarray()
    dense[:, 3] = 0
    X = sp.csr_array(dense)
    model = quick(shrinkage=5.0, item_scale=0.0).fit(X)
    A, x = model.item_vectors_.astype(np.float64), X.toarray()
    counts = np.count_nonzero(x, axis=0)
    assert counts[3] == 0
    np.testing.assert_allclose(np.linalg.norm(A, axis=1), np.sqrt(counts / (counts + 5)), rtol=1e-5)
    weights = A @ A.T
    np.fill_diagonal(weights, 0)
    rated = x.any(axis=1)
    np.testing.assert_allclose(model.score_items(X)[rated], (x @ weights)[rated], atol=1e-4)


def test_popular_items_speak_less_and_are_scored_higher():
    X = likes()
    model = quick(shrinkage=5.0, item_scale=0.6).fit(X)
    x = X.toarray()
    d = (np.square(x).sum(axis=0) + automatic_l2(canonical_csr(X))) ** 0.3
    d *= np.sqrt(np.square(x / d).sum() / np.square(x).sum())
    np.testing.assert_allclose(model.item_scale_, d, rtol=1e-5)
    A, counts = model.item_vectors_.astype(np.float64), np.count_nonzero(x, axis=0)
    np.testing.assert_allclose(np.linalg.norm(A, axis=1), d * np.sqrt(counts / (counts + 5)), rtol=1e-5)
    weights = A @ A.T / np.square(d)[:, None]
    np.fill_diagonal(weights, 0)
    rated = x.any(axis=1)
    np.testing.assert_allclose(model.score_items(X)[rated], (x @ weights)[rated], atol=1e-4)
    # the cost is that of the ratings over d
    V, y = A / np.linalg.norm(A, axis=1, keepdims=True), (x / d)[rated]
    output = y @ V @ V.T - y
    norms = np.linalg.norm(y, axis=1)
    terms = norms * (2 - 2 * (output * y).sum(axis=1) / (np.linalg.norm(output, axis=1) * norms))
    assert model.total_cost(X) == pytest.approx(terms.sum() / len(x), rel=1e-4)


def test_an_item_that_nearly_everybody_has_costs_no_quality():
    """A symmetric matrix does not fit it: nearly all that have it say nothing by it, and it is said by all."""
    rng = np.random.default_rng(4)
    taste = rng.integers(0, 5, 1500)
    dense = rng.random((1500, 30)) < np.where(np.arange(30) % 5 == taste[:, None], 0.5, 0.03)
    dense[:, 0] = rng.random(1500) < 0.95
    split = RandomHoldout(0.3, seed=0, per_user=True).split(Interactions.from_matrix(sp.csr_array(dense.astype(float))))
    found = [
        evaluate(model.fit(split.train), split.test, "ndcg@10", n_resamples=10)["ndcg@10"]
        for model in (EASE(), quick(n_factors="auto", epochs="auto", batch_size="auto"))
    ]
    assert found[1] > 0.98 * found[0]


def test_partial_fit_makes_no_vector_shorter():
    X = likes()
    model = quick()
    model.partial_fit(X)
    before = np.linalg.norm(model.item_vectors_, axis=1)
    model.partial_fit(X[:5])
    np.testing.assert_allclose(np.linalg.norm(model.item_vectors_, axis=1), before, rtol=1e-5)


def test_factors_follow_the_data(tmp_path):
    ones = [sp.eye_array(n, format="csr") for n in (10, 400, 100_000, 30_000, 2**24 // 400)]
    rank = 400 / (1 + 7.2)  # 400 singular values of 1, and λ = 7.2
    # the last three would have 3,659 to 12,195: 256 where 512 are more than 16 million numbers
    assert [automatic_factors(X) for X in ones] == [32, round(rank), 256, 512, 400]
    assert automatic_factors(sp.csr_array((3, 4))) == 32
    few = sp.csr_array(np.eye(60, 400) + np.eye(60, 400, 1))
    model = quick(n_factors="auto", epochs=1).fit(few)
    assert model.item_vectors_.shape == (400, 32)
    model.save(tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.n_factors_ == 32
    assert loaded.fit(ones[1], warm_start=True).n_factors_ == 32
    assert loaded.fit(ones[1]).n_factors_ == round(rank)


def test_shrinkage_follows_the_length_of_the_histories(tmp_path):
    short, long = (canonical_csr(sp.random_array((40, 100), density=d, rng=3)) for d in (0.05, 0.5))
    for X, users in ((short, 100.0), (long, 10.0)):
        model = quick(item_scale=0.0).fit(X)
        assert model.shrinkage_ == pytest.approx(users)
        counts = np.diff(X.tocsc().indptr)
        expected = np.sqrt(counts / (counts + users))
        np.testing.assert_allclose(np.linalg.norm(model.item_vectors_, axis=1), expected, rtol=1e-5)
        model.save(tmp_path)
        assert load_model(tmp_path).shrinkage_ == model.shrinkage_
    assert quick(shrinkage=7).fit(short).shrinkage_ == 7


def test_what_is_masked_is_predicted_by_the_dense_formula():
    X, p = likes(), 0.4
    network = quick(epochs=1, device="cpu", noise=MaskingNoise(p)).fit(X).network_
    batch = SparseRows(canonical_csr(X), torch.device("cpu")).batch(torch.arange(50))
    weight = network.encoder_weights[0]
    weight.grad = None
    cost = network.cost(batch, noise_from=torch.Generator().manual_seed(8))[0].likelihood
    cost.backward()
    values = batch.corrupted(MaskingNoise(p), torch.Generator().manual_seed(8)).values
    x, masked = torch.as_tensor(X.toarray()), torch.zeros(50, 12, dtype=torch.float64)
    masked[batch.pattern.rows, batch.pattern.columns] = values.double()
    x, masked = x / network.scale, masked / network.scale
    assert 0 < int((masked > 0).sum()) < int((x > 0).sum())
    dense = weight.detach().double().requires_grad_()
    V = torch.nn.functional.normalize(dense, dim=1)
    cosine = torch.nn.functional.cosine_similarity(masked @ V @ V.T - masked, x, dim=1)
    expected = (x.norm(dim=1) * (2 - 2 * cosine)).mean()
    expected.backward()
    assert cost.item() == pytest.approx(expected.item(), rel=1e-4)
    torch.testing.assert_close(weight.grad.double(), dense.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("norm", [0.0, 0.3, 1.0])
def test_gradient_is_that_of_the_dense_formula(norm):
    X = likes()
    network = quick(epochs=1, device="cpu", user_norm=norm).fit(X).network_
    batch = SparseRows(canonical_csr(X), torch.device("cpu")).batch(torch.arange(50))
    weight = network.encoder_weights[0]
    weight.grad = None
    network.cost(batch)[0].likelihood.backward()
    dense = weight.detach().double().requires_grad_()
    x = torch.as_tensor(X.toarray()) / network.scale
    A = torch.nn.functional.normalize(dense, dim=1)
    cosine = torch.nn.functional.cosine_similarity(x @ A @ A.T - x, x, dim=1)
    (x.norm(dim=1) ** (2 - 2 * norm) * (2 - 2 * cosine)).mean().backward()
    torch.testing.assert_close(weight.grad.double(), dense.grad, rtol=1e-3, atol=1e-5)


def test_no_item_speaks_for_itself_and_terms_add_up_to_the_score():
    X = likes()
    model = quick().fit(X)
    history = X[[3]]
    scores = model.score_items(history)[0]
    for item in (int(history.indices[0]), 11):
        terms = model.explain(history, item)
        assert terms["contribution"].sum() == pytest.approx(scores[item], abs=1e-4)
    own = model.explain(history, int(history.indices[0])).set_index("item")["contribution"]
    assert own[history.indices[0]] == pytest.approx(0, abs=1e-5)


def test_an_empty_history_is_ranked_by_popularity():
    X = likes()
    model = quick().fit(X)
    found, _ = model.rank(sp.csr_array((1, 12)), k=12)
    counts = np.diff(X.tocsc().indptr)
    assert (np.diff(counts[found[0]]) <= 0).all()


def test_it_clearly_beats_popularity_on_the_sample():
    split = StrongGeneralization(n_users=100, seed=1).split(load_dataset("sample").binarize())
    model = ELSA(n_factors=32, epochs=15, batch_size=100, progress=False).fit(split.train, split.validation)
    found = evaluate(model, split.test, "ndcg@100")["ndcg@100"]
    assert found > 1.5 * evaluate(Popularity().fit(split.train), split.test, "ndcg@100")["ndcg@100"]


def test_scores_are_those_of_scaled_vectors_before_between_and_after_training_and_when_loaded(tmp_path):
    X = likes()
    model, seen = quick(shrinkage=3.0), []
    counts = torch.as_tensor(np.count_nonzero(X.toarray(), axis=0)).float()
    scale = automatic_scale(canonical_csr(X), 1.0)
    expected = (counts / (counts + 3)).sqrt() * torch.as_tensor(scale)

    class Watch(Callback):
        def epoch_done(self, record, model):
            lengths = torch.linalg.vector_norm(model.network_.encoder_weights[0].detach(), dim=1)
            seen.append(not torch.allclose(lengths, expected))
            lengths = torch.linalg.vector_norm(model.network_.output_weight.detach(), dim=1)
            torch.testing.assert_close(lengths, expected)

    model.fit(X, validation=X, callbacks=[Watch()])
    for _ in range(2):
        A, x = model.item_vectors_.astype(np.float64), X.toarray()
        np.testing.assert_allclose(np.linalg.norm(A, axis=1), expected, rtol=1e-6)
        np.testing.assert_allclose(model.transform(X), (x / np.square(scale)) @ A, atol=1e-5)
        model.save(tmp_path / "model")
        assert np.array_equal(load_model(tmp_path / "model").score_items(X), model.score_items(X))
        model.partial_fit(X)
    assert seen == [True] * 3  # so that there was something to scale


def test_an_average_over_epochs_is_kept_and_training_goes_on_from_the_last_step():
    X = likes()
    steps = [quick(ema_decay=0.0, epochs=n).fit(X) for n in (1, 2, 3)]
    weights = [model._trainer._unsettled for model in steps]
    averaged = quick(ema_decay=0.5, epochs=3).fit(X)
    expected = (weights[2] + 0.5 * weights[1] + 0.25 * weights[0]) / 1.75
    torch.testing.assert_close(averaged._trainer._unsettled, expected, rtol=1e-4, atol=1e-6)
    in_calls = quick(ema_decay=0.5, epochs=1)
    for _ in range(3):
        in_calls.partial_fit(X)
    torch.testing.assert_close(in_calls._trainer._unsettled, expected, rtol=1e-4, atol=1e-6)
