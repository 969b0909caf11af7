"""Least squares of many users at once on the vectors of their items: ridge regressions, and non-negative ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.sparse import CSR
from aerec.system.threads import one_blas_thread

__all__ = ["solve_nonnegative", "solve_rows"]

_BLOCK_BYTES = 64 * 2**20  # normal equations held at once
_SWEEPS = 1000  # over the components at most, where the normal matrix is close to singular
_TOLERANCE = 1e-7  # a row has settled when a sweep moves it by less than this share of its length


def solve_rows(
    weights: CSR,
    targets: CSR,
    vectors: NDArray[np.floating[Any]],
    ridge: NDArray[np.float64],
    shared: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    r"""Solve the normal equations of each row u.

    .. math:: \Big(A + \sum_i w_{ui} y_i y_i^\top + \Lambda_u\Big) p_u = \sum_i t_{ui} y_i

    The sums are one matrix product a row, of the vectors of its items; the equations are solved block by block.

    Parameters
    ----------
    weights, targets : csr_array of shape (n_rows, n_items)
        w and t; the same entries are stored in both.
    vectors : ndarray of shape (n_items, n_factors)
        y; the sums are computed in its type, the equations solved in float64.
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
        stop = min(start + size, n_rows)
        normal = np.empty((stop - start, n_factors, n_factors), dtype=vectors.dtype)
        right = np.empty((stop - start, n_factors), dtype=vectors.dtype)
        with one_blas_thread():  # the products are small: more threads would only wait for each other
            for row in range(start, stop):
                here = slice(weights.indptr[row], weights.indptr[row + 1])
                own = vectors[weights.indices[here]]
                weighted = own * weights.data[here, None].astype(vectors.dtype, copy=False)
                np.matmul(weighted.T, own, out=normal[row - start])
                np.matmul(targets.data[here].astype(vectors.dtype, copy=False), own, out=right[row - start])
        equations = normal.astype(np.float64, copy=False)
        if shared is not None:
            equations += shared
        equations[:, diagonal, diagonal] += ridge[start:stop]
        solution[start:stop] = np.linalg.solve(equations, right.astype(np.float64)[:, :, None])[:, :, 0]
    return solution


def solve_nonnegative(gram: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Solve a non-negative least-squares problem for each row b, all with the same normal matrix A.

    .. math:: \min_{w \ge 0} \tfrac12 w^\top A w - b^\top w

    Cyclic coordinate descent, :math:`w_t \leftarrow \max(0, w_t + (b_t - A_t w) / A_{tt})`, for all rows at once. Each
    row stops when it has settled by itself, so that it does not matter which others it is solved with.

    Parameters
    ----------
    gram : ndarray of shape (n_factors, n_factors)
        A, symmetric and positive semidefinite; a component with :math:`A_{tt} = 0` stays 0.
    right : ndarray of shape (n_rows, n_factors)

    Returns
    -------
    ndarray of shape (n_rows, n_factors), float64

    References
    ----------
    Franc, Hlaváč, Navara (2005). Sequential coordinate-wise algorithm for the non-negative least squares problem. CAIP.

    Examples
    --------
    >>> import numpy as np
    >>> from aerec.closed_form.least_squares import solve_nonnegative
    >>> solve_nonnegative(np.eye(2), np.array([[3.0, -1.0]]))
    array([[3., 0.]])
    """
    solution = np.zeros_like(right, dtype=np.float64)
    length = np.sqrt(np.diagonal(gram))
    used = np.flatnonzero(length > 0)
    open_rows = np.arange(len(right))
    for _ in range(_SWEEPS):
        b = np.ascontiguousarray(right[open_rows].T)
        w = np.ascontiguousarray(solution[open_rows].T)
        before = w.copy()
        for t in used:
            w[t] = np.maximum(0, w[t] + (b[t] - gram[t] @ w) / gram[t, t])
        solution[open_rows] = w.T
        moved, reached = (np.max(length[:, None] * np.abs(of), axis=0, initial=0.0) for of in (w - before, w))
        open_rows = open_rows[moved > _TOLERANCE * reached]
        if open_rows.size == 0:
            break
    return solution
