"""Exact updates of an item-item inverse: rows that come, and rows that go.

With fewer rows than half of the items it is the formula of Woodbury. With more, or where the ridge depends on the
ratings, the inverse is inverted, changed, and inverted again.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.closed_form.gram import NOT_INVERTIBLE, blocks_of_dense_rows, scale_symmetric, sum_rows
from aerec.closed_form.inverse import invert_upper, subtract_product
from aerec.closed_form.user_side import equal_rows
from aerec.errors import DataError, TrainingError
from aerec.sparse import CSR, row_ids, take_rows, with_values
from aerec.system.memory import require_memory

_USERS_AT_ONCE = 1024  # An update holds two dense rows for each of these users
_NOT_LEARNED = (
    "old is not of users that the model has learned from, or has left already: give histories exactly as they were"
)
_STEPS, _TOLERANCE = 12, 1e-2  # of Lanczos; how far above 1 its largest value may be
_ROUNDING = 1e4 * np.finfo(np.float32).eps  # of G, as a share of the largest 1 / Pᵢᵢ


def update_inverse(
    inverse: NDArray[np.float32], gone: CSR, come: CSR, ridge: NDArray[np.float32], dropped: float
) -> NDArray[np.float32]:
    r"""Change P = (XᵀX + Λ)⁻¹ into what it is without some rows of X, and with others; in place. Returns the new Λ.

    Parameters
    ----------
    inverse : ndarray of shape (n_items, n_items), float32
        P; afterwards its upper triangle is that of the new one.
    gone, come : csr_array of shape (n_rows, n_items)
        Rows of X that go, and rows that come.
    ridge : ndarray of shape (n_items,), float32
        The diagonal of Λ.
    dropped : float
        How much of the diagonal of XᵀX is part of Λ.

    Raises
    ------
    DataError
        If rows go that were never there, as far as it shows: what is left is no XᵀX.
    TrainingError
        If there is no inverse.
    """
    rows: CSR = sp.vstack([gone, come], format="csr")
    signs = np.repeat([-1.0, 1.0], [gone.shape[0], come.shape[0]])
    if dropped == 0 and rows.shape[0] <= len(inverse) // 2:
        _update_by_rows(inverse, rows, signs)
    else:
        ridge = _update_through_gram(inverse, rows, signs, ridge, dropped)
    if not (np.diagonal(inverse) > 0).all() or not (ridge > 0).all():
        raise DataError(_NOT_LEARNED)
    if gone.shape[0]:
        rounding = _ROUNDING / float(np.diagonal(inverse).min() * ridge.min())
        if _largest_share(inverse, gone, ridge) > 1 + _TOLERANCE + rounding:
            raise DataError(_NOT_LEARNED)
    return ridge


def change_users(ratings: CSR, gone: CSR, come: CSR) -> CSR:
    """Return Xᵀ without the users `gone`, and with the users `come`.

    Raises
    ------
    DataError
        If users go that were never there.
    """
    n_items = come.shape[1]
    users: CSR = ratings.T.tocsr()
    users = sp.csr_array((users.data, users.indices, users.indptr), shape=(users.shape[0], n_items))
    rows = equal_rows(users, gone)
    if rows is None:
        raise DataError(_NOT_LEARNED)
    stay = np.setdiff1d(np.arange(users.shape[0]), rows)
    changed: CSR = sp.vstack([take_rows(users, stay), come], format="csr").T.tocsr()
    return changed


def inverse_of_weights(
    weights: NDArray[np.float32], left: NDArray[np.float32], right: NDArray[np.float32], n_items: int
) -> NDArray[np.float32]:
    """Return P off its diagonal, where Pᵢⱼ · leftᵢ · rightⱼ are the weights; 0 in the rows and columns of new items."""
    require_memory(4 * n_items**2, f"an item-item matrix of {n_items:,} x {n_items:,} to update", "fit anew")
    n_known = len(weights)
    inverse = np.zeros((n_items, n_items), dtype=np.float32)
    for rows in blocks_of_dense_rows(n_known, n_known):
        block = slice(rows[0], rows[-1] + 1)
        np.divide(weights[block], right, out=inverse[block, :n_known])
        inverse[block, :n_known] /= left[block, None]
    return inverse


def summed_weights(popularity: NDArray[np.float32], n_users: int, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sum of the weights of each item's ratings: their number, where they had none."""
    sums = popularity.astype(np.float64) * n_users
    return np.where(np.abs(sums - counts) <= 1e-6 * sums, counts, sums)


def _largest_share(inverse: NDArray[np.float32], gone: CSR, ridge: NDArray[np.float32]) -> float:
    r"""Return the largest eigenvalue of :math:`\Lambda^{1/2} P \Lambda^{1/2}`, as it is seen from rows that went.

    With :math:`P = (G + \Lambda)^{-1}` it is above 1 where G has a negative eigenvalue, which no XᵀX has. A few steps
    of Lanczos begin at a sum of the rows with random signs: where too much was taken away is near them.
    """
    ones, root = np.ones(len(inverse), dtype=np.float32), np.sqrt(ridge.astype(np.float64))
    scale_symmetric(inverse, ones, ones, np.diagonal(inverse).copy())
    start = (gone.T @ np.random.default_rng(0).choice([-1.0, 1.0], gone.shape[0])) / root
    basis: list[NDArray[np.float64]] = []
    while len(basis) < _STEPS and np.linalg.norm(start) > 1e-6:
        basis.append(start / np.linalg.norm(start))
        start = root * (inverse @ (root * basis[-1]).astype(np.float32))
        for _ in range(2):  # the second time takes away what rounding has left
            start = start - np.asarray(basis).T @ (np.asarray(basis) @ start)
    if not basis:
        return 0.0
    vectors = np.asarray(basis)
    products = (root * vectors).astype(np.float32) @ inverse * root
    return float(np.linalg.eigvalsh(products @ vectors.T)[-1])


def _update_by_rows(inverse: NDArray[np.float32], rows: CSR, signs: NDArray[np.float64]) -> None:
    r"""Change P = A⁻¹ into (A + VᵀSV)⁻¹ by the formula of Woodbury, some rows of V at a time; in place, and mirrored.

    .. math:: P - P V^\top (S^{-1} + V P V^\top)^{-1} V P
    """
    ones = np.ones(len(inverse), dtype=np.float32)
    for start in range(0, rows.shape[0], _USERS_AT_ONCE):
        some: CSR = rows[start : start + _USERS_AT_ONCE]
        products = sum_rows(some, 0, some.shape[0], inverse)
        inner = (some @ products.T).astype(np.float64)
        inner[np.diag_indices_from(inner)] += 1 / signs[start : start + _USERS_AT_ONCE]
        try:
            solved = np.linalg.solve(inner, products).astype(np.float32)
        except np.linalg.LinAlgError:
            raise TrainingError(NOT_INVERTIBLE) from None
        subtract_product(inverse, products.T, solved.T)
        scale_symmetric(inverse, ones, ones, np.diagonal(inverse).copy())


def _update_through_gram(
    inverse: NDArray[np.float32], rows: CSR, signs: NDArray[np.float64], ridge: NDArray[np.float32], dropped: float
) -> NDArray[np.float32]:
    """Change P into the inverse of what it is the inverse of, changed; in place, its upper triangle. Returns Λ."""
    signed = with_values(rows, rows.data * signs[row_ids(rows)])
    items: CSR = signed.T.tocsr()
    squares = np.bincount(rows.indices, signed.data * rows.data, minlength=rows.shape[1])
    if not invert_upper(inverse):
        raise TrainingError(NOT_INVERTIBLE)
    for some in blocks_of_dense_rows(*inverse.shape):
        block = slice(some[0], some[-1] + 1)
        inverse[block] += (items[block] @ rows).toarray()
    inverse[np.diag_indices_from(inverse)] += dropped * squares
    if not invert_upper(inverse):
        raise TrainingError(NOT_INVERTIBLE)
    return (ridge + dropped * squares).astype(np.float32)
