"""BiasedMF: rating = mean + biases + product of factors, by alternating least squares."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aerec.closed_form.biases import Biases, weighted_mean
from aerec.closed_form.least_squares import solve_rows, solve_without_each
from aerec.dimensions import Number, Space, Whole
from aerec.interactions import Interactions
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.rating_weights import weight_matrix
from aerec.recommender.base import Recommender
from aerec.recommender.health import singular_values, warn_of_vanished_factors
from aerec.recommender.rating import RatingPredictor
from aerec.recommender.scorer import Scorer, UserBlock, cosines
from aerec.sparse import CSR, column_counts, row_ids, with_values
from aerec.splitting import Holdout

_AUTOMATIC = 1.6  # The automatic penalty as a multiple of half the edge of noise
_LEAST_BIAS = 1e-3  # The least automatic penalty of biases, in ratings
_USERS, _ITEMS = 0, 1
_NO_SPREAD = 1e-6  # Ratings that differ by no more than this share of their size are equal


class BiasedMF(RatingPredictor, Recommender):
    r"""Matrix factorisation of the observed ratings with biases: the baseline of rating prediction.

    .. math:: \hat r_{ui} = \mu + b_u + b_i + p_u^\top q_i

    .. math:: \min \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2
              + \sum_u n_u^{\gamma} (\lambda \|p_u\|^2 + \lambda_b b_u^2)
              + \sum_i n_i^{\gamma} (\lambda \|q_i\|^2 + \lambda_b b_i^2)

    Each epoch solves all users and then all items exactly (alternating least squares); there is no learning rate.
    `predict` uses what is known: no bias and no factors for an unknown user or item. `score_items` folds every history
    in by the user step, so that its scores are predictions before clipping; an empty history is ranked by item bias.

    Parameters
    ----------
    n_factors : int, default 16
    l2 : float > 0 or "auto", default "auto"
        λ. "auto" follows the data: :math:`1.6 \, \sigma \, (\sqrt{n_u} + \sqrt{n_i}) / (2 (n_u n_i)^{1/4})` with
        the standard deviation σ of what the biases of `BiasBaseline` leave over and the mean numbers n of ratings of
        a user and of an item. A factor lasts where its singular value is above :math:`\lambda (n_u n_i)^{1/4}`, and
        those of noise go up to :math:`\sigma (\sqrt{n_u} + \sqrt{n_i})`, for which the multiple is 2. It is less
        because not all of σ is noise. With much more, factors vanish.
    l2_bias : float > 0 or "auto", default "auto"
        λ_b. "auto" has :math:`\lambda_u b_u^2 + \lambda_i b_i^2` as the penalty of a bias, whatever its n, with λᵤ and
        λᵢ as `BiasBaseline` estimates them: the variance of ratings around the biases over the variance of the biases.
    count_power : float in [0, 1], default 0.5
        γ: how the penalty grows with the number of ratings n; 0 is plain ridge, 1 the weighted λ of Zhou et al.
    epochs : int, default 20
    seed : int, default 0

    Attributes
    ----------
    mean_ : ndarray of shape (1,), float64
        μ.
    l2_ : ndarray of shape (1,), float64
        The λ that was used; None in what version 0.1 saved.
    l2_bias_ : ndarray of shape (2,), float64
        λᵤ and λᵢ, or λ_b twice where it was given; None in what version 0.1 saved.
    user_factors_ : ndarray of shape (n_users, n_factors + 1), float64
        p, and b as its last column.
    item_factors_ : ndarray of shape (n_items, n_factors + 1), float64
        q, and b as its last column.

    References
    ----------
    Koren, Bell, Volinsky (2009). Matrix factorization techniques for recommender systems. Computer 42.
    Zhou, Wilkinson, Schreiber, Pan (2008). Large-scale parallel collaborative filtering for the Netflix prize. AAIM.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import BiasedMF
    >>> ratings = csr_array([[5.0, 4.0, 1.0], [4.0, 0.0, 1.0], [1.0, 2.0, 5.0]])
    >>> BiasedMF(n_factors=1, l2=0.1, l2_bias=0.1).fit(ratings).predict([1], [1]).round(0)
    array([3.], dtype=float32)
    """

    _learned = ("mean_", "l2_", "l2_bias_", "user_factors_", "item_factors_", "rating_range_")
    _takes_weights = True
    _knows_users = True
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "n_factors": [WholeNumber(1)],
        "l2": [RealNumber(above=0), OneOf(["auto"])],
        "l2_bias": [RealNumber(above=0), OneOf(["auto"])],
        "count_power": [RealNumber(at_least=0, at_most=1)],
        "epochs": [WholeNumber(1)],
        "seed": [WholeNumber(0, 2**32 - 1)],
    }

    search_space: ClassVar[Space] = {
        "n_factors": Whole(4, 128, log=True),
        "l2": Number(0.1, 30.0, log=True),
        "l2_bias": Number(0.1, 30.0, log=True),
        "count_power": Number(0.0, 1.0),
        "epochs": Whole(5, 40),
    }

    l2_: NDArray[np.float64] | None
    l2_bias_: NDArray[np.float64] | None

    def __init__(
        self,
        n_factors: int = 16,
        l2: float | str = "auto",
        l2_bias: float | str = "auto",
        count_power: float = 0.5,
        epochs: int = 20,
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.l2 = l2
        self.l2_bias = l2_bias
        self.count_power = count_power
        self.epochs = epochs
        self.seed = seed

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        self._remember_ratings(train, from_matrix=self.items_ is None)
        by_user = train.matrix
        by_item: CSR = by_user.T.tocsr()
        of_users = weight_matrix(by_user, train.weights)
        of_items: CSR = of_users.T.tocsr()
        biases = Biases.of(by_user, "auto", "auto", train.weights)
        self.mean_ = np.array([biases.mean])
        left = by_user.data - biases.at(row_ids(by_user), by_user.indices.astype(np.int64))
        spread, size = math.sqrt(weighted_mean(np.square(left), of_users.data)), float(np.abs(by_user.data).max())
        varies = spread > _NO_SPREAD * size
        spread = spread if varies else size or 1.0
        automatic = _AUTOMATIC * spread * imbalance(by_user)
        self.l2_ = np.array([automatic if isinstance(self.l2, str) else float(self.l2)])
        estimated = np.maximum([biases.l2_user, biases.l2_item], _LEAST_BIAS)
        self.l2_bias_ = estimated if isinstance(self.l2_bias, str) else np.full(2, float(self.l2_bias))
        generator = np.random.default_rng(self.seed)
        of_size = 0.1 * math.sqrt(spread)  # factors multiply to ratings
        self.item_factors_ = of_size * generator.standard_normal((train.shape[1], self.n_factors + 1))
        self.item_factors_[:, -1] = 0
        for _ in range(self.epochs):
            self.user_factors_ = self._solve(by_user, self.item_factors_, of_users)
            self.item_factors_ = self._solve(by_item, self.user_factors_, of_items, _ITEMS)
        if not varies:
            return  # there is nothing to factorise
        sizes = singular_values(self.user_factors_[:, :-1], self.item_factors_[:, :-1])
        warn_of_vanished_factors(
            "BiasedMF", sizes, f"lower l2, which is {self.l2_[0]:g}", automatic=isinstance(self.l2, str)
        )

    def _solve(
        self, ratings: CSR, others: NDArray[np.float64], weights: CSR | None = None, side: int = _USERS
    ) -> NDArray[np.float64]:
        """Return factors and bias of each row, which is one of the `side`, given those of the columns."""
        weights = weight_matrix(ratings, None) if weights is None else weights
        vectors = _with_ones(others)
        rest = ratings.data - self.mean_ - others[ratings.indices, -1]
        return solve_rows(
            weights,
            with_values(ratings, weights.data * rest),
            vectors,
            self._penalties(weights @ np.ones(weights.shape[1]), side),
        )

    def _solve_without(self, ratings: CSR, items: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return factors and bias of one user without each of the ratings; shape (n_ratings, n_factors + 1)."""
        vectors = _with_ones(items[ratings.indices])
        rest = ratings.data - self.mean_ - items[ratings.indices, -1]
        normal = vectors.T @ vectors + np.diag(self._penalties(np.array([len(rest) - 1.0]))[0])
        return solve_without_each(normal, vectors, np.ones(len(rest)), rest[:, None])[:, 0]

    def _penalties(self, counts: NDArray[np.float64], side: int = _USERS) -> NDArray[np.float64]:
        """Return what the squares of factors and bias cost rows of so many ratings; shape (n_rows, n_factors + 1)."""
        scale: NDArray[np.float64] = np.where(counts > 0, counts, 1.0) ** float(self.count_power)
        l2 = float(self.l2 if self.l2_ is None else self.l2_[0])
        l2_bias = float(self.l2_bias if self.l2_bias_ is None else self.l2_bias_[side])
        penalty: NDArray[np.float64] = np.multiply.outer(scale, np.full(self.n_factors + 1, l2))
        penalty[:, -1] = l2_bias if isinstance(self.l2_bias, str) else l2_bias * scale
        return penalty

    def _make_scorer(self) -> Scorer:
        solve = self._solve, self._solve_without
        return _BiasedFactorScorer(self.mean_, self.user_factors_, self.item_factors_, *solve)


def imbalance(ratings: CSR) -> float:
    """Return (√n_u + √n_i) / (2 (n_u n_i)^¼), with the mean numbers of ratings of users and items that have any."""
    roots = [
        math.sqrt(ratings.nnz / np.count_nonzero(counts))
        for counts in (np.diff(ratings.indptr), column_counts(ratings))
    ]
    return sum(roots) / (2 * math.sqrt(roots[0] * roots[1]))


def _with_ones(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return factors with a 1 in the place of the bias."""
    vectors = factors.copy()
    vectors[:, -1] = 1
    return vectors


class _BiasedFactorScorer(Scorer):
    """Scores by μ + b_u + b_i + p · q with the factors that a history shows; predicts with those that were learned."""

    def __init__(
        self,
        mean: NDArray[np.float64],
        users: NDArray[np.float64],
        items: NDArray[np.float64],
        solve: Callable[[CSR, NDArray[np.float64]], NDArray[np.float64]],
        solve_without: Callable[[CSR, NDArray[np.float64]], NDArray[np.float64]],
    ) -> None:
        super().__init__(len(items))
        self._mean, self._users, self._items = mean, users, items
        self._solve, self._solve_without = solve, solve_without

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        users, items = self._solve(block.history, self._items), self._items
        scores = users[:, :-1] @ items[:, :-1].T + users[:, -1:] + items[:, -1] + self._mean
        return np.asarray(scores, dtype=np.float32)

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much a score falls when an item is left out of the history."""
        lost = self._solve(block.history, self._items) - self._solve_without(block.history, self._items)
        return lost @ _with_ones(self._items[columns]).T

    def predict(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        """Predict each pair; without bias and factors where one of the two is −1."""
        user = np.where(users[:, None] >= 0, self._users[users], 0.0)
        item = np.where(items[:, None] >= 0, self._items[items], 0.0)
        product = np.einsum("ij,ij->i", user[:, :-1], item[:, :-1])
        return np.asarray(self._mean + user[:, -1] + item[:, -1] + product)

    def item_vectors(self) -> NDArray[np.float64]:
        """Return q, and b as the last column."""
        return self._items

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the cosines of q."""
        return cosines(self._items[:, :-1], columns)

    def query_vectors(self, block: UserBlock) -> NDArray[np.float64]:
        """Return p, and 1 as the last column."""
        users = self._solve(block.history, self._items)
        users[:, -1] = 1
        return users
