"""Metrics of rankings against plain Python and scikit-learn, in every form that lists and targets come in."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    label_ranking_average_precision_score,
    ndcg_score,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from aerec import Interactions
from aerec.errors import DataError
from aerec.metrics import (
    average_precision_at_k,
    coverage_at_k,
    hit_rate_at_k,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
)


def plain_recall_at_k(recommended, target, k=None):
    return recall_at_k(recommended, target, k, denominator="target")


# ---------------------------------------------------------------------- the slow reference


def slow_recall(shown, relevant, k):
    return sum(item in relevant for item in shown) / min(k, len(relevant))


def slow_plain_recall(shown, relevant, k):
    return len(set(shown) & relevant) / len(relevant)


def slow_precision(shown, relevant, k):
    return len(set(shown) & relevant) / k


def slow_ndcg(shown, relevant, k):
    gained = sum(1 / math.log2(rank + 1) for rank, item in enumerate(shown, start=1) if item in relevant)
    return gained / sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))


def slow_average_precision(shown, relevant, k):
    total = 0.0
    for rank, item in enumerate(shown, start=1):
        if item in relevant:
            total += len(set(shown[:rank]) & relevant) / rank
    return total / min(k, len(relevant))


def slow_reciprocal_rank(shown, relevant, k):
    return next((1 / rank for rank, item in enumerate(shown, start=1) if item in relevant), 0.0)


def slow_hit_rate(shown, relevant, k):
    return float(any(item in relevant for item in shown))


METRICS = {
    recall_at_k: slow_recall,
    plain_recall_at_k: slow_plain_recall,
    precision_at_k: slow_precision,
    ndcg_at_k: slow_ndcg,
    average_precision_at_k: slow_average_precision,
    reciprocal_rank_at_k: slow_reciprocal_rank,
    hit_rate_at_k: slow_hit_rate,
}
every_metric = pytest.mark.parametrize("metric", METRICS)


@st.composite
def lists_and_targets(draw):
    n_users, n_items, length = draw(st.integers(1, 5)), draw(st.integers(1, 10)), draw(st.integers(1, 12))
    lists = []
    for _ in range(n_users):
        items = draw(st.permutations(range(n_items)))[: draw(st.integers(0, length))]
        lists.append([*items, *[-1] * (length - len(items))])
    targets = [draw(st.lists(st.integers(0, n_items + 2), unique=True, max_size=8)) for _ in range(n_users)]
    return lists, targets


@given(lists_and_targets(), st.one_of(st.none(), st.integers(1, 15)))
@settings(deadline=None)
def test_they_are_what_plain_python_counts(lists_targets, k):
    lists, targets = lists_targets
    length = len(lists[0]) if k is None else k
    for metric, slow in METRICS.items():
        expected = [
            slow([item for item in shown[:length] if item >= 0], set(relevant), length) if relevant else math.nan
            for shown, relevant in zip(lists, targets, strict=True)
        ]
        np.testing.assert_allclose(metric(lists, targets, k), expected, rtol=1e-12, err_msg=metric.__name__)


# ---------------------------------------------------------------------- against scikit-learn


@st.composite
def scores_and_relevance(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_users, n_items = draw(st.integers(1, 6)), draw(st.integers(3, 15))
    scores = np.stack([rng.permutation(n_items) for _ in range(n_users)]) + 0.5
    relevance = rng.random((n_users, n_items)) < draw(st.sampled_from([0.1, 0.4, 0.9]))
    relevance[np.arange(n_users), rng.integers(0, n_items, n_users)] = True
    return scores, relevance


@given(scores_and_relevance(), st.integers(1, 18))
@settings(deadline=None)
def test_ndcg_is_that_of_scikit_learn(scores_relevance, k):
    scores, relevance = scores_relevance
    expected = [ndcg_score([truth], [row], k=k) for truth, row in zip(relevance.astype(int), scores, strict=True)]
    np.testing.assert_allclose(ndcg_at_k(scores, relevance, k), expected, rtol=1e-10)


@given(scores_and_relevance())
@settings(deadline=None)
def test_average_precision_of_the_whole_list_is_that_of_scikit_learn(scores_relevance):
    scores, relevance = scores_relevance
    expected = [
        label_ranking_average_precision_score([truth], [row]) for truth, row in zip(relevance, scores, strict=True)
    ]
    # over the whole list, min(k, |target|) is |target|
    np.testing.assert_allclose(average_precision_at_k(scores, relevance, scores.shape[1]), expected, rtol=1e-10)


@given(scores_and_relevance(), st.data())
@settings(deadline=None)
def test_with_one_relevant_item_hit_rate_and_reciprocal_rank_are_those_of_scikit_learn(scores_relevance, data):
    scores, _ = scores_relevance
    n_users, n_items = scores.shape
    k = data.draw(st.integers(1, n_items - 1))
    wanted = np.array(data.draw(st.lists(st.integers(0, n_items - 1), min_size=n_users, max_size=n_users)))
    target = np.eye(n_items, dtype=bool)[wanted]
    expected = top_k_accuracy_score(wanted, scores, k=k, labels=np.arange(n_items))
    assert hit_rate_at_k(scores, target, k).mean() == pytest.approx(expected)
    assert recall_at_k(scores, target, k).mean() == pytest.approx(expected)
    expected = label_ranking_average_precision_score(target, scores)  # of one relevant item: 1 / its rank
    assert reciprocal_rank_at_k(scores, target, n_items).mean() == pytest.approx(expected)


@given(scores_and_relevance(), st.data())
@settings(deadline=None)
def test_precision_and_plain_recall_are_those_of_scikit_learn(scores_relevance, data):
    scores, relevance = scores_relevance
    k = data.draw(st.integers(1, scores.shape[1]))
    shown = scores >= np.sort(scores, axis=1)[:, [-k]]
    for metric, expected in ((precision_at_k, precision_score), (plain_recall_at_k, recall_score)):
        by_user = [expected(truth, row) for truth, row in zip(relevance, shown, strict=True)]
        np.testing.assert_allclose(metric(scores, relevance, k), by_user, rtol=1e-10)


# ---------------------------------------------------------------------- gains


@given(scores_and_relevance(), st.integers(1, 18), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_graded_ndcg_is_that_of_scikit_learn(scores_relevance, k, seed):
    scores, relevance = scores_relevance
    ratings = relevance * np.random.default_rng(seed).integers(1, 6, relevance.shape)
    for gain, truth in (("rating", ratings), ("exponential", 2.0**ratings - 1)):
        expected = [ndcg_score([gains], [row], k=k) for gains, row in zip(truth, scores, strict=True)]
        np.testing.assert_allclose(ndcg_at_k(scores, ratings, k, gain), expected, rtol=1e-10)


def test_graded_ndcg_by_hand():
    shown, rated = [["b", "x", "a"]], [{"a": 5.0, "b": 3.0, "c": 1.0}]
    found, ideal = 3 + 5 / 2, 5 + 3 / math.log2(3) + 1 / 2  # log2(4) is 2
    assert ndcg_at_k(shown, rated, gain="rating") == pytest.approx(found / ideal)
    found, ideal = 7 + 31 / 2, 31 + 7 / math.log2(3) + 1 / 2
    assert ndcg_at_k(shown, rated, gain="exponential") == pytest.approx(found / ideal)
    assert ndcg_at_k(shown, rated, k=2, gain="rating") == pytest.approx(3 / (5 + 3 / math.log2(3)))


@pytest.mark.parametrize("gain", ["binary", "rating", "exponential"])
def test_without_ratings_every_gain_is_one(gain):
    shown, relevant = [[3, 1, 2], [0, 4, 5]], [[1, 2, 2, 7], []]
    np.testing.assert_array_equal(ndcg_at_k(shown, relevant, gain=gain), ndcg_at_k(shown, relevant))


def test_gains_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="gain must be one of 'binary', 'rating', 'exponential', got 'graded'"):
        ndcg_at_k([[1]], [[1]], gain="graded")
    with pytest.raises(DataError, match="a rating of -1 has a negative gain"):
        ndcg_at_k([[0]], [{0: -1.0, 1: 2.0}], gain="rating")
    with pytest.raises(DataError, match=r"a rating of 100 has a gain of 2\^100"):
        ndcg_at_k([[0]], [{0: 100.0}], gain="exponential")


# ---------------------------------------------------------------------- single cases


def test_denominators():
    shown, relevant = [[9, 8]], [[8, 1, 2, 3]]  # one hit among 2 shown, of 4 relevant
    assert recall_at_k(shown, relevant) == 1 / min(2, 4)
    assert recall_at_k(shown, relevant, denominator="target") == 1 / 4
    assert precision_at_k(shown, relevant) == 1 / 2
    with pytest.raises(ValueError, match="denominator must be 'min' or 'target', got 'k'"):
        recall_at_k(shown, relevant, denominator="k")


def test_a_list_shorter_than_k_counts_as_k_long():
    shown, relevant = [[4, 5]], [[5, 6, 7]]
    assert precision_at_k(shown, relevant, k=10) == 1 / 10
    assert recall_at_k(shown, relevant, k=10) == 1 / 3
    assert ndcg_at_k(shown, relevant, k=10) == pytest.approx(
        (1 / math.log2(3)) / (1 + 1 / math.log2(3) + 1 / math.log2(4))
    )
    assert precision_at_k([[4, 5, -1, -1]], relevant) == 1 / 4


@every_metric
def test_k_cuts_the_list(metric):
    shown, relevant = [[3, 1, 2, 0]], [[2, 0]]
    np.testing.assert_array_equal(metric(shown, relevant, k=2), [0])
    np.testing.assert_array_equal(metric(shown, relevant, k=3), metric([[3, 1, 2]], relevant))


@every_metric
def test_users_without_a_target_are_nan_and_the_others_unmoved(metric):
    values = metric([[1, 2], [1, 2], [3, 4]], [[2], [], [3]])
    assert np.isnan(values).tolist() == [False, True, False]
    np.testing.assert_array_equal(values[[0, 2]], metric([[1, 2], [3, 4]], [[2], [3]]))


@every_metric
def test_the_order_in_which_users_come_does_not_matter(metric):
    rng = np.random.default_rng(0)
    shown = np.stack([rng.permutation(20)[:6] for _ in range(40)])
    relevant = rng.random((40, 20)) < 0.2
    order = rng.permutation(40)
    np.testing.assert_array_equal(metric(shown[order], relevant[order]), metric(shown, relevant)[order])


@every_metric
def test_all_forms_of_a_target_say_the_same(metric):
    rng = np.random.default_rng(1)
    shown = np.stack([rng.permutation(9)[:4] for _ in range(10)])
    dense = np.where(rng.random((10, 9)) < 0.3, rng.uniform(-2, 5, (10, 9)), 0)  # relevant whatever the value
    dense[3] = 0
    expected = metric(shown, [np.flatnonzero(row).tolist() for row in dense])
    forms = (dense, sp.csr_array(dense), sp.coo_array(dense), sp.csc_matrix(dense), Interactions.from_matrix(dense))
    for form in forms:
        np.testing.assert_array_equal(metric(shown, form), expected)


@every_metric
def test_an_explicit_zero_of_a_target_is_not_relevant(metric):
    with_zero = sp.csr_array((np.array([1.0, 0.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 3))
    np.testing.assert_array_equal(metric([[1, 0]], with_zero), metric([[1, 0]], [[0]]))


@every_metric
def test_an_item_named_twice_in_a_target_counts_once(metric):
    np.testing.assert_array_equal(metric([[1, 0, 2]], [[2, 2, 5]]), metric([[1, 0, 2]], [[5, 2]]))


@every_metric
def test_scores_are_ranked_and_minus_infinity_is_never_shown(metric):
    scores = np.array([[0.1, 3.0, -np.inf, 2.0], [-np.inf, -np.inf, -1.0, -np.inf]])
    relevant = [[2, 3], [0, 2]]
    np.testing.assert_array_equal(metric(scores, relevant, k=4), metric([[1, 3, 0, -1], [2, -1, -1, -1]], relevant))
    np.testing.assert_array_equal(metric(scores, relevant, k=6), metric([[1, 3, 0], [2, -1, -1]], relevant, k=6))


def test_nobody_gives_no_values():
    assert recall_at_k(np.zeros((0, 3), dtype=int), []).tolist() == []


def test_coverage():
    assert coverage_at_k([[0, 1], [1, 2]], n_items=6) == 3 / 6
    assert coverage_at_k([[0, 1], [1, 2]], n_items=6, k=1) == 2 / 6
    assert coverage_at_k([[0, -1], [-1, -1]], n_items=6) == 1 / 6
    assert coverage_at_k([[0.2, 0.9, 0.1, 0.0]], k=3) == 3 / 4
    assert coverage_at_k([[0.2, 0.9, 0.1, 0.0]], n_items=12, k=3) == 3 / 12


# ---------------------------------------------------------------------- what is refused


@every_metric
@pytest.mark.parametrize(
    ("recommended", "target", "k", "message"),
    [
        ([[1, 2], [3, 3]], [[1], [1]], None, "row 1 recommends the same item twice"),
        ([[1, 2]], [[1], [2]], None, "recommendations for 1 users, but targets of 2"),
        ([1, 2], [[1]], None, r"of shape \(n_users, n\): a list of items for each user"),
        ([[1, 2], [1]], [[1], [1]], None, "different lengths; fill the short ones up with -1"),
        ([[0.5, np.nan]], [[1]], 1, "NaN scores"),
        ([[0.5, 0.2]], [[1]], None, "say how many of the best count, with k"),
        ([["a", "b"]], [[1]], None, "type str, such as 'a', the target of type int, such as 1"),
        ([[1, 2]], [["1"]], None, "type int, such as 1, the target of type str, such as '1'"),
        ([[-2]], [[5]], None, "item -2 is recommended: items are numbered from 0, and -1 stands for none"),
        ([[-3, -2]], [[5]], None, "item -3 is recommended"),
        ([[-5, 1]], [[1]], None, "item -5 is recommended"),
        ([[-5, 1]], np.eye(1, 3), None, "item -5 is recommended"),
        ([[30.0, 10.0, 20.0]], [[10]], 3, "scores, of the items 0 to 2, but the target names 10"),
        ([[30.0, 10.0, 20.0]], [[1]], 3, "whole numbers as floats, such as 30.0: are they ids"),
        ([[0.5, 0.1]], np.eye(1, 3), 2, "scores, of 2 items, but the target has 3 columns"),
        ([[0.5, 0.1, 0.2, 0.9]], np.eye(1, 3), 2, "scores, of 4 items, but the target has 3 columns"),
        ([[0.5, 0.1]], [["a"]], 2, "scores, of the items 0 to 1, but the target names 'a'"),
        ([[3, 1]], np.eye(1, 3), None, "item 3 is recommended, but the target has 3 columns"),
        ([[9, 8]], np.array([[8], [8]])[:1], None, "but the target has 1 columns"),
        ([["a"]], np.eye(1, 3), None, "recommended holds ids such as 'a', but the items here are columns"),
        ([[1, 2]], [[1.7]], None, "the target names item 1.7; ids are whole numbers or text"),
        ([[1, 2]], [[1.0]], None, "the target names item 1.0; ids are whole numbers or text"),
        ([[1, 2]], [[np.nan]], None, "the target names item nan"),
        ([["a", "b"]], [["a", np.nan]], None, "the target names item nan"),
        ([["a", "b"]], [["a", None]], None, "the target names item None"),
        ([["a", 1.5]], [["a"]], None, "ids of type float"),
        ([["a", np.nan]], [["a"]], None, "ids of type float"),
        ([[1, 2]], [[True]], None, "the target names item True"),
        ([[1, 2]], [{1, 2}], None, r"row 0 of the target is \{1, 2\}: give a list of ids"),
        ([[1, 2]], [[1], "ab"][1:], None, "row 0 of the target is 'ab'"),
        ([[1, 2]], [1], None, "row 0 of the target is 1: give a list of ids"),
        ([[1, 2]], [{1: "good"}], None, "ratings of the target must be numbers"),
        ([[1, 2]], [[-5]], None, "the target names item -5"),
        ([["a", "a"]], [["a"]], None, "row 0 recommends the same item twice"),
        ([["a", "b"], ["c"]], [["a"], ["c"]], None, "different lengths"),
        ([[["a"], ["b"]]], [[["a"]]], None, "an id must be hashable"),
        (pd.DataFrame({"user": [1], "item": [2]}), [[2]], None, "recommended is a frame"),
        ([[1, 2]], [[1]], 1.5, "k must be at least 1, got 1.5"),
        ([[True, False]], [[1]], None, "ids of type bool"),
        ([[1, 2]], [[1, "a"]], None, "the target holds ids of several types"),
        ([[1, "a"]], [[1]], None, "recommended holds ids of several types"),
        ([[1, 2]], [[-1]], None, "the target names item -1"),
        ([[1, 2]], [[1]], 0, "k must be at least 1, got 0"),
        (np.zeros((1, 0), dtype=int), [[1]], None, "lists of no items"),
        (sp.csr_array(np.eye(2)), [[1], [1]], 1, "recommended comes first"),
    ],
)
def test_what_makes_no_sense_is_refused(metric, recommended, target, k, message):
    with pytest.raises(ValueError, match=message):
        metric(recommended, target, k)


@pytest.mark.parametrize(
    "ids",
    [
        [10**12, 7, 10**15, 2**63 - 1, 0],
        [2**64, 7, 10**30, 2**63, 0],
        np.array([2**64 - 1, 7, 2**63, 3, 0], dtype=np.uint64),
        np.array([200, 7, 100, 3, 0], dtype=np.uint8),
        ["film", "book", "song", "-1", ""],
        np.array(["film", "book", "song", "-1", ""]),
        [b"a", b"b", b"c", b"d", b"e"],
        [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("c", 0)],
        pd.to_datetime(["2001-01-01", "2002-01-01", "2003-01-01", "2004-01-01", "2005-01-01"]).tolist(),
    ],
    ids=lambda ids: str(ids[0])[:20],
)
@every_metric
def test_ids_of_any_type_and_size_count_as_the_same_numbered_from_zero(metric, ids):
    shown, relevant = [[3, 1, 2], [0, 4, 1]], [[1, 2, 0], [3]]
    named = [[ids[item] for item in row] for row in shown]
    wanted = [[ids[item] for item in row] for row in relevant]
    np.testing.assert_array_equal(metric(named, wanted), metric(shown, relevant))
    np.testing.assert_array_equal(metric(named, wanted, k=2), metric(shown, relevant, k=2))
    if isinstance(ids, np.ndarray):
        np.testing.assert_array_equal(
            metric(np.array(named), [np.array(row) for row in wanted]), metric(shown, relevant)
        )


def test_none_and_minus_one_stand_for_no_item_in_lists_of_text():
    for nothing in (None, -1):
        assert precision_at_k([["a", nothing]], [["a"]]).tolist() == [0.5]
        assert reciprocal_rank_at_k([[nothing, nothing]], [["a"]]).tolist() == [0]


def test_targets_of_text_in_a_series_are_lists():
    assert recall_at_k([["a"], ["b"]], pd.Series([["a"], ["a"]])).tolist() == [1, 0]


@given(
    st.lists(st.lists(st.integers(-(2**70), 2**70) | st.text(max_size=2) | st.none(), max_size=3), max_size=4),
    st.data(),
)
@settings(derandomize=True, max_examples=100)
def test_whatever_lists_there_are_a_metric_is_a_share_or_an_error(lists, data):
    targets = data.draw(
        st.lists(st.lists(st.integers(-1, 9) | st.text(max_size=1) | st.floats(), max_size=3), max_size=4)
    )
    try:
        values = recall_at_k(lists, targets, k=data.draw(st.integers(1, 4)))
    except ValueError:
        return
    assert values.shape == (len(targets),)
    assert np.isnan(values).tolist() == [not row for row in targets]
    assert ((values[~np.isnan(values)] >= 0) & (values[~np.isnan(values)] <= 1)).all()


def test_an_item_shown_twice_beyond_k_is_not_looked_at():
    assert recall_at_k([[1, 2, 2]], [[1]], k=2) == 1


@pytest.mark.parametrize(
    ("recommended", "n_items", "k", "message"),
    [
        ([[1, 2]], None, None, "pass n_items"),
        ([[1, 2]], 2, None, "item 2 is recommended, but the catalogue has 2 items"),
        ([[1, 2]], 0, None, "n_items must be at least 1, got 0"),
        ([0.1, 0.2], None, 1, r"of shape \(n_users, n\): a list of items for each user"),
        (sp.csr_array(np.eye(2)), None, 1, "recommended comes first"),
        ([[1, 1]], 5, None, "row 0 recommends the same item twice"),
    ],
)
def test_coverage_of_what_makes_no_sense_is_refused(recommended, n_items, k, message):
    with pytest.raises(DataError, match=message):
        coverage_at_k(recommended, n_items, k)


@pytest.mark.parametrize(
    ("recommended", "target", "name"),
    [
        ({"u": ["a"]}, [["a"]], "recommended"),
        ({1: [1, 2]}, {1: [1]}, "recommended"),
        ([[1, 2]], {1: [1]}, "target"),
        ([[1, 2]], {1: {1: 5.0}}, "target"),
    ],
)
def test_lists_by_user_are_refused_with_what_to_give(recommended, target, name):
    with pytest.raises(DataError, match=rf"{name} is a dict of users: give a list of lists, such as \[{name}\[user\]"):
        recall_at_k(recommended, target, k=1)
