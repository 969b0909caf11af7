"""EDLAE: the linear denoising autoencoder that learns only from what was dropped out (Steck 2020)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from aerec.closed_form.item_item import ItemItemRecommender, closed_form_weights, gram_matrix
from aerec.interactions import Interactions
from aerec.parameters import Constraint, RealNumber
from aerec.splitting import Holdout

__all__ = ["EDLAE"]


class EDLAE(ItemItemRecommender):
    r"""Emphasised denoising linear autoencoder, full rank: score = x · B, trained under dropout of the input.

    Each input entry is dropped with probability p and the others divided by 1 − p, x̃ = δ ⊙ x / (1 − p); the error of
    an entry counts only where it was dropped (emphasis a = 1 there, b = 0 elsewhere), so that nothing is learnt from
    copying an item to itself and the diagonal of B is 0. The expected cost has a closed-form minimum:

    .. math:: \min_B \|X - XB\|_F^2 + \|\Lambda^{1/2} B\|_F^2 \quad\text{subject to}\quad \operatorname{diag}(B) = 0,
              \qquad \Lambda = \tfrac{p}{1-p} \operatorname{diagMat}(\operatorname{diag}(X^\top X)) + \lambda I

    .. math:: B = I - P \cdot \operatorname{diagMat}(1 \oslash \operatorname{diag}(P)),
              \qquad P = (X^\top X + \Lambda)^{-1}

    It is EASE with more regularisation on the popular items. The paper does not divide the kept entries by 1 − p,
    which multiplies all of B by the constant 1/(1 − p) and leaves every ranking as it is. Time, memory and empty
    histories as in `EASE`.

    Parameters
    ----------
    l2 : float > 0, default 500.0
        λ, the same for every item.
    dropout : float in [0, 1), default 0.5
        p. With 0 it is EASE.

    Attributes
    ----------
    weights_ : ndarray of shape (n_items, n_items), float32
        B, with a zero diagonal.

    References
    ----------
    Steck (2020). Autoencoders that don't overfit towards the identity. NeurIPS.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.models import EDLAE
    >>> X = csr_array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> items, scores = EDLAE(l2=1.0, dropout=0.3).fit(X).recommend(csr_array([[1, 0, 0]]), k=1)
    >>> items
    array([[1]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "l2": [RealNumber(above=0)],
        "dropout": [RealNumber(at_least=0, below=1)],
    }

    def __init__(self, l2: float = 500.0, dropout: float = 0.5) -> None:
        self.l2 = l2
        self.dropout = dropout

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        gram = gram_matrix(train.matrix, advice="use ELSA, or keep fewer items: filter(min_per_item=...)", upper=True)
        ridge = self.dropout / (1 - self.dropout) * np.diag(gram) + self.l2
        self.weights_ = closed_form_weights(gram, ridge)
