"""RP3Beta: random walks of three steps over the graph of users and items, popular items held back."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aerec.closed_form.item_item import ItemItemRecommender
from aerec.closed_form.neighbours import largest_products
from aerec.dimensions import Number, Space, Whole
from aerec.interactions import Interactions
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.sparse import CSR, column_counts, column_sums, row_sums, scaled
from aerec.splitting import Holdout


class RP3Beta(ItemItemRecommender):
    r"""Item-item weights from random walks item → user → item, divided by the popularity of where they end.

    .. math:: W_{ij} = \frac{1}{d_j^\beta} \sum_u \Big(\frac{x_{ui}}{d_i}\Big)^\alpha
              \Big(\frac{x_{uj}}{d_u}\Big)^\alpha, \qquad s_u = x_u W

    with the degrees :math:`d_i = \sum_u x_{ui}` and :math:`d_u = \sum_i x_{ui}`; for each item i only the `k` largest
    weights are kept, and none to itself. A user of many items says less about each, and an item that everybody has is
    reached from everywhere; α and β say how much that counts. A strong baseline on sparse data with many items. An
    empty history is ranked by popularity.

    Parameters
    ----------
    alpha : float > 0, default 0.6
        Power of the probabilities of the walk.
    beta : float ≥ 0 or "auto", default "auto"
        Power of the popularity that is divided out. "auto" is ¼ ln(n / 5), from 0 to 0.65, with the geometric mean n
        over the ratings of the number of ratings that their item has. Where items have few, dividing by small counts
        favours chance.
    k : int, default 500
        Weights kept of each item.

    Attributes
    ----------
    weights_ : csr_array of shape (n_items, n_items), float32
        W.

    References
    ----------
    Paudel, Christoffel, Newell, Bernstein (2017). Updatable, accurate, diverse, and scalable recommendations for
    interactive applications. ACM TiiS 7.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import RP3Beta
    >>> X = csr_array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> items, scores = RP3Beta().fit(X).recommend(csr_array([[1, 0, 0]]), k=1)
    >>> items
    array([[1]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "alpha": [RealNumber(above=0)],
        "beta": [RealNumber(at_least=0), OneOf(["auto"])],
        "k": [WholeNumber(1)],
    }

    search_space: ClassVar[Space] = {
        "alpha": Number(0.5, 1.5),
        "beta": Number(0.0, 1.0),
        "k": Whole(50, 1000, log=True),
    }

    def __init__(self, alpha: float = 0.6, beta: float | str = "auto", k: int = 500) -> None:
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        X = train.matrix
        of_user, of_item = (np.where(sums > 0, sums, 1.0) for sums in (row_sums(X, np.abs), column_sums(X, np.abs)))
        alpha, beta = float(self.alpha), _automatic_beta(X) if isinstance(self.beta, str) else float(self.beta)

        def power(values: NDArray[np.float32]) -> NDArray[np.float64]:
            return np.abs(values.astype(np.float64)) ** alpha

        from_item = scaled(X.T.tocsr(), of_item**-alpha, np.ones(X.shape[0]), power)
        to_item = scaled(X, of_user**-alpha, of_item**-beta, power)
        self.weights_ = largest_products(from_item, to_item, int(self.k), exclude=np.arange(X.shape[1]))


def _automatic_beta(X: CSR) -> float:
    """Return the power that suits items of so many ratings."""
    counts = np.maximum(column_counts(X), 1)  # log 1 = 0: items without ratings add nothing
    mean_log = float(counts @ np.log(counts)) / X.nnz
    return float(np.clip((mean_log - np.log(5)) / 4, 0.0, 0.65))
