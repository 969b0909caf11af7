"""Updates of an inverse, against the inverse of what was updated."""

import numpy as np
import pytest
import scipy.sparse as sp

from aerec.closed_form.updates import change_users, summed_weights, update_inverse
from aerec.errors import DataError


def ratings(n_users, seed):
    rng = np.random.default_rng(seed)
    return sp.csr_array((rng.random((n_users, 20)) < 0.3) * rng.integers(1, 6, (n_users, 20)).astype(np.float32))


def upper_inverse(X, ridge):
    return np.triu(np.linalg.inv((X.T @ X).toarray().astype(np.float64) + np.diag(ridge)))


@pytest.mark.parametrize("n_changed", [3, 30])  # fewer rows than half of the items, and more
@pytest.mark.parametrize("dropped", [0.0, 0.5])
def test_an_updated_inverse_is_that_of_the_changed_matrix(n_changed, dropped):
    X, come = ratings(80, 0), ratings(n_changed, 1)
    gone, stay = X[:n_changed], X[n_changed:]
    of = [np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel() for matrix in (X, gone, come)]
    ridge = (10 + dropped * of[0]).astype(np.float32)
    inverse = np.linalg.inv((X.T @ X).toarray().astype(np.float64) + np.diag(ridge)).astype(np.float32)
    after = update_inverse(inverse, gone, come, ridge, dropped)
    np.testing.assert_allclose(after, 10 + dropped * (of[0] - of[1] + of[2]), rtol=1e-5)
    expected = upper_inverse(sp.csr_array(sp.vstack([stay, come])), after)
    np.testing.assert_allclose(np.triu(inverse), expected, atol=1e-5)


def test_rows_that_were_never_there_cannot_go():
    X = ratings(5, 0)
    ridge = np.ones(20, dtype=np.float32)
    inverse = np.linalg.inv((X.T @ X).toarray() + np.diag(ridge)).astype(np.float32)
    with pytest.raises(DataError, match="exactly as they were"):
        update_inverse(inverse, sp.csr_array(30 * np.eye(1, 20, dtype=np.float32)), X[:0], ridge, 0.0)


def test_users_are_changed_by_their_histories():
    X, come = ratings(12, 0), ratings(2, 1)
    changed = change_users(X.T.tocsr(), X[[7, 2]], come)
    np.testing.assert_array_equal(
        changed.T.toarray(), np.vstack([np.delete(X.toarray(), [2, 7], axis=0), come.toarray()])
    )
    with pytest.raises(DataError, match="exactly as they were"):
        change_users(X.T.tocsr(), come, come)


def test_users_without_a_rating_come_and_go_without_a_trace():
    X, nothing = ratings(30, 0), sp.csr_array((2, 20), dtype=np.float32)
    ridge = np.full(20, 10, dtype=np.float32)
    inverse = np.linalg.inv((X.T @ X).toarray() + np.diag(ridge)).astype(np.float32)
    before = np.triu(inverse)
    np.testing.assert_array_equal(update_inverse(inverse, nothing, nothing[:1], ridge, 0.0), ridge)
    np.testing.assert_allclose(np.triu(inverse), before, atol=1e-7)


def test_sums_of_weights_come_back_from_shares():
    counts, popularity = np.array([3, 2, 0]), np.array([3 / 7, 1.25 / 7, 0], dtype=np.float32)
    np.testing.assert_allclose(summed_weights(popularity, 7, counts), [3, 1.25, 0], rtol=1e-6)
    assert summed_weights(popularity, 7, counts)[0] == 3
