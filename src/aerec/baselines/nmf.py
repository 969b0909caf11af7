"""NMF: non-negative matrix factorisation, trained by scikit-learn, with a fold-in of its own."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn import decomposition
from sklearn.exceptions import ConvergenceWarning

from aerec.closed_form.least_squares import solve_nonnegative
from aerec.closed_form.penalties import automatic_factor_l2
from aerec.dimensions import Number, Space, Whole
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.recommender.base import Recommender
from aerec.recommender.scorer import FactorScorer, Scorer, UserBlock
from aerec.sparse import CSR
from aerec.splitting import Holdout


class NMF(Recommender):
    r"""Factorisation into parts that only add up: users and items have factors of 0 and more, missing ratings are 0.

    .. math:: \min_{W \ge 0,\, H \ge 0} \tfrac12 \|X - W H^\top\|_F^2
              + \tfrac{\lambda}{2} \big(\|W\|_F^2 + \|H\|_F^2\big)

    Trained by the coordinate descent of scikit-learn on the sparse ratings, from a deterministic start (NNDSVDa). Every
    history, of a training user or a new one, is folded in by non-negative least squares on the item factors

    .. math:: w = \arg\min_{w \ge 0} \tfrac12 \|x - w H^\top\|^2 + \tfrac{\lambda}{2} \|w\|^2, \qquad
              \text{score} = w H^\top,

    for all users of a block at once, each until it has settled. A history that no factor explains (w = 0), such as an
    empty one, is ranked by popularity.

    Parameters
    ----------
    n_factors : int, default 256
        At most min(n_users, n_items) are used. As λ holds the weaker ones back, many do no harm but take time.
    l2 : float ≥ 0 or "auto", default "auto"
        λ. "auto" follows the data: :math:`1.5 \, (\sum_u n_u^2 / m)^{1/4}` for ratings of 1, with the numbers n of
        ratings of the users and the number m of the items. With much more, factors vanish.
    epochs : int, default 100
        Passes over users and items at most; training stops before where it hardly moves (scikit-learn's tolerance of
        1e-4).
    seed : int, default 0
        Of the randomised singular value decomposition that gives the start.

    Attributes
    ----------
    l2_ : ndarray of shape (1,), float64
        The λ that was used; None in what version 0.1 saved.
    item_factors_ : ndarray of shape (n_items, n_factors), float32
        H; scikit-learn's ``components_.T``.

    References
    ----------
    Lee, Seung (1999). Learning the parts of objects by non-negative matrix factorization. Nature 401.
    Cichocki, Phan (2009). Fast local algorithms for large scale nonnegative matrix and tensor factorizations. IEICE
    Transactions on Fundamentals 92(3).

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import NMF
    >>> X = csr_array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    >>> items, scores = NMF(n_factors=2, l2=0.1).fit(X).recommend(csr_array([[0, 0, 1, 0]]), k=1)
    >>> items
    array([[3]])
    """

    _learned = ("item_factors_", "l2_")
    _popularity_for_empty = True
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "n_factors": [WholeNumber(1)],
        "l2": [RealNumber(at_least=0), OneOf(["auto"])],
        "epochs": [WholeNumber(1)],
        "seed": [WholeNumber(0, 2**32 - 1)],
    }

    l2_: NDArray[np.float64] | None

    search_space: ClassVar[Space] = {
        "n_factors": Whole(8, 512, log=True),
        "l2": Number(0.1, 30.0, log=True),
        "epochs": Whole(30, 200),
    }

    def __init__(self, n_factors: int = 256, l2: float | str = "auto", epochs: int = 100, seed: int = 0) -> None:
        self.n_factors = n_factors
        self.l2 = l2
        self.epochs = epochs
        self.seed = seed

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        if (lowest := train.matrix.data.min()) < 0:
            raise DataError(
                f"NMF takes ratings of 0 and more, the lowest here is {lowest:g}: shift them, or keep those that count "
                "as liked with binarize()"
            )
        n_users, n_items = train.shape
        l2 = automatic_factor_l2(train.matrix) if isinstance(self.l2, str) else float(self.l2)
        self.l2_ = np.array([l2])
        for init in ("nndsvda", "random"):  # the first divides 0 by 0 where the ratings have a lower rank
            model = decomposition.NMF(
                min(self.n_factors, n_users, n_items),
                init=init,
                solver="cd",
                alpha_W=l2 / n_items,  # scikit-learn multiplies by these numbers
                alpha_H=l2 / n_users,
                max_iter=self.epochs,
                random_state=self.seed,
            )
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore", ConvergenceWarning)  # `epochs` is a choice, not a failure
                model.fit(train.matrix)
            if np.isfinite(model.components_).all():
                break
        self.item_factors_: NDArray[np.float32] = np.ascontiguousarray(model.components_.T, dtype=np.float32)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def _make_scorer(self) -> Scorer:
        return _NMFScorer(self.item_factors_, self._fold_in, self._popularity, self._fold_in_without)

    def _fold_in(self, history: CSR, known_users: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return the factors of users with this history; shape (n, n_factors)."""
        return self._solved(history.astype(np.float64) @ self.item_factors_.astype(np.float64))

    def _fold_in_without(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the factors of a user without each value of the history; shape (n_values, n_factors)."""
        terms = history.data[:, None] * self.item_factors_[history.indices].astype(np.float64)
        return self._solved(terms.sum(axis=0) - terms)

    def _solved(self, products: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return w of each row of the products x H."""
        items = self.item_factors_.astype(np.float64)
        l2 = float(self.l2 if self.l2_ is None else self.l2_[0])
        gram = items.T @ items + l2 * np.eye(items.shape[1])
        return solve_nonnegative(gram, products).astype(np.float32)


class _NMFScorer(FactorScorer):
    """Ranks by popularity wherever no factor speaks of a user, which leaves nothing but zeros."""

    def _by_popularity(self, block: UserBlock, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        return np.logical_not(scores.any(axis=1))
