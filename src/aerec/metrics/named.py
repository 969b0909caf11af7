"""Metrics by name, such as "ndcg@100" or "rmse"."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aerec.errors import DataError, names_like
from aerec.interactions import Interactions
from aerec.metrics.debiased import DEBIASED
from aerec.metrics.formulas import GAINS, LISTS, METRICS, coverage, measure_users
from aerec.metrics.rating import mae, rmse

RATING_METRICS: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {"rmse": rmse, "mae": mae}
"""Name of a metric of predicted ratings → the function."""

_LISTS = "describe_recommendations gives it for the lists of a model"
_PROPENSITIES = "it needs propensities, see debiased_recall_at_k and debiased_ndcg_at_k"
_ELSEWHERE = {
    **dict.fromkeys(("novelty", "gini", "diversity", "genre_diversity", "calibration"), _LISTS),
    **dict.fromkeys(("debiased_recall", "debiased_ndcg", "snips_recall", "ips_recall", "snips_ndcg", "ips_ndcg"),
                    _PROPENSITIES),
    "serendipity": "it needs the lists that everybody expects, see serendipity_at_k",
}  # fmt: skip


def parse_metric(name: str) -> tuple[str, int]:
    """Split a name such as "recall@20" into the metric and k; k is 0 for "auc", "rmse" and "mae".

    Raises
    ------
    ValueError
        If there is no such metric; lists those that there are.
    """
    if name in RATING_METRICS or name == "auc":
        return name, 0
    base, _, k = str(name).partition("@")
    listed = (*METRICS, *GAINS, *LISTS, *DEBIASED)
    if base in listed and re.fullmatch(r"[1-9][0-9]{0,8}", k):
        return base, int(k)
    if base in _ELSEWHERE:
        raise ValueError(f"{base} is no metric of evaluate: {_ELSEWHERE[base]} (aerec.evaluation)")
    known = names_like(str(name), [*(f"{metric}@k" for metric in listed), "auc", *RATING_METRICS])
    raise ValueError(f"unknown metric {name!r}; {known} (with a number for k, as in recall@20)")


def higher_is_better(name: str) -> bool:
    """Whether a larger value of the metric `name` is the better one."""
    return name not in RATING_METRICS


def measure_ranking(name: str, ranking: NDArray[np.int64], target: Interactions, n_items: int | None = None) -> float:
    """Return the mean of a ranking metric over the users who have a target.

    Parameters
    ----------
    name : str
        Such as "ndcg@100".
    ranking : ndarray of int64, shape (n_users, n)
        As `Recommender.rank` gives it; n at least the k of the metric.
    target : Interactions of n_users
    n_items : int, optional
        Size of the model's catalogue, for coverage; by default the target's, which may hold items that no model knows.

    Returns
    -------
    float
    """
    base, k = parse_metric(name)
    if base in DEBIASED:
        raise ValueError(f"{name} takes propensities of items, and cannot be watched: choose another, such as ndcg@{k}")
    if base == "coverage":
        return coverage(ranking[:, :k], n_items or target.shape[1])
    if target.n_ratings == 0:
        raise DataError(f"{name} cannot be measured: nobody has a held-out item")
    return float(np.nanmean(measure_users(base, ranking[:, :k], target.matrix)))
