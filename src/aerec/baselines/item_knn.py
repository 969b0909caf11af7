"""ItemKNN: items like those of the history, by cosine with shrinkage."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from aerec.closed_form.item_item import ItemItemRecommender
from aerec.closed_form.neighbours import nearest_columns
from aerec.dimensions import Choice, Number, Space, Whole
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.rating_weights import root_weighted
from aerec.sparse import CSR, column_counts, scaled
from aerec.splitting import Holdout


class ItemKNN(ItemItemRecommender):
    r"""Item-based neighbours: score of j = Σ over history items i among the `k` nearest of j of xᵢ · sim(i, j).

    .. math:: \operatorname{sim}(i, j) = \frac{x_i \cdot x_j}{\|x_i\| \|x_j\| + s} \;\text{(cosine)}, \qquad
              \frac{|i \cap j|}{|i \cup j| + s} \;\text{(jaccard)}

    with the columns x of the ratings. For the cosine their rows are divided by :math:`n_u^{\gamma/2}` before, with the
    number n of items of a user, and multiplied so that the square of a rating counts as before on average: who has
    many says less about each. The shrinkage s pulls the similarity of items with few common users towards 0.
    Similarities are computed for a block of items at a time and only the neighbours are kept. An empty history is
    ranked by popularity.

    Parameters
    ----------
    k : int or "auto", default "auto"
        Neighbours kept of each item. "auto" is 4,000 over the mean count of the items that have any, from 100 to
        2,000: where items have few users, each is like few of those of a history, and all that are alike must count.
    shrinkage : float ≥ 0, default 30.0
        s, in the unit of x · x (for implicit feedback: users).
    similarity : {"cosine", "jaccard"}, default "cosine"
        "jaccard" reads only which items were rated, and counts users alike.
    user_norm : float in [0, 1], default 0.5
        γ, of the cosine. With 0 all users whom two items have in common count alike.

    Attributes
    ----------
    weights_ : csr_array of shape (n_items, n_items), float32
        ``weights_[i, j]`` is sim(i, j) where i is among the neighbours of j.

    References
    ----------
    Deshpande, Karypis (2004). Item-based top-N recommendation algorithms. ACM TOIS 22. (Rows of unit length: γ = 1.)

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import ItemKNN
    >>> X = csr_array([[1, 1, 0], [1, 1, 0], [0, 1, 1]])
    >>> ItemKNN(k=2, shrinkage=0.0).fit(X).weights_.toarray().round(2)
    array([[0.  , 0.82, 0.  ],
           [0.82, 0.  , 0.58],
           [0.  , 0.58, 0.  ]], dtype=float32)
    """

    _takes_weights = True
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "k": [WholeNumber(1), OneOf(("auto",))],
        "shrinkage": [RealNumber(at_least=0)],
        "similarity": [OneOf(("cosine", "jaccard"))],
        "user_norm": [RealNumber(at_least=0, at_most=1)],
    }

    search_space: ClassVar[Space] = {
        "k": Whole(10, 2000, log=True),
        "shrinkage": Number(0.0, 300.0),
        "similarity": Choice(("cosine", "jaccard")),
        "user_norm": Number(0.0, 1.0),
    }

    def __init__(
        self,
        k: int | str = "auto",
        shrinkage: float = 30.0,
        similarity: str = "cosine",
        user_norm: float = 0.5,
    ) -> None:
        self.k = k
        self.shrinkage = shrinkage
        self.similarity = similarity
        self.user_norm = user_norm

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        if train.weights is not None and self.similarity == "jaccard":
            raise DataError("similarity='jaccard' counts users, and cannot use weights: choose 'cosine'")
        X = _normed(root_weighted(train.matrix, train.weights), float(self.user_norm))
        k = _automatic_k(train.matrix) if isinstance(self.k, str) else int(self.k)
        self.weights_ = nearest_columns(X, k, self.shrinkage, self.similarity).T.tocsr()


def _normed(X: CSR, user_norm: float) -> CSR:
    """Return X with its rows divided by n^(γ/2), and multiplied by what makes a rating count 1 on average."""
    if user_norm == 0:
        return X
    counts = np.diff(X.indptr).astype(np.float64)
    weights = np.maximum(counts, 1) ** -user_norm
    weights *= X.nnz / (counts @ weights)
    return scaled(X, np.sqrt(weights), np.ones(X.shape[1]))


def _automatic_k(X: CSR) -> int:
    """Return a number of neighbours that suits items of so many ratings."""
    mean_count = X.nnz / max(int(np.count_nonzero(column_counts(X))), 1)
    return int(np.clip(4000 / max(mean_count, 1.0), 100, 2000))
