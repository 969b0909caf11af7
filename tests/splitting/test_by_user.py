"""ColdUsers, and StrongGeneralization.liang2018 beside the procedure as published, user by user."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_data import generated, rows

from aerec import Interactions
from aerec.datasets import read_ratings
from aerec.errors import DataError
from aerec.splitting import ColdUsers, StrongGeneralization

SEED = 98765  # of the paper


def test_few_users_left_to_train_on_are_told():
    with pytest.warns(UserWarning, match="4 users each are held out for validation and test, 2 are left to train on"):
        StrongGeneralization(n_users=4).split(np.ones((10, 6)))


def published(plays, n_heldout):
    """The steps of the paper on a frame in the order of its file: a frame of training, and (history, target) twice."""
    unique_uid = np.sort(plays["user"].unique())
    np.random.seed(SEED)  # noqa: NPY002
    unique_uid = unique_uid[np.random.permutation(unique_uid.size)]  # noqa: NPY002
    first = unique_uid.size - 2 * n_heldout
    groups = unique_uid[:first], unique_uid[first : first + n_heldout], unique_uid[first + n_heldout :]
    training, *others = (plays.loc[plays["user"].isin(group)] for group in groups)
    return training, *(proportion_of(part.loc[part["item"].isin(training["item"].unique())]) for part in others)


def proportion_of(plays):
    history, target = [], []
    np.random.seed(SEED)  # noqa: NPY002
    for _, group in plays.groupby("user"):
        drawn = np.zeros(len(group), dtype=bool)
        if len(group) >= 5:
            drawn[np.random.choice(len(group), size=int(0.2 * len(group)), replace=False)] = True  # noqa: NPY002
        history.append(group[~drawn])
        target.append(group[drawn])
    return pd.concat(history), pd.concat(target)


def by_user(frame):
    return {user: sorted(items) for user, items in frame.groupby("user")["item"]}


def check_as_published(likes, n_heldout):
    training, *holdouts = published(likes.to_frame(), n_heldout)
    split = StrongGeneralization.liang2018(n_heldout).split(likes)
    assert by_user(split.train.to_frame()) == by_user(training)
    for found, (history, target) in zip((split.validation, split.test), holdouts, strict=True):
        assert found.n_users == n_heldout
        assert by_user(found.history.to_frame()) == by_user(history)
        assert by_user(found.target.to_frame()) == by_user(target)
        assert len(target) > 0


@pytest.mark.parametrize("n_heldout", [40, 90])
def test_it_is_the_split_of_the_paper_on_generated_data(n_heldout):
    rng = np.random.default_rng(1)
    activity, popularity = rng.random(300), rng.random(80) ** 4  # short histories and rare items among them
    user, item = np.nonzero(rng.random((300, 80)) < 0.5 * activity[:, None] * popularity)
    likes = Interactions.from_frame(pd.DataFrame({"user": 7 * user, "item": item, "rating": 1.0}))
    assert (np.diff(likes.matrix.indptr) < 5).any()
    check_as_published(likes, n_heldout)


def test_it_is_the_split_of_the_paper_on_movielens():
    folder = Path(os.environ.get("AEREC_DATA", ""), "ml-100k")
    if not (os.environ.get("AEREC_DATA") and folder.is_dir()):
        pytest.skip("MovieLens 100K is not here: set AEREC_DATA to the folder that holds ml-100k")
    check_as_published(read_ratings(folder).binarize(4.0).filter(5), 100)


def test_it_is_an_option_of_strong_generalization():
    assert StrongGeneralization.liang2018() == StrongGeneralization(10_000, 0.8, SEED, True, True)


# ---------------------------------------------------------------------- ColdUsers


fractions = st.integers(1, 8).map(lambda n: n / 10)
seeds = st.integers(0, 2**32 - 1)


@given(fractions, st.sampled_from([0.0, 0.1]), st.integers(0, 9), seeds, st.booleans())
@settings(deadline=None, max_examples=40)
def test_cold_users_show_their_first_ratings_alone(fraction, validation_fraction, n_history, seed, times):
    data = generated(times=times)
    split = ColdUsers(fraction, validation_fraction, n_history, seed).split(data)
    holdouts = [one for one in (split.validation, split.test) if one is not None]
    assert len(holdouts) == 1 + bool(validation_fraction)
    assert rows(split.train, *(part for one in holdouts for part in (one.history, one.target))) == rows(data)
    users = [user for part in (split.train, *(one.history for one in holdouts)) for user in part.users]
    assert sorted(users) == data.users.tolist()
    assert split.test.n_users == max(1, round(fraction * data.shape[0]))
    for holdout in holdouts:
        shown, hidden = (np.diff(part.matrix.indptr) for part in (holdout.history, holdout.target))
        assert shown.tolist() == np.minimum(shown + hidden, n_history).tolist()
        if times:
            seen, later = (part.to_frame().groupby("user")["timestamp"] for part in (holdout.history, holdout.target))
            assert (seen.max().reindex(later.min().index) <= later.min())[
                later.min().index.isin(seen.max().index)
            ].all()


def test_of_first_ratings_at_the_same_time_each_is_as_likely_to_be_shown():
    frame = pd.DataFrame({"user": np.repeat(range(3000), 3), "item": np.tile(range(3), 3000)})
    for more in ({}, {"timestamp": 5}):
        data = Interactions.from_frame(frame.assign(rating=1.0, **more))
        shown = ColdUsers(0.9, 0.0, n_history=1).split(data).test.history.matrix.indices
        assert np.abs(np.bincount(shown) / 2700 - 1 / 3).max() < 4 * (2 / 9 / 2700) ** 0.5


def test_something_is_left_to_train_on():
    one = Interactions.from_frame(pd.DataFrame({"user": [1], "item": [2], "rating": [1.0]}))
    with pytest.raises(DataError, match=r"holding out 1 \+ 0 of 1 .* leaves none to train on"):
        ColdUsers(0.5, 0.0).split(one)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ColdUsers(1.0), r"fraction must be in \(0, 1\), got 1.0"),
        (lambda: ColdUsers(0.1, -0.1), r"validation_fraction must be in \[0, 1\), got -0.1"),
        (lambda: ColdUsers(n_history=-1), "n_history must be a whole number of at least 0, got -1"),
        (lambda: ColdUsers(n_history=0.5), "n_history must be a whole number of at least 0, got 0.5"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()
