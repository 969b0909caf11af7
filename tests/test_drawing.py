"""Draws have the sizes they were asked for, and every rating is as likely to be drawn."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_data import ratings, tenths

from aerec import Interactions
from aerec.drawing import draw_ratings, places_in_rows


@given(ratings(), tenths, st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_a_share_of_all_ratings_is_met_to_the_nearest_rating(frame, fraction, seed):
    data = Interactions.from_frame(frame)
    mask = draw_ratings(data, float(fraction), np.random.default_rng(seed), per_user=False)
    assert mask.shape == (len(frame),)
    assert abs(int(mask.sum()) - fraction * len(frame)) <= Fraction(1, 2)


@given(ratings(), tenths, st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_a_share_of_each_user_is_rounded_down_but_takes_one_of_two(frame, fraction, seed):
    data = Interactions.from_frame(frame)
    mask = draw_ratings(data, float(fraction), np.random.default_rng(seed), per_user=True)
    drawn = data.to_frame()[mask]["user"].value_counts()
    for user, count in frame["user"].value_counts().items():
        expected = 0 if count == 1 else max(1, int(fraction * count))
        assert drawn.get(user, 0) == expected


@pytest.mark.parametrize("per_user", [False, True])
def test_every_rating_is_as_likely_to_be_drawn(per_user):
    data = Interactions.from_matrix(np.ones((4, 10)))
    rng = np.random.default_rng(0)
    often = np.mean([draw_ratings(data, 0.3, rng, per_user=per_user) for _ in range(2000)], axis=0)
    assert np.abs(often - 0.3).max() < 4.5 * (0.3 * 0.7 / 2000) ** 0.5


@given(ratings(), st.data())
@settings(deadline=None)
def test_places_are_the_order_of_keys_within_a_user(frame, data):
    interactions = Interactions.from_frame(frame)
    keys = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=len(frame), max_size=len(frame))))
    users = interactions.to_frame()["user"]
    expected = pd.Series(keys).groupby(users.to_numpy()).rank(method="first") - 1
    assert places_in_rows(interactions, keys).tolist() == expected.tolist()
