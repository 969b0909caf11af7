"""Raw ids: how they are given, and what each of them is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.errors import DataError, warn_caller

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}(?:\.0*)?")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
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


def places_of(ids: pd.Index[Any], index: pd.Index[Any]) -> NDArray[np.int64]:
    """Return where each of `ids` stands in an index; −1 for those that do not.

    Ids that are objects, as of a list, become of the type of the index where that changes none of them: pandas would
    make objects of the whole index, for every call.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec.ids import as_ids, places_of
    >>> places_of(as_ids([20, "a"]), pd.Index([10, 20]))
    array([ 1, -1])
    """
    if ids.dtype == object and index.dtype.kind != "f":
        typed = ids.infer_objects()
        ids = typed if typed.dtype == index.dtype else ids
    return index.get_indexer(ids).astype(np.int64)


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
    is_flat = isinstance(ids, pd.Index) and not isinstance(ids, pd.MultiIndex)
    # a renamed one keeps what is known of it already, such as that no id stands twice
    index: pd.Index[Any] = ids.rename(name) if is_flat else pd.Index(ids, name=name, tupleize_cols=False)
    whole = without_points(index, name)
    odd = index.dtype == object and index.inferred_type not in ("string", "integer")
    if index.hasnans or (odd and not all(map(pd.api.types.is_hashable, index))):
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


def examples(ids: pd.Index[Any], n: int = 3) -> str:
    """Return the first few ids as a message shows them."""
    return ", ".join(repr(identifier) for identifier in ids[:n].tolist()) or "none"


def shown(identifier: Any) -> str:
    """Return an id as it is written in Python."""
    return repr(identifier.item() if isinstance(identifier, np.generic) else identifier)
