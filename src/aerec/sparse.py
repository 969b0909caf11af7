"""CSR matrices: the one canonical form that aerec computes with, and rows taken by index arithmetic."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.errors import DataError

__all__ = ["CSR", "canonical_csr", "row_ids", "row_positions", "take_rows"]

CSR: TypeAlias = "sp.csr_array[Any, tuple[int, int]]"


def canonical_csr(X: Any) -> CSR:
    """Return `X` as a float32 CSR array with sorted indices, no duplicates, no explicit zeros.

    Parameters
    ----------
    X : scipy sparse matrix or array, or array-like of shape (n_rows, n_columns)
        Duplicated entries of a sparse matrix are summed, as scipy does.

    Returns
    -------
    scipy.sparse.csr_array of shape (n_rows, n_columns), float32
        `X` itself where it already has this form; otherwise a new array, `X` is never changed.

    Raises
    ------
    DataError
        If `X` is not two-dimensional or holds NaN, infinite or non-numeric values.
    """
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
        if is_sparse and np.shares_memory(csr.data, given.data):
            csr = csr.copy()
        csr.sum_duplicates()
        csr.eliminate_zeros()
    finite = np.isfinite(csr.data)
    if not finite.all():
        at = int(np.argmin(finite))
        row = int(np.searchsorted(csr.indptr, at, side="right")) - 1
        raise DataError(
            f"the matrix holds {csr.data[at]} at row {row}, column {csr.indices[at]}; "
            "remove or replace NaN and infinite values"
        )
    return csr


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
    positions, starts = row_positions(matrix.indptr, rows)
    taken: CSR = sp.csr_array(
        (matrix.data[positions], matrix.indices[positions], starts.astype(matrix.indptr.dtype)),
        shape=(len(rows), matrix.shape[1]),
    )
    taken.has_canonical_format = True
    return taken


def row_ids(matrix: CSR) -> NDArray[np.int64]:
    """Return the row of every stored value, aligned with ``matrix.data``."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
