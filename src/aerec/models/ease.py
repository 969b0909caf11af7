"""EASE: the closed-form linear autoencoder with a zero diagonal (Steck 2019)."""

from __future__ import annotations

from typing import ClassVar

from aerec.closed_form.item_item import ItemItemRecommender, closed_form_weights, gram_matrix
from aerec.interactions import Interactions
from aerec.parameters import Constraint, RealNumber
from aerec.splitting import Holdout

__all__ = ["EASE"]


class EASE(ItemItemRecommender):
    r"""Embarrassingly shallow autoencoder: score = x · B, where B reconstructs every item from all the others.

    .. math:: \min_B \|X - XB\|_F^2 + \lambda \|B\|_F^2 \quad\text{subject to}\quad \operatorname{diag}(B) = 0

    .. math:: B = I - P \cdot \operatorname{diagMat}(1 \oslash \operatorname{diag}(P)),
              \qquad P = (X^\top X + \lambda I)^{-1}

    Time grows with n_items³, memory with n_items²: one float32 matrix of that size is held. Where it does not fit,
    `fit` refuses. An empty history is ranked by popularity.

    Parameters
    ----------
    l2 : float > 0, default 500.0
        λ. Larger for more users and for ratings of larger size; 100 to 2000 suit MovieLens.

    Attributes
    ----------
    weights_ : ndarray of shape (n_items, n_items), float32
        B; ``weights_[i, j]`` is what history item i adds to the score of item j. Zero diagonal.

    References
    ----------
    Steck (2019). Embarrassingly shallow autoencoders for sparse data. WWW.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.models import EASE
    >>> X = csr_array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> model = EASE(l2=1.0).fit(X)
    >>> model.weights_.round(2)
    array([[ 0.  ,  0.5 , -0.17],
           [ 0.57,  0.  ,  0.33],
           [-0.29,  0.5 ,  0.  ]], dtype=float32)
    >>> items, scores = model.recommend(csr_array([[1, 0, 0]]), k=1)
    >>> items
    array([[1]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {"l2": [RealNumber(above=0)]}

    def __init__(self, l2: float = 500.0) -> None:
        self.l2 = l2

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        gram = gram_matrix(train.matrix, advice="use ELSA, or keep fewer items: filter(min_per_item=...)", upper=True)
        self.weights_ = closed_form_weights(gram, self.l2)
