"""Holdout and Split: what splitters give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.display.notebook import html_table
from aerec.drawing import draw_ratings
from aerec.errors import DataError, warn_caller
from aerec.id_kinds import refuse_other_kind
from aerec.ids import examples
from aerec.interactions import Interactions
from aerec.item_descriptions import joined_descriptions
from aerec.parameters import check_fraction
from aerec.sparse import row_ids

_FEW = 0.5  # Below this share of known users there is a warning


@dataclass(frozen=True)
class Holdout:
    """What a model may see of each user, and what it must find.

    Parameters
    ----------
    history : Interactions
        The input of the model, one row a user.
    target : Interactions
        What was held out, over the same users and items.
    exclude : Interactions, optional
        Items that are known of a user but that the model may not see, such as the validation part when testing: they
        are left out of its rankings like the history, so that they do not stand in the way.
    candidates : pandas.Index, optional
        Raw ids of the items that are ranked, such as those that nobody has rated in training; None: all.

    Raises
    ------
    DataError
        If the three are not over the same users and items, or a candidate is not among the items.
    """

    matrix_inside: ClassVar[str] = "history"  # what an error names where a matrix is asked for

    history: Interactions
    target: Interactions
    exclude: Interactions | None = None
    candidates: pd.Index[Any] | None = None

    def __post_init__(self) -> None:
        others = {"target": self.target} | ({} if self.exclude is None else {"exclude": self.exclude})
        for name, other in others.items():
            if not (self.history.users.equals(other.users) and self.history.items.equals(other.items)):
                raise DataError(
                    f"history and {name} must be over the same users and items: history is {self.history}, "
                    f"{name} is {other}; Split.from_parts(train, test).test aligns them by their ids"
                )
        if self.candidates is not None and not self.candidates.isin(self.history.items).all():
            raise DataError("a candidate is not among the items of the history: both go by the same ids")

    @property
    def n_users(self) -> int:
        """Number of users, with or without a target."""
        return self.history.shape[0]

    def over(self, items: pd.Index[Any]) -> Holdout:
        """Return the same ratings over the columns `items` of a model, followed by the items that it does not know."""
        columns = items.append(self.history.items[~self.history.items.isin(items)])
        if self.candidates is None and columns.equals(self.history.items):
            return self
        exclude = None if self.exclude is None else self.exclude.with_items(columns)
        candidates = None if self.candidates is None else self.candidates[self.candidates.isin(items)]
        return Holdout(self.history.with_items(columns), self.target.with_items(columns), exclude, candidates)

    def __repr__(self) -> str:
        return _text_table("Holdout", self._rows())

    def _repr_html_(self) -> str:
        return html_table("Holdout", _COLUMNS, self._rows())

    def _rows(self, part: str = "") -> list[tuple[str, ...]]:
        """Return a row of counts for each of the parts; `part` stands before their names."""
        parts = {"history": self.history, "target": self.target, "exclude": self.exclude}
        return [_row(f"{part} {name}".strip(), ratings) for name, ratings in parts.items() if ratings is not None]


@dataclass(frozen=True)
class Split:
    """Training data, and held-out data for choosing (validation) and for reporting (test).

    Parameters
    ----------
    train : Interactions
    validation : Holdout or None
        None where the splitter was asked for none.
    test : Holdout
    """

    matrix_inside: ClassVar[str] = "train"

    train: Interactions
    validation: Holdout | None
    test: Holdout

    def __repr__(self) -> str:
        return _text_table("Split", self._rows())

    def _repr_html_(self) -> str:
        return html_table("Split", _COLUMNS, self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [_row("train", self.train)]
        for name, part in (("validation", self.validation), ("test", self.test)):
            rows += [] if part is None else part._rows(name)
        return rows

    @classmethod
    def from_parts(
        cls,
        train: Interactions,
        test: Interactions,
        validation: Interactions | None = None,
        *,
        validation_fraction: float = 0.0,
        seed: int = 0,
    ) -> Split:
        """Make a split of parts that someone else divided, such as ``u1.base`` and ``u1.test``.

        Parameters
        ----------
        train, test, validation : Interactions
            Aligned to the union of their users and items; a pair may be in one of them only.
        validation_fraction : float, default 0.0
            Without a `validation` of their own: share of the training ratings drawn for it at random.
        seed : int, default 0

        Raises
        ------
        DataError
            If a user-item pair is in two parts, or the ids of the parts are of different types.

        Examples
        --------
        >>> import pandas as pd
        >>> from aerec import Interactions
        >>> from aerec.splitting import Split
        >>> base = Interactions.from_frame(pd.DataFrame({"user": [1, 1, 2], "item": [7, 8, 7], "rating": [4, 5, 3]}))
        >>> test = Interactions.from_frame(pd.DataFrame({"user": [2], "item": [9], "rating": [5]}))
        >>> Split.from_parts(base, test).test.target.shape
        (2, 3)
        """
        for name, part in {"test": test, "validation": validation}.items():
            if part is not None:
                _check_ids_meet(part, train, name)
        parts = [part for part in (train, validation, test) if part is not None]
        train, *held_out = _aligned(parts)
        if validation is not None and validation_fraction:
            raise ValueError("give either validation or validation_fraction")
        if validation_fraction:
            check_fraction("validation_fraction", validation_fraction)
            chosen = draw_ratings(train, validation_fraction, np.random.default_rng(seed), per_user=False)
            held_out = [train.keep(chosen), *held_out]
            train = train.keep(~chosen)
        _refuse_overlap([train, *held_out])
        return weak_split(train, *held_out)


_COLUMNS = ("part", "users", "with a rating", "items", "ratings")


def _row(name: str, part: Interactions) -> tuple[str, ...]:
    active = int(np.count_nonzero(np.diff(part.matrix.indptr)))
    return (name, *(f"{count:,}" for count in (part.shape[0], active, part.shape[1], part.n_ratings)))


def _text_table(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    """Return the rows as text under `title`: names to the left, counts to the right."""
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
    lines = [
        "  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))])
        for first, *cells in (_COLUMNS, *rows)
    ]
    return "\n".join([title, *lines])


def as_interactions(data: Interactions | Any) -> Interactions:
    """Return `data`, or the matrix `data` as Interactions."""
    return data if isinstance(data, Interactions) else Interactions.from_matrix(data)


def weak_split(train: Interactions, *held_out: Interactions) -> Split:
    """Split with the training part as history of all; `held_out` is (validation, test) or (test,)."""
    *validation, test = held_out
    if not validation:
        return Split(train, None, Holdout(train, test))
    return Split(train, Holdout(train, validation[0]), Holdout(train, test, exclude=validation[0]))


def is_rated_in(data: Interactions, other: Interactions) -> NDArray[np.bool_]:
    """Say of each stored rating of `data` whether `other` holds one of the same user and item, by their ids."""
    there, width = other.with_users(data.users).with_items(data.items).matrix, data.shape[1]
    pairs, others = (row_ids(matrix) * width + matrix.indices for matrix in (data.matrix, there))
    return np.isin(pairs, others)


def given_validation(y: Any, validation: Any) -> Any:
    """Return the validation data among the arguments of ``fit(train, y=None, *, validation=None)``.

    Raises
    ------
    TypeError
        If there are two, or what is given is none, such as a whole `Split`, one Interactions or a pair of numbers.
    """
    positional = (
        isinstance(y, Holdout | Split | Interactions)
        or (isinstance(y, tuple) and len(y) == 2)
        or (isinstance(y, tuple | list) and any(isinstance(part, Holdout | Interactions) for part in y))
    )
    if validation is not None and positional:
        raise TypeError("validation data is given twice: as the second argument and as validation=")
    given = y if positional else validation
    if isinstance(given, Split):
        raise TypeError("validation data is a part of a split, not all of it: give split.validation")
    if isinstance(given, Interactions):
        raise TypeError(
            "validation data is a history and a target, this is one Interactions: give split.validation; to watch the "
            "cost of reconstructing it, give validation= its .matrix"
        )
    if given is None or isinstance(given, Holdout) or getattr(given, "ndim", 0) == 2:
        return given
    what = type(given).__name__
    if isinstance(given, tuple | list):
        parts = [type(part).__name__ for part in given]
        what = f"a {what} of {' and '.join(parts) if len(parts) < 4 else f'{len(parts):,}'}"
        is_history = (isinstance(part, Interactions) or getattr(part, "ndim", 0) == 2 for part in given)
        if isinstance(given, tuple) and len(given) == 2 and all(is_history):
            return given
    where = "the second argument of fit" if positional else "validation="
    raise TypeError(
        f"{where} is a Holdout, a pair (history, target) of Interactions or matrices, or a matrix; got {what}"
    )


def _check_ids_meet(part: Interactions, train: Interactions, name: str) -> None:
    """Refuse ids of other types than those of the training data, and warn where few users occur in it."""
    refuse_other_kind(part.users, train.users, f"users of the {name} data")
    refuse_other_kind(part.items, train.items, f"items of the {name} data")
    is_known = part.users.isin(train.users)
    if np.count_nonzero(is_known) < _FEW * len(is_known):
        warn_caller(
            f"{np.count_nonzero(~is_known):,} of {len(is_known):,} users of the {name} data are not in the training "
            f"data, such as {examples(part.users[~is_known])}; it has users such as {examples(train.users)}. Without a "
            "history nothing can be recommended to them but what is popular"
        )


def _aligned(parts: list[Interactions]) -> list[Interactions]:
    users, items = parts[0].users, parts[0].items
    for part in parts[1:]:
        users, items = users.union(part.users), items.union(part.items)
    names, genres = (  # of two descriptions of an item the first holds
        joined_descriptions([getattr(part, of) for part in reversed(parts)], items, missing)
        for of, missing in (("item_names", ""), ("item_genres", ()))
    )
    return [replace(part.with_users(users).with_items(items), item_names=names, item_genres=genres) for part in parts]


def _refuse_overlap(parts: list[Interactions]) -> None:
    width = parts[0].shape[1]
    pairs = np.concatenate([row_ids(part.matrix) * width + part.matrix.indices for part in parts])
    unique, counts = np.unique(pairs, return_counts=True)
    if (repeated := counts > 1).any():
        row, column = divmod(int(unique[repeated][0]), width)
        raise DataError(
            f"{np.count_nonzero(repeated):,} ratings are in more than one part, the first of user "
            f"{parts[0].users[row]} and item {parts[0].items[column]}; a rating may be in one part only"
        )
