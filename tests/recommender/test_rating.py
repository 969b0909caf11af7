"""RatingPredictor: ids to places, clipping, refusals; and what every model that predicts ratings has in common."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from aerec import Interactions
from aerec.baselines import BiasBaseline, BiasedMF
from aerec.datasets import generate_interactions
from aerec.errors import DataError
from aerec.models import AutoRec, KernelAutoRec, RatingBlend
from aerec.recommender.base import Recommender
from aerec.recommender.rating import RatingPredictor
from aerec.sparse import with_values


class Places(RatingPredictor, Recommender):
    """Predicts 10 · row + column, so that the places it was asked for can be read off."""

    _knows_users = True

    def _fit(self, train, validation):
        self._remember_ratings(train, from_matrix=self.items_ is None)
        self.rating_range_ = np.array([-100, 100], dtype=np.float32)

    def _score(self, history, known_users):
        return np.zeros(history.shape, dtype=np.float32)

    def _predict(self, users, items):
        return 10.0 * users + items


class Constant(Places):
    def __init__(self, value=0.0):
        self.value = value

    def _fit(self, train, validation):
        self._remember_ratings(train, from_matrix=self.items_ is None)

    def _predict(self, users, items):
        return np.full(len(users), self.value)


@pytest.fixture
def data():
    values = np.array([[2.0, 0, 4.5], [0, 3, 0]])
    return Interactions.from_matrix(values, users=["ann", "bob"], items=[30, 10, 20])


def test_raw_ids_become_rows_and_columns_and_strangers_minus_one(data):
    with pytest.warns(UserWarning, match=r"2 of the users and 2 of the items of 5 pairs, .* 'bob' with item 99: 3"):
        found = Places().fit(data).predict(["bob", "ann", "bob", "eve", "eve"], [30, 20, 99, 10, 99])
    assert found.tolist() == [10, 2, 9, -9, -11]
    assert found.dtype == np.float32


def test_a_model_of_a_matrix_takes_row_and_column_numbers(data):
    found = Places().fit(data.matrix).predict([1, 0, 2, -1, 1], [0, 2, 1, 1, 3])
    assert found.tolist() == [10, 2, -9, -9, 9]


def test_ids_may_come_in_any_container(data):
    model = Places().fit(data)
    users, items = ["ann", "bob"], [10, 20]
    expected = model.predict(users, items)
    for kind in (tuple, np.array, pd.Series, pd.Index):
        np.testing.assert_array_equal(model.predict(kind(users), kind(items)), expected)
    named = pd.DataFrame({"user": users, "item": items}, index=[7, 3])
    np.testing.assert_array_equal(model.predict(named["user"], named["item"]), expected)
    assert model.predict("bob", 20).tolist() == [12]
    assert model.predict([], []).shape == (0,)


@pytest.mark.parametrize(("value", "expected"), [(-7.0, 2.0), (3.25, 3.25), (99.0, 4.5)])
def test_predictions_are_clipped_to_the_ratings_seen_in_training(data, value, expected):
    model = Constant(value).fit(data)
    assert model.rating_range_.tolist() == [2.0, 4.5]
    assert model.predict(["ann", "eve"], [10, 10]).tolist() == [expected, expected]


def test_ratings_that_are_all_one_are_implicit_feedback(data):
    with pytest.raises(DataError, match="Constant was trained on implicit feedback"):
        Constant().fit(data.binarize(0.5)).predict(["ann"], [10])
    all_fives = Interactions.from_matrix(5.0 * (data.matrix.toarray() > 0))
    assert Constant().fit(all_fives).predict([0], [0]).tolist() == [5]


def test_users_and_items_have_to_be_pairs(data):
    with pytest.raises(DataError, match=r"predict takes pairs: \(1,\) users and \(2,\) items"):
        Places().fit(data).predict(["ann"], [10, 20])


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        (
            ["1"],
            ["5"],
            "items of the pairs are text, such as '5', those of the training data whole",
        ),
        ([1], [30], "users of the pairs are whole numbers, such as 1, those of the training data text, such as 'ann'"),
        (["ann"], [30.5], "items of the pairs are numbers with fractions, such as 30.5"),
        (
            ["eve", "zoe"],
            [98, 99],
            "2 of the users and 2 of the items of 2 pairs, such as user 'eve' with item 98",
        ),
        (["eve"], [99], "it was trained on users such as 'ann', 'bob' and items such as 30, 10, 20"),
    ],
)
def test_pairs_of_which_nothing_is_known_are_refused(data, users, items, message):
    with pytest.raises(DataError, match=message):
        Places().fit(data).predict(users, items)


def test_pairs_that_are_known_give_no_warning(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Places().fit(data).predict(["ann", "bob"], [30, 10])


def test_a_model_that_is_not_fitted_predicts_nothing():
    with pytest.raises(NotFittedError):
        Places().predict([0], [0])


# ---------------------------------------------------------------------- the models

PREDICTORS = {
    "bias": BiasBaseline(),
    "biased-mf": BiasedMF(n_factors=3, epochs=2),
    "autorec item": AutoRec(hidden=4, epochs=20, learning_rate=5e-2, progress=False),
    "autorec user": AutoRec(hidden=4, orientation="user", epochs=20, learning_rate=5e-2, progress=False),
}


def ratings():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((25, 10)) < 0.5, rng.integers(2, 6, size=(25, 10)), 0)
    return Interactions.from_matrix(values, [f"u{at}" for at in range(25)], [f"i{at}" for at in range(10)])


@pytest.mark.parametrize("model", PREDICTORS.values(), ids=PREDICTORS)
def test_raw_ids_and_places_give_the_same_predictions(model):
    data = ratings()
    rows, columns = np.indices(data.shape).reshape(2, -1)
    by_id = model.fit(data).predict(data.users[rows], data.items[columns])
    by_place = model.fit(data.matrix).predict(rows, columns)
    np.testing.assert_allclose(by_id, by_place, atol=1e-5)
    assert by_id.min() >= 2
    assert by_id.max() <= 5
    assert np.unique(by_id).size > 1


@pytest.mark.parametrize("model", PREDICTORS.values(), ids=PREDICTORS)
def test_strangers_are_all_predicted_alike_and_within_range(model):
    data = ratings()
    model.fit(data)
    found = model.predict(["x", "y", "x", "u3", "u3"], ["i1", "i1", "?", "?", "!"])
    assert np.isfinite(found).all()
    assert ((found >= 2) & (found <= 5)).all()
    assert found[0] == found[1]
    assert found[3] == found[4]


def test_large_numbers_as_ids_stay_what_they_are():
    large = [2**63 + 1, 2**63 + 3]
    data = Interactions.from_matrix(np.array([[2.0, 3], [4, 4.5]]), users=["a", "1"], items=large)
    model = Places().fit(data)
    assert model.predict(["a", "1"], large).tolist() == model.predict(data.users, data.items).tolist()
    assert model.predict(["1", "a"], [large[1], -1]).tolist() == [11, -1]


@pytest.mark.parametrize(("scale", "shift"), [(0.01, 0), (0.2, 0.5), (100, 0), (100, -30.5)])
@pytest.mark.parametrize(
    "model",
    [
        BiasBaseline(),
        BiasedMF(n_factors=3),
        AutoRec(hidden=8, epochs=3, progress=False),
        AutoRec(hidden=8, epochs=3, orientation="user", progress=False),
        KernelAutoRec(hidden=8, epochs=3, progress=False),
        RatingBlend([AutoRec(hidden=8, epochs=3, progress=False), BiasBaseline()]),
    ],
    ids=lambda model: type(model).__name__ + getattr(model, "orientation", ""),
)
def test_the_unit_and_the_zero_of_ratings_do_not_count(model, scale, shift):
    ratings = generate_interactions(80, 50, 1000, seed=3)
    others = replace(ratings, matrix=with_values(ratings.matrix, scale * ratings.matrix.data + np.float32(shift)))
    users, items = ratings.users[np.arange(60)], ratings.items[np.arange(60) % 50]
    new = [
        {"ann": dict(zip(data.items[:9], data.matrix[[0]].data[:9].tolist(), strict=False))}
        for data in (ratings, others)
    ]
    found, scores = clone(model).fit(ratings).predict(users, items), clone(model).fit(ratings).score_items(new[0])
    scaled = clone(model).fit(others)
    np.testing.assert_allclose((scaled.predict(users, items) - shift) / scale, found, atol=1e-4)
    np.testing.assert_allclose((scaled.score_items(new[1]) - shift) / scale, scores, atol=1e-3)
