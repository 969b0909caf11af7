"""From a frame with one row per rating to a sparse matrix with the ids of its rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.sparse import CSR

__all__ = ["FrameRatings", "ratings_of_frame"]


@dataclass(frozen=True)
class FrameRatings:
    """What a frame says.

    Attributes
    ----------
    matrix : csr_array of shape (n_users, n_items), float32
        Canonical.
    users, items : pandas.Index
        In sorted order.
    timestamps : ndarray of shape (n_ratings,), or None
        Aligned with ``matrix.data``.
    n_repeated, n_zeros : int
        Rows left out because their pair of user and item came again later, or because their rating is 0.
    """

    matrix: CSR
    users: pd.Index[Any]
    items: pd.Index[Any]
    timestamps: NDArray[Any] | None
    n_repeated: int
    n_zeros: int


def ratings_of_frame(df: pd.DataFrame, user: str, item: str, rating: str | None, timestamp: str | None) -> FrameRatings:
    """Read the columns of `df`; parameters and errors as in `Interactions.from_frame`."""
    columns = [user, item] + ([] if rating is None else [rating])
    missing = [name for name in columns if name not in df.columns]
    if missing:
        hint = "; pass rating=None for implicit feedback" if missing == [rating] else ""
        raise DataError(f"no column {missing[0]!r} in the frame; its columns are {list(df.columns)}{hint}")
    for name in (user, item):
        if df[name].isna().any():
            raise DataError(f"row {_first(df[name].isna())}: column {name!r} has no id")
    values = np.ones(len(df), np.float32) if rating is None else _ratings(df[rating])
    times = _times(df[timestamp]) if timestamp is not None and timestamp in df.columns else None
    rows, users = _codes(df[user])
    cols, items = _codes(df[item])
    # last by time, else by row: after a stable sort by (user, item, time) it is the last of its group
    order = np.lexsort((cols, rows) if times is None else (times, cols, rows))
    rows, cols, values = rows[order], cols[order], values[order]
    last = np.ones(len(rows), dtype=bool)
    last[:-1] = (rows[1:] != rows[:-1]) | (cols[1:] != cols[:-1])
    keep = last & (values != 0)
    indptr = np.zeros(len(users) + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows[keep], minlength=len(users)), out=indptr[1:])
    matrix: CSR = sp.csr_array((values[keep], cols[keep], indptr), shape=(len(users), len(items)))
    matrix.has_canonical_format = True
    return FrameRatings(
        matrix,
        users,
        items,
        None if times is None else times[order][keep],
        n_repeated=int(np.count_nonzero(~last)),
        n_zeros=int(np.count_nonzero(last & (values == 0))),
    )


def _codes(ids: pd.Series[Any]) -> tuple[NDArray[np.int64], pd.Index[Any]]:
    if isinstance(ids.dtype, pd.CategoricalDtype):
        ids = ids.astype(ids.dtype.categories.dtype)
    try:
        codes, uniques = pd.factorize(ids, sort=True)
    except TypeError:  # ids of mixed types have no order: they keep that of their appearance
        codes, uniques = pd.factorize(ids)
    return codes.astype(np.int64), pd.Index(uniques, tupleize_cols=False)


def _ratings(column: pd.Series[Any]) -> NDArray[np.float32]:
    if column.dtype.kind in "mM":
        raise DataError(
            f"the column {column.name!r} holds dates or durations, not ratings; name another one with rating=…"
        )
    try:
        values = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        bad = pd.to_numeric(column, errors="coerce").isna() & column.notna()
        raise DataError(f"row {_first(bad)}: rating {column[bad].iloc[0]!r} is not a number") from None
    with np.errstate(over="ignore"):
        values32 = values.astype(np.float32)
    finite = np.isfinite(values32)
    if not finite.all():
        at = int(np.argmin(finite))
        raise DataError(f"row {at}: rating {values[at]} is not a finite number (rows counted from 0)")
    return values32


def _times(column: pd.Series[Any]) -> NDArray[Any]:
    if column.isna().any():
        raise DataError(f"row {_first(column.isna())}: the timestamp is missing; pass timestamp=None to do without")
    if pd.api.types.is_datetime64_any_dtype(column):
        return _seconds(column)
    try:
        return pd.to_numeric(column).to_numpy()
    except (TypeError, ValueError):
        dates = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=True)
        if not dates.isna().any():
            return _seconds(dates)
        bad = dates.isna() & pd.to_numeric(column, errors="coerce").isna()
        raise DataError(f"row {_first(bad)}: timestamp {column[bad].iloc[0]!r} is neither number nor date") from None


def _seconds(dates: pd.Series[Any]) -> NDArray[Any]:
    """Seconds since 1970: whole numbers where all are whole, else with their fractions."""
    stamps = pd.DatetimeIndex(dates)
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[stamps.unit]
    whole, rest = np.divmod(stamps.asi8, per_second)
    return whole + rest / per_second if rest.any() else whole


def _first(mask: pd.Series[Any]) -> int:
    return int(np.argmax(mask.to_numpy()))
