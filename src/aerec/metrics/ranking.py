"""Metrics of rankings: pure functions, vectorised over users.

Each takes what was recommended to every user and what was relevant to them, and returns one value a user; NaN marks a
user without a relevant item, who says nothing about the model. Relevance is binary: every stored entry of the target
counts, whatever its value; but for `ndcg_at_k` with another gain.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.canonical import canonical_csr
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.metrics.formulas import Values, coverage, measure_users
from aerec.metrics.lists import Recommended, as_ranking, number_ids, refuse_mapping, within_catalogue

Target: TypeAlias = Any
"""The relevant items of each user: an Interactions, a sparse or dense matrix (n_users, n_items), or a list that holds a
list of ids, or a dict of ids and ratings, for each user."""

_GAINS = {"binary": "ndcg", "rating": "graded_ndcg", "exponential": "exponential_ndcg"}


def recall_at_k(
    recommended: Recommended, target: Target, k: int | None = None, denominator: Literal["min", "target"] = "min"
) -> NDArray[np.float64]:
    r"""Share of the relevant items among the k recommended: hits / min(k, \|target\|), or hits / \|target\|.

    Parameters
    ----------
    recommended : array-like of shape (n_users, n)
        Items, best first; or scores of all items (floats), of which the k highest are taken. −1 stands for no item, as
        at the end of the lists of `Recommender.rank`. With lists as target, items are ids of one hashable type, but
        no floats, and None stands for no item as well; with a matrix as target they are column numbers.
    target : Interactions, matrix of shape (n_users, n_items), or list of lists of items
        What is relevant. A list may hold a dict {item: rating} for a user. An item that comes twice counts once.
    k : int, optional
        Length of the list; by default all that was recommended (needed for scores). A shorter list counts as k long.
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
        If the shapes do not fit, an item is recommended twice to the same user, an id is negative or a float, the ids
        of the two are of different types, or scores are of other items than the target.

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


def ndcg_at_k(
    recommended: Recommended,
    target: Target,
    k: int | None = None,
    gain: Literal["binary", "rating", "exponential"] = "binary",
) -> NDArray[np.float64]:
    r"""Normalised discounted cumulative gain.

    .. math:: \frac{\sum_{r=1}^{k} g(\text{item at rank } r) / \log_2(r + 1)}
              {\sum_{r=1}^{\min(k, |\text{target}|)} g_{(r)} / \log_2(r + 1)}

    with g the gain of an item, 0 for one that is not in the target, and :math:`g_{(1)} \ge g_{(2)} \ge \dots` the gains
    of the target in the best order.

    Parameters
    ----------
    recommended, target, k
        As in `recall_at_k`; for another gain than "binary" the target holds ratings: an Interactions, a matrix, or a
        list of dicts.
    gain : {"binary", "rating", "exponential"}, default "binary"
        "binary": 1 for every item of the target; "rating": its rating, as scikit-learn's ``ndcg_score`` has it
        ("graded_ndcg@k" where metrics are named); "exponential": 2^rating − 1 (Burges et al.; "exponential_ndcg@k").

    Returns
    -------
    ndarray of shape (n_users,), float64
        NaN for users without a relevant item.

    Raises
    ------
    DataError
        As in `recall_at_k`; and if a rating is negative, or above 50 with exponential gain.

    References
    ----------
    Järvelin, Kekäläinen (2002). Cumulated gain-based evaluation of IR techniques. ACM TOIS 20(4).
    Burges et al. (2005). Learning to rank using gradient descent. ICML.

    Examples
    --------
    >>> from aerec.evaluation import ndcg_at_k
    >>> ndcg_at_k([[3, 1]], [[1]]).round(4)
    array([0.6309])
    >>> ndcg_at_k([["film", "book"]], [{"book": 5.0, "film": 1.0}], gain="rating").round(4)
    array([0.7378])
    """
    if gain not in _GAINS:
        raise ValueError(f"gain must be one of {', '.join(map(repr, _GAINS))}, got {gain!r}")
    return _measure(_GAINS[gain], recommended, target, k)


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
    return coverage(within_catalogue(ranking, n_items), n_items)


def _measure(metric: str, recommended: Recommended, target: Target, k: int | None) -> Values:
    refuse_mapping(recommended, "recommended")
    refuse_mapping(target, "target")
    if isinstance(target, list | tuple | pd.Series) or (isinstance(target, np.ndarray) and target.dtype == object):
        ranking, relevant = number_ids(recommended, list(target), k)
    else:
        relevant = target.matrix if isinstance(target, Interactions) else canonical_csr(target)
        ranking = as_ranking(recommended, k, relevant.shape[1])
    if len(ranking) != relevant.shape[0]:
        raise DataError(f"recommendations for {len(ranking)} users, but targets of {relevant.shape[0]}")
    return measure_users(metric, ranking, relevant)
