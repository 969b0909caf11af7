"""Maximal marginal relevance: items that are relevant and unlike those above them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.item_features import unit_rows
from aerec.reranking.base import Lists, Reranker, check_share, pick
from aerec.reranking.features import features_of
from aerec.sparse import CSR, row_ids, take_rows


@dataclass(frozen=True)
class MaximalMarginalRelevance(Reranker):
    r"""Choose items that are relevant and unlike those chosen before.

    .. math:: i_n = \arg\max_{i \notin S_{n-1}} \; \lambda\, r_u(i) - (1 - \lambda) \max_{j \in S_{n-1}} \cos(v_i, v_j)

    with :math:`r_u` the scores of the user's candidates, scaled to the range from 0 to 1, :math:`S_{n-1}` the items
    chosen so far, and v the features of items: those of the data (genres where there are no others), or the vectors of
    a model. Items without features are like none.

    Parameters
    ----------
    trade_off : float in [0, 1], default 0.7
        λ. 1: the order of the model; 0: diversity alone, after the first item.

    References
    ----------
    Carbonell, Goldstein (1998). The use of MMR, diversity-based reranking for reordering documents and producing
    summaries. SIGIR.

    Examples
    --------
    >>> from aerec.baselines import Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.reranking import MaximalMarginalRelevance
    >>> data = load_dataset("sample")
    >>> candidates = Popularity().fit(data).recommend(data, k=50)
    >>> shown = MaximalMarginalRelevance(0.5).rerank(candidates, data, k=5)
    >>> shown["rank"].head(5).tolist()
    [1, 2, 3, 4, 5]

    The vectors of a fitted `PureSVD`, `ALS` or `ELSA` instead of genres. Those of other networks hold the output bias,
    which is no likeness::

        vectors = pd.DataFrame(item_vectors(model), index=model.items_)
        MaximalMarginalRelevance(0.5).rerank(candidates, data, k=5, features=vectors)
    """

    trade_off: float = 0.7

    def __post_init__(self) -> None:
        check_share("trade_off", self.trade_off)

    def _places(self, lists: Lists, k: int, features: Any) -> NDArray[np.int64]:
        vectors = _unit_rows(features_of(lists.data, features))
        n_candidates, places = lists.items.shape[1], np.empty((len(lists.items), k), dtype=np.int64)
        width = (1 if sp.issparse(vectors) else n_candidates) * vectors.shape[1] + n_candidates
        for rows in lists.blocks(width):
            items, gain = lists.items[rows], lists.gain(rows, self.trade_off)
            among = _Sparse(vectors, items) if sp.issparse(vectors) else _Dense(vectors, items)
            here = np.arange(len(rows))
            nearest = np.full(items.shape, -np.inf)
            for place in range(k):
                redundancy = nearest if place else np.zeros(items.shape)
                places[rows, place] = chosen = pick(gain - (1 - self.trade_off) * redundancy)
                np.maximum(nearest, among.similarity_to(chosen), out=nearest)
                gain[here, chosen] = -np.inf
        return places


class _Dense:
    """Candidates with dense vectors of length 1."""

    def __init__(self, vectors: NDArray[np.float32], items: NDArray[np.int64]) -> None:
        self._vectors = vectors[items]

    def similarity_to(self, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the cosine of each candidate with the chosen one of its list; shape (n_lists, n_candidates)."""
        picked = self._vectors[np.arange(len(chosen)), chosen]
        return (self._vectors @ picked[:, :, None])[:, :, 0].astype(np.float64)


class _Sparse:
    """The same with sparse vectors: a step costs what is stored of the candidates."""

    def __init__(self, vectors: CSR, items: NDArray[np.int64]) -> None:
        self._all, self._items = vectors, items
        self._rows = take_rows(vectors, np.maximum(items, 0).ravel())
        self._candidate = row_ids(self._rows)
        self._list = self._candidate // max(items.shape[1], 1)

    def similarity_to(self, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        columns = np.maximum(self._items[np.arange(len(chosen)), chosen], 0)
        picked = take_rows(self._all, columns).toarray()
        products = self._rows.data * picked[self._list, self._rows.indices]
        sums = np.bincount(self._candidate, products, minlength=self._items.size)
        return np.asarray(sums, dtype=np.float64).reshape(self._items.shape)


def _unit_rows(features: CSR | NDArray[np.float32]) -> CSR | NDArray[np.float32]:
    """Scale each row to length 1; rows of zeros stay."""
    if isinstance(features, np.ndarray):
        lengths = np.linalg.norm(features, axis=1, keepdims=True)
        return np.asarray(np.divide(features, lengths, out=np.zeros_like(features), where=lengths > 0))
    return unit_rows(features)
