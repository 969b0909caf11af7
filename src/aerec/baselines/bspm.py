"""BSPM: histories blurred and sharpened over the graph of users and items, without training."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aerec.closed_form.gram import sum_rows
from aerec.closed_form.leading_vectors import leading_vectors
from aerec.dimensions import Number, Space, Whole
from aerec.interactions import Interactions
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.recommender.base import Recommender
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.sparse import CSR, column_sums, row_sums, scaled
from aerec.splitting import Holdout

_ORDER = 4  # Order of the polynomial that stands for the exponential
_OF_FEWER, _FACTORS = 32, (8, 256)  # n_factors="auto" is a share of the users or items, within these numbers


class BSPM(Recommender):
    r"""Blurring and sharpening: a history is smoothed over like items, then what is common to all is taken away.

    .. math:: \tilde R = D_U^{-\alpha} X (D_I + c)^{\alpha - 1}, \qquad P = (\tilde R^\top \tilde R)^{\circ s}, \qquad
              r_0 = x P + w \, x (D_I + c)^{\alpha - 1} V V^\top (D_I + c)^{1 - \alpha}

    .. math:: r = \sum_{n=0}^4 \frac{(-T)^n}{n!} \, r_0 P^n \approx r_0 e^{-T P}

    with the degrees D of users and items and the `n_factors` leading right singular vectors V of R̃. The score is one
    linear map of the history, so that anyone can be scored and explanations are exact. Nothing is trained: `fit` is one
    singular value decomposition, and a user costs ten products with the sparse ratings. An empty history is ranked by
    popularity.

    The papers have c = 0. Where data is sparse that raises items of one or two users above all others. Without it,
    ``sharpening=0`` is GF-CF; with ``n_factors=0`` as well and another `alpha` and `power` it is Turbo-CF.

    Parameters
    ----------
    n_factors : int or "auto", default "auto"
        Singular vectors of the ideal low-pass filter; 0 for none. "auto" takes a thirty-second of the users or items,
        whichever are fewer, from 8 to 256: of 600 users, 256 vectors would let nearly all pass.
    weight : float ≥ 0, default 0.3
        w, of that filter.
    sharpening : float ≥ 0, default 0.6
        T; 0 for none. Up to 2.5 on large, sparse data.
    shrinkage : float ≥ 0, default 3.0
        c, in the unit of the ratings' sum: for likes, users.
    alpha : float in [0, 1], default 0.5
        How the degrees of users and of items are divided out.
    power : float > 0, default 1.0
        s, of the entries of P. Other than 1, P is held: as many values as there are pairs of items with a common user.
    seed : int, default 0
        Of the decomposition.

    Attributes
    ----------
    normalized_ : csr_array of shape (n_users, n_items), float32, or None
        R̃, where `power` is 1.
    similarity_ : csr_array of shape (n_items, n_items), float32, or None
        P, where `power` is another.
    item_factors_ : ndarray of shape (n_items, n_factors), float32, or None
        V.
    item_scale_ : ndarray of shape (n_items,), float32
        The diagonal of (D_I + c)^(1 − α); 1 for an item without ratings.

    References
    ----------
    Choi, Hong, Park, Cho (2023). Blurring-sharpening process models for collaborative filtering. SIGIR.
    Shen et al. (2021). How powerful is graph convolution for recommendation? CIKM. (GF-CF.)
    Park, Shin, Shin (2024). Turbo-CF: matrix decomposition-free graph filtering for fast recommendation. SIGIR.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import BSPM
    >>> X = csr_array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 1, 1]])
    >>> items, scores = BSPM(n_factors=1).fit(X).recommend(csr_array([[0, 0, 1, 0]]), k=1)
    >>> items
    array([[3]])
    """

    _learned = ("normalized_", "similarity_", "item_factors_", "item_scale_")
    _popularity_for_empty = True
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "n_factors": [WholeNumber(0), OneOf(["auto"])],
        "weight": [RealNumber(at_least=0)],
        "sharpening": [RealNumber(at_least=0)],
        "shrinkage": [RealNumber(at_least=0)],
        "alpha": [RealNumber(at_least=0, at_most=1)],
        "power": [RealNumber(above=0)],
        "seed": [WholeNumber(0, 2**32 - 1)],
    }

    normalized_: CSR | None
    similarity_: CSR | None
    item_factors_: NDArray[np.float32] | None
    item_scale_: NDArray[np.float32]
    _turned: tuple[CSR, CSR] | None = None

    search_space: ClassVar[Space] = {
        "n_factors": Whole(32, 512, log=True),
        "weight": Number(0.0, 1.0),
        "sharpening": Number(0.0, 3.0),
        "shrinkage": Number(0.0, 10.0),
        "alpha": Number(0.3, 0.7),
    }

    def __init__(
        self,
        n_factors: int | str = "auto",
        weight: float = 0.3,
        sharpening: float = 0.6,
        shrinkage: float = 3.0,
        alpha: float = 0.5,
        power: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.weight = weight
        self.sharpening = sharpening
        self.shrinkage = shrinkage
        self.alpha = alpha
        self.power = power
        self.seed = seed

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        X = train.matrix
        of_user, of_item = row_sums(X, np.abs), column_sums(X, np.abs)
        scale = np.where(of_item > 0, of_item + self.shrinkage, 1.0) ** (1 - self.alpha)
        normalized = scaled(X, np.where(of_user > 0, of_user, 1.0) ** -self.alpha, 1 / scale)
        self.item_scale_ = scale.astype(np.float32)
        self.item_factors_ = None
        fewer = min(X.shape)
        n_factors = (
            min(max(fewer // _OF_FEWER, _FACTORS[0]), _FACTORS[1]) if self.n_factors == "auto" else self.n_factors
        )
        if (n_factors := min(int(n_factors), fewer)) > 0:
            _, self.item_factors_ = leading_vectors(normalized, n_factors, self.seed)
        self.normalized_, self.similarity_ = (normalized, None) if self.power == 1 else (None, self._powers(normalized))

    def _powers(self, normalized: CSR) -> CSR:
        """Return P, formed."""
        similarity: CSR = (normalized.T.tocsr() @ normalized).tocsr()
        similarity.sort_indices()
        similarity.data = (np.sign(similarity.data) * np.abs(similarity.data) ** self.power).astype(np.float32)
        return similarity

    def _make_scorer(self) -> Scorer:
        if self.similarity_ is not None:
            graph: tuple[CSR, ...] = (self.similarity_,)
        else:
            assert self.normalized_ is not None
            if self._turned is None or self._turned[0] is not self.normalized_:
                self._turned = self.normalized_, self.normalized_.T.tocsr()  # once for many scorers
            graph = self._turned
        settings = self.weight, self.sharpening
        return _FilterScorer(graph, self.item_factors_, self.item_scale_, *settings, self._popularity)


class _FilterScorer(Scorer):
    """Scores by polynomials of P, which is a product of sparse matrices.

    Parameters
    ----------
    graph : tuple of csr_array
        P is their product, from the last to the first: of one, or of R̃ᵀ and R̃, given as (R̃, R̃ᵀ).
    factors : ndarray of shape (n_items, n_factors), or None
        V.
    scale : ndarray of shape (n_items,)
        The diagonal of (D_I + c)^(1 − α).
    weight, sharpening : float
        w and T.
    popularity
        As in `Scorer`.
    """

    def __init__(
        self,
        graph: tuple[CSR, ...],
        factors: NDArray[np.float32] | None,
        scale: NDArray[np.float32],
        weight: float,
        sharpening: float,
        popularity: NDArray[np.float32] | None,
    ) -> None:
        super().__init__(len(scale), popularity)
        self._graph, self._factors, self._scale = graph, factors, scale[:, None]
        self._weight, self._sharpening = np.float32(weight), sharpening

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        x = np.ascontiguousarray(block.history.toarray().T)
        blurred = self._smoothed(x)
        if self._factors is not None:
            blurred += self._weight * self._scale * (self._factors @ (self._factors.T @ (x / self._scale)))
        return np.ascontiguousarray(self._sharpened(blurred).T)

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact terms of the sum: but for the scale of the low-pass filter, the map is symmetric."""
        targets = np.zeros((self.n_items, len(columns)), dtype=np.float32)
        targets[columns, np.arange(len(columns))] = 1
        sharpened = self._sharpened(targets)
        weights = self._smoothed(sharpened)
        if self._factors is not None:
            low = self._factors @ (self._factors.T @ (sharpened * self._scale))
            weights += self._weight * low / self._scale
        history = block.history
        return history.data.astype(np.float64)[:, None] * weights[history.indices]

    def _smoothed(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return P · columns."""
        for matrix in self._graph:
            columns = sum_rows(matrix, 0, matrix.shape[0], columns)
        return columns

    def _sharpened(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return e^(−TP) · columns by the first terms of its series."""
        if self._sharpening == 0:
            return columns
        total, term = columns.copy(), columns
        for n in range(1, _ORDER + 1):
            term = self._smoothed(term) * np.float32(-self._sharpening / n)
            total += term
        return total
