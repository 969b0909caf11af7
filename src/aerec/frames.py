"""From a frame with one row per rating to a sparse matrix with the ids of its rows and columns."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.errors import DataError, MissingExtraError
from aerec.files.memmap import is_mapped
from aerec.sparse import CSR, as_float32
from aerec.system.extras import import_extra

__all__ = [
    "FrameRatings",
    "SortedRatings",
    "as_frame_of",
    "check_frame_kind",
    "checked_times",
    "dates_of_seconds",
    "id_codes",
    "iso_dates",
    "ratings_of_frame",
    "read_columns",
    "sort_ratings",
]

_TIMESTAMP = "timestamp"  # the one column that may be absent under its default name
# Before pandas 3, a date and time without an offset takes the one of the text before it.
_OFFSETS_STICK = int(pd.__version__.partition(".")[0]) < 3


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
        Rows left out because their pair of user and item came again later, or because their rating is 0.
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
    """

    ratings: SortedRatings
    users: pd.Index[Any]
    items: pd.Index[Any]
    timestamp_dtype: str | None


def ratings_of_frame(
    df: Any, user: str, item: str, rating: str | None, timestamp: str | None, weight: str | None = None
) -> FrameRatings:
    """Read the columns of `df`; parameters and errors as in `Interactions.from_frame`."""
    wanted = {"user": user, "item": item, "rating": rating, "timestamp": timestamp, "weight": weight}
    frame, names = read_columns(df, [name for name in wanted.values() if name is not None])
    for role, name in wanted.items():
        if name is not None and name not in names and not (role == name == _TIMESTAMP):
            raise DataError(_missing_column(role, name, names, frame))
    roles: dict[Any, str] = {}
    for role, name in wanted.items():
        if name is not None and (other := roles.setdefault(name, role)) != role:
            raise DataError(f"the column {name!r} is read as the {other}, so not as the {role} too")
    rows, users = id_codes(frame[user], user)
    cols, items = id_codes(frame[item], item)
    values = np.ones(len(rows), np.float32) if rating is None else _ratings(frame[rating], rating)
    times, dtype = (None, None) if timestamp not in names else _times(frame[timestamp], str(timestamp))
    weights = None if weight is None else _weights(frame[weight], weight)
    ratings = sort_ratings(rows, cols, values, times, (len(users), len(items)), weights)
    return FrameRatings(ratings, users, items, dtype)


def sort_ratings(
    rows: NDArray[np.integer[Any]],
    cols: NDArray[np.integer[Any]],
    values: NDArray[np.float32],
    times: NDArray[Any] | None,
    shape: tuple[int, int],
    weights: NDArray[np.float32] | None = None,
) -> SortedRatings:
    """Sort ratings by row and column; of a repeated pair the last by time stays, else the last given.

    Two counting sorts, which are stable: to columns, then to rows. Times are compared in repeated pairs only. The
    result is that of ``np.lexsort((times, cols, rows))``.

    Parameters
    ----------
    rows, cols : ndarray of int, shape (n,)
    values : ndarray of float32, shape (n,)
    times : ndarray of shape (n,), or None
    shape : (n_rows, n_columns)
    weights : ndarray of shape (n,), optional
    """
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
    last = np.append(~repeated, True)[:n]
    if n_repeated and times is not None:
        begins = np.append(True, ~repeated)
        pairs = np.flatnonzero(~(last & begins))
        by_time = np.lexsort((times[order[pairs]], np.cumsum(begins)[pairs]))
        order[pairs] = order[pairs[by_time]]
    values = values[order]
    keep = last & (values != 0)
    if not keep.all():
        indptr = np.concatenate(([0], np.cumsum(keep)), dtype=width)[indptr]
        cols, values, order = cols[keep], values[keep], order[keep]
    matrix: CSR = sp.csr_array((values, cols, indptr), shape=shape)
    matrix.has_canonical_format = True
    times, weights = (None if array is None else array[order] for array in (times, weights))
    return SortedRatings(matrix, times, weights, n_repeated, int(np.count_nonzero(last) - len(values)))


_KINDS = ("pandas", "polars", "arrow")


def read_columns(df: Any, wanted: Sequence[str] | None = None) -> tuple[pd.DataFrame, list[Any]]:
    """Return the columns of a frame of any library in pandas, and the names of all its columns.

    Parameters
    ----------
    df : pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.Table, or any Arrow stream
        What is not pandas needs pyarrow. A lazy frame is collected, with no more columns than wanted.
    wanted : sequence of str, optional
        By default all; those that are not there are passed over.

    Raises
    ------
    TypeError
        If `df` is no frame.
    DataError
        If a wanted column stands twice.
    MissingExtraError
        If pyarrow is needed and not installed.
    """
    if isinstance(df, pd.DataFrame):
        names = list(df.columns)
        for name in names if wanted is None else wanted:
            if names.count(name) > 1:
                raise DataError(f"the column {name!r} stands twice in the frame; rename one of them")
        return df, names
    if hasattr(df, "collect_schema") and hasattr(df, "collect"):  # a lazy frame of polars
        names = df.collect_schema().names()
        return read_columns(df.select(_in(names, wanted)).collect(), wanted)[0], names
    if not (hasattr(df, "__arrow_c_stream__") or hasattr(df, "__arrow_c_array__")):
        raise TypeError(
            f"expected a frame of pandas or polars or an Arrow table, got {type(df).__name__}; "
            "pandas.DataFrame(…) makes a frame of lists and arrays, Interactions.from_matrix reads a matrix"
        )
    import_extra("pyarrow", f"reading a {type(df).__module__.partition('.')[0]} frame")
    import pyarrow

    is_polars = type(df).__module__.startswith("polars")
    try:
        table = pyarrow.table(_selected(df, _in(df.columns, wanted)) if is_polars else df)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:  # Int128 of polars
        raise DataError(f"the frame cannot be read by way of Arrow: {error}; cast such a column before") from None
    columns = {name: _of_arrow(table.column(name)) for name in _in(table.column_names, wanted)}
    return pd.DataFrame(columns), list(df.columns) if is_polars else table.column_names


def _selected(df: Any, names: list[str]) -> Any:
    """Return columns of a frame of polars; a DataError where it would hand over objects as addresses in memory."""
    for name in names:
        if str(df.schema[name]).startswith("Object"):
            raise DataError(f"the column {name!r} holds objects of Python, expected numbers or text; convert it before")
    return df.select(names)


def as_frame_of(frame: pd.DataFrame, kind: str) -> Any:
    """Return a frame in the form of another library, without its index.

    Parameters
    ----------
    frame : pandas.DataFrame
    kind : {"pandas", "polars", "arrow"}

    Raises
    ------
    ValueError
        If there is no such form.
    MissingExtraError
        If pyarrow, or polars, is needed and not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec.frames import as_frame_of
    >>> as_frame_of(pd.DataFrame({"user": [1, 2]}), "arrow").column_names
    ['user']
    """
    check_frame_kind(kind)
    if kind == "pandas":
        return frame
    pyarrow = import_extra("pyarrow", f"as_frame={kind!r}")
    table = pyarrow.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    if kind == "arrow":
        return table
    try:
        import polars
    except ImportError:
        raise MissingExtraError("as_frame='polars' needs polars: pip install polars") from None
    return polars.from_arrow(table)


def check_frame_kind(kind: str) -> None:
    """Refuse a form of frames that there is not, before anything takes long."""
    if kind not in _KINDS:
        raise ValueError(f"as_frame is one of {', '.join(map(repr, _KINDS))}, got {kind!r}")


def id_codes(ids: pd.Series[Any], name: str) -> tuple[NDArray[Any], pd.Index[Any]]:
    """Number ids by their sorted order.

    Returns
    -------
    codes : ndarray of int, shape (n,)
    uniques : pandas.Index
        Whole numbers, text or what else `ids` holds, without an extension type of pandas.

    Raises
    ------
    DataError
        If an id is missing, ids are of several types, or they cannot be ids.
    """
    missing = ids.isna()
    if missing.any():
        count = f"{missing.sum():,} such row{'s' if missing.sum() > 1 else ''}"
        raise DataError(
            f"row {_first(missing)}: column {name!r} has no id ({count}; rows count from 0); drop them first"
        )
    return _codes(_plain(ids), name)


def _codes(ids: pd.Series[Any], name: str) -> tuple[NDArray[Any], pd.Index[Any]]:
    if isinstance(ids.dtype, pd.CategoricalDtype):
        codes, uniques = _codes(_plain(pd.Series(ids.cat.categories)), name)
        codes, used = _ranks(codes[ids.cat.codes.to_numpy()], len(uniques))
        return codes, uniques[used]
    ids = _of_one_type(ids, name) if ids.dtype == object else ids
    if isinstance(ids.dtype, np.dtype) and ids.dtype.kind in "iu" and len(ids):
        low, high = int(ids.min()), int(ids.max())
        if high - low < max(4 * len(ids), 1 << 16):  # for a narrow range a table beats a hash table
            values = ids.to_numpy()
            values = values.astype(np.int64, copy=False) if values.dtype.kind == "i" else values  # int8: 127 − (−128)
            codes, used = _ranks((values - low).astype(np.int64, copy=False), high - low + 1)
            return codes, pd.Index((used.astype(values.dtype) + values.dtype.type(low)).astype(ids.dtype))
    try:
        codes, uniques = pd.factorize(ids, sort=True)
    except TypeError:
        kind = type(ids.iloc[0]).__name__
        raise DataError(f"column {name!r} holds values of type {kind}; ids are numbers or text") from None
    if uniques.dtype == object or isinstance(uniques.dtype, pd.StringDtype):
        try:
            index = pd.Index(np.asarray(uniques, dtype=object), tupleize_cols=False)  # pandas' type for any text
            if index.dtype == object and pd.api.types.infer_dtype(index, skipna=False) == "string":  # before pandas 3
                for text in index:
                    text.encode()
            return codes, index
        except UnicodeEncodeError as error:  # half of a pair of surrogates
            raise DataError(f"column {name!r}: the id {error.object!r} is no valid Unicode text; repair it") from None
    return codes, pd.Index(uniques, tupleize_cols=False)


def _ranks(values: NDArray[Any], n: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the rank of each of `values`, which are below `n`, among the different ones, and these."""
    present = np.zeros(n, dtype=bool)
    present[values] = True
    rank = np.cumsum(present, dtype=np.int32 if n < 2**31 else np.int64) - 1
    return rank[values], np.flatnonzero(present)


def _of_one_type(ids: pd.Series[Any], name: str) -> pd.Series[Any]:
    kind = pd.api.types.infer_dtype(ids, skipna=False)
    if kind == "decimal":
        return _of_decimals(ids)
    if kind.startswith("mixed"):
        types = ids.map(type)
        if (other := types != types.iloc[0]).any():
            at = _first(other)
            raise DataError(
                f"column {name!r} holds ids of several types: {ids.iloc[0]!r} is {types.iloc[0].__name__}, "
                f"{ids.iloc[at]!r} in row {at} is {types.iloc[at].__name__}; give them one type, "
                f"such as df[{name!r}] = df[{name!r}].astype(str)"
            )
    return ids if kind == "string" else ids.infer_objects()


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return `column` without an extension type of pandas; one with missing values may keep it."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.ArrowDtype):
        return _of_arrow(column.array.__arrow_array__())
    if isinstance(dtype, pd.SparseDtype):
        return pd.Series(np.asarray(column))
    numpy_dtype = getattr(dtype, "numpy_dtype", None)  # of pandas' own nullable numbers
    if numpy_dtype is not None and not column.isna().any():
        return pd.Series(column.to_numpy(dtype=numpy_dtype))
    return column


def _of_arrow(column: Any) -> pd.Series[Any]:
    """Return an Arrow column in pandas: decimals as numbers, dates as datetimes."""
    import pyarrow

    kind = column.type
    if pyarrow.types.is_decimal(kind):
        try:
            column = column.cast(pyarrow.int64() if kind.scale == 0 else pyarrow.float64())
        except pyarrow.ArrowInvalid:  # more than 64 bits
            column = column.cast(pyarrow.float64())
    elif pyarrow.types.is_date(kind):
        column = column.cast(pyarrow.timestamp("s" if pyarrow.types.is_date32(kind) else "ms"))
    elif pyarrow.types.is_nested(kind):
        return pd.Series(column.to_pylist(), dtype=object)
    elif str(kind) == "string_view":  # not known to older versions of pyarrow by a type of its own
        column = column.cast(pyarrow.large_string())
    series: pd.Series[Any] = column.to_pandas()
    return series


def _of_decimals(column: pd.Series[Any]) -> pd.Series[Any]:
    if all(value.is_finite() and value == value.to_integral_value() for value in column):
        with contextlib.suppress(OverflowError):  # more than 64 bits
            return column.astype("int64")
    return column.astype("float64")


def _ratings(column: pd.Series[Any], name: str) -> NDArray[np.float32]:
    return _numbers(column, name, "rating", "drop them, or pass rating=None if every row counts as 1")


def _weights(column: pd.Series[Any], name: str) -> NDArray[np.float32]:
    weights = _numbers(column, name, "weight", "drop them, or give them a weight")
    if (bad := weights <= 0).any():
        at, count = int(np.argmax(bad)), int(np.count_nonzero(bad))
        raise DataError(
            f"row {at}: weight {weights[at]:g} is not above 0 ({count:,} such row{'s' if count > 1 else ''}, counted "
            "from 0); leave out ratings that are not to count"
        )
    return weights


def _numbers(column: pd.Series[Any], name: str, role: str, cure: str) -> NDArray[np.float32]:
    column = _uncategorised(_plain(column))
    if column.dtype.kind in "mM":
        raise DataError(f"the column {name!r} holds dates or durations, not {role}s; name another one with {role}=…")
    if column.dtype.kind == "c":
        raise DataError(f"the column {name!r} holds complex numbers, not {role}s; take the real part")
    try:
        values = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        bad = pd.to_numeric(column, errors="coerce").isna() & column.notna()
        bad = bad if bad.any() else column.isna()  # NaT among numbers
        raise DataError(f"row {_first(bad)}: {role} {column[bad].iloc[0]!r} is not a number") from None
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


def _times(column: pd.Series[Any], name: str) -> tuple[NDArray[Any], str | None]:
    """Return times as numbers, and the type of the dates where they were dates."""
    missing = column.isna()
    if missing.any():
        count = f"{missing.sum():,} such row{'s' if missing.sum() > 1 else ''}"
        raise DataError(
            f"row {_first(missing)}: the timestamp is missing ({count}; rows count from 0); "
            "drop them, or pass timestamp=None to do without times"
        )
    column = _uncategorised(_plain(column))
    if pd.api.types.is_datetime64_any_dtype(column):
        return _seconds(column), str(column.dtype)
    for kind, is_of_kind in (
        ("durations", column.dtype.kind == "m"),
        ("periods", isinstance(column.dtype, pd.PeriodDtype)),
        ("truth values", pd.api.types.is_bool_dtype(column.dtype)),
        ("complex numbers", column.dtype.kind == "c"),
    ):
        if is_of_kind:
            raise DataError(f"the column {name!r} holds {kind}, not times; name another one with timestamp=…")
    try:
        numbers = pd.to_numeric(column).to_numpy()
    except (TypeError, ValueError):
        return _seconds_of_dates(column)
    return checked_times(numbers), None


def _seconds_of_dates(column: pd.Series[Any]) -> tuple[NDArray[Any], str]:
    dates = iso_dates(column.where(~column.map(lambda value: isinstance(value, int | float))))
    if not dates.isna().any():
        return _seconds(dates), str(dates.dtype)
    numeric = pd.to_numeric(column, errors="coerce").notna()
    if (bad := dates.isna() & ~numeric).any():
        raise DataError(
            f"row {_first(bad)}: timestamp {column[bad].iloc[0]!r} is neither a number nor a date in ISO 8601; convert "
            "the column, as in pd.to_datetime(column, format='%d.%m.%Y'), or pass timestamp=None to do without times"
        )
    at = _first(numeric if numeric.sum() <= len(column) / 2 else ~numeric)
    raise DataError(
        f"row {at}: timestamp {column.iloc[at]!r} is a {'number' if numeric.iloc[at] else 'date'}, others are not: "
        "give all of them as one"
    )


def iso_dates(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return ISO 8601 text, or dates in Python, as datetimes of UTC; NaT where there is something else."""

    def parse(texts: pd.Series[Any]) -> pd.Series[Any]:
        return pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)

    dates = parse(column)
    if _OFFSETS_STICK and (with_offset := column.astype(str).str.contains(r"[0-9][T ].*[+-]")).any():
        dates = dates.where(with_offset, parse(column.mask(with_offset)))
    return dates.mask(column.isin(["now", "today"]))  # which pandas takes for the moment of reading


def checked_times(times: NDArray[Any]) -> NDArray[Any]:
    """Return times; a DataError where they are no numbers, or one is not finite. Mapped ones are not read."""
    if times.dtype.kind not in "iuf":
        raise DataError(f"timestamps are numbers, such as seconds, got {times.dtype}")
    if times.dtype.kind == "f" and not is_mapped(times) and not (finite := np.isfinite(times)).all():
        at = int(np.argmin(finite))
        raise DataError(f"row {at}: timestamp {times[at]} is not a finite number; drop such rows, or do without times")
    return times


def _uncategorised(column: pd.Series[Any]) -> pd.Series[Any]:
    dtype: Any = column.dtype
    return pd.Series(column.array, dtype=dtype.categories.dtype) if isinstance(dtype, pd.CategoricalDtype) else column


def _seconds(dates: pd.Series[Any]) -> NDArray[Any]:
    """Seconds since 1970: whole numbers where all are whole, else with their fractions."""
    stamps = pd.DatetimeIndex(dates)
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[stamps.unit]
    whole, rest = np.divmod(stamps.asi8, per_second)
    return whole + rest / per_second if rest.any() else whole


def dates_of_seconds(seconds: NDArray[Any], dtype: str) -> pd.Series[Any]:
    """Return what `_seconds` was given, to the microsecond."""
    microseconds = np.round(seconds * 1e6).astype(np.int64) if seconds.dtype.kind == "f" else seconds * 10**6
    dates: Any = pd.Series(microseconds.astype("datetime64[us]"))
    if "," in dtype:
        dates = dates.dt.tz_localize("UTC")
    result: pd.Series[Any] = dates.astype(dtype)
    return result


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


def _in(names: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    return [name for name in names if wanted is None or name in wanted]


def _first(mask: pd.Series[Any]) -> int:
    return int(np.argmax(mask.to_numpy(dtype=bool)))
