"""The rows of a sparse matrix that are most alike, found block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.closed_form.item_item import row_blocks
from aerec.sparse import CSR, take_rows
from aerec.topk import top_k

__all__ = ["largest", "nearest_rows"]


def nearest_rows(
    queries: CSR,
    rows: CSR,
    k: int,
    shrinkage: float,
    similarity: str = "cosine",
    exclude: NDArray[np.int64] | None = None,
) -> CSR:
    """Return the similarity of each query to the `k` rows most similar to it, of those that share a column with it.

    Parameters
    ----------
    queries : csr_array of shape (n_queries, n_columns)
    rows : csr_array of shape (n_rows, n_columns)
    k : int
    shrinkage : float
    similarity : {"cosine", "jaccard"}
        Jaccard reads every stored value as 1.
    exclude : ndarray of int64, shape (n_queries,), optional
        A row that is not to be a neighbour of the query (itself); −1 for none.

    Returns
    -------
    csr_array of shape (n_queries, n_rows), float32
        Sorted; at most `k` values a row, all above 0.
    """
    if similarity == "jaccard":
        queries, rows = _ones(queries), _ones(rows)
    transposed = rows.T.tocsr()
    size, norm = _squared_norms(rows), np.sqrt(_squared_norms(rows))
    blocks = []
    for block in row_blocks(queries.shape[0], rows.shape[0]):
        query = take_rows(queries, block)
        dots = (query @ transposed).toarray()
        if similarity == "cosine":
            scale = np.multiply.outer(np.sqrt(_squared_norms(query)), norm) + shrinkage
        else:
            scale = np.add.outer(_squared_norms(query), size) - dots + shrinkage
        similar = np.divide(dots, scale, out=np.full_like(dots, -np.inf), where=dots > 0)
        if exclude is not None:
            place = np.flatnonzero(exclude[block] >= 0)
            similar[place, exclude[block][place]] = -np.inf
        blocks.append(largest(similar, k))
    nearest: CSR = sp.vstack(blocks, format="csr", dtype=np.float32)
    return nearest


def largest(rows: NDArray[np.floating[Any]], k: int) -> CSR:
    """Return the `k` largest values of each dense row as a sparse matrix; −∞ is never one of them."""
    at, value = top_k(rows, min(k, rows.shape[1]))
    found, order = at >= 0, np.argsort(at, axis=1)
    indptr = np.concatenate([[0], np.cumsum(found.sum(axis=1))])
    kept = np.take_along_axis(found, order, axis=1)
    columns, values = np.take_along_axis(at, order, axis=1)[kept], np.take_along_axis(value, order, axis=1)[kept]
    return sp.csr_array((values, columns, indptr), shape=rows.shape)


def _ones(matrix: CSR) -> CSR:
    return sp.csr_array((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def _squared_norms(matrix: CSR) -> NDArray[np.float32]:
    summed = np.concatenate([[0.0], np.cumsum(matrix.data.astype(np.float64) ** 2)])[matrix.indptr]
    return np.diff(summed).astype(np.float32)
