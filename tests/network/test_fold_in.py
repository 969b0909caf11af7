"""ridge_rows against a dense solve of each user's normal equations."""

import numpy as np
import pytest
import torch

from aerec.canonical import canonical_csr
from aerec.network.fold_in import ridge_rows
from aerec.network.rows import SparseRows

RNG = np.random.default_rng(0)
ITEMS = RNG.normal(size=(30, 6)).astype(np.float32)
PRIOR = RNG.normal(size=6).astype(np.float32)
RATINGS = np.where(RNG.random((12, 30)) < np.linspace(0, 0.8, 12)[:, None], RNG.uniform(1, 5, (12, 30)), 0)


def fitted(ratings, l2, prior=PRIOR, items=ITEMS, **more):
    rows = SparseRows(canonical_csr(ratings), torch.device("cpu"))
    batch = rows.batch(torch.arange(len(ratings)))
    return ridge_rows(batch, torch.tensor(items), torch.tensor(prior), l2, **more).numpy()


def solved(row, l2, prior=PRIOR, items=ITEMS):
    seen = row != 0
    a, w0 = items[seen].astype(float), prior.astype(float)
    return w0 + np.linalg.solve(a.T @ a + l2 * np.eye(len(w0)), a.T @ (row[seen] - a @ w0))


@pytest.mark.parametrize("l2", [0.1, 1.0, 50.0])
def test_every_user_solves_the_normal_equations(l2):
    assert (np.count_nonzero(RATINGS, axis=1) < 6).any()  # fewer ratings than weights: the ridge alone decides
    found = fitted(RATINGS, l2)
    for row, weights in zip(RATINGS, found, strict=True):
        np.testing.assert_allclose(weights, solved(row, l2), atol=2e-4)


def test_vectors_of_very_different_sizes_converge_as_well():
    items = ITEMS * np.float32([10, 5, 1, 1, 0.5, 0.2])
    for row, weights in zip(RATINGS, fitted(RATINGS, 1.0, items=items), strict=True):
        np.testing.assert_allclose(weights, solved(row, 1.0, items=items), atol=2e-3)


def test_a_user_without_ratings_gets_the_prior():
    found = fitted(np.zeros((3, 30)), 1.0)
    np.testing.assert_array_equal(found, np.tile(PRIOR, (3, 1)))
    beside_others = fitted(RATINGS, 1.0)[0]
    assert np.count_nonzero(RATINGS[0]) == 0
    np.testing.assert_array_equal(beside_others, PRIOR)


def test_a_user_whom_the_prior_fits_keeps_it():
    exact = (ITEMS @ PRIOR)[None] * (RATINGS[5:6] != 0)
    np.testing.assert_allclose(fitted(exact, 1.0), PRIOR[None], atol=1e-5)


def test_a_large_penalty_pulls_to_the_prior():
    np.testing.assert_allclose(fitted(RATINGS, 1e7), np.tile(PRIOR, (12, 1)), atol=1e-3)


def test_users_do_not_influence_each_other():
    together = fitted(RATINGS, 0.5)
    for at in range(12):
        np.testing.assert_allclose(fitted(RATINGS[at : at + 1], 0.5)[0], together[at], atol=1e-4)


def test_conjugate_gradients_end_after_as_many_steps_as_there_are_weights():
    row, l2 = RATINGS[11:], 0.5
    errors = [np.abs(fitted(row, l2, max_steps=steps)[0] - solved(row[0], l2)).max() for steps in (0, 1, 3, 6)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == pytest.approx(np.abs(PRIOR - solved(row[0], l2)).max(), rel=1e-4)
    assert errors[-1] < 1e-3 < errors[1]
