"""solve_rows against a dense solve of each row, solve_nonnegative against an active-set method."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.sparse import csr_array

from aerec.closed_form import least_squares
from aerec.closed_form.least_squares import solve_nonnegative, solve_rows, solve_without_each


@pytest.mark.parametrize("with_shared", [False, True])
@pytest.mark.parametrize("rows_per_block", [1, 7, 1000])
def test_every_row_solves_its_normal_equations(ratings, with_shared, rows_per_block, monkeypatch):
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((ratings.shape[1], 3))
    ridge = rng.uniform(0.5, 2, size=(len(ratings), 3))
    shared = vectors.T @ vectors if with_shared else None
    targets = np.where(ratings > 0, ratings - 2, 0)
    ratings[5] = targets[5] = 0
    monkeypatch.setattr(least_squares, "_BLOCK_BYTES", rows_per_block * 8 * 3**2)
    weights = csr_array(ratings)
    aligned = csr_array((targets[ratings > 0], weights.indices, weights.indptr), shape=ratings.shape)
    found = solve_rows(weights, aligned, vectors, ridge, shared)
    for row in range(len(ratings)):
        normal = vectors.T @ np.diag(ratings[row]) @ vectors + np.diag(ridge[row]) + (0 if shared is None else shared)
        np.testing.assert_allclose(found[row], np.linalg.solve(normal, vectors.T @ targets[row]), atol=1e-9)
    assert (found[5] == 0).all()


def test_a_ridge_may_be_the_same_for_all_rows(ratings):
    vectors = np.random.default_rng(1).standard_normal((ratings.shape[1], 2))
    X = csr_array(ratings)
    one, each = np.array([1.0, 2.0]), np.tile([1.0, 2.0], (len(ratings), 1))
    np.testing.assert_array_equal(solve_rows(X, X, vectors, one), solve_rows(X, X, vectors, each))


@pytest.mark.parametrize("terms_per_block", [3, 1000])
def test_without_each_term_the_equations_are_those_of_the_others(terms_per_block, monkeypatch):
    rng = np.random.default_rng(3)
    monkeypatch.setattr(least_squares, "_BLOCK_BYTES", terms_per_block * 8 * 4)
    vectors, weights = rng.standard_normal((7, 4)), rng.uniform(0.5, 2, 7)
    targets, asked, ridge = rng.standard_normal((7, 2)), rng.standard_normal((5, 4)), np.diag(rng.uniform(0.5, 2, 4))
    normal = vectors.T @ (weights[:, None] * vectors) + ridge
    solutions = solve_without_each(normal, vectors, weights, targets)
    products = solve_without_each(normal, vectors, weights, targets, asked)
    for left_out in range(7):
        rest = np.arange(7) != left_out
        without = vectors[rest].T @ (weights[rest, None] * vectors[rest]) + ridge
        expected = np.linalg.solve(without, vectors[rest].T @ targets[rest])
        np.testing.assert_allclose(solutions[left_out].T, expected, atol=1e-10)
        np.testing.assert_allclose(products[left_out].T, asked @ expected, atol=1e-10)


@given(seed=st.integers(0, 2**16), n_factors=st.integers(1, 6), l2=st.sampled_from([1e-3, 0.1, 10.0]))
def test_non_negative_least_squares_is_that_of_lawson_and_hanson(seed, n_factors, l2):
    rng = np.random.default_rng(seed)
    vectors, targets = rng.standard_normal((9, n_factors)), rng.standard_normal((5, 9))
    gram = vectors.T @ vectors + l2 * np.eye(n_factors)
    stacked = np.vstack([vectors, np.sqrt(l2) * np.eye(n_factors)])
    expected = np.array([nnls(stacked, np.concatenate([x, np.zeros(n_factors)]))[0] for x in targets])
    np.testing.assert_allclose(solve_nonnegative(gram, targets @ vectors), expected, atol=1e-4)


def test_a_component_without_length_stays_zero_and_equal_ones_share():
    vectors = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]])
    found = solve_nonnegative(vectors.T @ vectors, np.array([[1.0, 2.0]]) @ vectors)
    assert found[0, 2] == 0
    np.testing.assert_allclose(vectors @ found[0], [1.0, 2.0])
    assert solve_nonnegative(vectors.T @ vectors, np.zeros((0, 3))).shape == (0, 3)
