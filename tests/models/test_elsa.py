import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec import evaluate, load_model
from aerec.baselines import Popularity
from aerec.datasets import load_dataset
from aerec.models import ELSA
from aerec.network.rows import SparseRows
from aerec.sparse import canonical_csr
from aerec.splitting import StrongGeneralization
from aerec.training.callbacks import Callback


def likes(n_users=50, n_items=12, seed=0):
    rng = np.random.default_rng(seed)
    return sp.csr_array((rng.random((n_users, n_items)) < 0.3) * rng.integers(1, 4, (n_users, n_items)).astype(float))


def quick(**given):
    return ELSA(**{"n_factors": 4, "epochs": 3, "batch_size": 20, "progress": False, **given})


def test_cost_and_scores_are_the_formula_of_the_paper():
    X = likes()
    model = quick().fit(X)
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


def test_gradient_is_that_of_the_dense_formula():
    X = likes()
    network = quick(epochs=1, device="cpu").fit(X).network_
    batch = SparseRows(canonical_csr(X), torch.device("cpu")).batch(torch.arange(50))
    weight = network.encoder_weights[0]
    weight.grad = None
    network.cost(batch)[0].likelihood.backward()
    dense = weight.detach().double().requires_grad_()
    x = torch.as_tensor(X.toarray())
    A = torch.nn.functional.normalize(dense, dim=1)
    cosine = torch.nn.functional.cosine_similarity(x @ A @ A.T - x, x, dim=1)
    (2 - 2 * cosine).mean().backward()
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


def test_scores_are_those_of_unit_vectors_before_between_and_after_training_and_when_loaded(tmp_path):
    X = likes()
    model, seen = quick(), []

    class Watch(Callback):
        def epoch_done(self, record, model):
            lengths = torch.linalg.vector_norm(model.network_.encoder_weights[0].detach(), dim=1)
            seen.append(not torch.allclose(lengths, torch.ones(12)))
            lengths = torch.linalg.vector_norm(model.network_.output_weight.detach(), dim=1)
            torch.testing.assert_close(lengths, torch.ones(12))

    model.fit(X, validation=X, callbacks=[Watch()])
    for _ in range(2):
        A, x = model.item_vectors_.astype(np.float64), X.toarray()
        np.testing.assert_allclose(np.linalg.norm(A, axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(model.transform(X), x @ A, atol=1e-5)
        model.save(tmp_path / "model")
        assert np.array_equal(load_model(tmp_path / "model").score_items(X), model.score_items(X))
        model.partial_fit(X)
    assert seen == [True] * 3  # so that there was something to scale
