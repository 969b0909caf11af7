"""The Gram matrix of the items, G = XᵀX: made in blocks on all cores, scaled and inverted in place."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from aerec.closed_form.inverse import invert_upper, memory_beside
from aerec.errors import TrainingError
from aerec.native import kernels
from aerec.native.loader import is_used
from aerec.sparse import CSR, column_counts, keep_values, take_rows
from aerec.system.memory import require_memory, row_blocks, rows_within

NOT_INVERTIBLE = "XᵀX + l2 · I cannot be inverted in float32: l2 is too small for these ratings, raise it"

_BLOCK_BYTES = 4 * 2**20  # Dense rows in a block of one thread
_DENSE_IS_FASTER = 30  # speed of a dense product, as a multiple of scipy's sparse one
_KERNEL_IS_FASTER = 12  # … and that of the kernel, all overhead counted
_DENSE_BYTES = 64 * 2**20  # Dense columns of X that are held at once; at most _COLUMNS of them
_COLUMNS = 64  # columns of a table summed at once, if each row is wanted
_WANTED = 8  # … at least this many times
_FEW_NUMBERS = 2**20  # numbers of a table that a single sum copies: NumPy takes half of the time of PyTorch then
_TILE = 512  # rows and columns mirrored at once
_CUTS = 8  # parts of the columns, of which only those right of the diagonal are filled


def gram_matrix(X: CSR, advice: str, *, upper: bool = False, name: str = "an item-item matrix") -> NDArray[np.float32]:
    """Return the dense item-item matrix G = XᵀX, filled block by block so that nothing else of its size is held.

    Its columns of popular items are sums of dense rows, which cost for each rating as much as there are such items more
    popular than the one rated; what is left is a product of sparse matrices, which costs the sum of the squared lengths
    of what is left of the histories, and about half of that for the upper triangle alone. Where the histories are short
    enough a kernel adds up the pairs of items of each instead.

    Parameters
    ----------
    X : csr_array of shape (n_users, n_items)
    advice : str
        What to do instead where the matrix does not fit into memory.
    upper : bool, default False
        Whether only the diagonal and what is above it is wanted; what stands below is not defined then.
    name : str, default "an item-item matrix"
        For the message.

    Returns
    -------
    ndarray of shape (n_items, n_items), float32

    Raises
    ------
    InsufficientMemoryError
        Before anything is allocated.
    """
    n_items = X.shape[1]
    threads = torch.get_num_threads()
    beside = max(4 * threads * _BLOCK_BYTES + 2 * _DENSE_BYTES, memory_beside(n_items))  # here, and when it is inverted
    needed = 4 * n_items**2 + beside
    require_memory(needed, f"{name} of {n_items:,} x {n_items:,}", advice)
    gram = np.empty((n_items, n_items), dtype=np.float32)
    n_dense, work = _n_dense_columns(X)
    n_pairs = float(np.square(np.diff(X.indptr), dtype=np.float64).sum())
    fits = X.dtype == np.float32 and X.nnz <= kernels.MOST_VALUES and n_items <= kernels.MOST_COLUMNS
    if is_used() and fits and n_pairs <= _KERNEL_IS_FASTER * work:
        kernels.gram(checked_rows(X), torch.from_numpy(gram))
        return gram if upper else _mirrored(gram)
    counts = column_counts(X)
    popular = np.argsort(-counts, kind="stable")[:n_dense]
    order = np.concatenate([popular, np.setdiff1d(np.arange(n_items), popular, assume_unique=True)])
    place = np.empty(n_items, dtype=X.indices.dtype)
    place[order] = np.arange(n_items)
    ordered: CSR = sp.csr_array((X.data, place[X.indices], X.indptr), shape=X.shape)
    items: CSR = ordered.T.tocsr()
    # rows have their final place, columns this order, which is undone at the end
    _fill_popular(gram, items, order, n_dense)
    _fill_rest(gram, items, ordered, order, n_dense, upper)
    if n_dense > 0:
        _settle(gram, place, upper)
    return gram


def _mirrored(gram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill in what is below the diagonal, in place."""
    for start in range(0, len(gram), _TILE):
        stop = start + _TILE
        gram[start:stop, :start] = gram[:start, start:stop].T
        tile = gram[start:stop, start:stop]
        tile[:] = np.triu(tile) + np.triu(tile, 1).T
    return gram


def _n_dense_columns(X: CSR) -> tuple[int, float]:
    """Return of how many of the most popular items the columns are better made of dense rows, and the work in pairs.

    What is left of the histories then is estimated as if users chose items by nothing but their popularity.
    """
    counts = np.sort(column_counts(X))[::-1].astype(np.float64)
    n_ratings, pairs = counts.sum(), np.square(np.diff(X.indptr), dtype=np.float64).sum()
    left = n_ratings - np.concatenate(([0], np.cumsum(counts)))  # ratings of the items from each position on
    share = left / max(n_ratings, 1)
    dense = np.concatenate(([0], np.cumsum(left[1:])))
    work = dense / _DENSE_IS_FASTER + share**2 * pairs + share * (1 - share) * n_ratings
    return int(np.argmin(work)), float(work.min())


def _fill_popular(gram: NDArray[np.float32], items: CSR, order: NDArray[np.int64], n_dense: int) -> None:
    """Fill rows and columns of the first `n_dense` items some at a time: sums of rows of X, dense over these columns.

    Of two items, the ratings of the rarer one are summed: that is a fraction of the work.
    """
    n_items, n_users = items.shape
    width = max(1, min(_COLUMNS, _DENSE_BYTES // (4 * max(n_users, 1) * torch.get_num_threads())))

    def fill(start: int) -> None:
        stop = min(start + width, n_dense)
        products = sum_rows(items, start, n_items, _dense_columns(items, start, stop, n_users))
        gram[order[start:], start:stop] = products
        gram[order[start:stop], stop:] = products[stop - start :].T

    on_all_threads(fill, range(0, n_dense, width))


def _fill_rest(
    gram: NDArray[np.float32], items: CSR, ordered: CSR, order: NDArray[np.int64], n_dense: int, upper: bool
) -> None:
    """Fill rows and columns of the other items, which are in their own order, by products of sparse matrices."""
    n_items = items.shape[0]
    edges = np.unique(np.linspace(n_dense, n_items, _CUTS + 1 if upper else 2).astype(np.int64)).tolist()
    right = ordered
    for start, stop in itertools.pairwise(edges):
        right = right if start == 0 else keep_values(right, right.indices >= start)

        def fill(rows: NDArray[np.int64], right: CSR = right, start: int = start) -> None:
            gram[order[rows], start:] = (take_rows(items, rows) @ right).toarray()[:, start:]

        on_all_threads(fill, blocks_of_dense_rows(stop, n_items, start))


def _settle(gram: NDArray[np.float32], place: NDArray[np.integer[Any]], upper: bool) -> None:
    """Put the columns where they belong; with `upper` those right of the diagonal."""

    def settle(rows: NDArray[np.int64]) -> None:
        first, block = (rows[0] if upper else 0), gram[rows[0] : rows[-1] + 1]
        block[:, first:] = block.take(place[first:], axis=1)

    on_all_threads(settle, blocks_of_dense_rows(*gram.shape))


def on_all_threads(function: Callable[[Any], None], tasks: Iterable[Any]) -> None:
    """Call `function` with each of the tasks, each on one thread."""
    tasks, threads = list(tasks), torch.get_num_threads()
    if min(threads, len(tasks)) <= 1:
        for task in tasks:
            function(task)
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(function, tasks))
    finally:
        torch.set_num_threads(threads)  # the pool has set another number


def _dense_columns(items: CSR, start: int, stop: int, n_users: int) -> NDArray[np.float32]:
    """Return the rows `start` to `stop` of `items` as columns of a dense matrix."""
    here = slice(items.indptr[start], items.indptr[stop])
    dense = np.zeros((n_users, stop - start), dtype=np.float32)
    column = np.repeat(np.arange(stop - start), np.diff(items.indptr[start : stop + 1]))
    dense[items.indices[here], column] = items.data[here]
    return dense


def checked_rows(matrix: CSR) -> kernels.CheckedRows:
    """Return a matrix as kernels read it; its two large arrays are not copied."""
    arrays = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False), matrix.data
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return kernels.CheckedRows(kernels.Stored(*map(torch.from_numpy, arrays)), matrix.shape[1])


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    """Return an array as a tensor; PyTorch warns of one that may not be written to, which is copied therefore."""
    return torch.from_numpy(np.require(array, requirements="W"))


def sum_rows(weights: CSR, start: int, stop: int, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weights[start:stop] · table, on all threads, where scipy's product takes one.

    Where each row of the table is wanted several times, some columns at a time: their part stays in the cache.
    """
    here = slice(weights.indptr[start], weights.indptr[stop])
    if stop - start == 1 and (here.stop - here.start) * table.shape[1] <= _FEW_NUMBERS:
        row: NDArray[np.float32] = weights.data[here] @ table[weights.indices[here]]
        return row[None]
    at = _tensor(weights.indices[here].astype(np.int64, copy=False))
    starts = torch.from_numpy(weights.indptr[start : stop + 1].astype(np.int64) - int(here.start))
    values, whole = _tensor(weights.data[here]), _tensor(table)

    def columns(first: int, last: int) -> torch.Tensor:
        part = whole[:, first:last]
        return torch.nn.functional.embedding_bag(
            at, part, starts, mode="sum", per_sample_weights=values, include_last_offset=True
        )

    n_columns = table.shape[1]
    if len(at) < _WANTED * len(table) or n_columns <= _COLUMNS:
        return columns(0, n_columns).numpy()
    summed = np.empty((stop - start, n_columns), dtype=np.float32)
    for first in range(0, n_columns, _COLUMNS):
        summed[:, first : first + _COLUMNS] = columns(first, first + _COLUMNS)
    return summed


def invert_gram(gram: NDArray[np.float32], ridge: NDArray[np.floating[Any]] | float) -> NDArray[np.float32]:
    r"""Replace the upper triangle of G by that of P = (G + Λ)⁻¹ and return the diagonal of P.

    Parameters
    ----------
    gram : ndarray of shape (n_items, n_items), float32
        G, of which the upper triangle is read; overwritten, and below the diagonal not defined afterwards.
    ridge : float or ndarray of shape (n_items,)
        The diagonal of Λ, positive.

    Raises
    ------
    TrainingError
        If G + Λ is not positive definite in float32.
    """
    gram[np.diag_indices_from(gram)] += ridge
    if not invert_upper(gram):
        raise TrainingError(NOT_INVERTIBLE)
    return np.diagonal(gram).copy()


def scale_symmetric(
    matrix: NDArray[np.float32], left: NDArray[np.float32], right: NDArray[np.float32], diagonal: NDArray[np.float32]
) -> None:
    r"""Replace a symmetric A by diagMat(left) · A · diagMat(right), with another diagonal; on all threads.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float32
        A, of which the upper triangle is read; overwritten by the whole result.
    left, right : ndarray of shape (n,), float32
    diagonal : ndarray of shape (n,), float32
        Of the result.
    """
    even = bool((left == 1).all())

    def scale(rows: NDArray[np.int64]) -> None:
        """Scale the columns `rows` of what stands above the diagonal, and mirror them, scaled, to below it."""
        start, stop = rows[0], rows[-1] + 1
        for first in range(0, start, _TILE):
            last = min(first + _TILE, start)
            above = matrix[first:last, start:stop]
            np.multiply(above.T, right[first:last], out=matrix[start:stop, first:last])
            above *= right[start:stop]
            if not even:
                matrix[start:stop, first:last] *= left[start:stop, None]
                above *= left[first:last, None]
        square = matrix[start:stop, start:stop]
        square[:] = (np.triu(square) + np.triu(square, 1).T) * right[start:stop]
        if not even:
            square *= left[start:stop, None]

    on_all_threads(scale, blocks_of_dense_rows(*matrix.shape))
    matrix[np.diag_indices_from(matrix)] = diagonal


def blocks_of_dense_rows(n_rows: int, n_columns: int, first: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield blocks of consecutive row numbers from `first` on, each of which is a few megabytes of dense float32."""
    return row_blocks(n_rows, rows_within(_BLOCK_BYTES, 4 * n_columns), first)
