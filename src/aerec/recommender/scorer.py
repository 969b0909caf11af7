"""Scorers: what a fitted recommender knows, as a function from a block of users to scores of items.

Everything that ranks, explains, exports, serves or blends asks a scorer. What only some scorers can do is a Protocol
here, and asked for by ``isinstance``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from typing_extensions import Self

from aerec.sparse import CSR, row_ids, row_positions, take_rows
from aerec.system.memory import require_memory, row_blocks
from aerec.topk import top_k

if TYPE_CHECKING:
    from torch import nn


_BLOCK_BYTES = 16 * 2**20  # Scores in a block while ranking
_LEAST_ROWS = 64  # fewest users in a block, which reads all parameters of the model
_LEFT_OUT_BYTES = 2**24  # Histories without one item, and their scores, in a block


@dataclass(frozen=True)
class UserBlock:
    """Users that are scored at once.

    Parameters
    ----------
    history : csr_array of shape (n_users, n_items)
    known_users : ndarray of int64, shape (n_users,)
        Row of each in the training data; −1 for someone new.
    left_out : sequence of csr_array of shape (n_users, n_items)
        What is stored in any of them is not recommended.
    barred : ndarray of bool, shape (n_items,), optional
        Columns that are recommended to nobody.
    times : ndarray of shape (n_values of the history,), optional
        When each rating of the history was given, aligned with its values.
    """

    history: CSR
    known_users: NDArray[np.int64]
    left_out: Sequence[CSR] = ()
    barred: NDArray[np.bool_] | None = None
    times: NDArray[Any] | None = None

    @classmethod
    def new(cls, history: CSR) -> UserBlock:
        """Return a block of users of whom nothing but this history is known."""
        return cls(history, np.full(history.shape[0], -1, dtype=np.int64))

    @classmethod
    def without_history(cls, n_users: int, n_items: int) -> UserBlock:
        """Return users of whom nothing is known."""
        nothing: Any = sp.csr_array((n_users, n_items), dtype=np.float32)
        return cls.new(nothing)

    @property
    def n_users(self) -> int:
        """Number of users."""
        return self.history.shape[0]

    @property
    def strangers(self) -> NDArray[np.bool_]:
        """Of which users nothing is known at all; shape (n_users,)."""
        starts = self.history.indptr
        empty: NDArray[np.bool_] = (starts[1:] == starts[:-1]) & (self.known_users < 0)
        return empty

    @property
    def leaves_out_history(self) -> bool:
        """Whether the items of the history are left out."""
        return any(matrix is self.history for matrix in self.left_out)

    def take(self, rows: NDArray[np.int64]) -> UserBlock:
        """Return the users with these numbers."""
        history = take_rows(self.history, rows)
        left_out = [history if matrix is self.history else take_rows(matrix, rows) for matrix in self.left_out]
        times = None if self.times is None else self.times[row_positions(self.history.indptr, rows)[0]]
        return UserBlock(history, self.known_users[rows], left_out, self.barred, times)

    def anonymous(self) -> UserBlock:
        """Return the same users as if all of them were new."""
        return replace(self, known_users=np.full_like(self.known_users, -1))


class Scorer(ABC):
    """From a block of users to scores of items; immutable, without hyper-parameters, ids or files.

    A subclass writes `_scores`. Where a score is a sum over the history, it writes `contributions` as well.

    Parameters
    ----------
    n_items : int
    popularity : ndarray of shape (n_items,), float32, optional
        Ranks users of whom nothing is known.
    """

    block_bytes: int | None = None
    """Scores of users that are best ranked at once; see `score_blocks`."""

    def __init__(self, n_items: int, popularity: NDArray[np.float32] | None = None) -> None:
        self.n_items = n_items
        self.popularity = popularity

    @abstractmethod
    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        """Score all items, whether anything is known of a user or not; a new array of shape (n_users, n_items)."""

    def score(self, block: UserBlock) -> NDArray[np.float32]:
        """Score all items for each user; shape (n_users, n_items), float32."""
        scores = self._scores(block)
        if self.popularity is not None and (by_popularity := self._by_popularity(block, scores)).any():
            scores[by_popularity] = self.popularity
        return scores

    def score_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score the items `columns` for each user; shape (n_users, n_columns)."""
        return self.score(block)[:, columns]

    def best(self, block: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return columns and scores of the `k` best items of each user, without what is left out or barred.

        Of equal scores the lower column comes first. Where a user has fewer candidates, the rest is −1 and −∞.
        """
        return best_of(self.score(block), block, k)

    def rank(self, users: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return what `best` does for any number of users, block by block: memory does not grow with users × items.

        Raises
        ------
        InsufficientMemoryError
            If the lists themselves do not fit into memory.
        """
        n_users = users.n_users
        require_memory(12 * n_users * k, f"a list of {k:,} for {n_users:,} users", "ask for a smaller k")
        scorer = self.prepared(n_users, k)
        if 0 < n_users <= block_rows(self.n_items, scorer.block_bytes):
            return scorer.best(users, k)
        columns = np.full((n_users, k), -1, dtype=np.int64)
        scores = np.full((n_users, k), -np.inf, dtype=np.float32)
        for rows in score_blocks(n_users, self.n_items, scorer.block_bytes):
            columns[rows], scores[rows] = scorer.best(users.take(rows), k)
        return columns, scores

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much each item of the history of one user adds to the scores of the items `columns`.

        By default how much a score falls when the item is left out of the history. Some of these histories are
        scored at a time, so that memory grows with the history, not with its square; time does not, so that a scorer
        that reads a history through a sum takes each term off the sum instead.

        Parameters
        ----------
        block : UserBlock of one user
        columns : ndarray of int64, shape (n_columns,)

        Returns
        -------
        ndarray of shape (n_values of the history, n_columns), float64
        """
        n = block.history.nnz
        whole = self._scores_at(block, columns)[0]
        terms = np.empty((n, len(columns)))
        for places in score_blocks(n, self.n_items + 5 * n, _LEFT_OUT_BYTES):  # values, and columns in 64 bits twice
            terms[places] = whole - self._scores_at(_without(block, places), columns)
        return terms

    def prepared(self, n_users: int, k: int) -> Scorer:
        """Return the scorer that ranks this many users fastest: by default this one."""
        return self

    def for_single_users(self) -> Self:
        """Return the scorer that ranks one user at a time fastest: by default this one."""
        return self

    def _scores_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return columns of `_scores`."""
        return self._scores(block)[:, columns]

    def _by_popularity(self, block: UserBlock, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Say which users are ranked by popularity; shape (n_users,)."""
        return block.strangers


def best_of(scores: NDArray[np.float32], block: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return what `Scorer.best` does, given the scores of all items, which are overwritten."""
    for matrix in block.left_out:
        scores[row_ids(matrix), matrix.indices] = -np.inf
    if block.barred is not None:
        scores[:, block.barred] = -np.inf
    return top_k(scores, k)


def check_k(k: Any) -> int:
    """Return the length of a list as an int, which products of it do not overflow; a ValueError where it is none."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}")
    return int(k)


def block_rows(n_items: int, n_bytes: int | None = None) -> int:
    """Return how many users are scored at once: so that their scores stay within `n_bytes`, or 64 of a large catalogue.

    The second holds only where `n_bytes` is not given.
    """
    least = _LEAST_ROWS if n_bytes is None else 1
    return max(least, (n_bytes or _BLOCK_BYTES) // (4 * max(n_items, 1)))


def score_blocks(n_users: int, n_items: int, n_bytes: int | None = None) -> Iterator[NDArray[np.int64]]:
    """Consecutive row numbers, `block_rows` at a time."""
    return row_blocks(n_users, block_rows(n_items, n_bytes))


def _without(block: UserBlock, places: NDArray[np.int64]) -> UserBlock:
    """Return the history of one user as often as there are `places`, each time without the value in that place."""
    history, n_left = block.history, block.history.nnz - 1
    stays = np.arange(n_left) + (np.arange(n_left) >= places[:, None])
    indptr = np.arange(len(places) + 1) * n_left
    shape = (len(places), history.shape[1])
    left: CSR = type(history)((history.data[stays].ravel(), history.indices[stays].ravel(), indptr), shape=shape)
    return UserBlock(left, np.repeat(block.known_users, len(places)))


class ModelScorer(Scorer):
    """The scorer of a model that writes `_score`, as most do.

    Parameters
    ----------
    score : callable
        `Recommender._score`: from histories and known users to scores.
    n_items, popularity
        As in `Scorer`.
    """

    def __init__(
        self,
        score: Callable[[CSR, NDArray[np.int64]], NDArray[np.float32]],
        n_items: int,
        popularity: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(n_items, popularity)
        self._function = score

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        scores = self._function(block.history, block.known_users)
        if np.shape(scores) != (expected := (block.n_users, self.n_items)):
            raise ValueError(
                f"_score has to return a score for each user and item, of shape {expected}, got {np.shape(scores)}"
            )
        return scores


class FactorScorer(Scorer):
    """A score is the product of a vector of the user, which is found from the history, and one of the item.

    Parameters
    ----------
    items : ndarray of shape (n_items, n_factors), float32
    fold_in : callable
        From histories and known users to vectors of shape (n_users, n_factors).
    popularity
        As in `Scorer`.
    fold_in_without : callable, optional
        From the history of one user, and the user, to the vectors of the histories without each of its values, in time
        linear in their number; shape (n_values, n_factors). `contributions` folds each of them in where there is none.
    """

    def __init__(
        self,
        items: NDArray[np.float32],
        fold_in: Callable[[CSR, NDArray[np.int64]], NDArray[np.float32]],
        popularity: NDArray[np.float32] | None = None,
        fold_in_without: Callable[[CSR, NDArray[np.int64]], NDArray[np.floating[Any]]] | None = None,
    ) -> None:
        super().__init__(len(items), popularity)
        self._items, self._fold_in, self._fold_in_without = items, fold_in, fold_in_without

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        return self.query_vectors(block) @ self._items.T

    def _scores_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.query_vectors(block) @ self._items[columns].T

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much a score falls when an item is left out of the history."""
        terms: NDArray[np.float64] = self.code(block).astype(np.float64) - self.code_without_each(block)
        return terms @ self._items[columns].T.astype(np.float64)

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the vectors of the items."""
        return self._items

    def query_vectors(self, block: UserBlock) -> NDArray[np.float32]:
        """Return the vectors of users."""
        return self._fold_in(block.history, block.known_users)

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the cosines of the vectors."""
        return cosines(self._items, columns)

    def code(self, block: UserBlock) -> NDArray[np.float32]:
        """Return the vectors of users."""
        return self.query_vectors(block)

    def code_without_each(self, block: UserBlock) -> NDArray[np.floating[Any]]:
        """Return the vectors of the history of one user without each of its values; shape (n_values, n_factors)."""
        history, known_users = block.history, block.known_users
        if self._fold_in_without is not None and history.nnz:
            return self._fold_in_without(history, known_users)
        vectors = np.empty((history.nnz, self.code_size()), dtype=np.float32)
        for places in score_blocks(len(vectors), 5 * len(vectors), _LEFT_OUT_BYTES):
            vectors[places] = self.query_vectors(_without(block, places))
        return vectors

    def code_size(self) -> int:
        """Return n_factors."""
        return int(self._items.shape[1])

    def decode(self, code: NDArray[np.float32], block: UserBlock) -> NDArray[np.float32]:
        """Return the products of `code` and the vectors of the items."""
        return code @ self._items.T


# ---------------------------------------------------------------------- what only some scorers can do


@runtime_checkable
class VectorScorer(Protocol):
    """Orders the items of a user as the products of one vector per item and one per user are ordered."""

    def item_vectors(self) -> NDArray[np.floating[Any]]:
        """Return a vector per item; shape (n_items, n_dimensions)."""

    def query_vectors(self, block: UserBlock) -> NDArray[np.floating[Any]]:
        """Return a vector per user; shape (n_users, n_dimensions)."""


@runtime_checkable
class SimilarityScorer(Protocol):
    """Knows how alike items are."""

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        """Return how alike the items `columns` and all items are; (n_columns, n_items), −∞ where they share nothing."""


class _HasCode(Protocol):
    def code(self, block: UserBlock) -> NDArray[np.float32]:
        """Return the code of each user; shape (n_users, n_code)."""

    def code_size(self) -> int:
        """Return n_code."""


@runtime_checkable
class CodeScorer(_HasCode, Protocol):
    """Scores through a code of each user, whose units can be read one by one."""

    def unit_weights(self, unit: int, activation: float) -> NDArray[np.float32]:
        """Return how much the score of each item rises when `unit` alone has that activation; shape (n_items,)."""

    def unit_contributions(
        self, code: NDArray[np.float32], units: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return how much the scores of `columns` fall when each of `units` is set to 0; (n_units, n_columns)."""


@runtime_checkable
class SteerableScorer(Protocol):
    """Scores through a code of each user, whose units can be turned up or down."""

    def steered(self, weights: Mapping[int, float]) -> Scorer:
        """Return a scorer that adds `weights` to the activations of units; a ValueError where one cannot be added."""

    def unit_usage(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return of each unit for which share of the training users it is active, and its mean activation in them."""


@runtime_checkable
class DecoderScorer(_HasCode, Protocol):
    """Scores through a code of each user, and scores any other code as well."""

    def decode(self, code: NDArray[np.float32], block: UserBlock) -> NDArray[np.float32]:
        """Score all items for users of `block` as if `code` were their code; shape (n_users, n_items)."""


@runtime_checkable
class SeparableScorer(Protocol):
    """Finds the code of a user without each item of the history in time linear in it."""

    def code_without_each(self, block: UserBlock) -> NDArray[np.floating[Any]]:
        """Return the codes of the history of one user without each of its values; shape (n_values, n_code)."""


@runtime_checkable
class GraphScorer(Protocol):
    """Can be written as a PyTorch module from a dense history to scores, and so as an ONNX graph."""

    def graph(self) -> nn.Module:
        """Return that module, on the CPU; popularity has no part in it."""

    def graph_size(self) -> int:
        """Return how many numbers it holds."""


@runtime_checkable
class RatingScorer(Protocol):
    """Predicts ratings."""

    def predict(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        """Predict the rating of each pair of training row and column; −1 stands for one that was not seen."""


def cosines(vectors: NDArray[np.floating[Any]], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the cosines of the vectors `rows` with all vectors, 0 for a vector of zeros; (len(rows), n_vectors)."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return directions[rows] @ directions.T
