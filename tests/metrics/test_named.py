"""Metrics by name: what is understood, what is refused, and the mean over those who have a target."""

import numpy as np
import pytest
import scipy.sparse as sp

from aerec import Interactions
from aerec.errors import DataError
from aerec.metrics import (
    GAINS,
    LISTS,
    METRICS,
    average_precision_at_k,
    higher_is_better,
    hit_rate_at_k,
    mae,
    measure_ranking,
    ndcg_at_k,
    parse_metric,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
    rmse,
)
from aerec.metrics.named import RATING_METRICS

FRONT_DOORS = {
    "recall": recall_at_k,
    "plain_recall": lambda ranking, target, k: recall_at_k(ranking, target, k, denominator="target"),
    "precision": precision_at_k,
    "ndcg": ndcg_at_k,
    "map": average_precision_at_k,
    "mrr": reciprocal_rank_at_k,
    "hit_rate": hit_rate_at_k,
    "graded_ndcg": lambda ranking, target, k: ndcg_at_k(ranking, target, k, gain="rating"),
    "exponential_ndcg": lambda ranking, target, k: ndcg_at_k(ranking, target, k, gain="exponential"),
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("recall@20", ("recall", 20)),
        ("ndcg@1", ("ndcg", 1)),
        ("plain_recall@5", ("plain_recall", 5)),
        ("coverage@100", ("coverage", 100)),
        ("rmse", ("rmse", 0)),
        ("auc", ("auc", 0)),
        ("user_coverage@5", ("user_coverage", 5)),
        ("mae", ("mae", 0)),
    ],
)
def test_a_name_is_a_metric_and_k(name, expected):
    assert parse_metric(name) == expected


@pytest.mark.parametrize(
    "name",
    ["", "recall", "recall@", "recall@0", "recall@-1", "recall@2.5", "recall@ten", "rmse@5", "Recall@5", "auc@5"],
)
def test_any_other_name_is_refused_and_the_known_ones_listed(name):
    with pytest.raises(ValueError, match="unknown metric") as caught:
        parse_metric(name)
    assert all(
        known in str(caught.value)
        for known in [*(f"{one}@k" for one in (*METRICS, *GAINS, *LISTS)), "auc", "rmse", "mae"]
    )
    assert repr(name) in str(caught.value)


def test_only_errors_are_better_small():
    assert {"rmse": rmse, "mae": mae} == RATING_METRICS
    assert [higher_is_better(one) for one in ("rmse", "mae", "ndcg@10", "coverage@5")] == [False, False, True, True]


@pytest.fixture
def ranking():
    rng = np.random.default_rng(3)
    return np.stack([rng.permutation(12)[:8] for _ in range(30)])


@pytest.fixture
def target():
    rng = np.random.default_rng(4)
    relevant = (rng.random((30, 12)) < 0.3) * rng.integers(1, 6, (30, 12))
    relevant[[0, 7]] = 0
    return Interactions.from_matrix(relevant)


@pytest.mark.parametrize("metric", FRONT_DOORS)
@pytest.mark.parametrize("k", [1, 5, 8])
def test_the_mean_is_over_the_users_who_have_a_target(metric, k, ranking, target):
    values = FRONT_DOORS[metric](ranking, target, k)
    known = values[~np.isnan(values)]
    assert len(known) == 28
    assert measure_ranking(f"{metric}@{k}", ranking, target) == pytest.approx(known.sum() / 28)


def test_coverage_is_of_the_first_k(ranking, target):
    assert measure_ranking("coverage@1", ranking, target) == len(set(ranking[:, 0])) / 12
    assert measure_ranking("coverage@1", ranking, target, n_items=24) == len(set(ranking[:, 0])) / 24
    one_user = Interactions.from_matrix(sp.csr_array((1, 40)))
    assert measure_ranking("coverage@8", ranking[:1], one_user) == 8 / 40


def test_nothing_to_find_is_an_error_not_nan(ranking):
    nobody = Interactions.from_matrix(sp.csr_array((30, 12)))
    with pytest.raises(DataError, match="ndcg@5 cannot be measured: nobody has a held-out item"):
        measure_ranking("ndcg@5", ranking, nobody)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("serendipity@10", "see serendipity_at_k"),
        ("diversity@10", "describe_recommendations gives it"),
    ],
)
def test_what_is_measured_elsewhere_is_said_where(name, place):
    with pytest.raises(ValueError, match=f"is no metric of evaluate: .*{place}"):
        parse_metric(name)
