"""The one door for matrices from outside: checked, and brought into the form that aerec computes with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.files.memmap import blocks, release
from aerec.sparse import CSR, narrow

LARGEST_RATING = 2.0**24  # float32 holds every whole number up to it, and squares of ratings can be summed in float32
_COMPRESSED = ("csr", "csc", "bsr")
_USER_COLUMNS, _ITEM_COLUMNS = (
    {"user", "userid"},
    {"item", "itemid", "movieid"},
)  # a frame with both holds ratings
_RAW_IDS = (
    "are these raw ids? They are no row or column numbers: give the ratings as Interactions.from_frame(…), or look the "
    "numbers up with index.get_indexer(ids)"
)


def canonical_csr(X: Any) -> CSR:
    """Return `X` as a float32 CSR array with sorted indices, of 32 bits where they fit, no duplicates, no zeros stored.

    This is the one door for matrices from outside. scipy does not look at index arrays that it is given, and its
    compiled code reads past the end of an array where they are wrong; so everything is checked here.

    Parameters
    ----------
    X : scipy sparse matrix or array, pandas.DataFrame, or array-like of shape (n_rows, n_columns)
        Duplicated entries of a sparse matrix are summed in a type that holds the sum (of a matrix of bool, they stay
        1). A frame of sparse columns stays sparse.

    Returns
    -------
    scipy.sparse.csr_array of shape (n_rows, n_columns), float32
        `X` itself where it already has this form; otherwise a new array, `X` is never changed.

    Raises
    ------
    DataError
        If `X` is not two-dimensional, or a Split or Holdout; if its index arrays do not fit each other or its shape
        (named with row and column); if it holds NaN, infinite, complex or non-numeric values, or one beyond ±2²⁴; if it
        is a masked array, or a frame with a row per rating.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from aerec.canonical import canonical_csr
    >>> canonical_csr(sp.coo_array(([2, 3], ([0, 0], [1, 1])), shape=(1, 2))).toarray()
    array([[0., 5.]], dtype=float32)
    """
    refuse_other_than_matrix(X)
    X = _sparse_frame(X) if isinstance(X, pd.DataFrame) else X
    csr = _csr_of_sparse(X) if sp.issparse(X) else sp.csr_array(_dense(X))
    if not (csr.has_canonical_format and csr.data.all()):
        csr = csr.copy() if sp.issparse(X) else csr  # it may share its arrays with X
        csr.sum_duplicates()
        csr.eliminate_zeros()
    if getattr(X, "dtype", None) == np.bool_:
        csr.data[:] = 1  # a repeated True is still True
    if (at := _first_outside(csr.data, -LARGEST_RATING, LARGEST_RATING)) is not None:
        row, column = int(np.searchsorted(csr.indptr, at, side="right")) - 1, int(csr.indices[at])
        value = _value_at(X, row, column)
        what = (
            "ratings are finite numbers up to 2^24; is this a time or an id? Else divide them, or take their logarithm"
            if np.isfinite(value)
            else "remove or replace NaN and infinite values (of a pivoted frame: fillna(0))"
        )
        raise DataError(f"the matrix holds {value:.9g} at row {row}, column {column}; {what}")
    release(csr.indices)  # the check for sorted columns has read them
    return csr


def _value_at(X: Any, row: int, column: int) -> float:
    """Return a value as it was given: 1e300, say, of which float32 makes infinity."""
    is_sparse: bool = sp.issparse(X)
    given: Any = X.astype(np.float64).tocsr() if is_sparse else np.asarray(X, dtype=np.float64)
    return float(given[row, column])


def refuse_other_than_matrix(X: Any) -> None:
    """Refuse what holds a matrix, and a frame with a row per rating or a column of ids, where a matrix is asked for."""
    if (inside := getattr(type(X), "matrix_inside", None)) is not None:
        raise DataError(f"a {type(X).__name__} is no matrix of users and items, but holds some: give its .{inside}")
    columns = getattr(X, "column_names", getattr(X, "columns", []))  # Arrow has the first, pandas and polars the second
    names = {str(name).lower().replace("_", "") for name in columns}
    if names & _USER_COLUMNS and names & _ITEM_COLUMNS:
        raise DataError(
            f"the frame has a row per rating, its columns are {list(columns)}: that is not a matrix of users and "
            "items; make one with Interactions.from_frame(df, user=…, item=…, rating=…)"
        )
    if users := [name for name in columns if str(name).lower().replace("_", "") in _USER_COLUMNS]:
        raise DataError(
            f"the frame has a column {users[0]!r} of ids beside columns of ratings, which would be read as ratings of "
            f"an item; make it the index: df.set_index({users[0]!r})"
        )


def _sparse_frame(df: pd.DataFrame) -> Any:
    is_sparse = all(isinstance(dtype, pd.SparseDtype) and dtype.fill_value == 0 for dtype in df.dtypes)
    return df.sparse.to_coo() if is_sparse and len(df.columns) > 0 else df  # type: ignore[attr-defined]


def refuse_masked(X: Any) -> None:
    """Refuse a masked array, whose mask NumPy would drop."""
    if isinstance(X, np.ma.MaskedArray):
        raise DataError("a masked array would lose its mask; say what the masked cells are: X.filled(0) for not rated")


def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return values in float32; a DataError where one that is not 0 would become 0, and so no rating."""
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore", under="ignore"):
        as_float = values.astype(np.float32, copy=False)
    if values.dtype.kind in "fO" and values.dtype.itemsize > 4:
        lost = (as_float == 0) & (values != 0)
        if lost.any():
            raise DataError(
                f"{values[lost][0]:g} is too small for a rating: float32 has no such number; scale the values up"
            )
    return as_float


def _check_type(dtype: np.dtype[Any]) -> None:
    if dtype.kind == "c":
        raise DataError("Complex data not supported: ratings are real numbers; take X.real")
    if dtype.kind not in "biufO":
        raise DataError(
            f"expected a numeric matrix, got one of {'text' if dtype.kind in 'SU' else dtype}; a table with a row per "
            "rating becomes one by Interactions.from_frame(df, user=…, item=…, rating=…)"
        )


def _dense(X: Any) -> NDArray[np.float32]:
    """Return an array-like as a dense float32 matrix."""
    refuse_masked(X)
    try:
        array = np.asarray(X)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"expected a numeric matrix, got {type(X).__name__}: {error}") from None
    _check_dimensions(array.shape)
    holds_text = array.dtype.kind == "O" and any(isinstance(value, str | bytes) for value in array.flat)
    _check_type(np.dtype(str) if holds_text else array.dtype)
    try:
        return as_float32(array)
    except DataError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"expected a numeric matrix, got {type(X).__name__} of objects: {error}") from None


def _csr_of_sparse(X: Any) -> CSR:
    """Return a scipy matrix of any format as CSR with indices that are within its shape; they may repeat."""
    _check_dimensions(X.shape)
    _check_type(X.dtype)
    try:
        if X.format in _COMPRESSED:
            _check_compressed(X)
        elif X.format == "coo":
            _check_coordinates(X)
        elif X.format == "lil" and [len(row) for row in X.rows] != [len(row) for row in X.data]:
            raise DataError("the rows of the LIL matrix have other lengths than its data; build it anew")
        elif X.format == "dia" and X.data.shape[:1] != X.offsets.shape:
            raise DataError(f"{len(X.offsets)} offsets for {len(X.data)} diagonals: they must pair")
        if X.format in ("coo", "bsr") and (X.dtype.kind != "f" or X.dtype.itemsize < 4):
            X = X.astype(np.float64)  # the conversion sums duplicates: in int8 they would wrap
        if X.format in _COMPRESSED and "u" in X.indices.dtype.kind + X.indptr.dtype.kind:  # scipy knows signed ones
            X = type(X)((X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), shape=X.shape)
        csr: CSR = narrow(sp.csr_array(X))
        csr.data = as_float32(csr.data)
    except DataError:
        raise
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise DataError(f"the {X.format.upper()} matrix cannot be read: {error}; build it anew") from None
    if X.format in ("lil", "dok", "dia"):
        _check_compressed(csr)
    return csr


def _check_dimensions(shape: tuple[int, ...]) -> None:
    if len(shape) != 2:
        hint = "; of one user: X.reshape(1, -1)" if len(shape) == 1 else ""
        raise DataError(f"expected a matrix of shape (n_users, n_items), got {len(shape)} dimension(s): {shape}{hint}")


def _check_compressed(X: Any) -> None:
    """Check the arrays of a CSR, CSC or BSR matrix against each other and its shape."""
    rows, columns = X.blocksize if X.format == "bsr" else (1, 1)
    n_rows, n_columns = X.shape[0] // rows, X.shape[1] // columns
    by_column = X.format == "csc"
    n_lines, n_places = (n_columns, n_rows) if by_column else (n_rows, n_columns)
    indptr, indices = X.indptr, X.indices
    for name, array in (("indptr", indptr), ("indices", indices)):
        if array.ndim != 1 or array.dtype.kind not in "iu" or not array.dtype.isnative:
            raise DataError(
                f"{name} must be one-dimensional and of whole numbers in the byte order of this machine, is "
                f"{array.ndim}-D {array.dtype}"
            )
    line = "column" if by_column else "row"
    if len(indptr) != n_lines + 1:
        raise DataError(f"indptr has {len(indptr):,} entries, a matrix of {n_lines:,} {line}s needs {n_lines + 1:,}")
    if len(indices) != len(X.data):
        raise DataError(f"{len(indices):,} indices for {len(X.data):,} values: each value needs one")
    if indptr[0] != 0 or indptr[-1] > len(indices):
        raise DataError(
            f"indptr goes from {indptr[0]:,} to {indptr[-1]:,}, there are {len(indices):,} values: it must begin with "
            "0 and end within them"
        )
    if (indptr[1:] < indptr[:-1]).any():
        at = int(np.argmax(indptr[1:] < indptr[:-1]))
        raise DataError(f"indptr decreases after {line} {at}, from {indptr[at]:,} to {indptr[at + 1]:,}")
    if (wrong := _first_outside(indices[: indptr[-1]], 0, n_places - 1)) is not None:
        here, there = int(np.searchsorted(indptr, wrong, side="right")) - 1, int(indices[wrong])
        row, column = (there, here) if by_column else (here * rows, there * columns)
        raise _outside(row, column, X.shape)


def _check_coordinates(X: Any) -> None:
    """Check the arrays of a COO matrix against each other and its shape."""
    if not X.row.shape == X.col.shape == X.data.shape:
        raise DataError(f"{len(X.row):,} rows, {len(X.col):,} columns, {len(X.data):,} values: they must be as many")
    for places, size in zip((X.row, X.col), X.shape, strict=True):
        if (at := _first_outside(places, 0, size - 1)) is not None:
            raise _outside(int(X.row[at]), int(X.col[at]), X.shape)


def _outside(row: int, column: int, shape: tuple[int, int]) -> DataError:
    return DataError(f"the matrix has an entry at row {row}, column {column}, outside its shape {shape}; {_RAW_IDS}")


def _first_outside(array: NDArray[Any], low: float, high: float) -> int | None:
    """Return where the first value is that is not within [low, high], as NaN is not."""
    for begin, block in blocks(array):
        if not (block.min() >= low and block.max() <= high):
            return begin + int(np.argmin((block >= low) & (block <= high)))
    return None
