"""BiasBaseline worked by hand."""

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.baselines import BiasBaseline
from aerec.datasets import load_dataset
from aerec.errors import DataError
from aerec.registry import load_model


@pytest.fixture
def data():
    frame = pd.DataFrame(
        [("ann", 7, 5.0), ("ann", 8, 3.0), ("bob", 7, 4.0), ("cat", 9, 2.0)], columns=["user", "item", "rating"]
    )
    return Interactions.from_frame(frame)


# By hand: mean (5+3+4+2)/4 = 3.5. Items, with l2_item = 1: b7 = (1.5+0.5)/3 = 2/3, b8 = -0.5/2 = -1/4,
# b9 = -1.5/2 = -3/4. Users, with l2_user = 2: ann ((1.5-2/3) + (-0.5+1/4))/4 = (5/6-1/4)/4 = 7/48,
# bob (0.5-2/3)/3 = -1/18, cat (-1.5+3/4)/3 = -1/4.
MEAN, ITEMS, USERS = 3.5, [2 / 3, -1 / 4, -3 / 4], [7 / 48, -1 / 18, -1 / 4]


def test_biases_are_shrunken_means(data):
    model = BiasBaseline(l2_user=2.0, l2_item=1.0).fit(data)
    np.testing.assert_allclose(model.mean_, [MEAN])
    np.testing.assert_allclose(model.item_bias_, ITEMS)
    np.testing.assert_allclose(model.user_bias_, USERS)


def test_predictions_use_what_is_known_of_either_side(data):
    model = BiasBaseline(l2_user=2.0, l2_item=1.0).fit(data)
    users, items = ["ann", "bob", "nobody", "cat", "nobody"], [8, 9, 7, 99, 99]
    expected = [MEAN + USERS[0] + ITEMS[1], MEAN + USERS[1] + ITEMS[2], MEAN + ITEMS[0], MEAN + USERS[2], MEAN]
    np.testing.assert_allclose(model.predict(users, items), expected, rtol=1e-6)


def test_predictions_stay_within_the_ratings_seen(data):
    model = BiasBaseline(l2_user=0.0, l2_item=0.0).fit(data)
    assert model.mean_ + model.user_bias_[1] + model.item_bias_[2] == pytest.approx(1.5)
    found = model.predict(["bob"], [9])
    assert found.dtype == np.float32
    assert found[0] == 2.0


def test_scores_find_the_user_bias_from_the_history(data):
    model = BiasBaseline(l2_user=2.0, l2_item=1.0).fit(data)
    np.testing.assert_allclose(model.score_items(data), MEAN + np.add.outer(USERS, ITEMS), rtol=1e-6)
    np.testing.assert_allclose(model.score_items(np.zeros((1, 3))), [MEAN + np.array(ITEMS)], rtol=1e-6)


def test_implicit_feedback_has_no_ratings_to_predict(data):
    model = BiasBaseline().fit(data.binarize(1.0))
    with pytest.raises(DataError, match="trained on implicit feedback"):
        model.predict(["ann"], [7])


def test_predict_takes_pairs(data):
    with pytest.raises(DataError, match="predict takes pairs"):
        BiasBaseline().fit(data).predict(["ann"], [7, 8])


def test_the_shrinkage_that_was_estimated_is_used_and_saved(tmp_path):
    data = load_dataset("sample")
    model = BiasBaseline().fit(data)
    l2_user, l2_item = model.l2_user_[0], model.l2_item_[0]
    told = BiasBaseline(l2_user=l2_user, l2_item=l2_item).fit(data)
    np.testing.assert_allclose(model.user_bias_, told.user_bias_)
    np.testing.assert_allclose(model.item_bias_, told.item_bias_)
    model.save(tmp_path / "m.aerec")
    loaded = load_model(tmp_path / "m.aerec")
    assert (loaded.l2_user_[0], loaded.l2_item_[0]) == (l2_user, l2_item)
    some = data.select_users(data.users[:3])
    pd.testing.assert_frame_equal(loaded.recommend(some), told.recommend(some))
