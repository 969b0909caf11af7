"""BSPM against its formula in dense float64 numpy."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from aerec import load_model
from aerec.baselines import BSPM
from aerec.testing import check_recommender


def dense_map(X, k, weight, T, alpha=0.5, power=1.0, shrinkage=0.0):
    """The items × items matrix M of which the score is x · M."""
    users, items = X.sum(axis=1, keepdims=True), X.sum(axis=0)
    items = np.where(items > 0, items + shrinkage, 1)
    R = X / (np.maximum(users, 1e-30) ** alpha * items ** (1 - alpha))
    P = (R.T @ R) ** power
    V = np.linalg.svd(R)[2][:k].T
    first = P + weight * np.diag(items ** (alpha - 1)) @ V @ V.T @ np.diag(items ** (1 - alpha))
    series = sum(np.linalg.matrix_power(-T * P, n) / factorial for n, factorial in enumerate([1, 1, 2, 6, 24]))
    return first @ series


SETTINGS = [
    {"n_factors": 3, "weight": 0.3, "sharpening": 1.2},
    {"n_factors": 3, "weight": 0.3, "sharpening": 0.0},
    {"n_factors": 0, "weight": 0.3, "sharpening": 2.5},
    {"n_factors": 2, "weight": 0.5, "sharpening": 1.0, "alpha": 0.3},
    {"n_factors": 0, "sharpening": 0.0, "alpha": 0.6, "power": 0.7},
    {"n_factors": 3, "sharpening": 0.5, "power": 1.3},
    {"n_factors": 3, "sharpening": 1.2, "shrinkage": 4.0},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_scores_and_explanations_are_those_of_the_formula(ratings, history, settings):
    full = {"alpha": 0.5, "power": 1.0, "weight": 0.3, "shrinkage": 0.0, **settings}
    model = BSPM(**full).fit(sp.csr_array(ratings))
    names = ("n_factors", "weight", "sharpening", "alpha", "power", "shrinkage")
    M = dense_map(ratings, *(full[name] for name in names))
    assert_allclose(model.score_items(history)[1:], history[1:] @ M, atol=2e-4)
    terms = model.explain(history[1:2], 7).set_index("item")["contribution"]
    seen = np.flatnonzero(history[1])
    assert_allclose(terms.loc[seen], history[1, seen] * M[seen, 7], atol=1e-4)


def test_turbo_cf_with_one_product_is_a_power_of_the_similarities(ratings, history):
    model = BSPM(n_factors=0, sharpening=0.0, shrinkage=0.0, alpha=0.5, power=0.5).fit(sp.csr_array(ratings))
    R = ratings / np.sqrt(ratings.sum(axis=1, keepdims=True) * np.maximum(ratings.sum(axis=0), 1e-30))
    assert_allclose(model.score_items(history)[1:], history[1:] @ np.sqrt(R.T @ R), rtol=1e-3)


@pytest.mark.parametrize(("shape", "n_factors"), [((40, 900), 8), ((640, 400), 12), ((9000, 9000), 256)])
def test_factors_follow_the_users_or_items(shape, n_factors):
    X = sp.random_array(shape, density=0.02 if shape[0] < 9000 else 2e-4, random_state=np.random.default_rng(0))
    X.data[:] = 1
    assert BSPM().fit(X.tocsr()).item_factors_.shape == (shape[1], n_factors)


def test_an_item_and_a_user_without_ratings_harm_nothing(ratings, history):
    more = np.pad(ratings, ((0, 1), (0, 1)))
    wide = np.pad(history, ((0, 0), (0, 1)))
    scores = BSPM(n_factors=3).fit(sp.csr_array(more)).score_items(wide)
    assert_allclose(scores[1:, :-1], BSPM(n_factors=3).fit(sp.csr_array(ratings)).score_items(history)[1:], atol=1e-3)
    assert_allclose(scores[1:, -1], 0, atol=1e-5)


@pytest.mark.parametrize("model", [BSPM(n_factors=3), BSPM(n_factors=0, power=0.8)], ids=str)
def test_it_keeps_the_contract(model):
    check_recommender(model)


def test_what_is_loaded_can_be_explained(ratings, history, tmp_path):
    model = BSPM(n_factors=0, power=0.8).fit(sp.csr_array(ratings))
    model.save(tmp_path / "model")
    assert model.explain(history[1:2], 3).equals(load_model(tmp_path / "model").explain(history[1:2], 3))


@pytest.mark.parametrize(
    "bad",
    [{"shrinkage": -1.0}, {"n_factors": -1}, {"weight": -0.1}, {"sharpening": -1.0}, {"alpha": 1.5}, {"power": 0}],
)
def test_parameters_out_of_range_are_refused(ratings, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        BSPM(**bad).fit(ratings)
