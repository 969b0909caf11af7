"""ALS: the fold-in against a dense solve per user, the training against alternating least squares in numpy."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aerec.baselines import ALS

pytest.importorskip("implicit")


def dense_fold_in(history, items, l2, alpha):
    """One user at a time, by the formula of Hu, Koren and Volinsky."""
    found = []
    for x in history:
        C, p = np.diag(1 + alpha * x), (x != 0).astype(float)
        found.append(np.linalg.solve(items.T @ C @ items + l2 * np.eye(items.shape[1]), items.T @ C @ p))
    return np.array(found)


def cost(X, users, items, l2, alpha):
    return np.sum((1 + alpha * X) * ((X != 0) - users @ items.T) ** 2) + l2 * (np.sum(users**2) + np.sum(items**2))


def dense_als(X, n_factors, l2, alpha, epochs):
    items = 0.1 * np.random.default_rng(3).standard_normal((X.shape[1], n_factors))
    for _ in range(epochs):
        users = dense_fold_in(X, items, l2, alpha)
        items = dense_fold_in(X.T, users, l2, alpha)
    return dense_fold_in(X, items, l2, alpha), items


@pytest.mark.parametrize(("l2", "alpha"), [(10.0, 1.0), (0.5, 4.0)])
def test_a_history_is_folded_in_by_the_exact_least_squares_step(ratings, history, l2, alpha):
    model = ALS(n_factors=5, l2=l2, alpha=alpha, epochs=3).fit(csr_array(ratings))
    items = model.item_factors_.astype(np.float64)
    expected = dense_fold_in(history, items, l2, alpha) @ items.T
    np.testing.assert_allclose(model.score_items(history)[1:], expected[1:], atol=1e-5)


def test_training_reaches_the_cost_of_dense_alternating_least_squares(ratings):
    model = ALS(n_factors=3, l2=2.0, alpha=1.0, epochs=60).fit(csr_array(ratings))
    items = model.item_factors_.astype(np.float64)
    found = cost(ratings, dense_fold_in(ratings, items, 2.0, 1.0), items, 2.0, 1.0)
    expected = cost(ratings, *dense_als(ratings, 3, 2.0, 1.0, 60), 2.0, 1.0)
    assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("alpha", [1.0, 4.0, "auto"])
def test_the_automatic_penalty_follows_counts_and_confidence(ratings, history, alpha):
    X = csr_array(ratings)
    n_rated = np.count_nonzero((ratings != 0).any(axis=0))
    used = np.clip(0.4 * X.shape[0] * n_rated / X.nnz, 1, 16) / X.data.mean() if alpha == "auto" else alpha
    expected = 2.2 * (1 + used * X.data.mean()) * (X.nnz / n_rated) ** 0.25
    model = ALS(n_factors=3, alpha=alpha, epochs=3).fit(X)
    assert model.l2_ == pytest.approx([expected])
    assert model.alpha_ == pytest.approx([used])
    items = model.item_factors_.astype(np.float64)
    scores = dense_fold_in(history, items, expected, used) @ items.T
    np.testing.assert_allclose(model.score_items(history)[1:], scores[1:], atol=1e-5)


def test_ratings_of_twice_the_size_are_ranked_alike(ratings, history):
    once, twice = (ALS(n_factors=3).fit(csr_array(size * ratings)).score_items(size * history) for size in (1, 2))
    np.testing.assert_allclose(once, twice, atol=1e-3)


def test_an_empty_history_is_ranked_by_popularity(ratings, history):
    scores = ALS(n_factors=2, epochs=1).fit(csr_array(ratings)).score_items(history)
    np.testing.assert_allclose(scores[0], (ratings != 0).mean(axis=0), rtol=1e-6)


def test_the_seed_decides(ratings):
    X = csr_array(ratings)
    first, again, other = (ALS(n_factors=3, epochs=2, seed=seed).fit(X).item_factors_ for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
