"""The formulas: worked by hand, and what must hold for any hits."""

import math
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

from aerec.canonical import canonical_csr
from aerec.metrics import METRICS, find_hits, formulas, measure_hits
from aerec.metrics.formulas import area_under_curve, coverage
from aerec.topk import top_k

PER_USER = sorted(set(METRICS) - {"coverage"})
OF_ORDER = ["map", "mrr", "ndcg"]

some_hits = hnp.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 8)))


def measure(metric, hits, n_relevant):
    return measure_hits(metric, np.array([hits], dtype=bool), np.array([n_relevant]))[0]


# hits at ranks 1 and 3 of 4, with 3 relevant items; a hit at rank 2 of 2, with 5; a hit at rank 3 of 3, with 1
DISCOUNT_2, DISCOUNT_3 = 1 / math.log2(3), 1 / math.log2(4)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("recall", (2 / 3, 1 / 2, 1)),
        ("plain_recall", (2 / 3, 1 / 5, 1)),
        ("precision", (2 / 4, 1 / 2, 1 / 3)),
        (
            "ndcg",
            ((1 + DISCOUNT_3) / (1 + DISCOUNT_2 + DISCOUNT_3), DISCOUNT_2 / (1 + DISCOUNT_2), DISCOUNT_3),
        ),
        ("map", ((1 / 1 + 2 / 3) / 3, (1 / 2) / 2, 1 / 3)),
        ("mrr", (1, 1 / 2, 1 / 3)),
        ("hit_rate", (1, 1, 1)),
    ],
)
def test_worked_by_hand(metric, expected):
    found = [measure(metric, [1, 0, 1, 0], 3), measure(metric, [0, 1], 5), measure(metric, [0, 0, 1], 1)]
    assert found == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("metric", PER_USER)
@pytest.mark.parametrize("k", [1, 2, 7])
def test_all_hits_are_one_and_no_hits_are_zero(metric, k):
    assert measure(metric, [1] * k, k) == pytest.approx(1)
    assert measure(metric, [0] * k, k) == 0
    enough = k + 3
    assert measure(metric, [1] * k, enough) == pytest.approx(k / enough if metric == "plain_recall" else 1)


@pytest.mark.parametrize("metric", PER_USER)
def test_a_user_without_a_relevant_item_is_nan_without_a_warning(metric):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = measure_hits(metric, np.array([[False, False], [True, False]]), np.array([0, 1]))
    assert np.isnan(values).tolist() == [True, False]


@given(some_hits, st.data())
@settings(deadline=None)
def test_every_value_is_between_zero_and_one(hits, data):
    more = data.draw(st.integers(0, 5))
    n_relevant = np.maximum(hits.sum(axis=1) + more, 1)
    for metric in PER_USER:
        values = measure_hits(metric, hits, n_relevant)
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()
        np.testing.assert_array_equal(values > 0, hits.any(axis=1))


@given(st.lists(st.booleans(), min_size=2, max_size=10), st.data())
@settings(deadline=None)
def test_a_hit_moved_up_is_worth_more_only_where_order_counts(hits, data):
    at = data.draw(st.integers(0, len(hits) - 2))
    n_relevant = sum(hits) + 1
    moved = [*hits[:at], hits[at + 1], hits[at], *hits[at + 2 :]]
    gains = not hits[at] and hits[at + 1]
    loses = hits[at] and not hits[at + 1]
    for metric in PER_USER:
        before, after = measure(metric, hits, n_relevant), measure(metric, moved, n_relevant)
        if metric not in OF_ORDER:
            assert after == pytest.approx(before)
        elif gains and (metric != "mrr" or not any(hits[:at])):
            assert after > before
        elif loses and (metric != "mrr" or not any(hits[:at])):
            assert after < before
        else:
            assert after == pytest.approx(before)


@given(st.data())
@settings(deadline=None)
def test_hits_are_the_recommended_items_in_the_target(data):
    n_users, n_items = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 6))
    target = data.draw(hnp.arrays(bool, (n_users, n_items)))
    ranking = data.draw(hnp.arrays(np.int64, (n_users, data.draw(st.integers(1, 6))), elements=st.integers(-1, 9)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formulas, "_TABLE_BYTES", data.draw(st.sampled_from([1, 20, 2**21])))  # one block and several
        hits = find_hits(ranking, canonical_csr(sp.csr_array(target.astype(np.float32))))
    relevant = [set(np.flatnonzero(row)) for row in target]
    assert hits.dtype == bool
    assert hits.tolist() == [
        [item in mine for item in row] for row, mine in zip(ranking.tolist(), relevant, strict=True)
    ]


def test_coverage_is_the_share_of_distinct_items_over_all_users():
    assert coverage(np.array([[0, 1], [1, -1], [3, 0]]), n_items=8) == 3 / 8
    assert coverage(np.array([[-1, -1]]), n_items=4) == 0


def test_coverage_has_no_value_of_a_single_user():
    assert np.isnan(measure_hits("coverage", np.ones((2, 3), dtype=bool), np.array([1, 2]))).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 1000]))
@settings(deadline=None)
def test_the_area_under_the_curve_is_that_of_scikit_learn(seed, n_scores):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, n_scores, (4, 12)).astype(np.float32)
    relevance = rng.random((4, 12)) < 0.4
    relevance[:, 0], relevance[:, 1] = True, False
    ranking, ordered = top_k(scores, 15)
    expected = [roc_auc_score(truth, row) for truth, row in zip(relevance, scores, strict=True)]
    np.testing.assert_allclose(area_under_curve(ranking, ordered, sp.csr_array(relevance.astype(float))), expected)


def test_a_relevant_item_that_is_no_candidate_stands_below_all():
    target = sp.csr_array(np.array([[1.0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]]))
    ranking, scores = np.array([[0, 1, 2], [0, 1, 2], [0, 1, -1]]), np.array([[3.0, 2, 1]] * 2 + [[3.0, 2, -np.inf]])
    np.testing.assert_array_equal(area_under_curve(ranking, scores, target), [1 / 2, np.nan, np.nan])
