"""EASE: the closed form in float64, and the optimum that it claims to be."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aerec import load_model
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.models import EASE, EDLAE


def likes(n_users=400, n_items=60):
    rng = np.random.default_rng(0)
    return (rng.random((n_users, n_items)) < np.linspace(0.4, 0.02, n_items)).astype(np.float64)


def closed_form(X, l2):
    P = np.linalg.inv(X.T @ X + l2 * np.eye(X.shape[1]))
    B = P / -np.diag(P)
    np.fill_diagonal(B, 0)
    return B


def cost(X, B, l2):
    return np.sum((X - X @ B) ** 2) + l2 * np.sum(B**2)


@pytest.mark.parametrize("l2", [1.0, 50.0, 500.0])
def test_weights_are_the_closed_form(l2):
    X = likes()
    B = EASE(l2).fit(csr_array(X)).weights_
    assert B.dtype == np.float32
    np.testing.assert_allclose(B, closed_form(X, l2), atol=1e-4)
    np.testing.assert_allclose(EASE(l2).fit(csr_array(X)).score_items(X[:5]), X[:5] @ closed_form(X, l2), atol=1e-4)


def test_no_weights_with_a_zero_diagonal_cost_less():
    X = likes(100, 20)
    B = EASE(l2=10.0).fit(csr_array(X)).weights_.astype(np.float64)
    assert (np.diag(B) == 0).all()
    gradient = 2 * (X.T @ (X @ B - X) + 10.0 * B)
    np.testing.assert_allclose(gradient[~np.eye(20, dtype=bool)], 0, atol=1e-3)
    rng = np.random.default_rng(1)
    for size in (1e-3, 1e-1):
        step = size * rng.standard_normal(B.shape)
        np.fill_diagonal(step, 0)
        assert cost(X, B + step, 10.0) > cost(X, B, 10.0)


def test_a_negative_or_zero_penalty_is_refused():
    for l2 in (0.0, -1.0):
        with pytest.raises(ValueError, match="l2"):
            EASE(l2).fit(likes())


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_features_are_users_of_a_weight(dropout, tmp_path):
    X, rng = likes(100, 20), np.random.default_rng(1)
    F = (rng.random((20, 6)) < 0.3) * rng.random((20, 6))
    data = Interactions.from_matrix(csr_array(X)).with_item_features(csr_array(F))
    model = EDLAE(l2=5.0, dropout=dropout, feature_weight=3.0).fit(data)
    gram = X.T @ X + 3.0 * F @ F.T
    P = np.linalg.inv(gram + dropout / (1 - dropout) * np.diag(np.diag(gram)) + 5.0 * np.eye(20))
    B = P / -np.diag(P)
    np.fill_diagonal(B, 0)
    np.testing.assert_allclose(model.weights_, B, atol=1e-5)
    if dropout == 0:
        np.testing.assert_array_equal(EASE(l2=5.0, feature_weight=3.0).fit(data).weights_, model.weights_)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").score_items(data), model.score_items(data))
    with pytest.raises(DataError, match="cannot be updated"):
        model.partial_fit(data)


def test_a_weight_of_features_needs_features():
    with pytest.raises(DataError, match="no features of items"):
        EASE(l2=5.0, feature_weight=1.0).fit(likes(20, 5))
