"""Inverses in place, by LAPACK and by block sweeps."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerec.closed_form import inverse
from aerec.closed_form.inverse import invert_upper, memory_beside


@pytest.fixture(params=["LAPACK", "sweeps"])
def way(request, monkeypatch):
    if request.param == "sweeps":
        monkeypatch.setattr(inverse, "_LAPACK_ROWS", 16)
        monkeypatch.setattr(inverse, "_PANEL", 16)
        monkeypatch.setattr(inverse, "_TILE", (10, 24))
    return request.param


def positive_definite(n, seed=0):
    X = np.random.default_rng(seed).standard_normal((2 * n, n))
    return X.T @ X + np.eye(n)


@pytest.mark.parametrize("n", [1, 16, 17, 48, 100])
def test_the_upper_triangle_is_that_of_the_inverse_and_all_that_is_read(way, n):
    A = positive_definite(n)
    given_matrix = A.astype(np.float32)
    given_matrix[np.tril_indices(n, -1)] = np.nan
    assert invert_upper(given_matrix)
    upper = np.triu_indices(n)
    np.testing.assert_allclose(given_matrix[upper], np.linalg.inv(A)[upper], rtol=1e-3, atol=1e-6)


@given(st.integers(17, 40), st.integers(0, 1000))
def test_sweeps_are_as_exact_as_lapack(n, seed):
    A = positive_definite(n, seed)
    wanted = np.triu(np.linalg.inv(A))
    by_lapack, by_sweeps = A.astype(np.float32), A.astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        invert_upper(by_lapack)
        patch.setattr(inverse, "_LAPACK_ROWS", 16)
        patch.setattr(inverse, "_PANEL", 16)
        invert_upper(by_sweeps)
    errors = [np.abs(np.triu(one) - wanted).max() for one in (by_lapack, by_sweeps)]
    assert errors[1] < 10 * errors[0] + 1e-7


@pytest.mark.parametrize("at", [0, 20, 59])
def test_what_is_not_positive_definite_is_said_to_be(way, at):
    A = positive_definite(60).astype(np.float32)
    A[at, at] = -1
    assert not invert_upper(A)


def test_it_takes_no_more_memory_than_it_says(way):
    A = positive_definite(600).astype(np.float32)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        assert invert_upper(A)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak <= memory_beside(600) + 20_000  # a few pivots and tiles
    assert (memory_beside(600) > 0) == (way == "sweeps")
