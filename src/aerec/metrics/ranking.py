"""Metrics of rankings: pure functions, vectorised over users.

Each takes what was recommended to every user and what was relevant to them, and returns one value a user; NaN marks a
user without a relevant item, who says nothing about the model. Relevance is binary: every stored entry of the target
counts, whatever its value.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.metrics.formulas import Values, coverage, find_hits, measure_hits
from aerec.sparse import CSR, canonical_csr
from aerec.topk import top_k

__all__ = [
    "Recommended",
    "Target",
    "as_ranking",
    "average_precision_at_k",
    "coverage_at_k",
    "hit_rate_at_k",
    "ndcg_at_k",
    "precision_at_k",
    "recall_at_k",
    "reciprocal_rank_at_k",
]

Recommended: TypeAlias = ArrayLike
"""Integer array (n_users, n): the items recommended to each user, best first, −1 for none; or float array
(n_users, n_items): scores, of which the k highest are taken (−∞: never)."""
Target: TypeAlias = Any
"""The relevant items of each user: an Interactions, a sparse or dense matrix (n_users, n_items), or a list of lists."""


def recall_at_k(
    recommended: Recommended, target: Target, k: int | None = None, denominator: Literal["min", "target"] = "min"
) -> NDArray[np.float64]:
    r"""Share of the relevant items among the k recommended: hits / min(k, \|target\|), or hits / \|target\|.

    Parameters
    ----------
    recommended : array-like of shape (n_users, n)
        Items, best first (integers, −1 for none); or scores of all items (floats).
    target : Interactions, matrix of shape (n_users, n_items), or list of lists of items
        What is relevant.
    k : int, optional
        Length of the list; by default all that was recommended (needed for scores).
    denominator : {"min", "target"}, default "min"
        "min": min(k, \|target\|), so that 1 can be reached (Liang et al. 2018); "target": the textbook's \|target\|,
        "plain_recall@k" where metrics are named.

    Returns
    -------
    ndarray of shape (n_users,), float64
        NaN for users without a relevant item.

    Raises
    ------
    DataError
        If the shapes do not fit, or an item is recommended twice to the same user.

    References
    ----------
    Liang, Krishnan, Hoffman, Jebara (2018). Variational autoencoders for collaborative filtering. WWW.

    Examples
    --------
    >>> from aerec.evaluation import recall_at_k
    >>> recall_at_k([[3, 1, 2], [0, 1, 2]], [[1, 2, 7, 8], []], k=2)
    array([0.5, nan])
    """
    if denominator not in ("min", "target"):
        raise ValueError(f"denominator must be 'min' or 'target', got {denominator!r}")
    return _measure("recall" if denominator == "min" else "plain_recall", recommended, target, k)


def precision_at_k(recommended: Recommended, target: Target, k: int | None = None) -> NDArray[np.float64]:
    """Share of relevant items among the k recommended: hits / k; a short list counts as k long.

    Parameters, returns and errors as in `recall_at_k`.

    Examples
    --------
    >>> from aerec.evaluation import precision_at_k
    >>> precision_at_k([[3, 1, 2]], [[1, 2, 7]])
    array([0.66666667])
    """
    return _measure("precision", recommended, target, k)


def ndcg_at_k(recommended: Recommended, target: Target, k: int | None = None) -> NDArray[np.float64]:
    r"""Normalised discounted cumulative gain with binary relevance.

    .. math:: \frac{\sum_{r=1}^{k} [\text{item at rank } r \text{ is relevant}] / \log_2(r + 1)}
              {\sum_{r=1}^{\min(k, |\text{target}|)} 1 / \log_2(r + 1)}

    Parameters, returns and errors as in `recall_at_k`.

    References
    ----------
    Järvelin, Kekäläinen (2002). Cumulated gain-based evaluation of IR techniques. ACM TOIS 20(4).

    Examples
    --------
    >>> from aerec.evaluation import ndcg_at_k
    >>> ndcg_at_k([[3, 1]], [[1]]).round(4)
    array([0.6309])
    """
    return _measure("ndcg", recommended, target, k)


def average_precision_at_k(recommended: Recommended, target: Target, k: int | None = None) -> NDArray[np.float64]:
    r"""Average precision; its mean over users is MAP@k.

    .. math:: \frac{1}{\min(k, |\text{target}|)} \sum_{r=1}^{k} [\text{item at rank } r \text{ is relevant}]
              \cdot \text{precision@}r

    Parameters, returns and errors as in `recall_at_k`.

    Examples
    --------
    >>> from aerec.evaluation import average_precision_at_k
    >>> average_precision_at_k([[1, 3, 2]], [[1, 2]]).round(4)
    array([0.8333])
    """
    return _measure("map", recommended, target, k)


def reciprocal_rank_at_k(recommended: Recommended, target: Target, k: int | None = None) -> NDArray[np.float64]:
    """1 / rank of the first relevant item, 0 where none is among the k; its mean over users is MRR@k.

    Parameters, returns and errors as in `recall_at_k`.

    Examples
    --------
    >>> from aerec.evaluation import reciprocal_rank_at_k
    >>> reciprocal_rank_at_k([[3, 1, 2]], [[1, 2]])
    array([0.5])
    """
    return _measure("mrr", recommended, target, k)


def hit_rate_at_k(recommended: Recommended, target: Target, k: int | None = None) -> NDArray[np.float64]:
    """1 where at least one of the k items is relevant, else 0.

    Parameters, returns and errors as in `recall_at_k`.

    Examples
    --------
    >>> from aerec.evaluation import hit_rate_at_k
    >>> hit_rate_at_k([[3, 1], [3, 1]], [[1], [2]])
    array([1., 0.])
    """
    return _measure("hit_rate", recommended, target, k)


def coverage_at_k(recommended: Recommended, n_items: int | None = None, k: int | None = None) -> float:
    """Share of the catalogue that is recommended to somebody: distinct items in all lists of k / n_items.

    Parameters
    ----------
    recommended : array-like of shape (n_users, n)
        As in `recall_at_k`.
    n_items : int, optional
        Size of the catalogue; may be left out where `recommended` holds scores of all of it.
    k : int, optional

    Returns
    -------
    float

    Examples
    --------
    >>> from aerec.evaluation import coverage_at_k
    >>> coverage_at_k([[0, 1], [1, 2]], n_items=6)
    0.5
    """
    ranking = as_ranking(recommended, k)
    if n_items is None:
        array = np.asarray(recommended)
        if array.dtype.kind != "f":
            raise DataError("coverage of lists needs the size of the catalogue: pass n_items")
        n_items = array.shape[1]
    if n_items < 1:
        raise DataError(f"n_items must be at least 1, got {n_items}")
    if ranking.size and ranking.max() >= n_items:
        raise DataError(f"item {ranking.max()} is recommended, but the catalogue has {n_items} items")
    return coverage(ranking, n_items)


# ---------------------------------------------------------------------- checking what was given


def _measure(metric: str, recommended: Recommended, target: Target, k: int | None) -> Values:
    ranking = as_ranking(recommended, k)
    relevant = _relevant(target)
    if len(ranking) != relevant.shape[0]:
        raise DataError(f"recommendations for {len(ranking)} users, but targets of {relevant.shape[0]}")
    return measure_hits(metric, find_hits(ranking, relevant), np.diff(relevant.indptr))


def as_ranking(recommended: Recommended, k: int | None) -> NDArray[np.int64]:
    """Return lists of `k` items, filled up with −1."""
    if sp.issparse(recommended) or isinstance(recommended, Interactions):
        raise DataError("recommended comes first, as an array of items or of scores; the target comes second")
    try:
        array = np.asarray(recommended)
    except ValueError:
        raise DataError("recommended holds lists of different lengths; fill the short ones up with -1") from None
    if array.ndim != 2:
        raise DataError(f"recommended must be of shape (n_users, n), got {array.shape}")
    if k is not None and k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if array.dtype.kind == "f":
        if k is None:
            raise ValueError("recommended holds scores (floats): say how many of the best count, with k")
        if np.isnan(array).any():
            raise DataError("recommended holds NaN scores")
        return top_k(array, k)[0]
    if array.dtype.kind not in "iu":
        raise DataError(f"recommended must hold items (integers) or scores (floats), got {array.dtype}")
    if k is None and array.shape[1] == 0:
        raise DataError("recommended holds lists of no items: say how long they should have been, with k")
    ranking = array.astype(np.int64)[:, :k]
    ordered = np.sort(ranking, axis=1)
    repeated = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if repeated.any():
        raise DataError(f"row {int(np.argmax(repeated))} recommends the same item twice")
    short = 0 if k is None else k - ranking.shape[1]
    return np.pad(ranking, ((0, 0), (0, short)), constant_values=-1) if short > 0 else ranking


def _relevant(target: Target) -> CSR:
    if isinstance(target, Interactions):
        return target.matrix
    if not isinstance(target, list | tuple):
        return canonical_csr(target)
    columns = np.concatenate([np.zeros(0, np.int64), *(np.asarray(one, dtype=np.int64) for one in target)])
    if columns.size and columns.min() < 0:
        raise DataError(f"the target names item {columns.min()}; items are numbered from 0")
    indptr = np.cumsum([0, *(len(one) for one in target)])
    shape = (len(target), int(columns.max(initial=-1)) + 1)
    return canonical_csr(sp.csr_array((np.ones(len(columns)), columns, indptr), shape=shape))
