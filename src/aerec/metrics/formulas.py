"""The formulas of the ranking metrics, of hits (n_users, k) and numbers of relevant items (n_users,)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.sparse import CSR, row_ids

_TABLE_BYTES = 2**21  # The table of hits should stay in the cache
_STEEPEST = 50  # the highest rating with an exponential gain

Hits: TypeAlias = NDArray[np.bool_]
"""Which of the recommended items are relevant; shape (n_users, k)."""
Counts: TypeAlias = NDArray[np.int64]
"""Relevant items of each user; shape (n_users,)."""
Values: TypeAlias = NDArray[np.float64]
"""A value per user; shape (n_users,)."""


def measure_users(metric: str, ranking: NDArray[np.int64], target: CSR) -> Values:
    """Return a ranking metric of each user; NaN without a relevant item.

    Parameters
    ----------
    metric : str
        A key of `METRICS`, `GAINS` or `LISTS`, without "@k".
    ranking : ndarray of int64, shape (n_users, k)
        Columns of the recommended items, best first; −1 for none.
    target : csr_array of shape (n_users, n_items)
        Canonical.
    """
    if metric in GAINS:
        return _graded_ndcg(ranking, target, GAINS[metric](target.data.astype(np.float64)))
    if metric in LISTS:
        return np.where(np.diff(target.indptr) > 0, LISTS[metric](ranking), np.nan)
    return measure_hits(metric, find_hits(ranking, target), np.diff(target.indptr))


def find_hits(ranking: NDArray[np.int64], target: CSR, values: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return which of the recommended items are relevant, in the shape of `ranking`; `target` is canonical.

    With `values`, aligned with ``target.data``, those of the relevant items, and 0 for the others. Some users at a
    time, they are entered in a table of all items, in which the ranking is looked up.
    """
    values = np.ones(target.nnz, dtype=bool) if values is None else values
    looked_up = np.zeros(ranking.shape, dtype=values.dtype)
    if ranking.size == 0:
        return looked_up
    width = max(target.shape[1], int(ranking.max()) + 1) + 1  # the last column is for −1
    size = max(1, _TABLE_BYTES // (width * values.itemsize))
    table = np.zeros((min(size, len(ranking)), width), dtype=values.dtype)
    for start in range(0, len(ranking), size):
        block = ranking[start : start + size]
        begins = target.indptr[start : start + len(block) + 1]
        here = slice(begins[0], begins[-1])
        at = np.repeat(np.arange(len(block)), np.diff(begins)), target.indices[here]
        table[at] = values[here]
        looked_up[start : start + size] = np.take_along_axis(table[: len(block)], block, axis=1)
        table[at] = 0
    return looked_up


def measure_hits(metric: str, hits: Hits, n_relevant: Counts) -> Values:
    """Return a ranking metric of each user; NaN without a relevant item.

    Parameters
    ----------
    metric : str
        A key of `METRICS`, without "@k".
    hits : ndarray of bool, shape (n_users, k)
    n_relevant : ndarray of int64, shape (n_users,)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        values = METRICS[metric](hits, n_relevant)
    return np.where(n_relevant > 0, values, np.nan)


def _recall(hits: Hits, n_relevant: Counts) -> Values:
    return np.asarray(hits.sum(axis=1) / np.minimum(n_relevant, hits.shape[1]))


def _plain_recall(hits: Hits, n_relevant: Counts) -> Values:
    return np.asarray(hits.sum(axis=1) / n_relevant)


def _precision(hits: Hits, n_relevant: Counts) -> Values:
    return np.asarray(hits.mean(axis=1))


def _ndcg(hits: Hits, n_relevant: Counts) -> Values:
    discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.concatenate(([0.0], np.cumsum(discounts)))
    return np.asarray((hits @ discounts) / ideal[np.minimum(n_relevant, hits.shape[1])])


def _average_precision(hits: Hits, n_relevant: Counts) -> Values:
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((precision * hits).sum(axis=1) / np.minimum(n_relevant, hits.shape[1]))


def _reciprocal_rank(hits: Hits, n_relevant: Counts) -> Values:
    first = np.argmax(hits, axis=1).astype(np.float64) + 1
    return np.where(hits.any(axis=1), 1 / first, 0.0)


def _hit_rate(hits: Hits, n_relevant: Counts) -> Values:
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def coverage(ranking: NDArray[np.int64], n_items: int) -> float:
    """Return how many items are in some user's ranking, as a share of the `n_items` that could be."""
    return len(np.unique(ranking[ranking >= 0])) / n_items


def area_under_curve(ranking: NDArray[np.int64], scores: NDArray[Any], target: CSR) -> Values:
    """Return the share of the pairs of a relevant and another item in which the relevant one stands above; ties half.

    Parameters
    ----------
    ranking : ndarray of int64, shape (n_users, n)
        All candidates of each user, best first; −1 at the end. A relevant item that is not among them stands below all.
    scores : ndarray of shape (n_users, n)
    target : csr_array of shape (n_users, n_items)

    Returns
    -------
    ndarray of shape (n_users,), float64
        NaN without a relevant item, or where all candidates are relevant.
    """
    hits = find_hits(ranking, target)
    rows, places = np.nonzero(ranking >= 0)
    is_first = np.ones(len(rows), dtype=bool)  # the first of a run of equal scores
    values = scores[rows, places]
    is_first[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
    group = np.cumsum(is_first) - 1
    above = places[is_first] + (np.bincount(group) - 1) / 2 if len(rows) else np.zeros(0)  # a tie counts half
    is_hit = hits[rows, places]
    n_hits = hits.sum(axis=1)
    n_others = (ranking >= 0).sum(axis=1) - n_hits
    others_above = np.bincount(rows, above[group] * is_hit, len(ranking)) - n_hits * (n_hits - 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((n_hits * n_others - others_above) / (np.diff(target.indptr) * n_others))


def _not_per_user(hits: Hits, n_relevant: Counts) -> Values:
    return np.full(len(hits), np.nan)  # coverage is of all users together


def _graded_ndcg(ranking: NDArray[np.int64], target: CSR, gains: NDArray[np.float64]) -> Values:
    n_users, k = ranking.shape
    discounts = 1 / np.log2(np.arange(2, k + 2))
    rows = row_ids(target)
    order = np.lexsort((-gains, rows))  # the ideal list of each user, row after row
    places = np.arange(len(rows)) - target.indptr[rows]
    shown = places < k
    ideal = np.bincount(rows[shown], gains[order][shown] * discounts[places[shown]], minlength=n_users)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((find_hits(ranking, target, gains) @ discounts) / ideal)


def _rating_gain(ratings: NDArray[np.float64]) -> NDArray[np.float64]:
    if ratings.size and (lowest := ratings.min()) < 0:
        raise DataError(
            f"a rating of {lowest:g} has a negative gain, graded NDCG needs ratings of 0 and more: shift them"
        )
    return ratings


def _exponential_gain(ratings: NDArray[np.float64]) -> NDArray[np.float64]:
    if ratings.size and (highest := ratings.max()) > _STEEPEST:
        raise DataError(f"a rating of {highest:g} has a gain of 2^{highest:g}: use graded_ndcg (gain='rating') instead")
    return np.exp2(_rating_gain(ratings)) - 1


METRICS: dict[str, Callable[[Hits, Counts], Values]] = {
    "recall": _recall,
    "plain_recall": _plain_recall,
    "precision": _precision,
    "ndcg": _ndcg,
    "map": _average_precision,
    "mrr": _reciprocal_rank,
    "hit_rate": _hit_rate,
    "coverage": _not_per_user,
}
"""Name of a ranking metric → its formula; a name for users adds "@k"."""

GAINS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "graded_ndcg": _rating_gain,
    "exponential_ndcg": _exponential_gain,
}
"""Name of a ranking metric in which ratings count → gain of a held-out rating."""

LISTS: dict[str, Callable[[NDArray[np.int64]], Values]] = {
    "user_coverage": lambda ranking: np.asarray((ranking >= 0).all(axis=1), dtype=np.float64),
}
"""Name of a metric of the list alone → its formula: user_coverage, whether k items could be recommended."""
