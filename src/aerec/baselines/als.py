"""ALS: matrix factorisation of implicit feedback by alternating least squares, through the library implicit."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.closed_form.least_squares import solve_rows, solve_without_each
from aerec.closed_form.penalties import automatic_alpha, automatic_confidence_l2
from aerec.dimensions import Number, Space, Whole
from aerec.interactions import Interactions
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.recommender.base import Recommender
from aerec.recommender.health import singular_values, warn_of_vanished_factors
from aerec.recommender.scorer import FactorScorer, Scorer
from aerec.sparse import CSR, with_values
from aerec.splitting import Holdout
from aerec.system.extras import import_implicit
from aerec.system.threads import one_blas_thread


class ALS(Recommender):
    r"""Implicit-feedback matrix factorisation: unseen items count as 0 with confidence 1, seen ones as 1 with more.

    .. math:: \min \sum_{u,i} c_{ui} (p_{ui} - w_u^\top y_i)^2 + \lambda \Big(\sum_u \|w_u\|^2 + \sum_i \|y_i\|^2\Big),
              \qquad c_{ui} = 1 + \alpha x_{ui}, \quad p_{ui} = [x_{ui} \ne 0]

    Trained by implicit (extra ``baselines``); scoring needs numpy only. Every history, of a training user or a new
    one, is folded in by the exact least-squares step

    .. math:: w = \big(Y^\top Y + Y^\top (C - I) Y + \lambda I\big)^{-1} Y^\top C\, p,

    for all users of a block at once. An empty history is ranked by popularity. With weights w of the training ratings
    (`Interactions.with_weights`), :math:`c_{ui} = w_{ui} (1 + \alpha x_{ui})`.

    Parameters
    ----------
    n_factors : int, default 128
    l2 : float > 0 or "auto", default "auto"
        λ. "auto" is :math:`2.2 \, \bar c \, \bar n^{1/4}` with the mean confidence c̄ of the ratings, and the mean
        number n̄ of ratings of an item, of those that have any. With much more, factors vanish.
    alpha : float > 0 or "auto", default "auto"
        α: what a rating of 1 adds to the confidence. "auto" is :math:`\min(\max(0.4 / d, 1), 16) / \bar x` with the
        density d among the items that have ratings, and the mean x̄ of :math:`|x_{ui}|`: where the seen items are few,
        the unseen ones would outweigh them.
    epochs : int, default 15
        Passes over users and items.
    seed : int, default 0

    Attributes
    ----------
    l2_, alpha_ : ndarray of shape (1,), float64
        The λ and α that were used; None in what version 0.1 saved.
    item_factors_ : ndarray of shape (n_items, n_factors), float32
        Y.

    References
    ----------
    Hu, Koren, Volinsky (2008). Collaborative filtering for implicit feedback datasets. ICDM.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import ALS
    >>> X = csr_array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    >>> items, scores = ALS(n_factors=2, l2=0.1).fit(X).recommend(csr_array([[0, 0, 1, 0]]), k=1)
    >>> items
    array([[3]])
    """

    _learned = ("item_factors_", "l2_", "alpha_")
    _takes_weights = True
    _popularity_for_empty = True
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "n_factors": [WholeNumber(1)],
        "l2": [RealNumber(above=0), OneOf(["auto"])],
        "alpha": [RealNumber(above=0), OneOf(["auto"])],
        "epochs": [WholeNumber(1)],
        "seed": [WholeNumber(0, 2**32 - 1)],
    }

    l2_: NDArray[np.float64] | None
    alpha_: NDArray[np.float64] | None = None

    search_space: ClassVar[Space] = {
        "n_factors": Whole(16, 256, log=True),
        "l2": Number(0.1, 300.0, log=True),
        "alpha": Number(0.3, 40.0, log=True),
        "epochs": Whole(5, 30),
    }

    def __init__(
        self,
        n_factors: int = 128,
        l2: float | str = "auto",
        alpha: float | str = "auto",
        epochs: int = 15,
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.l2 = l2
        self.alpha = alpha
        self.epochs = epochs
        self.seed = seed

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        als = import_implicit("cpu.als", "ALS")
        X = train.matrix
        alpha = automatic_alpha(X) if isinstance(self.alpha, str) else float(self.alpha)
        self.alpha_ = np.array([alpha])
        confident = 1 + alpha * float(np.abs(X.data).mean())
        confident *= 1.0 if train.weights is None else float(train.weights.mean(dtype=np.float64))
        l2 = automatic_confidence_l2(X, confident) if isinstance(self.l2, str) else float(self.l2)
        self.l2_ = np.array([l2])
        with one_blas_thread():  # implicit has threads of its own
            model = als.AlternatingLeastSquares(
                factors=self.n_factors,
                regularization=l2,
                iterations=self.epochs,
                random_state=self.seed,
            )
            confidence = self._confidence(X)
            if train.weights is not None:
                confidence.data = confidence.data * train.weights
            model.fit(sp.csr_matrix(confidence, copy=True), show_progress=False)
        self.item_factors_: NDArray[np.float32] = np.ascontiguousarray(model.item_factors)
        sizes = singular_values(model.user_factors, model.item_factors)
        warn_of_vanished_factors("ALS", sizes, f"lower l2, which is {l2:g}", automatic=isinstance(self.l2, str))

    def _make_scorer(self) -> Scorer:
        return FactorScorer(self.item_factors_, self._fold_in, self._popularity, self._fold_in_without)

    def _fold_in(self, history: CSR, known_users: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return the factors of users with this history; shape (n, n_factors)."""
        items = self.item_factors_
        every = items.astype(np.float64)
        confidence = self._confidence(history)
        extra = with_values(history, confidence.data - 1)
        ridge = np.full(items.shape[1], float(self.l2 if self.l2_ is None else self.l2_[0]))
        return solve_rows(extra, confidence, items, ridge, shared=every.T @ every).astype(np.float32)

    def _fold_in_without(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the factors of a user without each value of the history; shape (n_values, n_factors)."""
        every = self.item_factors_.astype(np.float64)
        own, confidence = every[history.indices], self._confidence(history).data.astype(np.float64)
        normal = every.T @ every + own.T @ ((confidence - 1)[:, None] * own)
        normal[np.diag_indices_from(normal)] += float(self.l2 if self.l2_ is None else self.l2_[0])
        return solve_without_each(normal, own, confidence - 1, confidence[:, None])[:, 0]

    def _confidence(self, ratings: CSR) -> CSR:
        alpha = float(self.alpha if self.alpha_ is None else self.alpha_[0])
        return with_values(ratings, 1 + alpha * ratings.data)
