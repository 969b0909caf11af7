"""Recommender: what every model and baseline of aerec is."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted
from typing_extensions import Self

from aerec.errors import DataError
from aerec.files.storage import encode_index, write_folder
from aerec.holdout import Holdout, as_holdout
from aerec.interactions import Interactions
from aerec.parameters import Constraint, check_parameters
from aerec.recommender.blocks import score_blocks
from aerec.recommender.id_matching import History, check_n
from aerec.recommender.ranking import Ranking
from aerec.recommender.saving import decode_array, encode_array, encode_parameter
from aerec.sparse import CSR, column_counts, take_rows
from aerec.system.memory import require_memory

__all__ = ["History", "Recommender", "item_popularity"]


class Recommender(Ranking, BaseEstimator, ABC):  # type: ignore[misc]
    """Base of all recommenders: a scikit-learn estimator from interactions to scores of items.

    A subclass writes `_fit` and `_score`, and the names of its learned arrays in `_learned`; the rest is here.

    Attributes
    ----------
    n_features_in_ : int
        Number of items.
    items_ : pandas.Index or None
        Raw ids of the items, where fitted on an `Interactions`.
    users_ : pandas.Index or None
        Raw ids of the users of the training data, in models that learn something of each user.
    popularity_ : ndarray of shape (n_items,), float32
        Share of the training users who rated each item, in models that rank by it for an empty history.
    """

    _learned: ClassVar[tuple[str, ...]] = ()
    """Names of the fitted arrays (dense or CSR) that `save` writes; those that are None are left out."""
    _popularity_for_empty: ClassVar[bool] = False
    """Whether a new user with an empty history is ranked by popularity, because `_score` would give all zeros."""
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {}

    _fitted_with: dict[str, Any]
    """The parameters of the last fit: `set_params` may have changed them since, what was learned is of these."""

    # ------------------------------------------------------------------ what a subclass writes

    @abstractmethod
    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        """Learn from `train`; set the learned attributes."""

    @abstractmethod
    def _score(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score all items for a block of users.

        Parameters
        ----------
        history : csr_array of shape (n, n_items)
        known_users : ndarray of int64, shape (n,)
            Row of each user in the training data, −1 for a new user.

        Returns
        -------
        ndarray of shape (n, n_items), float32, finite
        """

    # ------------------------------------------------------------------ what a user calls

    def fit(self, train: History, validation: Any = None) -> Self:
        """Learn from the ratings `train`.

        Parameters
        ----------
        train : Interactions or matrix of shape (n_users, n_items)
        validation : Holdout or (history, target), optional
            Watched by models that learn in epochs, for early stopping; the others ignore it, as all ignore a ``y``.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If `train` holds no ratings.
        ValueError
            If a hyper-parameter is out of its range.
        """
        check_parameters(self)
        data = train if isinstance(train, Interactions) else Interactions.from_matrix(train)
        if data.n_ratings == 0:
            raise DataError(f"{type(self).__name__} has nothing to learn from: {data} holds no ratings")
        with self._unchanged_on_error():
            self._fitted_with = self._copied_params()
            self._remember_columns(train)
            self._remember_ids(data, from_matrix=data is not train)
            if self._popularity_for_empty:
                self.popularity_ = item_popularity(data.matrix)
            self._fit(data, self._as_holdout(validation))
        return self

    def score_items(self, history: History) -> NDArray[np.float32]:
        """Score every item for every user; higher is better.

        Parameters
        ----------
        history : Interactions or matrix of shape (n_users, n_items)
            The ratings of each user, who need not have been in the training data. Items of an `Interactions` are
            matched by raw id; those that the model does not know are left out with a warning.

        Returns
        -------
        ndarray of shape (n_users, n_items), float32

        Raises
        ------
        InsufficientMemoryError
            If that array does not fit into memory; `recommend` and `rank` work in blocks and do not need it.
        """
        matrix, known = self._history(history)
        n_users, n_items = matrix.shape[0], self.n_features_in_
        require_memory(
            4 * n_users * n_items,
            f"a score for each of {n_users:,} users and {n_items:,} items",
            "use recommend or rank",
        )
        scores = np.empty((n_users, n_items), dtype=np.float32)
        for rows in score_blocks(n_users, n_items):
            scores[rows] = self._scores(take_rows(matrix, rows), known[rows])
        return scores

    def explain(self, history: History, item: Any, n: int | None = None) -> pd.DataFrame:
        """Say which items of one user's history speak for recommending `item`.

        The contribution of a history item is how much the score of `item` falls when it is taken out of the history;
        linear models give the exact terms of their sum instead.

        Parameters
        ----------
        history : Interactions or matrix of shape (1, n_items)
        item : raw id, or column number for a matrix
        n : int, optional
            Only the `n` largest contributions.

        Returns
        -------
        pandas.DataFrame
            Columns item and contribution, the largest first.
        """
        check_n(n)
        matrix, known = self._history(history)
        column = self._column_for_one(item, history)
        terms = self._contributions(matrix, np.array([column]), known)[:, 0]
        order = np.lexsort((matrix.indices, -terms))[:n]
        seen = matrix.indices[order]
        return pd.DataFrame({"item": self._catalogue(history).take(seen), "contribution": terms[order]})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model into the folder `path` (JSON + safetensors), atomically."""
        check_is_fitted(self)
        header, tensors = self._state()
        tensors |= encode_index(self.items_, "items") | encode_index(self.users_, "users") | self._encoded_columns()
        parameters = _encoded(self.get_params(deep=False))
        fitted_with = _encoded(self._fitted_with)
        content = {
            "model": type(self).__name__,
            "parameters": parameters,
            "fitted_with": {name: value for name, value in fitted_with.items() if value != parameters[name]},
            "n_items": int(self.n_features_in_),
            "feature_names": hasattr(self, "feature_names_in_"),
            "state": header,
        }
        write_folder(path, "model", content, tensors)

    @contextmanager
    def _unchanged_on_error(self) -> Iterator[Callable[[], None]]:
        """Take back what the block has set where it fails: the model stays what it was, fitted or not.

        The block is given a function that ends this: what fails after it was called leaves things as they are.
        """
        before = [dict(vars(self))]
        try:
            yield before.clear
        except BaseException:
            if before:
                self.__dict__.clear()
                self.__dict__.update(before[0])
            raise

    def _copied_params(self) -> dict[str, Any]:
        """Return the parameters as they are now, whatever becomes of a list or of a model among them."""
        return {name: clone(value, safe=False) for name, value in self.get_params(deep=False).items()}

    def _as_holdout(self, validation: Any) -> Holdout | None:
        """Return validation data as a Holdout; None where it is none."""
        for part in validation if isinstance(validation, tuple) else ():
            self._check_columns(part)
        return as_holdout(validation, by_id=self.items_ is not None)

    # ------------------------------------------------------------------ hooks with a default

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the learned state: what JSON can hold, and arrays."""
        arrays: dict[str, NDArray[Any]] = {}
        names = [name for name in self._saved_names() if getattr(self, name) is not None]
        for name in names:
            arrays |= encode_array(getattr(self, name), name)
        return {"arrays": names}, arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `_state` gave."""
        for name in self._saved_names():
            array = decode_array(tensors, name)
            if array is None and name in header["arrays"]:
                raise KeyError(name)
            setattr(self, name, array)

    def _saved_names(self) -> tuple[str, ...]:
        return (*self._learned, "popularity_") if self._popularity_for_empty else self._learned

    def _scores(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score a block of users by `_score`; those of whom nothing is known by popularity, where that is asked for."""
        scores = self._score(history, known_users)
        if self._popularity_for_empty:
            scores[self._empty(history, known_users)] = self.popularity_
        return scores

    @staticmethod
    def _empty(history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of which users nothing is known."""
        empty: NDArray[np.bool_] = (np.diff(history.indptr) == 0) & (known_users < 0)
        return empty

    def _contributions(
        self, history: CSR, items: NDArray[np.int64], known_users: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """How much each stored item of a one-row `history` adds to the score of each of the columns `items`."""
        n = history.nnz
        without = np.tile(history.indices, (n, 1))[~np.eye(n, dtype=bool)].reshape(n, max(n - 1, 0))
        values = np.tile(history.data, (n, 1))[~np.eye(n, dtype=bool)]
        indptr = np.arange(n + 1) * max(n - 1, 0)
        left_out: CSR = type(history)((values, without.ravel(), indptr), shape=(n, history.shape[1]))
        full = self._scores_at(history, known_users, items)[0]
        terms = np.empty((n, len(items)))
        for rows in score_blocks(n, self.n_features_in_):
            known = np.repeat(known_users, len(rows))
            terms[rows] = full - self._scores_at(take_rows(left_out, rows), known, items)
        return terms

    def _scores_at(self, history: CSR, known_users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the columns `items` of `_score`."""
        return self._score(history, known_users)[:, items]


def _encoded(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: encode_parameter(value) for name, value in parameters.items()}


def item_popularity(matrix: CSR) -> NDArray[np.float32]:
    """Return the share of the users (rows) who rated each item (column); shape (n_items,)."""
    return (column_counts(matrix) / matrix.shape[0]).astype(np.float32)
