"""From a frame with one row per rating to a sparse matrix with the ids of its rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.canonical import as_float32
from aerec.errors import DataError, plural, warn_caller
from aerec.id_codes import id_codes
from aerec.sparse import CSR
from aerec.tables import first_row, plain, read_columns, truth_values, without_categories
from aerec.times import times_of_column, warn_of_unread_times

Duplicates = Literal["last", "first", "sum"]  # what becomes of a pair of user and item that occurs more than once

_TIMESTAMP = "timestamp"  # the one column that may be absent under its default name


@dataclass(frozen=True)
class SortedRatings:
    """Ratings as a matrix.

    Attributes
    ----------
    matrix : csr_array of shape (n_users, n_items), float32
        Canonical.
    timestamps : ndarray of shape (n_ratings,), or None
        Aligned with ``matrix.data``.
    weights : ndarray of shape (n_ratings,), or None
        Likewise.
    n_repeated, n_zeros : int
        Rows left out because another one of their pair of user and item stays (or added up with it), or because their
        rating is 0.
    """

    matrix: CSR
    timestamps: NDArray[Any] | None
    weights: NDArray[np.float32] | None
    n_repeated: int
    n_zeros: int


@dataclass(frozen=True)
class FrameRatings:
    """What a frame says.

    Attributes
    ----------
    ratings : SortedRatings
    users, items : pandas.Index
        In sorted order.
    timestamp_dtype : str or None
        The type of the dates that became `timestamps`; None where they were numbers.
    notes : tuple of str
        That ratings were added up, or later ones left out.
    """

    ratings: SortedRatings
    users: pd.Index[Any]
    items: pd.Index[Any]
    timestamp_dtype: str | None
    notes: tuple[str, ...]


def ratings_of_frame(
    df: Any,
    user: str,
    item: str,
    rating: str | None,
    timestamp: str | None,
    weight: str | None = None,
    duplicates: Duplicates = "last",
) -> FrameRatings:
    """Read the columns of `df`; parameters, warnings and errors as in `Interactions.from_frame`."""
    wanted = {"user": user, "item": item, "rating": rating, "timestamp": timestamp, "weight": weight}
    frame, names = read_columns(df, [name for name in wanted.values() if name is not None])
    for role, name in wanted.items():
        if name is not None and name not in names and not (role == name == _TIMESTAMP):
            raise DataError(_missing_column(role, name, names, frame))
    roles: dict[Any, str] = {}
    for role, name in wanted.items():
        if name is not None and (other := roles.setdefault(name, role)) != role:
            raise DataError(f"the column {name!r} is read as the {other}, so not as the {role} too")
    if timestamp == _TIMESTAMP and timestamp not in names:
        warn_of_unread_times(names, [user, item, rating, weight], "the")
    rows, users = id_codes(frame[user], user)
    cols, items = id_codes(frame[item], item)
    values = np.ones(len(rows), np.float32) if rating is None else _ratings(frame[rating], rating)
    times, dtype = (None, None) if timestamp not in names else times_of_column(frame[timestamp], str(timestamp))
    weights = None if weight is None else _weights(frame[weight], weight)
    ratings = sort_ratings(rows, cols, values, times, (len(users), len(items)), weights, duplicates)
    notes = (note_of_repeated(ratings.n_repeated, duplicates),) if ratings.n_repeated else ()
    if notes and duplicates == "last":
        warn_caller(advice_on_repeated(notes[0], rated=rating is not None, timed=times is not None))
        notes = ()
    warn_of_zeros(ratings.n_zeros, duplicates)
    return FrameRatings(ratings, users, items, dtype, notes)


def warn_of_zeros(n_zeros: int, duplicates: Duplicates) -> None:
    """Say that ratings of 0 are left out."""
    ratings = plural(n_zeros, "rating")
    if n_zeros and duplicates == "sum":
        warn_caller(f"{ratings} of 0 dropped, such as sums of what was bought and returned")
    elif n_zeros:
        warn_caller(
            f"{ratings} of 0 dropped: a sparse matrix reads 0 as 'not rated'; "
            "where 0 is a rating, shift the scale (rating + 1) to keep them"
        )


def note_of_repeated(n_repeated: int, duplicates: Duplicates) -> str:
    """Say what became of ratings of a user and item that have another one."""
    if duplicates == "sum":
        return f"{plural(n_repeated, 'row')} added to another one of the same user and item"
    became = "left out after an earlier one" if duplicates == "first" else "replaced by a later one"
    return f"{plural(n_repeated, 'rating')} {became} of the same user and item"


def advice_on_repeated(note: str, *, rated: bool, timed: bool) -> str:
    """Return the note that later ratings counted, with what else can be done."""
    sums = ['duplicates="sum" adds them up'] if rated else []
    first = ['duplicates="first" keeps the first, which a split by time needs'] if timed else []
    return "; ".join([note, *sums, *first])


def check_duplicates(duplicates: str) -> None:
    """Raise a ValueError if `duplicates` is none of "last", "first" and "sum"."""
    if duplicates not in get_args(Duplicates):
        raise ValueError(f'duplicates={duplicates!r} is not known; expected "last", "first" or "sum"')


def sort_ratings(
    rows: NDArray[np.integer[Any]],
    cols: NDArray[np.integer[Any]],
    values: NDArray[np.float32],
    times: NDArray[Any] | None,
    shape: tuple[int, int],
    weights: NDArray[np.float32] | None = None,
    duplicates: Duplicates = "last",
) -> SortedRatings:
    """Sort ratings by row and column; of a repeated pair the last by time stays, else the last given.

    With ``duplicates="first"`` the first stays, with ``"sum"`` the last with the sum of all values of the pair.

    Two counting sorts, which are stable: to columns, then to rows. Times are compared in repeated pairs only. The
    result is that of ``np.lexsort((times, cols, rows))``.

    Parameters
    ----------
    rows, cols : ndarray of int, shape (n,)
    values : ndarray of float32, shape (n,)
    times : ndarray of shape (n,), or None
    shape : (n_rows, n_columns)
    weights : ndarray of shape (n,), optional
    duplicates : "last", "first" or "sum", default "last"
    """
    check_duplicates(duplicates)
    n = len(values)
    width: Any = np.int32 if max(n, *shape) < 2**31 else np.int64
    indices = (rows.astype(width, copy=False), cols.astype(width, copy=False))
    unsorted: Any = sp.coo_array((np.arange(n, dtype=width), indices), shape=shape)
    unsorted.has_canonical_format = True  # or scipy would add up the positions of repeated pairs
    by_row = unsorted.tocsc().tocsr()
    order = by_row.data
    cols, indptr = by_row.indices.astype(width, copy=False), by_row.indptr.astype(width, copy=False)
    repeated = cols[1:] == cols[:-1]  # whether the next rating is of the same pair
    ends = indptr[1:-1]
    repeated[ends[(ends > 0) & (ends < n)] - 1] = False
    n_repeated = int(np.count_nonzero(repeated))
    begins, last = np.append(True, ~repeated)[:n], np.append(~repeated, True)[:n]
    if n_repeated and times is not None:
        pairs = np.flatnonzero(~(last & begins))
        by_time = np.lexsort((times[order[pairs]], np.cumsum(begins)[pairs]))
        order[pairs] = order[pairs[by_time]]
    values = values[order]
    if n_repeated and duplicates == "sum":
        sums = np.add.reduceat(values, np.flatnonzero(begins), dtype=np.float64)
        if (largest := np.abs(sums).max()) > np.finfo(np.float32).max:
            raise DataError(f"the ratings of a repeated pair add up to {largest:g}, more than float32 holds")
        values[last] = sums
    kept = begins if duplicates == "first" else last
    keep = kept & (values != 0)
    if not keep.all():
        indptr = np.concatenate(([0], np.cumsum(keep)), dtype=width)[indptr]
        cols, values, order = cols[keep], values[keep], order[keep]
    matrix: CSR = sp.csr_array((values, cols, indptr), shape=shape)
    matrix.has_canonical_format = True
    times, weights = (None if array is None else array[order] for array in (times, weights))
    return SortedRatings(matrix, times, weights, n_repeated, int(np.count_nonzero(kept) - len(values)))


def _ratings(column: pd.Series[Any], name: str) -> NDArray[np.float32]:
    return _numbers(column, name, "rating", "drop them, or pass rating=None if every row counts as 1")


def _weights(column: pd.Series[Any], name: str) -> NDArray[np.float32]:
    weights = _numbers(column, name, "weight", "drop them, or give them a weight")
    if (bad := weights <= 0).any():
        at, count = int(np.argmax(bad)), int(np.count_nonzero(bad))
        raise DataError(
            f"row {at}: weight {weights[at]:g} is not above 0 ({count:,} such row{'s' if count > 1 else ''}; rows "
            "count from 0); leave out ratings that are not to count"
        )
    return weights


def _numbers(column: pd.Series[Any], name: str, role: str, cure: str) -> NDArray[np.float32]:
    column = without_categories(plain(column))
    if column.dtype.kind in "mM":
        raise DataError(f"the column {name!r} holds dates or durations, not {role}s; name another one with {role}=…")
    is_complex = column.dtype.kind == "c" or (column.dtype == object and column.map(np.iscomplexobj).any())
    if is_complex:
        raise DataError(f"the column {name!r} holds complex numbers, not {role}s; take the real part")
    if role == "rating" and column.dtype.kind not in "biuf" and (answers := truth_values(column)).notna().all():
        column = answers
    try:
        values = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        bad = pd.to_numeric(column, errors="coerce").isna() & column.notna()
        bad = bad if bad.any() else column.isna()  # NaT among numbers
        raise DataError(f"row {first_row(bad)}: {role} {column[bad].iloc[0]!r} is not a number") from None
    values32 = as_float32(values)
    finite = np.isfinite(values32)
    if not finite.all():
        at = int(np.argmin(finite))
        count = len(finite) - int(np.count_nonzero(finite))
        wrong = "is too large for a rating" if np.isfinite(values[at]) else "is not a finite number"
        raise DataError(
            f"row {at}: {role} {values[at]} {wrong} ({count:,} such row{'s' if count > 1 else ''}; "
            f"rows count from 0); {cure}"
        )
    return values32


def _missing_column(role: str, name: Any, names: list[Any], frame: pd.DataFrame) -> str:
    hint = ""
    shown = ", ".join(map(repr, names[:12])) + (", …" if len(names) > 12 else "")
    if frame.columns.name is not None and frame.index.name is not None:  # df.pivot and df.pivot_table name both
        hint = "; a table of users and items is a matrix: Interactions.from_matrix(df.fillna(0), df.index, df.columns)"
    elif name in frame.index.names:
        hint = "; it is the index: df.reset_index() makes it a column"
    elif role == "rating":
        hint = "; pass rating=None for implicit feedback, or name the column with rating=…"
    elif role == name:
        hint = f"; name the column with {role}=…"
    return f"no column {name!r} in the frame; its columns are [{shown}]{hint}"
