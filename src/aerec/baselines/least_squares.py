"""Ridge regressions of many users at once on the vectors of their items: the step of alternating least squares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.sparse import CSR, take_rows

__all__ = ["solve_rows"]

_BLOCK_BYTES = 64 * 2**20  # normal equations held at once


def solve_rows(
    weights: CSR,
    targets: CSR,
    vectors: NDArray[np.float64],
    ridge: NDArray[np.float64],
    shared: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    r"""Solve the normal equations of each row u.

    .. math:: \Big(A + \sum_i w_{ui} y_i y_i^\top + \Lambda_u\Big) p_u = \sum_i t_{ui} y_i

    Rows are solved in blocks, all of a block at once; the sums are sparse products, one per component of the vectors.

    Parameters
    ----------
    weights, targets : csr_array of shape (n_rows, n_items)
        w and t; the same entries are stored in both.
    vectors : ndarray of shape (n_items, n_factors)
        y.
    ridge : ndarray of shape (n_rows, n_factors) or (n_factors,)
        The diagonal of Λ, positive.
    shared : ndarray of shape (n_factors, n_factors), optional
        A, the same for all rows.

    Returns
    -------
    ndarray of shape (n_rows, n_factors), float64
        0 for a row without entries.
    """
    n_rows, n_factors = weights.shape[0], vectors.shape[1]
    ridge = np.broadcast_to(ridge, (n_rows, n_factors))
    solution = np.zeros((n_rows, n_factors))
    size = max(1, _BLOCK_BYTES // (8 * n_factors**2))
    diagonal = np.arange(n_factors)
    for start in range(0, n_rows, size):
        rows = np.arange(start, min(start + size, n_rows))
        weight = take_rows(weights, rows).astype(np.float64)
        normal = np.empty((len(rows), n_factors, n_factors))
        for one in range(n_factors):
            normal[:, one] = weight @ (vectors[:, one : one + 1] * vectors)
        if shared is not None:
            normal += shared
        normal[:, diagonal, diagonal] += ridge[rows]
        right: NDArray[Any] = take_rows(targets, rows).astype(np.float64) @ vectors
        solution[rows] = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
    return solution
