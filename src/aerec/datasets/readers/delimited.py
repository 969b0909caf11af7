"""Delimited text with one rating a line, parsed fast; what cannot be parsed is found again and named by its line."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO, Any, NoReturn, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import infer_dtype, is_numeric_dtype

from aerec.datasets.readers.columns import Columns, header_fields, warn_of_no_ratings
from aerec.datasets.readers.files import Files
from aerec.datasets.readers.layout import NOT_UTF8, Layout, detect_layout, shorten
from aerec.datasets.readers.values import (
    WHOLE,
    as_shown,
    distinct_ids,
    plain_ids,
    plain_times,
    text_ids,
    text_numbers,
    text_times,
)
from aerec.errors import DataError, warn_caller
from aerec.times import values_in_unit

_STARS = 10  # ratings from 0 up to here may be stars
_FIRST = 1000  # rows that a guess goes by
_CHUNK = 1 << 17  # rows parsed at once, few enough for the processor's cache; columns not needed are dropped
# Before pandas 3, the first row of a later chunk is cut where it has too many fields.
_CUTS_CHUNKS = int(pd.__version__.partition(".")[0]) < 3


def read_delimited(
    files: Files,
    name: str,
    columns: Columns,
    sep: str | None = None,
    fields: Sequence[str] | None = None,
    header: bool = True,
) -> pd.DataFrame:
    """Read a table of ratings.

    Parameters
    ----------
    files, name
        The file.
    columns : Columns
    sep : str, optional
        The separator, taken literally; detected from the first line by default.
    fields : sequence of str, optional
        The names of the fields, in place of a header.
    header : bool, default True
        False: the first line is a rating; without `fields` they are called "1", "2", ….

    Returns
    -------
    pandas.DataFrame
        Columns user, item and, where the file has them, rating and weight (float64) and timestamp (numbers, or dates).
        Ids are int64 where all of them are whole numbers, else text.

    Raises
    ------
    DataError
        If anything cannot be read; names the file, the line, the column and the value.
    """
    layout = detect_layout(files, name, columns, sep, fields, header)
    try:
        frame = _parse(files, name, layout, _guess_types(files, name, layout))
    except (ValueError, pd.errors.ParserWarning) as error:
        _explain_shape(files, name, layout, error)
        try:
            frame = _parse(files, name, layout, None)
        except UnicodeDecodeError as undecodable:  # the first parsing ended before that line
            _explain_shape(files, name, layout, undecodable)
            raise
    if "rating" not in layout.roles and columns.rating is not None:
        rows = [row for _, row in itertools.islice(_rows(files, name, layout), _FIRST)]
        unread = [at for at in range(len(layout.names)) if at not in layout.roles.values()]
        warn_of_no_ratings(
            files.label(name), {layout.names[at]: [row[at] for row in rows if at < len(row)] for at in unread}
        )
    return _convert(files, name, layout, frame)


# ---------------------------------------------------------------------- parsing


def _parse(files: Files, name: str, layout: Layout, types: dict[str, str] | None) -> pd.DataFrame:
    """Parse the wanted columns as `types` says and else as text; all as text where it is None.

    pandas reads text several times faster where it finds out by itself that a column is text than where it is told so.
    A column that it takes for numbers instead is a wrong guess.

    Raises
    ------
    ValueError
        If a column is not of its type.
    """
    wanted = {position: role for role, position in layout.roles.items()}
    if types is None:
        dtypes = dict.fromkeys(range(len(layout.names)), "str")
    else:
        dtypes = {position: types[role] for position, role in wanted.items() if role in types}
    with files.open(name) as stream, warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a first row that is longer than the header
        checked = _WithoutNul(stream, files, name, layout.sep.encode())
        chunks = pd.read_csv(
            _one_character_separator(cast("IO[bytes]", checked), layout),
            sep=layout.char,
            header=0 if layout.header else None,
            skiprows=layout.skip,
            names=list(range(len(layout.names))),
            index_col=False,
            dtype=dtypes,
            low_memory=False,  # a chunk is of one type as a whole
            na_filter=False,
            quoting=layout.quoting,
            skipinitialspace=True,
            engine="c",
            encoding=layout.encoding,
            escapechar=layout.escape,
            chunksize=max(1, _CHUNK // max(1, len(layout.names) // 8)),
        )
        with chunks, _overflow_as_value_error():
            needed = []
            for chunk in chunks:
                for position in wanted.keys() - dtypes.keys():
                    text = isinstance(chunk[position].dtype, pd.StringDtype)  # object before pandas 3
                    if not text and infer_dtype(chunk[position], skipna=False) != "string":
                        raise ValueError(f"column {layout.names[position]!r} is not all text")
                for position, kind in dtypes.items():
                    if kind == "int64" and chunk[position].dtype != kind:  # uint64, without an error before pandas 3
                        raise ValueError(f"column {layout.names[position]!r} is not all of 64 bits")
                needed.append(chunk[list(wanted)].rename(columns=wanted))
    frame = pd.concat(needed, ignore_index=True)
    n_lines = len(frame) + layout.header
    if _CUTS_CHUNKS and len(needed) > 1 and checked.n_separators != n_lines * (len(layout.names) - 1):
        _explain_shape(files, name, layout)
    if frame.empty:
        raise DataError(f"{files.label(name)} has a header and no ratings")
    return frame


@contextlib.contextmanager
def _overflow_as_value_error() -> Iterator[None]:
    """Have a whole number below −2⁶³ be a wrong guess; where a file is open an OverflowError means damage."""
    try:
        yield
    except OverflowError as error:
        raise ValueError(str(error)) from None


class _WithoutNul(io.BufferedIOBase):
    """A stream that refuses NUL bytes, which would be taken for text: `first_line` sees the beginning only.

    Attributes
    ----------
    n_separators : int
        How many were read so far.
    """

    def __init__(self, stream: IO[bytes], files: Files, name: str, separator: bytes) -> None:
        self._stream, self._files, self._name = stream, files, name
        self._separator, self.n_separators = separator, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        block = self._stream.read(-1 if size is None else size)
        if b"\0" in block:
            with self._files.open(self._name) as stream:
                at = next(number for number, line in enumerate(stream, 1) if b"\0" in line)
            label = self._files.label(self._name)
            raise DataError(f"{label} line {at}: holds a NUL byte, which is no text; get the file again")
        self.n_separators += block.count(self._separator) if _CUTS_CHUNKS else 0
        return block

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size)

    def readinto(self, buffer: Any, /) -> int:
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


def _one_character_separator(stream: IO[bytes], layout: Layout) -> IO[bytes]:
    if len(layout.sep) == 1:
        return stream
    return io.BytesIO(stream.read().replace(layout.sep.encode(), layout.char.encode()))


def _guess_types(files: Files, name: str, layout: Layout) -> dict[str, str]:
    """Guess the type of each wanted column from the first rows; a wrong guess costs a second reading, no more."""
    rows = list(itertools.islice((row for _, row in _rows(files, name, layout)), _FIRST))
    types, is_whole = {}, re.compile(WHOLE).fullmatch
    for role, position in layout.roles.items():
        whole = all(is_whole(row[position].strip()) if position < len(row) else False for row in rows)
        types[role] = "float64" if role in ("rating", "weight") else "int64" if whole else "str"
    return {role: kind for role, kind in types.items() if kind != "str" and rows}


# ---------------------------------------------------------------------- the careful way, and what is wrong


def _convert(files: Files, name: str, layout: Layout, frame: pd.DataFrame) -> pd.DataFrame:
    """Turn what is still text into numbers, and name the line of the first value that cannot be used."""

    def refuse_in(role: str, bad: NDArray[np.bool_], wrong: str) -> NoReturn:
        _explain_shape(files, name, layout)  # a value may be missing because its whole row is cut short
        at = int(np.argmax(bad))
        row = next(itertools.islice(_rows(files, name, layout), at, None), None)
        place = "has a line of blanks only" if row is None else f"line {row[0]}"
        position = layout.roles[role]
        message = wrong.format(value=as_shown(str(frame[role].iloc[at]) if row is None else row[1][position].strip()))
        raise DataError(f"{files.label(name)} {place}, column {layout.names[position]!r}: {message}")

    for role in layout.roles:
        if role in ("user", "item"):
            frame[role] = distinct_ids(frame[role])
        elif not is_numeric_dtype(frame[role]):
            frame[role] = frame[role].str.strip()
    if (again := _header_again(frame, layout)).any():
        refuse_in("user", again, "the header stands here again, as in files joined into one; delete the line")
    for role in layout.roles:
        what = f"{files.label(name)}, column {layout.names[layout.roles[role]]!r}"
        refuse = partial(refuse_in, role)
        if role in ("rating", "weight"):
            frame[role] = text_numbers(frame[role], role, refuse, decimal_comma=layout.sep != ",")
        elif role == "timestamp":
            frame[role] = plain_times(text_times(frame[role], refuse), what, refuse)
        else:
            frame[role] = plain_ids(text_ids(frame[role], what, refuse), what, refuse)
    if not layout.header:
        _warn_of_order(frame, {role: layout.names[at] for role, at in layout.roles.items()}, files.label(name))
    return frame


def _warn_of_order(frame: pd.DataFrame, names: dict[str, str], label: str) -> None:
    """Warn where a file without a header has numbers that fit another order of the columns."""
    numbers = {role: values for role in names if (values := _numbers_in(frame[role])) is not None}
    stars = {role for role, values in numbers.items() if 0 <= values.min() <= values.max() <= _STARS}
    times = {role for role, values in numbers.items() if values_in_unit(values, 1).all()} | {"timestamp"} - {*numbers}
    wrong = ""
    if "timestamp" in numbers and times and "timestamp" not in times:
        wrong, better = min(times), "timestamp"
    elif role := _ids_like_times(frame, numbers):
        seems = '"timestamp", "user", "item"' if role == "user" and len(names) == 3 else "…"
        warn_caller(
            f"{label}: the column {names[role]!r}, read as the {role}, looks like times, nearly all different; "
            f"if so, name the order with columns=({seems})"
        )
    elif "rating" in numbers and numbers["rating"].max() > _STARS and len(frame) > _STARS and stars & {"user", "item"}:
        wrong, better = min(stars & {"user", "item"}), "rating"
    if wrong:
        order = ", ".join(f'"{role}"' for role in names)
        warn_caller(
            f"{label}: the column {names[wrong]!r}, read as the {wrong}, looks like a {better}, and {names[better]!r}, "
            f"read as the {better}, does not; if the order is not {order}, name it with columns=(…)"
        )


def _numbers_in(column: pd.Series[Any]) -> NDArray[Any] | None:
    """Return the numbers of a column, also of ids such as "0.5", which stay text; None where some are no numbers."""
    if column.dtype.kind in "iuf":
        return column.to_numpy()
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return None
    numbers = pd.to_numeric(pd.Series(column.cat.categories), errors="coerce").to_numpy(np.float64)
    return numbers[column.cat.codes.to_numpy()] if np.isfinite(numbers).all() else None


def _ids_like_times(frame: pd.DataFrame, numbers: dict[str, NDArray[Any]]) -> str:
    """Return "user" or "item" where those ids are seconds or milliseconds since 1970 and most differ; else ""."""
    for role in ("user", "item"):
        if role in numbers and "timestamp" not in frame and len(frame) > _STARS:
            is_time = any(values_in_unit(numbers[role], per_second).all() for per_second in (1, 1000))
            if is_time and 2 * frame[role].nunique() > len(frame):
                return role
    return ""


def _header_again(frame: pd.DataFrame, layout: Layout) -> NDArray[np.bool_]:
    """Say which rows hold names of columns in place of ids, as where files were joined into one."""
    again = np.ones(len(frame), dtype=bool)
    for role in ("user", "item"):
        if is_numeric_dtype(frame[role]) or not again.any():
            return np.zeros(len(frame), dtype=bool)
        names = [name for name in layout.names if not name.isdigit()]  # "1", "2", … where there is no header
        again &= frame[role].isin(header_fields(role, names)).to_numpy(bool)
    return again


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
            raise DataError(f"{files.label(name)} line {line}: {NOT_UTF8}") from None
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
        encoding = "utf-8-sig" if layout.encoding == "utf-8" else layout.encoding
        lines = io.TextIOWrapper(
            _one_character_separator(stream, layout), encoding=encoding, errors="replace", newline=""
        )
        for _ in range(layout.skip):
            lines.readline()
        reader = csv.reader(
            lines, delimiter=layout.char, quoting=layout.quoting, escapechar=layout.escape, skipinitialspace=True
        )
        begins = layout.skip + 1
        header = layout.header
        try:
            for row in reader:
                line, begins = begins, layout.skip + reader.line_num + 1
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
