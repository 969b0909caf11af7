"""RandomHoldout: shares of ratings, over all of them or of each user; every rating in one part."""

import numpy as np
import pytest

from aerec.datasets import generate_interactions
from aerec.splitting import RandomHoldout


@pytest.fixture(scope="module")
def data():
    return generate_interactions(60, 40, 700, seed=2)


def pairs(interactions):
    frame = interactions.to_frame()
    return set(zip(frame["user"], frame["item"], strict=True))


def test_every_rating_is_in_one_part(data):
    split = RandomHoldout(0.2, 0.25, seed=3).split(data)
    parts = [pairs(split.train), pairs(split.validation.target), pairs(split.test.target)]
    assert set.union(*parts) == pairs(data)
    assert sum(map(len, parts)) == data.n_ratings
    n_test = round(0.2 * data.n_ratings)
    assert len(parts[2]) == n_test
    assert len(parts[1]) == round(0.25 * (data.n_ratings - n_test))


def test_the_test_history_is_the_training_part_and_validation_is_not_recommended(data):
    split = RandomHoldout(0.2, 0.25, seed=3).split(data)
    assert pairs(split.test.history) == pairs(split.train)
    assert pairs(split.test.exclude) == pairs(split.validation.target)


def test_without_validation_there_is_none(data):
    split = RandomHoldout(0.2, 0.0).split(data)
    assert split.validation is None
    assert split.train.n_ratings + split.test.target.n_ratings == data.n_ratings


def test_a_share_of_each_user_is_rounded_down_but_at_least_one_of_two(data):
    target = RandomHoldout(0.3, 0.0, per_user=True).split(data).test.target
    counts = np.diff(data.matrix.indptr)
    taken = np.diff(target.with_users(data.users).matrix.indptr)
    expected = np.where(counts >= 2, np.maximum(1, np.floor(0.3 * counts)), 0)
    np.testing.assert_array_equal(taken, expected)


def test_seeds_repeat_a_split_and_others_do_not(data):
    first, again, other = (pairs(RandomHoldout(seed=seed).split(data).test.target) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("given", [{"fraction": 0.0}, {"fraction": 1.0}, {"validation_fraction": -0.1}])
def test_shares_outside_of_their_range_are_refused(given):
    with pytest.raises(ValueError, match=next(iter(given))):
        RandomHoldout(**given)
