"""Reranker: what all rerankers are, and how lists come in as a frame or as arrays and go out as the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from aerec.errors import DataError
from aerec.holdout import as_interactions
from aerec.interactions import Interactions
from aerec.parameters import check_whole, is_number
from aerec.system.memory import row_blocks, rows_within

RankArrays: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.float32]]"

_BLOCK_BYTES = 64 * 2**20  # largest array


@dataclass(frozen=True)
class Lists:
    """Candidates of several users, best first.

    Parameters
    ----------
    items : ndarray of int64, shape (n_lists, n_candidates)
        Columns of `data`; −1 for none.
    relevance : ndarray of float64, shape (n_lists, n_candidates)
        The scores of each list, scaled to the range from 0 to 1; −∞ where there is no item.
    users : ndarray of int64, shape (n_lists,)
        Rows of `data`; −1 for a user whom it does not hold.
    data : Interactions
    """

    items: NDArray[np.int64]
    relevance: NDArray[np.float64]
    users: NDArray[np.int64]
    data: Interactions

    def gain(self, rows: NDArray[np.int64], weight: float) -> NDArray[np.float64]:
        """Return `weight` times the relevance of some lists; −∞ where there is no item, also for a weight of 0."""
        relevance = self.relevance[rows]
        return np.where(relevance > -np.inf, weight * np.maximum(relevance, 0), -np.inf)

    def blocks(self, width: int) -> Iterator[NDArray[np.int64]]:
        """Yield consecutive list numbers in blocks: `width` numbers of each list fit into `_BLOCK_BYTES`."""
        return row_blocks(len(self.items), rows_within(_BLOCK_BYTES, 8 * width))


class Reranker(ABC):
    """Base of the rerankers: chooses the items of a list one after the other from more candidates.

    A subclass writes `_places`.
    """

    @overload
    def rerank(
        self, recommended: pd.DataFrame, data: Any, k: int | None = None, *, features: Any = None
    ) -> pd.DataFrame: ...

    @overload
    def rerank(
        self, recommended: tuple[ArrayLike, ArrayLike], data: Any, k: int | None = None, *, features: Any = None
    ) -> RankArrays: ...

    def rerank(
        self,
        recommended: pd.DataFrame | tuple[ArrayLike, ArrayLike],
        data: Interactions | Any,
        k: int | None = None,
        *,
        features: Any = None,
    ) -> pd.DataFrame | RankArrays:
        """Choose `k` of the recommended items of each user, in a new order.

        Parameters
        ----------
        recommended : pandas.DataFrame, or (indices, scores)
            What `recommend` or `rank` gave, with more items than are wanted: 100 for a list of 10, say. A frame has
            the columns user, item, rank and score; others stay. The arrays are of shape (n_users, n_candidates).
        data : Interactions or matrix of shape (n_users, n_items)
            The histories of the users, over items with features or genres. Arrays belong to its rows, in their order.
        k : int, optional
            Length of the new lists; by default all that was recommended is put in a new order.
        features : pandas.DataFrame, matrix, or pandas.Series or mapping of labels, optional
            What is known of the items, instead of what `data` says; each reranker says what it takes.

        Returns
        -------
        pandas.DataFrame, or (indices, scores)
            As it came in, with new ranks. Scores are those of the model, so that they need not fall with the rank.
            Where a user has fewer than `k` candidates, the rest of an array is index −1 and score −∞.

        Raises
        ------
        DataError
            If an item is not among those of `data`, or nothing is known of the items.
        ValueError
            If `k` is below 1.
        """
        if k is not None:
            check_whole("k", k, 1)
        data = as_interactions(data)
        if isinstance(recommended, pd.DataFrame):
            table, lists = _lists_of_frame(recommended, data)
            places = self._new_places(lists, k, features)
            rows = _taken(table, places, -1)
            chosen = rows >= 0
            reranked = recommended.iloc[rows[chosen]].reset_index(drop=True)
            return reranked.assign(rank=(np.cumsum(chosen, axis=1))[chosen])
        indices, scores = np.asarray(recommended[0]), np.asarray(recommended[1])
        lists = _lists_of_arrays(indices, scores, data)
        places = self._new_places(lists, k, features)
        return _taken(lists.items, places, -1), _taken(scores.astype(np.float32), places, -np.inf)

    @abstractmethod
    def _places(self, lists: Lists, k: int, features: Any) -> NDArray[np.int64]:
        """Return the places in the old list of the items of the new one; −1 for none; shape (n_lists, k)."""

    def _new_places(self, lists: Lists, k: int | None, features: Any) -> NDArray[np.int64]:
        n_candidates = lists.items.shape[1]
        length = n_candidates if k is None else min(int(k), n_candidates)
        places = self._places(lists, length, features) if lists.items.size else np.full((len(lists.items), length), -1)
        return places if k is None else np.pad(places, ((0, 0), (0, int(k) - length)), constant_values=-1)


def check_share(name: str, value: float) -> None:
    """Raise a ValueError unless 0 ≤ `value` ≤ 1."""
    if not (is_number(value) and 0 <= value <= 1):
        raise ValueError(f"{name} must be from 0 to 1, got {value!r}")


def pick(objective: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the place of the largest value of each row, of equal ones the first; −1 where all are −∞."""
    best = objective.argmax(axis=1)
    return np.where(objective[np.arange(len(best)), best] > -np.inf, best, -1)


def _taken(values: NDArray[Any], places: NDArray[np.int64], missing: Any) -> NDArray[Any]:
    if not values.size:
        return np.full(places.shape, missing, dtype=values.dtype)
    return np.where(places >= 0, np.take_along_axis(values, np.maximum(places, 0), axis=1), missing).astype(
        values.dtype
    )


def _lists_of_frame(frame: pd.DataFrame, data: Interactions) -> tuple[NDArray[np.int64], Lists]:
    """Return the row number of each candidate in the frame (−1: none), list by list, and the lists."""
    if missing := {"user", "item", "rank", "score"} - set(frame.columns):
        raise DataError(f"the frame lacks {', '.join(sorted(missing))}: give what recommend returned")
    codes, users = pd.factorize(frame["user"])
    columns = data.items.get_indexer(pd.Index(frame["item"], dtype=data.items.dtype if len(frame) == 0 else None))
    if (columns < 0).any():
        raise DataError(f"item {frame['item'].tolist()[int(np.argmin(columns))]!r} is not among the items of data")
    order = np.lexsort((frame["rank"].to_numpy(), codes))
    counts = np.bincount(codes, minlength=len(users))
    places = np.arange(len(frame)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((len(users), int(counts.max(initial=0))), -1, dtype=np.int64)
    table[codes[order], places] = order
    shown = table >= 0
    items = np.where(shown, columns[table], -1) if len(frame) else table
    scores = np.where(shown, frame["score"].to_numpy(np.float64)[table], -np.inf) if len(frame) else table.astype(float)
    return table, Lists(items, _scaled(scores), data.users.get_indexer(pd.Index(users)), data)


def _lists_of_arrays(indices: NDArray[Any], scores: NDArray[Any], data: Interactions) -> Lists:
    if indices.ndim != 2 or indices.shape != scores.shape or len(indices) != data.shape[0]:
        raise DataError(
            f"indices {indices.shape} and scores {scores.shape} of {data.shape[0]} users: expected two arrays of shape "
            "(n_users, n_candidates), as rank returns them"
        )
    if indices.dtype.kind not in "iu" or (indices.size and indices.max() >= data.shape[1]):
        raise DataError(f"indices are columns of data, whole numbers below {data.shape[1]}; −1 for none")
    items = indices.astype(np.int64)
    return Lists(items, _scaled(np.where(items >= 0, scores, -np.inf)), np.arange(data.shape[0]), data)


def _scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale each list to the range from 0 to 1; all alike give 0."""
    shown = scores > -np.inf
    low = np.where(shown, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    spread = np.where(shown, scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf) - low
    with np.errstate(invalid="ignore"):
        scaled = np.divide(scores - low, spread, out=np.zeros(scores.shape), where=shown & (spread > 0))
    return np.where(shown, scaled, -np.inf)
