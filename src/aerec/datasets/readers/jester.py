"""Jester: a line a user, the number of the jokes that were rated and then a rating of every joke, 99 for none."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.datasets.readers.columns import Columns
from aerec.datasets.readers.files import Files, plain_name
from aerec.datasets.readers.values import as_shown
from aerec.errors import DataError
from aerec.numerals import NUMBER
from aerec.system.extras import import_extra

_NAME = re.compile(r"jester-data-\d\.(?:csv|xls)")
_NONE = 99.0
_SCALE = 10.0


def is_jester(name: str) -> bool:
    """Whether a file is a table of Jester, by its name: ``jester-data-1.xls``, ``jester-data-2.csv``, …."""
    return _NAME.fullmatch(plain_name(name)) is not None


def read_jester(files: Files, names: list[str], columns: Columns) -> pd.DataFrame:
    """Read tables of Jester as one: users are numbered from 1 through all files, jokes are the columns from 1.

    Parameters
    ----------
    files, names
        Excel workbooks of old (``.xls``, by the package xlrd), or the same tables as CSV.
    columns : Columns
        ``rating=None``: that a joke was rated is all that counts.

    Returns
    -------
    pandas.DataFrame
        Columns user, item (int64) and rating (−10 to 10).

    Raises
    ------
    DataError
        If a line has another length, a rating is off the scale, or the first field does not count the ratings of its
        line; names the file, the line and the column.
    MissingExtraError
        If a workbook is to be read and xlrd is not installed.
    """
    parts, n_users = [], 0
    for name in names:
        table = _workbook(files, name) if plain_name(name).endswith(".xls") else _text(files, name)
        ratings = _checked(table, files.label(name))
        rows, jokes = np.nonzero(ratings != _NONE)
        parts.append(pd.DataFrame({"user": rows + n_users + 1, "item": jokes + 1, "rating": ratings[rows, jokes]}))
        n_users += len(ratings)
    frame = pd.concat(parts, ignore_index=True)
    return frame if columns.rating is not None else frame.drop(columns="rating")


def _text(files: Files, name: str) -> NDArray[np.float64]:
    with files.open(name) as stream:
        content = stream.read().removeprefix(BOM_UTF8)
    try:
        frame = pd.read_csv(io.BytesIO(content), header=None, dtype=np.float64, encoding="latin-1")
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{files.label(name)} {_wrong_line(content) or str(error).splitlines()[0]}") from None
    return frame.to_numpy(np.float64, na_value=_NONE)


def _wrong_line(content: bytes) -> str | None:
    rows = csv.reader(io.StringIO(content.decode("latin-1")))
    width = 0
    for number, row in enumerate(rows, start=1):
        width = width or len(row)
        if len(row) != width:
            return f"line {number}: {len(row)} fields where {width} are expected; correct or delete the line"
        at = next((at for at, field in enumerate(row) if not NUMBER.fullmatch(field.strip())), None)
        if at is not None:
            return f"line {number}, column {at + 1}: {as_shown(row[at])!r} is not a number; correct it"
    return None


def _workbook(files: Files, name: str) -> NDArray[np.float64]:
    import_extra("xlrd", f"{files.label(name)}: an Excel workbook")
    with files.open(name) as stream:
        content = io.BytesIO(stream.read())
    try:
        frame = pd.read_excel(content, header=None, engine="xlrd")
        return frame.to_numpy(np.float64, na_value=_NONE)
    except Exception as error:  # xlrd raises whatever a damaged workbook leads it to
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{files.label(name)} is no workbook of numbers, or it is damaged ({first})") from None


def _checked(table: NDArray[np.float64], label: str) -> NDArray[np.float64]:
    """Return the ratings of a table, after a look at every one of them."""
    ratings: NDArray[Any] = table[:, 1:]
    rated = ratings != _NONE
    off = rated & ~(np.abs(ratings) <= _SCALE)
    if off.any():
        row, joke = np.argwhere(off)[0]
        raise DataError(
            f"{label} line {row + 1}, column {joke + 2}: the rating {ratings[row, joke]:g} is not on the scale from "
            "-10 to 10, and 99 stands for none; correct it"
        )
    wrong = table[:, 0] != rated.sum(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{label} line {row + 1}: {rated[row].sum()} ratings where the first field says {table[row, 0]:g}; get the "
            "file again"
        )
    return ratings
