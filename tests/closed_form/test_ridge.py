"""EASE and EDLAE with normalisation and a bounded diagonal, and their exact updates, against float64 and refits."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from aerec import Interactions, load_model
from aerec.closed_form import updates
from aerec.errors import DataError
from aerec.models import EASE, EDLAE

SETTINGS = [{}, {"item_norm": 0.2}, {"user_norm": 0.5}, {"diagonal": 0.3}, {"diagonal": 1.0}]
SETTINGS += [{"item_norm": 0.4, "user_norm": 0.3, "diagonal": 0.1}]


def likes(n_users=120, n_items=25, seed=0):
    rng = np.random.default_rng(seed)
    return sp.csr_array((rng.random((n_users, n_items)) < rng.uniform(0.02, 0.5, n_items)).astype(np.float32))


def weights(X, l2, dropout=0.0, item_norm=0.0, user_norm=0.0, diagonal=0.0):
    """B by the formula, in float64."""
    X = X.toarray().astype(np.float64)
    counts, lengths = np.maximum((X != 0).sum(axis=0), 1), np.maximum((X != 0).sum(axis=1), 1)
    gram = X.T @ (X * lengths[:, None] ** -user_norm)
    penalty = l2 + dropout / (1 - dropout) * np.diag(gram)
    P = np.linalg.inv(gram + np.diag(penalty))
    B = np.eye(len(P)) - P * np.maximum(penalty, (1 - diagonal) / np.diag(P))
    return B * (counts[:, None] / counts) ** item_norm


def cost(B, X, l2):
    return np.sum((X - X @ B) ** 2) + l2 * np.sum(B**2)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("l2", [2.0, 100.0])
def test_weights_are_the_closed_form(settings, l2):
    X = likes()
    np.testing.assert_allclose(EASE(l2, **settings).fit(X).weights_, weights(X, l2, **settings), atol=1e-5)
    model = EDLAE(l2, 0.4, **settings).fit(X)
    np.testing.assert_allclose(model.weights_, weights(X, l2, 0.4, **settings), atol=1e-5)


def test_a_diagonal_without_a_bound_is_ridge_regression():
    X = likes()
    dense = X.toarray().astype(np.float64)
    gram = dense.T @ dense
    model = EASE(l2=5.0, diagonal=1.0).fit(X)
    np.testing.assert_allclose(model.weights_, np.linalg.solve(gram + 5 * np.eye(25), gram), atol=1e-5)


def test_no_weights_within_the_bound_of_the_diagonal_cost_less():
    X = likes()
    dense, B = X.toarray().astype(np.float64), EASE(l2=5.0, diagonal=0.5).fit(X).weights_.astype(np.float64)
    assert np.diag(B).max() <= 0.5 + 1e-6
    assert (np.diag(B) > 0.499).any()
    assert (np.diag(B) < 0.49).any()
    rng = np.random.default_rng(1)
    for _ in range(20):
        step = 1e-3 * rng.standard_normal(B.shape)
        np.fill_diagonal(step, -np.abs(np.diag(step)))  # inwards
        assert cost(B + step, dense, 5.0) > cost(B, dense, 5.0)


# ---------------------------------------------------------------------- updates


def same(model, other):
    np.testing.assert_allclose(model.weights_, other.weights_, atol=1e-5)
    np.testing.assert_allclose(model.inverse_diagonal_, other.inverse_diagonal_, rtol=1e-4)
    np.testing.assert_allclose(model.ridge_, other.ridge_, rtol=1e-5)
    np.testing.assert_array_equal(model.popularity_, other.popularity_)
    np.testing.assert_array_equal(model.item_counts_, other.item_counts_)
    np.testing.assert_array_equal(model.n_users_, other.n_users_)


@given(
    seed=st.integers(0, 2**16),
    kind=st.sampled_from([EASE, EDLAE]),
    settings=st.sampled_from(SETTINGS),
    l2=st.sampled_from([2.0, 30.0]),
    cut=st.integers(1, 119),
)
def test_more_users_and_fewer_users_are_what_a_fit_of_them_gives(seed, kind, settings, l2, cut):
    X = likes(seed=seed)
    model = kind(l2=l2, **settings)
    same(model.fit(X[:cut]).partial_fit(X[cut:]), kind(l2=l2, **settings).fit(X))
    if cut >= 60:  # of fewer that stay, float32 knows less than 1e-5
        same(model.replace_users(X[cut:]), kind(l2=l2, **settings).fit(X[:cut]))


@pytest.mark.parametrize("kind", [EASE, EDLAE])
@pytest.mark.parametrize("at_once", [1, 4, 1000])
def test_histories_that_changed_are_replaced(kind, at_once, monkeypatch):
    monkeypatch.setattr(updates, "_USERS_AT_ONCE", at_once)
    X, new = likes(), likes(7, seed=9)
    model = kind(l2=5.0).fit(X).replace_users(X[:5], new)
    same(model, kind(l2=5.0).fit(sp.csr_array(sp.vstack([X[5:], new]))))


@pytest.mark.parametrize("solver", ["items", "users"])
def test_the_popularity_of_weighted_ratings_is_that_of_a_refit(solver):
    X, more = likes(), likes(30, seed=4)
    random = np.random.default_rng(1)
    data = [
        Interactions(part, pd.RangeIndex(start, start + part.shape[0]), pd.RangeIndex(25), weights=weight)
        for part, start in ((X, 0), (more, 500))
        for weight in [random.uniform(0.2, 3, part.nnz).astype(np.float32)]
    ]
    model = EASE(5.0, solver=solver).fit(data[0]).partial_fit(data[1])
    refit = EASE(5.0, solver=solver).fit(Interactions.concat(data))
    np.testing.assert_allclose(model.popularity_, refit.popularity_, rtol=1e-5)
    np.testing.assert_allclose(model.replace_users(data[1]).popularity_, EASE(5.0).fit(data[0]).popularity_, rtol=1e-5)
    mixed = EASE(5.0).fit(data[0].with_weights(None)).partial_fit(data[1])  # a rating without a weight has 1
    refit = EASE(5.0).fit(Interactions.concat([data[0].with_weights(None), data[1]]))
    np.testing.assert_allclose(mixed.popularity_, refit.popularity_, rtol=1e-5)


def test_without_a_fit_before_partial_fit_is_one():
    X = likes()
    same(EASE().partial_fit(X), EASE().fit(X))


@pytest.mark.parametrize("kind", [EASE, EDLAE])
def test_new_items_come_behind_the_known_ones(kind):
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"user": rng.integers(0, 60, 700), "item": rng.integers(0, 20, 700)}).drop_duplicates()
    first = frame[(frame.user < 40) & (frame.item < 15)]
    data = [Interactions.from_frame(part, rating=None) for part in (first, frame[frame.user >= 40])]
    model = kind(l2=5.0, item_norm=0.1).fit(data[0]).partial_fit(data[1])
    both = Interactions.from_frame(pd.concat([first, frame[frame.user >= 40]]), rating=None)
    whole = kind(l2=5.0, item_norm=0.1).fit(both)
    assert model.n_features_in_ == 20
    place = whole.items_.get_indexer(model.items_)
    np.testing.assert_allclose(model.weights_, whole.weights_[np.ix_(place, place)], atol=1e-5)
    np.testing.assert_allclose(model.popularity_, whole.popularity_[place])
    lists, others = (one.recommend(both, k=5)[["user", "item"]] for one in (model, whole))
    assert lists.equals(others)


def test_a_saved_model_can_be_updated(tmp_path):
    X = likes()
    EASE(item_norm=0.2).fit(X[:100]).save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    same(loaded.partial_fit(X[100:]), EASE(item_norm=0.2).fit(X[:100]).partial_fit(X[100:]))


def test_an_update_goes_by_the_parameters_of_the_fit():
    X = likes()
    model = EASE(l2=5.0).fit(X[:100]).set_params(l2=50.0, item_norm=0.5)
    same(model.partial_fit(X[100:]), EASE(l2=5.0).fit(X))


@pytest.mark.parametrize("kind", [EASE, EDLAE])
def test_users_who_were_never_there_cannot_leave(kind):
    X = likes()
    model = kind(l2=1.0).fit(X[:20])
    before = model.weights_.copy()
    with pytest.raises(DataError, match="exactly as they were"):
        model.replace_users(likes(60, seed=5))
    with pytest.raises(DataError, match="exactly as they were"):
        model.replace_users(X[:20])
    np.testing.assert_array_equal(model.weights_, before)
    data = Interactions.from_matrix(X, users=range(120), items=[f"i{at}" for at in range(25)])
    unknown = Interactions.from_matrix(X, users=range(120), items=[f"j{at}" for at in range(25)])
    with pytest.raises(DataError, match="does not know"):
        kind().fit(data).replace_users(unknown)


def test_a_model_without_what_updates_need_says_so():
    X = likes()
    model = EASE().fit(X)
    model.inverse_diagonal_ = None
    with pytest.raises(DataError, match="cannot be updated"):
        model.partial_fit(X)


class FixedPenalty(EASE):
    def __init__(self, extra=1):
        super().__init__(l2=5.0, user_norm=0.5)
        self.extra = extra


def test_a_subclass_may_settle_parameters_of_its_base():
    X = likes()
    expected = EASE(l2=5.0, user_norm=0.5).fit(X)
    np.testing.assert_array_equal(FixedPenalty().fit(X).score_items(X), expected.score_items(X))


@pytest.mark.parametrize("solver", ["items", "users"])
def test_items_of_another_type_are_no_new_items(solver):
    data = Interactions.from_matrix(likes(), items=list(range(likes().shape[1])))
    model = EASE(l2=5.0, solver=solver).fit(data)
    text = Interactions.from_matrix(likes(), items=[str(item) for item in data.items])
    for change in (lambda: model.partial_fit(text), lambda: model.replace_users(data, text)):
        with pytest.raises(DataError, match="items of the new users are text, such as '0', those of the training data"):
            change()
    assert model.items_ is data.items


@pytest.mark.parametrize("kind", [EASE, EDLAE])
@pytest.mark.parametrize("solver", ["items", "users"])
@pytest.mark.parametrize("n_gone", [1, 3])
def test_who_has_left_cannot_leave_again(kind, solver, n_gone):
    X = likes(60, 80)  # fewer users than items: what one of them has in common with no other shows
    model = kind(l2=20.0, solver=solver).fit(X).replace_users(X[:n_gone])
    same_as = kind(l2=20.0, solver=solver).fit(X[n_gone:])
    np.testing.assert_allclose(model.weights_, same_as.weights_, atol=1e-5)
    with pytest.raises(DataError, match="exactly as they were"):
        model.replace_users(X[:n_gone])
    np.testing.assert_allclose(model.weights_, same_as.weights_, atol=1e-5)


@pytest.mark.parametrize("kind", [EASE, EDLAE])
def test_it_shows_where_every_item_has_more_ratings_than_leave(kind):
    X = sp.csr_array(sp.vstack([likes(60, 80, seed=at) for at in range(2)]))
    gone = X[:4]
    assert (np.asarray((X != 0).sum(axis=0)) - 2 * np.asarray((gone != 0).sum(axis=0)) >= 0).mean() > 0.9
    rare = np.asarray((X != 0).sum(axis=0)).ravel() - 2 * np.asarray((gone != 0).sum(axis=0)).ravel() < 0
    X, gone = (sp.csr_array(matrix.toarray() * ~rare) for matrix in (X, gone))
    model = kind(l2=20.0).fit(X).replace_users(gone)
    with pytest.raises(DataError, match="has left already"):
        model.replace_users(gone)


def test_no_item_has_more_ratings_than_there_are_users():
    X = sp.csr_array(np.eye(4, 6, dtype=np.float32) + np.eye(1, 6, 5, dtype=np.float32).repeat(4, axis=0))
    model = EASE(l2=20.0, solver="items").fit(X)
    with pytest.raises(DataError, match="more ratings, or users"):
        model.replace_users(sp.csr_array(np.zeros((1, 6), dtype=np.float32)))
