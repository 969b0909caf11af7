"""Raw ids: how they are given, of what kinds they are, and which of them can be told apart and stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from aerec.errors import DataError, warn_caller

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}(?:\.0*)?")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_KINDS = {"i": "whole numbers", "u": "whole numbers", "f": "numbers", "b": "booleans"}
_TYPES = {int: "whole numbers", float: "numbers with fractions", bool: "booleans", str: "text"}
_NUMBERS = {"whole numbers", "numbers with fractions"}  # 7 and 7.0 are one id
_BOOLEAN = {"true": True, "1": True, "false": False, "0": False}


def as_ids(ids: Any) -> pd.Index[Any]:
    """Return `ids` as an index that holds each of them as it is.

    A list is not made an array, which would have one type for all: text of 1 and "a", a float of 2⁶³ and −1, two
    columns of two tuples. A float from 2⁵³ on is refused: it would name another id than the one it was made of.

    Parameters
    ----------
    ids : Index, Series, ndarray, any other iterable of ids, or a single id
        Text is a single id.

    Examples
    --------
    >>> from aerec.ids import as_ids
    >>> as_ids([1, "a", (2, 3)]).tolist()
    [1, 'a', (2, 3)]
    >>> as_ids("a").tolist()
    ['a']
    """
    if isinstance(ids, pd.Index):
        index = ids
    elif isinstance(ids, pd.Series):
        index = pd.Index(ids)
    elif isinstance(ids, np.ndarray | pd.api.extensions.ExtensionArray):
        index = pd.Index(np.atleast_1d(ids) if isinstance(ids, np.ndarray) else ids, tupleize_cols=False)
    else:
        values = [ids] if isinstance(ids, str | bytes) or not isinstance(ids, Iterable) else list(ids)
        index = pd.Index(values, dtype=object, tupleize_cols=False)
    _refuse_inexact(index)
    return index


def _refuse_inexact(ids: pd.Index[Any]) -> None:
    """Refuse a float that stands for several whole numbers."""
    if ids.dtype.kind == "f":
        values = ids.to_numpy(dtype=np.float64, na_value=np.nan)
        large = np.isfinite(values) & (np.abs(values) >= exact_limit(ids.to_numpy()[:0].dtype))
        if large.any():
            raise _inexact(ids[large][0])
    elif ids.dtype == object and pd.api.types.infer_dtype(ids) not in ("integer", "string"):
        for each in ids:
            is_finite = isinstance(each, float | np.floating) and np.isfinite(each)
            if is_finite and abs(float(each)) >= exact_limit(np.dtype(type(each))):
                raise _inexact(each)


def _inexact(identifier: Any, what: str = "") -> DataError:
    return DataError(
        f"the {what}id {shown(identifier)} is a float that stands for several whole numbers, so that ids may have "
        "become others already: read the column as text, or as pandas' 'Int64', which has missing values too"
    )


def checked_ids(ids: Any, name: str) -> pd.Index[Any]:
    """Return the ids of users or items as an index: whole numbers that are floats as such, with a warning.

    Raises
    ------
    DataError
        If one is missing, or cannot be an id, such as a list.
    """
    index: pd.Index[Any] = pd.Index(ids, name=name, tupleize_cols=False)
    whole = without_points(index, name)
    if index.hasnans or (index.dtype == object and not all(map(pd.api.types.is_hashable, index))):
        missing = index.isna()
        at = next(at for at, value in enumerate(index) if missing[at] or not pd.api.types.is_hashable(value))
        raise DataError(f"the {name} ids hold {index[at]!r} at place {at}, which is no id; ids are numbers or text")
    if whole is not index and len(index):
        warn_caller(
            f"the {name} ids are whole numbers with a decimal point, as after missing values: {index[0]} is read as "
            f"{whole[0]}"
        )
    return whole


def without_points(ids: pd.Index[Any], what: str) -> pd.Index[Any]:
    """Return ids that are whole numbers kept as floats, as pandas keeps them after a missing value, as int64.

    Parameters
    ----------
    ids : pandas.Index
        Of any type; all but such floats are returned as they are.
    what : str
        Whose ids they are, such as "user".

    Raises
    ------
    DataError
        If one is not finite, or so large (2⁵³ in 64 bits) that a float stands for several whole numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec.ids import without_points
    >>> without_points(pd.Index([1.0, 2.0]), "user").tolist(), without_points(pd.Index([1.0, 2.5]), "user").tolist()
    ([1, 2], [1.0, 2.5])
    """
    if ids.dtype.kind != "f":
        return ids
    values = ids.to_numpy()
    if not np.isfinite(values).all():
        raise DataError(f"the {what} ids hold {values[~np.isfinite(values)][0]}, which is no id; drop such rows first")
    if (large := np.abs(values) >= exact_limit(values.dtype)).any():
        raise _inexact(values[large][0], f"{what} ")
    if (values != np.floor(values)).any():
        return ids
    return pd.Index(values.astype(np.int64), name=ids.name)


def exact_limit(dtype: np.dtype[Any]) -> float:
    """Return from where on a float of this type stands for several whole numbers: 2⁵³ in 64 bits."""
    return float(2.0 ** (np.finfo(dtype).nmant + 1))


def id_from_text(text: str, known: pd.Index[Any]) -> Any:
    """Return the id that `text` names among ids of the type of `known`; None where it can name none of that type.

    The one way from what somebody types (command line, address of a request, JSON) to a raw id. Whether the id is
    among `known` is not looked at; it always fits their type, so that ``known.get_indexer([id])`` is safe.

    Parameters
    ----------
    text : str
        Blanks around a number do not count; around text they do.
    known : pandas.Index
        Whole numbers of any width, floats, booleans or text.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec.ids import id_from_text
    >>> id_from_text("1212092628029698001", pd.Index([5, 7])), id_from_text("7", pd.Index(["007", "7"]))
    (1212092628029698001, '7')
    >>> id_from_text("1", pd.Index([1.0, 2.5])), id_from_text("300", pd.Index([5, 7], dtype="int8"))
    (1.0, None)
    """
    kind, number = known.dtype.kind, text.strip(" ")
    if kind in "iu":
        if not _WHOLE.fullmatch(number):
            return None
        whole = int(number.partition(".")[0])
        limits = np.iinfo(known.to_numpy()[:0].dtype)
        return whole if limits.min <= whole <= limits.max else None
    if kind == "f":
        if not _FLOAT.fullmatch(number):
            return None
        dtype, value = known.to_numpy()[:0].dtype, float(number)
        return float(dtype.type(value)) if abs(value) < exact_limit(dtype) else None
    if kind == "b":
        return _BOOLEAN.get(number.lower())
    return text


def union_of_ids(indexes: Sequence[pd.Index[Any]], kind: str) -> pd.Index[Any]:
    """Return all ids of several indexes, sorted; in the order in which they first come where they have no order.

    Parameters
    ----------
    indexes : sequence of Index
    kind : str
        What they identify: "user" or "item".

    Raises
    ------
    DataError
        If they are of different types: 7 and "7" would be two ids. Says how to convert them.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec.ids import union_of_ids
    >>> union_of_ids([pd.Index([5, 7]), pd.Index([3, 7])], "user").tolist()
    [3, 5, 7]
    """
    filled = [(at, index) for at, index in enumerate(indexes) if len(index)]
    for at, index in filled[1:]:
        first, expected, given = filled[0][0], _kinds(filled[0][1]), _kinds(index)
        if expected != given and not expected | given <= _NUMBERS:
            common = "str" if "text" in expected | given else "int"
            raise DataError(
                f"the {kind} ids of part {first} are {_words(expected)}, such as {filled[0][1][:1].tolist()[0]!r}, "
                f"those of part {at} {_words(given)}, such as {index[:1].tolist()[0]!r}: convert one of them before "
                f"from_frame, such as df[{kind!r}] = df[{kind!r}].astype({common})"
            )
    if not filled:
        return indexes[0]
    union = _appended([index for _, index in filled], kind).unique()
    try:
        return union if union.is_monotonic_increasing else union.sort_values()
    except TypeError:  # ids of mixed types have no order
        return union


def _appended(indexes: Sequence[pd.Index[Any]], kind: str) -> pd.Index[Any]:
    """Return all ids one after the other; whole numbers with and without a sign do not become floats."""
    if {index.dtype.kind for index in indexes} == {"i", "u"}:
        lowest, highest = (int(end(int(end(index)) for index in indexes)) for end in (min, max))
        if lowest < 0 and highest >= 2**63:
            raise DataError(
                f"the {kind} ids of the parts go from {lowest} to {highest}: no type of 64 bits holds them all; "
                f"convert them before from_frame, such as df[{kind!r}] = df[{kind!r}].astype(str)"
            )
        indexes = [index.astype("int64" if highest < 2**63 else "uint64") for index in indexes]
    return indexes[0].append(list(indexes[1:]))


def refuse_other_kind(given: pd.Index[Any], known: pd.Index[Any], what: str, whose: str = "the training data") -> None:
    """Refuse ids that can never meet those that are known, because one side are numbers, the other text.

    Parameters
    ----------
    given, known : pandas.Index
    what : str
        Whose ids they are, such as "items of the history".
    whose : str, default "the training data"
        Whose those are that are known.

    Raises
    ------
    DataError
        Names both types, an example of each, and how to convert them.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec.ids import refuse_other_kind
    >>> refuse_other_kind(pd.Index(["0001", "0002"]), pd.Index([1, 2]), "users of the test data")
    Traceback (most recent call last):
    aerec.errors.DataError: the users of the test data are text, such as '0001', those of the training data whole ...
    """
    if not same_kind(given, known):
        kinds, others = _words(_kinds(given)), _words(_kinds(known))
        raise DataError(
            f"the {what} are {kinds}, such as {examples(given, 1)}, those of {whose} {others}, such as "
            f"{examples(known, 1)}: they never meet; convert one side before it is read, as with "
            "frame['user'].astype('int64') or .astype(str)"
        )


def same_kind(first: pd.Index[Any], second: pd.Index[Any]) -> bool:
    """Whether some ids of the two could be equal by their types; true where there are none.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec.ids import same_kind
    >>> same_kind(pd.Index([1, 2]), pd.Index(["1"])), same_kind(pd.Index([1, "a"]), pd.Index(["b"]))
    (False, True)
    """
    kinds, others = _kinds(first), _kinds(second)
    return not kinds or not others or bool(kinds & others)


def examples(ids: pd.Index[Any], n: int = 3) -> str:
    """Return the first few ids as a message shows them."""
    return ", ".join(repr(identifier) for identifier in ids[:n].tolist()) or "none"


def shown(identifier: Any) -> str:
    """Return an id as it is written in Python."""
    return repr(identifier.item() if isinstance(identifier, np.generic) else identifier)


def _words(kinds: set[str]) -> str:
    return " and ".join(sorted(kinds))


def _kinds(ids: pd.Index[Any]) -> set[str]:
    """Return of what types ids are, in words; empty where there are none."""
    if len(ids) == 0:
        return set()
    if (kind := ids.dtype.kind) in _KINDS:
        if kind == "f":
            whole = np.equal(np.floor(ids), ids)
            return {
                name for name, holds in (("whole numbers", whole), ("numbers with fractions", ~whole)) if holds.any()
            }
        return {_KINDS[kind]}
    if pd.api.types.infer_dtype(ids, skipna=False) == "string":
        return {"text"}
    plain = (identifier.item() if isinstance(identifier, np.generic) else identifier for identifier in ids.tolist())
    types = {int if isinstance(each, float) and each.is_integer() else type(each) for each in plain}
    return {_TYPES.get(each, each.__name__) for each in types}


def check_storable(index: pd.Index[Any], name: str) -> None:
    """Refuse ids that `aerec.stored_ids.encode_index` cannot store: neither numbers of at most 64 bits nor text.

    Cheap enough for the door: one look at the type, and for text one pass over the ids.

    Parameters
    ----------
    index : pandas.Index
    name : str
        What the ids are of, for the message: "user" or "item".

    Raises
    ------
    DataError
        Names the first id that cannot be stored and how to convert the column.
    """
    kind = index.dtype.kind
    if kind in "iub" or (kind == "f" and index.to_numpy()[:0].dtype.itemsize <= 8):
        return
    cure = f"convert the column before, such as df[{name!r}].astype(str)"
    if kind != "O" or pd.api.types.infer_dtype(index.to_numpy(dtype=object), skipna=False) not in ("string", "empty"):
        odd = next((identifier for identifier in index if not isinstance(identifier, str)), None)
        mixed = (
            " beside text"
            if isinstance(odd, int | float) and any(isinstance(identifier, str) for identifier in index)
            else ""
        )
        raise DataError(
            f"{name} ids have to be numbers of at most 64 bits or text, all of one type; got {type(odd).__name__} "
            f"{str(odd)[:60]!r}{mixed} in a column of type {index.dtype}: {cure}"
        )
    try:
        "".join(index).encode()
    except UnicodeEncodeError:
        odd = next(identifier for identifier in index if not _is_unicode(identifier))
        raise DataError(f"{name} id {odd[:60]!r} is no valid Unicode text: {cure}, or repair its encoding") from None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
