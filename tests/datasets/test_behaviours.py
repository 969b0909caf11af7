"""combine: views, carts and purchases as one matrix."""

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.datasets import combine
from aerec.errors import DataError


def events(pairs, **more):
    frame = pd.DataFrame(pairs, columns=["user", "item"]).assign(**more)
    return Interactions.from_frame(frame, rating="rating" if "rating" in more else None)


def test_weights_are_added_up_over_the_union_of_users_and_items():
    views, carts, orders = events([(1, 7), (1, 8), (2, 9)]), events([(1, 8), (3, 7)]), events([(1, 8), (4, 5)])
    found = combine({"view": views, "cart": carts, "buy": orders}, view=1, cart=3, buy=5)
    rows = set(found.to_frame().itertuples(index=False, name=None))
    assert rows == {(1, 7, 1.0), (1, 8, 9.0), (2, 9, 1.0), (3, 7, 3.0), (4, 5, 5.0)}
    assert found.users.tolist() == [1, 2, 3, 4]
    assert found.items.tolist() == [5, 7, 8, 9]


def test_no_note_says_that_one_behaviour_replaces_another():
    views, orders = events([(1, 7), (1, 8)]), events([(1, 7)])
    assert combine({"view": views, "buy": orders}, view=1, buy=5).notes == ()
    kept = combine({"view": views.filter(2), "buy": orders}, view=1, buy=5)
    assert kept.notes == views.filter(2).notes


def test_how_often_it_happened_counts_and_the_last_time_stays():
    views = events([(1, 7), (1, 8)], rating=[4.0, 1.0], timestamp=[10, 20])
    orders = events([(1, 7)], rating=[2.0], timestamp=[30])
    found = combine({"view": views, "buy": orders}, view=0.5, buy=10).to_frame()
    assert found["rating"].tolist() == [22.0, 0.5]
    assert found["timestamp"].tolist() == [30, 20]


def test_one_behaviour_of_weight_1_stays_what_it_is():
    rng = np.random.default_rng(0)
    pairs = np.argwhere(rng.random((9, 7)) < 0.4)
    data = events(pairs.tolist(), rating=rng.random(len(pairs)) + 0.1)
    pd.testing.assert_frame_equal(combine({"view": data}, view=1).to_frame(), data.to_frame())


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ({"view": 1}, ValueError, "behaviour 'low' needs a weight above 0, got None"),
        ({"view": 0, "low": 1}, ValueError, "behaviour 'view' needs a weight above 0, got 0"),
        ({"view": "a", "low": 1}, ValueError, "behaviour 'view' needs a weight above 0, got 'a'"),
        ({"view": 1, "low": 1, "by": 2}, ValueError, "a weight for an unknown behaviour 'by'"),
        ({"view": 1, "low": 1}, DataError, "behaviour 'low' has the value -1: expected values above 0"),
    ],
)
def test_what_cannot_be_added_up_is_refused(weights, error, message):
    behaviours = {"view": events([(1, 7)]), "low": events([(1, 7)], rating=[-1.0])}
    with pytest.raises(error, match=message):
        combine(behaviours, **weights)
    with pytest.raises(ValueError, match="no behaviour to combine"):
        combine({})
    with pytest.raises(TypeError, match="behaviour 'view' is a DataFrame: expected Interactions"):
        combine({"view": pd.DataFrame()}, view=1)
