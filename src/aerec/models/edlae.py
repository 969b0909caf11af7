"""EDLAE: the linear denoising autoencoder that learns only from what was dropped out (Steck 2020)."""

from __future__ import annotations

from typing import ClassVar

from aerec.closed_form.penalties import L2
from aerec.closed_form.ridge import SOLVER, RidgeRecommender
from aerec.dimensions import Number, Space
from aerec.parameters import Constraint, RealNumber


class EDLAE(RidgeRecommender):
    r"""Emphasised denoising linear autoencoder, full rank: score = x · B, trained under dropout of the input.

    Each input entry is dropped with probability p and the others divided by 1 − p, x̃ = δ ⊙ x / (1 − p); the error of
    an entry counts only where it was dropped (emphasis a = 1 there, b = 0 elsewhere), so that nothing is learnt from
    copying an item to itself and the diagonal of B is 0. The expected cost has a closed-form minimum:

    .. math:: \min_B \|X - XB\|_F^2 + \|\Lambda^{1/2} B\|_F^2 \quad\text{subject to}\quad \operatorname{diag}(B) = 0,
              \qquad \Lambda = \tfrac{p}{1-p} \operatorname{diagMat}(\operatorname{diag}(X^\top X)) + \lambda I

    .. math:: B = I - P \cdot \operatorname{diagMat}(1 \oslash \operatorname{diag}(P)),
              \qquad P = (X^\top X + \Lambda)^{-1}

    It is EASE with more regularisation on the popular items. The paper does not divide the kept entries by 1 − p,
    which multiplies all of B by the constant 1/(1 − p) and leaves every ranking as it is. Time, memory, empty
    histories and updates as in `EASE`, but that an update takes about as long as two fits.

    Parameters
    ----------
    l2 : float > 0 or "auto", default "auto"
        λ, the same for every item. "auto" as in `EASE`.
    dropout : float in [0, 1), default 0.5
        p. With 0 it is EASE.
    item_norm, user_norm, diagonal : float in [0, 1], default 0.0
        As in `EASE`.
    feature_weight : float >= 0, default 0.0
        As in `EASE`; the diagonal of w · FFᵀ counts in Λ too.
    solver : {"auto", "items", "users"}, default "auto"
        As in `EASE`, with :math:`K = (I + X \Lambda^{-1} X^\top)^{-1}`.

    Attributes
    ----------
    weights_ : ndarray of shape (n_items, n_items), float32
        B, with a zero diagonal.
    l2_ : float
        The λ that was used.
    ratings_, kernel_ : csr_array of shape (n_items, n_users), ndarray of shape (n_users, n_users), or None
        As in `EASE`.
    inverse_diagonal_, ridge_, item_counts_, n_users_ : ndarray
        What updates need beside the weights, as in `EASE`.

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
        "l2": L2,
        "dropout": [RealNumber(at_least=0, below=1)],
        "item_norm": [RealNumber(at_least=0, at_most=1)],
        "user_norm": [RealNumber(at_least=0, at_most=1)],
        "diagonal": [RealNumber(at_least=0, at_most=1)],
        "feature_weight": [RealNumber(at_least=0)],
        "solver": SOLVER,
    }

    search_space: ClassVar[Space] = {
        "l2": Number(5.0, 5000.0, log=True),
        "dropout": Number(0.05, 0.75),
        "item_norm": Number(0.0, 0.5),
        "user_norm": Number(0.0, 0.5),
    }

    def __init__(
        self,
        l2: float | str = "auto",
        dropout: float = 0.5,
        item_norm: float = 0.0,
        user_norm: float = 0.0,
        diagonal: float = 0.0,
        feature_weight: float = 0.0,
        solver: str = "auto",
    ) -> None:
        self.l2 = l2
        self.dropout = dropout
        self.item_norm = item_norm
        self.user_norm = user_norm
        self.diagonal = diagonal
        self.feature_weight = feature_weight
        self.solver = solver

    def _dropped(self) -> float:
        dropout = float(self._used("dropout"))
        return dropout / (1 - dropout)
