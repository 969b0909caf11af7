"""How good a recommender is, and whether the difference to another one is more than chance."""

from __future__ import annotations

from aerec.evaluation.beyond import BeyondAccuracy, describe_recommendations
from aerec.evaluation.cross_validation import CrossValidation, cross_validate
from aerec.evaluation.evaluator import evaluate
from aerec.evaluation.old_papers import evaluate_on_sampled_negatives_as_in_old_papers
from aerec.evaluation.report import Report
from aerec.evaluation.significance import compare
from aerec.metrics import (
    average_precision_at_k,
    calibration_at_k,
    coverage_at_k,
    debiased_ndcg_at_k,
    debiased_recall_at_k,
    genre_diversity_at_k,
    gini_at_k,
    hit_rate_at_k,
    mae,
    ndcg_at_k,
    novelty_at_k,
    popularity_propensities,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
    rmse,
    serendipity_at_k,
)

__all__ = [
    "BeyondAccuracy",
    "CrossValidation",
    "Report",
    "average_precision_at_k",
    "calibration_at_k",
    "compare",
    "coverage_at_k",
    "cross_validate",
    "debiased_ndcg_at_k",
    "debiased_recall_at_k",
    "describe_recommendations",
    "evaluate",
    "evaluate_on_sampled_negatives_as_in_old_papers",
    "genre_diversity_at_k",
    "gini_at_k",
    "hit_rate_at_k",
    "mae",
    "ndcg_at_k",
    "novelty_at_k",
    "popularity_propensities",
    "precision_at_k",
    "recall_at_k",
    "reciprocal_rank_at_k",
    "rmse",
    "serendipity_at_k",
]
