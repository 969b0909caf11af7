"""StrongGeneralization.liang2018 beside the procedure as published, user by user."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.datasets import read_ratings
from aerec.splitting import StrongGeneralization

SEED = 98765  # of the paper


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
