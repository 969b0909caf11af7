"""The canonical CSR form, and taking rows of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aerec.errors import DataError
from aerec.sparse import canonical_csr, column_counts, row_ids, row_positions, row_sums, take_rows, take_values

small = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(-2, 3).map(float)
)


@given(small, st.sampled_from(["dense", "csr", "csc", "coo", "lil"]))
def test_any_format_gives_the_same_values_in_canonical_form(dense, kind):
    given_matrix = dense if kind == "dense" else sp.coo_array(dense).asformat(kind)
    csr = canonical_csr(given_matrix)
    np.testing.assert_array_equal(csr.toarray(), dense)
    assert csr.dtype == np.float32
    assert csr.has_canonical_format
    assert csr.data.all()


def test_duplicates_are_summed_zeros_dropped_and_the_given_matrix_stays_as_it_was():
    data, indices, indptr = np.array([1.0, 2.0, 0.0], np.float32), np.array([1, 1, 0]), np.array([0, 2, 3])
    messy = sp.csr_array((data, indices, indptr), shape=(2, 2))
    csr = canonical_csr(messy)
    assert csr.toarray().tolist() == [[0, 3], [0, 0]]
    assert csr.nnz == 1
    assert messy.nnz == 3
    assert messy.data.tolist() == [1, 2, 0]


def test_unsorted_matrix_of_another_type_stays_as_it_was():
    messy = sp.csr_array((np.array([1, 2]), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    assert canonical_csr(messy).toarray().tolist() == [[2, 1]]
    assert messy.indices.tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [float, pd.SparseDtype(float, 0), pd.SparseDtype(int, 0), pd.SparseDtype(float, 1)])
def test_a_frame_with_a_row_per_user_is_a_matrix(dtype):
    frame = pd.DataFrame([[0, 2, 0], [1, 0, 0]], columns=["a", "b", "c"], index=["x", "y"]).astype(dtype)
    assert canonical_csr(frame).toarray().tolist() == [[0, 2, 0], [1, 0, 0]]


def test_a_frame_of_sparse_columns_stays_sparse(monkeypatch):
    frame = pd.DataFrame.sparse.from_spmatrix(sp.eye_array(4))
    monkeypatch.setattr(pd.DataFrame, "__array__", None)  # what would make it dense
    assert canonical_csr(frame).nnz == 4


@pytest.mark.parametrize("names", [("user", "item"), ("userId", "movieId"), ("user_id", "item_id")])
def test_a_frame_with_a_row_per_rating_is_not_taken_for_a_matrix(names):
    frame = pd.DataFrame([[1, 7, 4.0]], columns=[*names, "rating"])
    with pytest.raises(DataError, match=r"a row per rating.*Interactions\.from_frame"):
        canonical_csr(frame)


def test_a_canonical_matrix_is_not_copied():
    csr = sp.csr_array(np.eye(3, dtype=np.float32))
    assert np.shares_memory(canonical_csr(csr).data, csr.data)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named_with_their_place(value):
    dense = np.zeros((3, 4))
    dense[2, 1] = value
    with pytest.raises(DataError, match="row 2, column 1"):
        canonical_csr(dense)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((2, 2, 2)), [["a"]], None])
def test_what_is_no_matrix_of_numbers_is_refused(wrong):
    with pytest.raises(DataError):
        canonical_csr(wrong)


@given(small, st.data())
def test_rows_are_taken_in_any_order_and_number(dense, data):
    rows = np.array(data.draw(st.lists(st.integers(0, len(dense) - 1), max_size=10)), dtype=np.int64)
    csr = canonical_csr(dense)
    taken = take_rows(csr, rows)
    np.testing.assert_array_equal(taken.toarray(), dense[rows])
    positions, starts = row_positions(csr.indptr, rows)
    assert len(positions) == starts[-1] == taken.nnz


@given(small)
def test_row_ids_align_with_the_values(dense):
    csr = canonical_csr(dense)
    np.testing.assert_array_equal(row_ids(csr), np.nonzero(dense)[0])


@pytest.mark.parametrize("block", [1, 5, 1000])
def test_sums_of_rows_do_not_depend_on_the_block(monkeypatch, block):
    monkeypatch.setattr("aerec.sparse._BLOCK", block)
    dense = np.random.default_rng(0).poisson(0.4, (30, 8)).astype(np.float32)
    dense[[0, 7, 8, 29]] = 0
    sums, squares = row_sums(canonical_csr(dense))
    np.testing.assert_array_equal(sums, dense.sum(axis=1))
    np.testing.assert_array_equal(squares, np.square(dense).sum(axis=1))


def test_column_counts_and_taken_values_do_not_depend_on_the_block(monkeypatch):
    matrix = canonical_csr(sp.random_array((40, 9), density=0.3, random_state=0))
    rows = np.array([3, 39, 3, 0, 17])
    expected = matrix.toarray()
    for block in (3, 1000):
        monkeypatch.setattr("aerec.sparse._BLOCK", block)
        np.testing.assert_array_equal(column_counts(matrix), (expected != 0).sum(axis=0))
        (values, columns), starts = take_values((matrix.data, matrix.indices), matrix.indptr, rows)
        taken = sp.csr_array((values, columns, starts), shape=(5, 9))
        np.testing.assert_array_equal(taken.toarray(), expected[rows])


def test_a_value_that_is_not_finite_is_found_in_any_block(monkeypatch):
    monkeypatch.setattr("aerec.sparse._BLOCK", 2)
    with pytest.raises(DataError, match="holds nan at row 2, column 1"):
        canonical_csr(np.array([[1, 2, 0], [3, 0, 0], [0, np.nan, 1]]))


@pytest.mark.parametrize("kind", [sp.dok_array, sp.dok_matrix])
def test_a_zero_stored_in_a_dictionary_of_keys_is_dropped(kind):
    X = kind((2, 3), dtype=float)
    X[0, 1], X[1, 2] = 2.0, 1.0
    X._dict[(0, 0)] = 0.0
    found = canonical_csr(X)
    assert found.nnz == 2
    np.testing.assert_array_equal(found.toarray(), [[0, 2, 0], [0, 0, 1]])
