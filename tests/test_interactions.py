"""Interactions: what goes in comes out, and every derived one says the same as a plain frame would."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from aerec import Interactions
from aerec.errors import DataError

ids = st.one_of(st.integers(-5, 5), st.integers(0, 5).map(lambda n: f"id{n}"))
ratings = st.integers(1, 10).map(lambda n: n / 2)


@st.composite
def frames(draw, unique=True, with_time=None):
    kinds = [draw(st.sampled_from([int, str])) for _ in range(2)]
    pairs = draw(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25, unique=unique).map(
            lambda pairs: [(kinds[0](u), kinds[1](i)) for u, i in pairs]
        )
    )
    frame = pd.DataFrame(pairs, columns=["user", "item"])
    frame["rating"] = draw(st.lists(ratings, min_size=len(pairs), max_size=len(pairs)))
    if draw(st.booleans()) if with_time is None else with_time:
        frame["timestamp"] = draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))
    return frame


def as_dict(frame):
    return {(row.user, row.item): tuple(row)[2:] for row in frame.itertuples(index=False)}


@given(frames())
def test_a_frame_comes_back_as_it_went_in(frame):
    data = Interactions.from_frame(frame)
    assert as_dict(data.to_frame()) == as_dict(frame)
    assert data.n_ratings == len(frame)
    assert data.users.is_monotonic_increasing
    assert data.items.is_monotonic_increasing
    pd.testing.assert_frame_equal(Interactions.from_frame(data.to_frame()).to_frame(), data.to_frame())


@given(frames(unique=False))
def test_of_duplicates_the_last_by_time_then_by_row_is_kept(frame):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = Interactions.from_frame(frame)
    ordered = frame.sort_values("timestamp", kind="stable") if "timestamp" in frame else frame
    expected = ordered.drop_duplicates(["user", "item"], keep="last")
    assert as_dict(data.to_frame()) == as_dict(expected)
    dropped = len(frame) - len(expected)
    assert [str(one.message).split()[0] for one in caught] == ([f"{dropped}"] if dropped else [])


@given(frames(unique=False))
def test_duplicates_can_be_added_up(frame):
    data = Interactions.from_frame(frame, duplicates="sum")
    pairs = frame.groupby(["user", "item"], as_index=False)
    expected = pairs.agg({name: "max" if name == "timestamp" else "sum" for name in frame.columns[2:]})
    assert as_dict(data.to_frame().round(3)) == as_dict(expected.round(3))
    assert len(data.notes) == (len(expected) < len(frame))
    counted = Interactions.from_frame(frame, rating=None, timestamp=None, duplicates="sum").to_frame()
    assert list(counted.rating) == list(pairs.size()["size"])


@given(frames(unique=False))
def test_the_first_of_duplicates_can_be_kept(frame):
    data = Interactions.from_frame(frame, duplicates="first")
    ordered = frame.sort_values("timestamp", kind="stable") if "timestamp" in frame else frame
    expected = ordered.drop_duplicates(["user", "item"])
    assert as_dict(data.to_frame()) == as_dict(expected)
    assert len(data.notes) == (len(expected) < len(frame))


@pytest.mark.parametrize("rating", ["rating", None])
def test_a_warning_of_duplicates_says_what_a_split_by_time_needs(rating):
    trips = pd.DataFrame({"user": [1, 1], "item": [7, 7], "rating": [1.0, 1.0], "timestamp": [10, 20]})
    with pytest.warns(UserWarning, match=r'duplicates="first" keeps the first, which a split by time needs'):
        last = Interactions.from_frame(trips, rating=rating)
    first = Interactions.from_frame(trips, rating=rating, duplicates="first")
    assert (last.timestamps.tolist(), first.timestamps.tolist()) == ([20], [10])
    with pytest.warns(UserWarning, match="1 rating replaced") as told:
        Interactions.from_frame(trips, rating=rating, timestamp=None)
    assert "first" not in str(told[0].message)


def test_joined_data_may_keep_the_first_of_a_pair():
    old, new = (
        Interactions.from_frame(pd.DataFrame({"user": [1], "item": [7], "rating": [value], "timestamp": [time]}))
        for value, time in ((2.0, 10), (5.0, 20))
    )
    joined = Interactions.concat([new, old], duplicates="first")
    assert (joined.matrix.data.tolist(), joined.timestamps.tolist()) == ([2.0], [10])
    assert joined.notes == ("1 rating left out after an earlier one of the same user and item",)


def test_repeated_events_without_a_rating_count_once():
    with pytest.warns(UserWarning, match="^1 rating replaced by a later one of the same user and item$"):
        data = Interactions.from_frame(pd.DataFrame({"user": [1, 1], "item": [7, 7]}), rating=None)
    assert data.n_ratings == 1


def test_ratings_may_be_yes_and_no():
    frame = pd.DataFrame({"user": [1, 1], "item": [1, 2], "rating": ["Yes", "no"]})
    with pytest.warns(UserWarning, match="1 rating of 0 dropped"):
        assert Interactions.from_frame(frame).to_frame().item.tolist() == [1]
    with pytest.raises(DataError, match="rating 'Yes' is not a number"):
        Interactions.from_frame(frame.replace("no", "maybe"))


def test_duplicates_of_another_kind_are_refused():
    frame = pd.DataFrame({"user": [1], "item": [1], "rating": [1.0]})
    with pytest.raises(ValueError, match=r"duplicates='mean' is not known; expected \"last\", \"first\" or \"sum\""):
        Interactions.from_frame(frame, duplicates="mean")


@pytest.mark.filterwarnings("ignore:kept")
@given(frames(), st.sampled_from([1.0, 2.5, 4.0, 9.0]))
def test_binarize_keeps_what_reaches_the_threshold_and_all_ids(frame, threshold):
    data = Interactions.from_frame(frame)
    liked = data.binarize(threshold)
    assert liked.shape == data.shape
    assert as_dict(liked.to_frame()).keys() == as_dict(frame[frame.rating >= threshold]).keys()
    assert set(liked.matrix.data) <= {1.0}
    assert (liked.timestamps is None) == (data.timestamps is None)


@pytest.mark.filterwarnings("ignore:kept")
@given(frames(), st.integers(0, 4), st.integers(0, 4))
def test_filter_ends_where_dropping_by_hand_ends(frame, per_user, per_item):
    kept = Interactions.from_frame(frame).filter(per_user, per_item)
    expected = frame
    while True:
        counts = expected.groupby("user")["item"].transform("size"), expected.groupby("item")["user"].transform("size")
        smaller = expected[(counts[0] >= per_user) & (counts[1] >= per_item)]
        if len(smaller) == len(expected):
            break
        expected = smaller
    assert as_dict(kept.to_frame()) == as_dict(expected)
    if per_user and per_item:
        assert set(kept.users) == set(expected.user)
        assert set(kept.items) == set(expected.item)


@given(frames(), st.data())
def test_users_are_selected_in_the_order_asked_for(frame, data):
    interactions = Interactions.from_frame(frame)
    wanted = data.draw(st.permutations(list(interactions.users)).map(lambda some: some[: len(some) // 2 + 1]))
    selected = interactions.select_users(wanted)
    assert list(selected.users) == wanted
    assert as_dict(selected.to_frame()) == as_dict(frame[frame.user.isin(wanted)])


@given(frames(), st.data())
def test_with_items_moves_columns_and_leaves_out_the_rest(frame, data):
    interactions = Interactions.from_frame(frame)
    kept = data.draw(st.permutations(list(interactions.items)).map(lambda some: some[: len(some) // 2 + 1]))
    extra = "new" if isinstance(kept[0], str) else 99
    items = pd.Index([*kept, extra])
    moved = interactions.with_items(items)
    assert list(moved.items) == [*kept, extra]
    assert as_dict(moved.to_frame()) == as_dict(frame[frame.item.isin(kept)])
    assert moved.matrix[:, [len(kept)]].nnz == 0


@given(frames(), st.data())
def test_with_users_gives_unknown_ones_an_empty_row(frame, data):
    interactions = Interactions.from_frame(frame)
    kept = data.draw(st.permutations(list(interactions.users)).map(lambda some: some[: len(some) // 2 + 1]))
    extra = "new" if isinstance(kept[0], str) else 99
    moved = interactions.with_users(pd.Index([extra, *kept]))
    assert list(moved.users) == [extra, *kept]
    assert as_dict(moved.to_frame()) == as_dict(frame[frame.user.isin(kept)])
    assert moved.matrix[[0]].nnz == 0


def example(**columns):
    return pd.DataFrame({"user": [1, 1, 2], "item": [7, 9, 9], "rating": [5.0, 3.0, 4.0], **columns})


def test_the_repr_shows_the_counts():
    names = pd.Series({7: "Seven", 9: "Nine"})
    data = Interactions.from_frame(example(timestamp=[1, 2, 3]), item_names=names)
    assert repr(data) == (
        "Interactions(2 users × 2 items, 3 ratings from 3 to 5, density 75 %, with timestamps, names)"
    )
    assert data.shape == (2, 2)
    assert data.density == 0.75


def test_it_cannot_be_changed():
    data = Interactions.from_frame(example(timestamp=[1, 2, 3]))
    for array in (data.matrix.data, data.matrix.indices, data.matrix.indptr, data.timestamps):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(AttributeError):
        data.users = None


def test_names_and_genres_follow_the_items():
    names = pd.Series(["Nine", "Eight", "Seven"], index=[9, 8, 7])
    genres = pd.Series([("A",), ("B", "C")], index=[9, 7])
    data = Interactions.from_frame(example(), item_names=names, item_genres=genres)
    assert data.item_names.to_dict() == {7: "Seven", 9: "Nine"}
    assert data.item_genres.to_dict() == {7: ("B", "C"), 9: ("A",)}
    moved = data.with_items(pd.Index([9, 5]))
    assert moved.item_names.to_dict() == {9: "Nine", 5: ""}
    assert moved.item_genres.to_dict() == {9: ("A",), 5: ()}


def test_two_names_for_an_item_are_refused():
    with pytest.raises(DataError, match="item 7 has two names"):
        Interactions.from_frame(example(), item_names=pd.Series(["a", "b"], index=[7, 7]))


def test_implicit_feedback_needs_no_rating_column():
    data = Interactions.from_frame(example().drop(columns="rating"), rating=None)
    assert data.is_implicit
    assert data.matrix.data.tolist() == [1, 1, 1]


def test_ratings_of_zero_are_dropped_with_a_warning():
    with pytest.warns(UserWarning, match="1 rating of 0 dropped"):
        data = Interactions.from_frame(example(rating=[5.0, 0.0, 4.0]))
    assert data.n_ratings == 2


def test_dates_become_seconds():
    data = Interactions.from_frame(example(timestamp=pd.to_datetime(["1970-01-02", "1970-01-01", "1970-01-01"])))
    assert data.timestamps.tolist() == [86400, 0, 0]
    text = Interactions.from_frame(example(timestamp=["1970-01-02", "1970-01-01", "1970-01-01T00:00:00Z"]))
    assert text.timestamps.tolist() == [86400, 0, 0]


def test_categories_become_plain_ids():
    frame = example()
    frame["user"] = pd.Categorical(["b", "b", "a"], categories=["b", "a", "never"])
    assert list(Interactions.from_frame(frame).users) == ["a", "b"]


def test_an_empty_frame_is_an_empty_matrix():
    data = Interactions.from_frame(example().iloc[:0])
    assert data.shape == (0, 0)
    assert data.density == 0
    assert data.is_implicit


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"rating": [5.0, np.nan, 1.0]}, "row 1: rating nan"),
        ({"rating": [5.0, 1.0, np.inf]}, "row 2: rating inf"),
        ({"rating": ["5", "good", "1"]}, "row 1: rating 'good' is not a number"),
        ({"user": [1, None, 2]}, "row 1: column 'user' has no id"),
        ({"item": ["a", "b", None]}, "row 2: column 'item' has no id"),
        ({"timestamp": [1, None, 2]}, "row 1: the timestamp is missing"),
        ({"timestamp": ["1", "soon", "2"]}, "row 1: timestamp 'soon'"),
    ],
)
def test_bad_values_are_named_with_their_row(columns, message):
    with pytest.raises(DataError, match=message):
        Interactions.from_frame(example(**columns))


def test_a_missing_column_is_named_with_those_there_are():
    with pytest.raises(DataError, match=r"no column 'movie' .*'user', 'item', 'rating'"):
        Interactions.from_frame(example(), item="movie")
    with pytest.raises(DataError, match="rating=None for implicit feedback"):
        Interactions.from_frame(example().drop(columns="rating"))


def test_an_unknown_user_is_named():
    with pytest.raises(DataError, match=r"unknown user 42: not among the 2 users, such as .* \(1 of "):
        Interactions.from_frame(example()).select_users([1, 42])


def test_parts_that_do_not_fit_are_refused():
    matrix = sp.csr_array(np.eye(2, dtype=np.float32))
    users, items = pd.Index([1, 2]), pd.Index([1, 2])
    with pytest.raises(DataError, match="3 users and 2 items"):
        Interactions(matrix, pd.Index([1, 2, 3]), items)
    with pytest.raises(DataError, match="user ids must be unique, 1 stands twice"):
        Interactions(matrix, pd.Index([1, 1]), items)
    with pytest.raises(DataError, match="must be aligned"):
        Interactions(matrix, users, items, np.arange(3))


def test_timestamps_need_a_matrix_whose_order_stays():
    unsorted = sp.csr_array((np.array([1.0, 2.0]), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    with pytest.raises(DataError, match="its order would change"):
        Interactions(unsorted, pd.Index([1]), pd.Index([1, 2]), np.array([10, 20]))


def test_from_matrix_numbers_what_has_no_ids():
    data = Interactions.from_matrix(np.array([[0, 2.0], [1.0, 0]]), items=["a", "b"])
    assert list(data.users) == [0, 1]
    assert list(data.items) == ["a", "b"]
    assert data.to_frame()["rating"].tolist() == [2.0, 1.0]


def test_a_notebook_shows_counts_as_a_table():
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [7, 8, 7], "rating": [2, 5, 3], "timestamp": [10, 30, 20]})
    names = pd.Series({7: "Heat", 8: ""})
    shown = Interactions.from_frame(frame, item_names=names)._repr_html_()
    rows = {
        "users": "2",
        "items": "2",
        "ratings": "3",
        "values": "2: 33.3 %, 3: 33.3 %, 5: 33.3 %",
        "times": "10 to 30",
    }
    for name, value in {**rows, "density": "75 %", "names": "of 1 items"}.items():
        assert f'<th scope="row">{name}</th><td>{value}</td>' in shown
    assert "all 1" in Interactions.from_frame(frame, rating=None)._repr_html_()
    assert "values" not in Interactions.from_matrix(sp.csr_array((2, 3)))._repr_html_()


def frame_of(*rows, columns=("user", "item", "rating", "timestamp")):
    return pd.DataFrame(list(rows), columns=list(columns)[: len(rows[0])])


# ---------------------------------------------------------------------- joining


@given(frames(), frames(), frames())
def test_joined_parts_are_their_frames_one_below_the_other(one, other, third):
    def text(frame):
        return frame.drop(columns="timestamp", errors="ignore").astype({"user": str, "item": str})

    frames = [text(frame) for frame in (one, other, third)]
    joined = Interactions.concat(Interactions.from_frame(frame) for frame in frames)
    expected = pd.concat(frames).drop_duplicates(["user", "item"], keep="last")
    assert as_dict(joined.to_frame()) == as_dict(expected)
    assert joined.users.tolist() == sorted(set(expected.user))
    assert joined.items.tolist() == sorted(set(expected.item))


@given(frames(with_time=True), st.integers(0, 25))
def test_cutting_in_two_and_joining_changes_nothing(frame, at):
    at = min(at, len(frame))
    whole = Interactions.from_frame(frame)
    joined = Interactions.concat([Interactions.from_frame(part) for part in (frame[:at], frame[at:]) if len(part)])
    pd.testing.assert_frame_equal(joined.to_frame(), whole.to_frame())


def test_ids_of_two_types_are_not_joined():
    numbers, text = Interactions.from_frame(frame_of((1, 7, 5.0))), Interactions.from_frame(frame_of((1, "7", 5.0)))
    message = r"item ids of part 0 are whole numbers, such as 7, those of part 1 text, such as '7'.*astype\(str\)"
    with pytest.raises(DataError, match=message):
        Interactions.concat([numbers, text])
    with pytest.raises(ValueError, match="nothing to join"):
        Interactions.concat([])
    with pytest.raises(TypeError, match="expected a list of Interactions, got DataFrame in it"):
        Interactions.concat([numbers, pd.DataFrame()])


# ---------------------------------------------------------------------- what was kept


@pytest.mark.parametrize("threshold", [np.nan, np.inf, "4", None, True])
def test_a_threshold_is_a_finite_number(threshold):
    with pytest.raises(ValueError, match=r"threshold must be a finite number, got"):
        Interactions.from_frame(frame_of((1, 7, 5.0))).binarize(threshold)


def test_no_rating_is_above_a_huge_threshold():
    with pytest.warns(UserWarning, match=r"kept 0 of 1 ratings") as caught:
        assert Interactions.from_frame(frame_of((1, 7, 5.0))).binarize(1e300).n_ratings == 0
    assert len(caught) == 1


@pytest.mark.parametrize("name", ["min_per_user", "min_per_item"])
@pytest.mark.parametrize("least", [np.nan, 1.5, -1, "2", True])
def test_counts_to_filter_by_are_whole_numbers(name, least):
    with pytest.raises(ValueError, match=rf"{name} must be a whole number of at least 0, got"):
        Interactions.from_frame(frame_of((1, 7, 5.0))).filter(**{name: least})


@pytest.mark.parametrize("mask", [np.ones(3, bool), np.array([0, 1]), np.array([], bool)])
def test_a_mask_of_ratings_has_one_boolean_each(mask):
    data = Interactions.from_frame(frame_of((1, 7, 5.0), (1, 8, 4.0)))
    with pytest.raises(ValueError, match=r"expected a mask of 2 booleans, one a stored rating, got"):
        data.keep(mask)


def test_what_was_kept_is_noted_and_logged(caplog):
    data = Interactions.from_frame(frame_of((1, 7, 5.0), (1, 8, 4.0), (2, 7, 4.5), (2, 9, 1.0), (3, 7, 4.0)))
    with caplog.at_level("INFO", logger="aerec"):
        kept = data.binarize(4.0).filter(2, 1)
    notes = (
        "kept 4 of 5 ratings (≥ 4.0)",
        "kept 1 of 3 users (≥ 2 ratings), 2 of 3 items (≥ 1), 2 of 4 ratings",
    )
    assert kept.notes == notes
    assert tuple(caplog.messages) == notes
    assert all(note in repr(kept.summary()) for note in notes)
    assert all(note in kept._repr_html_() for note in notes)


@pytest.mark.parametrize(
    ("ratings", "threshold", "message"),
    [
        ([1.0, 2.0, 2.5, 5.0], 4, r"kept 1 of 4 ratings \(≥ 4.0\): ratings go from 1 to 5 with median 2.25"),
        ([1, 1, 2, 500], 4, r"kept 1 of 4 .*look like counts, from 1 to 500 with median 1.5; binarize\(1\)"),
        ([0.1, 0.5, 0.7], 4, r"kept 0 of 3 .*the highest rating is 0.7; choose a lower threshold"),
        ([1, 1, 1], 4, r"kept 0 of 3 .*every rating is 1, which is what implicit feedback looks like"),
    ],
)
def test_a_threshold_that_few_ratings_reach_is_warned_of(ratings, threshold, message):
    data = Interactions.from_frame(pd.DataFrame({"user": 1, "item": range(len(ratings)), "rating": ratings}))
    with pytest.warns(UserWarning, match=message) as caught:
        data.binarize(threshold)
    assert caught[0].filename == __file__


def test_a_filter_that_leaves_few_is_warned_of():
    data = Interactions.from_frame(frame_of((1, 7, 5.0), (2, 7, 4.0), (3, 7, 4.0)))
    with pytest.warns(UserWarning, match=r"kept 0 of 3 users .*less than half; ask for fewer") as caught:
        data.filter(2)
    assert caught[0].filename == __file__


# ---------------------------------------------------------------------- features


def test_features_follow_the_items():
    data = Interactions.from_frame(example(timestamp=[1, 2, 3])).with_item_features(np.eye(2), ["a", "b"])
    for same in (
        data.binarize(1.0),
        data.select_users([2]),
        data.take_users(np.array([1])),
        data.with_users(pd.Index([2, 1])),
    ):
        assert same.item_features.toarray().tolist() == [[1, 0], [0, 1]]
    assert data.filter(1, 2).items.tolist() == [9]
    assert data.filter(1, 2).item_features.toarray().tolist() == [[0, 1]]
    moved = data.with_items(pd.Index([9, 5, 7]))
    assert moved.item_features.toarray().tolist() == [[0, 1], [0, 0], [1, 0]]
    assert moved.feature_names.tolist() == ["a", "b"]
    assert "with timestamps, features)" in repr(moved)
    assert ("features", "2") in moved.summary().rows()


def test_features_are_joined_to_those_there_are():
    data = Interactions.from_frame(example()).with_item_features(np.eye(2), ["a", "b"])
    more = data.with_item_features(pd.DataFrame({"item": [9], "b": [3.0], "c": [True]}), standardize=False)
    assert more.feature_names.tolist() == ["a", "b", "c=True"]
    assert more.item_features.toarray().tolist() == [[1, 0, 0], [0, 3, 1]]
    assert more.with_item_features(None).item_features is None
    assert more.with_item_features(None).feature_names is None


def test_features_of_items_that_are_not_there_are_left_out_with_a_warning():
    data = Interactions.from_frame(example())
    with pytest.warns(UserWarning, match="features of 1 items left out") as caught:
        described = data.with_item_features(pd.DataFrame({"item": [5, 7], "tag": ["a", "b"]}))
    assert caught[0].filename == __file__
    assert described.feature_names.tolist() == ["tag=b"]


def test_ids_of_mixed_types_and_pairs_are_selected():
    mixed = [1, "a", (2, 3)]
    data = Interactions.from_matrix(np.eye(3), users=mixed, items=[(1, 2), (3, 4), (5, 6)])
    assert data.users.tolist() == mixed
    assert data.items.tolist() == [(1, 2), (3, 4), (5, 6)]
    for at, one in enumerate(mixed):
        assert data.select_users([one]).matrix.toarray().tolist() == [np.eye(3)[at].tolist()]
    assert data.select_users(mixed[::-1]).users.tolist() == mixed[::-1]
    large = Interactions.from_matrix(np.eye(2), users=[2**63 + 1, 2**63 + 3])
    assert large.select_users([2**63 + 3]).matrix.toarray().tolist() == [[0, 1]]
    with pytest.raises(DataError, match="unknown user 9223372036854775810"):
        large.select_users([2**63 + 2])


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_fractions_of_a_second_decide_what_came_last(unit):
    times = pd.Series(pd.to_datetime(["2024-01-01T00:00:00.75", "2024-01-01T00:00:00.25", "1969-12-31T23:59:58.5"]))
    for stamps in (times.dt.as_unit(unit), times.astype(str)):
        frame = pd.DataFrame({"user": [1, 1, 2], "item": [1, 1, 1], "rating": [5.0, 1.0, 3.0], "timestamp": stamps})
        with pytest.warns(UserWarning, match="replaced by a later one"):
            data = Interactions.from_frame(frame)
        assert data.matrix.data.tolist() == [5, 3]
        assert data.timestamps.tolist() == [1704067200.75, -1.5]


def test_names_and_genres_may_be_given_as_a_dict():
    frame = pd.DataFrame({"user": [1, 1], "item": [7, 8], "rating": [1.0, 2.0]})
    data = Interactions.from_frame(frame, item_names={8: "eight"}, item_genres={7: ("a", "b")})
    assert data.item_names.tolist() == ["", "eight"]
    assert data.item_genres.tolist() == [("a", "b"), ()]
    with pytest.raises(TypeError, match="item_names is a Series indexed by item id, or a dict, got list"):
        Interactions.from_frame(frame, item_names=["seven", "eight"])


def test_dates_are_no_ratings():
    frame = pd.DataFrame({"user": [1], "item": [7], "rating": pd.to_datetime(["2024-01-01"])})
    with pytest.raises(DataError, match="'rating' holds dates"):
        Interactions.from_frame(frame)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "int64", "uint32", "uint64"])
def test_ids_at_both_ends_of_a_type_stay_what_they_are(kind):
    limits = np.iinfo(kind)
    for ids in ([limits.min, limits.max], [limits.max, limits.max - 1], [limits.min + 1, limits.min]):
        frame = pd.DataFrame({"user": np.array(ids, dtype=kind), "item": [1, 2]})
        data = Interactions.from_frame(frame, rating=None)
        assert data.users.tolist() == sorted(map(int, ids))
        assert data.to_frame().set_index("item")["user"].to_dict() == dict(zip([1, 2], map(int, ids), strict=True))


def test_users_and_items_are_counted_with_those_that_have_no_rating():
    data = Interactions.from_matrix(np.array([[1.0, 0, 0], [0, 0, 0]]))
    assert (data.n_users, data.n_items, data.n_ratings) == (2, 3, 1)


@pytest.mark.parametrize("aligned", ["timestamps", "weights"])
@pytest.mark.parametrize("columns", [[2, 1, 0], [1, 1, 0]])
def test_what_is_aligned_needs_canonical_order_whatever_the_flags_say(aligned, columns):
    matrix = sp.csr_array((np.array([2.0, 1.0, 1.0]), np.array(columns), np.array([0, 2, 3])), shape=(2, 3))
    matrix.has_canonical_format = matrix.has_sorted_indices = True
    with pytest.raises(DataError, match=r"canonical|sorted|aligned|weights"):
        Interactions(matrix, [1, 2], ["a", "b", "c"], **{aligned: np.array([5, 6, 7])})


@pytest.mark.parametrize("ids", [["a", None, "b"], ["a", pd.NA, "b"], [1, np.nan, 2], [["a"], ["b"], ["c"]]], ids=repr)
def test_what_is_no_id_is_refused(ids):
    for axis in ("users", "items"):
        with pytest.raises(DataError, match="which is no id"):
            Interactions.from_matrix(np.eye(3), **{axis: ids})


def test_the_labels_of_a_frame_are_the_ids():
    table = pd.DataFrame(np.eye(2), index=["ann", "bob"], columns=[50, 70])
    data = Interactions.from_matrix(table)
    assert (data.users.tolist(), data.items.tolist()) == (["ann", "bob"], [50, 70])
    assert Interactions.from_matrix(table, items=[1, 2]).items.tolist() == [1, 2]


@pytest.mark.parametrize(
    "times", [[1.0, np.inf, 2.0], [1.0, np.nan, 2.0], [True, False, True], [1j, 2j, 3j], ["1", "2", "3"]]
)
def test_timestamps_are_finite_numbers(times):
    with pytest.raises(DataError, match="timestamp"):
        Interactions(sp.csr_array(np.eye(3)), pd.RangeIndex(3), pd.RangeIndex(3), np.array(times))


@pytest.mark.parametrize("align", ["with_items", "with_users"])
@pytest.mark.parametrize("ids", [[2, 9, 40], (2, 9, 40), np.array([2, 9, 40]), pd.Series([2, 9, 40])])
def test_rows_and_columns_are_asked_for_by_ids_of_any_kind(align, ids):
    data = Interactions.from_matrix(np.eye(3), users=[1, 2, 3], items=[7, 8, 9])
    moved = getattr(data, align)(ids)
    assert getattr(moved, align.removeprefix("with_")).equals(pd.Index([2, 9, 40]))
    assert moved.n_ratings == 1
    with pytest.raises(DataError, match=r"(item|user) 9 stands twice"):
        getattr(data, align)([9, 2, 9])


@pytest.mark.parametrize("align", ["with_items", "with_users"])
def test_ids_of_another_type_are_no_columns_of_the_ratings(align):
    data = Interactions.from_matrix(np.eye(3), users=[1, 2, 3], items=[7, 8, 9])
    with pytest.raises(DataError, match="asked for are text, such as '7', those of these ratings whole numbers"):
        getattr(data, align)(pd.Index(["7", "8"]))
    assert getattr(data, align)(pd.Index([2, 9, 40])).n_ratings == 1


def test_datetimes_of_one_zone_among_objects_keep_it():
    berlin = pd.date_range("2024-03-30 12:00", periods=3, freq="D", tz="Europe/Berlin")  # clocks change in between
    frame = pd.DataFrame({"user": [1, 2, 3], "item": 1, "rating": 1.0, "timestamp": berlin})
    given = Interactions.from_frame(frame.astype({"timestamp": object})).to_frame()["timestamp"]
    assert str(given.dtype).endswith("Europe/Berlin]")
    assert given.tolist() == list(berlin)
    mixed = frame.assign(timestamp=[*berlin[:2], berlin[2].tz_convert("UTC")]).astype({"timestamp": object})
    assert Interactions.from_frame(mixed).to_frame()["timestamp"].tolist() == list(berlin)
