import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from scipy.special import expit, log_softmax
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aerec.datasets import load_dataset
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.models import CDAE, ELSA, Autoencoder, DenoisingAutoencoder, MultDAE, MultVAE, SparseAutoencoder
from aerec.network.rows import DenseRows
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.sparsity import KLSparsity, L1Sparsity, TopKSparsity
from aerec.splitting import Holdout

DIGITS = StandardScaler().fit_transform(load_digits().data).astype(np.float32)[::2]
ACTIVATION = {"tanh": np.tanh, "sigmoid": expit, "identity": lambda x: x}


def quick(**parameters):
    defaults = {"hidden": 16, "likelihood": "gaussian", "noise": None, "epochs": 4, "batch_size": 64}
    return Autoencoder(**{**defaults, "progress": False, "precision": "float32", **parameters})


def likes(n_users=60, n_items=30, seed=0):
    """Two tastes: each user likes items of one half of the catalogue."""
    rng = np.random.default_rng(seed)
    taste = rng.integers(0, 2, n_users)
    probability = np.where((np.arange(n_items) < n_items // 2) == taste[:, None], 0.5, 0.03)
    return sp.csr_array((rng.random((n_users, n_items)) < probability).astype(np.float32))


def forward(model, x):
    """Code and logits in float64 numpy, from the public weights."""
    f, n_layers = ACTIVATION[model.activation], len(model.coefs_) // 2
    layers = [(w.astype(float), b.astype(float)) for w, b in zip(model.coefs_, model.intercepts_, strict=True)]
    for weight, bias in layers[:n_layers]:
        x = f(x @ weight + bias)
    code = x
    for at, (weight, bias) in enumerate(layers[n_layers:]):
        x = x @ weight + bias
        x = x if at == n_layers - 1 else f(x)
    return code, x


@pytest.mark.parametrize(
    "choice",
    [
        {"noise": GaussianNoise(0.3)},
        {"noise": MaskingNoise(0.3)},
        {"sparsity": L1Sparsity(0.1)},
        {"sparsity": KLSparsity(0.05, 0.5), "activation": "sigmoid"},
        {"sparsity": KLSparsity(0.05, 0.5)},
        {"sparsity": TopKSparsity(4)},
        {"variational": True, "epochs": 8},
        {"tied": True},
        {"hidden": (32, 8), "variational": True, "tied": True},
        {"hidden": (32, 8), "activation": "swish"},
    ],
    ids=str,
)
def test_dense_digits_through_every_code(choice):
    model = quick(**choice).fit(DIGITS)
    costs = model.history_["cost"]
    assert costs.is_monotonic_decreasing
    before = model.total_cost(DIGITS)
    assert model.partial_fit(DIGITS).total_cost(DIGITS) < before
    assert len(model.history_) == len(costs) + 1
    code = model.transform(DIGITS)
    n_code = model.network_.architecture.hidden[-1]
    assert code.shape == (len(DIGITS), n_code)
    assert np.allclose(model.generate(code), model.reconstruct(DIGITS), atol=1e-5)
    untrained_error = np.square(DIGITS).mean()
    assert np.square(DIGITS - model.reconstruct(DIGITS)).mean() < untrained_error


@pytest.mark.parametrize("hidden", [16, (32, 8)])
@pytest.mark.parametrize("tied", [False, True])
def test_weights_explain_code_reconstruction_and_cost(hidden, tied):
    model = quick(hidden=hidden, tied=tied, sparsity=L1Sparsity(0.3)).fit(DIGITS)
    sizes = [64, *([hidden] if isinstance(hidden, int) else hidden)]
    shapes = list(itertools.pairwise([*sizes, *sizes[-2::-1]]))
    assert [w.shape for w in model.coefs_] == shapes
    assert [b.shape for b in model.intercepts_] == [(n_out,) for _, n_out in shapes]
    code, logits = forward(model, DIGITS.astype(float))
    assert np.allclose(model.transform(DIGITS), code, atol=1e-5)
    assert np.allclose(model.reconstruct(DIGITS), logits, atol=1e-5)
    cost = (0.5 * (DIGITS - logits) ** 2).sum(axis=1) + 0.3 * np.abs(code).sum(axis=1)
    assert model.total_cost(DIGITS) == pytest.approx(cost.mean(), rel=1e-5)


def test_a_variational_code_learns_from_standardised_data_with_values_far_out():
    """Rare pixels of the digits are up to 42 deviations from their mean."""
    assert np.abs(DIGITS).max() > 40
    for choices in ({}, {"hidden": 64, "learning_rate": 0.01}):
        model = quick(variational=True, epochs=20, kl_weight=0.5, **choices).fit(DIGITS)
        assert (
            model.total_cost(DIGITS) < 0.5 * np.square(DIGITS).sum(axis=1).mean()
        )  # all means, a code that says nothing


@pytest.mark.parametrize("likelihood", ["multinomial", "gaussian"])
def test_a_frame_with_a_row_per_rating_is_no_matrix(likelihood):
    ratings = pd.DataFrame({"user": [1, 1, 2], "item": [5, 6, 5], "rating": [4, 5, 3]})
    with pytest.raises(DataError, match=r"a row per rating.*Interactions\.from_frame"):
        quick(likelihood=likelihood).fit(ratings)
    with pytest.raises(DataError, match=r"from 1 to 1\.6e\+09"):
        quick(likelihood="multinomial").fit(np.array([[1, 5, 4, 1.6e9], [2, 5, 3, 1.5e9]]))


def test_total_cost_of_a_variational_multinomial_code():
    X = likes()
    model = MultVAE(hidden=(12, 5), epochs=3, kl_weight=0.4, progress=False, precision="float32").fit(X)
    assert model.coefs_[1].shape == (12, 10)  # mean and log variance
    rows = X.toarray().astype(float)
    normalized = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    w, b = [w.astype(float) for w in model.coefs_], [b.astype(float) for b in model.intercepts_]
    statistics = np.tanh(normalized @ w[0] + b[0]) @ w[1] + b[1]
    mean, log_variance = statistics[:, :5], statistics[:, 5:]
    logits = np.tanh(mean @ w[2] + b[2]) @ w[3] + b[3]
    kl = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1)
    cost = -(rows * log_softmax(logits, axis=1)).sum(axis=1) + 0.4 * kl
    assert model.total_cost(X) == pytest.approx(cost.mean(), rel=1e-5)
    assert np.allclose(model.score_items(X), logits, atol=1e-4)
    assert np.allclose(model.reconstruct(X).sum(axis=1), 1, atol=1e-5)


def test_kl_sparsity_in_total_cost_uses_the_mean_over_all_rows():
    model = quick(activation="sigmoid", sparsity=KLSparsity(0.1, 2.0)).fit(DIGITS)
    code, logits = forward(model, DIGITS.astype(float))
    mean = code.mean(axis=0)
    kl = 0.1 * np.log(0.1 / mean) + 0.9 * np.log(0.9 / (1 - mean))
    expected = (0.5 * (DIGITS - logits) ** 2).sum(axis=1).mean() + 2.0 * kl.sum()
    assert model.total_cost(DIGITS) == pytest.approx(expected, rel=1e-5)


def test_history_holds_the_parts_of_the_cost():
    model = quick(sparsity=L1Sparsity(0.1), weight_decay=0.01).fit(DIGITS, validation=DIGITS[:100])
    names = ["epoch", "likelihood", "sparsity", "kl", "weight_decay", "cost", "validation_cost", "seconds"]
    assert list(model.history_.columns) == names
    parts = model.history_[["likelihood", "sparsity", "kl", "weight_decay"]].sum(axis=1)
    assert np.allclose(parts, model.history_["cost"])
    decay = 0.005 * sum((w**2).sum() for w in model.coefs_)
    assert model.history_["weight_decay"].iloc[-1] == pytest.approx(decay, rel=1e-4)


def test_a_larger_weight_makes_the_code_sparser():
    some = DIGITS[:450]

    def magnitude(weight):
        return np.abs(quick(sparsity=L1Sparsity(weight), epochs=15).fit(some).transform(some)).mean()

    def activity(weight):
        model = quick(activation="sigmoid", sparsity=KLSparsity(0.02, weight), epochs=40, learning_rate=1e-2)
        return model.fit(some).transform(some).mean()

    for measure in (magnitude, activity):
        found = [measure(weight) for weight in (0.0, 1.0, 10.0)]
        assert found[0] > 1.2 * found[1] > 1.2 * 1.2 * found[2]
    code = quick(sparsity=TopKSparsity(3)).fit(some).transform(some)
    assert ((code != 0).sum(axis=1) <= 3).all()


def test_kl_sparsity_refuses_a_code_without_bounds():
    with pytest.raises(ValueError, match="bounds"):
        quick(activation="relu", sparsity=KLSparsity()).fit(DIGITS)
    with pytest.raises(ValueError, match="bounds"):
        quick(variational=True, sparsity=KLSparsity()).fit(DIGITS)


@pytest.mark.parametrize("likelihood", ["multinomial", "bernoulli", "gaussian"])
def test_sparse_and_dense_input_are_the_same_model(likelihood):
    X = likes()
    sparse = quick(likelihood=likelihood).fit(X)
    dense = quick(likelihood=likelihood).fit(X.toarray())
    assert np.allclose(sparse.history_["cost"], dense.history_["cost"], rtol=1e-4)
    assert np.allclose(sparse.transform(X), dense.transform(X.toarray()), atol=1e-4)
    assert np.allclose(sparse.transform(X), sparse.transform(X.toarray()), atol=1e-5)


def test_dense_rows_are_held_out_as_sparse_ones_are():
    X = (np.random.default_rng(0).random((40, 12)) < 0.3).astype(np.float32)
    quick = {"hidden": 5, "noise": MaskingNoise(0.5, hold_out=True), "epochs": 2, "progress": False}
    dense, sparse = (Autoencoder(**quick).fit(rows) for rows in (X, sp.csr_array(X)))
    np.testing.assert_array_equal(dense.coefs_[0], sparse.coefs_[0])


@pytest.mark.parametrize("noise", [GaussianNoise(0.2), GaussianNoise(0.2, entries="all"), MaskingNoise(0.5)])
def test_every_noise_trains_on_sparse_ratings(noise):
    X = likes()
    model = quick(noise=noise, likelihood="multinomial", epochs=30, batch_size=20).fit(X)
    assert model.history_["cost"].iloc[-1] < model.history_["cost"].iloc[0]
    assert np.array_equal(model.transform(X), model.transform(X))  # noise only in training


def test_recommends_within_the_taste_of_a_new_user():
    model = quick(likelihood="multinomial", noise=MaskingNoise(0.5), epochs=60, batch_size=20, hidden=8).fit(likes())
    history = sp.csr_array(np.eye(30, dtype=np.float32)[[0]] + np.eye(30, dtype=np.float32)[[3]])
    items, _ = model.recommend(history, k=8)
    assert (items < 15).mean() >= 0.9
    assert not {0, 3} & set(items[0])


def test_equal_seeds_give_equal_bits_and_others_do_not():
    X = likes()

    def weights(seed):
        return quick(likelihood="multinomial", noise=MaskingNoise(0.5), variational=True, seed=seed).fit(X).coefs_

    first, again, other = weights(3), weights(3), weights(4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_early_stopping_restores_the_best_epoch():
    X = Interactions.from_matrix(likes(200))
    keep = np.random.default_rng(0).random(X.n_ratings) < 0.7
    holdout = Holdout(X.keep(keep), X.keep(~keep))
    model = quick(likelihood="multinomial", epochs=60, patience=3, batch_size=20, validation_metric="ndcg@5")
    model.fit(holdout.history, holdout)
    watched = model.history_["ndcg@5"]
    assert len(watched) < 60
    assert watched.idxmax() == len(watched) - 4
    from aerec.evaluation import evaluate

    assert evaluate(model, holdout, ("ndcg@5",))["ndcg@5"] == pytest.approx(watched.max())


def test_partial_fit_from_nothing_is_one_epoch_of_fit():
    once, fitted = quick().partial_fit(DIGITS), quick(epochs=1).fit(DIGITS)
    assert all(np.array_equal(a, b) for a, b in zip(once.coefs_, fitted.coefs_, strict=True))
    twice, both = once.partial_fit(DIGITS), quick(epochs=2).fit(DIGITS)
    assert all(np.array_equal(a, b) for a, b in zip(twice.coefs_, both.coefs_, strict=True))


def test_in_a_pipeline_and_a_grid_search():
    X, y = load_digits(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), quick(hidden=24, epochs=15), LogisticRegression(max_iter=500))
    assert pipeline.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]) > 0.8
    search = GridSearchCV(quick(epochs=4), {"hidden": [2, 32]}, cv=2).fit(DIGITS)
    assert search.best_params_ == {"hidden": 32}
    assert list(quick().fit(DIGITS).get_feature_names_out()[:2]) == ["autoencoder0", "autoencoder1"]


def test_clone_keeps_choices_and_forgets_learning():
    model = quick(sparsity=L1Sparsity(0.5), noise=GaussianNoise(0.1)).fit(DIGITS)
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    assert not hasattr(fresh, "network_")


@pytest.mark.parametrize("model", [DenoisingAutoencoder, SparseAutoencoder])
def test_presets_have_what_their_names_say(model):
    fitted = model(hidden=8, likelihood="gaussian", epochs=2, progress=False).fit(DIGITS)
    assert (fitted.network_.architecture.noise is not None) == (model is DenoisingAutoencoder)
    assert (fitted.sparsity is not None) == (model is SparseAutoencoder)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden": 0}, "hidden"),
        ({"hidden": (8, 0)}, "hidden"),
        ({"hidden": ()}, "hidden"),
        ({"activation": "sinus"}, "activation"),
        ({"likelihood": "poisson"}, "bernoulli"),
        ({"noise": 0.5}, "MaskingNoise"),
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_bad_parameters_are_refused_by_name(parameters, message):
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(DIGITS)


def test_values_that_the_likelihood_cannot_take_are_refused():
    with pytest.raises(DataError, match="from 0 to 1"):
        quick(likelihood="bernoulli").fit(sp.csr_array(np.float32([[5, 0], [0, 1]])))
    with pytest.raises(DataError, match="multinomial"):
        quick(likelihood="multinomial").fit(DIGITS)
    with pytest.raises(DataError, match="nothing to learn"):
        quick().fit(sp.csr_array((3, 4)))


def test_training_never_makes_the_ratings_dense(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a sparse matrix was made dense")

    X = likes()
    for name in ("toarray", "todense"):
        monkeypatch.setattr(sp.csr_array, name, refuse)
    monkeypatch.setattr(torch.Tensor, "to_dense", refuse)
    model = quick(likelihood="multinomial", noise=MaskingNoise(0.5)).fit(X)
    model.recommend(X, k=3)


@pytest.mark.parametrize("likelihood", ["multinomial", "bernoulli"])
def test_sampled_items_learn_what_all_items_learn(likelihood):
    data = load_dataset("sample").binarize(4.0)
    data = data.select_users(data.users[:300])
    given = {"hidden": 16, "noise": None, "likelihood": likelihood, "epochs": 10, "batch_size": 50, "progress": False}
    start = Autoencoder(**{**given, "epochs": 1, "learning_rate": 1e-9}).fit(data).total_cost(data)
    full = Autoencoder(**given).fit(data).total_cost(data)
    sampled = Autoencoder(**given, negatives=40).fit(data).total_cost(data)
    assert start - sampled > 0.8 * (start - full)


def test_sampling_items_of_dense_data_is_refused():
    with pytest.raises(DataError, match=r"negatives=5 .* needs sparse data .* set negatives=None"):
        Autoencoder(likelihood="gaussian", negatives=5, progress=False).fit(np.ones((4, 6)))


@pytest.mark.parametrize(("n_rows", "batch"), [(10, 32), (960, 32), (3000, 100), (15_000, 500), (10**6, 500)])
def test_automatic_batches_are_a_thirtieth_of_the_rows(n_rows, batch):
    assert Autoencoder()._step_options(n_rows).batch_size == batch


def test_automatic_epochs_end_sooner_where_nothing_is_validated():
    rng = np.random.default_rng(0)
    likes = (rng.random((40, 12)) < 0.4).astype(np.float32)
    alone = MultDAE(hidden=4, progress=False).fit(likes)
    assert alone.n_iter_ > MultDAE._epochs_of_likes[0]  # an epoch has two steps
    assert alone.n_iter_ < 100
    watched = MultDAE(hidden=4, patience=None, progress=False).fit(likes, validation=(likes, 1 - likes))
    assert watched.n_iter_ == 100


def each(n_items, n_ratings):
    return np.full(n_items, n_ratings)


def test_automatic_epochs_are_passes_that_follow_the_ratings():
    """a · (ratings of an item / 20)^-0.08 · (ratings / 10⁵)^0.3, worked by hand with a = 14.5."""
    planned = MultDAE()._epochs_without_validation
    assert planned(960, each(1000, 20)) == planned(3000, each(1000, 20)) == round(14.5)
    assert planned(960, each(1000, 2)) == round(14.5 * 10**0.08)
    assert planned(960, np.append(each(1000, 2), each(500, 0))) == planned(960, each(1000, 2))  # items nobody has
    assert planned(50_000, each(10_000, 20)) == round(14.5 * 2**0.3)
    assert planned(10**6, each(10**5, 2000)) == round(14.5 * 100**-0.08 * 2.8)
    assert planned(1, each(4, 0)) > 0
    sparse = SparseAutoencoder()._epochs_without_validation
    assert sparse(50_000, each(10_000, 20)) == sparse(960, each(1000, 20)) == 31  # b = 0


def test_automatic_epochs_are_more_where_they_have_few_steps():
    usual = 14.5
    assert MultDAE(batch_size=100)._epochs_without_validation(1000, each(1000, 20)) == round(usual)  # ten steps
    assert MultDAE(batch_size=200)._epochs_without_validation(1000, each(1000, 20)) == round(usual * 2)
    assert MultDAE(batch_size=1000)._epochs_without_validation(1000, each(1000, 20)) == round(usual * 4)


def test_automatic_epochs_by_cells_count_steps():
    def planned(n_rows, n_items, **given):
        return DenoisingAutoencoder(**given)._epochs_without_validation(n_rows, each(n_items, 5))

    assert [planned(1000, 1000), planned(4000, 16_000), planned(10**6, 10**5)] == [5, 15, 15]
    assert planned(1000, 1000, batch_size=100) == round(5.4 * 30 / 10)  # of ten steps each
    assert [planned(n, 1000) for n in (40, 240, 480)] == [22, 20, 11]  # no more than four times as many
    assert planned(960, 200) == 5  # no fewer where items are few
    assert planned(1000, 64, likelihood="gaussian") == Autoencoder._epochs_alone
    assert Autoencoder()._epochs_without_validation(1000, each(1000, 5)) == Autoencoder._epochs_alone
    assert ELSA()._epochs_without_validation(1000, each(1000, 5)) == 5


@pytest.mark.parametrize("kind", [Autoencoder, DenoisingAutoencoder, SparseAutoencoder])
def test_dense_rows_are_learned_in_so_many_steps(kind):
    """A narrow code does not learn them by heart, and 30 passes over few rows leave it far from PCA."""
    planned = kind(likelihood="gaussian")._epochs_without_validation
    assert [planned(n, each(50, n)) for n in (10, 320, 960, 60_000)] == [1000, 300, 100, 30]
    assert planned(320, each(50, 150)) == 30  # half of the entries have none


def test_dense_data_is_described_untouched_nearly_as_well_as_by_principal_components():
    draws = np.random.default_rng(0)
    X = (draws.normal(size=(400, 3)) @ draws.normal(size=(3, 12)) + 0.3 * draws.normal(size=(400, 12))).astype(
        "float32"
    )
    X /= X.std(axis=0)
    train, test = X[:300], X[300:]
    left = np.linalg.svd(train, full_matrices=False)[2][3:]
    best = np.square(test @ left.T).sum()
    model = DenoisingAutoencoder(3, likelihood="gaussian", noise=None, progress=False).fit(train)
    assert np.square(model.reconstruct(test) - test).sum() < 2 * best


def test_patience_does_not_end_a_sparse_code_on_the_plateau_of_popularity():
    rng = np.random.default_rng(0)
    likes = (rng.random((40, 12)) < 0.4).astype(np.float32)
    held = (likes, 1 - likes)
    watched = SparseAutoencoder(hidden=4, patience=1, progress=False).fit(likes, validation=held)
    assert watched.n_iter_ >= SparseAutoencoder._epochs_of_likes[0]
    measured = SparseAutoencoder(likelihood="gaussian")  # there is no popularity among measurements
    assert measured._planned_epochs(DenseRows(likes, torch.device("cpu")), validated=True, anew=True) == (100, 0)
    dense = DenseRows(np.ones((320, 50), dtype=np.float32), torch.device("cpu"))
    for kind in (Autoencoder, DenoisingAutoencoder):
        assert kind(likelihood="gaussian")._planned_epochs(dense, validated=True, anew=True) == (300, 0)


@pytest.mark.parametrize("model", [MultDAE, CDAE])
def test_an_untrained_network_ranks_by_popularity(model):
    rng = np.random.default_rng(1)
    matrix = (rng.random((200, 15)) < np.linspace(0.05, 0.9, 15)).astype(np.float32)
    fitted = model(hidden=4, epochs=1, learning_rate=1e-9, progress=False).fit(matrix)
    ranked, _ = fitted.rank(np.zeros((1, 15), dtype=np.float32), k=15)
    assert ranked[0].tolist() == np.argsort(-matrix.sum(axis=0), kind="stable").tolist()


@pytest.mark.parametrize(
    ("likelihood", "normalized"), [("multinomial", True), ("bernoulli", True), ("gaussian", False)]
)
def test_rows_of_clicks_are_normalised_unless_asked_otherwise(likelihood, normalized):
    matrix = np.eye(6, dtype=np.float32) + np.eye(6, k=1, dtype=np.float32)
    model = DenoisingAutoencoder(hidden=2, likelihood=likelihood, epochs=1, progress=False).fit(matrix)
    assert model.network_.architecture.normalize is normalized
    plain = DenoisingAutoencoder(hidden=2, likelihood=likelihood, normalize=False, epochs=1, progress=False).fit(matrix)
    assert plain.network_.architecture.normalize is False


def test_arrays_that_are_read_backwards_are_taken_as_they_are():
    """PyTorch refuses negative strides."""
    X = DIGITS[:100, ::-1]
    model, same = quick(epochs=1).fit(X), quick(epochs=1).fit(X.copy())
    code = same.transform(X.copy())
    np.testing.assert_array_equal(model.transform(X), code)
    np.testing.assert_array_equal(model.reconstruct(X), same.reconstruct(X.copy()))
    np.testing.assert_array_equal(model.generate(code[::-1]), same.generate(code)[::-1])
    assert model.total_cost(X) == same.total_cost(X.copy())
