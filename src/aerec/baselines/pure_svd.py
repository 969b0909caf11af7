"""PureSVD: the history projected on the leading singular vectors of the rating matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aerec.closed_form.leading_vectors import leading_vectors
from aerec.closed_form.penalties import used_l2
from aerec.dimensions import Number, Space, Whole
from aerec.interactions import Interactions
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.rating_weights import root_weighted
from aerec.recommender.base import Recommender
from aerec.recommender.scorer import FactorScorer, Scorer
from aerec.sparse import CSR, with_values
from aerec.splitting import Holdout

if TYPE_CHECKING:
    from torch import nn


_LEAST_LEFT = 1e-6  # Of 1 - H_jj, which rounding may make 0


class PureSVD(Recommender):
    r"""Truncated singular value decomposition with missing ratings as 0: X ≈ U Σ Vᵀ, its spectrum shrunk.

    .. math:: s_j = \frac{(x H)_j}{1 - H_{jj}}, \qquad
              H = V \operatorname{diagMat}\Big(\frac{\sigma^2}{\sigma^2 + \lambda}\Big) V^\top

    H is ridge regression of the ratings on themselves, of rank `n_factors`. An item predicts itself best, so that what
    the others say of it is small where H_jj is large; 1 − H_jj makes up for that, as if the item had been left out.
    With all factors, the scores of items that are not in the history are those of `EASE`. With λ = 0 the score is the
    plain projection x H of the paper. V is found by the randomised method with power iterations, from sparse products
    only. An empty history is ranked by popularity.

    Parameters
    ----------
    n_factors : int, default 512
        Singular vectors kept; at most min(n_users, n_items) of them. As λ holds the weaker ones back, many do no harm.
    l2 : float ≥ 0 or "auto", default "auto"
        λ: how much the weaker vectors are held back. "auto" is that of `EASE`. Without, more factors than a set bears
        rank worse.
    seed : int, default 0

    Attributes
    ----------
    item_factors_ : ndarray of shape (n_items, n_factors), float32
        V, each column times the root of σ² / (σ² + λ), each row divided by 1 − H_jj.
    item_scale_ : ndarray of shape (n_items,), float32
        1 − H_jj, by which the values of a history are multiplied; None with λ = 0, and in what version 0.1 saved,
        whose scores are x H.

    References
    ----------
    Cremonesi, Koren, Turrin (2010). Performance of recommender algorithms on top-N recommendation tasks. RecSys.
    Steck (2019). Embarrassingly shallow autoencoders for sparse data. WWW. (The items left out, with all factors.)

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import PureSVD
    >>> model = PureSVD(n_factors=1, l2=0).fit(csr_array([[1, 1, 0], [1, 1, 0], [0, 0, 1]]))
    >>> model.score_items(csr_array([[1, 0, 0]])).round(2) + 0.0
    array([[0.5, 0.5, 0. ]], dtype=float32)
    """

    _learned = ("item_factors_", "item_scale_")
    _takes_weights = True
    _item_rows = ("item_factors_", "item_scale_")
    _popularity_for_empty = True
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "n_factors": [WholeNumber(1)],
        "l2": [RealNumber(at_least=0), OneOf(["auto"])],
        "seed": [WholeNumber(0, 2**32 - 1)],
    }

    item_scale_: NDArray[np.float32] | None

    search_space: ClassVar[Space] = {"n_factors": Whole(8, 1024, log=True), "l2": Number(1.0, 30_000.0, log=True)}

    def __init__(self, n_factors: int = 512, l2: float | str = "auto", seed: int = 0) -> None:
        self.n_factors = n_factors
        self.l2 = l2
        self.seed = seed

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        n_factors = min(self.n_factors, *train.shape)
        X = root_weighted(train.matrix, train.weights)
        sizes, right = leading_vectors(X, n_factors, self.seed)
        l2 = used_l2(self.l2, X)
        shrunk = sizes / np.sqrt(sizes**2 + l2) if l2 > 0 else np.ones(n_factors)
        self.item_factors_: NDArray[np.float32] = right * shrunk.astype(np.float32)
        self.item_scale_ = None
        if l2 > 0:
            own = np.square(self.item_factors_, dtype=np.float64).sum(axis=1)  # H_jj, below 1
            self.item_scale_ = np.maximum(1 - own, _LEAST_LEFT).astype(np.float32)
            self.item_factors_ /= self.item_scale_[:, None]

    def _make_scorer(self) -> Scorer:
        scale = None if self.item_scale_ is None else self.item_scale_[:, None]
        return _ProjectionScorer(self.item_factors_, scale, self._project, self._popularity, self._project_without)

    def _project(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return x V, shrunk."""
        return self._scaled(history) @ self.item_factors_

    def _project_without(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return x V, shrunk, without each value of x."""
        scaled = self._scaled(history)
        terms: NDArray[np.float32] = scaled.data[:, None] * self.item_factors_[scaled.indices]
        return scaled @ self.item_factors_ - terms

    def _scaled(self, history: CSR) -> CSR:
        """Return what the vectors of the items are to be multiplied by."""
        if self.item_scale_ is None:
            return history
        return with_values(history, history.data * self.item_scale_[history.indices])


class _ProjectionScorer(FactorScorer):
    """Scores by x D F Fᵀ with the vectors F of the items and a diagonal matrix D."""

    def __init__(self, items: NDArray[np.float32], scale: NDArray[np.float32] | None, *how: Any) -> None:
        super().__init__(items, *how)
        self._scale = scale

    def graph(self) -> nn.Module:
        """Return the two products as a module."""
        from aerec.recommender.graphs import LinearGraph

        items = self.item_vectors()
        return LinearGraph(items if self._scale is None else self._scale * items, items.T)

    def graph_size(self) -> int:
        """Return how many numbers both factors hold."""
        return 2 * self.item_vectors().size
