"""How a delimited text is written, told from its first line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from aerec.datasets.readers.columns import DELIMITERS, MOVIELENS_COLUMNS, Columns
from aerec.datasets.readers.files import Files, plain_name
from aerec.errors import DataError, warn_caller
from aerec.numerals import NUMBER

NOT_UTF8 = "not UTF-8 text; save the file as UTF-8, or convert it: iconv -f WINDOWS-1252 -t UTF-8"
_HEAD = 1 << 16
_MAX_FIELDS = 1000  # a row takes memory for every field, even an empty one
_ODD_SEPARATORS = "~^#*§¦\x01\x1f"  # that are not tried, but seen
_MAX_UNNAMED = 12  # fields of a file without a header: more are a users × items table, or want to be named
_UNUSED = "\x1f"  # ASCII's own "unit separator" stands in for separators of several characters
_TYPED = re.compile(r"(.*):(?:token|float|token_seq|float_seq)")  # a header field of RecBole
_MOVIELENS_TABLE = re.compile(r"u\.data|u[1-5ab]\.(base|test)")
_EXCEL_SEP = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # the line by which Excel tells itself the separator

# Published files without a header, by their names; counts of plays are the ratings:
_HEADERLESS = {
    r"train_triplets\.txt": ("user", "item", "rating"),  # Million Song Dataset, Taste Profile
    r"usersha1-artmbid-artname-plays\.tsv": (
        "user",
        "artist id",
        "item",
        "rating",
    ),  # LastFM-360K; ids are often missing
    r"ratings_\w+\.csv": ("user", "item", "rating", "timestamp"),  # Amazon 2014
    r"jester_ratings\.dat": ("user", "item", "rating"),  # Jester 2
}
_SEPARATORS = {r"jester_ratings\.dat": "\t\t"}
# Published files whose ratings have a name of their own, which may be something else elsewhere:
_RATINGS = {r"user_artists\.dat": "weight"}  # LastFM-2K: how often each artist was listened to
# Published files in Latin-1, as MySQL wrote them: a quotation mark in a field stands behind a backslash
_OF_MYSQL = r"BX-[\w-]+\.csv"  # Book-Crossing

# How files begin that are no table of ratings, and what to do with them:
_OTHERS = (
    ("\ufffd\ufffd\x11\u0871\x1a\ufffd", "is an Excel workbook; save it as CSV"),
    ("PAR1", "is a Parquet file; call it .parquet"),
    ("PK\x03\x04", "is a zip archive or an Excel workbook; call an archive .zip, save a workbook as CSV"),
    ("\x28\ufffd/\ufffd", "is packed by zstd; unpack it first: zstd -d"),
    ("version https://git-lfs", "is a pointer of Git LFS, not the file itself; get it: git lfs pull"),
    *((mark, "is a page of HTML or XML, not a table; look at it") for mark in ("<!", "<?xml", "<html", "<HTML")),
)


@dataclass(frozen=True)
class Layout:
    """How a file is written.

    Attributes
    ----------
    sep : str
    names : tuple of str
        Of each of its fields.
    roles : dict
        "user", "item", "rating", "timestamp" → position of the field, for those that are read.
    header : bool
        Whether the first line is a header.
    quoted : bool
        Whether a quotation mark can hold a field together.
    skip : int
        How many lines stand before the table.
    encoding : str
    escape : str or None
        What stands before a quotation mark inside a field; None: it is doubled.
    """

    sep: str
    names: tuple[str, ...]
    roles: dict[str, int]
    header: bool
    quoted: bool
    skip: int = 0
    encoding: str = "utf-8"
    escape: str | None = None

    @property
    def char(self) -> str:
        """The separator as the parsers see it: one character."""
        return self.sep if len(self.sep) == 1 else _UNUSED

    @property
    def quoting(self) -> Literal[0, 3]:
        """Whether a quotation mark can hold a field together."""
        return csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE


@dataclass(frozen=True)
class FirstLine:
    """The first line of the table in a file.

    Attributes
    ----------
    text : str
        At most the first 64 KiB of it.
    number : int
        Counted from 1.
    sep : str or None
        The separator, where a line above names it as Excel does (``sep=;``).
    skip : int
        How many lines stand before the table: that one, and comments.
    comment : str or None
        The first of the lines above that begin with "# " or "% ".
    above : str or None
        The last of them without its mark: the names of the fields, where NumPy's savetxt wrote them.
    after_escapes : frozenset of str
        The characters that come after a backslash and a quotation mark in the first 64 KiB of the file.
    """

    text: str
    number: int
    sep: str | None = None
    skip: int = 0
    comment: str | None = None
    above: str | None = None
    after_escapes: frozenset[str] = frozenset()


def detect_layout(
    files: Files,
    name: str,
    columns: Columns,
    sep: str | None = None,
    fields: Sequence[str] | None = None,
    header: bool = True,
) -> Layout:
    """Tell the layout from the first line, as far as the caller does not (parameters as in `read_delimited`)."""
    first = first_line(files, name)
    is_guess = sep is None and first.sep is None
    sep = first.sep if sep is None else sep
    plain = plain_name(name)
    if sep is None:
        sep = _of_name(_SEPARATORS, plain) or next((mark for mark in DELIMITERS if mark in first.text), ",")
    place = f"{files.label(name)} line {first.number}"
    if sep == "":
        raise DataError(f'{place}: sep="" separates nothing; give the separator, or leave it out to detect it')
    movielens = _MOVIELENS_TABLE.fullmatch(plain) is not None
    if columns.rating == "rating" and (of_name := _of_name(_RATINGS, plain)) and of_name in first.text:
        columns = replace(columns, rating=of_name)
    written = {"encoding": "latin-1", "escape": "\\"} if re.fullmatch(_OF_MYSQL, plain) else {}
    if first.after_escapes and sep not in first.after_escapes and not written:  # "C:\",7 is a field and its end
        written = {"escape": "\\"}
        warn_caller(f"{files.label(name)}: quotation marks behind a backslash are read as part of a field")
    quoted = sep != "::" and ".inter" not in name and not movielens
    first_fields, above = (_split(line, sep, quoted) for line in (first.text, first.above or ""))
    is_named_above = header and fields is None and len(above) == len(first_fields) and columns.found_in(above)
    is_named_above = is_named_above and not columns.found_in(first_fields)
    if first.comment is not None and not is_named_above:
        warn_caller(f"{files.label(name)}: comments above the table, such as {shorten(first.comment)}, are passed over")

    def layout(names: Sequence[str], has_header: bool, quoted: bool = quoted, columns: Columns = columns) -> Layout:
        if len(names) > _MAX_FIELDS:
            raise DataError(
                f"{place}: {len(names):,} fields in a line, a table of ratings has one rating a line and at most "
                f"{_MAX_FIELDS:,}; cut columns out, or pass a users × items table to Interactions.from_matrix"
            )
        if "encoding" not in written and any("\ufffd" in field for field in names):
            raise DataError(f"{place}: {NOT_UTF8}")
        try:
            located = columns.locate(names, place)
        except DataError as error:
            other = next((mark for mark in first.text if mark in _ODD_SEPARATORS), None) if is_guess else None
            raise (
                DataError(f"{error}; if {other!r} separates the columns: sep={other!r}") if other else error
            ) from None
        positions = {role: list(names).index(field) for role, field in located.items()}
        return Layout(sep, tuple(names), positions, has_header, quoted, first.skip, **written)

    if fields is not None:
        if len(fields) != len(first_fields):
            raise DataError(
                f"{place}: {len(first_fields)} fields, but columns= names {len(fields)}: {_hint(first.text, sep)}"
            )
        return layout(list(fields), has_header=first_fields == list(fields))
    if not header:
        if len(first_fields) == 1:
            raise DataError(f"{place}: only one field in {shorten(first.text)}; {_hint(first.text, sep)}")
        if len(first_fields) > _MAX_UNNAMED and columns.user is None and columns.item is None:
            raise DataError(
                f"{place}: {len(first_fields):,} fields without names, too many to take the first as user, item, …; "
                'name them by number, as in user="1", item="2", or pass a users × items table to '
                "Interactions.from_matrix"
            )
        return layout(
            [str(at) for at in range(1, len(first_fields) + 1)], False, columns=columns.numbered(first_fields)
        )
    named = _of_name(_HEADERLESS, plain)
    if named is not None and not columns.found_in(first_fields) and first.text.count(sep) == len(named) - 1:
        return layout(named, False, quoted=sep == ",")  # names of artists begin with a quotation mark
    if first.text.startswith("#") and columns.found_in(marked := _split(first.text[1:], sep, quoted)):
        return layout(marked, True)
    if is_named_above:
        return layout(above, False)
    typed = [match.group(1) for match in map(_TYPED.fullmatch, first_fields) if match]
    if len(typed) == len(first_fields):
        return layout(typed, True, False)
    if sep == "::" and columns.found_in(first_fields):
        return layout(first_fields, True, False)
    if sep == "::" or movielens:
        if len(first_fields) != len(MOVIELENS_COLUMNS):
            expected = sep.join(MOVIELENS_COLUMNS).replace("\t", "<tab>")
            raise DataError(f"{place}: expected {expected}, found {shorten(first.text)}; {_hint(first.text, sep)}")
        return layout(MOVIELENS_COLUMNS, False, False)
    if not columns.found_in(first_fields) and (len(first_fields) == 1 or any(map(NUMBER.fullmatch, first_fields))):
        wrong = "only one field" if len(first_fields) == 1 else "no header"
        raise DataError(f"{place}: {wrong} in {shorten(first.text)}; {_hint(first.text, sep)}")
    return layout(first_fields, True)


def _of_name(table: Mapping[str, Any], name: str) -> Any:
    """Return what `table` says of a file called `name`; None where it says nothing."""
    return next((known for pattern, known in table.items() if re.fullmatch(pattern, name)), None)


def _split(line: str, sep: str, quoted: bool) -> list[str]:
    if quoted and len(sep) == 1:
        return [field.strip() for field in next(csv.reader([line], delimiter=sep, skipinitialspace=True))]
    return [field.strip() for field in line.split(sep)]


def _hint(line: str, sep: str) -> str:
    others = [mark for mark in DELIMITERS if mark != sep and mark in line and not (sep == "::" and mark == " ")]
    if sep not in line and others:
        return f"the separator is {sep!r}, which does not occur in it: try sep={others[0]!r}"
    return 'name the fields of a file without a header with columns=("user", "item", "rating", …)'


def first_line(files: Files, name: str) -> FirstLine:
    """Return the first line of the table: not blank, no comment, and not Excel's ``sep=;``.

    Raises
    ------
    DataError
        If the file is empty, or not text.
    """
    with files.open(name) as stream:
        head = stream.read(_HEAD)
    label = files.label(name)
    if head[257:262] == b"ustar":
        raise DataError(f"{label} is a tar archive; unpack it first: tar -xf {name}")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{label} is UTF-16 text; save it as UTF-8")
    text = head.decode("utf-8-sig", errors="replace")
    for begin, advice in _OTHERS:
        if text.lstrip().startswith(begin):
            raise DataError(f"{label} {advice}")
    if "\0" in text:
        raise DataError(f"{label} is not text in UTF-8; expected ratings as text, as Parquet (.parquet) or zipped")
    sep, skip, comment, above = None, 0, None, None
    after = frozenset(re.findall(r'\\"([^\s"])', text))
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        given = _EXCEL_SEP.fullmatch(line.rstrip("\n"))
        if given and sep is None:
            sep, skip = given.group(1), number
        elif line.startswith(("# ", "% ")):
            skip, comment, above = number, comment or line.rstrip("\n"), line[2:].strip()
        elif line.strip():
            return FirstLine(line.rstrip("\n"), number, sep, skip, comment, above, after)
    if comment is not None:
        raise DataError(f"{label} begins with comments, such as {shorten(comment)}, and no ratings; delete them")
    raise DataError(f"{label} is empty; ratings were expected, one a line")


def without_comments(table: str) -> str:
    """Return the text of a table without the comments above it, as `first_line` passes over them."""
    return re.sub(r"\A([#%] .*\n)+", "", table)


def shorten(line: str) -> str:
    """Quote at most 60 characters of `line` for a message."""
    return repr(line if len(line) <= 60 else line[:57] + "…")
