"""PureSVD against numpy's full singular value decomposition."""

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.sparse import csr_array

from aerec.baselines import PureSVD
from aerec.models import EASE


@pytest.mark.parametrize("n_factors", [1, 4, 15])
def test_scores_project_the_history_on_the_leading_singular_vectors(ratings, history, n_factors):
    model = PureSVD(n_factors, l2=0).fit(csr_array(ratings))
    V = np.linalg.svd(ratings, full_matrices=False)[2][:n_factors].T
    np.testing.assert_allclose(np.abs(model.item_factors_), np.abs(V), atol=1e-4)
    np.testing.assert_allclose(model.score_items(history)[1:], (history @ V @ V.T)[1:], atol=1e-3)


def test_of_a_larger_matrix_it_explains_as_much_as_the_best_of_that_rank():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((300, 120)) < 0.2, rng.integers(1, 6, size=(300, 120)), 0).astype(np.float64)
    V = PureSVD(n_factors=10, l2=0).fit(csr_array(X)).item_factors_.astype(np.float64)
    np.testing.assert_allclose(V.T @ V, np.eye(10), atol=1e-5)
    best = np.linalg.svd(X, compute_uv=False)[:10]
    assert np.linalg.norm(X @ V) == pytest.approx(np.linalg.norm(best), rel=1e-3)


@pytest.mark.parametrize("l2", [7.0, "auto"])
def test_all_factors_with_a_penalty_rank_the_items_as_ease_does(ratings, history, l2):
    found = PureSVD(n_factors=15, l2=l2).fit(csr_array(ratings)).score_items(history)[1:]
    expected = EASE(l2=l2).fit(csr_array(ratings)).score_items(history)[1:]
    unseen = history[1:] == 0
    assert unseen.any()
    np.testing.assert_allclose(found[unseen], expected[unseen], atol=1e-4)


def test_scores_are_ridge_regression_of_low_rank_with_each_item_left_out(ratings, history):
    _, sizes, V = np.linalg.svd(ratings, full_matrices=False)
    hat = (V[:4].T * (sizes[:4] ** 2 / (sizes[:4] ** 2 + 7.0))) @ V[:4]
    scores = PureSVD(n_factors=4, l2=7.0).fit(csr_array(ratings)).score_items(history)
    np.testing.assert_allclose(scores[1:], (history @ hat / (1 - np.diag(hat)))[1:], atol=1e-4)


def test_an_item_that_everybody_has_and_nothing_explains_stays_finite():
    X = np.zeros((40, 3))
    X[:, 0], X[:20, 1], X[20:, 2] = 1, 1, 1
    scores = PureSVD(l2=1e-9).fit(csr_array(X)).score_items(csr_array(X))
    assert np.isfinite(scores).all()


def test_ratings_of_twice_the_size_are_ranked_alike(ratings, history):
    once, twice = (PureSVD(4).fit(csr_array(size * ratings)).score_items(history)[1:] for size in (1, 2))
    np.testing.assert_allclose(once, twice, atol=1e-3)


def test_more_factors_than_users_or_items_are_cut(ratings):
    assert PureSVD(n_factors=64).fit(csr_array(ratings[:6])).item_factors_.shape == (15, 6)


def test_an_empty_history_is_ranked_by_popularity(ratings, history):
    scores = PureSVD(3).fit(csr_array(ratings)).score_items(history)
    np.testing.assert_allclose(scores[0], (ratings != 0).mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("l2", [0, 7.0])
def test_one_vector_an_item_is_kept(ratings, l2, tmp_path):
    model = PureSVD(n_factors=4, l2=l2).fit(csr_array(ratings))
    model.save(tmp_path)
    numbers = sum(array.size for array in load_file(*tmp_path.glob("*.safetensors")).values())
    assert numbers == 15 * 4 + 15 * (1 if l2 == 0 else 2)  # popularity, and 1 - H_jj
