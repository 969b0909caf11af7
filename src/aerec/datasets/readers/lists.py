"""Lists of items, one line a user: ``user item item …`` (LightGCN) and ``count item item …`` (CiteULike)."""

from __future__ import annotations

import re
import warnings
from codecs import BOM_UTF8
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.datasets.readers.columns import MOVIELENS_COLUMNS, Columns
from aerec.datasets.readers.files import Files, plain_name
from aerec.errors import DataError
from aerec.frames import Duplicates
from aerec.interactions import Interactions
from aerec.sparse import CSR

_COUNTED = "users.dat"  # the name that the lists of CiteULike have
_STARS = 10  # whole numbers up to here may be ratings
_TIMES = (10**8, 10**10)  # whole numbers between these may be seconds since 1970
_CURE = "if the lines are ratings, pass columns={}; if they are lists of items, pass rating=None"


def looks_like_lists(line: str) -> bool:
    """Whether the first line of a file is whole numbers set apart by blanks."""
    return re.fullmatch(r"\s*\d+(?: +\d+)*\s*", line, re.ASCII) is not None


def read_lists(
    files: Files, name: str, columns: Columns | None = None, duplicates: Duplicates = "last"
) -> Interactions:
    """Read one line a user; a user without items is a user without ratings.

    Where a line begins with the number of items that follow, as in ``users.dat`` of CiteULike, the users are numbered
    from 0.

    Parameters
    ----------
    files, name
        The file.
    columns : Columns, optional
        ``rating=None`` says that the numbers are items, whatever they look like.
    duplicates : "last", "first" or "sum", default "last"
        An item that stands in a line several times counts once, or so many times.

    Raises
    ------
    DataError
        If a token is no whole number, no line has an item, a line of CiteULike does not hold as many items as it
        says, a user has a second line, or the lines look like ratings; names the file, the line and the value.
    """
    label = files.label(name)
    numbers, opens, line_of = _tokens(files, name)
    users = pd.Index(numbers[opens])
    lengths = np.diff(np.append(np.flatnonzero(opens), len(numbers)))
    counts = users == lengths - 1
    counted = bool(counts.all())
    if plain_name(name) == _COUNTED and not counted and 2 * counts.sum() > len(counts):
        at = int(np.argmin(counts))
        raise DataError(
            f"{label} line {line_of[opens][at] + 1}: {lengths[at] - 1} items where the line says {users[at]}; get the "
            "file again"
        )
    if counted and (plain_name(name) == _COUNTED or users.has_duplicates):
        users = pd.Index(np.arange(len(users)))
        if numbers.min(initial=0) < 0:
            at = int(np.argmax(numbers < 0))
            raise DataError(f"{label} line {line_of[at] + 1}: item {numbers[at]}, but items are numbered from 0")
    elif columns is None or columns.rating is not None:
        _refuse_ratings(numbers, lengths, f"{label} line {line_of[0] + 1}")
    if users.has_duplicates:
        at = int(np.argmax(users.duplicated()))
        raise DataError(
            f"{label} line {line_of[opens][at] + 1}: user {users[at]} has a second line, expected one line a user "
            '(user item item …); if the lines are ratings, pass columns=("user", "item", "rating")'
        )
    if opens.all() and (columns is None or columns.rating is not None):
        raise DataError(
            f"{label} holds one number a line, expected user item item …; if these are users without items, pass "
            "rating=None"
        )
    frame = pd.DataFrame({"user": users[np.cumsum(opens) - 1], "item": numbers})[~opens]
    return Interactions.from_frame(frame, rating=None, duplicates=duplicates).with_users(users.sort_values())


def read_item_tags(files: Files, name: str, items: pd.Index[Any]) -> tuple[CSR, pd.Index[Any]] | None:
    """Read the tags of items that CiteULike has beside ``users.dat``; None where they are not there.

    ``item-tag.dat`` has a line an item, ``count tag tag …``, the items numbered from 0; ``tags.dat`` a name a line.

    Parameters
    ----------
    files, name
        The ratings, and what lies beside them.
    items : pandas.Index of int

    Returns
    -------
    csr_array of shape (n_items, n_tags), names of the tags; or None

    Raises
    ------
    DataError
        If a line does not hold as many tags as it says, or there are more tags than names.
    """
    features = files.find("item-tag.dat") if plain_name(name) == _COUNTED else None
    if features is None or items.dtype.kind != "i":
        return None
    numbers, opens, line_of = _tokens(files, features)
    label, begins = files.label(features), np.flatnonzero(opens)
    lengths = np.diff(np.append(begins, len(numbers)))
    if (wrong := numbers[begins] != lengths - 1).any():
        at = int(np.argmax(wrong))
        raise DataError(
            f"{label} line {line_of[begins[at]] + 1}: {lengths[at] - 1} tags where the line says {numbers[begins[at]]}"
        )
    tags = numbers[~opens]
    n_tags = int(tags.max(initial=-1)) + 1
    names = [f"tag {at}" for at in range(n_tags)]
    if listed := files.find("tags.dat"):
        with files.open(listed) as stream:
            names = stream.read().decode(errors="replace").splitlines()
    if tags.min(initial=0) < 0 or n_tags > len(names):
        raise DataError(
            f"{label} names tag {n_tags - 1}, tags.dat has {len(names):,} of them from 0; get the files again"
        )
    starts = np.concatenate(([0], np.cumsum(lengths - 1)))
    matrix: CSR = sp.csr_array((np.ones(len(tags), np.float32), tags, starts), shape=(len(lengths), len(names)))
    known = (items >= 0) & (items < len(lengths))
    pick: CSR = sp.csr_array(
        (np.ones(int(known.sum()), np.float32), (np.flatnonzero(known), items[known].to_numpy())),
        shape=(len(items), len(lengths)),
    )
    return pick @ matrix, pd.Index(names)


def _tokens(files: Files, name: str) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return the whole numbers in a file, which of them begin a line, and the line that each stands in."""
    label = files.label(name)
    with files.open(name) as stream:
        content = stream.read().removeprefix(BOM_UTF8)
    letters = np.frombuffer(content, dtype=np.uint8)
    blank = letters <= ord(" ")
    starts = np.flatnonzero(~blank & np.concatenate(([True], blank[:-1])))  # where each token begins
    line_of = np.searchsorted(np.flatnonzero(letters == ord("\n")), starts)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # older NumPy stops at a token that is no number
        try:
            numbers = np.fromstring(content, dtype=np.int64, sep=" ")
        except (ValueError, DeprecationWarning):
            numbers = np.empty(0, np.int64)
    if len(numbers) != len(starts) or (len(numbers) and numbers.max() == np.iinfo(np.int64).max):
        raise DataError(f"{label} {_wrong_token(content)}")
    opens = np.ones(len(starts), dtype=bool)  # the first token of a line is its user
    opens[1:] = line_of[1:] != line_of[:-1]
    return numbers, opens, line_of


def _refuse_ratings(numbers: NDArray[np.int64], lengths: NDArray[np.int64], place: str) -> None:
    """Refuse lines that are as long as ratings and end in what looks like stars or times."""
    n_fields = int(lengths[0]) if len(lengths) else 0
    if n_fields not in (3, 4) or (lengths != n_fields).any():
        return
    table = numbers.reshape(-1, n_fields)
    line = " ".join(map(str, table[0].tolist()))
    if n_fields == 4 and ((table[:, 3] >= _TIMES[0]) & (table[:, 3] <= _TIMES[1])).all():
        raise DataError(f"{place}: {line!r} ends in what looks like a time; {_CURE.format(MOVIELENS_COLUMNS)}")
    if n_fields == 3 and table[:, 2].max() <= _STARS < table[:, 1].max():
        raise DataError(f"{place}: {line!r} ends in what looks like a rating; {_CURE.format(MOVIELENS_COLUMNS[:3])}")


def _wrong_token(content: bytes) -> str:
    for number, line in enumerate(content.splitlines(), start=1):
        for token in line.split():
            if not re.fullmatch(rb"-?\d{1,18}", token):
                shown = token[:40].decode(errors="replace")
                is_rating = len(line.split()) in (3, 4) and re.fullmatch(rb"-?\d+[.,]\d*", token)
                cure = f"; {_CURE.format(MOVIELENS_COLUMNS[: len(line.split())])}" if is_rating else ""
                return f"line {number}: {shown!r} is not a whole number; expected user item item …{cure}"
    return "is not a list of whole numbers; expected user item item … on each line"
