"""Mean, user bias and item bias of ratings, as shrunken means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.sparse import CSR

__all__ = ["Biases"]


@dataclass(frozen=True)
class Biases:
    r"""What is known of a rating from who gave it and to what: :math:`\mu + b_u + b_i`.

    .. math:: b_i = \frac{\sum_{u \in i} (r_{ui} - \mu)}{\lambda_i + n_i}, \qquad
              b_u = \frac{\sum_{i \in u} (r_{ui} - \mu - b_i)}{\lambda_u + n_u}

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
    def of(cls, ratings: CSR, l2_user: float, l2_item: float) -> Biases:
        """Learn them from `ratings` of shape (n_users, n_items)."""
        mean = float(ratings.data.mean(dtype=np.float64))
        by_item: CSR = ratings.T.tocsr()
        nobody = np.zeros(0)
        items = _shrunken_means(by_item, by_item.data - mean, l2_item)
        return cls(mean, cls(mean, nobody, items).of_users(ratings, l2_user), items)

    def of_users(self, ratings: CSR, l2_user: float) -> NDArray[np.float64]:
        """Return the bias that each user shows in `ratings`, given the mean and the item biases."""
        return _shrunken_means(ratings, ratings.data - self.mean - self.items[ratings.indices], l2_user)

    def at(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return μ + b_u + b_i for each pair; a bias of 0 where the number is −1, of one who is not known."""
        user_bias = np.where(users >= 0, self.users[users], 0.0)
        return np.asarray(self.mean + user_bias + np.where(items >= 0, self.items[items], 0.0))


def _shrunken_means(matrix: CSR, values: NDArray[Any], shrinkage: float) -> NDArray[np.float64]:
    """Return Σ / (n + shrinkage) of the `values` stored in each row; 0 for an empty row."""
    weights = np.diff(matrix.indptr) + shrinkage
    stored: CSR = sp.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)
    sums: NDArray[np.float64] = stored @ np.ones(matrix.shape[1])
    return sums / np.where(weights > 0, weights, 1.0)
