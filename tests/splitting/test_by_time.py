"""RollingTime: each window is tested by what came before it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from aerec import Interactions
from aerec.errors import DataError
from aerec.splitting import RollingTime


def at(times):
    """A rating at each of `times`, of ten users in turn."""
    n = len(times)
    frame = pd.DataFrame({"user": np.arange(n) % 10, "item": np.arange(n) // 10, "rating": 1.0, "timestamp": times})
    return Interactions.from_frame(frame)


def times(part):
    return sorted(part.timestamps.tolist())


@given(st.integers(1, 6), st.integers(7, 80), st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_without_a_length_the_windows_are_those_of_scikit_learn(n_splits, n, seed):
    n -= n % (n_splits + 1)  # scikit-learn gives the rest to the first part
    order = np.random.default_rng(seed).permutation(n)
    splits = list(RollingTime(n_splits).splits(at(order)))
    if n_splits > 1:
        for split, (train, test) in zip(splits, TimeSeriesSplit(n_splits).split(np.zeros(n)), strict=True):
            assert times(split.train) == train.tolist()
            assert times(split.test.target) == test.tolist()
    assert len(splits) == n_splits
    for split in splits:
        assert split.validation is None
        assert times(split.test.history) == times(split.train)


def test_windows_of_a_length_end_with_the_last_rating():
    splits = list(RollingTime(3, window=10).splits(at(range(100, 151))))
    assert [(min(t), max(t)) for t in (times(split.test.target) for split in splits)] == [
        (121, 130),
        (131, 140),
        (141, 150),
    ]
    assert [(min(t), max(t)) for t in (times(split.train) for split in splits)] == [(100, 120), (100, 130), (100, 140)]


def test_training_data_may_move_on_with_the_window():
    splits = list(RollingTime(3, window=10, train_window=15).splits(at(range(100, 151))))
    assert [(min(t), max(t)) for t in (times(split.train) for split in splits)] == [(106, 120), (116, 130), (126, 140)]
    assert [times(split.test.history) for split in splits] == [times(split.train) for split in splits]
    splits = list(RollingTime(4, train_window=15).splits(at(range(50))))
    assert [(min(t), max(t)) for t in (times(split.train) for split in splits)] == [(0, 9), (5, 19), (15, 29), (25, 39)]


def test_validation_data_are_the_latest_before_the_window():
    for split in RollingTime(2, validation_fraction=0.3).splits(at(range(60))):
        n = split.test.history.n_ratings
        assert split.validation.target.n_ratings == round(0.3 * n)
        assert max(times(split.train)) < min(times(split.validation.target))
        assert max(times(split.validation.target)) < min(times(split.test.target))
        assert times(split.train) + times(split.validation.target) == times(split.test.history)
        assert times(split.validation.history) == times(split.train)


@given(st.lists(st.integers(0, 12), min_size=8, max_size=60), st.integers(1, 4), st.sampled_from([None, 2, 3.5]))
@settings(deadline=None)
def test_ratings_of_the_same_moment_are_not_divided(moments, n_splits, window):
    data = at(moments)
    try:
        splits = list(RollingTime(n_splits, window).splits(data))
    except DataError:
        return
    for split in splits:
        assert max(times(split.train)) < min(times(split.test.target))
    tested = [time for split in splits for time in times(split.test.target)]
    assert times(splits[0].train) + tested == times(data)


@pytest.mark.parametrize(
    ("splitter", "moments", "message"),
    [
        (RollingTime(3), [5] * 9, "the time before the windows holds no ratings"),
        (RollingTime(3), [1, 1, 5, 5, 5, 5, 5, 5], "window 1 of 3 holds no ratings"),
        (RollingTime(2, window=10), [0, 30], "window 1 of 2 holds no ratings; choose fewer windows, or windows of an"),
        (RollingTime(2, window=30), [0, 10, 20, 50], "the time before the windows holds no ratings"),
        (RollingTime(1, window=10, train_window=5), [0, 30], "nothing is left to train on before window 1 of 1"),
        (RollingTime(1, window=10, validation_fraction=0.5), [0, 30], "nothing is left to train on before window 1 of"),
        (RollingTime(1), [], "there are no ratings to divide"),
    ],
)
def test_empty_windows_are_refused(splitter, moments, message):
    data = at(moments) if moments else at([1]).keep(np.array([False]))
    with pytest.raises(DataError, match=message):
        list(splitter.splits(data))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RollingTime(0), "n_splits must be a whole number of at least 1, got 0"),
        (lambda: RollingTime(window=0.0), "window must be above 0 and finite, got 0.0"),
        (lambda: RollingTime(train_window=float("nan")), "train_window must be above 0 and finite, got nan"),
        (lambda: RollingTime(validation_fraction=1.0), r"validation_fraction must be in \[0, 1\), got 1.0"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("window", [None, 1.0])
@pytest.mark.parametrize("n_splits", [4, 10**10, 2**62, 2**63 - 1, 10**19])
def test_more_windows_than_ratings_are_refused(n_splits, window):
    with pytest.raises(DataError, match=f"3 ratings are too few for {n_splits} windows; choose a smaller n_splits"):
        RollingTime(n_splits=n_splits, window=window).splits(at([1, 2, 3]))


@pytest.mark.parametrize("window", [3, 2**62, 2**63, 10**30, 1e300, np.int64(2**62), np.float32(3)])
def test_windows_longer_than_all_time_are_refused(window):
    with pytest.raises(DataError, match="the time before the windows holds no ratings; choose fewer windows"):
        RollingTime(n_splits=2, window=window).splits(at([1, 2, 3, 4]))


@pytest.mark.parametrize("train_window", [2**63, 10**30, 1e300, np.int64(2**62), 3])
def test_a_train_window_longer_than_all_time_leaves_nothing_out(train_window):
    data = at([1, 2, 3, 4])
    rolling, plain = (
        [times(split.train) for split in RollingTime(n_splits=2, window=1, train_window=length).splits(data)]
        for length in (train_window, None)
    )
    assert rolling == plain == [[1, 2], [1, 2, 3]]


@pytest.mark.parametrize("name", ["window", "train_window"])
def test_a_window_that_no_float_holds_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be above 0 and finite, got 1000"):
        RollingTime(**{name: 10**400})
