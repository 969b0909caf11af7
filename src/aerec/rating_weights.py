"""Weights of ratings: what is checked of them, and the matrices that closed forms make of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.canonical import LARGEST_RATING, canonical_csr
from aerec.errors import DataError
from aerec.sparse import CSR, with_values


def checked_weights(weights: Any, matrix: CSR) -> NDArray[np.float32]:
    """Return weights of the ratings of a matrix as float32.

    Raises
    ------
    DataError
        If there is not one for each rating, or one is no number above 0 and up to 2²⁴.
    """
    given = np.asarray(weights)
    if given.shape != matrix.data.shape:
        raise DataError(f"weights of shape {given.shape} for {matrix.nnz:,} stored ratings: expected one for each")
    if given.dtype.kind not in "biuf":
        raise DataError(f"weights are numbers above 0, these are {given.dtype}")
    with np.errstate(over="ignore"):
        checked = given.astype(np.float32, copy=False)
    valid = (checked > 0) & (checked <= LARGEST_RATING)
    if not valid.all():
        at = int(np.argmin(valid))
        row = int(np.searchsorted(matrix.indptr, at, side="right")) - 1
        n_bad = int(np.count_nonzero(~valid))
        raise DataError(
            f"the weight of row {row}, column {matrix.indices[at]} is {given[at]:g}: expected a number above 0 and up "
            f"to 2^24 ({n_bad:,} such weight{'s' if n_bad > 1 else ''}); leave out ratings that are not to count"
        )
    return checked


def weights_of_matrix(weights: Any, matrix: CSR) -> NDArray[np.float32]:
    """Return the weights that a matrix of the same shape holds at the places of the ratings.

    Raises
    ------
    DataError
        If it has another shape, or other places.
    """
    given = canonical_csr(weights)
    if given.shape != matrix.shape:
        raise DataError(f"the weights are {given.shape}, the ratings {matrix.shape}: expected the same shape")
    same = given.nnz == matrix.nnz and np.array_equal(given.indptr, matrix.indptr)
    if not (same and np.array_equal(given.indices, matrix.indices)):
        raise DataError(
            f"{given.nnz:,} weights for {matrix.nnz:,} ratings, not all at their places: expected a weight above 0 for "
            "each rating, and none elsewhere"
        )
    return given.data


def joined_weights(weights: Sequence[NDArray[np.float32] | None], lengths: Sequence[int]) -> NDArray[np.float32] | None:
    """Return the weights of several parts one after the other; 1 where a part has none, None where no part has any."""
    if all(of_part is None for of_part in weights):
        return None
    parts = zip(weights, lengths, strict=True)
    return np.concatenate([np.ones(n, np.float32) if of_part is None else of_part for of_part, n in parts])


def weight_matrix(matrix: CSR, weights: NDArray[np.float32] | None) -> CSR:
    """Return the weights, or ones, at the places of the ratings; shape (n_users, n_items)."""
    values = np.ones(matrix.nnz, dtype=np.float32) if weights is None else weights
    return with_values(matrix, values)


def root_weighted(matrix: CSR, weights: NDArray[np.float32] | None) -> CSR:
    r"""Return √w · x of each rating x, of which models of a Gram matrix are made.

    .. math:: G_{ij} = \sum_u \sqrt{w_{ui} w_{uj}}\, x_{ui} x_{uj}

    Where all ratings of a user have the same weight, :math:`G = \sum_u w_u x_u x_u^\top`: he counts as w users. The
    matrix itself where there are no weights.
    """
    return matrix if weights is None else with_values(matrix, matrix.data * np.sqrt(weights))


def weighted_counts(matrix: CSR, weights: NDArray[np.float32] | None) -> NDArray[np.float64]:
    """Return the sum of the weights of each column, or how many ratings it has; shape (n_items,)."""
    return np.bincount(matrix.indices, weights, minlength=matrix.shape[1]).astype(np.float64)
