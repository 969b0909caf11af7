"""Data at the edge of sense, for every model of the registry: no crash, no NaN, and an order that can be relied on."""

import contextlib
import inspect
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import PARTS

from aerec import Interactions, load_model
from aerec.errors import AerecError, DataError, MissingExtraError
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
    return MODELS[name](**{key: value for key, value in QUICK.items() if key in taken}, **PARTS.get(name, {}))


def in_time(matrix):
    """Ratings one after the other."""
    data = Interactions.from_matrix(np.asarray(matrix, dtype=np.float32))
    return replace(data, timestamps=np.arange(data.n_ratings))


def fitted(name, matrix):
    data = in_time(matrix)
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
    without_times = [] if name in {"recency-weighted", "slist"} else [data.matrix]
    for history in (data, *without_times, empty):
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
    model.__class__ = type(
        "Constant", (type(model),), {"_score": lambda self, history, _: np.ones(history.shape, "f4")}
    )
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
    data = in_time(block() * [1, 1, 1, 0.5, 0.5])
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


# ---------------------------------------------------------------------- matrices from outside

FIRST = np.random.default_rng(0).integers(0, 2, (12, 7)).astype(np.float32)
SLOW = ("elsa", "blend", "rating-blend", "kernel-autorec", "autorec")


@st.composite
def matrices_from_outside(draw):
    """A matrix of 7 columns as another program might hand it over: sound, or with index arrays that do not fit."""
    n_rows, n_values = draw(st.integers(1, 3)), draw(st.integers(0, 6))
    values = st.sampled_from([1.0, 1.0, 5.0, 0.5, 0.0, -2.0, 1e-30, 2.0**24, -(2.0**24), 1e30, np.nan, np.inf])
    places = st.integers(0, 6) | st.sampled_from([7, 40, -1, 2 * 10**9, 10**12])
    matrix = draw(st.sampled_from([sp.csr_array, sp.csr_matrix, sp.csc_array]))((n_rows, 7))
    n_lines = len(matrix.indptr) - 1
    ends = draw(st.lists(st.integers(0, n_values), min_size=n_lines, max_size=n_lines))
    ends = sorted(ends) if draw(st.booleans()) else ends
    matrix.data = np.array(draw(st.lists(values, min_size=n_values, max_size=n_values)))
    rows = st.integers(0, n_rows - 1) if matrix.format == "csc" else places
    matrix.indices = np.array(draw(st.lists(rows, min_size=n_values, max_size=n_values)), dtype=np.int64)
    matrix.indptr = np.array([0, *ends], dtype=np.int64)
    return matrix


@pytest.mark.parametrize("name", MODELS)
def test_a_matrix_from_outside_is_scored_in_finite_numbers_or_refused(name):
    model, _ = fitted(name, FIRST)

    @settings(derandomize=True, max_examples=10 if name in SLOW else 30, deadline=None, database=None)
    @given(matrices_from_outside())
    def check(matrix):
        with warnings.catch_warnings(), contextlib.suppress(AerecError):
            warnings.simplefilter("ignore")
            assert np.isfinite(model.score_items(matrix)).all()
            model.rank(matrix, k=3)
            assert np.isfinite(make(name).fit(matrix).score_items(matrix)).all()

    check()


@pytest.mark.parametrize("name", MODELS)
def test_raw_ids_as_column_numbers_are_refused_not_read_past_the_end(name):
    model, _ = fitted(name, FIRST)
    for column in (7, 40, -1, 2 * 10**9):
        history = sp.csr_matrix(([1.0], [column], [0, 1]), shape=(1, 7))
        for ask in (model.score_items, model.rank, model.recommend, make(name).fit):
            with pytest.raises(DataError, match=f"row 0, column {column}"):
                ask(history)


@pytest.mark.parametrize("name", ["autoencoder", "mult-dae", "elsa", "cdae"])
def test_other_ways_in_are_checked_as_well(name):
    model, _ = fitted(name, FIRST)
    wrong = sp.csc_matrix(([1.0], [5], [0, 1, 1, 1, 1, 1, 1, 1]), shape=(1, 7))
    for way in ("partial_fit", "transform", "total_cost", "reconstruct"):
        if hasattr(model, way):
            with pytest.raises(DataError, match="row 5, column 0"):
                getattr(model, way)(wrong)


@pytest.mark.parametrize("name", ["autoencoder", "denoising-autoencoder", "sparse-autoencoder", "mult-dae"])
def test_masked_arrays_are_refused_by_models_of_dense_data(name):
    masked = np.ma.masked_array(FIRST, mask=FIRST > 0)
    with pytest.raises(DataError, match="masked"):
        make(name).fit(masked)
    with pytest.raises(DataError, match="masked"):
        make(name).fit(FIRST).transform(masked)
