"""What weights beside ratings mean to each model, and that no model ignores them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec import Interactions
from aerec.baselines import ALS, SLIM, BiasBaseline, BiasedMF, ItemKNN, Popularity, PureSVD
from aerec.errors import DataError
from aerec.files.storage import read_folder
from aerec.models import EASE, EDLAE, Autoencoder, AutoRec, Blend, LowRankEDLAE, RecencyWeighted, SparseEASE
from aerec.registry import MODELS

TAKING = sorted(name for name, model in MODELS.items() if model._takes_weights)
QUICK = {
    "hidden": 6,
    "n_factors": 3,
    "n_neighbors": 5,
    "epochs": 2,
    "batch_size": 5,
    "progress": False,
    "device": "cpu",
}
RATED = (
    "als",
    "autorec",
    "bias",
    "biased-mf",
    "kernel-autorec",
    "rating-blend",
)  # trained on ratings, the others on likes


def quick(name):
    """A model that learns something in no time."""
    if name == "blend":
        return Blend([EASE(l2=1.0), PureSVD(n_factors=3)])
    if name == "rating-blend":
        return MODELS[name]([BiasBaseline(), BiasedMF(n_factors=2, epochs=2)])
    if name == "sparse-code":
        return MODELS[name](PureSVD(n_factors=3), n_units=6, n_active=2, epochs=2, progress=False)
    parameters = MODELS[name]().get_params(deep=False)
    return MODELS[name](**{key: value for key, value in QUICK.items() if key in parameters})


def generated(seed, n_users=14, n_items=9, implicit=False):
    """Ratings from 1 to 5, or ones; every user and item has some."""
    rng = np.random.default_rng(seed)
    X = np.where(rng.random((n_users, n_items)) < 0.4, rng.integers(1, 6, (n_users, n_items)), 0).astype(np.float64)
    X[np.arange(n_users), np.arange(n_users) % n_items] = 3.0
    X = np.where(X != 0, 1.0, 0.0) if implicit else X
    users = pd.Index([f"u{number:02}" for number in range(n_users)])
    items = pd.Index([f"i{number:02}" for number in range(n_items)])
    times = rng.integers(0, 50, np.count_nonzero(X))
    return Interactions(sp.csr_array(X), users, items, times)


def repeated(data, times):
    """The data with each user as often as `times` says, under new ids."""
    rows = np.repeat(np.arange(data.n_users), times)
    return Interactions(data.matrix[rows], pd.Index([f"u{number:03}" for number in range(len(rows))]), data.items)


def of_users(data, weights):
    return data.with_weights(np.repeat(np.asarray(weights, dtype=np.float32), np.diff(data.matrix.indptr)))


def learned(model, folder):
    model.save(folder)
    return read_folder(folder, "model")[1]


# ---------------------------------------------------------------------- who takes them


def test_the_models_that_take_weights_are_those_that_the_message_names():
    with pytest.raises(DataError) as refusal:
        MODELS["user-knn"]().fit(generated(0).with_weights(np.ones(generated(0).n_ratings)))
    named = re.findall(r"[A-Z]\w+", str(refusal.value).partition(";")[2].partition(" can:")[0])
    assert len(named) > 5
    classes = {model.__name__: model for model in MODELS.values()}
    assert [name for name in named if not classes[name]._takes_weights] == []


@pytest.mark.parametrize("name", sorted(MODELS.keys() - set(TAKING)))
def test_other_models_refuse_them(name):
    data = generated(0, implicit=True)
    with pytest.raises(DataError, match=f"{MODELS[name].__name__} cannot use the weights of ratings; ALS, BiasedMF"):
        MODELS[name]().fit(data.with_weights(np.ones(data.n_ratings)))


def test_models_made_of_others_refuse_them_where_their_parts_do():
    data = generated(0, implicit=True)
    weighted = data.with_weights(np.ones(data.n_ratings))
    for model in (Blend([EASE(), MODELS["user-knn"]()]), RecencyWeighted(MODELS["user-knn"]())):
        with pytest.raises(DataError, match="UserKNN cannot use the weights"):
            model.fit(weighted)
    with pytest.raises(DataError, match="'jaccard' counts users"):
        ItemKNN(similarity="jaccard").fit(weighted)


# ---------------------------------------------------------------------- weights of 1


@pytest.mark.parametrize("name", TAKING)
@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_weights_of_1_change_no_bit(name, seed, tmp_path_factory):
    data = generated(seed, implicit=name not in RATED)
    plain = quick(name).fit(data)
    weighted = quick(name).fit(data.with_weights(np.ones(data.n_ratings)))
    one, other = (learned(model, tmp_path_factory.mktemp("model")) for model in (plain, weighted))
    assert one.keys() == other.keys()
    for part in one:
        np.testing.assert_array_equal(one[part], other[part], err_msg=part)
    np.testing.assert_array_equal(plain.score_items(data), weighted.score_items(data))


@pytest.mark.parametrize("name", TAKING)
def test_other_weights_change_what_is_learned_and_not_how_a_history_is_read(name):
    data = generated(1, implicit=name not in RATED)
    weights = np.random.default_rng(0).uniform(0.2, 5, data.n_ratings)
    plain, weighted = quick(name).fit(data), quick(name).fit(data.with_weights(weights))
    assert np.abs(plain.score_items(data) - weighted.score_items(data)).max() > 1e-4
    np.testing.assert_array_equal(weighted.score_items(data), weighted.score_items(data.with_weights(weights)))


# ---------------------------------------------------------------------- weights of 2

LINEAR = {
    "ease": lambda: EASE(l2=2.0),
    "ease by users": lambda: EASE(l2=2.0, solver="users"),
    "ease with norms": lambda: EASE(l2=2.0, user_norm=0.5, diagonal=0.5),
    "edlae": lambda: EDLAE(l2=2.0, dropout=0.3),
    "low-rank-edlae": lambda: LowRankEDLAE(l2=2.0, n_factors=3, epochs=10),
    "sparse-ease": lambda: SparseEASE(l2=2.0, n_neighbors=4),
    "slim": lambda: SLIM(l1=0.5, l2=2.0, epochs=3000, tol=1e-9),
    "item-knn": lambda: ItemKNN(k=4, shrinkage=3.0),
    "pure-svd": lambda: PureSVD(n_factors=3, l2=2.0),
}


@pytest.mark.parametrize("name", LINEAR)
@settings(max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_a_user_of_weight_2_is_two_users(name, seed):
    """Of models of the Gram matrix, Σ_u w_u x_u x_uᵀ."""
    data = generated(seed)
    times = np.random.default_rng(seed).integers(1, 4, data.n_users)
    weighted = LINEAR[name]().fit(of_users(data, times))
    doubled = LINEAR[name]().fit(repeated(data, times))
    np.testing.assert_allclose(weighted.score_items(data), doubled.score_items(data.matrix), rtol=2e-3, atol=2e-3)


def test_popularity_adds_weights_up():
    data = generated(3)
    times = np.random.default_rng(0).integers(1, 4, data.n_users)
    model, doubled = Popularity().fit(of_users(data, times)), Popularity().fit(repeated(data, times))
    np.testing.assert_allclose(model.popularity_ * data.n_users, doubled.popularity_ * times.sum(), rtol=1e-6)


def test_an_empty_history_is_ranked_by_weighted_popularity():
    data = of_users(generated(3), np.random.default_rng(0).uniform(0.1, 4, 14))
    nothing = data.keep(np.zeros(data.n_ratings, dtype=bool))
    np.testing.assert_array_equal(EASE().fit(data).score_items(nothing)[0], Popularity().fit(data).popularity_)


def test_the_gram_matrix_is_that_of_roots_of_weights():
    data = generated(5)
    weights = np.random.default_rng(0).uniform(0.1, 4, data.n_ratings)
    model = EASE(l2=3.0).fit(data.with_weights(weights))
    root = data.matrix.toarray().astype(np.float64)
    root[root != 0] *= np.sqrt(weights)
    inverse = np.linalg.inv(root.T @ root + 3.0 * np.eye(data.n_items))
    expected = np.eye(data.n_items) - inverse / np.diagonal(inverse)
    np.testing.assert_allclose(model.weights_, expected, atol=2e-5)


def test_updates_of_ease_know_weights():
    data = of_users(generated(5), np.random.default_rng(0).uniform(0.1, 4, 14))
    first, second = data.take_users(np.arange(9)), data.take_users(np.arange(9, 14))
    model = EASE(l2=3.0).fit(first).partial_fit(second)
    whole = EASE(l2=3.0).fit(data)
    np.testing.assert_allclose(model.weights_, whole.weights_, atol=2e-5)
    model.replace_users(second)
    np.testing.assert_allclose(model.weights_, EASE(l2=3.0).fit(first).weights_, atol=2e-5)


# ---------------------------------------------------------------------- least squares


def cost_of_als(model, data, weights):
    """The cost of Hu, Koren and Volinsky, each rating's term times its weight, at the best users for these items."""
    X, Y = data.matrix.toarray().astype(np.float64), model.item_factors_.astype(np.float64)
    confidence = np.ones_like(X)
    confidence[X != 0] = weights * (1 + model.alpha * X[X != 0])
    ridge = model.l2 * np.eye(Y.shape[1])
    users = [np.linalg.solve((Y.T * c) @ Y + ridge, (Y.T * c) @ (x != 0)) for x, c in zip(X, confidence, strict=True)]
    error = (X != 0) - np.array(users) @ Y.T
    return (confidence * error**2).sum() + model.l2 * (np.square(users).sum() + np.square(Y).sum())


def test_als_takes_weights_as_factors_of_confidence():
    data = generated(2, n_users=40, n_items=12)
    weights = np.random.default_rng(0).choice([0.2, 1.0, 6.0], data.n_ratings)
    plain, weighted = (
        ALS(n_factors=3, l2=1.0, alpha=1.0, epochs=60).fit(each) for each in (data, data.with_weights(weights))
    )
    ones = np.ones_like(weights)
    assert cost_of_als(weighted, data, weights) < cost_of_als(plain, data, weights)
    assert cost_of_als(plain, data, ones) < cost_of_als(weighted, data, ones)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_biases_are_those_of_repeated_ratings(seed):
    """The mean and the item biases; user biases too, where these are not shrunken."""
    data = generated(seed)
    times = np.random.default_rng(seed).integers(1, 4, data.n_users)
    model = BiasBaseline(l2_user=0.0, l2_item=2.0).fit(of_users(data, times))
    doubled = BiasBaseline(l2_user=0.0, l2_item=2.0).fit(repeated(data, times))
    np.testing.assert_allclose(model.mean_, doubled.mean_, rtol=1e-12)
    np.testing.assert_allclose(model.item_bias_, doubled.item_bias_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.repeat(model.user_bias_, times), doubled.user_bias_, rtol=1e-9, atol=1e-12)


def test_biases_by_hand():
    ratings, weights = sp.csr_array([[5.0, 3.0], [4.0, 0.0]]), sp.csr_array([[1.0, 2.0], [3.0, 0.0]])
    model = BiasBaseline(l2_user=1.0, l2_item=2.0).fit(Interactions.from_matrix(ratings, weights=weights))
    mean = (5 + 2 * 3 + 3 * 4) / 6
    items = np.array([((5 - mean) + 3 * (4 - mean)) / (2 + 4), 2 * (3 - mean) / (2 + 2)])
    users = [((5 - mean - items[0]) + 2 * (3 - mean - items[1])) / (1 + 3), 3 * (4 - mean - items[0]) / (1 + 3)]
    np.testing.assert_allclose(model.mean_, [mean])
    np.testing.assert_allclose(model.item_bias_, items)
    np.testing.assert_allclose(model.user_bias_, users)


def test_biased_mf_is_where_its_weighted_cost_is_least_for_each_user():
    data = generated(4, n_users=25)
    weights = np.random.default_rng(1).uniform(0.2, 4, data.n_ratings)
    model = BiasedMF(n_factors=2, l2=0.5, l2_bias=0.7, count_power=0.5, epochs=100).fit(data.with_weights(weights))
    X, W = data.matrix.toarray().astype(np.float64), np.zeros(data.shape)
    W[X != 0] = weights
    P, Q = model.user_factors_, model.item_factors_

    def cost(P, Q):
        predicted = model.mean_ + P[:, :-1] @ Q[:, :-1].T + P[:, -1:] + Q[:, -1]
        penalty = np.array([0.5, 0.5, 0.7])
        size = sum((W.sum(axis=axis) ** 0.5) @ (np.square(F) @ penalty) for axis, F in ((1, P), (0, Q)))
        return (W * (X - predicted) ** 2).sum() + size

    least = cost(P, Q)
    rng = np.random.default_rng(2)
    for _ in range(50):
        step = rng.normal(size=P.shape) * 1e-2, rng.normal(size=Q.shape) * 1e-2
        assert cost(P + step[0], Q + step[1]) > least
    np.testing.assert_allclose(model.mean_, (W * X).sum() / W.sum())


# ---------------------------------------------------------------------- autoencoders


def autoencoder(likelihood, **more):
    quick = {"hidden": (6, 3), "epochs": 3, "batch_size": 5, "noise": None, "progress": False, "device": "cpu"}
    return Autoencoder(likelihood=likelihood, **{**quick, **more})


@pytest.mark.parametrize("likelihood", ["multinomial", "bernoulli", "gaussian", "observed"])
def test_weights_of_1_change_no_bit_of_any_likelihood(likelihood):
    data = generated(0, implicit=likelihood == "bernoulli")
    weighted = data.with_weights(np.ones(data.n_ratings))
    one, other = (autoencoder(likelihood).fit(each).partial_fit(each) for each in (data, weighted))
    for part, whole in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(part, whole)
    assert one.total_cost(data) == other.total_cost(weighted)
    assert one.history_["likelihood"].tolist() == other.history_["likelihood"].tolist()


@pytest.mark.parametrize("likelihood", ["multinomial", "bernoulli", "gaussian", "observed"])
def test_the_cost_is_the_weighted_sum(likelihood):
    data = generated(0, implicit=likelihood == "bernoulli")
    weights = np.random.default_rng(1).uniform(0.1, 6, data.n_ratings).astype(np.float32)
    model = autoencoder(likelihood).fit(data.with_weights(weights))
    x, mean = data.matrix.toarray().astype(np.float64), model.reconstruct(data).astype(np.float64)
    w = np.full(x.shape, 0.0 if likelihood in ("multinomial", "observed") else 1.0)
    w[x != 0] = weights
    of_entries = {
        "multinomial": lambda: -w * x * np.log(mean),
        "bernoulli": lambda: -w * (x * np.log(mean) + (1 - x) * np.log(1 - mean)),
    }.get(likelihood, lambda: 0.5 * w * (x - mean) ** 2)()
    assert model.total_cost(data.with_weights(weights)) == pytest.approx(of_entries.sum(axis=1).mean(), rel=1e-4)


@pytest.mark.parametrize("likelihood", ["multinomial", "observed"])
def test_the_cost_of_a_user_of_weight_2_is_that_of_two_users(likelihood):
    """Where a user without ratings costs nothing."""
    data = generated(0)
    model, times = autoencoder(likelihood).fit(data), np.random.default_rng(0).integers(1, 4, data.n_users)
    summed = model.total_cost(of_users(data, times)) * data.n_users
    assert summed == pytest.approx(model.total_cost(repeated(data, times)) * times.sum(), rel=1e-5)


def test_a_step_over_users_of_weight_2_is_twice_as_long():
    """Of plain gradient descent: the mean over rows is twice as large."""
    data = generated(0)

    def trained(train, learning_rate):
        model = autoencoder("multinomial", epochs=1, optimizer="sgd", batch_size=1000, learning_rate=learning_rate)
        return model.fit(train).coefs_

    twice = np.full(data.n_users, 2)
    start, once = trained(data, 1e-9), trained(data, 1e-3)
    for begun, weighted, doubled in zip(start, trained(of_users(data, twice), 5e-4), once, strict=True):
        np.testing.assert_allclose(weighted - begun, doubled - begun, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("orientation", ["item", "user"])
@pytest.mark.parametrize("biases", [False, True])
def test_autorec_weighs_each_rating_where_it_stands(orientation, biases):
    data = generated(0)
    weights = np.random.default_rng(1).uniform(0.1, 6, data.n_ratings).astype(np.float32)
    model = AutoRec(hidden=5, orientation=orientation, biases=biases, epochs=2, progress=False, device="cpu")
    weighted = data.with_weights(weights)
    model.fit(weighted)
    x = data.matrix.toarray().astype(np.float64)
    w = np.zeros(x.shape)
    w[x != 0] = weights
    predicted = model.reconstruct(data)
    predicted = predicted.T if orientation == "item" else predicted
    expected = (0.5 * w * (x - predicted) ** 2).sum() / (data.n_items if orientation == "item" else data.n_users)
    unit = model.spread_[0] if biases else 1.0
    assert model.total_cost(weighted) == pytest.approx(expected / unit**2, rel=1e-4)
    if biases:
        assert model.mean_[0] == pytest.approx((w * x).sum() / w.sum(), rel=1e-6)


def test_weights_are_matched_by_item_id_like_their_ratings():
    data = generated(0)
    weighted = data.with_weights(np.random.default_rng(1).uniform(0.1, 6, data.n_ratings))
    model = autoencoder("gaussian").fit(weighted)
    moved = weighted.with_items(weighted.items[::-1])
    assert model.total_cost(moved) == pytest.approx(model.total_cost(weighted), rel=1e-6)
    assert model.total_cost(moved) != pytest.approx(model.total_cost(data), rel=1e-3)


def test_a_checkpoint_of_other_weights_is_of_another_training(tmp_path):
    data = generated(0)
    once, twice = (of_users(data, np.full(data.n_users, weight)) for weight in (1, 2))
    autoencoder("gaussian").fit(once, checkpoint=tmp_path)
    with pytest.raises(DataError, match="is of another training"):
        autoencoder("gaussian").fit(twice, checkpoint=tmp_path)


def test_partial_fit_refuses_them_too():
    data = generated(0, implicit=True)
    model = MODELS["elsa"](n_factors=3, epochs=1, progress=False, device="cpu").fit(data)
    with pytest.raises(DataError, match="ELSA cannot use the weights"):
        model.partial_fit(data.with_weights(np.ones(data.n_ratings)))


def test_bernoulli_keeps_weights_out_of_the_range_of_values():
    """Weights above 1 do not make values above 1."""
    data = generated(0, implicit=True)
    model = autoencoder("bernoulli").fit(data.with_weights(np.full(data.n_ratings, 9.0)))
    assert np.isfinite(model.total_cost(data))
