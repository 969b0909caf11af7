"""Delimited text with one rating a line, parsed fast; what cannot be parsed is found again and named by its line."""

from __future__ import annotations

import csv
import io
import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from aerec.datasets.readers.columns import Columns
from aerec.datasets.readers.files import Files
from aerec.datasets.readers.layout import Layout, detect_layout, is_number, shorten
from aerec.errors import DataError

__all__ = ["read_delimited"]

_CHUNK = 1 << 20  # rows parsed at once: columns that nobody asked for are dropped a chunk at a time
_INTEGER = r"-?(?:0|[1-9]\d{0,17})"  # no leading zeros: "007" and "7" are two ids


def read_delimited(
    files: Files,
    name: str,
    columns: Columns,
    sep: str | None = None,
    header: Sequence[str] | Literal[False] | None = None,
) -> pd.DataFrame:
    """Read a table of ratings.

    Parameters
    ----------
    files, name
        The file.
    columns : Columns
    sep : str, optional
        The separator, taken literally; detected from the first line by default.
    header : sequence of str or False, optional
        The names of the fields of a file without a header line; False: they are called "1", "2", ….

    Returns
    -------
    pandas.DataFrame
        Columns user, item and, where the file has them, rating (float64) and timestamp (numbers, or dates). Ids are
        integers where all of them are, else text.

    Raises
    ------
    DataError
        If anything cannot be read; names the file, the line, the column and the value.
    """
    layout = detect_layout(files, name, columns, sep, header)
    try:
        frame = _parse(files, name, layout, _guess_types(files, name, layout))
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:
        _explain_shape(files, name, layout, error)
        frame = _parse(files, name, layout, {})
    return _convert(files, name, layout, frame)


# ---------------------------------------------------------------------- parsing


def _parse(files: Files, name: str, layout: Layout, types: dict[str, str]) -> pd.DataFrame:
    """Parse the wanted columns, as `types` says and else as text."""
    wanted = {position: role for role, position in layout.roles.items()}
    with files.open(name) as stream, warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a first row that is longer than the header
        chunks = pd.read_csv(
            _one_character_separator(stream, layout),
            sep=layout.char,
            header=0 if layout.header else None,
            names=list(range(len(layout.names))),
            index_col=False,
            dtype={at: types.get(wanted.get(at, ""), "str") for at in range(len(layout.names))},
            na_filter=False,
            quoting=layout.quoting,
            skipinitialspace=True,
            engine="c",
            encoding="utf-8",
            chunksize=max(1, _CHUNK // max(1, len(layout.names) // 8)),
        )
        with chunks:
            kept = [chunk[list(wanted)].rename(columns=wanted) for chunk in chunks]
    frame = pd.concat(kept, ignore_index=True)
    if frame.empty:
        raise DataError(f"{files.label(name)} has a header and no ratings")
    return frame


def _one_character_separator(stream: IO[bytes], layout: Layout) -> IO[bytes]:
    if len(layout.sep) == 1:
        return stream
    return io.BytesIO(stream.read().replace(layout.sep.encode(), layout.char.encode()))


def _guess_types(files: Files, name: str, layout: Layout) -> dict[str, str]:
    """Guess the type of each wanted column from the first rows; a wrong guess costs a second reading, no more."""
    rows = list(itertools.islice((row for _, row in _rows(files, name, layout)), 1000))
    types = {}
    for role, position in layout.roles.items():
        whole = all(re.fullmatch(_INTEGER, row[position].strip()) if position < len(row) else False for row in rows)
        types[role] = "float64" if role == "rating" else "int64" if whole else "str"
    return {role: kind for role, kind in types.items() if kind != "str" and rows}


# ---------------------------------------------------------------------- the careful way, and what is wrong


def _convert(files: Files, name: str, layout: Layout, frame: pd.DataFrame) -> pd.DataFrame:
    """Turn what is still text into numbers, and name the line of the first value that cannot be used."""

    def refuse(bad: NDArray[np.bool_], role: str, wrong: Callable[[str], str]) -> None:
        _explain_shape(files, name, layout)  # a value may be missing because its whole row is cut short
        at = int(np.argmax(bad))
        found = next(itertools.islice(_rows(files, name, layout), at, None), None)
        place = "has a line of blanks only" if found is None else f"line {found[0]}"
        column = layout.names[layout.roles[role]]
        raise DataError(f"{files.label(name)} {place}, column {column!r}: {wrong(str(frame[role].iloc[at]))}")

    for role in layout.roles:
        if not is_numeric_dtype(frame[role]):
            frame[role] = frame[role].str.strip()
    for role in ("user", "item"):
        if is_numeric_dtype(frame[role]):
            continue
        if (missing := frame[role] == "").any():
            refuse(missing.to_numpy(bool), role, lambda _: "the id is missing; complete or delete the line")
        if frame[role].str.fullmatch(_INTEGER).all():
            frame[role] = frame[role].astype("int64")
    if "rating" in frame:
        ratings = pd.to_numeric(frame["rating"], errors="coerce").astype("float64")
        with np.errstate(over="ignore"):
            finite = np.isfinite(ratings.to_numpy(np.float32))
        if not finite.all():
            refuse(~finite, "rating", _wrong_rating)
        frame["rating"] = ratings
    if "timestamp" in frame and not is_numeric_dtype(frame["timestamp"]):
        times = pd.to_numeric(frame["timestamp"], errors="coerce")
        if times.isna().all():
            times = pd.to_datetime(frame["timestamp"], errors="coerce", format="ISO8601", utc=True)
        if times.isna().any():
            refuse(times.isna().to_numpy(), "timestamp", _wrong_time)
        frame["timestamp"] = times
    return frame


def _wrong_rating(value: str) -> str:
    if value == "":
        return "the rating is missing; complete or delete the line"
    if re.fullmatch(r"[+-]?\d+,\d+", value):
        return f"the rating {value!r} is not a number; write it with a decimal point"
    if is_number(value):
        return f"the rating {value!r} is not a finite number; correct or delete the line"
    return f"the rating {value!r} is not a number; correct the line, or name another column with rating=…"


def _wrong_time(value: str) -> str:
    return f"the timestamp {value!r} is neither a number of seconds nor an ISO date; timestamp=None ignores the column"


def _explain_shape(files: Files, name: str, layout: Layout, error: Exception | None = None) -> None:
    """Raise a DataError for a row with the wrong number of fields or text that is not UTF-8; return for the rest."""
    if isinstance(error, DataError):
        raise error
    if isinstance(error, UnicodeDecodeError):
        with files.open(name) as stream:
            content = stream.read()
        try:
            content.decode()
        except UnicodeDecodeError as wrong:
            line = content.count(b"\n", 0, wrong.start) + 1
            raise DataError(f"{files.label(name)} line {line}: not UTF-8 text; save the file as UTF-8") from None
    expected = len(layout.names)
    for line, row in _rows(files, name, layout):
        if len(row) != expected:
            raise DataError(
                f"{files.label(name)} line {line}: {len(row)} fields where {expected} are expected "
                f"({', '.join(layout.names)}): {shorten(layout.sep.join(row))}; correct or delete the line"
            ) from None
    if isinstance(error, (pd.errors.ParserError, pd.errors.ParserWarning)):
        first = str(error).strip().splitlines()[0]
        raise DataError(f"{files.label(name)} is not a table separated by {layout.sep!r} ({first})") from None


def _rows(files: Files, name: str, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each row, by the standard library: slow, but it knows where it is."""
    with files.open(name) as stream:
        lines = io.TextIOWrapper(
            _one_character_separator(stream, layout), encoding="utf-8-sig", errors="replace", newline=""
        )
        reader = csv.reader(lines, delimiter=layout.char, quoting=layout.quoting, skipinitialspace=True)
        begins = 1
        header = layout.header
        try:
            for row in reader:
                line, begins = begins, reader.line_num + 1
                if len(row) < 2 and not "".join(row).strip():
                    continue
                if header:
                    header = False
                    continue
                yield line, row
        except csv.Error as error:
            raise DataError(f"{files.label(name)} line {begins}: {error}") from None
        finally:
            lines.detach()
