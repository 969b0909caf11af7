"""Splitters: nothing lost, nothing in two parts, no look into the future, and the same again by the same seed."""

import dataclasses
import itertools
import operator
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aerec import Interactions
from aerec.errors import DataError
from aerec.splitting import (
    ColdItems,
    ColdUsers,
    KFold,
    LeaveLastOut,
    RandomHoldout,
    RollingTime,
    StrongGeneralization,
    TemporalSplit,
)

tenths = st.integers(1, 9).map(lambda n: Fraction(n, 10))
seeds = st.integers(0, 2**32 - 1)


@st.composite
def interactions(draw, min_users=1, last_time=30):
    n_users = draw(st.integers(min_users, 9))
    pair = st.tuples(st.integers(0, n_users - 1), st.integers(10, 18))
    pairs = draw(st.lists(pair, max_size=45, unique=True))
    pairs += [(user, 19) for user in range(n_users)]  # so that every user is there
    frame = pd.DataFrame(pairs, columns=["user", "item"])
    n = len(pairs)
    frame["rating"] = draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))
    frame["timestamp"] = draw(st.lists(st.integers(0, last_time), min_size=n, max_size=n))
    return Interactions.from_frame(frame)


def frame_of_many(ties=1):
    """Ratings of 60 users in no particular order, `ties` of them at any one time."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((60, 40)) < 0.3)
    times = rng.permutation(len(user)) // ties
    frame = pd.DataFrame({"user": user, "item": item, "rating": rng.integers(1, 6, len(user)), "timestamp": times})
    return frame.sample(frac=1, random_state=1)


@pytest.fixture(scope="module")
def many():
    return Interactions.from_frame(frame_of_many())


@pytest.fixture(scope="module")
def many_tied():
    return Interactions.from_frame(frame_of_many(ties=120))


def rows(*parts):
    """Everything known of each rating; a rating in two parts would stand here twice."""
    return sorted(row for part in parts for row in part.to_frame().itertuples(index=False, name=None))


def content(split):
    holdouts = [one for one in (split.validation, split.test) if one is not None]
    return [rows(split.train), *([rows(one.history), rows(one.target)] for one in holdouts)]


def splits_of(splitter, data):
    """Return all splits of a splitter, of the kind that gives one or of the kind that gives several."""
    return list(splitter.splits(data)) if hasattr(splitter, "splits") else [splitter.split(data)]


def contents(splitter, data):
    return [content(split) for split in splits_of(splitter, data)]


def check_weak(split, data):
    """Train and targets divide what was given; histories never hold a target; ids stay as they are."""
    targets = [one.target for one in (split.validation, split.test) if one is not None]
    assert rows(split.train, *targets) == rows(data)
    for part in (split.train, *targets, split.test.history):
        assert part.users.equals(data.users)
        assert part.items.equals(data.items)
    if split.validation is not None:
        assert rows(split.validation.history) == rows(split.train)
        assert split.validation.exclude is None


# ---------------------------------------------------------------------- StrongGeneralization


@given(interactions(min_users=3), st.data(), tenths, seeds, st.booleans())
@settings(deadline=None)
def test_strong_held_out_users_are_never_trained_on(data, more, fold_in, seed, drop):
    n_users = more.draw(st.integers(1, (data.shape[0] - 1) // 2))
    split = StrongGeneralization(n_users, float(fold_in), seed, drop).split(data)
    groups = [split.train.users, split.validation.history.users, split.test.history.users]
    assert [len(group) for group in groups] == [data.shape[0] - 2 * n_users, n_users, n_users]
    assert sorted(user for group in groups for user in group) == data.users.tolist()
    assert rows(split.train) == rows(data.select_users(split.train.users))
    trained = set(split.train.to_frame()["item"])
    for holdout in (split.validation, split.test):
        assert holdout.exclude is None
        assert holdout.history.items.equals(data.items)
        mine = [row for row in rows(data.select_users(holdout.history.users)) if not drop or row[1] in trained]
        assert rows(holdout.history, holdout.target) == mine
        targets = holdout.target.to_frame()["user"].value_counts()
        for user, count in pd.Series([row[0] for row in mine], dtype=int).value_counts().items():
            expected = 0 if count == 1 else max(1, int((1 - fold_in) * count))
            assert targets.get(user, 0) == expected


def test_strong_drops_items_that_nobody_trained_on_has_rated():
    # every user rates the item of all and an item of their own
    frame = pd.DataFrame({"user": [*range(9)] * 2, "item": [0] * 9 + [*range(1, 10)], "rating": 1.0})
    data = Interactions.from_frame(frame)
    dropped, kept = (StrongGeneralization(2, 0.5, drop_unseen_items=drop).split(data) for drop in (True, False))
    assert dropped.test.history.n_ratings + dropped.test.target.n_ratings == 2
    assert kept.test.history.n_ratings + kept.test.target.n_ratings == 4
    assert dropped.test.history.users.equals(kept.test.history.users)
    assert dropped.train.shape == kept.train.shape == (5, 10)


@pytest.mark.parametrize(("fold_in", "targets"), [(0.8, 2), (0.9, 1), (0.7, 3), (0.35, 6), (0.99, 1)])
def test_strong_shares_are_those_of_decimal_fractions(fold_in, targets):
    frame = pd.DataFrame({"user": np.repeat(range(3), 10), "item": np.tile(range(10), 3), "rating": 1.0})
    split = StrongGeneralization(1, fold_in).split(Interactions.from_frame(frame))
    assert [one.target.n_ratings for one in (split.validation, split.test)] == [targets, targets]


def test_strong_needs_somebody_to_train_on():
    data = Interactions.from_frame(pd.DataFrame({"user": range(6), "item": 1, "rating": 1.0}))
    with pytest.raises(DataError, match=r"holding out 2 x 3 users of 6 leaves none to train on; .* at most 2"):
        StrongGeneralization(3).split(data)
    assert StrongGeneralization(2).split(data).train.shape[0] == 2


# ---------------------------------------------------------------------- RandomHoldout


@given(interactions(), tenths, st.one_of(st.just(Fraction(0)), tenths), seeds)
@settings(deadline=None)
def test_random_shares_are_met_to_the_nearest_rating(data, fraction, validation_fraction, seed):
    split = RandomHoldout(float(fraction), float(validation_fraction), seed).split(data)
    check_weak(split, data)
    n_test = split.test.target.n_ratings
    assert abs(n_test - fraction * data.n_ratings) <= Fraction(1, 2)
    assert rows(split.test.history) == rows(split.train)
    if validation_fraction:
        rest = data.n_ratings - n_test
        assert abs(split.validation.target.n_ratings - validation_fraction * rest) <= Fraction(1, 2)
        assert rows(split.test.exclude) == rows(split.validation.target)
    else:
        assert split.validation is None
        assert split.test.exclude is None


@given(interactions(), tenths, st.one_of(st.just(Fraction(0)), tenths), seeds)
@settings(deadline=None)
def test_random_shares_of_each_user_are_rounded_down(data, fraction, validation_fraction, seed):
    split = RandomHoldout(float(fraction), float(validation_fraction), seed, per_user=True).split(data)
    check_weak(split, data)
    count = np.diff(data.matrix.indptr)
    for share, holdout in ((fraction, split.test), (validation_fraction, split.validation)):
        if holdout is not None:
            drawn = np.diff(holdout.target.matrix.indptr)
            assert drawn.tolist() == [0 if n < 2 else max(1, int(share * int(n))) for n in count]
            count = count - drawn


# ---------------------------------------------------------------------- LeaveLastOut


def is_ordered_by_time(*parts):
    """Whether no rating of a user is later than one of the same user in a part further on."""
    times = [part.to_frame().groupby("user")["timestamp"] for part in parts]
    return all(
        (earlier.max().reindex(later.min().index) <= later.min()).dropna().all()
        for earlier, later in itertools.pairwise(times)
    )


@pytest.mark.filterwarnings("ignore:.*made their last ratings at the same time")
@given(interactions(last_time=6), st.booleans(), st.one_of(st.none(), seeds))
@settings(deadline=None)
def test_leave_last_out_takes_the_last_by_time(data, with_validation, seed):
    split = LeaveLastOut(with_validation, seed).split(data)
    check_weak(split, data)
    counts = np.diff(data.matrix.indptr)
    enough = counts > (2 if with_validation else 1)
    assert np.diff(split.test.target.matrix.indptr).tolist() == enough.astype(int).tolist()
    assert is_ordered_by_time(split.test.history, split.test.target)
    assert rows(split.test.history, split.test.target) == rows(data)
    assert split.test.exclude is None
    if with_validation:
        assert np.diff(split.validation.target.matrix.indptr).tolist() == enough.astype(int).tolist()
        assert is_ordered_by_time(split.train, split.validation.target, split.test.target)
    else:
        assert split.validation is None


@pytest.mark.filterwarnings("ignore:.*made their last ratings at the same time")
@given(interactions(last_time=6))
@settings(deadline=None)
def test_without_a_seed_the_higher_column_is_later(data):
    found = LeaveLastOut(validation=False, seed=None).split(data).test.target
    expected = []
    for _, mine in data.to_frame().groupby("user"):
        ordered = sorted(mine.itertuples(index=False, name=None), key=lambda row: (row[3], row[1]))
        expected += ordered[-1:] if len(ordered) > 1 else []
    assert rows(found) == sorted(expected)


def test_of_ratings_at_the_same_time_each_is_as_likely_to_be_held_out():
    n_users, n_items = 4000, 4  # of four ratings the last three are of one time
    frame = pd.DataFrame({"user": np.repeat(range(n_users), n_items), "item": np.tile(range(n_items), n_users)})
    data = Interactions.from_frame(frame.assign(rating=1.0, timestamp=np.minimum(frame["item"], 1)))
    with pytest.warns(UserWarning, match=r"4,000 of 4,000 users .* \(drawn by seed 3\)"):
        split = LeaveLastOut(seed=3).split(data)
    for part in (split.validation.target, split.test.target):
        shares = np.bincount(part.matrix.indices, minlength=n_items) / n_users
        assert shares[0] == 0
        assert np.abs(shares[1:] - 1 / 3).max() < 4 * (2 / 9 / n_users) ** 0.5
    pairs = split.validation.target.matrix.indices * n_items + split.test.target.matrix.indices
    assert len(np.unique(pairs)) == 6  # every ordered pair of the three


@pytest.mark.parametrize(
    ("times", "with_validation", "tied"),
    [
        ([1, 2, 2], True, True),
        ([2, 2, 3], True, True),  # validation or training
        ([2, 2, 3], False, False),
        ([1, 2, 3], True, False),
        ([1, 1], True, False),  # too few to be held out
    ],
)
def test_users_whose_last_ratings_are_of_one_time_are_counted(times, with_validation, tied):
    frame = pd.DataFrame({"user": "ann", "item": range(len(times)), "rating": 1.0, "timestamp": times})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        LeaveLastOut(with_validation).split(Interactions.from_frame(frame))
    assert [str(one.message).startswith("1 of 1 users made") for one in caught] == [True] * tied
    assert all(one.filename == __file__ for one in caught)


def test_leave_last_out_by_hand():
    frame = pd.DataFrame(
        [("ann", "x", 5, 30), ("ann", "y", 4, 10), ("ann", "z", 3, 20), ("bob", "x", 2, 2), ("bob", "y", 1, 1)],
        columns=["user", "item", "rating", "timestamp"],
    )
    split = LeaveLastOut().split(Interactions.from_frame(frame))
    assert rows(split.test.target) == [("ann", "x", 5, 30)]
    assert rows(split.validation.target) == [("ann", "z", 3, 20)]
    assert rows(split.train) == [("ann", "y", 4, 10), ("bob", "x", 2, 2), ("bob", "y", 1, 1)]
    assert rows(LeaveLastOut(validation=False).split(Interactions.from_frame(frame)).test.target) == [
        ("ann", "x", 5, 30),
        ("bob", "x", 2, 2),
    ]


# ---------------------------------------------------------------------- TemporalSplit


@pytest.mark.parametrize("splitter", [LeaveLastOut(validation=False), TemporalSplit(0.0, 0.4)])
def test_of_repeated_trips_the_first_keeps_the_past_out_of_the_target(splitter):
    trips = pd.DataFrame(
        [("ann", "a", 1), ("ann", "b", 2), ("ann", "c", 3), ("ann", "a", 4)], columns=["user", "item", "timestamp"]
    )
    data = Interactions.from_frame(trips, rating=None, duplicates="first")
    split = splitter.split(data)
    assert "a" in set(split.test.history.to_frame()["item"])
    assert "a" not in set(split.test.target.to_frame()["item"])


def test_a_cut_that_falls_into_a_tie_says_which_shares_can_be_cut():
    days = [1] * 11 + [*range(2, 11)]
    data = Interactions.from_frame(pd.DataFrame({"user": 1, "item": range(20), "rating": 1.0, "timestamp": days}))
    shares = "0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45;"
    with pytest.raises(DataError, match=rf"into 11 of 20 ratings .* can be {shares}"):
        TemporalSplit(test_fraction=0.6, validation_fraction=0.1).split(data)
    assert TemporalSplit(test_fraction=0.4, validation_fraction=0.05).split(data).train.n_ratings == 11
    with pytest.raises(DataError, match="too much alike"):
        TemporalSplit(0.1, 0.1).split(dataclasses.replace(data, timestamps=np.ones(20)))


def latest(times, at_least):
    """Begin of the shortest stretch of time, up to the end, with so many ratings."""
    return max(time for time in times if sum(other >= time for other in times) >= at_least)


@given(interactions(), st.one_of(st.just(Fraction(0)), tenths), tenths)
@settings(deadline=None)
def test_time_is_cut_where_the_shares_are_reached_and_nothing_leaks(data, validation_fraction, test_fraction):
    assume(validation_fraction + test_fraction < 1)
    times, n = data.timestamps.tolist(), data.n_ratings
    for share in (test_fraction, validation_fraction + test_fraction):
        assume(2 * n * share % 2 != 1)  # half a rating may be rounded either way
    begins_test = latest(times, max(1, round(n * test_fraction)))
    begins_validation = begins_test
    if validation_fraction:
        begins_validation = latest(times, max(1, round(n * (validation_fraction + test_fraction))))
    splitter = TemporalSplit(float(validation_fraction), float(test_fraction))
    if begins_validation == min(times) or (validation_fraction and begins_validation == begins_test):
        with pytest.raises(DataError, match=r"too much alike to be cut in time|a cut falls into .* the same time"):
            splitter.split(data)
        return
    split = splitter.split(data)
    check_weak(split, data)
    assert split.test.target.timestamps.min() == begins_test
    assert split.test.exclude is None
    assert (split.test.history.timestamps < begins_test).all()
    assert rows(split.test.history, split.test.target) == rows(data)
    assert split.train.timestamps.max() < begins_validation
    if validation_fraction:
        assert split.validation.target.timestamps.min() == begins_validation
        assert split.validation.target.timestamps.max() < begins_test
    else:
        assert split.validation is None


def test_temporal_shares_are_met_where_all_times_differ(many):
    split = TemporalSplit(0.2, 0.1).split(many)
    assert split.test.target.n_ratings == round(0.1 * many.n_ratings)
    assert split.validation.target.n_ratings + split.test.target.n_ratings == round(0.3 * many.n_ratings)


def test_ratings_of_the_same_moment_are_not_divided():
    # the last two would be the test, but three were made in the moment in which it begins
    times = [0, 1, 2, 3, 4, 5, 6, 8, 8, 8]
    frame = pd.DataFrame({"user": range(10), "item": 0, "rating": 1.0, "timestamp": times})
    split = TemporalSplit(0.0, 0.2).split(Interactions.from_frame(frame))
    assert split.test.target.timestamps.tolist() == [8, 8, 8]
    assert split.test.history.matrix[[9]].nnz == 0  # a user of whom nothing was known before


# ---------------------------------------------------------------------- all of them

BY_SEED = [
    LeaveLastOut(),
    StrongGeneralization(10),
    StrongGeneralization(10, fold_in=0.5, drop_unseen_items=False),
    RandomHoldout(),
    StrongGeneralization(10, as_published=True),
    RandomHoldout(per_user=True),
    KFold(3),
    KFold(3, "ratings", validation_fraction=0.2),
    KFold(4, validation_fraction=0.1),
    ColdItems(),
    ColdUsers(),
]
EVERY_SPLITTER = [
    *BY_SEED,
    LeaveLastOut(validation=False),
    TemporalSplit(),
    TemporalSplit(0.0, 0.3),
    ColdItems(0.2, 0.0),
    ColdUsers(0.2, 0.0, n_history=0),
    RollingTime(3),
    RollingTime(3, window=90, train_window=200, validation_fraction=0.2),
]


@pytest.mark.parametrize("splitter", EVERY_SPLITTER, ids=repr)
def test_the_same_splitter_splits_the_same_way_and_leaves_the_data_alone(splitter, many):
    before = rows(many)
    first = contents(splitter, many)
    assert contents(splitter, many) == first
    assert contents(dataclasses.replace(splitter), many) == first
    assert rows(many) == before


@pytest.mark.parametrize("splitter", EVERY_SPLITTER, ids=repr)
def test_no_target_is_seen_in_training_or_in_a_history(splitter, many):
    for split in splits_of(splitter, many):
        for holdout in (split.validation, split.test):
            if holdout is not None:
                target = set(rows(holdout.target))
                assert target
                assert not target & set(rows(split.train))
                assert not target & set(rows(holdout.history))
        if split.validation is not None:
            assert not set(rows(split.validation.history)) & set(rows(split.test.target))
            assert not set(rows(split.validation.target)) & set(rows(split.test.target))


@pytest.mark.filterwarnings("ignore:.*made their last ratings at the same time")
@pytest.mark.parametrize("splitter", BY_SEED, ids=repr)
def test_another_seed_splits_another_way(splitter, many_tied):
    splits = [splits_of(dataclasses.replace(splitter, seed=seed), many_tied)[0] for seed in range(5)]
    assert len({tuple(rows(split.train)) for split in splits}) == 5
    assert len({tuple(rows(split.test.target)) for split in splits}) == 5


@pytest.mark.filterwarnings("ignore:.*made their last ratings at the same time")
@pytest.mark.parametrize("splitter", EVERY_SPLITTER, ids=repr)
def test_the_order_of_the_rows_does_not_matter(splitter):
    frame = frame_of_many(ties=40)
    if getattr(splitter, "window", None) is not None:
        frame["timestamp"] *= 40  # so that a window holds as much as without ties
    expected = contents(splitter, Interactions.from_frame(frame))
    for ordered in (frame[::-1], frame.sort_values(["item", "rating"]), frame.sample(frac=1, random_state=7)):
        assert contents(splitter, Interactions.from_frame(ordered)) == expected


@pytest.mark.parametrize("splitter", EVERY_SPLITTER, ids=repr)
def test_ids_come_out_as_they_went_in(splitter):
    frame = frame_of_many()
    named = frame.assign(user=frame["user"].map("u{:02}".format), item=frame["item"].map("i{:02}".format))
    numbered, texts = (splits_of(splitter, Interactions.from_frame(one)) for one in (frame, named))
    for split, same in zip(texts, numbered, strict=True):
        for part in ("train", "test.history", "test.target", "validation.history", "validation.target"):
            if part.startswith("validation") and same.validation is None:
                continue
            found, expected = (rows(operator.attrgetter(part)(one)) for one in (split, same))
            assert found == [(f"u{user:02}", f"i{item:02}", *rest) for user, item, *rest in expected]


@pytest.mark.parametrize("splitter", [LeaveLastOut(), TemporalSplit(), RollingTime()], ids=repr)
def test_without_timestamps_there_is_no_last(splitter):
    data = Interactions.from_frame(pd.DataFrame({"user": [1, 1], "item": [1, 2], "rating": 1.0}))
    with pytest.raises(DataError, match=f"{type(splitter).__name__} needs to know when .* use RandomHoldout"):
        splits_of(splitter, data)


def test_without_ratings_there_is_nothing_to_cut(many):
    with pytest.raises(DataError, match="no ratings to divide"):
        TemporalSplit().split(many.keep(np.zeros(many.n_ratings, dtype=bool)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StrongGeneralization(0), "n_users must be a whole number of at least 1, got 0"),
        (lambda: StrongGeneralization(0.1), "n_users must be a whole number of at least 1, got 0.1"),
        (lambda: StrongGeneralization(1.5), "n_users must be a whole number of at least 1, got 1.5"),
        (lambda: StrongGeneralization(5, fold_in=1.0), r"fold_in must be in \(0, 1\), got 1.0"),
        (lambda: RandomHoldout(0.0), r"fraction must be in \(0, 1\), got 0.0"),
        (lambda: RandomHoldout(1.2), r"fraction must be in \(0, 1\), got 1.2"),
        (lambda: RandomHoldout(0.1, -0.1), r"validation_fraction must be in \[0, 1\), got -0.1"),
        (lambda: TemporalSplit(test_fraction=0.0), r"test_fraction must be in \(0, 1\), got 0.0"),
        (lambda: TemporalSplit(1.0), r"validation_fraction must be in \[0, 1\), got 1.0"),
        (lambda: TemporalSplit(0.5, 0.5), "leave nothing to train on"),
    ],
)
def test_shares_that_make_no_sense_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_splitter_cannot_be_changed():
    for splitter in EVERY_SPLITTER:
        name = dataclasses.fields(splitter)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(splitter, name, 3)


@pytest.mark.parametrize("splitter", [StrongGeneralization(2), RandomHoldout(0.2)])
def test_a_matrix_is_split_like_interactions_without_ids(splitter):
    matrix = sp.csr_array(np.random.default_rng(0).integers(0, 3, (12, 9)))
    of_matrix, of_data = splitter.split(matrix), splitter.split(Interactions.from_matrix(matrix))
    assert (of_matrix.train.matrix != of_data.train.matrix).nnz == 0
    assert (of_matrix.test.target.matrix != of_data.test.target.matrix).nnz == 0
