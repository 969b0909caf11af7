"""CSR matrices: the one canonical form that aerec computes with, and rows taken by index arithmetic."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.files.memmap import blocks, empty_like_mapped, is_mapped, release

__all__ = ["CSR", "canonical_csr", "column_counts", "row_ids", "row_positions", "row_sums", "take_rows", "take_values"]

CSR: TypeAlias = "sp.csr_array[Any, tuple[int, int]]"

_BLOCK = 1 << 22  # values copied at once
_USER_COLUMNS, _ITEM_COLUMNS = {"user", "userid"}, {"item", "itemid", "movieid"}  # of a frame that is no matrix


def canonical_csr(X: Any) -> CSR:
    """Return `X` as a float32 CSR array with sorted indices, no duplicates, no explicit zeros.

    Parameters
    ----------
    X : scipy sparse matrix or array, pandas.DataFrame, or array-like of shape (n_rows, n_columns)
        Duplicated entries of a sparse matrix are summed, as scipy does. A frame of sparse columns stays sparse.

    Returns
    -------
    scipy.sparse.csr_array of shape (n_rows, n_columns), float32
        `X` itself where it already has this form; otherwise a new array, `X` is never changed.

    Raises
    ------
    DataError
        If `X` is not two-dimensional, holds NaN, infinite or non-numeric values, or is a frame with a row per rating.
    """
    X = _of_frame(X) if isinstance(X, pd.DataFrame) else X
    given, is_sparse = X, sp.issparse(X)
    if not is_sparse:
        try:
            X = np.asarray(X, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(f"expected a numeric matrix, got {type(X).__name__}: {error}") from None
    if X.ndim != 2:
        raise DataError(f"expected a matrix of shape (n_users, n_items), got {X.ndim} dimension(s): {X.shape}")
    csr: CSR = sp.csr_array(X).astype(np.float32, copy=False)
    if not (csr.has_canonical_format and csr.data.all()):
        stored = getattr(given, "data", None)  # a matrix in the form of a dictionary has none
        if is_sparse and isinstance(stored, np.ndarray) and np.shares_memory(csr.data, stored):
            csr = csr.copy()
        csr.sum_duplicates()
        csr.eliminate_zeros()
    if (at := _first_not_finite(csr.data)) is not None:
        row = int(np.searchsorted(csr.indptr, at, side="right")) - 1
        raise DataError(
            f"the matrix holds {csr.data[at]} at row {row}, column {csr.indices[at]}; "
            "remove or replace NaN and infinite values"
        )
    release(csr.indices)  # read to see whether they are sorted
    return csr


def _of_frame(df: pd.DataFrame) -> Any:
    names = {str(name).lower().replace("_", "") for name in df.columns}
    if names & _USER_COLUMNS and names & _ITEM_COLUMNS:
        raise DataError(
            f"the frame has a row per rating, its columns are {list(df.columns)}: that is not a matrix of users and "
            "items; make one with Interactions.from_frame(df, user=…, item=…, rating=…)"
        )
    is_sparse = all(isinstance(dtype, pd.SparseDtype) and dtype.fill_value == 0 for dtype in df.dtypes)
    return df.sparse.to_coo() if is_sparse and len(df.columns) > 0 else df  # type: ignore[attr-defined]


def _first_not_finite(data: NDArray[Any]) -> int | None:
    for begin, block in blocks(data):
        finite = np.isfinite(block)
        if not finite.all():
            return begin + int(np.argmin(finite))
    return None


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


def column_counts(matrix: CSR) -> NDArray[np.int64]:
    """Return how many values each column holds; shape (n_columns,)."""
    counts = np.zeros(matrix.shape[1], dtype=np.int64)
    for _, columns in blocks(matrix.indices):
        counts += np.bincount(columns, minlength=matrix.shape[1])
    return counts


def row_ids(matrix: CSR) -> NDArray[np.int64]:
    """Return the row of every stored value, aligned with ``matrix.data``."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def row_sums(matrix: CSR) -> NDArray[np.float64]:
    """Return the sum of each row and that of its squares; shape (2, n_rows).

    Some rows at a time, so that nothing of the size of the matrix is held beside it.
    """
    n_rows = matrix.shape[0]
    sums = np.zeros((2, n_rows))
    begin = 0
    while begin < n_rows:
        most = int(matrix.indptr[begin]) + _BLOCK
        end = max(begin + 1, int(np.searchsorted(matrix.indptr, most, side="right")) - 1)
        values = matrix.data[matrix.indptr[begin] : matrix.indptr[end]]
        rows = np.repeat(np.arange(end - begin), np.diff(matrix.indptr[begin : end + 1]))
        for into, weights in zip(sums, (values, np.square(values)), strict=True):
            into[begin:end] = np.bincount(rows, weights, end - begin)
        begin = end
    return sums
