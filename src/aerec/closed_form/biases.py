"""Mean, user bias and item bias of ratings, as shrunken means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.rating_weights import weight_matrix
from aerec.sparse import CSR, with_values


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

    References
    ----------
    Koren (2010). Factor in the neighbors: scalable and accurate collaborative filtering. ACM TKDD 4.
    """

    mean: float
    users: NDArray[np.float64]
    items: NDArray[np.float64]

    @classmethod
    def of(cls, ratings: CSR, l2_user: float, l2_item: float, weights: NDArray[np.float32] | None = None) -> Biases:
        """Learn them from `ratings` of shape (n_users, n_items), and the weights that are aligned with them."""
        of_ratings = weight_matrix(ratings, weights)
        mean = weighted_mean(ratings.data, of_ratings.data)
        by_item: CSR = ratings.T.tocsr()
        nobody = np.zeros(0)
        items = _shrunken_means(of_ratings.T.tocsr(), by_item.data.astype(np.float64) - mean, l2_item)
        return cls(mean, cls(mean, nobody, items).of_users(ratings, l2_user, weights), items)

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


def weighted_mean(values: NDArray[Any], weights: NDArray[Any]) -> float:
    """Return Σ w v / Σ w."""
    return float((values * weights).sum(dtype=np.float64) / weights.sum(dtype=np.float64))


def _shrunken_means(weights: CSR, values: NDArray[Any], shrinkage: float) -> NDArray[np.float64]:
    """Return Σ w v / (Σ w + shrinkage) of the values v of each row, aligned with the weights; 0 for an empty row."""
    ones = np.ones(weights.shape[1])
    sums, below = with_values(weights, values * weights.data) @ ones, weights @ ones + shrinkage
    return np.asarray(sums / np.where(below > 0, below, 1.0))
