"""CSR matrices in canonical form: rows taken by index arithmetic, sums and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.files.memmap import blocks, empty_like_mapped, is_mapped, release

CSR: TypeAlias = "sp.csr_array[Any, tuple[int, int]]"

_BLOCK = 1 << 22  # values copied at once


def row_positions(indptr: NDArray[Any], rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the stored values of `rows`, row after row, and where each row begins among them.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,)
    rows : ndarray of int, shape (n,)
        May repeat and come in any order.

    Returns
    -------
    positions : ndarray of int64, shape (n_values,)
    starts : ndarray of int64, shape (n + 1,)
        ``positions[starts[i]:starts[i + 1]]`` belong to ``rows[i]``.
    """
    begins = indptr[rows].astype(np.int64)
    lengths = indptr[rows + 1].astype(np.int64) - begins
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    positions = np.arange(starts[-1]) + np.repeat(begins - starts[:-1], lengths)
    return positions, starts


def narrow(matrix: CSR) -> CSR:
    """Return a matrix with indices of 32 bits, where they fit and are in memory.

    A product of two matrices is slow where they are of different widths: scipy copies those of one of them.
    """
    if matrix.indices.dtype.itemsize == 4 or max(matrix.nnz, *matrix.shape) >= 2**31 or is_mapped(matrix.indices):
        return matrix
    arrays = matrix.data, matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    result: CSR = sp.csr_array(arrays, shape=matrix.shape)
    return result


def take_rows(matrix: CSR, rows: NDArray[Any]) -> CSR:
    """Return ``matrix[rows]``; sorted and duplicate-free where `matrix` is."""
    if len(rows) and (np.diff(rows) == 1).all():  # a block of rows is copied as it stands
        begins = matrix.indptr[rows[0] : rows[-1] + 2]
        here = slice(begins[0], begins[-1])
        arrays = matrix.data[here].copy(), matrix.indices[here].copy(), begins - begins[0]
    else:
        positions, starts = row_positions(matrix.indptr, rows)
        arrays = matrix.data[positions], matrix.indices[positions], starts.astype(matrix.indptr.dtype)
    taken: CSR = sp.csr_array(arrays, shape=(len(rows), matrix.shape[1]))
    taken.has_canonical_format = True
    return taken


def take_values(
    arrays: tuple[NDArray[Any], ...], indptr: NDArray[Any], rows: NDArray[Any]
) -> tuple[list[NDArray[Any]], NDArray[np.int64]]:
    """Take the stored values of `rows` from arrays that are aligned with each other.

    Parameters
    ----------
    arrays : tuple of ndarray of shape (n_values,)
        What is taken from memory-mapped ones, if it is much, is memory-mapped too, and copied block by block.
    indptr : ndarray of shape (n_rows + 1,)
    rows : ndarray of int, shape (n,)
        May repeat and come in any order.

    Returns
    -------
    taken : list of ndarray of shape (n_taken,)
    starts : ndarray of int64, shape (n + 1,)
        Where each of the rows begins among them.
    """
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(indptr[rows + 1].astype(np.int64) - indptr[rows], out=starts[1:])
    total = int(starts[-1])
    if total <= _BLOCK or not is_mapped(arrays[0]):
        positions, _ = row_positions(indptr, rows)
        copies = [array[positions] for array in arrays]
        for array in arrays:
            release(array)
        return copies, starts
    taken = [empty_like_mapped(array, total, array.dtype) for array in arrays]
    begin = 0
    while begin < len(rows):
        end = max(begin + 1, int(np.searchsorted(starts, starts[begin] + _BLOCK, side="right")) - 1)
        positions, _ = row_positions(indptr, rows[begin:end])
        for array, into in zip(arrays, taken, strict=True):
            into[starts[begin] : starts[end]] = array[positions]
            release(array)
            release(into)
        begin = end
    return taken, starts


def ones_in(matrix: CSR, dtype: Any = None) -> CSR:
    """Return a matrix of ones in the stored places of `matrix`; by default of its type."""
    return with_values(matrix, np.ones_like(matrix.data, dtype))


def with_values(matrix: CSR, values: NDArray[Any]) -> CSR:
    """Return a matrix with these `values` in the stored places of a canonical one, which both share."""
    result: CSR = sp.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)
    result.has_canonical_format = True
    return result


def keep_values(matrix: CSR, stays: NDArray[np.bool_]) -> CSR:
    """Return the stored values of a canonical matrix where the mask `stays`, aligned with them, is true."""
    indptr = np.concatenate(([0], np.cumsum(stays)))[matrix.indptr].astype(matrix.indptr.dtype)
    result: CSR = sp.csr_array((matrix.data[stays], matrix.indices[stays], indptr), shape=matrix.shape)
    result.has_canonical_format = True
    return result


def column_counts(matrix: CSR) -> NDArray[np.int64]:
    """Return how many values each column holds; shape (n_columns,)."""
    counts = np.zeros(matrix.shape[1], dtype=np.int64)
    for _, columns in blocks(matrix.indices):
        counts += np.bincount(columns, minlength=matrix.shape[1])
    return counts


def column_sums(matrix: CSR, of: Callable[[Any], NDArray[Any]] = np.asarray) -> NDArray[np.float64]:
    """Return the sum of the values of each column, or of a function `of` them; shape (n_columns,)."""
    sums = np.zeros(matrix.shape[1])
    for begin, columns in blocks(matrix.indices):
        sums += np.bincount(columns, of(matrix.data[begin : begin + len(columns)]), minlength=matrix.shape[1])
        release(matrix.data)
    return sums


def row_sums(matrix: CSR, of: Callable[[Any], NDArray[Any]] = np.asarray) -> NDArray[np.float64]:
    """Return the sum of the values of each row, or of a function `of` them; shape (n_rows,)."""
    sums = np.zeros(matrix.shape[0])
    for rows in blocks_of_values(matrix):
        begins = matrix.indptr[rows.start : rows.stop + 1]
        numbers = np.repeat(np.arange(rows.stop - rows.start), np.diff(begins))
        sums[rows] = np.bincount(numbers, of(matrix.data[begins[0] : begins[-1]]), rows.stop - rows.start)
        release(matrix.data)
    return sums


def scaled(
    matrix: CSR,
    of_rows: NDArray[np.floating[Any]],
    of_columns: NDArray[np.floating[Any]],
    of: Callable[[Any], NDArray[Any]] = np.asarray,
) -> CSR:
    """Return the matrix of (a function of) the values times the numbers of their row and column, in float32.

    Nothing of the size of the matrix is held beside the result, which shares the places of the values.
    """
    values = np.empty(matrix.nnz, dtype=np.float32)
    for rows in blocks_of_values(matrix):
        begins = matrix.indptr[rows.start : rows.stop + 1]
        here = slice(begins[0], begins[-1])
        by_row = np.repeat(of_rows[rows], np.diff(begins))
        values[here] = of(matrix.data[here]) * by_row * of_columns[matrix.indices[here]]
        release(matrix.data)
        release(matrix.indices)
    return with_values(matrix, values)


def squares(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the squares in float64."""
    return np.asarray(np.square(values, dtype=np.float64))


def blocks_of_values(matrix: CSR, n_values: int = _BLOCK) -> Iterator[slice]:
    """Cut the rows into runs of at most `n_values` values, or of one row."""
    begin = 0
    while begin < matrix.shape[0]:
        most = int(matrix.indptr[begin]) + n_values
        end = max(begin + 1, int(np.searchsorted(matrix.indptr, most, side="right")) - 1)
        yield slice(begin, end)
        begin = end


def row_ids(matrix: CSR) -> NDArray[np.int64]:
    """Return the row of every stored value, aligned with ``matrix.data``."""
    if matrix.shape[0] == 1:
        return np.zeros(matrix.nnz, dtype=np.int64)
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
