"""The formulas of the ranking metrics, of hits (n_users, k) and numbers of relevant items (n_users,)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from aerec.sparse import CSR

__all__ = ["METRICS", "Counts", "Hits", "Values", "coverage", "find_hits", "measure_hits"]

_TABLE_BYTES = 2**21  # of the table in which hits are looked up, so that it stays near a core

Hits: TypeAlias = NDArray[np.bool_]
"""Which of the recommended items are relevant; shape (n_users, k)."""
Counts: TypeAlias = NDArray[np.int64]
"""Relevant items of each user; shape (n_users,)."""
Values: TypeAlias = NDArray[np.float64]
"""A value per user; shape (n_users,)."""


def find_hits(ranking: NDArray[np.int64], target: CSR) -> Hits:
    """Return which of the recommended items are relevant, in the shape of `ranking`; `target` is canonical.

    Some users at a time, the targets are marked in a table of all items, in which the ranking is looked up.
    """
    hits = np.zeros(ranking.shape, dtype=bool)
    if ranking.size == 0:
        return hits
    width = max(target.shape[1], int(ranking.max()) + 1) + 1  # the last column is for −1
    size = max(1, _TABLE_BYTES // width)
    relevant = np.zeros((min(size, len(ranking)), width), dtype=bool)
    for start in range(0, len(ranking), size):
        block = ranking[start : start + size]
        begins = target.indptr[start : start + len(block) + 1]
        at = np.repeat(np.arange(len(block)), np.diff(begins)), target.indices[begins[0] : begins[-1]]
        relevant[at] = True
        hits[start : start + size] = np.take_along_axis(relevant[: len(block)], block, axis=1)
        relevant[at] = False
    return hits


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
    """Return the share of the catalogue that is in some user's ranking."""
    shown = np.zeros(n_items, dtype=bool)
    shown[ranking[ranking >= 0]] = True
    return float(shown.mean())


def _not_per_user(hits: Hits, n_relevant: Counts) -> Values:
    return np.full(len(hits), np.nan)  # coverage is of all users together


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
