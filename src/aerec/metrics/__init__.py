"""Metrics of rankings and of predicted ratings; the formulas are in `formulas`, checked front doors in the others."""

from __future__ import annotations

from aerec.metrics.beyond import (
    activity_groups,
    calibration_at_k,
    genre_diversity_at_k,
    gini_at_k,
    novelty_at_k,
    popularity_groups,
)
from aerec.metrics.debiased import (
    DEBIASED,
    debiased_ndcg_at_k,
    debiased_recall_at_k,
    popularity_propensities,
    serendipity_at_k,
)
from aerec.metrics.formulas import GAINS, LISTS, METRICS, find_hits, measure_hits, measure_users
from aerec.metrics.named import RATING_METRICS, higher_is_better, measure_ranking, parse_metric
from aerec.metrics.ranking import (
    average_precision_at_k,
    coverage_at_k,
    hit_rate_at_k,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
)
from aerec.metrics.rating import mae, rmse

__all__ = [
    "DEBIASED",
    "GAINS",
    "LISTS",
    "METRICS",
    "RATING_METRICS",
    "activity_groups",
    "average_precision_at_k",
    "calibration_at_k",
    "coverage_at_k",
    "debiased_ndcg_at_k",
    "debiased_recall_at_k",
    "find_hits",
    "genre_diversity_at_k",
    "gini_at_k",
    "higher_is_better",
    "hit_rate_at_k",
    "mae",
    "measure_hits",
    "measure_ranking",
    "measure_users",
    "ndcg_at_k",
    "novelty_at_k",
    "parse_metric",
    "popularity_groups",
    "popularity_propensities",
    "precision_at_k",
    "recall_at_k",
    "reciprocal_rank_at_k",
    "rmse",
    "serendipity_at_k",
]
