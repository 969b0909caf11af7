"""Scores as weighted sums over the history."""

import warnings

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from aerec import Interactions
from aerec.closed_form import gram
from aerec.closed_form.item_item import ItemItemRecommender
from aerec.models import EASE


def ratings(n_users=50, n_items=13, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n_users, n_items)) < 0.3, rng.integers(1, 6, size=(n_users, n_items)), 0).astype(float)


def with_weights(weights):
    class Fixed(ItemItemRecommender):
        def _fit(self, train, validation):
            self.weights_ = weights

    return Fixed().fit(Interactions.from_matrix(np.eye(len(ratings().T)), items=[f"i{at}" for at in range(13)]))


@pytest.mark.parametrize("layout", [np.asarray, csr_array])
def test_scores_are_weighted_sums_over_the_history(layout):
    weights = np.where(np.random.default_rng(1).random((13, 13)) < 0.5, 0.25, 0).astype(np.float32)
    scores = with_weights(layout(weights)).score_items(ratings(4))
    assert isinstance(scores, np.ndarray)
    np.testing.assert_allclose(scores, ratings(4) @ weights, rtol=1e-6)


def test_scores_summed_some_columns_at_a_time_are_the_same_bits(monkeypatch):
    model = with_weights(np.random.default_rng(1).standard_normal((13, 13)).astype(np.float32))
    monkeypatch.setattr(gram, "_COLUMNS", 4)
    history = ratings(200)
    monkeypatch.setattr(gram, "_WANTED", 10**9)
    whole = model.score_items(history)
    monkeypatch.setattr(gram, "_WANTED", 0)
    np.testing.assert_array_equal(model.score_items(history), whole)


def test_arrays_that_may_not_be_written_to_are_read_without_a_warning():
    X = csr_array(ratings())
    model = EASE().fit(X)
    expected = model.score_items(X)
    for array in (X.data, X.indices, X.indptr, model.weights_):
        array.flags.writeable = False
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.array_equal(model.score_items(X), expected)
    finally:
        torch.set_warn_always(False)


@pytest.mark.parametrize("layout", [np.asarray, csr_array])
def test_explanations_are_the_terms_of_the_sum(layout):
    weights = np.random.default_rng(1).standard_normal((13, 13)).astype(np.float32)
    model = with_weights(layout(weights))
    values = np.zeros((1, 13))
    values[0, [2, 5, 7]] = [4, 1, 3]
    history = Interactions.from_matrix(values, users=["ann"], items=[f"i{at}" for at in range(13)])
    terms = model.explain(history, "i3")
    expected = dict(zip(["i2", "i5", "i7"], values[0, [2, 5, 7]] * weights[[2, 5, 7], 3], strict=True))
    assert dict(zip(terms["item"], terms["contribution"], strict=True)) == pytest.approx(expected)
    assert terms["contribution"].is_monotonic_decreasing
    assert terms["contribution"].sum() == pytest.approx(model.score_items(history)[0, 3], rel=1e-5)
    assert len(model.explain(history, "i3", n=2)) == 2


def test_an_empty_history_is_ranked_by_popularity():
    X = ratings()
    scores = EASE(l2=1.0).fit(X).score_items(np.zeros((2, 13)))
    np.testing.assert_allclose(scores, np.tile((X > 0).mean(axis=0), (2, 1)), rtol=1e-6)
