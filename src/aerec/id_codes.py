"""Ids of a column, numbered by their sorted order."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.errors import DataError, warn_caller
from aerec.tables import first_row, plain

_NUMBER = re.compile(r"(?<=\0)(0*([0-9]+)(?:\.0+)?)(?=\0)")


def id_codes(ids: pd.Series[Any], name: str) -> tuple[NDArray[Any], pd.Index[Any]]:
    """Number ids by their sorted order.

    Returns
    -------
    codes : ndarray of int, shape (n,)
    uniques : pandas.Index
        Whole numbers, text or what else `ids` holds, without an extension type of pandas.

    Raises
    ------
    DataError
        If an id is missing, ids are of several types, or they cannot be ids.
    """
    missing = ids.isna()
    if missing.any():
        count = f"{missing.sum():,} such row{'s' if missing.sum() > 1 else ''}"
        raise DataError(
            f"row {first_row(missing)}: column {name!r} has no id ({count}; rows count from 0); drop them first"
        )
    codes, index = _codes(plain(ids), name)
    warn_of_spellings(index, name)
    return codes, index


def warn_of_spellings(ids: pd.Index[Any], name: str) -> None:
    """Say which different ids are likely to mean the same: by blanks around them, accents, or zeros of a number.

    Parameters
    ----------
    ids : pandas.Index
        Each once; looked at if they are text.
    name : str
        Of their column.
    """
    if len(ids) and (isinstance(ids.dtype, pd.StringDtype) or ids.inferred_type == "string"):
        text = "\0".join(np.asarray(ids, dtype=object))  # an index of Arrow makes one text after the other
        _warn_of_blanks(ids, text, name)
        _warn_of_accents(ids, text, name)
        _warn_of_zeros(text, name)


def _codes(ids: pd.Series[Any], name: str) -> tuple[NDArray[Any], pd.Index[Any]]:
    if isinstance(ids.dtype, pd.CategoricalDtype):
        codes, uniques = _codes(plain(pd.Series(ids.cat.categories)), name)
        codes, used = _ranks(codes[ids.cat.codes.to_numpy()], len(uniques))
        return codes, uniques[used]
    ids = _of_one_type(ids, name) if ids.dtype == object else ids
    if isinstance(ids.dtype, np.dtype) and ids.dtype.kind in "iu" and len(ids):
        low, high = int(ids.min()), int(ids.max())
        if high - low < max(4 * len(ids), 1 << 16):  # for a narrow range a table beats a hash table
            values = ids.to_numpy()
            values = values.astype(np.int64, copy=False) if values.dtype.kind == "i" else values  # int8: 127 − (−128)
            codes, used = _ranks((values - low).astype(np.int64, copy=False), high - low + 1)
            return codes, pd.Index((used.astype(values.dtype) + values.dtype.type(low)).astype(ids.dtype))
    try:
        codes, uniques = pd.factorize(ids, sort=True)
    except TypeError:
        kind = type(ids.iloc[0]).__name__
        raise DataError(f"column {name!r} holds values of type {kind}; ids are numbers or text") from None
    if uniques.dtype == object or isinstance(uniques.dtype, pd.StringDtype):
        try:
            index = pd.Index(np.asarray(uniques, dtype=object), tupleize_cols=False)  # pandas' type for any text
            if index.dtype == object and pd.api.types.infer_dtype(index, skipna=False) == "string":  # before pandas 3
                for text in index:
                    text.encode()
            return codes, index
        except UnicodeEncodeError as error:  # half of a pair of surrogates
            raise DataError(f"column {name!r}: the id {error.object!r} is no valid Unicode text; repair it") from None
    return codes, pd.Index(uniques, tupleize_cols=False)


def _warn_of_blanks(ids: pd.Index[Any], text: str, name: str) -> None:
    """Say that an id such as "ann " is another one than "ann": in a file the blanks would go."""
    if not any(pair in f"\0{text}\0" for pair in ("\0 ", " \0", "\0\t", "\t\0")):
        return
    blank = next((each for each in ids if each != each.strip()), None)
    if blank is None:  # there is an id with a NUL in it
        return
    warn_caller(
        f"column {name!r} holds ids with blanks around them, such as {blank!r}, which are other ids than those "
        f"without; df[{name!r}] = df[{name!r}].str.strip() makes them one"
    )


def _warn_of_accents(ids: pd.Index[Any], text: str, name: str) -> None:
    """Say that "é" as one character is another id than "e" with an accent, where there are both."""
    if unicodedata.is_normalized("NFC", text):
        return
    composed = pd.Index(unicodedata.normalize("NFC", text).split("\0"))
    twice = composed[composed.duplicated()].unique()
    if len(twice) and len(composed) == len(ids):
        warn_caller(
            f"column {name!r} holds {len(twice):,} ids in two spellings that look the same, such as {twice[0]!r}: "
            f"an accent is a character of its own in one; df[{name!r}].str.normalize('NFC') makes them one"
        )


def _warn_of_zeros(text: str, name: str) -> None:
    """Say that "007" and "7.0" are other ids than "7", where there are both."""
    text = f"\0{text}\0"
    if "\0" + "0" not in text and ".0\0" not in text:
        return
    found = pd.DataFrame(_NUMBER.findall(text), columns=["id", "number"], dtype=str)
    twice = found[found.duplicated("number", keep=False)]
    if len(twice):
        first, second, *_ = twice.loc[twice["number"] == twice["number"].iloc[0], "id"]
        n_numbers = twice["number"].nunique()
        warn_caller(
            f"column {name!r} holds {n_numbers:,} number{'s' if n_numbers > 1 else ''} in two spellings, such as "
            f"{first!r} and {second!r}: these are different ids; write each in one way, as text in all files or "
            "without zeros"
        )


def _ranks(values: NDArray[Any], n: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the rank of each of `values`, which are below `n`, among the different ones, and these."""
    present = np.zeros(n, dtype=bool)
    present[values] = True
    rank = np.cumsum(present, dtype=np.int32 if n < 2**31 else np.int64) - 1
    return rank[values], np.flatnonzero(present)


def _of_one_type(ids: pd.Series[Any], name: str) -> pd.Series[Any]:
    kind = pd.api.types.infer_dtype(ids, skipna=False)
    if kind == "decimal":
        return _of_decimals(ids)
    if kind.startswith("mixed"):
        types = ids.map(type)
        if (other := types != types.iloc[0]).any():
            at = first_row(other)
            raise DataError(
                f"column {name!r} holds ids of several types: {ids.iloc[0]!r} is {types.iloc[0].__name__}, "
                f"{ids.iloc[at]!r} in row {at} is {types.iloc[at].__name__}; give them one type, "
                f"such as df[{name!r}] = df[{name!r}].astype(str)"
            )
    return ids if kind == "string" else ids.infer_objects()


def _of_decimals(column: pd.Series[Any]) -> pd.Series[Any]:
    if all(value.is_finite() and value == value.to_integral_value() for value in column):
        with contextlib.suppress(OverflowError):  # more than 64 bits
            return column.astype("int64")
    return column.astype("float64")
