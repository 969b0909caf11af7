"""compare: differences, intervals and p-values against scipy, Holm against the closure principle."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aerec.errors import DataError
from aerec.evaluation import Report, compare
from aerec.evaluation.bootstrap import wilson_interval
from aerec.evaluation.significance import holm, leaders


def report(name, columns, users=None, means=None):
    frame = pd.DataFrame(columns)
    frame.index = pd.Index(range(len(frame)) if users is None else users, name="user")
    mean = {metric: float(values.mean()) for metric, values in frame.items()} | (means or {})
    return Report(name, mean, dict.fromkeys(mean, (math.nan, math.nan)), frame, len(frame), 0)


@pytest.fixture
def three():
    rng = np.random.default_rng(2)
    base = rng.random(50)
    return [
        report(name, {"ndcg@10": base + rng.normal(shift, 0.1, 50), "recall@5": rng.random(50)})
        for name, shift in (("good", 0.05), ("fair", 0.0), ("bad", -0.2))
    ]


def test_a_row_per_metric_and_pair(three):
    frame = compare(three)
    assert frame.columns.tolist() == ["metric", "a", "b", "difference", "low", "high", "p_value", "p_holm"]
    pairs = [("good", "fair"), ("good", "bad"), ("fair", "bad")]
    expected = [(metric, a, b) for metric in ("ndcg@10", "recall@5") for a, b in pairs]
    assert list(frame[["metric", "a", "b"]].itertuples(index=False, name=None)) == expected


def test_the_p_value_is_that_of_a_paired_t_test(three):
    by_name = {one.name: one.per_user for one in three}
    for row in compare(three).itertuples():
        first, second = by_name[row.a][row.metric], by_name[row.b][row.metric]
        assert row.p_value == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-9)
        assert row.difference == pytest.approx(first.mean() - second.mean())
        assert row.low < row.difference < row.high


def test_the_interval_is_that_of_scipy_but_for_chance(three):
    difference = three[0].per_user["ndcg@10"] - three[1].per_user["ndcg@10"]
    row = compare(three[:2], n_resamples=20_000).iloc[0]
    theirs = stats.bootstrap((difference.to_numpy(),), np.mean, n_resamples=20_000, method="percentile", random_state=0)
    expected = (theirs.confidence_interval.low, theirs.confidence_interval.high)
    assert (row.low, row.high) == pytest.approx(expected, abs=0.1 * difference.std() / 50**0.5)


def test_the_better_model_has_the_positive_difference(three):
    good, _, bad = three
    better = compare([good, bad]).set_index("metric").loc["ndcg@10"]
    worse = compare([bad, good]).set_index("metric").loc["ndcg@10"]
    assert better.difference > 0 > worse.difference
    assert better.low > 0 > worse.high
    assert better.p_value < 0.001


def test_turning_a_pair_round_turns_the_signs_and_nothing_else(three):
    there, back = compare(three[:2], seed=3), compare(three[1::-1], seed=3)
    np.testing.assert_allclose(back["difference"], -there["difference"])
    np.testing.assert_allclose(back[["low", "high"]], -there[["high", "low"]], atol=1e-12)
    np.testing.assert_allclose(back[["p_value", "p_holm"]], there[["p_value", "p_holm"]])


def test_the_same_seed_gives_the_same_frame_and_another_moves_only_the_interval(three):
    first, again, other = compare(three, seed=1), compare(three, seed=1), compare(three, seed=2)
    pd.testing.assert_frame_equal(first, again)
    assert (first["low"] != other["low"]).all()
    pd.testing.assert_frame_equal(first.drop(columns=["low", "high"]), other.drop(columns=["low", "high"]))


def test_equal_models_have_nothing_between_them():
    values = {"ndcg@10": np.random.default_rng(0).random(20)}
    row = compare([report("one", values), report("two", values)]).iloc[0]
    assert row[["difference", "p_value", "p_holm"]].tolist() == [0, 1, 1]
    most = wilson_interval(0.0, 20)[1]  # 20 users without a difference do not rule out that one in a hundred has one
    assert row[["low", "high"]].tolist() == pytest.approx([-most, most])


def test_the_same_gain_for_everyone_leaves_no_doubt_but_few_users_prove_little():
    row = compare([report("one", {"mrr@5": [0.75, 0.5, 1.0]}), report("two", {"mrr@5": [0.5, 0.25, 0.75]})]).iloc[0]
    assert row[["difference", "p_value"]].tolist() == [0.25, 2 / 2**3]
    assert row.low < 0 < row.high
    row = compare([report("one", {"mrr@5": [0.75] * 10}), report("two", {"mrr@5": [0.5] * 10})]).iloc[0]
    assert row[["difference", "low", "high", "p_value"]].tolist() == [0.25, 0.25, 0.25, 0]
    row = compare([report("one", {"mrr@5": [1.0]}), report("two", {"mrr@5": [0.25]})]).iloc[0]
    assert row[["difference", "p_value"]].tolist() == [0.75, 1]


def test_models_that_differ_by_chance_alone_are_seldom_called_different():
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(300):
        pair = [report(name, {"ndcg@10": rng.random(40)}) for name in ("one", "two")]
        alarms += compare(pair, n_resamples=1).p_value.iloc[0] < 0.05
    assert 0.01 <= alarms / 300 <= 0.09  # 0.05, give or take three standard errors


def test_few_users_who_differ_are_tested_by_all_turns_of_their_signs():
    difference = np.zeros(30)
    difference[:4] = 1
    row = compare([report("one", {"hit_rate@5": difference}), report("two", {"hit_rate@5": np.zeros(30)})]).iloc[0]
    assert row.p_value == 2 / 2**4
    difference[:6] = [0.5, 0.25, -0.25, 1, 0.75, 0.125]
    expected = stats.permutation_test(
        (difference[:6],), np.sum, permutation_type="samples", alternative="two-sided", n_resamples=np.inf
    ).pvalue
    row = compare([report("one", {"ndcg@5": difference}), report("two", {"ndcg@5": np.zeros(30)})]).iloc[0]
    assert row.p_value == pytest.approx(expected)


def test_rare_hits_are_seldom_called_a_difference():
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(400):
        hits = rng.random((2, 30)) < 0.08
        pair = [
            report(name, {"hit_rate@5": each}) for name, each in zip(("one", "two"), hits.astype(float), strict=True)
        ]
        alarms += compare(pair, n_resamples=1).p_value.iloc[0] < 0.05
    assert alarms / 400 <= 0.05


def test_reports_that_cannot_be_told_apart_or_paired_are_refused(three):
    with pytest.raises(DataError, match="two reports are called good: name them"):
        compare([three[0], three[1], three[0]])
    fewer = report("fewer", {"ndcg@10": [0.5] * 40}, users=range(20, 60))
    with pytest.raises(DataError, match=r"50 users such as 0, 1 and 40 such as 20, 21 they share 30"):
        compare([three[0], fewer])


def test_the_correction_is_for_all_rows_of_the_frame(three):
    frame = compare(three)
    np.testing.assert_allclose(frame["p_holm"], by_closure(frame["p_value"].tolist()))
    assert (frame["p_holm"] >= frame["p_value"]).all()
    assert frame["p_holm"].min() == pytest.approx(6 * frame["p_value"].min())


def by_closure(p_values):
    """A hypothesis falls when every set of hypotheses that holds it falls by Bonferroni (Marcus et al. 1976)."""
    numbers = range(len(p_values))
    sets = [one for size in range(1, len(p_values) + 1) for one in itertools.combinations(numbers, size)]
    return [
        max(min(1.0, len(one) * min(p_values[other] for other in one)) for one in sets if at in one) for at in numbers
    ]


@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.02, 0.3])), min_size=1, max_size=6))
@settings(deadline=None)
def test_holm_is_closed_testing_by_bonferroni(p_values):
    np.testing.assert_allclose(holm(np.array(p_values)), by_closure(p_values))


def test_holm_by_hand():
    # in order 0.01, 0.02, 0.03, 0.9: times 4, 3, 2, 1, and never below the one before
    np.testing.assert_allclose(holm(np.array([0.03, 0.9, 0.01, 0.02])), [0.06, 0.9, 0.04, 0.06])
    np.testing.assert_allclose(holm(np.array([0.6, 0.7])), [1, 1])
    assert holm(np.zeros(0)).shape == (0,)


def test_only_metrics_that_all_have_are_compared():
    first = report("one", {"ndcg@10": [0.1, 0.9], "recall@5": [1.0, 0.5]}, means={"coverage@10": 0.5})
    second = report("two", {"recall@5": [0.5, 0.25], "mrr@5": [0.0, 1.0]}, means={"coverage@10": 0.25})
    assert compare([first, second])["metric"].tolist() == ["recall@5"]
    with pytest.raises(DataError, match="no metric in common"):
        compare([report("one", {"ndcg@10": [0.1]}), report("two", {"recall@5": [0.1]})])


@pytest.mark.parametrize("users", [[0, 2], [1, 0], [0, 1, 2]])
def test_different_users_are_refused(users):
    first = report("one", {"ndcg@10": [0.1, 0.9]})
    second = report("two", {"ndcg@10": np.linspace(0, 1, len(users))}, users=users)
    with pytest.raises(DataError, match="one and two were evaluated on different users"):
        compare([first, second])
    with pytest.raises(DataError, match="one and two were evaluated on different users"):
        compare([first, report("also", {"ndcg@10": [0.5, 0.5]}), second])


def test_one_report_has_nothing_to_be_compared_with():
    with pytest.raises(DataError, match="at least two reports, got 1"):
        compare([report("one", {"ndcg@10": [0.1]})])


# ---------------------------------------------------------------------- the best, and those that may be


def gaps(*rows):
    return pd.DataFrame(rows, columns=["metric", "a", "b", "difference", "p_holm"])


def test_those_not_significantly_worse_lead_with_the_best():
    reports = [report(name, {"ndcg@10": [mean]}) for name, mean in (("low", 0.1), ("best", 0.5), ("near", 0.4))]
    frame = gaps(("ndcg@10", "low", "best", -0.4, 0.049), ("ndcg@10", "best", "near", 0.1, 0.05))
    assert leaders(reports, frame) == {"ndcg@10": ["best", "near"]}
    assert leaders(reports, frame, alpha=0.01) == {"ndcg@10": ["low", "best", "near"]}
    assert leaders(reports, frame, alpha=0.5) == {"ndcg@10": ["best"]}


def test_of_errors_the_lowest_leads():
    reports = [report(name, {"rmse": [value]}) for name, value in (("a", 0.9), ("b", 0.8), ("c", 1.0), ("d", 0.95))]
    # d is off by more in all, yet its users are off by less each: the test says that it is better, not worse
    frame = gaps(("rmse", "a", "b", 0.1, 0.3), ("rmse", "b", "c", -0.2, 0.001), ("rmse", "b", "d", 0.1, 0.001))
    assert leaders(reports, frame) == {"rmse": ["a", "b", "d"]}


def test_where_nothing_is_compared_only_the_best_values_lead():
    values = {"one": 0.5, "two": 0.5, "three": 0.4}
    reports = [report(name, {"ndcg@10": [0.1, 0.2]}, means={"coverage@10": value}) for name, value in values.items()]
    found = leaders(reports, compare(reports))
    assert found == {"ndcg@10": ["one", "two", "three"], "coverage@10": ["one", "two"]}
    assert leaders(reports, None)["coverage@10"] == ["one", "two"]


def test_the_leaders_of_what_was_compared(three):
    assert leaders(three, compare(three)) == {"ndcg@10": ["good"], "recall@5": ["good", "fair", "bad"]}


def test_reports_may_come_one_by_one(three):
    pd.testing.assert_frame_equal(compare(one for one in three), compare(three))


def test_what_cross_validate_gives_is_no_list_of_reports():
    with pytest.raises(TypeError, match=r"got a int; what cross_validate gives has a compare of its own"):
        compare(5)


def test_a_dict_of_reports_is_no_list_of_them(three):
    with pytest.raises(TypeError, match="a list of reports of evaluate, got str in it"):
        compare({report.name: report for report in three})
