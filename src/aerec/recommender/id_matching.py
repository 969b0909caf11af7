"""What a fitted recommender knows of ids: its items are columns, its users, in some models, rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from aerec.canonical import canonical_csr
from aerec.errors import DataError, warn_caller
from aerec.holdout import Holdout
from aerec.id_kinds import refuse_other_kind, same_kind
from aerec.ids import as_ids, examples, places_of
from aerec.interactions import Interactions
from aerec.recommender.new_history import are_lists, known_ids, refuse_lists
from aerec.recommender.scorer import UserBlock
from aerec.sparse import column_counts

_FEW = 0.5  # Below this share of held-out ratings of known items there is a warning

History: TypeAlias = Interactions | Any
"""What a user has rated: an `Interactions`, or any matrix of shape (n_users, n_items)."""


@dataclass(frozen=True, eq=False)
class IdMatching:
    """Matches the ids of a history with those of the training data.

    Parameters
    ----------
    model : str
        Name of the model, for messages.
    n_items : int
    items : pandas.Index or None
        Raw ids of the columns, where the model was fitted on an `Interactions`.
    users : pandas.Index or None
        Raw ids of the training rows, in models that learn something of each user.
    frame_columns : pandas.Index or None
        Columns of the frame that the model was fitted on, where it was one.
    """

    model: str
    n_items: int
    items: pd.Index[Any] | None = None
    users: pd.Index[Any] | None = None
    frame_columns: pd.Index[Any] | None = None

    def check_columns(self, history: Any) -> None:
        """Refuse a frame whose columns are not those that the model was fitted on: they would be read by position."""
        if self.frame_columns is None or not isinstance(history, pd.DataFrame):
            return
        if not history.columns.equals(self.frame_columns):
            missing = self.frame_columns.difference(history.columns, sort=False)
            added = history.columns.difference(self.frame_columns, sort=False)
            differences = [f"{word} {examples(c)}" for word, c in (("without", missing), ("with", added)) if len(c)]
            raise DataError(
                f"the columns of the frame are not those that {self.model} was fitted on: "
                f"{' and '.join(differences) or 'they are in another order'}; give the frame with its columns as they "
                "were"
            )

    def check_same_users(self, history: History, n_users: int, n_kept: int) -> None:
        """Refuse other users than those of whom something is kept row by row."""
        what = f"what {self.model} has learned of its users is kept row by row"
        if n_users != n_kept:
            raise DataError(f"{what}, for {n_kept:,} users, got {n_users:,}: partial_fit takes those of the first call")
        if isinstance(history, Interactions) and self.users is not None and not history.users.equals(self.users):
            raise DataError(
                f"{what}: partial_fit takes the users of the first call in the same order; give "
                "X.with_users(model.users_)"
            )

    def match(self, history: History) -> UserBlock:
        """Return the users of a history over the model's columns, with the training row of each (−1: new)."""
        if not isinstance(history, Interactions):
            self.check_columns(history)
            refuse_lists(history)
            matrix = canonical_csr(history)
            if matrix.shape[1] != self.n_items:
                raise DataError(
                    f"the history has {matrix.shape[1]} columns, {self.model} was fitted on "
                    f"{self.n_items} items; pass an Interactions to have items matched by id"
                )
            return UserBlock.new(matrix)
        if self.items is None and history.shape[1] != self.n_items:
            raise DataError(
                f"{self.model} was fitted on a matrix of {self.n_items} columns without item ids; "
                f"the history has {history.shape[1]} items; fit on an Interactions to have items matched by id"
            )
        aligned = history
        if self.items is not None and not history.items.equals(self.items):
            refuse_other_kind(history.items, self.items, "items of the history")
            aligned = history.with_items(self.items)
            if (lost := history.n_ratings - aligned.n_ratings) > 0:
                warn_caller(
                    f"{lost:,} of {history.n_ratings:,} ratings left out of the history: {self.model} was not trained "
                    f"on their items, such as {examples(self._strangers(history), 2)}, but on items such as "
                    f"{examples(self.items, 2)}; train it again on data that holds them"
                )
        if self.users is None:
            known = np.full(len(aligned.users), -1, dtype=np.int64)
            return UserBlock(aligned.matrix, known, times=aligned.timestamps)
        if history.shape[0] > 1 and not same_kind(history.users, self.users):  # a single user may be new under any id
            warn_caller(
                f"the users of the history, such as {examples(history.users)}, are all taken for new ones: "
                f"{self.model} was trained on users such as {examples(self.users)}, of another type"
            )
        known = self.users.get_indexer(aligned.users).astype(np.int64)
        return UserBlock(aligned.matrix, known, times=aligned.timestamps)

    def aligned(self, holdout: Holdout) -> Holdout:
        """Return a holdout over the model's columns, followed by the items that it does not know.

        There is a warning where it knows few of the held-out items.

        Raises
        ------
        DataError
            If ids are of another type than those the model was trained on, or it knows none of the rated items.
        """
        if self.items is None:
            return holdout
        refuse_other_kind(holdout.history.items, self.items, "items of the holdout")
        if self.users is not None:
            refuse_other_kind(holdout.history.users, self.users, "users of the holdout")
        known, n_targets = holdout.history.items.isin(self.items), holdout.target.n_ratings
        n_findable, seen = (
            int(np.count_nonzero(known[part.matrix.indices])) for part in (holdout.target, holdout.history)
        )
        if n_findable < _FEW * n_targets and holdout.candidates is None:
            strangers, known_ones = examples(self._strangers(holdout.target)), examples(self.items)
            others = f"such as {strangers}; it knows items such as {known_ones}"
            if not n_findable and not seen:
                raise DataError(f"{self.model} was trained on none of the items of the holdout, {others}")
            warn_caller(
                f"{n_targets - n_findable:,} of {n_targets:,} held-out ratings can never be found: {self.model} was "
                f"not trained on their items, {others}"
            )
        return holdout.over(self.items)

    def _strangers(self, ratings: Interactions) -> pd.Index[Any]:
        """Return the rated items that the model does not know."""
        rated = ratings.items[np.flatnonzero(column_counts(ratings.matrix))]
        return rated if self.items is None else rated[~rated.isin(self.items)]

    def item_ids(self, history: History) -> pd.Index[Any]:
        """Return the item ids that belong to `history`: raw ids for an Interactions, column numbers for a matrix."""
        if isinstance(history, Interactions):
            return history.items if self.items is None else self.items
        return self.known_items if are_lists(history) else pd.RangeIndex(self.n_items)

    @property
    def known_items(self) -> pd.Index[Any]:
        """The ids of the columns: their numbers, where the model was fitted on a matrix."""
        return pd.RangeIndex(self.n_items) if self.items is None else self.items

    def columns_of(self, items: Any) -> NDArray[np.int64]:
        """Return the columns of items, which are raw ids, or column numbers of a model without ids."""
        return _columns(items, self.known_items)

    def column_for_one(self, item: Any, history: History) -> int:
        """Return the column of `item`, after checking that `history` is that of one user."""
        if history.shape[0] != 1:
            raise DataError(f"an explanation is for the history of one user, got {history.shape[0]}")
        return int(_columns([item], self.item_ids(history))[0])

    def barred(
        self, allow_items: ArrayLike | None, block_items: ArrayLike | None, history: History
    ) -> NDArray[np.bool_]:
        """Return which columns are recommended to nobody."""
        items = self.item_ids(history)
        by_id = isinstance(history, Interactions)
        barred = np.full(self.n_items, allow_items is not None)
        if allow_items is not None:
            known = known_ids(allow_items, items, "allow_items", needed=True) if by_id else _columns(allow_items, items)
            barred[known] = False
        if block_items is not None:
            barred[known_ids(block_items, items, "block_items") if by_id else _columns(block_items, items)] = True
        return barred


def check_n(n: int | None) -> None:
    """Refuse a number of rows to show that is none."""
    if n is not None and n < 1:
        raise ValueError(f"n is a number of rows to show, at least 1; got {n!r}")


def _columns(ids: ArrayLike, items: pd.Index[Any]) -> NDArray[np.int64]:
    wanted = as_ids(ids)
    columns = places_of(wanted, items)
    if (columns < 0).any():
        unknown = wanted[columns < 0].tolist()[0]
        raise DataError(f"unknown item {unknown!r}: the model was not trained on it; there are {examples(items, 2)}, …")
    return columns
