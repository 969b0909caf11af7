"""The layout of LightGCN and its successors: one line a user, ``user item item …``, implicit feedback."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd

from aerec.datasets.readers.files import Files
from aerec.errors import DataError
from aerec.interactions import Interactions

__all__ = ["looks_like_adjacency", "read_adjacency"]


def looks_like_adjacency(line: str) -> bool:
    """Whether the first line of a file is whole numbers set apart by blanks."""
    return re.fullmatch(r"\s*\d+(?: +\d+)*\s*", line) is not None


def read_adjacency(files: Files, name: str) -> Interactions:
    """Read one line a user; a user without items is a user without ratings.

    Raises
    ------
    DataError
        If a token is no whole number, or a user has a second line; names the file, the line and the value.
    """
    label = files.label(name)
    with files.open(name) as stream:
        content = stream.read()
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
    users = pd.Index(numbers[opens])
    if users.has_duplicates:
        at = int(np.argmax(users.duplicated()))
        raise DataError(
            f"{label} line {line_of[opens][at] + 1}: user {users[at]} has a second line, expected one line a user "
            '(user item item …); if the lines are ratings, pass columns=("user", "item", "rating")'
        )
    frame = pd.DataFrame({"user": users[np.cumsum(opens) - 1], "item": numbers})[~opens]
    return Interactions.from_frame(frame, rating=None).with_users(users.sort_values())


def _wrong_token(content: bytes) -> str:
    for number, line in enumerate(content.splitlines(), start=1):
        for token in line.split():
            if not re.fullmatch(rb"-?\d{1,18}", token):
                shown = token[:40].decode(errors="replace")
                return f"line {number}: {shown!r} is not a whole number; expected user item item …"
    return "is not a list of whole numbers; expected user item item … on each line"
