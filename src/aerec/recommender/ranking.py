"""The best items of each user, as arrays and as a frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.recommender.blocks import score_blocks
from aerec.recommender.id_matching import Catalogue, History
from aerec.sparse import CSR, row_ids, take_rows
from aerec.system.memory import require_memory
from aerec.topk import top_k

__all__ = ["Ranker", "Ranking", "UserBlock", "check_k"]


@dataclass(frozen=True)
class UserBlock:
    """Users that are ranked at once: their histories, their rows in the training data (−1: new), what not to show.

    That is what is stored in any of `left_out`, each of the shape of the history, and the columns `barred`.
    """

    history: CSR
    known_users: NDArray[np.int64]
    left_out: Sequence[CSR]
    barred: NDArray[np.bool_] | None


Ranker: TypeAlias = Callable[[UserBlock, int], tuple[NDArray[np.int64], NDArray[np.float32]]]
"""From a block of users and k to columns and scores of the k best items of each."""


def check_k(k: Any) -> None:
    """Refuse a length of a list that is none."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}")


class Ranking(Catalogue):
    """The part of a recommender that ranks: blocks of users, what must not be shown left out, the best of the rest."""

    def rank(
        self,
        history: History,
        k: int = 10,
        exclude_seen: bool = True,
        *,
        exclude: History | None = None,
        allow_items: ArrayLike | None = None,
        block_items: ArrayLike | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the `k` best items of each user as arrays of column numbers and scores.

        Users are scored in blocks: memory does not grow with users × items. Of equal scores the lower column comes
        first. Where a user has fewer than `k` candidates, the rest is index −1 and score −∞.

        Parameters
        ----------
        history : Interactions or matrix of shape (n_users, n_items)
        k : int, default 10
        exclude_seen : bool, default True
            Leave out the items of the history.
        exclude : Interactions or matrix of shape (n_users, n_items), optional
            More items to leave out, user by user.
        allow_items, block_items : array-like, optional
            Items to choose from, and items never to show: raw ids for an `Interactions`, else column numbers.

        Returns
        -------
        indices : ndarray of int64, shape (n_users, k)
        scores : ndarray of float32, shape (n_users, k)
        """
        check_k(k)
        matrix, known = self._history(history)
        more = None if exclude is None else self._history(exclude)[0]
        if more is not None and more.shape[0] != matrix.shape[0]:
            raise DataError(f"exclude has {more.shape[0]} users, the history {matrix.shape[0]}")
        barred = self._barred(allow_items, block_items, self._catalogue(history))
        n_users = matrix.shape[0]
        require_memory(12 * n_users * k, f"a list of {k:,} for {n_users:,} users", "ask for a smaller k")
        indices = np.full((matrix.shape[0], k), -1, dtype=np.int64)
        values = np.full((matrix.shape[0], k), -np.inf, dtype=np.float32)
        best = self._ranker(n_users, k)
        for rows in self._rank_blocks(n_users):
            block = take_rows(matrix, rows)
            left_out = [*([block] if exclude_seen else []), *([] if more is None else [take_rows(more, rows)])]
            indices[rows], values[rows] = best(UserBlock(block, known[rows], left_out, barred), k)
        return indices, values

    @overload
    def recommend(
        self,
        history: Interactions,
        k: int = 10,
        exclude_seen: bool = True,
        *,
        allow_items: ArrayLike | None = None,
        block_items: ArrayLike | None = None,
    ) -> pd.DataFrame: ...

    @overload
    def recommend(
        self,
        history: Any,
        k: int = 10,
        exclude_seen: bool = True,
        *,
        allow_items: ArrayLike | None = None,
        block_items: ArrayLike | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...

    def recommend(
        self,
        history: History,
        k: int = 10,
        exclude_seen: bool = True,
        *,
        allow_items: ArrayLike | None = None,
        block_items: ArrayLike | None = None,
    ) -> pd.DataFrame | tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Recommend the `k` best items to each user of `history`; see `rank` for the parameters.

        Returns
        -------
        pandas.DataFrame
            For an `Interactions`: columns user, item (raw ids), rank (from 1) and score, users in the order of the
            history. A user with fewer than `k` candidates has fewer rows.
        (indices, scores)
            For a matrix: the arrays of `rank`, filled up with −1 and −∞.
        """
        indices, scores = self.rank(history, k, exclude_seen, allow_items=allow_items, block_items=block_items)
        if not isinstance(history, Interactions):
            return indices, scores
        rows, places = np.nonzero(indices >= 0)
        items = self._catalogue(history)
        return pd.DataFrame(
            {
                "user": history.users.take(rows),
                "item": items.take(indices[rows, places]),
                "rank": places + 1,
                "score": scores[rows, places],
            }
        )

    @abstractmethod
    def _scores(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score all items for a block of users; shape (n, n_items)."""

    def _rank_blocks(self, n_users: int) -> Iterator[NDArray[np.int64]]:
        """Row numbers of the users that are ranked at once."""
        return score_blocks(n_users, self.n_features_in_)

    def _ranker(self, n_users: int, k: int) -> Ranker:
        """Return what ranks a block of so many users: by default `_best`, which ranks by `_scores`."""
        return self._best

    def _best(self, block: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rank a block of users by all their scores."""
        scores = self._scores(block.history, block.known_users)
        for one in block.left_out:
            scores[row_ids(one), one.indices] = -np.inf
        if block.barred is not None:
            scores[:, block.barred] = -np.inf
        return top_k(scores, k)
