"""Times of ratings: a column of numbers, dates or ISO 8601 text as seconds since 1970, and the way back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.errors import DataError, warn_caller
from aerec.files.memmap import is_mapped
from aerec.tables import first_row, plain, without_categories

TIME_UNITS = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
"""Units of times that are no seconds, per second."""
DATE_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""How dates are written as whole numbers of so many digits, such as 20200131."""
_TIME_WORDS = ("at", "time", "date", "datetime", "timestamp", "ts")
_OTHER_TIMES = {  # the words before one of those where it says how long something took, or when a user or item began
    *("play", "playing", "run", "running", "watch", "watching", "listen", "listening", "read", "reading", "dwell"),
    *("cook", "cooking", "prep", "total", "spent", "avg", "average", "mean", "birth", "signup", "join", "joined"),
    *("registration", "release", "released", "publish", "published", "publication"),
}
_YEARS = (1900, 2100)
_DAYS = (10_000, 80_000)  # since 1970 or 1900: the years 1997 to 2119

# Before pandas 3, a date and time without an offset takes the one of the text before it.
_OFFSETS_STICK = int(pd.__version__.partition(".")[0]) < 3


def warn_of_unread_times(names: Iterable[Any], read: Collection[Any], which: str) -> None:
    """Name the first column that is called as times are, such as ``clicked_at``, and is not `read`."""
    words = {name: re.sub(r"(?<=[a-z])(?=[A-Z])|[_.-]", " ", str(name)).lower().split() for name in names}
    unread = (
        name
        for name, of_name in words.items()
        if of_name and of_name[-1] in _TIME_WORDS and _OTHER_TIMES.isdisjoint(of_name[:-1]) and name not in read
    )
    if (name := next(unread, None)) is not None:
        warn_caller(
            f"{which} column {name!r} may hold the times and is not read; timestamp={name!r} reads it, timestamp=None "
            "does without times"
        )


def times_of_column(column: pd.Series[Any], name: str) -> tuple[NDArray[Any], str | None]:
    """Return times as numbers, and the type of the dates where they were dates.

    Numbers are kept, but for dates written as such (20200131), which are read as dates, with a warning. So that
    nothing is misread in silence, there is one too where they look like years or days, or another unit than seconds.
    """
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
    numbers = checked_times(numbers)
    if (form := format_of_dates(numbers)) is not None:
        first = int(numbers[0])
        date: Any = pd.to_datetime(str(first), format=form)
        warn_caller(f"the column {name!r} holds dates written as numbers: {first} is read as {date}")
        dates = pd.Series(pd.to_datetime(pd.Series(numbers.astype(np.int64)).astype(str), format=form, utc=True))
        return _seconds(dates), str(dates.dtype)
    if len(numbers):
        low, high = float(numbers.min()), float(numbers.max())
        warn_of_coarse_times(low, high, f"the column {name!r}")
        for unit, per_second in TIME_UNITS.items():
            lowest, highest = range_of_unit(per_second)
            if lowest <= low <= high <= highest:
                warn_caller(
                    f"the column {name!r} holds times that look like {unit} since 1970; whatever counts days takes "
                    f"numbers for seconds: divide by {per_second:,}, or give dates"
                )
    return numbers, None


def format_of_dates(numbers: NDArray[Any]) -> str | None:
    """Return the format of dates that are written as whole numbers, such as 20200131; None where they are others.

    Examples
    --------
    >>> import numpy as np
    >>> from aerec.times import format_of_dates
    >>> format_of_dates(np.array([20200131, 20191231])), format_of_dates(np.array([20200131, 20200132]))
    ('%Y%m%d', None)
    """
    low, high = (numbers.min(), numbers.max()) if len(numbers) else (0, 0)
    for digits, form in DATE_FORMATS.items():
        if _YEARS[0] * 10 ** (digits - 4) <= low <= high < (_YEARS[1] + 1) * 10 ** (digits - 4):
            if numbers.dtype.kind == "f" and (numbers != np.floor(numbers)).any():
                return None
            different = pd.Series(pd.unique(numbers.astype(np.int64))).astype(str)
            return None if pd.to_datetime(different, format=form, errors="coerce").isna().any() else form
    return None


def range_of_unit(per_second: int) -> tuple[int, int]:
    """Return the lowest and the highest number that is of this unit, if of any: the years 1973 to 2100."""
    return 10**8 * per_second, 41 * 10**8 * per_second


def values_in_unit(values: NDArray[Any], per_second: int) -> NDArray[np.bool_]:
    """Return which numbers can be times of this unit; seconds may also be any others."""
    low, high = range_of_unit(per_second)
    return (values >= low) & (values <= high)


def warn_of_coarse_times(low: float, high: float, what: str) -> None:
    """Warn of numbers from `low` to `high` that are years or days, if any times: they are seconds here."""
    for unit, (first, last), cure in (
        ("years", _YEARS, "format='%Y')"),
        ("days", _DAYS, "unit='D', origin='1899-12-30'), the origin of spreadsheets"),
    ):
        if first <= low <= high <= last:
            warn_caller(
                f"{what} holds numbers from {low:g} to {high:g}, which look like {unit} and are taken for seconds "
                f"since 1970; whatever counts days needs dates, such as pd.to_datetime(column, {cure}"
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
        zones = {str(getattr(value, "tzinfo", None)): getattr(value, "tzinfo", None) for value in column}
        if len(zones) == 1 and (zone := next(iter(zones.values()))) is not None:
            there = dates.dt.tz_convert(zone)
            with contextlib.suppress(TypeError):  # a zone without a name that pandas reads stays UTC
                dates = there if pd.api.types.pandas_dtype(str(there.dtype)) == there.dtype else dates
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


def joined_times(
    parts: Sequence[NDArray[Any] | None], dtypes: Collection[str | None]
) -> tuple[NDArray[Any] | None, str | None]:
    """Return the times of several parts one after the other, and what type of dates they were.

    Parameters
    ----------
    parts : sequence of ndarray or None
        Numbers. Where a part has none, the result is None, with a warning if another one has some.
    dtypes : set of str or None
        The types that the times of the parts had; None among them stands for numbers.
    """
    times = [part for part in parts if part is not None]
    if len(times) < len(parts):
        if times:
            warn_caller(
                f"times left out: {len(parts) - len(times)} of {len(parts)} parts have none; give all of them times, "
                "or leave them out yourself with dataclasses.replace(part, timestamps=None)"
            )
        return None, None
    if len(dtypes) < 2:
        return np.concatenate(times), next(iter(dtypes), None)
    if None in dtypes:
        warn_caller("times are dates in some parts and numbers in others: the numbers are read as seconds since 1970")
    return np.concatenate(times), "datetime64[us, UTC]"
