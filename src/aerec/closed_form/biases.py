"""Mean, user bias and item bias of ratings, as shrunken means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aerec.rating_weights import weight_matrix
from aerec.sparse import CSR, row_ids, row_sums, with_values

_NOTHING_KNOWN = 5.0  # the shrinkage where it cannot be estimated
_MOST = 1e6  # where rows differ by no more than chance


@dataclass(frozen=True)
class Biases:
    r"""What is known of a rating from who gave it and to what: :math:`\mu + b_u + b_i`.

    .. math:: b_i = \frac{\sum_{u \in i} (r_{ui} - \mu)}{\lambda_i + n_i}, \qquad
              b_u = \frac{\sum_{i \in u} (r_{ui} - \mu - b_i)}{\lambda_u + n_u}

    With weights, every sum and every number of ratings is one of weights.

    Parameters
    ----------
    mean : float
    users : ndarray of shape (n_users,), float64
    items : ndarray of shape (n_items,), float64
    l2_user, l2_item : float
        λᵤ and λᵢ, as they were used.

    References
    ----------
    Koren (2010). Factor in the neighbors: scalable and accurate collaborative filtering. ACM TKDD 4.
    """

    mean: float
    users: NDArray[np.float64]
    items: NDArray[np.float64]
    l2_user: float = 0.0
    l2_item: float = 0.0

    @classmethod
    def of(
        cls,
        ratings: CSR,
        l2_user: float | Literal["auto"],
        l2_item: float | Literal["auto"],
        weights: NDArray[np.float32] | None = None,
    ) -> Biases:
        """Learn them from `ratings` of shape (n_users, n_items), and the weights that are aligned with them.

        The shrinkage "auto" is what `best_shrinkage` finds.
        """
        of_ratings = weight_matrix(ratings, weights)
        mean = weighted_mean(ratings.data, of_ratings.data)
        by_item: CSR = ratings.T.tocsr()
        left, weights_by_item = by_item.data.astype(np.float64) - mean, of_ratings.T.tocsr()
        l2_item = best_shrinkage(weights_by_item, left) if l2_item == "auto" else l2_item
        known = cls(mean, np.zeros(0), _shrunken_means(weights_by_item, left, l2_item), 0.0, l2_item)
        l2_user = best_shrinkage(of_ratings, known._left(ratings)) if l2_user == "auto" else l2_user
        return replace(known, users=known.of_users(ratings, l2_user, weights), l2_user=l2_user)

    def of_users(self, ratings: CSR, l2_user: float, weights: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        """Return the bias that each user shows in `ratings`, given the mean and the item biases."""
        return _shrunken_means(weight_matrix(ratings, weights), self._left(ratings), l2_user)

    def _left(self, ratings: CSR) -> NDArray[np.float64]:
        """Return what mean and item biases leave over of each rating."""
        return ratings.data.astype(np.float64) - self.mean - self.items[ratings.indices]

    def falls(self, history: CSR, l2_user: float) -> NDArray[np.float64]:
        """Return how much the bias of one user falls when each rating is left out of the history; (n_ratings,)."""
        left, below = self._left(history), max(history.nnz - 1 + l2_user, 1e-12)
        return np.asarray(left.sum() / (history.nnz + l2_user) - (left.sum() - left) / below)

    def at(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return μ + b_u + b_i for each pair; a bias of 0 where the number is −1, of one who is not known."""
        user_bias = np.where(users >= 0, self.users[users], 0.0)
        return np.asarray(self.mean + user_bias + np.where(items >= 0, self.items[items], 0.0))


def best_shrinkage(weights: CSR, values: NDArray[np.float64]) -> float:
    r"""Return the shrinkage with which shrunken means err least: σ² / τ², in ratings.

    τ² is the variance of what the rows have of their own, σ² that of the values of a row around it. Both are estimated
    by the sums of squares of an analysis of variance,

    .. math:: \hat\sigma^2 = \frac{\sum_i \sum_{j \in i} w_{ij} (v_{ij} - \bar v_i)^2}{N - m}, \qquad
              \hat\tau^2 = \frac{\sum_i n_i (\bar v_i - \bar v)^2 - (m - 1)\,\hat\sigma^2}{n - \sum_i n_i^2 / n},

    of m rows with N values, the sums of weights n_i of a row and n of all. A value of weight w has the variance σ² / w.

    Parameters
    ----------
    weights : csr_array of shape (n_rows, n_columns)
    values : ndarray of shape (n_stored,)
        Aligned with the weights.

    Returns
    -------
    float
        5.0 where nearly no row has two values, which leaves nothing to estimate σ² from; 10⁶ at most.

    References
    ----------
    Searle, Casella, McCulloch (1992). Variance components, section 3.6. Wiley.
    """
    counts, weight = row_sums(weights), weights.data.astype(np.float64)
    rows, n_rows, total = row_ids(weights), np.count_nonzero(counts), counts.sum()
    if weights.nnz < n_rows + 2 or n_rows < 2:
        return _NOTHING_KNOWN
    means = np.bincount(rows, weight * values, minlength=len(counts)) / np.where(counts > 0, counts, 1.0)
    within = float((weight * np.square(values - means[rows])).sum() / (weights.nnz - n_rows))
    between = float((counts * np.square(means - (counts @ means) / total)).sum()) - (n_rows - 1) * within
    own = between / float(total - np.square(counts).sum() / total)
    return min(within / own, _MOST) if own > 0 else _MOST


def weighted_mean(values: NDArray[Any], weights: NDArray[Any]) -> float:
    """Return Σ w v / Σ w."""
    return float((values * weights).sum(dtype=np.float64) / weights.sum(dtype=np.float64))


def _shrunken_means(weights: CSR, values: NDArray[Any], shrinkage: float) -> NDArray[np.float64]:
    """Return Σ w v / (Σ w + shrinkage) of the values v of each row, aligned with the weights; 0 for an empty row."""
    ones = np.ones(weights.shape[1])
    sums, below = with_values(weights, values * weights.data) @ ones, weights @ ones + shrinkage
    return np.asarray(sums / np.where(below > 0, below, 1.0))
