"""Weights of ratings: they stay with their ratings, whatever is done to these."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from aerec import Interactions
from aerec.datasets.saved import load_interactions, save_interactions
from aerec.errors import DataError
from aerec.rating_weights import root_weighted, weight_matrix, weighted_counts
from aerec.recommender.saving import add_to_digest


@st.composite
def frames(draw, unique=True):
    """Ratings from 1 to 5, times that may be equal, and a weight that tells each row from the others."""
    pairs = draw(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25, unique=unique),
    )
    frame = pd.DataFrame(pairs, columns=["user", "item"])
    frame["rating"] = draw(st.lists(st.integers(1, 5).map(float), min_size=len(pairs), max_size=len(pairs)))
    if draw(st.booleans()):
        frame["timestamp"] = draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))
    frame["weight"] = draw(st.permutations(range(1, len(pairs) + 1))) if len(pairs) > 1 else [0.25]
    return frame


def weights_of(data):
    frame = data.to_frame()
    return {(row.user, row.item): row.weight for row in frame.itertuples(index=False)}


def rows_of(frame):
    return {(row.user, row.item): float(row.weight) for row in frame.itertuples(index=False)}


def example(**more):
    frame = pd.DataFrame({"user": ["ann", "ann", "bob"], "item": [7, 9, 9], "rating": [5.0, 3.0, 4.0], **more})
    return Interactions.from_frame(frame, weight="weight" if "weight" in more else None)


@given(frames())
def test_a_frame_with_weights_comes_back_as_it_went_in(frame):
    data = Interactions.from_frame(frame, weight="weight")
    assert weights_of(data) == rows_of(frame)
    again = Interactions.from_frame(data.to_frame(), weight="weight")
    pd.testing.assert_frame_equal(again.to_frame(), data.to_frame())


@given(frames(), st.permutations(range(25)))
def test_the_order_of_the_rows_does_not_matter(frame, order):
    shuffled = frame.iloc[[at for at in order if at < len(frame)]]
    data, other = (Interactions.from_frame(each, weight="weight") for each in (frame, shuffled))
    assert weights_of(data) == weights_of(other)


@given(frames(unique=False))
def test_of_a_repeated_pair_the_weight_is_that_of_the_rating_that_stays(frame):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = Interactions.from_frame(frame, weight="weight")
    ordered = frame.sort_values("timestamp", kind="stable") if "timestamp" in frame else frame
    assert weights_of(data) == rows_of(ordered.drop_duplicates(["user", "item"], keep="last"))


@given(frames(), st.integers(0, 6), st.integers(1, 5), st.randoms(use_true_random=False))
def test_weights_go_where_their_ratings_go(frame, at, threshold, random):
    data = Interactions.from_frame(frame, weight="weight")
    whole = rows_of(frame)

    def some(rows):
        return {pair: weight for pair, weight in whole.items() if pair in rows}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        liked, filtered = data.binarize(threshold), data.filter(2, 2)
    assert weights_of(liked) == some(rows_of(frame[frame.rating >= threshold]))
    assert weights_of(filtered) == some(rows_of(filtered.to_frame()))
    users = data.users.to_list()
    random.shuffle(users)
    chosen = users[:at]
    assert weights_of(data.select_users(chosen)) == some(rows_of(frame[frame.user.isin(chosen)]))
    more = pd.Index([99, *chosen])
    assert weights_of(data.with_users(more)) == some(rows_of(frame[frame.user.isin(chosen)]))
    items = pd.Index([99, *data.items.to_list()[::-1][:at]])
    assert weights_of(data.with_items(items)) == some(rows_of(frame[frame.item.isin(items)]))
    mask = np.array([random.random() < 0.5 for _ in range(data.n_ratings)], dtype=bool)
    assert weights_of(data.keep(mask)) == some(rows_of(data.to_frame()[mask]))


@given(frames(), st.integers(0, 25))
def test_cutting_in_two_and_joining_changes_nothing(frame, at):
    parts = [Interactions.from_frame(part, weight="weight") for part in (frame[:at], frame[at:]) if len(part)]
    data = Interactions.from_frame(frame, weight="weight")
    pd.testing.assert_frame_equal(Interactions.concat(parts).to_frame(), data.to_frame())


def test_a_part_without_weights_is_joined_with_weights_of_1():
    new = Interactions.from_frame(pd.DataFrame({"user": ["bob", "eve"], "item": [9, 7], "rating": [1.0, 2.0]}))
    joined = Interactions.concat([example(weight=[2.0, 3.0, 4.0]), new])
    assert weights_of(joined) == {("ann", 7): 2.0, ("ann", 9): 3.0, ("bob", 9): 1.0, ("eve", 7): 1.0}
    assert Interactions.concat([example(), new]).weights is None


def test_ratings_of_zero_go_with_their_weights():
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [7, 8, 7], "rating": [0.0, 3.0, 2.0], "w": [5, 6, 7]})
    with pytest.warns(UserWarning, match="1 rating of 0 dropped"):
        data = Interactions.from_frame(frame, weight="w")
    assert data.weights.tolist() == [6.0, 7.0]


def test_without_a_name_a_column_called_weight_is_no_weight():
    frame = pd.DataFrame({"user": [1], "item": [7], "rating": [1.0], "weight": [3.0]})
    assert Interactions.from_frame(frame).weights is None
    assert "weight" not in Interactions.from_frame(frame).to_frame()


def test_weights_of_a_matrix_stand_at_the_places_of_the_ratings():
    X = sp.csr_array([[5.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
    W = sp.coo_array([[0.5, 0.0, 3.0], [0.0, 1.0, 0.0]])
    data = Interactions.from_matrix(X, weights=W)
    np.testing.assert_array_equal(data.weights, np.array([0.5, 3.0, 1.0], dtype=np.float32))
    assert data.weights.dtype == np.float32
    np.testing.assert_array_equal(Interactions.from_matrix(X).with_weights(W.toarray()).weights, data.weights)
    assert data.with_weights(None).weights is None
    assert data.with_weights([1, 2, 3]).weights.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 2.0], r"weights of shape \(2,\) for 3 stored ratings"),
        ([1.0, 0.0, -1.0], r"the weight of row 0, column 1 is 0: expected .* \(2 such weights\)"),
        ([1.0, 2.0, np.nan], r"the weight of row 1, column 1 is nan"),
        ([1.0, 2.0, np.inf], r"the weight of row 1, column 1 is inf"),
        (["1", "2", "3"], "weights are numbers above 0, these are <U1"),
        (np.ones((2, 3)), r"the weights are \(2, 3\), the ratings \(2, 2\)"),
        (np.array([[1.0, 2.0], [3.0, 0.0]]), "3 weights for 3 ratings, not all at their places"),
        (np.ones((2, 2)), "4 weights for 3 ratings"),
    ],
)
def test_what_are_no_weights_is_refused(weights, message):
    with pytest.raises(DataError, match=message):
        example().with_weights(weights)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0, 0.0, 2.0], "row 1: weight 0 is not above 0"),
        ([1.0, np.nan, 2.0], "row 1: weight nan is not a finite number"),
        (["1", "two", "3"], "row 1: weight 'two' is not a number"),
        (pd.to_datetime(["2020-01-01"] * 3), "holds dates or durations, not weights"),
    ],
)
def test_bad_weights_are_named_with_their_row(column, message):
    with pytest.raises(DataError, match=message):
        example(weight=column)


def test_a_column_of_weights_that_is_not_there_is_named():
    with pytest.raises(DataError, match="no column 'confidence' in the frame"):
        Interactions.from_frame(pd.DataFrame({"user": [1], "item": [2], "rating": [1.0]}), weight="confidence")


def test_weights_need_a_matrix_whose_order_stays():
    matrix = sp.coo_array(([1.0, 2.0], ([0, 0], [1, 0])), shape=(1, 2))
    with pytest.raises(DataError, match="with weights the matrix must be a sorted CSR matrix"):
        Interactions(matrix, pd.Index([1]), pd.Index([7, 8]), weights=np.ones(2))


def test_weights_cannot_be_changed_in_place():
    weights = np.ones(3, dtype=np.float32)
    data = example().with_weights(weights)
    with pytest.raises(ValueError, match="read-only"):
        data.weights[0] = 2
    assert weights.flags.writeable


def test_they_are_shown():
    data = example(weight=[1.0, 2.0, 3.0])
    assert repr(data).endswith("with weights)")
    assert "weights   min 1, 25 % 1.5, median 2, 75 % 2.5, max 3, mean 2" in repr(data.summary())
    assert "weights" not in repr(example().summary())


def test_values_become_weights():
    data = example().values_as_weights()
    assert data.is_implicit
    assert weights_of(data) == {("ann", 7): 5.0, ("ann", 9): 3.0, ("bob", 9): 4.0}
    with pytest.raises(DataError, match="have weights already"):
        data.values_as_weights()
    below = Interactions.from_matrix(sp.csr_array([[1.0, -2.0]]))
    with pytest.raises(DataError, match="the weight of row 0, column 1 is -2"):
        below.values_as_weights()


def test_they_are_saved_and_pickled(tmp_path):
    data = example(weight=[1.0, 2.5, 3.0])
    save_interactions(data, tmp_path)
    pd.testing.assert_frame_equal(load_interactions(tmp_path).to_frame(), data.to_frame())
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(data)).to_frame(), data.to_frame())


def test_a_digest_tells_weights_apart():
    import hashlib

    def digest(data):
        made = hashlib.sha256()
        add_to_digest(made, data)
        return made.hexdigest()

    data = example()
    once, twice = data.with_weights([1, 1, 1]), data.with_weights([1, 2, 1])
    assert len({digest(data), digest(once), digest(twice)}) == 3


@given(frames())
def test_roots_make_a_gram_matrix_of_users_that_count_as_often_as_they_weigh(frame):
    data = Interactions.from_frame(frame, weight="weight")
    of_user = np.arange(1, data.n_users + 1)
    weights = np.repeat(of_user, np.diff(data.matrix.indptr)).astype(np.float32)
    X = data.matrix.toarray().astype(np.float64)
    repeated = np.repeat(X, of_user, axis=0)
    scaled = root_weighted(data.matrix, weights).toarray().astype(np.float64)
    np.testing.assert_allclose(scaled.T @ scaled, repeated.T @ repeated, rtol=1e-5)
    counts = np.repeat(X != 0, of_user, axis=0).sum(axis=0)
    np.testing.assert_array_equal(weighted_counts(data.matrix, weights), counts)
    np.testing.assert_array_equal(weight_matrix(data.matrix, weights).toarray(), of_user[:, None] * (X != 0))


def test_without_weights_nothing_is_copied():
    matrix = example().matrix
    assert root_weighted(matrix, None) is matrix
    assert weight_matrix(matrix, None).data.tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_array_equal(weighted_counts(matrix, None), [1, 2])
