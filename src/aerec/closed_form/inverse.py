"""Inverses of symmetric positive definite matrices, in place and by their upper triangle, of any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

_LAPACK_ROWS = 23_000  # the Cholesky factor of OpenBLAS, on several threads, crashes at 40,981 rows
_PANEL = 1024  # rows swept at once
_TILE = 1024, 2048  # rows and columns of a product


def invert_upper(matrix: NDArray[np.float32]) -> bool:
    """Replace the upper triangle of a symmetric matrix by that of its inverse, and say whether that was possible.

    Small ones by LAPACK's Cholesky factor and inverse, large ones by block sweeps, which take as many operations.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float32, C-contiguous
        Below the diagonal it is not read, and not defined afterwards.

    Returns
    -------
    bool
        False if the matrix is not positive definite in float32; it is destroyed then.
    """
    if len(matrix) > _LAPACK_ROWS:
        return _sweep(matrix)
    # on the transpose, because LAPACK reads columns first: its lower is our upper triangle
    factor, failed = lapack.spotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    if failed == 0:
        _, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    return bool(failed == 0)


def memory_beside(n_rows: int) -> int:
    """Bytes that `invert_upper` needs beside a matrix of `n_rows` rows: the panel of a sweep, twice."""
    return 2 * 4 * _PANEL * n_rows if n_rows > _LAPACK_ROWS else 0


def _sweep(matrix: NDArray[np.float32]) -> bool:
    r"""Invert block by block, as Goodnight (1979), A tutorial on the SWEEP operator, does row by row.

    .. math:: A_{KK} \to -A_{KK}^{-1}, \quad A_{iK} \to A_{iK} A_{KK}^{-1}, \quad
              A_{ij} \to A_{ij} - A_{iK} A_{KK}^{-1} A_{Kj}

    leaves :math:`-A^{-1}` when all blocks :math:`K` are done; each pivot is positive definite if all of A is.
    """
    n = len(matrix)
    for start in range(0, n, _PANEL):
        stop = min(start + _PANEL, n)
        pivot = _symmetric(matrix[start:stop, start:stop])
        panel = np.concatenate([matrix[:start, start:stop], pivot, matrix[start:stop, stop:].T])
        if not invert_upper(pivot):
            return False
        inverse = _symmetric(pivot)
        scaled = panel @ inverse
        subtract_product(matrix, scaled, panel)
        matrix[:start, start:stop] = scaled[:start]
        matrix[start:stop, start:stop] = -inverse
        matrix[start:stop, stop:] = scaled[stop:].T
        del panel, scaled  # before the next are made
    np.negative(matrix, out=matrix)
    return True


def _symmetric(upper: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.triu(upper) + np.triu(upper, 1).T


def subtract_product(matrix: NDArray[np.float32], left: NDArray[np.float32], right: NDArray[np.float32]) -> None:
    """Subtract left · rightᵀ from the upper triangle, tile by tile."""
    n, (height, width) = len(matrix), _TILE
    memory = np.empty(height * width, dtype=np.float32)
    for row in range(0, n, height):
        for column in range(row, n, width):
            rows, columns = left[row : row + height], right[column : column + width]
            product = memory[: len(rows) * len(columns)].reshape(len(rows), len(columns))
            np.matmul(rows, columns.T, out=product)
            matrix[row : row + height, column : column + width] -= product
