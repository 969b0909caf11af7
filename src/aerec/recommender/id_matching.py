"""What a fitted recommender knows of ids: its items are columns, its users, in some models, rows."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from aerec.errors import DataError
from aerec.files.storage import encode_index
from aerec.ids import as_ids
from aerec.interactions import Interactions
from aerec.sparse import CSR, canonical_csr

__all__ = ["Catalogue", "History", "check_n"]

History: TypeAlias = Interactions | Any
"""What a user has rated: an `Interactions`, or any matrix of shape (n_users, n_items)."""


class Catalogue:
    """The part of a recommender that matches ids of its training data with those of a history.

    Attributes
    ----------
    n_features_in_ : int
        Number of items.
    items_ : pandas.Index or None
        Raw ids of the items, where fitted on an `Interactions`.
    users_ : pandas.Index or None
        Raw ids of the users of the training data, in models that learn something of each user.
    """

    _knows_users: ClassVar[bool] = False
    """Whether the model learns something of each single user and so has to recognise them by id."""

    n_features_in_: int
    items_: pd.Index[Any] | None
    users_: pd.Index[Any] | None
    _columns_in: pd.Index[Any] | None = None
    """Columns of the frame that it was fitted on, where it was one."""

    def _remember_columns(self, train: Any) -> None:
        self._columns_in = train.columns if isinstance(train, pd.DataFrame) else None

    def _encoded_columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns as tensors; nothing where they are neither numbers nor text."""
        try:
            return encode_index(self._columns_in, "columns")
        except DataError:
            return {}

    def _check_columns(self, history: Any) -> None:
        """Refuse a frame whose columns are not those that the model was fitted on: they would be read by position."""
        if self._columns_in is None or not isinstance(history, pd.DataFrame):
            return
        if not history.columns.equals(self._columns_in):
            raise DataError(
                f"the columns of the frame are not those that {type(self).__name__} was fitted on, in that order; "
                "give the frame with its columns as they were"
            )

    def _remember_ids(self, data: Interactions, *, from_matrix: bool) -> None:
        self.n_features_in_ = data.shape[1]
        self.items_ = None if from_matrix else data.items
        self.users_ = data.users if self._knows_users and not from_matrix else None

    def _history(self, history: History) -> tuple[CSR, NDArray[np.int64]]:
        """Return the history over the model's columns, and each user's row in the training data (−1: new)."""
        check_is_fitted(self)
        if not isinstance(history, Interactions):
            self._check_columns(history)
            matrix = canonical_csr(history)
            if matrix.shape[1] != self.n_features_in_:
                raise DataError(
                    f"the history has {matrix.shape[1]} columns, {type(self).__name__} was fitted on "
                    f"{self.n_features_in_} items; pass an Interactions to have items matched by id"
                )
            return matrix, np.full(matrix.shape[0], -1, dtype=np.int64)
        if self.items_ is None and history.shape[1] != self.n_features_in_:
            raise DataError(
                f"{type(self).__name__} was fitted on a matrix of {self.n_features_in_} columns without item ids; "
                f"the history has {history.shape[1]} items; fit on an Interactions to have items matched by id"
            )
        aligned = history if self.items_ is None else history.with_items(self.items_)
        if (lost := history.n_ratings - aligned.n_ratings) > 0:
            warnings.warn(
                f"{lost:,} of {history.n_ratings:,} ratings left out of the history: "
                f"{type(self).__name__} was not trained on their items; train it again on data that holds them",
                stacklevel=3,
            )
        if self.users_ is None:
            return aligned.matrix, np.full(aligned.shape[0], -1, dtype=np.int64)
        return aligned.matrix, self.users_.get_indexer(aligned.users).astype(np.int64)

    def _catalogue(self, history: History) -> pd.Index[Any]:
        """Return the item ids that belong to `history`: raw ids for an Interactions, column numbers for a matrix."""
        if not isinstance(history, Interactions):
            return pd.RangeIndex(self.n_features_in_)
        return history.items if self.items_ is None else self.items_

    def _column_for_one(self, item: Any, history: History) -> int:
        """Return the column of `item`, after checking that `history` is that of one user."""
        if history.shape[0] != 1:
            raise DataError(f"an explanation is for the history of one user, got {history.shape[0]}")
        return int(_columns([item], self._catalogue(history))[0])

    def _barred(
        self, allow_items: ArrayLike | None, block_items: ArrayLike | None, items: pd.Index[Any]
    ) -> NDArray[np.bool_] | None:
        if allow_items is None and block_items is None:
            return None
        barred = np.full(self.n_features_in_, allow_items is not None)
        if allow_items is not None:
            barred[_columns(allow_items, items)] = False
        if block_items is not None:
            barred[_columns(block_items, items)] = True
        return barred


def check_n(n: int | None) -> None:
    """Refuse a number of rows to show that is none."""
    if n is not None and n < 1:
        raise ValueError(f"n is a number of rows to show, at least 1; got {n!r}")


def _columns(ids: ArrayLike, items: pd.Index[Any]) -> NDArray[np.int64]:
    wanted = as_ids(ids)
    columns = items.get_indexer(wanted).astype(np.int64)
    if (columns < 0).any():
        unknown = wanted[columns < 0].tolist()[0]
        raise DataError(f"unknown item {unknown!r}: the model was not trained on it")
    return columns
