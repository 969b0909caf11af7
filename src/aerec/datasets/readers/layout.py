"""How a delimited text is written, told from its first line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aerec.datasets.readers.columns import DELIMITERS, MOVIELENS_COLUMNS, Columns
from aerec.datasets.readers.files import Files
from aerec.errors import DataError

__all__ = ["Layout", "detect_layout", "first_line", "is_number", "shorten"]

_HEAD = 1 << 16
_MAX_FIELDS = 1000  # every row takes the memory of all fields, also of those that it leaves empty
_UNUSED = "\x1f"  # ASCII's own "unit separator" stands in for separators of several characters
_TYPED = re.compile(r"(.*):(?:token|float|token_seq|float_seq)")  # a header field of RecBole
_MOVIELENS_TABLE = re.compile(r"(u\.data|u[1-5ab]\.(base|test))(\.gz)?")


@dataclass(frozen=True)
class Layout:
    """How a file is written: its separator, the name of each of its fields, and which of them are wanted."""

    sep: str
    names: tuple[str, ...]
    roles: dict[str, int]
    header: bool
    quoted: bool

    @property
    def char(self) -> str:
        """The separator as the parsers see it: one character."""
        return self.sep if len(self.sep) == 1 else _UNUSED

    @property
    def quoting(self) -> Literal[0, 3]:
        """Whether a quotation mark can hold a field together."""
        return csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE


def detect_layout(
    files: Files, name: str, columns: Columns, sep: str | None, header: Sequence[str] | Literal[False] | None
) -> Layout:
    """Tell the layout from the first line, as far as the caller does not (parameters as in `read_delimited`)."""
    line, number = first_line(files, name)
    if sep is None:
        sep = next((mark for mark in DELIMITERS if mark in line), ",")
    place = f"{files.label(name)} line {number}"
    if sep == "":
        raise DataError(f'{place}: sep="" separates nothing; give the separator, or leave it out to detect it')
    quoted = sep != "::" and ".inter" not in name and not _MOVIELENS_TABLE.fullmatch(name)
    fields = _split(line, sep, quoted)
    if header is False:
        if len(fields) == 1:
            raise DataError(f"{place}: only one field in {shorten(line)}; {_hint(line, sep)}")
        names = [str(number) for number in range(1, len(fields) + 1)]
        return _layout(sep, names, columns.numbered(fields), place, header=False, quoted=quoted)
    if header is not None:
        names = list(header)
        if len(names) != len(fields):
            raise DataError(f"{place}: {len(fields)} fields, but columns= names {len(names)}: {_hint(line, sep)}")
        return _layout(sep, names, columns, place, header=False, quoted=quoted)
    typed = [match.group(1) for match in map(_TYPED.fullmatch, fields) if match]
    if len(typed) == len(fields):
        return _layout(sep, typed, columns, place, header=True, quoted=False)
    if sep == "::" or _MOVIELENS_TABLE.fullmatch(name):
        if len(fields) != len(MOVIELENS_COLUMNS):
            expected = sep.join(MOVIELENS_COLUMNS).replace("\t", "<tab>")
            raise DataError(f"{place}: expected {expected}, found {shorten(line)}; {_hint(line, sep)}")
        return _layout(sep, MOVIELENS_COLUMNS, columns, place, header=False, quoted=False)
    if not columns.found_in(fields) and (len(fields) == 1 or any(map(is_number, fields))):
        wrong = "only one field" if len(fields) == 1 else "no header"
        raise DataError(f"{place}: {wrong} in {shorten(line)}; {_hint(line, sep)}")
    return _layout(sep, fields, columns, place, header=True, quoted=quoted)


def _layout(
    sep: str,
    names: Sequence[str],
    columns: Columns,
    place: str,
    *,
    header: bool,
    quoted: bool,
) -> Layout:
    if len(names) > _MAX_FIELDS:
        raise DataError(
            f"{place}: {len(names):,} fields in a line, a table of ratings has one rating a line and at most "
            f"{_MAX_FIELDS:,}; cut columns out, or pass a users × items table to Interactions.from_matrix"
        )
    roles = columns.locate(names, place)
    positions = {role: list(names).index(found) for role, found in roles.items()}
    return Layout(sep, tuple(names), positions, header, quoted)


def _split(line: str, sep: str, quoted: bool) -> list[str]:
    if quoted and len(sep) == 1:
        return [field.strip() for field in next(csv.reader([line], delimiter=sep, skipinitialspace=True))]
    return [field.strip() for field in line.split(sep)]


def _hint(line: str, sep: str) -> str:
    others = [mark for mark in DELIMITERS if mark != sep and mark in line and not (sep == "::" and mark == " ")]
    if sep not in line and others:
        return f"the separator is {sep!r}, which does not occur in it: try sep={others[0]!r}"
    return 'name the fields of a file without a header with columns=("user", "item", "rating", …)'


def first_line(files: Files, name: str) -> tuple[str, int]:
    """Return the first line that is not blank (at most its first 64 KiB) and its number, counted from 1."""
    with files.open(name) as stream:
        head = stream.read(_HEAD)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{files.label(name)} is UTF-16 text; save it as UTF-8")
    if b"\0" in head:
        raise DataError(
            f"{files.label(name)} is not text; expected ratings as text, as Parquet (.parquet) or zipped (.zip)"
        )
    lines = io.StringIO(head.decode("utf-8-sig", errors="replace"), newline=None)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            return line.rstrip("\n"), number
    raise DataError(f"{files.label(name)} is empty; ratings were expected, one a line")


def is_number(text: str) -> bool:
    """Whether `float` can read `text`."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def shorten(line: str) -> str:
    """Quote at most 60 characters of `line` for a message."""
    return repr(line if len(line) <= 60 else line[:57] + "…")
