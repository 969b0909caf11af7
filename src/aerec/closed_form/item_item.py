"""Item-item models: the score of an item is a weighted sum over the history, score = x · W."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from aerec.closed_form.gram import sum_rows
from aerec.recommender.base import Recommender
from aerec.recommender.graphs import LinearGraph
from aerec.recommender.new_items import NewItems
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.sparse import CSR, row_ids, take_rows
from aerec.system.memory import require_memory


class ItemItemRecommender(Recommender):
    """Base of the models whose score is ``history @ weights_``; a subclass learns the weights in `_fit`.

    An empty history would give zeros only: such a user is ranked by popularity in the training data.

    Attributes
    ----------
    weights_ : ndarray or csr_array of shape (n_items, n_items), float32
        ``weights_[i, j]`` is what a rating of 1 for item i adds to the score of item j.
    """

    _learned: ClassVar[tuple[str, ...]] = ("weights_",)
    _popularity_for_empty = True

    weights_: NDArray[np.float32] | CSR

    def _make_scorer(self) -> Scorer:
        return ItemItemScorer(self.weights_, self._popularity)

    def _add_learned(self, added: NewItems) -> None:
        self.weights_ = added.square(self.weights_)


class ItemItemScorer(Scorer):
    """Scores by x · W.

    Parameters
    ----------
    weights : ndarray or csr_array of shape (n_items, n_items), float32
    popularity
        As in `Scorer`.
    """

    def __init__(self, weights: NDArray[np.float32] | CSR, popularity: NDArray[np.float32] | None = None) -> None:
        super().__init__(weights.shape[0], popularity)
        self._weights = weights

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        if not isinstance(self._weights, np.ndarray):
            return (block.history @ self._weights).toarray()
        return sum_rows(block.history, 0, block.n_users, self._weights)

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact terms of the sum, xᵢ · Wᵢⱼ."""
        history = block.history
        if isinstance(self._weights, np.ndarray):
            dense = self._weights[np.ix_(history.indices, columns)]
        else:
            dense = self._weights[history.indices][:, columns].toarray()
        return history.data.astype(np.float64)[:, None] * dense  # type: ignore[no-any-return]

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return rows of W: what a rating of an item adds to the score of each other one."""
        if isinstance(self._weights, np.ndarray):
            return self._weights[columns]
        stored = take_rows(self._weights, columns)
        rows = np.full(stored.shape, -np.inf, dtype=np.float32)
        rows[row_ids(stored), stored.indices] = stored.data
        return rows

    def graph(self) -> torch.nn.Module:
        """Return the product with the dense weights as a module."""
        if isinstance(self._weights, np.ndarray):
            return LinearGraph(self._weights)
        require_memory(4 * self.graph_size(), f"the dense weights of {self.n_items:,} items", "train on fewer items")
        return LinearGraph(self._weights.toarray())

    def graph_size(self) -> int:
        """Return n_items²."""
        return self.n_items**2
