"""SLIM against its own objective: scikit-learn column by column, and the conditions of an optimum."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import ElasticNet

from aerec.baselines import SLIM, slim
from aerec.closed_form.penalties import automatic_l2
from aerec.errors import TrainingError
from aerec.registry import load_model


def objective(X, W, l1, l2):
    return 0.5 * np.sum((X - X @ W) ** 2) + 0.5 * l2 * np.sum(W**2) + l1 * np.sum(np.abs(W))


def solved_by_scikit_learn(X, l1, l2):
    n_users, n_items = X.shape
    W = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = np.delete(np.arange(n_items), item)
        net = ElasticNet((l1 + l2) / n_users, l1_ratio=l1 / (l1 + l2), positive=True, fit_intercept=False, tol=1e-9)
        W[others, item] = net.fit(X[:, others], X[:, item]).coef_
    return W


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 10.0), (5.0, 20.0), (40.0, 1.0)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_weights_reach_the_optimum_of_the_elastic_net(ratings, l1, l2):
    W = SLIM(l1, l2, epochs=2000, tol=1e-8).fit(csr_array(ratings)).weights_.toarray().astype(np.float64)
    best = solved_by_scikit_learn(ratings, l1, l2)
    assert objective(ratings, W, l1, l2) == pytest.approx(objective(ratings, best, l1, l2), rel=1e-6)
    np.testing.assert_allclose(W, best, atol=2e-4)


def test_weights_fulfil_the_conditions_of_a_constrained_optimum(ratings):
    l1, l2 = 10.0, 5.0
    W = SLIM(l1, l2, epochs=2000, tol=1e-8).fit(csr_array(ratings)).weights_.toarray().astype(np.float64)
    gradient = ratings.T @ (ratings @ W - ratings) + l2 * W + l1
    free = ~np.eye(len(W), dtype=bool)
    assert (W >= 0).all()
    assert (np.diag(W) == 0).all()
    assert 0 < (W > 0).sum() < free.sum()
    np.testing.assert_allclose(gradient[W > 0], 0, atol=0.05)  # of ratings whose XᵀX is in the hundreds
    assert (gradient[free & (W == 0)] > -0.05).all()


def test_a_larger_l1_keeps_fewer_weights(ratings):
    kept = [SLIM(l1=l1, l2=1.0).fit(csr_array(ratings)).weights_.nnz for l1 in (0.1, 20.0, 60.0, 1e6)]
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] == 0 < kept[-2]


def test_automatic_penalties_are_those_of_ease_and_scale_with_the_ratings(ratings):
    X = csr_array(ratings)
    l2 = automatic_l2(X)
    expected = SLIM(l1=0.007 * l2, l2=l2).fit(X).weights_.toarray()
    np.testing.assert_allclose(SLIM().fit(X).weights_.toarray(), expected, atol=1e-6)
    np.testing.assert_allclose(SLIM().fit(3 * X).weights_.toarray(), expected, atol=1e-4)


def test_columns_in_many_tasks_are_the_same(ratings, monkeypatch):
    whole = SLIM().fit(csr_array(ratings)).weights_.toarray()
    monkeypatch.setattr(slim, "_ITEMS_PER_TASK", 2)
    np.testing.assert_array_equal(SLIM().fit(csr_array(ratings)).weights_.toarray(), whole)


@pytest.mark.parametrize("fewest", [1, 3, 1000])
def test_how_many_weights_enter_at_once_does_not_matter(ratings, monkeypatch, fewest):
    expected = SLIM(l1=1.0, l2=1.0, tol=1e-9).fit(ratings).weights_.toarray()
    monkeypatch.setattr(slim, "_FEWEST", fewest)
    model = SLIM(l1=1.0, l2=1.0, tol=1e-9).fit(ratings)
    assert model.n_unconverged_ == 0
    np.testing.assert_allclose(model.weights_.toarray(), expected, atol=1e-5)


def test_items_that_are_equal_share_their_weight():
    """The equations of equal items are singular but for l2; items that nobody rated have no weights."""
    X = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0]], dtype=np.float32)
    W = SLIM(l1=0.1, l2=0.5).fit(csr_array(X)).weights_.toarray()
    np.testing.assert_allclose(W, solved_by_scikit_learn(X, 0.1, 0.5), atol=1e-5)
    assert W[0, 2] == W[1, 2] > 0


def test_an_l2_too_small_for_equal_items_is_refused():
    X = np.repeat([[1.1, 1.1, 1.1]], 9, axis=0)
    with pytest.raises(TrainingError, match="raise l2"):
        SLIM(l1=0.1, l2=1e-300).fit(csr_array(X))


def test_columns_that_used_up_their_epochs_are_counted(ratings, monkeypatch):
    monkeypatch.setattr(slim, "_FEWEST", 1)
    assert SLIM(l1=0.1, l2=0.1, epochs=1, tol=1e-12).fit(csr_array(ratings)).n_unconverged_ > 0
    assert SLIM().fit(csr_array(ratings)).n_unconverged_ == 0


def test_it_asks_numpy_for_no_random_numbers_and_keeps_its_count(ratings, monkeypatch, tmp_path):
    monkeypatch.setattr(slim, "_FEWEST", 1)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    model = SLIM(epochs=1, l1=0.1, l2=1.0).fit(ratings)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    model.save(tmp_path)
    assert load_model(tmp_path).n_unconverged_ == model.n_unconverged_ > 0
