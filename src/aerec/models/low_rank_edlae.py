"""LowRankEDLAE: the emphasised denoising linear autoencoder with a narrow hidden layer (Steck 2020)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from aerec.closed_form.gram import gram_matrix
from aerec.closed_form.leading_vectors import leading_vectors
from aerec.closed_form.penalties import L2, used_l2
from aerec.dimensions import Number, Space, Whole
from aerec.interactions import Interactions
from aerec.parameters import Constraint, RealNumber, WholeNumber
from aerec.rating_weights import root_weighted
from aerec.recommender.base import Recommender
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.sparse import CSR, column_sums, row_ids, squares
from aerec.splitting import Holdout

_REMEMBERED = 5  # steps from which L-BFGS estimates the curvature; each keeps two float64 copies of both factors
_DENSE_ITEMS = 8_000  # most items for which XᵀX is held (256 MB)


class LowRankEDLAE(Recommender):
    r"""`EDLAE` of rank `n_factors`, for catalogues whose item-item matrix is too large: score = x · B.

    .. math:: \min_{U, V} \|X - XB\|_F^2 + \|\Lambda^{1/2} B\|_F^2, \qquad
              B = U V^\top - \operatorname{diagMat}(d), \quad d_j = u_j \cdot v_j

    .. math:: \Lambda = \tfrac{p}{1-p} \operatorname{diagMat}(\operatorname{diag}(X^\top X)) + \lambda I

    the expected cost under dropout p of the input with all emphasis on the dropped entries, so that the diagonal of B
    is 0 although that of UVᵀ is not. With G = XᵀX, Y = GU, C = VᵀV and S = UᵀGU the cost is

    .. math:: \sum_j G_{jj} (1 + d_j)^2 - 2 \sum_j (1 + d_j) \, y_j \cdot v_j + \operatorname{tr}(C S)
              + \sum_j \Lambda_{jj} (u_j C u_j^\top - d_j^2)

    so that no items × items matrix is needed. It is minimised over both factors at once by L-BFGS with the exact
    gradient, from the truncated singular value decomposition of X; the paper alternates between them by ADMM. An empty
    history is ranked by popularity.

    Parameters
    ----------
    l2 : float > 0 or "auto", default "auto"
        λ, the same for every item. "auto" as in `EASE`.
    dropout : float in [0, 1), default 0.5
        p.
    n_factors : int, default 256
        Width of the hidden layer.
    epochs : int, default 50
        Steps of L-BFGS at most.
    seed : int, default 0
        Of the decomposition that the factors start from.

    Attributes
    ----------
    input_factors_, output_factors_ : ndarray of shape (n_items, n_factors), float32
        U and V.

    References
    ----------
    Steck (2020). Autoencoders that don't overfit towards the identity. NeurIPS. (Section 3.2, low-rank models.)

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import LowRankEDLAE
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = LowRankEDLAE(l2=50.0, n_factors=8, epochs=10).fit(likes)
    >>> model.input_factors_.shape
    (600, 8)
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "l2": L2,
        "dropout": [RealNumber(at_least=0, below=1)],
        "n_factors": [WholeNumber(1)],
        "epochs": [WholeNumber(1)],
        "seed": [WholeNumber(0, 2**32 - 1)],
    }
    _learned = ("input_factors_", "output_factors_")
    _item_rows = ("input_factors_", "output_factors_")
    _popularity_for_empty = True
    _takes_weights = True

    input_factors_: NDArray[np.float32]
    output_factors_: NDArray[np.float32]

    search_space: ClassVar[Space] = {
        "l2": Number(10.0, 3000.0, log=True),
        "dropout": Number(0.05, 0.75),
        "n_factors": Whole(32, 512, log=True),
    }

    def __init__(
        self, l2: float | str = "auto", dropout: float = 0.5, n_factors: int = 256, epochs: int = 50, seed: int = 0
    ) -> None:
        self.l2 = l2
        self.dropout = dropout
        self.n_factors = n_factors
        self.epochs = epochs
        self.seed = seed

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        X = root_weighted(train.matrix, train.weights)
        gram, l2 = _Gram(X), used_l2(self.l2, X)
        ridge = self.dropout / (1 - self.dropout) * gram.diagonal + l2
        sizes, right = leading_vectors(X, self._rank(train.shape), int(self.seed))
        start = np.stack([right * (sizes**2 / (sizes**2 + l2)), right]).astype(np.float64)

        def cost(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            U, V = flat.reshape(start.shape)
            value, by_u, by_v = _cost_and_gradients(U, V, gram, ridge)
            return value, np.concatenate([by_u.ravel(), by_v.ravel()])

        steps = int(self.epochs)
        minimum = minimize(
            cost, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": steps, "maxcor": _REMEMBERED}
        )
        self.input_factors_, self.output_factors_ = minimum.x.reshape(start.shape).astype(np.float32)

    def _rank(self, shape: tuple[int, int]) -> int:
        """No more factors than the ratings can have."""
        return min(int(self.n_factors), *shape)

    def _make_scorer(self) -> Scorer:
        return _LowRankScorer(self.input_factors_, self.output_factors_, self._popularity)


class _LowRankScorer(Scorer):
    """Scores by x · (U Vᵀ − diagMat(d))."""

    def __init__(
        self, inputs: NDArray[np.float32], outputs: NDArray[np.float32], popularity: NDArray[np.float32] | None
    ) -> None:
        super().__init__(len(inputs), popularity)
        self._inputs, self._outputs = inputs, outputs
        self._own = np.einsum("ij,ij->i", inputs, outputs)

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        history = block.history
        scores: NDArray[np.float32] = (history @ self._inputs) @ self._outputs.T
        scores[row_ids(history), history.indices] -= history.data * self._own[history.indices]
        return scores

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact terms of the sum, xᵢ · Bᵢⱼ."""
        history = block.history
        weights = self._inputs[history.indices].astype(np.float64) @ self._outputs[columns].T
        weights[history.indices[:, None] == columns] = 0
        return history.data[:, None] * weights

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return rows of U Vᵀ."""
        return self._inputs[columns] @ self._outputs.T


class _Gram:
    """Products with G = XᵀX, in float64."""

    def __init__(self, X: CSR) -> None:
        self.diagonal = column_sums(X, squares)
        self._dense: NDArray[np.float32] | None = None
        if X.shape[1] <= _DENSE_ITEMS:
            self._dense = gram_matrix(X, advice="use a smaller catalogue")
        else:
            self._X, self._by_item = X.astype(np.float64), X.T.tocsr().astype(np.float64)

    def __matmul__(self, factors: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._dense is not None:
            return (self._dense @ factors.astype(np.float32)).astype(np.float64)
        return self._by_item @ (self._X @ factors)


def _cost_and_gradients(
    U: NDArray[np.float64], V: NDArray[np.float64], gram: _Gram, ridge: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return the cost and its gradients by U and by V.

    Parameters
    ----------
    U, V : ndarray of shape (n_items, n_factors)
    gram : _Gram
    ridge : ndarray of shape (n_items,)
        The diagonal of Λ.
    """
    d = np.einsum("ij,ij->i", U, V)
    Y, C = gram @ U, V.T @ V
    own = np.einsum("ij,ij->i", Y, V)
    weighted, UC = ridge[:, None] * U, U @ C
    value = (gram.diagonal * (1 + d) ** 2 - 2 * (1 + d) * own - ridge * d**2).sum()
    value += (Y * UC).sum() + (weighted * UC).sum()
    by_d = 2 * (gram.diagonal * (1 + d) - own - ridge * d)[:, None]
    by_u = 2 * (Y @ C - (gram @ ((1 + d)[:, None] * V)) + ridge[:, None] * UC) + by_d * V
    by_v = 2 * (V @ (U.T @ Y + U.T @ weighted) - (1 + d)[:, None] * Y) + by_d * U
    return float(value), by_u, by_v
