"""The ridge regressions of all items from the side of the users, who are fewer: with a matrix of users²."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from aerec.closed_form.gram import blocks_of_dense_rows, gram_matrix, invert_gram, scale_symmetric, sum_rows
from aerec.recommender.graphs import LinearGraph
from aerec.recommender.new_items import NewItems
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.sparse import CSR, row_ids, take_rows, with_values
from aerec.system.memory import require_memory


def user_kernel(ratings: CSR, ridge: NDArray[np.float32], advice: str) -> NDArray[np.float32]:
    r"""Return :math:`K = (I + X \Lambda^{-1} X^\top)^{-1}`, which says of P = (XᵀX + Λ)⁻¹ all that X does not.

    .. math:: P = \Lambda^{-1} - \Lambda^{-1} X^\top K X \Lambda^{-1}

    Parameters
    ----------
    ratings : csr_array of shape (n_items, n_users)
        Xᵀ.
    ridge : ndarray of shape (n_items,), float32
        The diagonal of Λ, positive.
    advice : str
        What to do instead where the matrix does not fit into memory.

    Returns
    -------
    ndarray of shape (n_users, n_users), float32
    """
    scale = np.sqrt(1 / ridge.astype(np.float64))
    values = (ratings.data * scale[row_ids(ratings)]).astype(np.float32)
    kernel = gram_matrix(with_values(ratings, values), advice, upper=True, name="a user-user matrix")
    diagonal = invert_gram(kernel, 1.0)
    ones = np.ones(len(kernel), dtype=np.float32)
    scale_symmetric(kernel, ones, ones, diagonal)
    return kernel


def inverse_diagonal(ratings: CSR, kernel: NDArray[np.float32], ridge: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the diagonal of P; parameters as in `user_kernel`."""
    n_items, n_users = ratings.shape
    sums = np.zeros(n_items)
    rows = row_ids(ratings)
    for some in blocks_of_dense_rows(n_users, n_items):
        products = sum_rows(ratings, 0, n_items, np.ascontiguousarray(kernel[:, some[0] : some[-1] + 1]))
        here = (ratings.indices >= some[0]) & (ratings.indices <= some[-1])
        own = products[rows[here], ratings.indices[here] - some[0]].astype(np.float64)
        sums += np.bincount(rows[here], own * ratings.data[here], minlength=n_items)
    penalty = ridge.astype(np.float64)
    return np.asarray(((1 - sums / penalty) / penalty).astype(np.float32))


def equal_rows(matrix: CSR, wanted: CSR) -> NDArray[np.int64] | None:
    """Return for each of the rows `wanted` another row of `matrix` that equals it; None where there is none."""
    seeds = np.random.default_rng(0).integers(2**63, size=matrix.shape[1], dtype=np.uint64)

    def hashes(rows: CSR) -> NDArray[np.uint64]:
        bits = rows.data.astype(np.float32).view(np.uint32).astype(np.uint64)
        sums = np.zeros(rows.shape[0], dtype=np.uint64)
        np.add.at(sums, row_ids(rows), seeds[rows.indices] * (2 * bits + 1))
        return sums

    there, sought = hashes(matrix), hashes(wanted)
    order, turn = np.argsort(there, kind="stable"), np.argsort(sought, kind="stable")
    first = np.searchsorted(there[order], sought[turn])
    repeated = np.arange(len(turn)) - np.searchsorted(sought[turn], sought[turn])  # the same row, asked for again
    place = first + repeated
    if len(place) and place.max() >= len(order):
        return None
    places = np.empty(len(turn), dtype=np.int64)
    places[turn] = order[place]
    rows = take_rows(matrix, places)
    parts = (rows.indptr, wanted.indptr), (rows.indices, wanted.indices), (rows.data, wanted.data)
    return places if all(np.array_equal(*pair) for pair in parts) else None


@dataclass(frozen=True, eq=False)
class MixedItems:
    """Items that nobody has rated, mixed of those that somebody has.

    Attributes
    ----------
    n_items : int
        Of all items.
    columns : ndarray of int64, shape (n_mixed,)
        Which of them are mixed.
    shares : ndarray of shape (n_mixed, n_rated), float32
        Of each of the items of the training data in each mixed one.
    """

    n_items: int
    columns: NDArray[np.int64]
    shares: NDArray[np.float32]

    @classmethod
    def of(cls, added: NewItems, n_trained: int, before: MixedItems | None) -> MixedItems:
        """Return what `added` makes of the `n_trained` items of the training data, and of those mixed before."""
        shares = np.zeros((len(added.new), n_trained), dtype=np.float32)
        trained = added.known < n_trained
        columns = added.new
        if before is not None:
            place = np.full(len(added.items), -1)
            place[before.columns] = np.arange(len(before.columns))
            again = place[added.known] >= 0
            trained &= ~again
            shares += added.shares[:, again] @ before.shares[place[added.known[again]]]
        shares[:, added.known[trained]] += added.shares[:, trained]
        if before is not None:
            stays = ~np.isin(before.columns, added.new)
            columns = np.concatenate([before.columns[stays], added.new])
            shares = np.concatenate([before.shares[stays], shares])
        return cls(len(added.items), columns, shares)


class UserSideScorer(Scorer):
    r"""Scores by x · B, of which no matrix is held.

    .. math:: B_{ij} = l_i \, (x_i^\top K x_j) \, r_j \;\text{ for } i \ne j, \qquad B_{ii} = d_i

    with the columns x of the ratings. A score takes as many operations as the ratings and the matrix K have values.

    Parameters
    ----------
    ratings : csr_array of shape (n_trained, n_users), float32
        Xᵀ, over the items of the training data.
    kernel : ndarray of shape (n_users, n_users), float32
        K.
    left, right : ndarray of shape (n_trained,), float32
        l and r.
    correction : ndarray of shape (n_trained,), float32
        :math:`d_i - l_i (x_i^\top K x_i) r_i`.
    mixed : MixedItems, optional
        Items beside those.
    popularity
        As in `Scorer`.
    """

    def __init__(
        self,
        ratings: CSR,
        kernel: NDArray[np.float32],
        left: NDArray[np.float32],
        right: NDArray[np.float32],
        correction: NDArray[np.float32],
        mixed: MixedItems | None = None,
        popularity: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(ratings.shape[0] if mixed is None else mixed.n_items, popularity)
        self._ratings, self._kernel, self._mixed = ratings, kernel, mixed
        self._left, self._right, self._correction = left, right, correction

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        if self._mixed is None:
            return self._products(block.history)
        shares, columns = self._mixed.shares, self._mixed.columns
        history, new = self._parts(block.history, self._mixed)
        if new.nnz:
            history = history + sp.csr_array(new @ shares)
        of_trained = self._products(history)
        scores = np.zeros((block.n_users, self.n_items), dtype=np.float32)
        scores[:, : self._ratings.shape[0]] = of_trained
        scores[:, columns] = self._without_mixed(of_trained) @ shares.T
        if new.nnz:  # nothing of what they say of themselves
            used, at = np.unique(new.indices, return_inverse=True)
            own = np.sum(self._without_mixed(self._products(sp.csr_array(shares[used]))) * shares[used], axis=1)
            scores[row_ids(new), columns[new.indices]] -= new.data * own[at]
        return scores

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact terms of the sum, xᵢ · Bᵢⱼ."""
        history = block.history
        weights = self._columns(columns)[history.indices]
        return history.data.astype(np.float64)[:, None] * weights

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return rows of B: what a rating of an item adds to the score of each other one."""
        values = np.ones(len(columns), dtype=np.float32), columns, np.arange(len(columns) + 1)
        return self._scores(UserBlock.new(sp.csr_array(values, shape=(len(columns), self.n_items))))

    def weights(self) -> NDArray[np.float32]:
        """Return B itself, made for the caller.

        Raises
        ------
        InsufficientMemoryError
            If it does not fit into memory.
        """
        n = self.n_items
        require_memory(4 * n**2, f"an item-item matrix of {n:,} x {n:,}", "ask for scores: they need no such matrix")
        matrix = np.empty((n, n), dtype=np.float32)
        for rows in blocks_of_dense_rows(n, n + 2 * len(self._kernel)):
            matrix[rows] = self.similarities(rows)
        return matrix

    def graph(self) -> torch.nn.Module:
        """Return the product with B as a module."""
        return LinearGraph(self.weights())

    def graph_size(self) -> int:
        """Return n_items²."""
        return self.n_items**2

    def _products(self, history: CSR) -> NDArray[np.float32]:
        """Return the scores of the items of the training data, of histories over them."""
        rows = row_ids(history)
        values = history.data * self._left[history.indices]
        alike = (with_values(history, values) @ self._ratings).toarray() @ self._kernel
        scores = sum_rows(self._ratings, 0, self._ratings.shape[0], np.ascontiguousarray(alike.T)).T * self._right
        scores[rows, history.indices] += history.data * self._correction[history.indices]
        return np.ascontiguousarray(scores)

    def _parts(self, history: CSR, mixed: MixedItems) -> tuple[CSR, CSR]:
        """Return histories over the items of the training data that are not mixed, and over the mixed ones."""
        n_trained = self._ratings.shape[0]
        place = np.full(self.n_items, -1)
        place[mixed.columns] = np.arange(len(mixed.columns))
        rows, at = row_ids(history), place[history.indices]
        old, new = at < 0, at >= 0
        trained = sp.csr_array(
            (history.data[old], (rows[old], history.indices[old])), shape=(history.shape[0], n_trained)
        )
        others = sp.csr_array((history.data[new], (rows[new], at[new])), shape=(history.shape[0], len(mixed.columns)))
        return trained, others

    def _without_mixed(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values of items of the training data in columns, 0 for those that are mixed."""
        assert self._mixed is not None
        among = self._mixed.columns[self._mixed.columns < values.shape[1]]
        if len(among):
            values = values.copy()
            values[:, among] = 0
        return values

    def _columns(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return columns of B; shape (n_items, n_columns)."""
        n_trained, mixed = self._ratings.shape[0], self._mixed
        chosen = np.zeros((n_trained, len(columns)), dtype=np.float32)  # what of each item is in each column
        place = np.full(self.n_items, -1)
        if mixed is not None:
            place[mixed.columns] = np.arange(len(mixed.columns))
        new = place[columns] >= 0
        chosen[columns[~new], np.flatnonzero(~new)] = 1
        if mixed is not None:
            chosen[:, new] = mixed.shares[place[columns[new]]].T
        alike = self._kernel @ (self._ratings.T @ (self._right[:, None] * chosen))
        terms: NDArray[np.float32] = self._left[:, None] * (self._ratings @ alike) + self._correction[:, None] * chosen
        if mixed is None:
            return terms
        terms = self._without_mixed(terms.T).T
        table = np.zeros((self.n_items, len(columns)), dtype=np.float32)
        table[:n_trained] = terms
        table[mixed.columns] = mixed.shares @ terms
        table[columns[new], np.flatnonzero(new)] = 0
        return table
