"""Penalties that suit the data: what `l2="auto"` stands for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.parameters import Constraint, OneOf, RealNumber
from aerec.sparse import CSR, column_counts, row_sums, squares

_AUTOMATIC = 7.2  # The penalty as a multiple of the root of the mean sum of a row of XᵀX
_OF_FACTORS = 1.5  # The penalty of factors as a multiple of its fourth root
_OF_CONFIDENCE = 2.2  # The penalty of factors as a multiple of the mean confidence and that of the count of items
_SEEN = 0.4  # What the ratings add to the confidence, beside 1 for each cell,
_ALPHA = 1.0, 16.0  # and a seen one at least and at most
_OF_L2 = 0.007  # A threshold for entries of XᵀX as a share of the penalty
_NEARLY_ALL = 0.99  # This share of the users counts in full,
_AT_MOST = 5.0  # the others as so many times the most of these

L2: list[Constraint] = [RealNumber(above=0), OneOf(["auto"])]
"""What `l2` may be: a number, or "auto" for `automatic_l2`."""


def automatic_l2(X: CSR) -> float:
    r"""Return a penalty that suits the ratings `X`, whatever their number and size.

    .. math:: \lambda = 7.2 \sqrt{\frac{1}{m} \sum_u \min(n_u, c)^2}

    with the numbers n of ratings of the users and the number m of the items that have any: under the root is the mean
    sum of a row of XᵀX, of ratings of 1. For others n is :math:`\sum_i |x_{ui}|`, and the sum is multiplied by the mean
    of x²: of ratings twice the size the weights are the same. c is five times the 99th percentile of n, so that a few
    users who have everything, such as programs that visit all pages, do not set the penalty of the others. Near the
    best of a grid on sets of 600 to 5,000 users and 1,400 to 5,700 items, dense and sparse
    (``benchmarks/quality/rules.py``).
    """
    capped, _ = _pairs_of_items(X)
    return _l2_of(capped)


def automatic_l1(X: CSR) -> float:
    r"""Return a threshold for the entries of XᵀX, above which weights that are to be sparse begin.

    .. math:: 0.007 \, \lambda + \frac{1}{m^2} \sum_u (n_u^2 - \min(n_u, c)^2)

    with λ, n, c and m of `automatic_l2`: what the few users with far more ratings than all
    others add to an entry on average is no sign that two items belong together.
    """
    capped, beyond = _pairs_of_items(X)
    return _OF_L2 * _l2_of(capped) + beyond


def _l2_of(mean_row: float) -> float:
    return _AUTOMATIC * math.sqrt(mean_row)


def _pairs_of_items(X: CSR) -> tuple[float, float]:
    """Return what stands under the root of `automatic_l2`, and what the caps take from a mean entry of XᵀX."""
    sums = row_sums(X, np.abs)
    sums = sums[sums > 0]
    if not len(sums):
        return 0.0, 0.0
    capped = np.minimum(sums, _AT_MOST * np.quantile(sums, _NEARLY_ALL, method="lower"))
    n_rated = int(np.count_nonzero(column_counts(X)))
    in_full, with_caps = (float(np.square(n).sum()) / n_rated for n in (sums, capped))
    mean_square = float(row_sums(X, squares).sum()) / X.nnz
    return with_caps * mean_square, (in_full - with_caps) / n_rated


def automatic_factor_l2(X: CSR) -> float:
    r"""Return a penalty that suits a factorisation :math:`X \approx W H^\top` of the ratings `X`.

    .. math:: \lambda = 1.5 \, \Big(\frac{1}{m} \sum_u n_u^2\Big)^{1/4}

    for ratings of 1, in the words of `automatic_l2`; ratings twice the size have twice the penalty. A factor lasts
    where its singular value of X is above λ.
    """
    return _OF_FACTORS * math.sqrt(automatic_l2(X) / _AUTOMATIC)


def automatic_alpha(X: CSR) -> float:
    r"""Return how much confidence a rating of 1 is to add in `ALS`.

    .. math:: \alpha = \frac{1}{\bar x} \min\Big(\max\Big(\frac{0.4}{d}, 1\Big), 16\Big)

    with the density d of `X` among the items that have ratings, and the mean x̄ of :math:`|x_{ui}|`. Where the seen
    items are few, the unseen ones would outweigh them. Ratings of twice the size have half the α.
    """
    density = _ratings_of_an_item(X) / X.shape[0]
    return float(np.clip(_SEEN / density, *_ALPHA)) / float(np.abs(X.data).mean())


def automatic_confidence_l2(X: CSR, mean_confidence: float) -> float:
    r"""Return a penalty that suits the factors of `ALS`.

    .. math:: \lambda = 2.2 \, \bar c \, \bar n^{1/4}

    with the mean confidence c̄ of the ratings, and the mean number n̄ of ratings of an item, of those that have any.
    """
    return _OF_CONFIDENCE * mean_confidence * math.sqrt(math.sqrt(_ratings_of_an_item(X)))


def edge_of_noise(residuals: NDArray[np.floating[Any]], n_rows: int, n_columns: int) -> float:
    r"""Return the largest eigenvalue of RRᵀ / m, were the residuals R noise in places drawn uniformly.

    .. math:: \frac{\sigma^2}{m} \Big(\sqrt{N / m} + \sqrt{N / n}\Big)^2

    R of m rows and n columns holds N residuals of the mean square σ². A linear autoencoder with the penalty
    λ/2 (‖V‖² + ‖W‖²), for a cost that is a mean over rows, keeps the directions whose eigenvalues are above λ. Where
    few rows or columns hold most of the residuals, chance gives several times as much: this is a unit for penalties,
    not a test of what is a signal.

    Parameters
    ----------
    residuals : ndarray of shape (N,)
    n_rows, n_columns : int
        Those that have any.

    Returns
    -------
    float
        In squares of ratings; 0 without residuals.

    References
    ----------
    Yin, Bai, Krishnaiah (1988). On the limit of the largest eigenvalue of the large dimensional sample covariance
    matrix. Probab. Theory Relat. Fields 78.
    """
    n, m = max(n_columns, 1), max(n_rows, 1)
    spread = math.sqrt(len(residuals) / m) + math.sqrt(len(residuals) / n)
    return float(np.square(residuals, dtype=np.float64).mean()) * spread**2 / m if len(residuals) else 0.0


def effective_rank(X: CSR) -> float:
    r"""Return about how many directions of the ratings `X` the penalty of `automatic_l2` leaves.

    .. math:: \frac{t}{t / r + \lambda} \ge \sum_k \frac{\sigma_k^2}{\sigma_k^2 + \lambda}, \qquad
              t = \sum_k \sigma_k^2 = \sum_{ui} x_{ui}^2, \quad r = \min(n, m)

    On the right are the degrees of freedom of ridge regression; on the left what they would be, did all singular
    values have the same size. On ten sets of 300 to 18,000 users the sum was 0.7 to 0.88 times the bound.
    """
    if not X.nnz:
        return 0.0
    total = float(row_sums(X, squares).sum())
    return total / (total / min(X.shape) + automatic_l2(X))


def used_l2(l2: float | str, X: CSR) -> float:
    """Return the penalty that the parameter `l2` stands for."""
    return automatic_l2(X) if isinstance(l2, str) else float(l2)


def _ratings_of_an_item(X: CSR) -> float:
    """Return the mean number of ratings of the items that have any."""
    return X.nnz / max(int(np.count_nonzero(column_counts(X))), 1)
