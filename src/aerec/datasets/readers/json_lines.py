"""Ratings as an object a line: JSON, as of Amazon and Yelp, or literals of Python, as of Steam; or an array of JSON."""

from __future__ import annotations

import ast
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import IO, Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.datasets.readers.columns import Columns, warn_of_no_ratings
from aerec.datasets.readers.files import Files, plain_name
from aerec.datasets.readers.layout import NOT_UTF8, first_line
from aerec.datasets.readers.values import (
    Refuse,
    as_shown,
    distinct_ids,
    plain_ids,
    plain_times,
    text_ids,
    text_numbers,
    text_times,
)
from aerec.errors import DataError

_BLOCK = 1 << 24  # bytes parsed at a time: fields that are not needed, such as texts of reviews, are dropped then
_FIRST = 1000  # records that are looked at for a column of yes and no
_MAX_LINE = 1 << 24  # bytes of Python: a syntax tree takes far more memory than its text
_NAMED = {r"steam_reviews\.json": "username"}  # some of the reviews hold another id as well

_Records = list[dict[str, Any]]


class _RepeatedNameError(ValueError):
    """A name stands twice in one object: which of the two values counts is not known."""


def looks_like_records(line: str) -> bool:
    """Whether the first line of a file begins as an object of JSON, an array of them or a dict of Python does."""
    return re.match(r"\s*(\{\s*(u?['\"]|\})|\[\s*(\{|$))", line) is not None


def read_json_lines(files: Files, name: str, columns: Columns) -> pd.DataFrame:
    """Read a rating from each line: an object of JSON, or a dict as Python writes it, which is never executed.

    A file that is one array of JSON is read whole.

    Where the lines are users with a list of objects, as of the Australian users of Steam, each of these is a rating.

    Parameters
    ----------
    files, name
        The file.
    columns : Columns
        Names are looked for among those of the first line.

    Returns
    -------
    pandas.DataFrame
        As `read_delimited` gives it: values follow the same rules, whether they are numbers or text.

    Raises
    ------
    DataError
        If anything cannot be read; names the file, the line, the column and the value.
    """
    label = files.label(name)
    user = next((known for pattern, known in _NAMED.items() if re.fullmatch(pattern, plain_name(name))), None)
    if columns.user is None and user is not None:
        columns = replace(columns, user=user)
    located: dict[str, str] = {}
    values: dict[str, list[Any]] = {}
    same: dict[Any, Any] = {}  # ids that are equal share one object
    inner, counts = "", []  # of the inner list: its field, and how many ratings each line holds
    is_array = first_line(files, name).text.lstrip().startswith("[")
    with files.open(name) as stream:
        for records in [_array(stream.read(), label)] if is_array else _blocks(stream, label):
            if not located:
                inner = _inner_list(records[0])
                first = _flattened(records[:1], inner, label)[:1] if inner else records[:1]
                located = columns.locate([*first[0]], f"{label} {'record' if is_array else 'line'} 1")
                values = {role: [] for role in located}
                if "rating" not in located and columns.rating is not None:
                    some = records[:_FIRST]
                    some = _flattened(some, inner, label) if inner else some
                    unread = [given for given in some[0] if given not in located.values()]
                    warn_of_no_ratings(label, {given: [record.get(given) for record in some] for given in unread})
            flat = _flattened(records, inner, label) if inner else records
            counts += [len(record[inner]) for record in records] if inner else []
            for role, given in located.items():
                column = [record.get(given) for record in flat]
                if role in ("user", "item"):
                    column = [same.setdefault(value, value) if type(value) is str else value for value in column]
                values[role] += column
    if not located or not values["user"]:
        raise DataError(f"{label} holds no ratings")
    frame = {}
    for role, column in values.items():
        refuse = partial(_refuse, files, name, is_array, counts, located[role], column)
        frame[role] = _typed(role, column, f"{label}, column {located[role]!r}", refuse)
    return pd.DataFrame(frame)


# ---------------------------------------------------------------------- from lines to records


def _blocks(stream: IO[bytes], label: str) -> Iterator[_Records]:
    parse: Callable[[list[bytes]], _Records] | None = None
    begins = 1
    while lines := stream.readlines(_BLOCK):
        if begins == 1:
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        full = [line for line in lines if not line.isspace()]
        if full and parse is None:
            parse = _json if _can(_json, full[:1]) else _literals
        if full:
            assert parse is not None
            try:
                yield parse(full)
            except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
                raise DataError(f"{label} {_wrong_line(parse, lines, begins)}") from None
        begins += len(lines)


def _array(text: bytes, label: str) -> _Records:
    try:
        records = json.loads(text.removeprefix(b"\xef\xbb\xbf"), object_pairs_hook=_without_repeated)
    except _RepeatedNameError as error:
        raise DataError(f"{label}: {error.args[0]!r} stands twice in one object; correct it") from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"{label} line {error.lineno}, character {error.colno}: no array of JSON objects: {error.msg}"
        ) from None
    except UnicodeDecodeError:
        raise DataError(f"{label}: {NOT_UTF8}") from None
    except RecursionError:
        raise DataError(f"{label}: no array of JSON objects: lists stand too deep in each other") from None
    except ValueError:  # Python reads no whole number of so many digits
        raise DataError(f"{label}: no array of JSON objects: a number has thousands of digits; correct it") from None
    wrong = next((at for at, record in enumerate(records, start=1) if type(record) is not dict), None)
    if wrong is not None:
        raise DataError(f"{label} record {wrong}: no object of JSON: {as_shown(str(records[wrong - 1]))!r}; correct it")
    if not records:
        raise DataError(f"{label} holds no ratings")
    return list(records)


def _json(lines: list[bytes]) -> _Records:
    """Parse many lines as one array, which is several times as fast as each by itself."""
    return _checked(json.loads(b"[" + b",".join(lines) + b"]", object_pairs_hook=_without_repeated), lines)


def _without_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        _refuse_repeated([name for name, _ in pairs])
    return record


def _refuse_repeated(names: list[Any]) -> None:
    if len(set(names)) < len(names):
        raise _RepeatedNameError(next(name for at, name in enumerate(names) if name in names[:at]))


def _literals(lines: list[bytes]) -> _Records:
    if max(map(len, lines)) > _MAX_LINE:
        raise ValueError
    return _checked([_literal(line.decode().strip()) for line in lines], lines)


def _literal(text: str) -> Any:
    """Evaluate a dict; neither it nor one in a list that it holds has a name twice."""
    tree = ast.parse(text, mode="eval").body
    values = tree.values if isinstance(tree, ast.Dict) else []
    for node in [tree, *(inner for value in values if isinstance(value, ast.List) for inner in value.elts)]:
        if isinstance(node, ast.Dict):
            _refuse_repeated([name.value for name in node.keys if isinstance(name, ast.Constant)])
    return ast.literal_eval(tree)


def _checked(records: list[Any], lines: list[bytes]) -> _Records:
    if len(records) != len(lines) or not all(type(record) is dict for record in records):
        raise ValueError
    return records


def _can(parse: Callable[[list[bytes]], _Records], lines: list[bytes]) -> bool:
    try:
        parse(lines)
    except _RepeatedNameError:  # it could be parsed
        return True
    except (ValueError, RecursionError):
        return False
    return True


def _wrong_line(parse: Callable[[list[bytes]], _Records], lines: list[bytes], begins: int) -> str:
    kind = "object of JSON" if parse is _json else "dict of Python"
    for number, line in enumerate(lines, start=begins):
        if line.isspace():
            continue
        try:
            parse([line])
        except _RepeatedNameError as error:
            return f"line {number}: {error.args[0]!r} stands twice in one object; correct or delete the line"
        except UnicodeDecodeError:
            return f"line {number}: {NOT_UTF8}"
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            shown = as_shown(line.decode(errors="replace").strip())
            return f"line {number}: no {kind}: {shown!r}; correct or delete the line"
    return f"lines {begins} to {begins + len(lines) - 1} do not hold an {kind} each"


def _inner_list(record: dict[str, Any]) -> str:
    """Return the field that holds a list of ratings; "" where the record is a rating itself."""
    lists = [key for key, value in record.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return lists[0] if len(lists) == 1 and lists[0] in ("items", "reviews", "ratings") else ""


def _flattened(records: _Records, inner: str, label: str) -> _Records:
    """Return a record for each of the inner ones, with the fields of the outer one that it has not itself."""
    flat: _Records = []
    for record in records:
        of_user = record.get(inner)
        if not isinstance(of_user, list) or not all(type(each) is dict for each in of_user):
            raise DataError(f"{label}: {inner!r} of a line is no list of objects: {as_shown(str(of_user))!r}")
        flat += [{**record, **each} for each in of_user]
    return flat


# ---------------------------------------------------------------------- from values to columns


def _typed(role: str, column: list[Any], what: str, refuse: Refuse) -> pd.Series[Any]:
    kinds = set(map(type, column))
    allowed = {int, float, str} if role in ("user", "item", "timestamp") else {int, float, bool, str}
    if strange := kinds - allowed:
        bad = np.fromiter((type(value) in strange for value in column), dtype=bool, count=len(column))
        kind = "id" if role in ("user", "item") else role
        if type(None) in strange:
            refuse(np.fromiter((value is None for value in column), bool, len(column)), f"the {kind} is missing")
        refuse(bad, f"{{value!r}} is no {kind}; correct or delete the line")
    is_id = role in ("user", "item")
    values: pd.Series[Any]
    if kinds == {int} and role != "rating" and -(2**63) <= min(column) <= max(column) < 2**63:
        values = pd.Series(np.array(column, dtype=np.int64))
    elif str not in kinds and not (is_id and kinds == {int}):  # whole numbers beyond 64 bits are text as ids
        values = pd.Series([_as_float(value) for value in column], dtype=np.float64)
    else:
        values = pd.Series([value if type(value) is str else str(value) for value in column], dtype=object)
        values = distinct_ids(values) if is_id else values.str.strip()
    if role in ("rating", "weight"):
        return text_numbers(values, role, refuse, decimal_comma=True)
    if role == "timestamp":
        return plain_times(text_times(values, refuse), what, refuse)
    return plain_ids(text_ids(values, what, refuse), what, refuse)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _refuse(
    files: Files,
    name: str,
    is_array: bool,
    counts: list[int],
    column: str,
    values: list[Any],
    bad: NDArray[np.bool_],
    wrong: str,
) -> NoReturn:
    at = int(np.argmax(bad))
    shown = as_shown(values[at] if isinstance(values[at], int | float | str | None) else str(values[at]))
    record = int(np.searchsorted(np.cumsum(counts), at, side="right")) if counts else at
    place = f"record {record + 1}"
    if not is_array:
        with files.open(name) as stream:
            numbers = (number for number, line in enumerate(stream, start=1) if not line.isspace())
            place = f"line {next(itertools.islice(numbers, record, None))}"
    raise DataError(f"{files.label(name)} {place}, column {column!r}: {wrong.format(value=shown)}")
