"""UserKNN against similarities computed in dense float64 numpy."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aerec import Interactions
from aerec.baselines import UserKNN


def reference(history, X, k, shrinkage, similarity, known=None):
    scores = np.zeros_like(history)
    for row, x in enumerate(history):
        if similarity == "cosine":
            near = X @ x / np.maximum(np.linalg.norm(X, axis=1) * np.linalg.norm(x) + shrinkage, 1e-30)
        else:
            both, either = ((X != 0) & (x != 0)).sum(axis=1), ((X != 0) | (x != 0)).sum(axis=1)
            near = both / np.maximum(either + shrinkage, 1e-30)
        if known is not None:
            near[known[row]] = 0
        best = np.argsort(-near, kind="stable")[:k]
        scores[row] = near[best] @ X[best]
    return scores


@pytest.mark.parametrize("similarity", ["cosine", "jaccard"])
@pytest.mark.parametrize(("k", "shrinkage"), [(3, 0.0), (10, 10.0), (100, 2.5)])
def test_scores_are_the_ratings_of_the_k_nearest_users(ratings, history, similarity, k, shrinkage):
    model = UserKNN(k, shrinkage, similarity).fit(csr_array(ratings))
    expected = reference(history, ratings, k, shrinkage, similarity)
    np.testing.assert_allclose(model.score_items(history)[1:], expected[1:], rtol=1e-4)


def test_an_empty_history_is_ranked_by_popularity(ratings, history):
    scores = UserKNN().fit(csr_array(ratings)).score_items(history)
    np.testing.assert_allclose(scores[0], (ratings != 0).mean(axis=0), rtol=1e-6)


def test_a_training_user_is_not_a_neighbour_of_his_own(ratings):
    data = Interactions.from_matrix(ratings, users=[f"u{at}" for at in range(len(ratings))])
    model = UserKNN(k=4, shrinkage=1.0).fit(data)
    rows = np.array([5, 2, 40])
    found = model.score_items(data.select_users(data.users[rows]))
    np.testing.assert_allclose(found, reference(ratings[rows], ratings, 4, 1.0, "cosine", rows), rtol=1e-4)
    stranger = Interactions.from_matrix(ratings[rows], users=["x", "y", "z"])
    expected = reference(ratings[rows], ratings, 4, 1.0, "cosine")
    np.testing.assert_allclose(model.score_items(stranger), expected, rtol=1e-4)


def test_a_second_fit_and_another_similarity_forget_the_first(ratings, history):
    model = UserKNN(k=3).fit(csr_array(ratings))
    model.score_items(history)
    for similarity, X in (("jaccard", ratings), ("jaccard", ratings[::-2])):
        model.set_params(similarity=similarity).fit(csr_array(X))
        expected = UserKNN(k=3, similarity=similarity).fit(csr_array(X)).score_items(history)
        np.testing.assert_array_equal(model.score_items(history), expected)
