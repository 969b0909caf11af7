"""BPR: matrix factorisation that ranks seen items above unseen ones, through the library implicit."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.dimensions import Number, Space, Whole
from aerec.errors import TrainingError
from aerec.interactions import Interactions
from aerec.parameters import Constraint, RealNumber, WholeNumber
from aerec.recommender.base import Recommender
from aerec.recommender.scorer import FactorScorer, Scorer
from aerec.sparse import CSR, column_counts, ones_in
from aerec.splitting import Holdout
from aerec.system.extras import import_implicit
from aerec.system.threads import one_blas_thread


class BPR(Recommender):
    r"""Bayesian personalised ranking: score = wᵤ · yᵢ + bᵢ, trained on pairs of a seen item i and an unseen one j.

    .. math:: \max \sum_{(u,i,j)} \ln \sigma\big(s_{ui} - s_{uj}\big) - \lambda \big(\|W\|^2 + \|Y\|^2 + \|b\|^2\big)

    Trained by implicit (extra ``baselines``), in one thread, because its parallel updates are not repeatable; scoring
    needs numpy only. Values of ratings are not read, only which items were rated.

    The model has no fold-in. A training user with ratings, recognised by id, is scored with the factors learnt for
    them, whatever the history given. Anyone else, and every row of a plain matrix, gets the average of the factors of
    the history items: a makeshift. A new user with an empty history is ranked by popularity.

    Parameters
    ----------
    n_factors : int, default 64
    l2 : float ≥ 0, default 0.05
        λ. With the 0.01 of implicit, dense sets are learned by heart.
    learning_rate : float > 0, default 0.04
    epochs : int, default 200
    popularity_power : float ≥ 0, default 0.5
        How far popularity is given back. implicit draws the unseen items by popularity, so that what is learned is
        how much more than others a user likes an item; with :math:`\gamma \ln n_i` added to bᵢ, γ = 1 is what uniform
        draws would learn, and 0 what implicit has.
    seed : int, default 0

    Attributes
    ----------
    user_factors_ : ndarray of shape (n_users, n_factors + 1), float32
        W, and a column of ones.
    item_factors_ : ndarray of shape (n_items, n_factors + 1), float32
        Y, and b as its last column.

    References
    ----------
    Rendle, Freudenthaler, Gantner, Schmidt-Thieme (2009). BPR: Bayesian personalized ranking from implicit feedback.
    UAI.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec import Interactions
    >>> from aerec.baselines import BPR
    >>> seen = pd.DataFrame({"user": [1, 1, 2, 2, 3, 3, 4, 4], "item": list("abababcd")})
    >>> data = Interactions.from_frame(seen, rating=None)
    >>> sorted(BPR(n_factors=2).fit(data).recommend(data.select_users([1]), k=2).item)
    ['c', 'd']
    """

    _learned = ("user_factors_", "item_factors_")
    _item_rows = ("item_factors_",)
    _knows_users = True
    _popularity_for_empty = True
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "n_factors": [WholeNumber(1)],
        "l2": [RealNumber(at_least=0)],
        "learning_rate": [RealNumber(above=0)],
        "epochs": [WholeNumber(1)],
        "popularity_power": [RealNumber(at_least=0)],
        "seed": [WholeNumber(0, 2**32 - 1)],
    }

    search_space: ClassVar[Space] = {
        "n_factors": Whole(16, 256, log=True),
        "l2": Number(5e-3, 0.3, log=True),
        "learning_rate": Number(5e-3, 0.2, log=True),
        "epochs": Whole(50, 400),
        "popularity_power": Number(0.0, 1.0),
    }

    def __init__(
        self,
        n_factors: int = 64,
        l2: float = 0.05,
        learning_rate: float = 0.04,
        epochs: int = 200,
        popularity_power: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.l2 = l2
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.popularity_power = popularity_power
        self.seed = seed

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        bpr = import_implicit("cpu.bpr", "BPR")
        with one_blas_thread():
            model = bpr.BayesianPersonalizedRanking(
                factors=self.n_factors,
                learning_rate=self.learning_rate,
                regularization=self.l2,
                iterations=self.epochs,
                num_threads=1,
                random_state=self.seed,
            )
            try:
                model.fit(sp.csr_matrix(train.matrix, copy=True), show_progress=False)
            except import_implicit("recommender_base", "BPR").ModelFitError:
                raise TrainingError(f"the factors became NaN: lower learning_rate={self.learning_rate:g}") from None
        self.user_factors_: NDArray[np.float32] = np.ascontiguousarray(model.user_factors)
        self.item_factors_: NDArray[np.float32] = np.array(model.item_factors)
        counts = np.maximum(column_counts(train.matrix), 0.5)  # of an item that nobody has
        self.item_factors_[:, -1] += (self.popularity_power * np.log(counts)).astype(np.float32)

    def _make_scorer(self) -> Scorer:
        return FactorScorer(self.item_factors_, self._fold_in, self._popularity, self._fold_in_without)

    def _fold_in(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the factors of users: those learnt, or the average of the items of their history."""
        trained = self._are_trained(known_users)
        return np.where(trained[:, None], self.user_factors_[known_users], self._average(history))

    def _are_trained(self, known_users: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say who has factors of his own: without ratings in training they stay 0."""
        return (known_users >= 0) & self.user_factors_[known_users, :-1].any(axis=1)

    def _fold_in_without(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the factors of a user without each value of the history; shape (n_values, n_factors)."""
        if self._are_trained(known_users)[0]:
            return np.repeat(self.user_factors_[known_users].astype(np.float64), history.nnz, axis=0)
        own = self.item_factors_[history.indices].astype(np.float64)
        averages: NDArray[np.float64] = (own.sum(axis=0) - own) / max(history.nnz - 1, 1)
        averages[:, -1] = 1
        return averages

    def _average(self, history: CSR) -> NDArray[np.float32]:
        """Return the mean of the factors of the history items, 0 where there are none, and 1 for the item bias."""
        counts = np.maximum(np.diff(history.indptr), 1).astype(np.float32)
        users = np.asarray(ones_in(history) @ self.item_factors_, dtype=np.float32) / counts[:, None]
        users[:, -1] = 1
        return users
