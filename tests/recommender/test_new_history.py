"""new_history: what someone new gives is seen as the training data was."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from aerec import Interactions
from aerec.errors import DataError
from aerec.recommender.new_history import RatingScale, are_lists, histories_of, known_ids

ITEMS = pd.Index(["cup", "pot", "tea"])
STARS, LIKES, COUNTS = RatingScale(1, 5), RatingScale(1, 1, threshold=4), RatingScale(0.7, 4, counts=True)


@pytest.mark.parametrize(
    ("scale", "rating", "expected"),
    [
        (STARS, None, 5),
        (STARS, 1, 1),
        (STARS, 3.5, 3.5),
        (LIKES, None, 1),
        (LIKES, 4, 1),
        (LIKES, 5, 1),
        (LIKES, 3.9, 0),
        (LIKES, -2, 0),
        (RatingScale(1, 1), 0.5, 1),
        (RatingScale(1, 1), 0, 0),
        (RatingScale(1, 1), -1, 0),
        (RatingScale(-1, -1), -1, -1),
        (RatingScale(3, 3, threshold=2), 2, 3),
        (COUNTS, 9, math.log(10)),
        (COUNTS, None, math.log(2)),
        (RatingScale.unknown(), 7, 7),
        (RatingScale.unknown(), None, 1),
    ],
)
def test_a_rating_is_seen_as_in_training(scale, rating, expected):
    assert scale.seen(rating) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scale", "rating", "message"),
    [
        (STARS, 5.5, "rating 5.5 is outside of the scale of this model, 1 to 5"),
        (STARS, 0, "rating 0 is outside"),
        (COUNTS, -1, "-1 is no count"),
        (LIKES, math.nan, "nan is not a finite number"),
        (STARS, math.inf, "inf is not a finite number"),
    ],
)
def test_a_rating_that_does_not_fit_is_refused(scale, rating, message):
    with pytest.raises(DataError, match=message):
        scale.seen(rating)


@given(st.lists(st.sampled_from([1.0, 2.5, 4.0, 5.0]), min_size=1, max_size=6))
def test_someone_of_the_training_data_is_seen_as_there(ratings):
    """What `binarize` makes of the ratings of a user, `seen` makes of the same ratings given anew."""
    items = pd.Index(range(len(ratings)))
    data = Interactions(np.array([ratings]), pd.Index(["ann"]), items)
    with pytest.warns(UserWarning, match="kept") if 3 * sum(r >= 4 for r in ratings) < len(ratings) else nothing():
        likes = data.binarize(4.0)
    for train, scale in ((likes, RatingScale(1, 1, 4.0)), (data, RatingScale.of(data))):
        if not scale.likes or scale.threshold:
            again = histories_of({"ann": dict(enumerate(ratings))}, items, scale)
            assert again.seen.matrix.toarray().tolist() == train.matrix.toarray().tolist()


class nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def test_lists_are_likes_and_keep_their_order_as_times():
    found = histories_of({"anna": ["tea", "cup", "tea"], "ben": [], "cem": ("pot",)}, ITEMS, STARS)
    assert found.seen.users.tolist() == ["anna", "ben", "cem"]
    assert found.seen.matrix.toarray().tolist() == [[5, 0, 5], [0, 0, 0], [0, 5, 0]]
    assert found.seen.timestamps.tolist() == [1, 0, 0]
    assert found.rejected.nnz == 0
    assert found.unknown == []


def test_the_items_of_a_set_are_in_one_place():
    seen = histories_of({"anna": {"tea", "cup"}, "ben": ["pot", "cup"], "eve": frozenset()}, ITEMS, LIKES).seen
    assert seen.timestamps.tolist() == [0, 0, 1, 0]


def test_what_is_rated_too_low_is_not_seen_but_rejected():
    found = histories_of({7: {"tea": 5, "cup": 3, "pot": None}}, ITEMS, LIKES)
    assert found.seen.matrix.toarray().tolist() == [[0, 1, 1]]
    assert found.seen.timestamps.tolist() == [2, 0]
    assert found.rejected.toarray().tolist() == [[1, 0, 0]]


def test_items_that_are_not_known_are_left_out_and_named():
    with pytest.warns(UserWarning, match="2 items left out of the history: .* not trained on item 'new'") as caught:
        found = histories_of({"anna": ["new", "tea"], "ben": {"new": 9, "newer": 3}}, ITEMS, STARS)
    assert caught[0].filename == __file__
    assert found.unknown == ["new", "newer"]
    assert found.seen.matrix.toarray().tolist() == [[0, 0, 5], [0, 0, 0]]
    with pytest.raises(DataError, match=r"no item of the history is known: .*item 3; known ones are such as 'cup', of"):
        histories_of({"anna": [3, 4]}, ITEMS, STARS)


def test_a_matrix_of_keys_is_a_matrix_though_it_is_a_dict():
    matrix = sp.dok_array([[1.0, 0.0], [1.0, 1.0]])
    assert isinstance(matrix, dict)
    assert not are_lists(matrix)
    assert are_lists({"anna": [1]})


def test_a_single_id_is_a_list_of_one_and_others_are_refused():
    assert histories_of({"anna": "tea"}, ITEMS, STARS).seen.n_ratings == 1
    with pytest.raises(TypeError, match="a list of items or a dict from item to rating, got int"):
        histories_of({"anna": 5}, ITEMS, STARS)
    with pytest.raises(DataError, match="the rating 'good' of item 'tea' is not a number"):
        histories_of({"anna": {"tea": "good"}}, ITEMS, STARS)


def test_lists_of_what_may_be_shown_leave_out_unknown_items_with_a_warning():
    assert known_ids(["tea", "cup"], ITEMS, "allow_items").tolist() == [2, 0]
    with pytest.warns(UserWarning, match="1 of 2 items of block_items left out: .*item 'new'; known ones") as caught:
        assert known_ids(["new", "cup"], ITEMS, "block_items").tolist() == [0]
    assert caught[0].filename == __file__


@pytest.mark.parametrize("rating", ["5", b"5", True, np.True_, "1_0", []])
def test_a_rating_is_a_number(rating):
    with pytest.raises(DataError, match="of item 'cup' is not a number"):
        histories_of({"x": {"cup": rating}}, pd.Index(["cup"]), STARS)


def test_an_id_that_is_a_list_is_refused():
    with pytest.raises(DataError, match="is no id: unhashable"):
        histories_of({"x": [["cup"]]}, pd.Index(["cup"]), STARS)
