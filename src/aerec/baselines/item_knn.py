"""ItemKNN: items like those of the history, by cosine with shrinkage."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from aerec.interactions import Interactions
from aerec.models.linear import ItemItemRecommender, row_blocks
from aerec.sparse import CSR, take_rows
from aerec.splitting import Holdout
from aerec.topk import top_k

__all__ = ["ItemKNN", "nearest_rows"]


class ItemKNN(ItemItemRecommender):
    r"""Item-based neighbours: score of j = Σ over history items i among the `k` nearest of j of xᵢ · sim(i, j).

    .. math:: \operatorname{sim}(i, j) = \frac{x_i \cdot x_j}{\|x_i\| \|x_j\| + s} \;\text{(cosine)}, \qquad
              \frac{|i \cap j|}{|i \cup j| + s} \;\text{(jaccard)}

    The shrinkage s pulls the similarity of items with few common users towards 0. Similarities are computed for a
    block of items at a time and only the neighbours are kept. An empty history is ranked by popularity.

    Parameters
    ----------
    k : int, default 100
        Neighbours kept of each item.
    shrinkage : float ≥ 0, default 10.0
        s, in the unit of x · x (for implicit feedback: users).
    similarity : {"cosine", "jaccard"}, default "cosine"
        "jaccard" reads only which items were rated.

    Attributes
    ----------
    weights_ : csr_array of shape (n_items, n_items), float32
        ``weights_[i, j]`` is sim(i, j) where i is among the neighbours of j.

    References
    ----------
    Deshpande, Karypis (2004). Item-based top-N recommendation algorithms. ACM TOIS 22.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "k": [Interval(Integral, 1, None, closed="left")],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "similarity": [StrOptions({"cosine", "jaccard"})],
    }

    def __init__(self, k: int = 100, shrinkage: float = 10.0, similarity: str = "cosine") -> None:
        self.k = k
        self.shrinkage = shrinkage
        self.similarity = similarity

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        items: CSR = train.matrix.T.tocsr()
        neighbours = nearest_rows(
            items, items, self.k, self.shrinkage, self.similarity, exclude=np.arange(items.shape[0])
        )
        self.weights_ = neighbours.T.tocsr()


def nearest_rows(
    queries: CSR,
    rows: CSR,
    k: int,
    shrinkage: float,
    similarity: str = "cosine",
    exclude: NDArray[np.int64] | None = None,
) -> CSR:
    """Return the similarity of each query to the `k` rows most similar to it, of those that share a column with it.

    Parameters
    ----------
    queries : csr_array of shape (n_queries, n_columns)
    rows : csr_array of shape (n_rows, n_columns)
    k : int
    shrinkage : float
    similarity : {"cosine", "jaccard"}
        Jaccard reads every stored value as 1.
    exclude : ndarray of int64, shape (n_queries,), optional
        A row that is not to be a neighbour of the query (itself); −1 for none.

    Returns
    -------
    csr_array of shape (n_queries, n_rows), float32
        Sorted; at most `k` values a row, all above 0.
    """
    if similarity == "jaccard":
        queries, rows = _ones(queries), _ones(rows)
    transposed = rows.T.tocsr()
    size, norm = _squared_norms(rows), np.sqrt(_squared_norms(rows))
    blocks = []
    for block in row_blocks(queries.shape[0], rows.shape[0]):
        query = take_rows(queries, block)
        dots = (query @ transposed).toarray()
        if similarity == "cosine":
            scale = np.multiply.outer(np.sqrt(_squared_norms(query)), norm) + shrinkage
        else:
            scale = np.add.outer(_squared_norms(query), size) - dots + shrinkage
        similar = np.divide(dots, scale, out=np.full_like(dots, -np.inf), where=dots > 0)
        if exclude is not None:
            place = np.flatnonzero(exclude[block] >= 0)
            similar[place, exclude[block][place]] = -np.inf
        at, value = top_k(similar, min(k, rows.shape[0]))
        found, order = at >= 0, np.argsort(at, axis=1)
        indptr = np.concatenate([[0], np.cumsum(found.sum(axis=1))])
        kept = np.take_along_axis(found, order, axis=1)
        columns, values = np.take_along_axis(at, order, axis=1)[kept], np.take_along_axis(value, order, axis=1)[kept]
        blocks.append(sp.csr_array((values, columns, indptr), shape=(len(block), rows.shape[0])))
    nearest: CSR = sp.vstack(blocks, format="csr", dtype=np.float32)
    return nearest


def _ones(matrix: CSR) -> CSR:
    return sp.csr_array((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def _squared_norms(matrix: CSR) -> NDArray[np.float32]:
    summed = np.concatenate([[0.0], np.cumsum(matrix.data.astype(np.float64) ** 2)])[matrix.indptr]
    return np.diff(summed).astype(np.float32)
