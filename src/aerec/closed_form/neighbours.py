"""The rows of a sparse matrix that are most alike, from the stored values of a sparse product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from aerec.closed_form.gram import checked_rows, on_all_threads
from aerec.files.memmap import blocks
from aerec.native import kernels
from aerec.native.loader import is_used
from aerec.sparse import CSR, ones_in, row_sums, squares, take_rows

_BLOCK_PRODUCTS = 1 << 19  # products summed at once by one thread
_BLOCK_NEIGHBOURS = 1 << 22  # neighbours that a kernel finds at once


@dataclass(frozen=True)
class Similarity:
    """What products x·y of rows are ranked by: x·y / (‖x‖ ‖y‖ + s), or with jaccard x·y / (‖x‖² + ‖y‖² − x·y + s)."""

    squares: NDArray[np.float32]
    other_squares: NDArray[np.float32]
    shrinkage: float
    jaccard: bool

    def __call__(
        self, numbers: NDArray[np.int64], others: NDArray[Any], products: NDArray[Any]
    ) -> NDArray[np.floating[Any]]:
        """Return the similarities of pairs by their numbers."""
        one, other = self.squares.take(numbers), self.other_squares.take(others)
        scale = one + other - products if self.jaccard else np.sqrt(one) * np.sqrt(other)
        return np.asarray(products / np.maximum(scale + np.float32(self.shrinkage), np.float32(1e-30)))


class RowIndex:
    """The rows of a matrix, prepared once to be compared with many queries.

    Parameters
    ----------
    rows : csr_array of shape (n_rows, n_columns)
    similarity : {"cosine", "jaccard"}
        Jaccard reads every stored value as 1.
    transposed : csr_array of shape (n_columns, n_rows), optional
        That of the rows, where it is at hand.
    """

    def __init__(self, rows: CSR, similarity: str = "cosine", transposed: CSR | None = None) -> None:
        self._jaccard = similarity == "jaccard"
        transposed = rows.T.tocsr() if transposed is None else transposed
        self._transposed = ones_in(transposed) if self._jaccard else transposed
        self._squares = _squared_norms(ones_in(rows) if self._jaccard else rows)

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
        similarity = Similarity(_squared_norms(queries), self._squares, shrinkage, self._jaccard)
        return largest_products(queries, self._transposed, k, similarity, exclude)

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
        rest = np.maximum(_squared_norms(query).sum() - np.square(query.data), 0)
        similarity = Similarity(rest, self._squares, shrinkage, self._jaccard)
        parts: list[Any] = []
        for block in _blocks_of_products(np.full(n, float(len(rows)))):
            left = dots - terms[block].toarray()
            columns, starts = np.tile(rows, len(left)), np.arange(len(left) + 1) * len(rows)
            alike = similarity(np.repeat(np.arange(n)[block], len(rows)), columns, left.ravel())
            shape = len(left), self._transposed.shape[1]
            parts.append(_largest(alike, columns, starts, shape, k, np.full(len(left), exclude)))
        nearest: CSR = sp.vstack(parts, format="csr", dtype=np.float32)
        return nearest


def nearest_columns(X: CSR, k: int, shrinkage: float, similarity: str = "cosine") -> CSR:
    """Return the similarity of each column to the `k` other ones most similar to it; see `RowIndex`."""
    columns: CSR = X.T.tocsr()
    index = RowIndex(columns, similarity, transposed=X)
    return index.nearest(columns, k, shrinkage, exclude=np.arange(X.shape[1]))


def largest_products(
    left: CSR, right: CSR, k: int, similarity: Similarity | None = None, exclude: NDArray[np.int64] | None = None
) -> CSR:
    """Return the `k` largest values of each row of left · right, of those above 0; no row is made dense.

    Time and memory are those of the products of stored values.

    Parameters
    ----------
    left : csr_array of shape (n, m)
    right : csr_array of shape (m, n_columns)
    k : int
    similarity : Similarity, optional
        What to rank by instead of the products themselves.
    exclude : ndarray of int64, shape (n,), optional
        A column that is left out of each row; −1 for none.

    Returns
    -------
    csr_array of shape (n, n_columns), float32
        Sorted. Of equal values the lower columns are chosen.
    """
    exclude = np.full(left.shape[0], -1) if exclude is None else exclude
    starts = right.indptr.astype(np.int64, copy=False)
    n_products = sum(int((starts[through + 1] - starts[through]).sum()) for _, through in blocks(left.indices))
    if is_used() and left.dtype == right.dtype == np.float32 and n_products > right.nnz:  # less than to check it
        return _largest_by_kernel(left, right, k, similarity, exclude)
    return _largest_by_scipy(left, right, k, similarity, exclude)


def _largest_by_kernel(left: CSR, right: CSR, k: int, similarity: Similarity | None, exclude: NDArray[np.int64]) -> CSR:
    n_rows, n_columns = left.shape[0], right.shape[1]
    pairs = None
    if similarity is not None:
        rows, columns = (
            torch.from_numpy(np.array(lengths) if similarity.jaccard else np.sqrt(lengths))
            for lengths in (similarity.squares, similarity.other_squares)
        )
        pairs = kernels.Pairs(rows, columns, float(similarity.shrinkage), similarity.jaccard)
    factors = checked_rows(left), checked_rows(right)
    excluded = torch.from_numpy(exclude.astype(np.int64))
    size = max(1, min(_BLOCK_NEIGHBOURS // min(k, n_columns), -(-n_rows // (8 * torch.get_num_threads()))))
    blocks = [range(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
    parts: list[Any] = [None] * len(blocks)

    def work(number: int) -> None:
        starts, columns, values = kernels.largest_products(*factors, blocks[number], k, excluded, pairs)
        shape = len(blocks[number]), n_columns
        parts[number] = sp.csr_array((values.numpy(), columns.numpy(), starts.int().numpy()), shape=shape)

    on_all_threads(work, range(len(blocks)))
    nearest: CSR = sp.vstack(parts, format="csr", dtype=np.float32)
    nearest.has_canonical_format = True
    return nearest


def _largest_by_scipy(
    left: CSR,
    right: CSR,
    k: int,
    similarity: Similarity | None,
    exclude: NDArray[np.int64],
) -> CSR:
    """Rows of about equally many products are worked on at once."""
    n_products = ones_in(left, np.float64) @ np.diff(right.indptr).astype(np.float64)
    order = np.argsort(-n_products, kind="stable")
    tasks = list(_blocks_of_products(np.minimum(n_products[order], right.shape[1])))
    parts: list[Any] = [sp.csr_array((0, right.shape[1]), dtype=np.float32)] * (len(tasks) + 1)

    def work(task: tuple[int, slice]) -> None:
        number, block = task
        rows = order[block]
        products: CSR = take_rows(left, rows) @ right
        ranked = products.data
        if similarity is not None:
            ranked = similarity(np.repeat(rows, np.diff(products.indptr)), products.indices, products.data)
        parts[number] = _largest(ranked, products.indices, products.indptr, products.shape, k, exclude[rows])

    on_all_threads(work, enumerate(tasks))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    nearest = take_rows(sp.vstack(parts, format="csr", dtype=np.float32), place)
    nearest.has_sorted_indices = False  # the columns of a row come as the product gave them
    nearest.sort_indices()
    return nearest


def _blocks_of_products(most: NDArray[np.float64]) -> Iterator[slice]:
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
    exclude: NDArray[np.int64],
) -> CSR:
    """Return the `k` largest values of each row of a CSR matrix, given as its arrays; the columns may be unsorted."""
    counts = np.diff(indptr)
    rows = np.repeat(np.arange(shape[0], dtype=np.int32), counts)
    wanted = (values > 0) & (columns != exclude[rows])
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
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows[at], minlength=shape[0]))], dtype=columns.dtype)
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
    return row_sums(matrix, squares).astype(np.float32)
