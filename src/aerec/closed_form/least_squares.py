"""Least squares of many users at once on the vectors of their items: ridge regressions, and non-negative ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from aerec.sparse import CSR
from aerec.system.threads import one_blas_thread

_BLOCK_BYTES = 64 * 2**20  # normal equations held at once
_SMALLEST = 1e-12  # share of a term that the others do not know
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


def solve_without_each(
    normal: NDArray[np.float64],
    vectors: NDArray[np.float64],
    weights: NDArray[np.float64],
    targets: NDArray[np.float64],
    asked: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    r"""Solve normal equations without each of their terms in turn, by one factorisation of them all.

    .. math:: (A - w_j y_j y_j^\top) \, p_{-j} = \sum_{i \ne j} t_i y_i, \qquad
              p_{-j} = p - A^{-1} y_j \frac{t_j - w_j \, y_j^\top p}{1 - w_j \, y_j^\top A^{-1} y_j}

    with :math:`p = A^{-1} \sum_i t_i y_i` (Sherman and Morrison). Time grows with n_terms · n_factors².

    Parameters
    ----------
    normal : ndarray of shape (n_factors, n_factors)
        A, which holds all terms, and a ridge.
    vectors : ndarray of shape (n_terms, n_factors)
        y.
    weights : ndarray of shape (n_terms,)
        w.
    targets : ndarray of shape (n_terms, n_targets)
        t: several right sides.
    asked : ndarray of shape (n_asked, n_factors), optional
        z: the products z · p are returned instead of the solutions p.

    Returns
    -------
    ndarray of shape (n_terms, n_targets, n_asked or n_factors), float64

    References
    ----------
    Sherman, Morrison (1950). Adjustment of an inverse matrix corresponding to a change in one element of a given
    matrix. Annals of Mathematical Statistics 21.

    Examples
    --------
    >>> import numpy as np
    >>> from aerec.closed_form.least_squares import solve_without_each
    >>> one = np.ones((2, 1))
    >>> solve_without_each(np.array([[3.0]]), one, one[:, 0], np.array([[4.0], [8.0]])).ravel()  # ridge 1: 8/2, 4/2
    array([4., 2.])
    """
    (n_terms, n_factors), n_targets = vectors.shape, targets.shape[1]
    asked = np.eye(n_factors) if asked is None else asked
    lower = np.linalg.cholesky(normal)

    def solved(right: NDArray[np.float64]) -> NDArray[np.float64]:
        half = solve_triangular(lower, right, lower=True, check_finite=False)
        return np.asarray(solve_triangular(lower, half, lower=True, trans="T", check_finite=False))

    solution, of_asked = solved(vectors.T @ targets), solved(np.ascontiguousarray(asked.T))
    whole = (asked @ solution).T
    products = np.empty((n_terms, n_targets, len(asked)))
    size = max(1, _BLOCK_BYTES // (8 * n_factors))
    for start in range(0, n_terms, size):
        here = slice(start, start + size)
        own, weight = vectors[here], weights[here]
        half = solve_triangular(lower, own.T, lower=True, check_finite=False)
        rest = np.maximum(1 - weight * np.square(half).sum(axis=0), _SMALLEST)  # positive but for rounding
        residual = (targets[here] - weight[:, None] * (own @ solution)) / rest[:, None]
        products[here] = whole - residual[:, :, None] * (own @ of_asked)[:, None, :]
    return products


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
