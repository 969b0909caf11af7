"""Lists of items as text: `--history`, `--allow` and `--block`, with or without ratings, quoted or from a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from aerec.datasets.readers.layout import NOT_UTF8
from aerec.errors import DataError, warn_caller
from aerec.ids import examples, id_from_text
from aerec.interactions import Interactions
from aerec.numerals import number_from_text
from aerec.recommender.new_history import histories_of
from aerec.runs.folder import Run, rating_scale

_PIECE = re.compile(r'\s*("(?:[^"]|"")*"[^,]*|[^,]*)(?:,|$)')
_QUOTED = re.compile(r'"((?:[^"]|"")*)"\s*(?::\s*(.*?))?\s*')
_NEW = "new"


@dataclass(frozen=True)
class NewUser:
    """Somebody of whom only a list of items is known.

    Attributes
    ----------
    seen : Interactions of shape (1, n_items)
        What the model sees.
    disliked : list
        Ids of items that were rated too low to be liked: the model does not see them, and nobody wants them.
    """

    seen: Interactions
    disliked: list[Any]


def known_items(text: str, items: pd.Index[Any], option: str) -> list[Any]:
    """Return the ids of a list such as ``1,"a,b"`` or ``@FILE`` (an id a line) that are among `items`.

    The others are left out with one warning, as a shop's list of what is in stock names items of today.

    Raises
    ------
    DataError
        If there are ids and none of them is known, or the file cannot be read.
    """
    entries = [id_text for id_text, _ in _entries(text, option)]
    ids = [(entry, id_from_text(entry, items)) for entry in entries]
    return [identifier for _, identifier in _known(ids, items, option)]


def require_items(texts: Iterable[str], items: pd.Index[Any]) -> list[Any]:
    """Return the ids that `texts` name; each must be among `items`.

    Raises
    ------
    DataError
        If one is not.
    """
    ids = [(text, id_from_text(text, items)) for text in texts]
    for text, identifier in ids:
        if not _is_known(identifier, items):
            raise DataError(
                f"unknown item {text!r}: not in the data of this run; items are such as {examples(items, 2)}"
            )
    return [identifier for _, identifier in ids]


def new_user(run: Run, text: str) -> NewUser:
    """Return a user with the history `text`, such as ``1,7:4.5,"urn:1":5``, as the model of `run` saw users.

    A bare id is liked, or rated highest. Of a run that learned from likes a rating at or above its threshold is a like,
    a lower one is not; counts are weighed as in the training. What follows the last colon is a rating, unless all of
    the entry is the id of an item.

    Raises
    ------
    DataError
        If no item is known, one stands twice, or a rating is no number on the scale of the run.
    """
    data = run.data
    entries = []
    for entry, rating in _entries(text, "--history"):
        identifier = id_from_text(entry, data.items)
        if rating is None and ":" in entry and not _is_known(identifier, data.items):
            before, _, rating = entry.rpartition(":")
            identifier = id_from_text(before.strip(), data.items)
        entries.append((entry, (identifier, rating)))
    known = [(entry, *value) for entry, value in _known(entries, data.items, "--history", of=lambda value: value[0])]
    ids = [identifier for _, identifier, _ in known]
    if len(set(ids)) < len(ids):
        raise DataError(f"--history names item {next(item for item in ids if ids.count(item) > 1)!r} twice")
    ratings = [None if not rating else _number(rating) for _, _, rating in known]
    stranger = _stranger(data.users)
    try:
        histories = histories_of({stranger: dict(zip(ids, ratings, strict=True))}, data.items, rating_scale(run))
    except DataError as error:
        raise DataError(f"--history: {error}") from None
    return NewUser(replace(histories.seen, item_names=data.item_names), data.items[histories.rejected.indices].tolist())


def _entries(text: str, option: str) -> Iterable[tuple[str, str | None]]:
    """Yield id and rating of each entry; the rating is None where it is absent, or not set apart by quotes."""
    if text.startswith("@"):
        path = Path(text[1:]).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"{option} {text}: {path} is no file; give a file with an item id on each line")
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise DataError(f"{option} {text}: {path} is {NOT_UTF8}") from None
        yield from ((line.strip(), None) for line in lines if line.strip())
        return
    for match in _PIECE.finditer(text):
        piece = match[1].strip()
        if piece.startswith('"'):
            quoted = _QUOTED.fullmatch(piece)
            if quoted is None:
                raise DataError(f'{option}: {piece!r} cannot be read; write ids with , or : as "a,b" or "a:b":5')
            yield quoted[1].replace('""', '"'), quoted[2]
        elif piece:
            yield piece, None


def _known(
    entries: list[tuple[str, Any]], items: pd.Index[Any], option: str, of: Any = lambda value: value
) -> list[tuple[str, Any]]:
    known = [entry for entry in entries if _is_known(of(entry[1]), items)]
    lost = len(entries) - len(known)
    if lost:
        first = next(text for text, value in entries if not _is_known(of(value), items))
        unknown = f"{first!r} is not in the data of this run; items are such as {examples(items, 2)}"
        if items.dtype.kind not in "iufb" and (":" in first or any("," in item or ":" in item for item in items)):
            unknown += '; ids that hold , or : stand in quotes, as in \'"a:b":5,"c,d"\''
        if not known and option != "--block":
            raise DataError(f"no item of {option} is known: {unknown}")
        warn_caller(f"{lost:,} of {len(entries):,} items of {option} left out: {unknown}")
    return known


def _is_known(identifier: Any, items: pd.Index[Any]) -> bool:
    return identifier is not None and bool(identifier in items)


def _number(text: str) -> float:
    try:
        rating = number_from_text(text)
    except ValueError:
        rating = math.nan
    if not math.isfinite(rating):
        raise DataError(f"rating {text!r} in --history is not a number; write item:rating, such as 50:4")
    return rating


def _stranger(users: pd.Index[Any]) -> Any:
    """Return an id that is none of `users`."""
    if users.dtype.kind in "iuf":
        high = users.max()
        return high + 1 if high + 1 > high else users.min() - 1
    stranger = _NEW
    while stranger in users:
        stranger += _NEW
    return stranger
