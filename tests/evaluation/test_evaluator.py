"""evaluate: the metrics of the model's own ranking, over those who have a target, in whatever order ids come."""

import warnings
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import mean_absolute_error, mean_squared_error, roc_auc_score

from aerec import Interactions, evaluate
from aerec.baselines import BiasBaseline, Popularity
from aerec.datasets import load_dataset
from aerec.errors import DataError
from aerec.evaluation.bootstrap import FEW, wilson_interval
from aerec.evaluation.evaluator import DEFAULT_METRICS
from aerec.metrics import (
    average_precision_at_k,
    coverage_at_k,
    debiased_ndcg_at_k,
    debiased_recall_at_k,
    hit_rate_at_k,
    mae,
    ndcg_at_k,
    popularity_propensities,
    precision_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
    rmse,
)
from aerec.models import EASE, MultDAE
from aerec.recommender import scorer as blocks
from aerec.sparse import ones_in
from aerec.splitting import ColdItems, Holdout, RandomHoldout

FRONT_DOORS = {
    "recall": recall_at_k,
    "plain_recall": lambda scores, target, k: recall_at_k(scores, target, k, denominator="target"),
    "precision": precision_at_k,
    "ndcg": ndcg_at_k,
    "map": average_precision_at_k,
    "mrr": reciprocal_rank_at_k,
    "hit_rate": hit_rate_at_k,
}
EVERY_METRIC = [f"{metric}@{k}" for metric in FRONT_DOORS for k in (1, 4, 50)]
USERS = pd.Index([f"user{number}" for number in range(25)])
ITEMS = pd.Index(range(100, 116))


class Fixed(Popularity):
    """The same scores for everyone, as given; counts how often it was asked."""

    asked: ClassVar[list[int]] = []

    def __init__(self, scores=()):
        self.scores = scores

    def _fit(self, train, validation):
        self.popularity_ = np.asarray(self.scores, dtype=np.float32)
        self.asked.clear()

    def _score(self, history, known_users):
        self.asked.append(history.shape[0])  # of the class: a model scores by a copy of itself
        return super()._score(history, known_users)


def fixed(scores):
    return Fixed(scores).fit(np.ones((1, len(scores))))


def interactions(dense, users=None, items=None):
    return Interactions.from_matrix(sp.csr_array(np.asarray(dense, dtype=np.float32)), users, items)


@pytest.fixture
def train():
    ratings = np.random.default_rng(0).integers(1, 6, (60, 16)) * (np.random.default_rng(1).random((60, 16)) < 0.4)
    return interactions(ratings, None, ITEMS)


@pytest.fixture
def holdout():
    rng = np.random.default_rng(2)
    part = rng.choice(4, p=[0.5, 0.25, 0.15, 0.1], size=(25, 16))  # nothing, history, target, excluded
    ratings = rng.integers(1, 6, size=part.shape)
    part[3] = 0
    part[5, part[5] == 2] = 0
    return Holdout(*(interactions(ratings * (part == which), USERS, ITEMS) for which in (1, 2, 3)))


# ---------------------------------------------------------------------- the numbers


def test_it_is_the_metric_functions_on_the_scores_of_the_model(train, holdout):
    model = EASE(l2=5.0).fit(train)
    scores = model.score_items(holdout.history)
    scores[(holdout.history.matrix + holdout.exclude.matrix).toarray() != 0] = -np.inf
    report = evaluate(model, holdout, EVERY_METRIC)
    some = holdout.target.matrix.sum(axis=1) > 0
    assert report.metrics == tuple(EVERY_METRIC)
    assert report.per_user.columns.tolist() == EVERY_METRIC
    assert report.per_user.index.tolist() == USERS[some].tolist()
    for name in EVERY_METRIC:
        metric, k = name.split("@")
        expected = FRONT_DOORS[metric](scores, holdout.target, int(k))
        assert np.isnan(expected).tolist() == (~some).tolist()
        np.testing.assert_allclose(report.per_user[name], expected[some], rtol=1e-12)
        assert report[name] == pytest.approx(np.nanmean(expected))


def test_users_without_a_target_are_left_out_and_counted(train, holdout):
    report = evaluate(Popularity().fit(train), holdout, "recall@3")
    empty = int((holdout.target.matrix.sum(axis=1) == 0).sum())
    assert empty >= 2
    assert (report.n_users, report.n_left_out) == (25 - empty, empty)
    some = USERS[holdout.target.matrix.sum(axis=1) > 0]
    kept = Holdout(*(one.select_users(some) for one in (holdout.history, holdout.target, holdout.exclude)))
    without = evaluate(Popularity().fit(train), kept, "recall@3")
    pd.testing.assert_frame_equal(report.per_user, without.per_user)
    assert report.mean == without.mean
    assert report.interval == without.interval
    assert without.n_left_out == 0


def test_worked_by_hand():
    model = fixed([0.9, 0.8, 0.7, 0.6, 0.5])
    history = [[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 0, 0]]
    target = [[0, 1, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    # the first sees 1, 2, 3, 4 and is after 1 and 4; the second sees 0, 1, 2, 3, 4 and is after 4
    report = evaluate(model, (np.array(history), np.array(target)), ["recall@2", "mrr@5", "precision@5", "coverage@2"])
    assert report.per_user.to_dict("list") == {
        "recall@2": [1 / 2, 0],
        "mrr@5": [1, 1 / 5],
        "precision@5": [2 / 5, 1 / 5],
    }
    assert report["recall@2"] == 1 / 4
    assert report["coverage@2"] == 3 / 5  # 1, 2 for the first, 0, 1 for the second; the third has no target
    assert (report.n_users, report.n_left_out) == (2, 1)
    assert report.name == "Fixed"


@given(hnp.arrays(np.int8, (6, 8), elements=st.integers(0, 3)), st.permutations(range(8)))
@settings(max_examples=60, deadline=None)
def test_neither_history_nor_what_is_excluded_takes_a_place(part, order):
    history, target, exclude = (interactions(part == which) for which in (1, 2, 3))
    model = fixed(np.argsort(order))
    if target.n_ratings == 0:
        return
    free = evaluate(model, Holdout(history, target, exclude), ["precision@2", "mrr@8"]).per_user
    expected = []
    for row in part:
        shown = [item for item in order[::-1] if row[item] in (0, 2)]
        if 2 in row:
            first = next(rank for rank, item in enumerate(shown, start=1) if row[item] == 2)
            expected.append((sum(row[item] == 2 for item in shown[:2]) / 2, 1 / first))
    np.testing.assert_allclose(free, expected)


def test_a_target_that_was_also_seen_cannot_be_found():
    seen = interactions([[1, 1, 0]])
    unseen = interactions([[0, 0, 1]])
    model = fixed([3, 2, 1])
    assert evaluate(model, Holdout(seen, seen), "hit_rate@3")["hit_rate@3"] == 0
    assert evaluate(model, Holdout(unseen, seen, exclude=seen), "hit_rate@3")["hit_rate@3"] == 0
    assert evaluate(model, Holdout(seen, seen), "hit_rate@3", exclude_seen=False)["hit_rate@3"] == 1


@pytest.mark.parametrize("rows_at_once", [1, 4, 24])
def test_in_blocks_it_is_what_it_is_at_once(holdout, rows_at_once, monkeypatch):
    model = fixed(np.linspace(1, 0, 16))
    at_once = evaluate(model, holdout, EVERY_METRIC)
    monkeypatch.setattr(blocks, "_LEAST_ROWS", 1)
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 4 * 16 * rows_at_once)
    model.asked.clear()
    in_blocks = evaluate(model, holdout, EVERY_METRIC)
    assert len(model.asked) == -(-25 // rows_at_once)
    pd.testing.assert_frame_equal(in_blocks.per_user, at_once.per_user)
    assert in_blocks.mean == at_once.mean
    assert in_blocks.interval == at_once.interval


def test_a_metric_does_not_depend_on_what_else_is_asked_for(train, holdout):
    model = EASE(l2=5.0).fit(train)
    together = evaluate(model, holdout, ["ndcg@3", "recall@10", "coverage@2"])
    for name in ("ndcg@3", "recall@10", "coverage@2"):
        alone = evaluate(model, holdout, name)
        assert alone[name] == together[name]
        np.testing.assert_array_equal(alone.interval[name], together.interval[name])


def test_the_metrics_of_the_paper_are_the_default(train, holdout):
    assert DEFAULT_METRICS == ("recall@20", "recall@50", "ndcg@100")
    assert evaluate(EASE(l2=5.0).fit(train), holdout, name="mine").metrics == DEFAULT_METRICS


# ---------------------------------------------------------------------- the interval


def test_the_interval_holds_the_mean_and_follows_the_seed(train, holdout):
    model = EASE(l2=5.0).fit(train)
    first, again, other = (evaluate(model, holdout, EVERY_METRIC, seed=seed) for seed in (0, 0, 1))
    assert first.interval == again.interval
    assert first.interval != other.interval
    assert first.mean == other.mean
    for name in EVERY_METRIC:
        low, high = first.interval[name]
        assert 0 <= low <= first[name] <= high <= 1
        values = first.per_user[name]
        if min((values != 0).sum(), (values != 1).sum()) < FEW:
            assert (low, high) == wilson_interval(values.mean(), len(values))
            continue
        standard_error = values.std(ddof=0) / len(values) ** 0.5
        assert high - low == pytest.approx(2 * 1.96 * standard_error, rel=0.25)


def test_coverage_is_of_all_users_and_has_no_interval(train, holdout):
    model = EASE(l2=5.0).fit(train)
    report = evaluate(model, holdout, "coverage@2")
    scores = model.score_items(holdout.history)
    scores[(holdout.history.matrix + holdout.exclude.matrix).toarray() != 0] = -np.inf
    some = holdout.target.matrix.sum(axis=1) > 0
    assert report["coverage@2"] == coverage_at_k(scores[some], k=2)
    assert np.isnan(report.interval["coverage@2"]).all()
    assert report.per_user.shape == (report.n_users, 0)


# ---------------------------------------------------------------------- ratings


@pytest.fixture
def rated():
    """Users with three, none and one held-out rating, of 2, 3 and 4 by one who is always told 3."""
    train = interactions([[3, 0, 0, 0], [3, 0, 0, 0], [3, 0, 0, 0]], ["a", "b", "c"], [7, 8, 9, 10])
    target = interactions([[0, 1, 3, 4], [0, 0, 0, 0], [0, 5, 0, 0]], ["a", "b", "c"], [7, 8, 9, 10])
    return BiasBaseline().fit(train), Holdout(train, target)


def test_errors_are_over_ratings_not_over_users(rated):
    model, holdout = rated
    report = evaluate(model, holdout, ["rmse", "mae"])
    assert report["rmse"] == pytest.approx(((2**2 + 0 + 1 + 2**2) / 4) ** 0.5)
    assert report["mae"] == pytest.approx((2 + 0 + 1 + 2) / 4)
    assert report.per_user.index.tolist() == ["a", "c"]
    np.testing.assert_allclose(report.per_user["rmse"], [((2**2 + 0 + 1) / 3) ** 0.5, 2])
    np.testing.assert_allclose(report.per_user["mae"], [1, 2])
    # resampling two users gives the first twice, each once, or the second twice
    assert report.interval["mae"] == pytest.approx((1, 2))
    assert report.interval["rmse"] == pytest.approx(((5 / 3) ** 0.5, 2))


def test_errors_are_those_of_predict(holdout):
    model = BiasBaseline().fit(holdout.history)
    pairs = holdout.target.to_frame()
    predicted = model.predict(pairs["user"], pairs["item"])
    report = evaluate(model, holdout, ["ndcg@5", "rmse", "mae"])
    assert report.metrics == ("ndcg@5", "rmse", "mae")
    assert report["rmse"] == pytest.approx(rmse(pairs["rating"], predicted))
    assert report["rmse"] == pytest.approx(mean_squared_error(pairs["rating"], predicted) ** 0.5)
    assert report["mae"] == pytest.approx(mae(pairs["rating"], predicted))
    assert report["mae"] == pytest.approx(mean_absolute_error(pairs["rating"], predicted))
    assert report["ndcg@5"] == evaluate(model, holdout, "ndcg@5")["ndcg@5"]
    for name in ("rmse", "mae"):
        low, high = report.interval[name]
        assert low < report[name] < high


def test_rows_and_columns_are_ids_where_model_and_holdout_are_matrices():
    ratings = np.array([[1, 5, 0], [0, 4, 2], [3, 0, 0]])
    model = BiasBaseline(l2_user=1.0, l2_item=1.0).fit(ratings)
    target = np.array([[0, 0, 4], [1, 0, 0], [0, 2, 0]])
    rows, columns = np.nonzero(target)
    expected = rmse(target[rows, columns], model.predict(rows, columns))
    assert evaluate(model, (ratings, target), "rmse")["rmse"] == pytest.approx(expected)


# ---------------------------------------------------------------------- ids


def over(holdout, items):
    return Holdout(*(one.with_items(items) for one in (holdout.history, holdout.target, holdout.exclude)))


@pytest.mark.parametrize("seed", range(3))
def test_items_are_matched_by_id_not_by_column(train, holdout, seed):
    model = EASE(l2=5.0).fit(train)
    shuffled = over(holdout, ITEMS[np.random.default_rng(seed).permutation(16)])
    expected, found = evaluate(model, holdout, EVERY_METRIC), evaluate(model, shuffled, EVERY_METRIC)
    pd.testing.assert_frame_equal(found.per_user, expected.per_user)


def test_a_target_that_the_model_does_not_know_counts_as_not_found():
    model = Popularity().fit(interactions([[1, 1], [0, 1]], None, [7, 9]))
    items = [3, 9, 7]
    history, target = interactions([[0, 1, 0]], ["new"], items), interactions([[1, 0, 1]], ["new"], items)
    report = evaluate(model, Holdout(history, target), ["recall@2", "coverage@2"])
    assert report["recall@2"] == 1 / 2
    assert report["coverage@2"] == 1 / 2  # of the two items of the model


def test_items_that_only_the_model_knows_take_their_places():
    model = Popularity().fit(interactions([[1, 1, 1], [0, 1, 1], [0, 1, 0]], None, [7, 8, 9]))
    holdout = Holdout(interactions([[1, 0]], None, [9, 7]), interactions([[0, 1]], None, [9, 7]))
    report = evaluate(model, holdout, ["recall@1", "mrr@3"])
    assert report.mean == {"recall@1": 0, "mrr@3": 1 / 2}


def test_columns_of_matrices_are_those_of_the_model(train, holdout):
    model = EASE(l2=5.0).fit(train)
    by_id = evaluate(model, Holdout(holdout.history, holdout.target), EVERY_METRIC)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_column = evaluate(model, (holdout.history.matrix, holdout.target.matrix), EVERY_METRIC)
    np.testing.assert_array_equal(by_column.per_user, by_id.per_user)
    assert by_column.n_left_out == by_id.n_left_out
    of_matrix = EASE(l2=5.0).fit(train.matrix)
    by_column = evaluate(of_matrix, (holdout.history.matrix.toarray(), holdout.target.matrix), EVERY_METRIC)
    np.testing.assert_allclose(by_column.per_user, by_id.per_user, rtol=1e-6)


class KnowsUsers(Fixed):
    """Turns the scores round for users of the training data."""

    _knows_users = True

    def _score(self, history, known_users):
        return np.where(known_users[:, None] >= 0, -1, 1) * super()._score(history, known_users)


def test_rows_of_matrices_are_new_users_whatever_the_ids_of_the_known_ones():
    model = KnowsUsers([2, 1]).fit(interactions([[1, 1], [1, 1]], [0, 1], [7, 9]))
    history, target = np.zeros((2, 2)), np.array([[1, 0], [1, 0]])
    assert evaluate(model, (history, target), "mrr@2").per_user["mrr@2"].tolist() == [1, 1]
    of_known = evaluate(model, (interactions(history, [1, 5], [7, 9]), interactions(target, [1, 5], [7, 9])), "mrr@2")
    assert of_known.per_user["mrr@2"].to_dict() == {1: 1 / 2, 5: 1}


def test_a_pair_is_a_holdout_without_exclusions(train, holdout):
    model = EASE(l2=5.0).fit(train)
    pair = evaluate(model, (holdout.history, holdout.target), EVERY_METRIC)
    whole = evaluate(model, Holdout(holdout.history, holdout.target), EVERY_METRIC)
    pd.testing.assert_frame_equal(pair.per_user, whole.per_user)
    assert pair.interval == whole.interval


@pytest.mark.parametrize("rows_at_once", [1, 24])
def test_auc_is_that_of_scikit_learn_over_the_candidates(train, holdout, monkeypatch, rows_at_once):
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 4 * 8 * 16 * rows_at_once)
    monkeypatch.setattr(blocks, "_LEAST_ROWS", 1)
    model = EASE(l2=5.0).fit(train)
    report = evaluate(model, holdout, ["auc", "recall@3"])
    scores, seen = model.score_items(holdout.history), (holdout.history.matrix + holdout.exclude.matrix).toarray() != 0
    target = holdout.target.matrix.toarray() != 0
    expected = {
        user: roc_auc_score(wanted[free], row[free])
        for user, wanted, row, free in zip(USERS, target, scores, ~seen, strict=True)
        if wanted.any()
    }
    assert report.per_user["auc"].to_dict() == pytest.approx(expected)
    by_column = evaluate(model, (holdout.history.matrix, holdout.target.matrix), "auc")
    assert by_column["auc"] == pytest.approx(evaluate(model, (holdout.history, holdout.target), "auc")["auc"])


def test_user_coverage_is_the_share_of_full_lists():
    history = interactions([[1, 1, 0, 0], [1, 0, 0, 0]])
    report = evaluate(
        fixed([4, 3, 2, 1]), Holdout(history, interactions([[0, 0, 1, 0], [0, 0, 1, 0]])), "user_coverage@3"
    )
    assert report.per_user["user_coverage@3"].tolist() == [0, 1]


def test_auc_is_no_metric_to_validate_by(train, holdout):
    model = MultDAE(hidden=3, epochs=1, validation_metric="auc", progress=False)
    with pytest.raises(ValueError, match="auc ranks all items"):
        model.fit(train.binarize(1), holdout)


# ---------------------------------------------------------------------- ids that do not meet


def pair(users, items):
    """Return a holdout in which user n has a history of item n and a target of the next one."""
    size = len(users), len(items)
    return interactions(np.eye(*size), users, items), interactions(np.eye(*size, 1), users, items)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["0001", "0002", "0003"], "items of the holdout are text, such as '0001', .* whole numbers, such as 1"),
        ([1.5, 2.5, 3.5], "items of the holdout are numbers with fractions, such as 1.5, .* whole numbers, such as 1"),
        (
            [7, 8, 9],
            "Popularity was trained on none of the items of the holdout, such as 8, 9; it knows items such as 1",
        ),
    ],
)
def test_items_that_never_meet_those_of_training_are_refused(items, message):
    train = interactions(np.ones((2, 3)), ["a", "b"], [1, 2, 3])
    with pytest.raises(DataError, match=message):
        evaluate(Popularity().fit(train), pair(["a", "b"], items))
    for model in (Popularity(), EASE(l2=1.0)):
        with pytest.raises(DataError, match=message.replace("Popularity", type(model).__name__)):
            model.fit(train, validation=Holdout(*pair(["a", "b"], items)))


def test_items_as_text_in_training_and_numbers_in_the_holdout_are_refused_with_the_way_out():
    model = Popularity().fit(interactions(np.ones((2, 3)), ["a", "b"], ["1", "2", "3"]))
    with pytest.raises(DataError, match=r"whole numbers, such as 1, .* text, such as '1'.*astype\(str\)"):
        evaluate(model, pair(["a", "b"], [1, 2, 3]))


def test_few_items_that_the_model_knows_are_warned_of_with_examples():
    model = Popularity().fit(interactions(np.ones((2, 3)), None, [1, 2, 3]))
    history, target = interactions([[1, 0, 0, 0]], None, [1, 2, 8, 9]), interactions([[0, 1, 1, 1]], None, [1, 2, 8, 9])
    with pytest.warns(UserWarning, match=r"2 of 3 held-out ratings can never be .* such as 8, 9; .* 1, 2, 3"):
        evaluate(model, Holdout(history, target), "recall@2")


def test_users_of_another_type_are_refused_where_the_model_knows_users():
    train = interactions([[3, 4, 0], [2, 0, 5]], [1, 2], [1, 2, 3])
    with pytest.raises(DataError, match=r"users of the holdout are text, such as '0001', .* whole numbers, such as 1"):
        evaluate(BiasBaseline().fit(train), pair(["0001", "0002"], [1, 2, 3]))


def test_strangers_are_warned_of_where_the_model_knows_users():
    train = interactions([[3, 4, 0], [2, 0, 5]], [1, 2], [1, 2, 3])
    with pytest.warns(UserWarning, match=r"none of the 2 evaluated users, such as 7, 8, .* such as 1, 2"):
        evaluate(BiasBaseline().fit(train), pair([7, 8], [1, 2, 3]), "recall@2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(BiasBaseline().fit(train), pair([1, 8], [1, 2, 3]), "recall@2")


def test_users_without_a_history_are_warned_of():
    history, target = interactions([[1, 0, 0], [0, 0, 0], [0, 0, 0]]), interactions([[0, 1, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.warns(
        UserWarning, match=r"2 of 3 evaluated users have no history, such as 1, 2: .* by time .* same ids .* such as 0"
    ):
        evaluate(fixed([3, 2, 1]), Holdout(history, target), "recall@2")


def test_targets_that_were_seen_are_counted_and_said():
    data = interactions([[1, 1, 0], [0, 0, 1]])
    other = interactions([[0, 1, 1], [1, 0, 0]])
    with pytest.warns(UserWarning, match="3 of 3 held-out ratings are also in the history"):
        evaluate(fixed([3, 2, 1]), (data, data), "recall@2")
    with pytest.warns(UserWarning, match="1 of 3 held-out ratings are also in the history"):
        evaluate(fixed([3, 2, 1]), (data, other), "recall@2")
    excluded = Holdout(interactions(np.zeros((2, 3))), data, exclude=interactions([[1, 1, 0], [1, 1, 0]]))
    with pytest.warns(UserWarning, match="2 of 3 held-out ratings are also in the history"):
        evaluate(fixed([3, 2, 1]), excluded, "recall@2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(fixed([3, 2, 1]), (data, data), "recall@2", exclude_seen=False)


@pytest.mark.parametrize("name", ["graded_ndcg@3", "exponential_ndcg@3"])
def test_ratings_count_in_graded_ndcg(train, holdout, name):
    gain = {"graded_ndcg": "rating", "exponential_ndcg": "exponential"}[name.split("@")[0]]
    model = EASE(l2=5.0).fit(train)
    report = evaluate(model, holdout, [name, "ndcg@3"])
    ranking = model.rank(holdout.history, 3, exclude=holdout.exclude)[0]
    expected = ndcg_at_k(ranking, holdout.target, 3, gain=gain)
    np.testing.assert_allclose(report.per_user[name], expected[~np.isnan(expected)])
    assert report[name] != report["ndcg@3"]
    assert report.interval[name][0] < report[name] < report.interval[name][1]


# ---------------------------------------------------------------------- what is refused


def test_rows_of_matrices_are_not_taken_for_user_ids(rated):
    model, holdout = rated
    with pytest.raises(DataError, match=r"BiasBaseline knows users by the ids .* give the holdout as Interactions"):
        evaluate(model, (holdout.history.matrix, holdout.target.matrix), "rmse")


def test_nothing_to_find_is_an_error(train, holdout):
    nothing = holdout.target.keep(np.zeros(holdout.target.n_ratings, dtype=bool))
    with pytest.raises(DataError, match="none of the 25 users has a held-out item"):
        evaluate(Popularity().fit(train), Holdout(holdout.history, nothing))


def test_ratings_are_not_asked_of_a_model_that_ranks(train, holdout):
    with pytest.raises(DataError, match="Popularity ranks items and does not predict ratings"):
        evaluate(Popularity().fit(train), holdout, ["ndcg@5", "rmse"])


@pytest.mark.parametrize(
    ("metrics", "message"), [("recall", "unknown metric 'recall'"), (["ndcg@5", "auc@5"], "'auc@5'"), ([], "empty")]
)
def test_unknown_metrics_are_refused(train, holdout, metrics, message):
    with pytest.raises(ValueError, match=message):
        evaluate(Popularity().fit(train), holdout, metrics)


def test_parts_that_do_not_fit_are_refused(train):
    model = Popularity().fit(train)
    with pytest.raises(DataError, match="history and target must be over the same users and items"):
        evaluate(model, (np.ones((2, 16)), np.ones((3, 16))))
    with pytest.raises(DataError, match="3 users and 16 items"):
        evaluate(model, (np.ones((3, 5)), np.ones((3, 5))))
    with pytest.raises(ValueError, match="n_resamples"):
        evaluate(model, (np.zeros((2, 16)), np.ones((2, 16))), n_resamples=0)


def test_what_is_no_holdout_is_refused(train):
    model, split = Popularity().fit(train), RandomHoldout().split(train)
    with pytest.raises(TypeError, match=r"give split\.test"):
        evaluate(model, split)
    with pytest.raises(TypeError, match=r"a Holdout or a pair .*, got Interactions; Split.from_parts"):
        evaluate(model, train)


# ---------------------------------------------------------------------- corrected for exposure


@pytest.mark.parametrize("name", ["snips_recall@3", "snips_ndcg@5"])
def test_debiased_metrics_are_those_of_the_functions(train, holdout, name):
    model, measure = EASE(l2=5.0).fit(train), {"snips_recall@3": debiased_recall_at_k}.get(name, debiased_ndcg_at_k)
    chances = popularity_propensities(train, 0.7)
    ranking, _ = model.rank(holdout.history, int(name[-1]), exclude=holdout.exclude)
    expected = measure(ranking, holdout.target, chances.to_numpy())
    for form in (chances, chances[::-1], chances.to_numpy()):
        report = evaluate(model, holdout, name, propensities=form)
        np.testing.assert_allclose(report.per_user[name], expected[~np.isnan(expected)])
        low, high = report.interval[name]
        assert low < report[name] < high
    forms = train, popularity_propensities(train)
    assert len({evaluate(model, holdout, name, propensities=form)[name] for form in forms}) == 1


def test_by_default_propensities_are_those_of_the_histories(train, holdout):
    model, name = EASE(l2=5.0).fit(train), "snips_recall@3"
    own = evaluate(model, holdout, name, propensities=popularity_propensities(holdout.history))
    assert evaluate(model, holdout, name)[name] == own[name]


def test_of_one_and_the_same_propensity_it_is_the_plain_recall(train, holdout):
    model = EASE(l2=5.0).fit(train)
    report = evaluate(model, holdout, ("snips_recall@4", "plain_recall@4"), propensities=np.full(16, 0.3))
    assert report["snips_recall@4"] == pytest.approx(report["plain_recall@4"])


def test_items_without_a_propensity_have_the_least(train, holdout):
    model, name = EASE(l2=5.0).fit(train), "snips_recall@3"
    chances = popularity_propensities(train)
    known = chances.drop(chances.idxmin())
    filled = known.reindex(chances.index).fillna(known.min())
    one, other = (evaluate(model, holdout, name, propensities=each) for each in (known, filled))
    assert one[name] == other[name]


@pytest.mark.parametrize(
    ("propensities", "message"),
    [
        (np.ones(15), r"\(15,\) propensities for 16 items: expected one for each"),
        (pd.Series([0.5], index=["nobody knows"]), "propensities are of none of the items of the holdout"),
        (np.zeros(16), "the propensity of item 0 is 0.0: expected a chance above 0"),
    ],
)
def test_propensities_that_do_not_fit_are_refused(train, holdout, propensities, message):
    with pytest.raises(DataError, match=message):
        evaluate(EASE(l2=5.0).fit(train), holdout, "snips_ndcg@3", propensities=propensities)


def test_debiased_metrics_are_none_to_validate_by(train, holdout):
    model = MultDAE(hidden=4, epochs=1, validation_metric="snips_ndcg@5", progress=False)
    with pytest.raises(ValueError, match="snips_ndcg@5 takes propensities of items, and cannot be watched"):
        model.fit(train, holdout)


def test_candidates_that_a_model_does_not_tell_apart_are_told():
    data = load_dataset("sample").binarize(4.0)
    split = ColdItems(0.1, seed=1).split(data)
    with pytest.warns(UserWarning, match="gives all ranked candidates of .* the same score: .* order of their ids"):
        evaluate(EASE(l2=50.0).fit(split.train), split.test, "recall@5", n_resamples=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = RandomHoldout(0.2, seed=0).split(data)
        asked = replace(known.test, candidates=data.items[:300])
        evaluate(EASE(l2=50.0).fit(known.train), asked, "recall@5", n_resamples=1)


def test_graded_metrics_without_grades_are_told(train, holdout):
    model = EASE().fit(train)
    likes = Holdout(holdout.history, replace(holdout.target, matrix=ones_in(holdout.target.matrix)))
    with pytest.warns(UserWarning, match="all held-out ratings are 1: graded_ndcg@5 has no grades .* plain ndcg"):
        report = evaluate(model, likes, ["graded_ndcg@5", "ndcg@5"])
    assert report["graded_ndcg@5"] == pytest.approx(report["ndcg@5"])
