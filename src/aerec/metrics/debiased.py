"""Metrics corrected for exposure: popular items are found in the target more often because more people saw them.

A target holds what somebody found, not all that would have pleased. If item i had the chance p_i, its propensity, to
get into the target of a user to whom it is relevant, a hit that is weighted by 1 / p_i makes up for those unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from aerec.canonical import canonical_csr
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.metrics.formulas import Values, find_hits
from aerec.metrics.lists import Recommended, as_ranking, matrix_of, refuse_mapping
from aerec.sparse import CSR, column_counts, row_ids


@overload
def popularity_propensities(item_counts: Interactions, gamma: float = 0.5) -> pd.Series[Any]: ...


@overload
def popularity_propensities(item_counts: ArrayLike, gamma: float = 0.5) -> NDArray[np.float64]: ...


def popularity_propensities(
    item_counts: Interactions | ArrayLike, gamma: float = 0.5
) -> pd.Series[Any] | NDArray[np.float64]:
    r"""Guess propensities by popularity, :math:`p_i = (\max(n_i, 1) / \max_j n_j)^\gamma`.

    Parameters
    ----------
    item_counts : Interactions or array-like of shape (n_items,)
        The training data, or of how many users each item was rated there, :math:`n_i`.
    gamma : float, default 0.5
        0: every item was seen equally often, and nothing is corrected. It cannot be learned from the ratings: report
        results for several values.

    Returns
    -------
    Series, or ndarray of shape (n_items,), float64
        A Series by item id where an Interactions was given. The most popular item has 1. Only ratios matter where a
        metric is self-normalised.

    References
    ----------
    Yang et al. (2018). Unbiased offline recommender evaluation for missing-not-at-random implicit feedback. RecSys.
    Saito et al. (2020). Unbiased recommender learning from missing-not-at-random implicit feedback. WSDM.

    Examples
    --------
    >>> from aerec.metrics import popularity_propensities
    >>> popularity_propensities([100, 25, 1])
    array([1. , 0.5, 0.1])
    """
    if not gamma >= 0:
        raise ValueError(f"gamma must be at least 0, got {gamma!r}")
    if isinstance(item_counts, Interactions):
        return pd.Series(popularity_propensities(column_counts(item_counts.matrix), gamma), index=item_counts.items)
    counts = np.maximum(np.asarray(item_counts, dtype=np.float64), 1.0)
    return np.asarray((counts / counts.max(initial=1.0)) ** gamma)


def debiased_recall_at_k(
    recommended: Recommended,
    target: Any,
    propensities: ArrayLike,
    k: int | None = None,
    n_relevant: ArrayLike | None = None,
) -> Values:
    r"""Recall with each hit weighted by its inverse propensity (IPS), or the same self-normalised (SNIPS).

    .. math:: \frac{1}{n_u} \sum_{i \in T_u} \frac{\mathrm{hit}_i}{p_i}, \qquad
              n_u = \sum_{i \in T_u} \frac{1}{p_i} \text{ where it is not known}

    An estimate of the share of all relevant items, seen or not, that are among the k recommended (`plain_recall@k` of a
    complete target).

    Parameters
    ----------
    recommended : array-like of shape (n_users, n)
        Column numbers, best first, −1 for none; or scores of all items (floats).
    target : Interactions or matrix of shape (n_users, n_items)
    propensities : array-like of shape (n_items,)
        Chance of each item to be in the target of a user to whom it is relevant, above 0 and up to 1.
    k : int, optional
        Length of the list; by default all that was recommended (needed for scores).
    n_relevant : array-like of shape (n_users,), optional
        How many items are relevant to each user, seen or not. Rarely known; with it the mean over users is unbiased.
        By default it is estimated, which varies less. The ratio of two estimates still favours popular lists where
        users have few targets, though less than the plain metric.

    Returns
    -------
    ndarray of shape (n_users,), float64
        NaN for users without a relevant item, who are those without a target where `n_relevant` is not given.

    Raises
    ------
    DataError
        If shapes do not fit or a propensity is not above 0 and up to 1.

    References
    ----------
    Yang et al. (2018). Unbiased offline recommender evaluation for missing-not-at-random implicit feedback. RecSys.
    Swaminathan, Joachims (2015). The self-normalized estimator for counterfactual learning. NeurIPS.

    Examples
    --------
    >>> from aerec.metrics import debiased_recall_at_k
    >>> debiased_recall_at_k([[0]], [[1, 1]], propensities=[0.5, 0.1])  # what it missed was seldom seen
    array([0.16666667])
    """
    hits, weights, n_seen = _weighted(recommended, target, propensities, k)
    total = _relevant(n_relevant, n_seen)
    return _ratio((hits * weights).sum(axis=1), total)


def debiased_ndcg_at_k(
    recommended: Recommended,
    target: Any,
    propensities: ArrayLike,
    k: int | None = None,
    n_relevant: ArrayLike | None = None,
) -> Values:
    r"""NDCG with each hit weighted by its inverse propensity.

    Parameters, returns and errors as in `debiased_recall_at_k`.

    .. math:: \sum_{r \le k} \frac{\mathrm{hit}_r}{p_{i_r} \log_2 (r + 1)} \Big/
              \sum_{r \le \min(k, n_u)} \frac{1}{\log_2 (r + 1)}

    with :math:`i_r` the item at rank r and :math:`n_u` the number of relevant items, estimated by
    :math:`\sum_{i \in T_u} 1 / p_i` where it is not known. Values of single users may be above 1: the mean counts.

    Examples
    --------
    >>> from aerec.metrics import debiased_ndcg_at_k
    >>> debiased_ndcg_at_k([[0, 1]], [[1, 1]], propensities=[0.5, 0.5]).round(3)
    array([2.])
    """
    hits, weights, n_seen = _weighted(recommended, target, propensities, k)
    total = _relevant(n_relevant, n_seen)
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.interp(total, np.arange(hits.shape[1] + 1), np.concatenate(([0.0], np.cumsum(discounts))))
    return _ratio((hits * weights) @ discounts, np.where(total > 0, ideal, 0.0))


DEBIASED: dict[str, Callable[..., Values]] = {"snips_recall": debiased_recall_at_k, "snips_ndcg": debiased_ndcg_at_k}
"""Name of a metric without "@k" → the function of lists, targets and propensities."""


def serendipity_at_k(recommended: Recommended, expected: Recommended, target: Any, k: int | None = None) -> Values:
    r"""Share of the list that is relevant and unexpected: \|L_u ∩ T_u \\ E_u\| / k.

    Parameters
    ----------
    recommended : array-like of shape (n_users, n)
        As in `debiased_recall_at_k`.
    expected : array-like of shape (n_users, m)
        Columns of what everybody expects, such as the lists of `Popularity`; −1 for none.
    target : Interactions or matrix of shape (n_users, n_items)
    k : int, optional
        Length of the list; by default all that was recommended (needed for scores).

    Returns
    -------
    ndarray of shape (n_users,), float64
        NaN for users without a relevant item.

    References
    ----------
    Ge, Delgado-Battenfeld, Jannach (2010). Beyond accuracy: evaluating recommender systems by coverage and serendipity.
    RecSys.

    Examples
    --------
    >>> from aerec.metrics import serendipity_at_k
    >>> serendipity_at_k([[0, 1, 2]], expected=[[0, 3]], target=[[1, 1, 0, 0]])
    array([0.33333333])
    """
    relevant = _matrix(target)
    ranking, foreseen = as_ranking(recommended, k, relevant.shape[1]), as_ranking(expected, None, relevant.shape[1])
    if not len(ranking) == len(foreseen) == relevant.shape[0]:
        raise DataError(
            f"lists of {len(ranking)} users, expected items of {len(foreseen)}, targets of {relevant.shape[0]}"
        )
    foreseen_items = canonical_csr(matrix_of(foreseen, relevant.shape[1]))
    surprising = find_hits(ranking, relevant) & ~find_hits(ranking, foreseen_items)
    values = surprising.sum(axis=1) / max(ranking.shape[1], 1)
    return np.where(np.diff(relevant.indptr) > 0, values, np.nan)


def _weighted(
    recommended: Recommended, target: Any, propensities: ArrayLike, k: int | None
) -> tuple[NDArray[np.bool_], NDArray[np.float64], Values]:
    """Return which recommended items are hits, 1 / p of each of them, and Σ 1 / p over the targets of each user."""
    relevant = _matrix(target)
    chance = np.asarray(propensities, dtype=np.float64)
    if chance.shape != (relevant.shape[1],):
        raise DataError(f"{chance.shape} propensities for {relevant.shape[1]} items: expected one for each")
    if not ((chance > 0) & (chance <= 1)).all():
        item = int(np.argmin((chance > 0) & (chance <= 1)))
        raise DataError(f"the propensity of item {item} is {chance[item]}: expected a chance above 0 and up to 1")
    ranking = as_ranking(recommended, k, relevant.shape[1])
    if len(ranking) != relevant.shape[0]:
        raise DataError(f"recommendations for {len(ranking)} users, but targets of {relevant.shape[0]}")
    hits = find_hits(ranking, relevant)
    weights = np.where(hits, 1 / chance[np.where(hits, ranking, 0)], 0.0)
    seen = np.bincount(row_ids(relevant), 1 / chance[relevant.indices], minlength=relevant.shape[0])
    return hits, weights, seen.astype(np.float64)


def _relevant(n_relevant: ArrayLike | None, estimated: Values) -> Values:
    if n_relevant is None:
        return estimated
    known = np.asarray(n_relevant, dtype=np.float64)
    if known.shape != estimated.shape:
        raise DataError(f"n_relevant is {known.shape}, expected a number for each of {len(estimated)} users")
    return known


def _matrix(target: Any) -> CSR:
    refuse_mapping(target, "target")
    return target.matrix if isinstance(target, Interactions) else canonical_csr(target)


def _ratio(above: Values, below: Values) -> Values:
    return np.asarray(np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0))
