"""EASE and EDLAE from the side of the users: equal to the weights that they never hold."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from aerec import Interactions, load_model
from aerec.closed_form import gram, ridge
from aerec.closed_form.user_side import equal_rows
from aerec.errors import DataError, InsufficientMemoryError
from aerec.models import EASE, EDLAE
from aerec.recommender.scorer import UserBlock
from aerec.system import memory
from aerec.testing import check_recommender

SETTINGS = [{}, {"item_norm": 0.4}, {"user_norm": 0.5}, {"diagonal": 0.3}, {"diagonal": 1.0}]
SETTINGS += [{"item_norm": 0.4, "user_norm": 0.3, "diagonal": 0.1}]
MODELS = [EASE(l2=3.0), EDLAE(l2=3.0, dropout=0.4)]


def likes(n_users=40, n_items=90, seed=0):
    rng = np.random.default_rng(seed)
    return sp.csr_array((rng.random((n_users, n_items)) < rng.uniform(0.02, 0.5, n_items)).astype(np.float32))


def both(model, **settings):
    """Return a model of either side."""
    return [type(model)(**{**model.get_params(), **settings, "solver": side}) for side in ("users", "items")]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("values", ["likes", "ratings"])
def test_both_sides_are_one_model(model, settings, values):
    X = likes()
    if values == "ratings":
        X.data[:] = np.random.default_rng(1).integers(1, 6, X.nnz) / 5
    users, items = (side.fit(X) for side in both(model, **settings))
    assert users.kernel_.shape == (40, 40)
    assert items.kernel_ is None
    np.testing.assert_allclose(users.weights_, items.weights_, atol=1e-6)
    np.testing.assert_allclose(users.inverse_diagonal_, items.inverse_diagonal_, rtol=1e-5)
    new = likes(30, seed=5)
    np.testing.assert_allclose(users.score_items(new), items.score_items(new), atol=3e-6)
    np.testing.assert_allclose(users.score_items(X), items.score_items(X), atol=3e-6)
    block, columns = UserBlock.new(new[:1]), np.array([3, 80, 4, 3])
    terms = [side.scorer_.contributions(block, columns) for side in (users, items)]
    np.testing.assert_allclose(*terms, atol=1e-6)


@pytest.mark.parametrize("rows_per_block", [1, 7])
def test_the_blocks_do_not_matter(rows_per_block, monkeypatch):
    expected = EASE(l2=3.0, solver="users").fit(likes())
    monkeypatch.setattr(gram, "_BLOCK_BYTES", rows_per_block * 4 * 90)
    model = EASE(l2=3.0, solver="users").fit(likes())
    np.testing.assert_allclose(model.inverse_diagonal_, expected.inverse_diagonal_, rtol=1e-5)
    np.testing.assert_allclose(model.weights_, expected.weights_, atol=1e-6)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_features_are_users_too(model):
    rng = np.random.default_rng(1)
    features = sp.csr_array((rng.random((90, 6)) < 0.3) * rng.random((90, 6)))
    data = Interactions.from_matrix(likes()).with_item_features(features)
    users, items = (side.fit(data) for side in both(model, feature_weight=2.0))
    assert users.kernel_.shape == (46, 46)
    np.testing.assert_allclose(users.weights_, items.weights_, atol=1e-6)
    with pytest.raises(DataError, match="cannot be updated"):
        users.partial_fit(data)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_it_keeps_the_contract(model):
    check_recommender(both(model)[0])


def test_auto_looks_at_users_and_items(monkeypatch):
    assert EASE().fit(likes()).kernel_ is None
    monkeypatch.setattr(ridge, "_MANY_ITEMS", 90)
    assert EASE().fit(likes()).kernel_ is not None
    assert EASE().fit(likes(46)).kernel_ is None
    with pytest.raises(ValueError, match="solver"):
        EASE(solver="both").fit(likes())


def test_a_model_may_change_sides():
    X = likes()
    model = EASE(l2=3.0, solver="users").fit(X).set_params(solver="items").fit(X)
    np.testing.assert_array_equal(model.weights_, EASE(l2=3.0, solver="items").fit(X).weights_)
    assert model.kernel_ is model.ratings_ is None
    assert model.set_params(solver="users").fit(X).kernel_ is not None


def test_no_matrix_of_all_items_is_held(monkeypatch):
    X = sp.csr_array(sp.random(20, 30_000, 0.002, random_state=0, dtype=np.float32))
    monkeypatch.setattr(memory, "available_memory", lambda: 512 * 2**20)
    with pytest.raises(InsufficientMemoryError, match=r'30,000 x 30,000 needs .*; take solver="users"'):
        EASE(solver="items").fit(X)
    model = EASE(solver="users").fit(X)
    assert sum(part.nbytes for part in (model.kernel_, model.ratings_.data, model.ratings_.indices)) < 2**18
    assert model.recommend(X, k=3)[0].shape == (20, 3)
    assert model.rank(sp.csr_array(([1.0], [5], [0, 1]), shape=(1, 30_000)), 2)[0].shape == (1, 2)
    with pytest.raises(InsufficientMemoryError, match="ask for scores"):
        model.weights_


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_similar_items_and_explanations(model):
    data = Interactions.from_matrix(likes(), items=[f"i{at}" for at in range(90)])
    users, items = (side.fit(data) for side in both(model))
    frames = [side.similar_items(["i3", "i70"], k=5) for side in (users, items)]
    pd.testing.assert_frame_equal(*frames, rtol=1e-4)
    pd.testing.assert_frame_equal(*(side.explain(data.select_users([2]), "i5") for side in (users, items)), atol=1e-5)


# ---------------------------------------------------------------------- updates


def same(model, other):
    np.testing.assert_allclose(model.weights_, other.weights_, atol=1e-6)
    np.testing.assert_allclose(model.ridge_, other.ridge_, rtol=1e-6)
    np.testing.assert_array_equal(model.popularity_, other.popularity_)
    np.testing.assert_array_equal(model.item_counts_, other.item_counts_)
    np.testing.assert_array_equal(model.n_users_, other.n_users_)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_updates_are_fits_of_those_who_are_there(model, settings, tmp_path):
    X, (users, items) = likes(), both(model, **settings)
    same(users.fit(X[:30]).partial_fit(X[30:]), items.fit(X))
    users.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score_items(X), users.score_items(X))
    same(loaded.replace_users(X[25:]), items.fit(X[:25]))
    assert loaded.kernel_.shape == (25, 25)
    new = likes(4, seed=9)
    same(users.replace_users(X[10:13], new), items.fit(sp.csr_array(sp.vstack([X[:10], X[13:], new]))))


def test_new_items_come_with_new_users():
    first = Interactions.from_frame(pd.DataFrame({"user": [0, 0, 1, 1], "item": [*"abbc"]}), rating=None)
    second = Interactions.from_frame(pd.DataFrame({"user": [2, 2, 3], "item": [*"adc"]}), rating=None)
    users, items = (side.fit(first).partial_fit(second) for side in both(EASE(l2=2.0)))
    assert users.items_.tolist() == items.items_.tolist() == [*"abcd"]
    same(users, items)


def test_users_who_were_never_there_cannot_leave():
    X = likes()
    model = EASE(l2=3.0, solver="users").fit(X[:20])
    kernel = model.kernel_
    for old in (X[25:27], sp.csr_array(sp.vstack([X[3:4], X[3:4]])), X[:20]):
        with pytest.raises(DataError, match="exactly as they were"):
            model.replace_users(old)
    assert model.kernel_ is kernel


def test_equal_rows_are_found_once_each():
    X = sp.csr_array(np.array([[1, 0, 2], [0, 0, 0], [1, 0, 2], [1, 0, 1], [0, 0, 0]], dtype=np.float32))
    assert sorted(equal_rows(X, X[[2, 0]]).tolist()) == [0, 2]
    assert equal_rows(X, X[[3]]).tolist() == [3]
    assert equal_rows(X, X[[0, 0, 0]]) is None
    assert equal_rows(X, 3 * X[[0]]) is None
    assert equal_rows(X, X[:0]).tolist() == []
    assert sorted(equal_rows(X, X).tolist()) == [0, 1, 2, 3, 4]


# ---------------------------------------------------------------------- new items


def catalogue(n_rated=80):
    """Return likes of the first items, and the same with features of all, also of some that nobody has met."""
    rng, X = np.random.default_rng(3), likes().toarray()
    X[:, n_rated:] = 0
    train = Interactions.from_matrix(X, items=[f"i{at:02d}" for at in range(90)])
    wide = train.with_items(train.items.append(pd.Index([f"n{at}" for at in range(5)])))
    return train, wide.with_item_features(sp.csr_array(rng.random((95, 7)) * (rng.random((95, 7)) < 0.6)))


@pytest.mark.parametrize("settings", [{}, {"item_norm": 0.3}, {"diagonal": 0.5}], ids=str)
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_new_items_are_mixed_alike(model, settings, tmp_path):
    train, data = catalogue()
    users, items = (side.fit(train).add_items(data) for side in both(model, **settings))
    assert users.mixed_shares_.shape[1] == 90
    np.testing.assert_allclose(users.weights_, items.weights_, atol=1e-6)
    rng = np.random.default_rng(0)
    history = Interactions.from_matrix((rng.random((12, 95)) < 0.2) * 1.0, items=data.items)
    np.testing.assert_allclose(users.score_items(history), items.score_items(history), atol=3e-6)
    block, columns = users.block_of(history.select_users([4])), np.array([1, 82, 93, 5])
    terms = [side.scorer_.contributions(block, columns) for side in (users, items)]
    np.testing.assert_allclose(*terms, atol=1e-6)
    users.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score_items(history), users.score_items(history))
    assert loaded.partial_fit(train).mixed_shares_ is None


def test_new_items_may_come_one_after_the_other():
    train, data = catalogue()
    first = train.with_items(data.items[:92]).with_item_features(data.item_features[:92])
    users, items = (side.fit(train).add_items(first).add_items(data, ["n3", "i85"]) for side in both(MODELS[0]))
    np.testing.assert_allclose(users.score_items(train), items.score_items(train), atol=3e-6)
    assert users.items_.tolist() == items.items_.tolist()
