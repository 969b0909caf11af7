"""The rows of a sparse matrix that are most alike, from the stored values of a sparse product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.closed_form.item_item import on_all_threads
from aerec.sparse import CSR, ones_in, row_ids, take_rows

_BLOCK_PRODUCTS = 1 << 19  # products summed at once by one thread

Values: TypeAlias = Callable[[NDArray[np.int64], CSR], NDArray[np.floating[Any]]]
"""From the numbers of some rows and their products to what these are ranked by."""


class RowIndex:
    """The rows of a matrix, prepared once to be compared with many queries.

    Parameters
    ----------
    rows : csr_array of shape (n_rows, n_columns)
    similarity : {"cosine", "jaccard"}
        Jaccard reads every stored value as 1.
    """

    def __init__(self, rows: CSR, similarity: str = "cosine") -> None:
        self._jaccard = similarity == "jaccard"
        rows = ones_in(rows) if self._jaccard else rows
        self._transposed: CSR = rows.T.tocsr()
        self._squares = _squared_norms(rows)
        self._norms = np.sqrt(self._squares)

    def nearest(self, queries: CSR, k: int, shrinkage: float, exclude: NDArray[np.int64] | None = None) -> CSR:
        """Return the similarity of each query to the `k` rows most similar to it, of those that share a column with it.

        Parameters
        ----------
        queries : csr_array of shape (n_queries, n_columns)
        k : int
        shrinkage : float
        exclude : ndarray of int64, shape (n_queries,), optional
            A row that is not to be a neighbour of the query (itself); −1 for none.

        Returns
        -------
        csr_array of shape (n_queries, n_rows), float32
            Sorted; at most `k` values a row, all above 0. Of equal ones the lower columns are chosen.
        """
        queries = ones_in(queries) if self._jaccard else queries
        squares = _squared_norms(queries)

        def similarities(numbers: NDArray[np.int64], dots: CSR) -> NDArray[np.floating[Any]]:
            return self._similarities(
                np.repeat(squares[numbers], np.diff(dots.indptr)), dots.indices, dots.data, shrinkage
            )

        return largest_products(queries, self._transposed, k, similarities, exclude)

    def nearest_without_each(self, query: CSR, k: int, shrinkage: float, exclude: int = -1) -> CSR:
        """Return what `nearest` does for one query without each of its values in turn; (n_values, n_rows).

        The term of each value is taken off the products of the whole query, so that time is linear in the values.
        """
        query = ones_in(query) if self._jaccard else query
        n = query.nnz
        places: CSR = sp.csr_array((query.data, query.indices, np.arange(n + 1)), shape=(n, query.shape[1]))
        terms: CSR = (places @ self._transposed).tocsr()
        rows = np.unique(terms.indices)
        if not len(rows):
            return terms
        terms = terms[:, rows].tocsr()
        dots = np.asarray(terms.sum(axis=0))
        squares = np.maximum(_squared_norms(query).sum() - np.square(query.data), 0)
        parts: list[Any] = []
        for block in _row_blocks(np.full(n, float(len(rows)))):
            left = dots - terms[block].toarray()
            columns, starts = np.tile(rows, len(left)), np.arange(len(left) + 1) * len(rows)
            alike = self._similarities(np.repeat(squares[block], len(rows)), columns, left.ravel(), shrinkage)
            shape = len(left), self._transposed.shape[1]
            parts.append(_largest(alike, columns, starts, shape, k, np.full(len(left), exclude)))
        nearest: CSR = sp.vstack(parts, format="csr", dtype=np.float32)
        return nearest

    def _similarities(
        self, squares: NDArray[Any], rows: NDArray[Any], dots: NDArray[Any], shrinkage: float
    ) -> NDArray[np.floating[Any]]:
        """Return the similarities of pairs, given the squared norms of the queries, the rows, and the products."""
        if self._jaccard:
            scale = squares + self._squares.take(rows) - dots
        else:
            scale = np.sqrt(squares) * self._norms.take(rows)
        return np.asarray(dots / np.maximum(scale + np.float32(shrinkage), np.float32(1e-30)))


def nearest_rows(
    queries: CSR,
    rows: CSR,
    k: int,
    shrinkage: float,
    similarity: str = "cosine",
    exclude: NDArray[np.int64] | None = None,
) -> CSR:
    """Return the similarity of each query to the `k` rows most similar to it; see `RowIndex`."""
    return RowIndex(rows, similarity).nearest(queries, k, shrinkage, exclude)


def largest_products(
    left: CSR, right: CSR, k: int, values: Values | None = None, exclude: NDArray[np.int64] | None = None
) -> CSR:
    """Return the `k` largest values of each row of left · right, of those above 0; no row is made dense.

    Time and memory are those of the products of stored values. Rows of about equally many are worked on at once.

    Parameters
    ----------
    left : csr_array of shape (n, m)
    right : csr_array of shape (m, n_columns)
    k : int
    values : callable, optional
        What to rank by instead of the products themselves.
    exclude : ndarray of int64, shape (n,), optional
        A column that is left out of each row; −1 for none.

    Returns
    -------
    csr_array of shape (n, n_columns), float32
        Sorted. Of equal values the lower columns are chosen.
    """
    n_products = left.astype(bool).astype(np.float64) @ np.diff(right.indptr).astype(np.float64)
    order = np.argsort(-n_products, kind="stable")
    tasks = list(_row_blocks(np.minimum(n_products[order], right.shape[1])))
    parts: list[Any] = [sp.csr_array((0, right.shape[1]), dtype=np.float32)] * (len(tasks) + 1)

    def work(task: tuple[int, slice]) -> None:
        number, block = task
        rows = order[block]
        products: CSR = take_rows(left, rows) @ right
        ranked = products.data if values is None else values(rows, products)
        banned = None if exclude is None else exclude[rows]
        parts[number] = _largest(ranked, products.indices, products.indptr, products.shape, k, banned)

    on_all_threads(work, enumerate(tasks))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    nearest = take_rows(sp.vstack(parts, format="csr", dtype=np.float32), place)
    nearest.has_canonical_format = False  # the columns of a row come as the product gave them
    return nearest.tocsc().tocsr()  # sorts them in linear time


def _row_blocks(most: NDArray[np.float64]) -> Iterator[slice]:
    """Cut rows, of which the first may hold `most` values, into blocks that hold few enough even if padded."""
    start = 0
    while start < len(most):
        size = max(1, int(_BLOCK_PRODUCTS // max(most[start], 1)))
        yield slice(start, min(start + size, len(most)))
        start += size


def _largest(
    values: NDArray[np.floating[Any]],
    columns: NDArray[np.integer[Any]],
    indptr: NDArray[np.integer[Any]],
    shape: tuple[int, int],
    k: int,
    exclude: NDArray[np.int64] | None,
) -> CSR:
    """Return the `k` largest values of each row of a CSR matrix, given as its arrays; the columns may be unsorted."""
    counts = np.diff(indptr)
    rows = np.repeat(np.arange(shape[0], dtype=np.int32), counts)
    wanted = values > 0
    if exclude is not None:
        wanted &= columns != exclude[rows]
    longest = int(counts.max(initial=0))
    if longest > k:
        table = np.zeros((shape[0], longest), dtype=values.dtype)
        table[np.arange(longest) < counts[:, None]] = np.where(wanted, values, 0)
        table.partition(longest - k, axis=1)
        bound = np.repeat(table[:, longest - k], counts)
        wanted &= values >= bound
        tied = np.flatnonzero(wanted & (values == bound))
        room = k - np.bincount(rows[wanted & (values > bound)], minlength=shape[0])
        wanted[_beyond(tied, rows, columns, room)] = False
    at = np.flatnonzero(wanted)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows[at], minlength=shape[0]))])
    return sp.csr_array((values[at].astype(np.float32, copy=False), columns[at], starts), shape=shape)


def _beyond(
    tied: NDArray[np.int64], rows: NDArray[np.int32], columns: NDArray[np.integer[Any]], room: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return those of the `tied` places that a row has no `room` for, the higher columns."""
    crowded = np.bincount(rows[tied], minlength=len(room)) > room
    tied = tied[crowded[rows[tied]]]
    tied = tied[np.lexsort((columns[tied], rows[tied]))]
    first = np.searchsorted(rows[tied], np.arange(len(room)))
    return tied[np.arange(len(tied)) - first[rows[tied]] >= room[rows[tied]]]


def _squared_norms(matrix: CSR) -> NDArray[np.float32]:
    squares = np.bincount(row_ids(matrix), matrix.data.astype(np.float64) ** 2, minlength=matrix.shape[0])
    return squares.astype(np.float32)
