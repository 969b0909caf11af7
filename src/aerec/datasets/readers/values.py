"""The types that ids and times have behind the readers, whatever file they come from."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from aerec.errors import DataError, warn_caller
from aerec.ids import exact_limit
from aerec.numerals import NUMBER
from aerec.tables import truth_values
from aerec.times import TIME_UNITS, format_of_dates, iso_dates, values_in_unit

Refuse = Callable[[NDArray[np.bool_], str], NoReturn]
"""Raises a DataError for the first row of a mask; the text says what is wrong, ``{value}`` stands for the value."""

WHOLE = r"0|-?[1-9][0-9]{0,18}"
"""A whole number as an id; without leading zeros: "007" and "7" are two ids."""

_MISSING = ("NA", "N/A", "NULL", "null", "None", "NaN", "nan", "<NA>", "\\N")
"""What R, SQL, Python and pandas write for a missing value; among whole numbers it is no id."""
_EXACT_DIGITS = 16  # digits of a decimal number that a float holds exactly
_FEW = 0.01  # Up to this share, ids that are no numbers are taken for mistakes
_POINTS = "{}: the ids are whole numbers with a decimal point; 1.0 is read as 1"
_SHOWN = 60  # characters of a value in a message


def plain_ids(ids: pd.Series[Any], what: str, refuse: Refuse) -> pd.Series[Any]:
    """Return whole numbers as int64 where they fit, and everything else as it is.

    Parameters
    ----------
    ids : Series
        Numbers or text.
    what : str
        File and column, for warnings.
    refuse : callable
        Raises for ids that are missing.
    """
    missing = ids.isna().to_numpy(bool) if ids.dtype.kind in "iufb" else (ids.isna() | (ids == "")).to_numpy(bool)
    if missing.any():
        n_missing = int(np.count_nonzero(missing))
        cure = (
            f" ({n_missing:,} in all); complete or delete these lines"
            if n_missing > 1
            else "; complete or delete the line"
        )
        refuse(missing, f"the id is missing{cure}")
    if ids.dtype.kind == "f":
        values = ids.to_numpy(np.float64)
        if (odd := ~np.isfinite(values)).any():
            refuse(odd, "{value!r} is no id; correct or delete the line")
        if (large := np.abs(values) >= exact_limit(ids.to_numpy()[:0].dtype)).any():
            refuse(large, "the id {value!r} is a float that stands for several whole numbers; write ids as text")
        if (values == np.floor(values)).all():
            warn_caller(_POINTS.format(what))
            return ids.astype("int64")
    if ids.dtype.kind in "iu" and (ids.dtype.kind == "i" or int(ids.max()) < 2**63):
        return ids.astype("int64")
    return ids


def plain_times(times: pd.Series[Any], what: str, refuse: Refuse) -> pd.Series[Any]:
    """Return times that are numbers in seconds; those that can only be milli-, micro- or nanoseconds are divided.

    Parameters
    ----------
    times, what, refuse
        As in `plain_ids`.

    Raises
    ------
    DataError
        By `refuse`: if a number is not finite, or units are mixed. Dates written as numbers stay, see
        `times_of_column`.
    """
    if times.dtype.kind not in "iuf":
        return times
    values = times.to_numpy()
    if (odd := ~np.isfinite(values)).any():
        refuse(odd, "the timestamp {value!r} is not a finite number; correct it, or pass timestamp=None")
    if format_of_dates(values) is not None:
        return times
    for unit, per_second in TIME_UNITS.items():
        in_unit = values_in_unit(values, per_second)
        if in_unit.all():
            warn_caller(f"{what}: the times are {unit} since 1970 and were divided by {per_second:,}")
            whole = times.dtype.kind != "f" and not (values % per_second).any()
            return times // per_second if whole else times / per_second
        seconds = values_in_unit(values, 1)
        if in_unit.any() and seconds.any() and (in_unit | seconds).all():
            few = in_unit if in_unit.sum() <= seconds.sum() else seconds
            refuse(few, f"the timestamp {{value}} is of another unit than others: seconds and {unit} are mixed")
        if 2 * np.count_nonzero(in_unit) > len(values):
            refuse(
                ~in_unit, f"the timestamp {{value}} can be no {unit} since 1970, as most are; correct or leave it out"
            )
    return times


def distinct_ids(ids: pd.Series[Any]) -> pd.Series[Any]:
    """Return ids that are text as categories without blanks around them, so that what follows looks at each once."""
    if is_numeric_dtype(ids):
        return ids
    codes, distinct = pd.factorize(ids)
    stripped_codes, stripped = pd.factorize(pd.Series(distinct).str.strip())
    return pd.Series(pd.Categorical.from_codes(stripped_codes[codes], stripped))


def text_ids(ids: pd.Series[Any], what: str, refuse: Refuse) -> pd.Series[Any]:
    """Return ids that are still text as numbers, where all of them are whole ones of 64 bits.

    Parameters
    ----------
    ids : Series
        Numbers, or categories of text as of `distinct_ids`.
    what, refuse
        As in `plain_ids`.
    """
    if is_numeric_dtype(ids):
        return ids
    codes, distinct = ids.cat.codes.to_numpy(), pd.Series(ids.cat.categories)
    whole = distinct.str.fullmatch(WHOLE).astype(bool)
    pointed = rf"(?:{WHOLE})\.0+"  # as pandas writes whole numbers where ids were missing
    if has_points := bool(distinct[~whole][:1000].str.fullmatch(pointed).any()):
        whole |= distinct.str.fullmatch(pointed).astype(bool)
    if whole.all():
        plain = distinct.str.replace(r"\.0+$", "", regex=True) if has_points else distinct
        with contextlib.suppress(ValueError, OverflowError):
            numbers = plain.astype("int64").to_numpy()
            if has_points:
                warn_caller(_POINTS.format(what))
            return pd.Series(numbers[codes])
        large = plain[plain.str.len() > _EXACT_DIGITS + 2]  # of 19 characters and more
        first = next((value for value in large if not -(2**63) <= int(value) < 2**63), plain.iloc[0])
        warn_caller(f"{what}: all ids are read as text, since {first!r} is beyond 64 bits")
        return ids
    if (rounded := distinct.str.fullmatch(r"[0-9]\.[0-9]+[Ee]\+[0-9]+").to_numpy(bool)).any():
        advice = "stands for several, as a spreadsheet rounds them; export it as text"
        refuse(rounded[codes], f"the id {{value!r}} {advice}")
    missing = distinct.isin(_MISSING).to_numpy(bool)
    if whole.any() and missing.any() and (whole | missing).all():
        n_missing = int(np.count_nonzero(missing[codes]))
        count, lines = (f" ({n_missing:,} such lines)", "them") if n_missing > 1 else ("", "the line")
        refuse(missing[codes], f"{{value!r}} stands where an id is missing{count}; complete or delete {lines}")
    odd = distinct[~whole]
    numeric = odd[:1000].str.replace("_", "").str.isnumeric() & ~odd[:1000].str.fullmatch("[0-9]+")
    n_odd = len(ids) - int(np.count_nonzero(whole.to_numpy()[codes]))
    if numeric.any() or n_odd <= _FEW * len(ids):
        first = odd[:1000][numeric].iloc[0] if numeric.any() else odd.iloc[0]
        warn_caller(
            f"{what}: all ids are read as text, since {n_odd:,} of {len(ids):,} are not written as whole numbers in "
            f"the digits 0 to 9: {as_shown(first)!r}"
        )
    return ids


def text_numbers(column: pd.Series[Any], role: str, refuse: Refuse, *, decimal_comma: bool) -> pd.Series[Any]:
    """Return ratings or weights, as text or numbers, as float64; a comma may stand for the decimal point."""
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    if not is_numeric_dtype(column) and (unread := numbers.isna()).any():
        answers = truth_values(column)
        if role == "rating" and 2 * np.count_nonzero(answers.notna()) > len(column):
            if (others := answers.isna() & column.ne("")).any():
                refuse(others.to_numpy(bool), "the rating {value!r} is neither yes nor no, as others are")
            numbers, unread = answers, answers.isna()
        commas = column[unread]
        decimals = commas.str.fullmatch(r"[+-]?[0-9]+,[0-9]+")
        if decimal_comma and not decimals.all() and 2 * decimals.sum() > len(decimals):  # the others are what is wrong
            wrong = ~decimals.reindex(column.index, fill_value=True).to_numpy(bool)
            refuse(wrong, _wrong_number(str(column.iloc[int(np.argmax(wrong))]), role))
        if decimal_comma and decimals.all():
            thousands = unread & column.str.fullmatch(r"[+-]?[0-9]{1,3},[0-9]{3}")
            if thousands.any():
                advice = "may be thousands or a decimal; write it with a decimal point"
                refuse(thousands.to_numpy(bool), f"the {role} {{value!r}} {advice}")
            pointed = ~unread & column.str.fullmatch(r"[+-]?[0-9]{1,3}\.[0-9]{3}")
            if pointed.any():
                advice = "may be thousands or a decimal, as others have a decimal comma; write all alike"
                refuse(pointed.to_numpy(bool), f"the {role} {{value!r}} {advice}")
            numbers[unread] = commas.str.replace(",", ".").astype("float64")
    with np.errstate(over="ignore"):
        finite = np.isfinite(numbers.to_numpy(np.float32))
    if not finite.all():
        value = column.iloc[int(np.argmin(finite))]
        alike = int(np.count_nonzero(~finite & (column.isna() if pd.isna(value) else column == value)))
        refuse(~finite, _wrong_number(str(value), role) + (f" ({alike:,} such lines)" if alike > 1 else ""))
    if role == "weight" and (low := (numbers <= 0).to_numpy(bool)).any():
        refuse(low, "the weight {value!r} is not above 0; leave out ratings that are not to count")
    return numbers


def text_times(column: pd.Series[Any], refuse: Refuse) -> pd.Series[Any]:
    """Return times that are text as numbers, or as dates of UTC."""
    if is_numeric_dtype(column):
        return column
    times: pd.Series[Any] = pd.to_numeric(column, errors="coerce")
    if times.isna().all():
        times = iso_dates(column)
    elif (dates := times.isna() & iso_dates(column).notna()).any():
        few = dates if 2 * dates.sum() <= len(dates) else ~dates
        refuse(few.to_numpy(), "the timestamp {value!r} is among others of another kind: numbers and dates are mixed")
    if times.isna().any():
        advice = "is neither a number of seconds nor an ISO date; timestamp=None ignores the column"
        refuse(times.isna().to_numpy(), f"the timestamp {{value!r}} {advice}")
    return times


def _wrong_number(value: str, role: str) -> str:
    if value == "":
        return f"the {role} is missing; complete or delete the line"
    if re.fullmatch(r"[+-]?[\d.]+,\d+", value):
        return f"the {role} {{value!r}} is not a number; write it with a decimal point"
    if NUMBER.fullmatch(value) and np.isfinite(float(value)):
        return f"the {role} {{value!r}} is too large; correct or delete the line"
    if NUMBER.fullmatch(value):
        return f"the {role} {{value!r}} is not a finite number; correct or delete the line"
    if value.replace("_", "").isnumeric():
        return f"the {role} {{value!r}} is not a number; write it with the digits 0 to 9 alone"
    return f"the {role} {{value!r}} is not a number; correct the line, or name another column with {role}=…"


def refuse_row(label: str, column: str, values: pd.Series[Any]) -> Refuse:
    """Return a `Refuse` that names the row, counted from 0."""

    def refuse(bad: NDArray[np.bool_], wrong: str) -> NoReturn:
        at = int(np.argmax(bad))
        raise DataError(f"{label}: row {at}, column {column!r}: {wrong.format(value=as_shown(values.iloc[at]))}")

    return refuse


def as_shown(value: Any) -> Any:
    """Return a value as messages show it: a plain Python one, and not longer than a line."""
    if isinstance(value, str) and len(value) > _SHOWN:
        return value[: _SHOWN - 1] + "…"
    return value.item() if isinstance(value, np.generic) else value
