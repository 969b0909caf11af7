"""EDLAE: its expected cost by explicit formula, by sampled dropout, and the optimum of it."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aerec.models import EASE, EDLAE


def likes(n_users=200, n_items=12):
    rng = np.random.default_rng(0)
    return (rng.random((n_users, n_items)) < np.linspace(0.6, 0.1, n_items)).astype(np.float64)


def expected_cost(X, B, dropout, l2):
    """E‖(1 − δ) ⊙ (X − (δ ⊙ X / (1 − p)) B)‖² / p + l2 · ‖B‖², B with a zero diagonal: squared mean plus variance.

    Whether an entry was dropped tells nothing of the inputs that predict it, so that the emphasis on the dropped ones
    is the factor p.
    """
    variance = dropout / (1 - dropout) * (X**2) @ (B**2)
    return np.sum((X - X @ B) ** 2) + np.sum(variance) + l2 * np.sum(B**2)


def test_the_expected_cost_is_the_mean_over_dropped_entries():
    """The reference that the next test rests on, checked by sampling."""
    X, p = likes(40, 6), 0.3
    rng = np.random.default_rng(1)
    B = rng.standard_normal((6, 6)) / 3
    np.fill_diagonal(B, 0)
    sampled = []
    for _ in range(4000):
        kept = rng.random(X.shape) >= p
        sampled.append(np.sum((X - kept * X / (1 - p) @ B)[~kept] ** 2) / p)
    assert np.mean(sampled) == pytest.approx(expected_cost(X, B, p, 0.0), rel=0.01)


@pytest.mark.parametrize(("l2", "dropout"), [(5.0, 0.3), (50.0, 0.5), (1.0, 0.8)])
def test_weights_minimise_the_expected_cost(l2, dropout):
    X = likes()
    B = EDLAE(l2, dropout).fit(csr_array(X)).weights_.astype(np.float64)
    assert (np.diag(B) == 0).all()
    lowest = expected_cost(X, B, dropout, l2)
    gradient = np.zeros_like(B)
    for i, j in np.argwhere(~np.eye(len(B), dtype=bool)):
        step = np.zeros_like(B)
        step[i, j] = 1e-3
        up, down = (expected_cost(X, B + sign * step, dropout, l2) for sign in (1, -1))
        assert min(up, down) > lowest - 1e-6
        gradient[i, j] = (up - down) / 2e-3
    np.testing.assert_allclose(gradient, 0, atol=2e-3)


def test_weights_are_the_closed_form_of_the_paper():
    X, l2, p = likes(), 20.0, 0.4
    G = X.T @ X
    P = np.linalg.inv(G + p / (1 - p) * np.diag(np.diag(G)) + l2 * np.eye(len(G)))
    expected = np.eye(len(G)) - P / np.diag(P)
    np.testing.assert_allclose(EDLAE(l2, p).fit(csr_array(X)).weights_, expected, atol=1e-4)


def test_without_dropout_it_is_ease():
    X = csr_array(likes())
    np.testing.assert_array_equal(EDLAE(30.0, 0.0).fit(X).weights_, EASE(30.0).fit(X).weights_)


def test_all_cannot_be_dropped():
    with pytest.raises(ValueError, match="dropout"):
        EDLAE(dropout=1.0).fit(likes())
