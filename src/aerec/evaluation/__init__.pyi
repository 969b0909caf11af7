from aerec.evaluation.beyond import BeyondAccuracy as BeyondAccuracy
from aerec.evaluation.beyond import describe_recommendations as describe_recommendations
from aerec.evaluation.cross_validation import CrossValidation as CrossValidation
from aerec.evaluation.cross_validation import cross_validate as cross_validate
from aerec.evaluation.evaluator import evaluate as evaluate
from aerec.evaluation.old_papers import (
    evaluate_on_sampled_negatives_as_in_old_papers as evaluate_on_sampled_negatives_as_in_old_papers,
)
from aerec.evaluation.report import Report as Report
from aerec.evaluation.significance import compare as compare
from aerec.metrics import average_precision_at_k as average_precision_at_k
from aerec.metrics import calibration_at_k as calibration_at_k
from aerec.metrics import coverage_at_k as coverage_at_k
from aerec.metrics import debiased_ndcg_at_k as debiased_ndcg_at_k
from aerec.metrics import debiased_recall_at_k as debiased_recall_at_k
from aerec.metrics import genre_diversity_at_k as genre_diversity_at_k
from aerec.metrics import gini_at_k as gini_at_k
from aerec.metrics import hit_rate_at_k as hit_rate_at_k
from aerec.metrics import mae as mae
from aerec.metrics import ndcg_at_k as ndcg_at_k
from aerec.metrics import novelty_at_k as novelty_at_k
from aerec.metrics import popularity_propensities as popularity_propensities
from aerec.metrics import precision_at_k as precision_at_k
from aerec.metrics import recall_at_k as recall_at_k
from aerec.metrics import reciprocal_rank_at_k as reciprocal_rank_at_k
from aerec.metrics import rmse as rmse
from aerec.metrics import serendipity_at_k as serendipity_at_k
