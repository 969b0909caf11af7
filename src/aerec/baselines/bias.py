"""BiasBaseline: rating = mean + user bias + item bias."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from aerec.closed_form.biases import Biases
from aerec.dimensions import Number, Space
from aerec.interactions import Interactions
from aerec.parameters import Constraint, OneOf, RealNumber
from aerec.recommender.base import Recommender
from aerec.recommender.rating import RatingPredictor
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.splitting import Holdout


class BiasBaseline(RatingPredictor, Recommender):
    r"""Predict a rating as mean + user bias + item bias, the biases as shrunken means.

    .. math:: \hat r_{ui} = \mu + b_u + b_i, \qquad
              b_i = \frac{\sum_{u \in i} (r_{ui} - \mu)}{\lambda_i + n_i}, \qquad
              b_u = \frac{\sum_{i \in u} (r_{ui} - \mu - b_i)}{\lambda_u + n_u}

    `predict` uses what is known: a bias of 0 for an unknown user or item. `score_items` finds the user bias from the
    history, so that its scores are predictions before clipping; the ranking is that of the item biases for everyone.

    Parameters
    ----------
    l2_user : float ≥ 0 or "auto", default "auto"
        λᵤ: the weight of the mean against a user's ratings, counted in ratings. "auto" estimates with which biases err
        least: the variance of ratings around the biases over the variance of the biases.
    l2_item : float ≥ 0 or "auto", default "auto"
        λᵢ.

    Attributes
    ----------
    mean_ : ndarray of shape (1,), float64
        μ.
    user_bias_ : ndarray of shape (n_users,), float64
    item_bias_ : ndarray of shape (n_items,), float64
    l2_user_, l2_item_ : ndarray of shape (1,), float64
        The λᵤ and λᵢ that were used; None in what version 0.1 saved.

    References
    ----------
    Koren (2010). Factor in the neighbors: scalable and accurate collaborative filtering. ACM TKDD 4.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import BiasBaseline
    >>> model = BiasBaseline(l2_user=0.0, l2_item=0.0).fit(csr_array([[5.0, 3.0], [4.0, 0.0]]))
    >>> model.predict([0, 1, 1], [0, 0, 1]).round(2)
    array([4.75, 4.  , 3.  ], dtype=float32)
    """

    _learned = ("mean_", "user_bias_", "item_bias_", "rating_range_", "l2_user_", "l2_item_")
    _takes_weights = True
    _knows_users = True
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "l2_user": [RealNumber(at_least=0), OneOf(("auto",))],
        "l2_item": [RealNumber(at_least=0), OneOf(("auto",))],
    }

    l2_user_: NDArray[np.float64] | None
    l2_item_: NDArray[np.float64] | None

    search_space: ClassVar[Space] = {"l2_user": Number(0.5, 50.0, log=True), "l2_item": Number(0.5, 50.0, log=True)}

    def __init__(self, l2_user: float | Literal["auto"] = "auto", l2_item: float | Literal["auto"] = "auto") -> None:
        self.l2_user = l2_user
        self.l2_item = l2_item

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        self._remember_ratings(train, from_matrix=self.items_ is None)
        biases = Biases.of(train.matrix, self.l2_user, self.l2_item, train.weights)
        self.mean_, self.user_bias_, self.item_bias_ = np.array([biases.mean]), biases.users, biases.items
        self.l2_user_, self.l2_item_ = np.array([biases.l2_user]), np.array([biases.l2_item])

    def _biases(self) -> Biases:
        l2_user = float(self.l2_user if self.l2_user_ is None else self.l2_user_[0])
        l2_item = float(self.l2_item if self.l2_item_ is None else self.l2_item_[0])
        return Biases(float(self.mean_[0]), self.user_bias_, self.item_bias_, l2_user, l2_item)

    def _make_scorer(self) -> Scorer:
        return _BiasScorer(self._biases())


class _BiasScorer(Scorer):
    """Scores by μ + b_u + b_i with the user bias that a history shows; predicts with that of training."""

    def __init__(self, biases: Biases) -> None:
        super().__init__(len(biases.items))
        self._biases = biases

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        user_bias = self._biases.of_users(block.history, self._biases.l2_user)
        scores: NDArray[np.float64] = np.add.outer(user_bias, self._biases.items) + self._biases.mean
        return scores.astype(np.float32)

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much the user bias falls when an item is left out of the history."""
        return np.repeat(self._biases.falls(block.history, self._biases.l2_user)[:, None], len(columns), axis=1)

    def predict(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        """Predict each pair."""
        return self._biases.at(users, items)
