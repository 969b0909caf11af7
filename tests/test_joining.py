"""Joined data sets hold what the later part says; see test_interactions for the same of drawn frames."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from aerec import Interactions


def frame_of(*rows, columns=("user", "item", "rating", "timestamp")):
    return pd.DataFrame(list(rows), columns=list(columns)[: len(rows[0])])


def test_of_a_pair_in_two_parts_the_later_time_holds_then_the_later_part():
    old, new = frame_of((1, 7, 5.0, 30), (1, 8, 1.0, 10)), frame_of((1, 7, 2.0, 20), (1, 8, 4.0, 10))
    joined = Interactions.concat([Interactions.from_frame(old), Interactions.from_frame(new)])
    assert joined.to_frame()["rating"].tolist() == [5, 4]
    assert joined.timestamps.tolist() == [30, 10]
    assert joined.notes == ("2 ratings replaced by a later one of the same user and item",)


def test_users_and_items_without_ratings_stay_when_parts_are_joined():
    empty = Interactions.from_matrix(sp.csr_array((2, 1)), users=[9, 3], items=[5])
    joined = Interactions.concat([empty, Interactions.from_matrix(np.ones((1, 1)), users=[4], items=[1])])
    assert joined.users.tolist() == [3, 4, 9]
    assert joined.items.tolist() == [1, 5]
    assert joined.users.name == "user"


def test_names_genres_and_features_are_joined_and_the_later_hold():
    old = Interactions.from_frame(
        frame_of((1, 7, 5.0), (1, 8, 1.0)), item_names={7: "old", 8: "Eight"}, item_genres={7: ("A",)}
    ).with_item_features(pd.DataFrame({"item": [7, 8], "tag": ["x", "y"]}))
    new = Interactions.from_frame(
        frame_of((2, 7, 5.0), (2, 9, 1.0)), item_names={7: "new", 9: "Nine"}
    ).with_item_features(pd.DataFrame({"item": [7, 9], "tag": ["z", "x"]}))
    joined = Interactions.concat([old, new])
    assert joined.item_names.to_dict() == {7: "new", 8: "Eight", 9: "Nine"}
    assert joined.item_genres.to_dict() == {7: ("A",), 8: (), 9: ()}
    assert joined.feature_names.tolist() == ["tag=x", "tag=y", "tag=z"]
    assert joined.item_features.toarray().tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_times_are_joined_as_far_as_there_are_any():
    numbers = Interactions.from_frame(frame_of((1, 7, 5.0, 86400)))
    dates = Interactions.from_frame(frame_of((2, 7, 5.0, pd.Timestamp("1970-01-01T00:00:07", tz="Europe/Berlin"))))
    none = Interactions.from_frame(frame_of((3, 7, 5.0)))
    assert Interactions.concat([dates, dates]).timestamp_dtype == dates.timestamp_dtype
    with pytest.warns(UserWarning, match="numbers are read as seconds since 1970"):
        both = Interactions.concat([numbers, dates])
    assert both.to_frame()["timestamp"].tolist() == [
        pd.Timestamp("1970-01-02", tz="UTC"),
        pd.Timestamp("1969-12-31T23:00:07", tz="UTC"),
    ]
    with pytest.warns(UserWarning, match="times left out: 1 of 2 parts have none") as caught:
        assert Interactions.concat([numbers, none]).timestamps is None
    assert caught[0].filename == __file__


def test_ratings_that_add_up_to_0_are_left_out_with_a_warning():
    parts = [Interactions.from_frame(frame_of((1, 7, rating), (1, 8, 1.0))) for rating in (2.0, -2.0)]
    with pytest.warns(UserWarning, match="1 rating of 0 dropped, such as sums of what was bought") as caught:
        assert Interactions.concat(parts, duplicates="sum").matrix.toarray().tolist() == [[0, 2]]
    assert caught[0].filename == __file__


def test_ids_with_and_without_zeros_in_front_are_told_where_parts_meet():
    parts = [Interactions.from_frame(frame_of(*rows)) for rows in ([("1", 7, 1.0), ("x", 7, 1.0)], [("0001", 7, 1.0)])]
    with pytest.warns(UserWarning, match="'user' holds 1 number in two spellings, such as '0001' and '1'"):
        assert Interactions.concat(parts).n_users == 3
