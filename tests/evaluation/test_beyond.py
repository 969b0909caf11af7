"""describe_recommendations: a world worked by hand, plain loops over users, and what it refuses."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from aerec import Interactions, evaluate
from aerec.baselines import ItemKNN, Popularity
from aerec.datasets import generate_interactions, load_dataset
from aerec.errors import DataError
from aerec.evaluation import describe_recommendations
from aerec.evaluation.evaluator import align_holdout
from aerec.models import EASE
from aerec.splitting import ColdItems, Holdout, RandomHoldout, StrongGeneralization

ITEMS = list("abcdef")
GENRES = pd.Series([("x",), ("x", "y"), ("y",), ("z",), (), ("z", "z")], index=ITEMS)


def interactions(rows, users, genres=None):
    return Interactions(csr_array(np.array(rows)), pd.Index(users), pd.Index(ITEMS), item_genres=genres)


# Popularity ranks a (4), b (2), c (2), d (1), then e and f, which nobody has rated.
TRAIN = [[1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0], [1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
HISTORY = [[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0]]
TARGET = [[0, 1, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]]
# lists of two: ann b c, bob c d, cat a e; dan has no target


@pytest.fixture
def world():
    users = ["ann", "bob", "cat", "dan"]
    train = interactions(TRAIN, list("pqrs"), GENRES)
    holdout = Holdout(interactions(HISTORY, users, GENRES), interactions(TARGET, users, GENRES))
    return Popularity().fit(train), holdout, train


def test_every_number_by_hand(world):
    found = describe_recommendations(*world, k=2)
    assert (found.n_users, found.n_left_out, found.k, found.name) == (3, 1, 2, "Popularity")
    assert found["novelty@2"] == pytest.approx(((1 + 1) / 2 + (1 + 2) / 2 + (0 + 2) / 2) / 3)
    # shown: c twice, a, b, d, e once, f never; (−5·0 − 3·1 − 1·1 + 1·1 + 3·1 + 5·2) / (6 · 6)
    assert found["gini@2"] == pytest.approx(10 / 36)
    assert found["coverage@2"] == pytest.approx(5 / 6)
    # b {x, y} and c {y}: 1/2; c {y} and d {z}: 1; a and e: e has no genre
    assert found["genre_diversity@2"] == pytest.approx(0.75)
    # ann: p = x, q = x/4 + 3y/4; bob: p = 3x/4 + y/4, q = y/2 + z/2; cat: p = x/6 + y/2 + z/3, q = x
    ann = math.log(1 / (0.99 / 4 + 0.01))
    bob = 0.75 * math.log(100) + 0.25 * math.log(0.25 / (0.99 / 2 + 0.01 / 4))
    cat = math.log(1 / 6 / (0.99 + 0.01 / 6)) / 6 + 5 / 6 * math.log(100)
    assert found["calibration@2"] == pytest.approx((ann + bob + cat) / 3)
    assert list(found.n_measured.values()) == [3, 3, 3, 2, 3]


def test_groups_by_hand(world):
    found = describe_recommendations(*world, k=2)
    activity, popularity = found.by_activity, found.by_popularity
    assert activity.index.tolist() == ["low", "middle", "high"]
    assert activity[["shortest", "longest", "n_users"]].to_numpy().tolist() == [[1, 1, 1], [2, 2, 1], [3, 3, 1]]
    assert activity["recall@2"].tolist() == [0.5, 1.0, 0.5]  # ann b of b, d; bob d; cat a of a, f
    assert popularity.index.tolist() == ["head", "middle", "tail"]
    # of nine ratings the first three begin with a, the next three with b, the last with c (place 6) and d
    assert popularity["n_items"].tolist() == [1, 1, 4]
    assert popularity["share_shown"].tolist() == pytest.approx([1 / 6, 1 / 6, 4 / 6])
    assert popularity["n_users"].tolist() == [1, 1, 3]
    assert popularity["recall@2"].tolist() == pytest.approx([1, 1, 1 / 3])  # tail: ann d no, bob d yes, cat f no


@pytest.fixture(scope="module", params=["strong", "random"])
def split(request):
    data = generate_interactions(150, 60, 2600, seed=4).binarize(3.0)
    splitter = StrongGeneralization(n_users=30) if request.param == "strong" else RandomHoldout()
    return splitter.split(data)


def slow_recall(rows, relevant, k):
    values = [
        len(set(row) & wanted) / min(k, len(wanted)) for row, wanted in zip(rows, relevant, strict=True) if wanted
    ]
    return sum(values) / len(values) if values else math.nan


def test_groups_are_those_of_plain_loops(split):
    k, model = 7, ItemKNN(k=20).fit(split.train)
    found = describe_recommendations(model, split.test, split.train, k)
    ranking, _ = model.rank(split.test.history, k, exclude=split.test.exclude)
    rows = [[i for i in row if i >= 0] for row in ranking.tolist()]
    target = split.test.target.matrix.toarray()
    relevant = [set(np.flatnonzero(row).tolist()) for row in target]
    kept = [at for at, wanted in enumerate(relevant) if wanted]
    counts = (split.train.matrix.toarray() > 0).sum(axis=0)
    left, groups = 0, {}
    for item in sorted(range(len(counts)), key=lambda i: (-counts[i], i)):
        groups[item] = min(2, 3 * left // counts.sum()) if counts[item] else 2
        left += counts[item]
    for group, (_, row) in enumerate(found.by_popularity.iterrows()):
        members = {item for item, one in groups.items() if one == group}
        assert row["n_items"] == len(members)
        part = [relevant[at] & members for at in kept]
        assert row["n_users"] == sum(map(bool, part))
        assert row[f"recall@{k}"] == pytest.approx(slow_recall([rows[at] for at in kept], part, k), nan_ok=True)
        shown = [item for at in kept for item in rows[at]]
        assert row["share_shown"] == pytest.approx(sum(item in members for item in shown) / len(shown))
    lengths = [int(split.test.history.matrix.indptr[at + 1] - split.test.history.matrix.indptr[at]) for at in kept]
    ordered = sorted(lengths)
    ends = [ordered[math.ceil(len(kept) * third / 3) - 1] for third in (1, 2)]
    for group, (_, row) in enumerate(found.by_activity.iterrows()):
        of = [at for at, length in zip(kept, lengths, strict=True) if sum(length > end for end in ends) == group]
        assert row["n_users"] == len(of)
        assert row[f"recall@{k}"] == pytest.approx(slow_recall([rows[at] for at in of], [relevant[at] for at in of], k))


def test_it_agrees_with_evaluate(split):
    model = EASE(l2=20.0).fit(split.train)
    found = describe_recommendations(model, split.test, split.train, k=10, name="mine")
    report = evaluate(model, split.test, ["recall@10", "coverage@10"], n_resamples=1)
    assert found["coverage@10"] == report["coverage@10"]
    assert (found.n_users, found.n_left_out, found.name) == (report.n_users, report.n_left_out, "mine")
    by = found.by_activity
    assert np.average(by["recall@10"], weights=by["n_users"]) == pytest.approx(report["recall@10"])


def test_a_model_that_shows_what_is_popular_is_less_novel_and_less_even(split):
    popular, linear = (
        describe_recommendations(model.fit(split.train), split.test, split.train, k=5)
        for model in (Popularity(), EASE(l2=20.0))
    )
    assert popular["novelty@5"] < linear["novelty@5"]
    assert popular["gini@5"] > linear["gini@5"]
    assert popular["calibration@5"] > linear["calibration@5"]


def test_matrices_give_the_same_numbers_without_genres(world):
    _, holdout, train = world
    matrices = (holdout.history.matrix, holdout.target.matrix)
    expected = describe_recommendations(*world, k=2)
    for model in (Popularity().fit(train.matrix), Popularity().fit(train)):
        for given in (train.matrix, train.matrix.toarray()):
            found = describe_recommendations(model, matrices, given, k=2)
            for metric in ("novelty@2", "gini@2", "coverage@2"):
                assert found[metric] == expected[metric]
            assert math.isnan(found["genre_diversity@2"])
            assert math.isnan(found["calibration@2"])
            assert (found.n_measured["calibration@2"], found.n_measured["gini@2"]) == (0, 3)
            pd.testing.assert_frame_equal(found.by_popularity, expected.by_popularity)


def test_items_that_the_model_does_not_know_are_tail_and_no_part_of_its_catalogue(world):
    model, holdout, train = world
    items = pd.Index([*ITEMS[::-1], "new"])
    wider = Holdout(holdout.history.with_items(items), holdout.target.with_items(items))
    found, expected = (describe_recommendations(model, one, train, k=2) for one in (wider, holdout))
    assert found["coverage@2"] == expected["coverage@2"]
    assert found["gini@2"] == expected["gini@2"]
    assert found.by_popularity["n_items"].tolist() == [1, 1, 5]
    assert found["calibration@2"] == pytest.approx(expected["calibration@2"])
    pd.testing.assert_frame_equal(found.by_activity, expected.by_activity)


def test_genres_come_from_either_side(world):
    model, holdout, train = world
    bare = Holdout(*(interactions(one, holdout.history.users) for one in (HISTORY, TARGET)))
    expected = describe_recommendations(*world, k=2)
    assert describe_recommendations(model, bare, train, k=2).metrics == expected.metrics
    plain = interactions(TRAIN, list("pqrs"))
    assert describe_recommendations(model, holdout, plain, k=2).metrics == expected.metrics
    none = pd.Series([()] * 6, index=ITEMS)
    empty = Holdout(
        interactions(HISTORY, holdout.history.users, none), interactions(TARGET, holdout.history.users, none)
    )
    assert describe_recommendations(model, empty, train, k=2).metrics == expected.metrics
    assert math.isnan(describe_recommendations(model, empty, plain, k=2)["calibration@2"])
    other = interactions(TRAIN, list("pqrs"), pd.Series([("z",)] * 4 + [(), ("z",)], index=ITEMS))
    assert describe_recommendations(model, holdout, other, k=2).metrics == expected.metrics  # the history goes first
    assert describe_recommendations(model, bare, other, k=2)["calibration@2"] == 0


def test_training_users_without_a_rating_do_not_count(world):
    model, holdout, _ = world
    longer = interactions([*TRAIN, [0] * 6], list("pqrst"), GENRES)
    assert (
        describe_recommendations(model, holdout, longer, k=2).metrics == describe_recommendations(*world, k=2).metrics
    )


def test_users_of_one_length_are_one_group(world):
    model, _, train = world
    users = list("uvw")
    same = Holdout(interactions([[1, 0, 0, 0, 0, 0]] * 3, users), interactions([[0, 1, 0, 1, 0, 0]] * 3, users))
    found = describe_recommendations(model, same, train, k=2)
    assert found.by_activity.index.tolist() == ["low"]
    assert found.by_activity["n_users"].tolist() == [3]


def test_json_can_hold_it(world):
    model, holdout, train = world
    matrices = (holdout.history.matrix, holdout.target.matrix)
    for found in (
        describe_recommendations(*world, k=2),
        describe_recommendations(model, matrices, train.matrix, k=1),
    ):
        content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert content["metrics"][f"gini@{found.k}"] == {"value": found[f"gini@{found.k}"], "n_users": 3}
        assert [one["popularity"] for one in content["by_popularity"]] == ["head", "middle", "tail"]
        assert content["by_activity"][0]["shortest"] == 1
    assert content["metrics"]["calibration@1"] == {"value": None, "n_users": 0}


def test_people_can_read_it(world):
    found = describe_recommendations(*world, k=2)
    text = repr(found)
    assert text.startswith("Popularity, beyond accuracy: 3 users, 1 without a relevant item left out\n")
    assert f"  gini@2             {found['gini@2']:.4f}  0: every item" in text
    assert "share a genre (2 users)" in text
    assert all(label in text for label in ("low", "middle", "high", "head", "tail", "share_shown"))
    html = dataclasses.replace(found, name="<b>")._repr_html_()
    assert "&lt;b&gt;: " in html
    assert html.count("<table") == 3
    without = describe_recommendations(world[0], (csr_array(HISTORY), csr_array(TARGET)), csr_array(TRAIN), k=2)
    assert "calibration@2           –  " in repr(without)
    assert "nan" not in repr(without).lower()


def test_what_cannot_be_described_is_refused_in_a_line(world):
    model, holdout, train = world
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        describe_recommendations(model, holdout, train, k=0)
    nothing = Holdout(holdout.history, holdout.target.keep(np.zeros(holdout.target.n_ratings, dtype=bool)))
    with pytest.raises(DataError, match="none of the 4 users has a held-out item"):
        describe_recommendations(model, nothing, train)
    with pytest.raises(DataError, match="train holds no ratings"):
        describe_recommendations(model, holdout, csr_array((3, 6)))
    with pytest.raises(DataError, match="train has 5 columns, the model 6 items; pass what it was trained on"):
        describe_recommendations(model, holdout, csr_array((3, 5)))
    with pytest.raises(DataError, match="train has 5 columns"):
        describe_recommendations(
            Popularity().fit(train.matrix), (csr_array(HISTORY), csr_array(TARGET)), np.ones((3, 5))
        )


def test_a_holdout_is_brought_to_the_columns_of_the_model(world):
    model, holdout, _ = world
    turned = Holdout(
        holdout.history.with_items(holdout.history.items[::-1]), holdout.target.with_items(holdout.target.items[::-1])
    )
    aligned, by_id = align_holdout(model, turned)
    assert by_id
    assert aligned.history.items.tolist() == ITEMS
    np.testing.assert_array_equal(aligned.target.matrix.toarray(), TARGET)
    aligned, by_id = align_holdout(model, (np.array(HISTORY), np.array(TARGET)))
    assert not by_id
    assert aligned.history.items.tolist() == ITEMS


@pytest.mark.parametrize(
    ("items", "message"),
    [(range(900, 906), "of the training data whole numbers"), (list("uvwxyz"), "train holds none of the items")],
)
def test_training_data_of_other_items_is_refused(world, items, message):
    model, holdout, train = world
    with pytest.raises(DataError, match=message):
        describe_recommendations(model, holdout, Interactions.from_matrix(train.matrix, None, items), k=2)


def test_coverage_and_gini_are_of_the_candidates_where_there_are_some():
    split = ColdItems(fraction=0.2).split(load_dataset("sample"))
    model = Popularity().fit(split.train)
    everything = len(split.test.candidates)
    assert evaluate(model, split.test, metrics=f"coverage@{everything}")[f"coverage@{everything}"] == 1
    measured = describe_recommendations(model, split.test, split.train, k=everything)
    assert measured[f"coverage@{everything}"] == 1
    assert measured[f"gini@{everything}"] == pytest.approx(0, abs=1e-12)
