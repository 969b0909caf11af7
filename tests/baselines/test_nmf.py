"""NMF: the factors against scikit-learn, the fold-in against an active-set solver, the cost against dense updates."""

import warnings

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.sparse import csr_array
from sklearn import decomposition

from aerec import Interactions, load_model
from aerec.baselines import NMF
from aerec.errors import DataError


def sklearn_nmf(X, n_factors, l2, epochs, seed, **others):
    n_users, n_items = X.shape
    return decomposition.NMF(
        n_factors,
        init="nndsvda",
        alpha_W=l2 / n_items,
        alpha_H=l2 / n_users,
        max_iter=epochs,
        random_state=seed,
        **others,
    )


def dense_fold_in(history, items, l2):
    """One user at a time, by Lawson and Hanson's active-set method on the ridge written as more rows."""
    stacked = np.vstack([items, np.sqrt(l2) * np.eye(items.shape[1])])
    zeros = np.zeros(items.shape[1])
    return np.array([nnls(stacked, np.concatenate([x, zeros]))[0] for x in history])


def cost(X, users, items, l2):
    return 0.5 * np.sum((X - users @ items.T) ** 2) + 0.5 * l2 * (np.sum(users**2) + np.sum(items**2))


def dense_nmf(X, n_factors, l2, epochs):
    """The multiplicative updates of Lee and Seung, with the ridge in the denominators."""
    rng = np.random.default_rng(3)
    users, items = (rng.uniform(0.1, 1, size=(size, n_factors)) for size in X.shape)
    for _ in range(epochs):
        users *= (X @ items) / (users @ items.T @ items + l2 * users)
        items *= (X.T @ users) / (items @ users.T @ users + l2 * items)
    return users, items


@pytest.mark.parametrize(("n_factors", "l2", "epochs", "seed"), [(4, 0.0, 50, 0), (6, 2.0, 7, 5)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_factors_are_those_of_scikit_learn(ratings, n_factors, l2, epochs, seed):
    model = NMF(n_factors, l2, epochs, seed).fit(csr_array(ratings))
    expected = sklearn_nmf(ratings, n_factors, l2, epochs, seed).fit(ratings).components_.T
    assert (model.item_factors_ >= 0).all()
    np.testing.assert_allclose(model.item_factors_, expected, atol=1e-3 * expected.max())


@pytest.mark.parametrize("l2", [0.0, 0.5, 20.0])
def test_a_history_is_folded_in_by_exact_non_negative_least_squares(ratings, history, l2):
    model = NMF(n_factors=5, l2=l2, epochs=40).fit(csr_array(ratings))
    items = model.item_factors_.astype(np.float64)
    expected = dense_fold_in(history, items, l2)
    np.testing.assert_allclose(model._fold_in(csr_array(history)), expected, atol=1e-4 * expected.max())
    np.testing.assert_allclose(model.score_items(history)[1:], (expected @ items.T)[1:], atol=1e-3)
    assert l2 > 1 or (expected[1:] == 0).any()  # else plain least squares would pass


def test_the_fold_in_is_the_transform_of_scikit_learn(ratings, history):
    model = NMF(n_factors=4, l2=0.0, epochs=200).fit(csr_array(ratings))
    peer = sklearn_nmf(ratings, 4, 0.0, 2000, 0, tol=1e-10).fit(ratings)
    model.item_factors_ = np.ascontiguousarray(peer.components_.T, dtype=np.float32)
    np.testing.assert_allclose(
        model.score_items(history)[1:], (peer.transform(history) @ peer.components_)[1:], atol=1e-3
    )


@pytest.mark.parametrize("l2", [0.0, 3.0])
def test_training_reaches_the_cost_of_dense_multiplicative_updates(ratings, l2):
    items = NMF(n_factors=3, l2=l2, epochs=300).fit(csr_array(ratings)).item_factors_.astype(np.float64)
    found = cost(ratings, dense_fold_in(ratings, items, l2), items, l2)
    assert found <= 1.01 * cost(ratings, *dense_nmf(ratings, 3, l2, 1500), l2)


def test_training_says_nothing_of_epochs_that_were_asked_for(ratings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NMF(n_factors=5, l2=0.0, epochs=1).fit(csr_array(ratings))


def test_more_factors_than_users_or_items_are_cut(ratings):
    assert NMF(n_factors=64).fit(csr_array(ratings[:6])).item_factors_.shape == (15, 6)


def test_an_empty_history_is_ranked_by_popularity(ratings, history):
    scores = NMF(n_factors=2).fit(csr_array(ratings)).score_items(history)
    np.testing.assert_allclose(scores[0], (ratings != 0).mean(axis=0), rtol=1e-6)


def test_a_history_that_no_factor_explains_is_ranked_by_popularity(ratings):
    ratings[:, 4] = 0  # nobody rated item 4 in training: its factors are 0
    model = NMF(n_factors=3).fit(csr_array(ratings))
    only_item_4 = np.eye(15)[4:5]
    np.testing.assert_array_equal(model.score_items(only_item_4)[0], model.popularity_)
    np.testing.assert_array_equal(model.score_items(only_item_4), model.score_items(0 * only_item_4))


def test_the_users_beside_one_do_not_matter(ratings):
    model = NMF(n_factors=8, l2=0.0).fit(csr_array(ratings))
    together = model.score_items(ratings)
    alone = np.concatenate([model.score_items(ratings[at : at + 1]) for at in range(len(ratings))])
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_the_seed_decides_the_start_and_nothing_else_does(ratings):
    X = csr_array(ratings)
    first, again, other = (NMF(n_factors=4, epochs=3, seed=seed).fit(X).item_factors_ for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()  # a little: the start is nearly that of the exact singular vectors


def test_a_saved_model_is_its_item_factors_and_scores_exactly_as_before(ratings, history, tmp_path):
    model = NMF(n_factors=3, l2=1.0).fit(csr_array(ratings))
    model.save(tmp_path / "saved")
    loaded = load_model(tmp_path / "saved")
    assert type(loaded) is NMF
    assert loaded.get_params() == {"n_factors": 3, "l2": 1.0, "epochs": 100, "seed": 0}
    np.testing.assert_array_equal(loaded.score_items(history), model.score_items(history))
    assert not list((tmp_path / "saved").glob("*.pkl"))


def test_ratings_below_zero_are_refused_with_a_way_out(ratings):
    shifted = Interactions.from_matrix(np.where(ratings, ratings - 3, 0))
    with pytest.raises(DataError, match=r"lowest here is -[12].*: shift them, or .* binarize\(\)"):
        NMF().fit(shifted)


@pytest.mark.parametrize("wrong", [{"n_factors": 0}, {"l2": -1.0}, {"epochs": 0}, {"seed": -1}])
def test_parameters_out_of_range_are_refused(ratings, wrong):
    with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' parameter of NMF must be"):
        NMF(**wrong).fit(csr_array(ratings))


def test_the_only_item_of_a_history_contributes_the_whole_score():
    rng = np.random.default_rng(0)
    X = Interactions.from_matrix(csr_array((rng.random((60, 12)) < 0.4).astype(np.float32)))
    model = NMF(n_factors=4, l2=0.1, epochs=50).fit(X)
    one = csr_array(([1.0], ([0], [3])), shape=(1, 12))
    score = model.score_items(one)[0, 5]
    assert model.explain(one, 5)["contribution"].tolist() == pytest.approx([score], abs=1e-6)


@pytest.mark.parametrize("ratings", [[(0, 0)], [(0, 0), (3, 5)], [(0, 0), (0, 1)], [(8, 8), (8, 7)]])
def test_fewer_ratings_than_factors_leave_no_nan(ratings):
    matrix = np.zeros((9, 9))
    matrix[tuple(zip(*ratings, strict=True))] = 1
    model = NMF(n_factors=4).fit(matrix)
    assert np.isfinite(model.item_factors_).all()
    assert np.isfinite(model.score_items(matrix)).all()
    assert (model.rank(matrix, 3)[0] >= 0).all()
