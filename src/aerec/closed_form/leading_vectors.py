"""The leading right singular vectors of a sparse matrix, found in memory of columns × vectors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from aerec.closed_form.gram import sum_rows
from aerec.files.memmap import release
from aerec.sparse import CSR, blocks_of_values, take_rows

_OVERSAMPLES, _ITERATIONS = 20, 8
_BLOCK_VALUES = 1 << 24  # ratings multiplied at once


def leading_vectors(X: CSR, n_vectors: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    r"""Return the largest singular values of X and the right vectors that belong to them.

    Subspace iteration, :math:`V \leftarrow \operatorname{orth}(X^\top X V)`, with some vectors more than wanted, and
    at last the eigenvectors of :math:`(XV)^\top XV`. Both products run over blocks of rows, so that nothing of rows ×
    vectors is held.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns), float32
    n_vectors : int
        At most min(n_rows, n_columns).
    seed : int
        Of the vectors that it begins with.

    Returns
    -------
    sizes : ndarray of shape (n_vectors,), float64
        In descending order.
    vectors : ndarray of shape (n_columns, n_vectors), float32

    References
    ----------
    Halko, Martinsson, Tropp (2011). Finding structure with randomness. SIAM Review 53.
    """
    n = min(n_vectors + _OVERSAMPLES, *X.shape)
    vectors = np.random.default_rng(seed).standard_normal((X.shape[1], n), dtype=np.float32)
    for _ in range(_ITERATIONS):
        product = np.zeros_like(vectors)
        for block, of_rows in _products(X, vectors):
            product += sum_rows(block.T.tocsr(), 0, X.shape[1], of_rows)
        vectors = torch.linalg.qr(torch.from_numpy(product))[0].contiguous().numpy()
    inner = np.zeros((n, n))
    for _, of_rows in _products(X, vectors):
        inner += of_rows.T @ of_rows
    squares, turn = np.linalg.eigh(inner)
    largest = np.argsort(-squares, kind="stable")[:n_vectors]
    return np.sqrt(squares[largest].clip(min=0)), vectors @ turn[:, largest].astype(np.float32)


def _products(X: CSR, vectors: NDArray[np.float32]) -> Iterator[tuple[CSR, NDArray[np.float32]]]:
    """Give blocks of rows of X, and each times `vectors`."""
    for rows in blocks_of_values(X, _BLOCK_VALUES):
        block = take_rows(X, np.arange(rows.start, rows.stop))
        release(X.data)
        release(X.indices)
        yield block, sum_rows(block, 0, block.shape[0], vectors)
