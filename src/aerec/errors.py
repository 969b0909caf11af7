"""The errors that aerec raises on purpose, under one base class."""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable
from typing import Any


class AerecError(Exception):
    """Base of every error that aerec raises on purpose; its text is one line that says what to do."""


class DataError(AerecError, ValueError):
    """Ratings, ids or a file of them that cannot be used as they are."""


class ModelFileError(AerecError, ValueError):
    """A saved model or data set that is truncated, altered, or written by a newer version."""


class InsufficientMemoryError(AerecError, MemoryError):
    """A large dense block was asked for that does not fit into the memory there is."""


class MissingExtraError(AerecError, ImportError):
    """A feature needs a package of an extra that is not installed; the text holds the pip line."""


class TrainingError(AerecError, ArithmeticError):
    """Training cannot go on: the cost is no longer a finite number, or has exploded.

    Attributes
    ----------
    records : list of dict
        The history of the epochs that were completed before.
    """

    def __init__(self, message: str, records: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.records = records or []


def warn_caller(message: str) -> None:
    """Warn at the line that called aerec, however deep inside of it the warning arises."""
    frame = sys._getframe(1)
    level = 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "aerec":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def plural(number: int, word: str) -> str:
    """Return a number with its word, such as "1 user" and "2 users"."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def names_like(word: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the one most like `word`, where one is, and all there are.

    Examples
    --------
    >>> from aerec.errors import names_like
    >>> names_like("epoch", ["epochs", "seed"])
    'did you mean epochs? there are epochs, seed'
    >>> names_like("x", ["epochs", "seed"])
    'there are epochs, seed'
    """
    names = list(known)
    near = sorted(difflib.get_close_matches(word, names, n=5), key=lambda name: _edits(word, name))
    listed = f"there are {', '.join(names) or 'none'}"
    return f"did you mean {near[0]}? {listed}" if near else listed


def _edits(word: str, other: str) -> int:
    """How many letters were left out, put in, changed, or swapped with the next: Damerau's distance, restricted."""
    above: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word):
        before, above, row = above, row, [i + 1]
        for j, given in enumerate(other):
            costs = [above[j + 1] + 1, row[j] + 1, above[j] + (letter != given)]
            if i and j and letter == other[j - 1] and word[i - 1] == given:
                costs.append(before[j - 1] + 1)
            row.append(min(costs))
    return row[-1]
