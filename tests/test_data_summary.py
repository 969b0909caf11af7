"""DataSummary: what is counted, and how it is shown."""

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.data_summary import look_like_counts, mark_of_unrated, quantiles, value_counts


def test_quantiles_are_those_of_numpy():
    found = quantiles(np.array([1, 2, 3, 4, 10]))
    assert found == {"min": 1, "25 %": 2, "median": 3, "75 %": 4, "max": 10, "mean": 4}
    assert quantiles(np.array([])) == {}


def test_values_are_counted_while_they_are_few():
    assert value_counts(np.array([1.0, 5.0, 1.0])) == {1.0: 2, 5.0: 1}
    assert value_counts(np.arange(13.0)) == {}


def test_counts_are_told_from_ratings():
    assert look_like_counts(np.array([1.0, 1, 2, 3, 90]))
    assert not look_like_counts(np.array([1.0, 2, 5, 5]))  # stars
    assert not look_like_counts(np.array([1.0, 1.5, 2, 90]))  # no whole numbers
    assert not look_like_counts(np.array([60.0, 80, 90]))  # marks: large ones are the most common
    assert not look_like_counts(np.array([]))


def test_marks_of_what_is_not_rated():
    stars = np.tile([1.0, 2, 3, 4, 5], 100)
    for mark in (-1.0, 99.0, -999.0):
        assert mark_of_unrated(np.append(stars, [mark] * 50)) == (mark, 50)
    assert mark_of_unrated(np.append(stars, [12.0] * 50)) is None  # as weights of events may be
    assert mark_of_unrated(np.append(np.arange(1.0, 101), [99.0] * 50)) is None
    assert mark_of_unrated(np.append(stars, [0.5] * 50)) is None
    assert mark_of_unrated(np.append(stars, [99.0] * 3)) is None  # a slip, or a count
    assert mark_of_unrated(np.tile([-1.0, 1.0], 50)) is None  # dislikes and likes
    assert mark_of_unrated(np.tile([-2.0, -1.0, 1.0, 2.0], 50)) is None
    assert mark_of_unrated(np.ones(100)) is None
    assert mark_of_unrated(np.array([])) is None


def test_data_with_marks_are_warned_of():
    values = np.tile([1.0, 2, 3, 4, 99], 20)
    frame = pd.DataFrame({"user": np.arange(100) // 10, "item": np.arange(100) % 10, "rating": values})
    with pytest.warns(UserWarning, match="20 ratings are 99, far from all others: if that"):
        Interactions.from_frame(frame)
    with pytest.warns(UserWarning, match="20 ratings are 99"):
        Interactions.from_matrix(values.reshape(10, 10))


def test_a_summary_counts():
    data = Interactions(
        np.array([[1.0, 5.0, 0], [0, 5.0, 0]]), pd.Index(["a", "b"]), pd.Index([1, 2, 3]), item_names={1: "One"}
    )
    found = data.summary()
    assert (found.n_users, found.n_items, found.n_ratings, found.density) == (2, 3, 3, 0.5)
    assert found.ratings_per_user["max"] == 2
    assert found.ratings_per_item == {"min": 0, "25 %": 0.5, "median": 1, "75 %": 1.5, "max": 2, "mean": 1}
    assert found.rating_counts == {1.0: 1, 5.0: 2}
    assert (found.users_without, found.items_without, found.n_names) == (0, 1, 1)
    assert found.first is None
    assert "items     3 (1 of them without a rating)" in repr(found)
    assert "values    1: 33.3 %, 5: 66.7 %" in repr(found)


def test_times_are_shown_as_dates_where_they_are_some():
    def times(*values):
        frame = pd.DataFrame({"user": range(len(values)), "item": 1, "rating": 1.0, "timestamp": list(values)})
        return dict(Interactions.from_frame(frame).summary().rows())["times"]

    assert times(5, 7) == "5 to 7"
    assert times(1704067200, 1704067260) == "2024-01-01 00:00 to 2024-01-01 00:01"
    assert times(*pd.to_datetime(["1950-01-01", "2024-01-02"])) == "1950-01-01 00:00 to 2024-01-02 00:00"


def test_many_values_are_shown_by_their_quantiles_and_nothing_by_nothing():
    data = Interactions.from_matrix(np.arange(1.0, 22.0)[None])
    assert dict(data.summary().rows())["values"].startswith("min 1, 25 % 6, median 11")
    empty = Interactions.from_frame(pd.DataFrame({"user": [], "item": [], "rating": []}))
    assert dict(empty.summary().rows())["per user"] == "none"
    assert "values" not in repr(empty.summary())
