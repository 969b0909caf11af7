"""Of what kinds raw ids are: which can meet, and which can be stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from aerec.errors import DataError
from aerec.ids import examples

_KINDS = {"i": "whole numbers", "u": "whole numbers", "f": "numbers", "b": "booleans"}
_TYPES = {int: "whole numbers", float: "numbers with fractions", bool: "booleans", str: "text"}
_NUMBERS = {"whole numbers", "numbers with fractions"}  # 7 and 7.0 are one id


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
    >>> from aerec.id_kinds import union_of_ids
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
    >>> from aerec.id_kinds import refuse_other_kind
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
    >>> from aerec.id_kinds import same_kind
    >>> same_kind(pd.Index([1, 2]), pd.Index(["1"])), same_kind(pd.Index([1, "a"]), pd.Index(["b"]))
    (False, True)
    """
    kinds, others = _kinds(first), _kinds(second)
    return not kinds or not others or bool(kinds & others)


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
