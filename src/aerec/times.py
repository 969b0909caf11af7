"""Times of ratings: a column of numbers, dates or ISO 8601 text as seconds since 1970, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.files.memmap import is_mapped
from aerec.tables import first_row, plain, without_categories

__all__ = ["checked_times", "dates_of_seconds", "iso_dates", "times_of_column"]

# Before pandas 3, a date and time without an offset takes the one of the text before it.
_OFFSETS_STICK = int(pd.__version__.partition(".")[0]) < 3


def times_of_column(column: pd.Series[Any], name: str) -> tuple[NDArray[Any], str | None]:
    """Return times as numbers, and the type of the dates where they were dates."""
    missing = column.isna()
    if missing.any():
        count = f"{missing.sum():,} such row{'s' if missing.sum() > 1 else ''}"
        raise DataError(
            f"row {first_row(missing)}: the timestamp is missing ({count}; rows count from 0); "
            "drop them, or pass timestamp=None to do without times"
        )
    column = without_categories(plain(column))
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


def dates_of_seconds(seconds: NDArray[Any], dtype: str) -> pd.Series[Any]:
    """Return what `_seconds` was given, to the microsecond."""
    microseconds = np.round(seconds * 1e6).astype(np.int64) if seconds.dtype.kind == "f" else seconds * 10**6
    dates: Any = pd.Series(microseconds.astype("datetime64[us]"))
    if "," in dtype:
        dates = dates.dt.tz_localize("UTC")
    result: pd.Series[Any] = dates.astype(dtype)
    return result


def _seconds_of_dates(column: pd.Series[Any]) -> tuple[NDArray[Any], str]:
    dates = iso_dates(column.where(~column.map(lambda value: isinstance(value, int | float))))
    if not dates.isna().any():
        return _seconds(dates), str(dates.dtype)
    numeric = pd.to_numeric(column, errors="coerce").notna()
    if (bad := dates.isna() & ~numeric).any():
        raise DataError(
            f"row {first_row(bad)}: timestamp {column[bad].iloc[0]!r} is neither a number nor a date in ISO 8601; "
            "convert the column, as in pd.to_datetime(column, format='%d.%m.%Y'), "
            "or pass timestamp=None to do without times"
        )
    at = first_row(numeric if numeric.sum() <= len(column) / 2 else ~numeric)
    raise DataError(
        f"row {at}: timestamp {column.iloc[at]!r} is a {'number' if numeric.iloc[at] else 'date'}, others are not: "
        "give all of them as one"
    )


def _seconds(dates: pd.Series[Any]) -> NDArray[Any]:
    """Seconds since 1970: whole numbers where all are whole, else with their fractions."""
    stamps = pd.DatetimeIndex(dates)
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[stamps.unit]
    whole, rest = np.divmod(stamps.asi8, per_second)
    return whole + rest / per_second if rest.any() else whole
