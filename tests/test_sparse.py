"""Rows taken of CSR matrices, their sums and counts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aerec.canonical import canonical_csr
from aerec.sparse import (
    column_counts,
    column_sums,
    keep_values,
    ones_in,
    row_ids,
    row_positions,
    row_sums,
    scaled,
    squares,
    take_rows,
    take_values,
    with_values,
)

small = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(-2, 3).map(float)
)


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


def test_ones_stand_where_something_is_stored():
    matrix = sp.csr_array(np.array([[0, 2.5, 0], [3, 0, 4]], dtype=np.float32))
    ones = ones_in(matrix)
    assert ones.dtype == np.float32
    np.testing.assert_array_equal(ones.toarray(), matrix.toarray() != 0)
    assert ones_in(matrix, bool).dtype == bool


@pytest.mark.parametrize("block", [1, 5, 1000])
def test_sums_and_scaled_values_do_not_depend_on_the_block(monkeypatch, block):
    monkeypatch.setattr("aerec.sparse._BLOCK", block)
    monkeypatch.setattr("aerec.files.memmap._BLOCK", block)
    rng = np.random.default_rng(0)
    dense = rng.poisson(0.4, (30, 8)).astype(np.float32)
    dense[[0, 7, 8, 29]] = 0
    matrix = canonical_csr(dense)
    np.testing.assert_array_equal(row_sums(matrix), dense.sum(axis=1))
    np.testing.assert_array_equal(row_sums(matrix, squares), np.square(dense).sum(axis=1))
    np.testing.assert_array_equal(column_sums(matrix, squares), np.square(dense).sum(axis=0))
    of_rows, of_columns = rng.random(30), rng.random(8)
    expected = of_rows[:, None] * np.square(dense) * of_columns
    np.testing.assert_allclose(scaled(matrix, of_rows, of_columns, squares).toarray(), expected, rtol=1e-6)


@given(small, st.integers(0, 2**32 - 1))
def test_other_values_stand_in_the_same_places_and_some_values_are_left_out(dense, seed):
    matrix, random = canonical_csr(dense), np.random.default_rng(seed)
    values = random.random(matrix.nnz)
    expected = np.zeros(matrix.shape)
    expected[row_ids(matrix), matrix.indices] = values
    assert (with_values(matrix, values).toarray() == expected).all()
    stays = random.random(matrix.nnz) < 0.5
    kept = keep_values(matrix, stays)
    other = matrix.toarray()
    other[row_ids(matrix)[~stays], matrix.indices[~stays]] = 0
    assert (kept.toarray() == other).all()
    assert kept.nnz == stays.sum()
