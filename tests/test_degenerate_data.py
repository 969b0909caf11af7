"""Data at the edge of sense, for every model of the registry: no crash, no NaN, and an order that can be relied on."""

import inspect
import re

import numpy as np
import pytest

from aerec import Interactions, load_model
from aerec.errors import MissingExtraError
from aerec.evaluation import evaluate
from aerec.holdout import Holdout
from aerec.registry import MODELS

QUICK = {
    "hidden": 3,
    "n_factors": 2,
    "epochs": 2,
    "iterations": 2,
    "batch_size": 4,
    "k": 3,
    "progress": False,
}


def make(name):
    taken = inspect.signature(MODELS[name]).parameters
    return MODELS[name](**{key: value for key, value in QUICK.items() if key in taken})


def fitted(name, matrix):
    data = Interactions.from_matrix(np.asarray(matrix, dtype=np.float32))
    try:
        return make(name).fit(data), data
    except MissingExtraError as error:
        pytest.skip(str(error))


def block(n_users=6, n_items=5, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((n_users, n_items)) < 0.6).astype(np.float32)


def with_gaps():
    matrix = block(8, 6)
    matrix[[0, 4]] = 0  # users without a rating
    matrix[:, [1, 5]] = 0  # items that nobody has seen
    return matrix


DATA = {
    "users and items without ratings": with_gaps(),
    "one user": np.ones((1, 4)) * [1, 0, 1, 0],
    "one user who rated all": np.ones((1, 4)),
    "one item": np.array([[1], [1], [0]]),
    "one rating": np.array([[1]]),
    "one rating in a larger matrix": np.eye(3, 4) * [1, 0, 0, 0],
    "everybody rated everything": np.ones((5, 4)),
    "nobody shares an item": np.eye(4),
    "constant": block(),
    "all users alike": np.tile([1, 0, 1, 1, 0], (6, 1)),
}


@pytest.mark.parametrize("case", DATA)
@pytest.mark.parametrize("name", MODELS)
def test_scores_are_finite_and_lists_are_whole(name, case, tmp_path):
    model, data = fitted(name, DATA[case])
    n_users, n_items = data.shape
    empty = np.zeros((1, n_items), np.float32)
    for history in (data, data.matrix, empty):
        assert np.isfinite(model.score_items(history)).all()
    found, _ = model.rank(data, k=n_items, exclude_seen=False)
    assert np.array_equal(np.sort(found, axis=1), np.tile(np.arange(n_items), (n_users, 1)))
    unseen, values = model.rank(data, k=n_items)
    assert np.array_equal((unseen >= 0).sum(axis=1), n_items - np.diff(data.matrix.indptr))
    assert not np.isnan(values).any()
    model.save(tmp_path)
    assert np.array_equal(load_model(tmp_path).score_items(data), model.score_items(data))


@pytest.mark.parametrize("name", MODELS)
def test_equal_scores_come_in_the_order_of_the_items_every_time(name):
    model, data = fitted(name, block())
    model._score = lambda history, known_users: np.ones(history.shape, np.float32)
    history = data.matrix if name != "autorec" else data
    for k in (1, 3, 5):
        found, _ = model.rank(history, k=k, exclude_seen=False)
        assert np.array_equal(found, np.tile(np.arange(5)[:k], (6, 1)))


@pytest.mark.parametrize("rating", [0.5, 3.0])
@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if hasattr(model, "predict")])
def test_models_that_predict_give_a_constant_rating_back(name, rating):
    model, data = fitted(name, rating * block())
    frame = data.to_frame()
    np.testing.assert_allclose(model.predict(frame["user"], frame["item"]), rating, rtol=0.02)
    pairs = model.predict([0, 0, 99], [0, 99, 0])  # someone and something unknown
    assert np.isfinite(pairs).all()


@pytest.mark.parametrize("name", MODELS)
def test_validation_without_a_target_is_said_or_ignored(name):
    data = Interactions.from_matrix(block() * [1, 1, 1, 0.5, 0.5])
    nothing = data.keep(np.zeros(data.n_ratings, bool))
    model = make(name)
    try:
        model.fit(data, Holdout(data, nothing))
    except MissingExtraError as error:
        pytest.skip(str(error))
    except (ValueError, ArithmeticError) as error:
        assert re.search("held-out|validation data", str(error)), error  # noqa: PT017
    else:
        assert np.isfinite(model.score_items(data)).all()


@pytest.mark.parametrize("name", ["popularity", "mult-dae"])
def test_a_holdout_in_which_no_user_has_a_target_is_refused(name):
    model, data = fitted(name, block())
    nothing = data.keep(np.zeros(data.n_ratings, bool))
    with pytest.raises(ValueError, match="none of the 6 users has a held-out item"):
        evaluate(model, Holdout(data, nothing), ("recall@2",))
