"""ItemKNN against similarities computed in dense float64 numpy."""

import numpy as np
import pytest
from scipy.sparse import csr_array, issparse

from aerec.baselines import ItemKNN


def similarities(X, shrinkage, similarity):
    """Similarity of the columns of `X`, 0 on the diagonal."""
    if similarity == "cosine":
        norm = np.sqrt((X**2).sum(axis=0))
        found = X.T @ X / (np.outer(norm, norm) + shrinkage)
    else:
        rated = (X != 0).astype(float)
        both = rated.T @ rated
        found = both / (rated.sum(axis=0)[:, None] + rated.sum(axis=0) - both + shrinkage)
    np.fill_diagonal(found, 0)
    return found


def keep_k_best_of_each_column(found, k):
    kept = np.zeros_like(found)
    for column in range(found.shape[1]):
        best = np.argsort(-found[:, column], kind="stable")[:k]
        kept[best, column] = found[best, column]
    return kept


@pytest.mark.parametrize("similarity", ["cosine", "jaccard"])
@pytest.mark.parametrize(("k", "shrinkage"), [(3, 0.0), (5, 10.0), (100, 2.5)])
def test_weights_are_the_similarities_of_the_k_nearest(ratings, history, similarity, k, shrinkage):
    model = ItemKNN(k, shrinkage, similarity, user_norm=0).fit(csr_array(ratings))
    expected = keep_k_best_of_each_column(similarities(ratings, shrinkage, similarity), k)
    assert issparse(model.weights_)
    np.testing.assert_allclose(model.weights_.toarray(), expected, atol=1e-6)
    np.testing.assert_allclose(model.score_items(history)[1:], (history @ expected)[1:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("user_norm", [0.5, 1.0])
def test_users_of_many_items_count_less(ratings, user_norm):
    counts = np.maximum((ratings != 0).sum(axis=1), 1)
    weights = counts**-user_norm
    weights /= np.repeat(weights, counts * (ratings != 0).any(axis=1)).mean()
    expected = similarities(np.sqrt(weights)[:, None] * ratings, 2.5, "cosine")
    found = ItemKNN(100, 2.5, user_norm=user_norm).fit(csr_array(ratings)).weights_
    np.testing.assert_allclose(found.toarray(), np.maximum(expected, 0), atol=1e-6)
    alike = [ItemKNN(100, 2.5, "jaccard", norm).fit(csr_array(ratings)).weights_ for norm in (0, user_norm)]
    np.testing.assert_array_equal(*(weights.toarray() for weights in alike))


def test_an_empty_history_is_ranked_by_popularity(ratings, history):
    scores = ItemKNN().fit(csr_array(ratings)).score_items(history)
    np.testing.assert_allclose(scores[0], (ratings != 0).mean(axis=0), rtol=1e-6)


def test_shrinkage_prefers_the_similarity_that_more_users_support():
    X = np.zeros((12, 3))
    X[0, [0, 1]] = 1  # item 1: one user, who also rated item 0; item 2: ten users of eleven in common
    X[1:12, 0] = X[1:11, 2] = 1
    near = [ItemKNN(k=1, shrinkage=s).fit(X).weights_.toarray()[:, 0] for s in (0.0, 5.0)]
    assert [int(np.argmax(weights)) for weights in near] == [2, 2]
    rare = ItemKNN(k=2, shrinkage=50.0).fit(X).weights_.toarray()
    none = ItemKNN(k=2, shrinkage=0.0).fit(X).weights_.toarray()
    assert rare[1, 0] / none[1, 0] < rare[2, 0] / none[2, 0]


@pytest.mark.parametrize("bad", [{"k": 0}, {"shrinkage": -1.0}, {"similarity": "euclid"}])
def test_parameters_out_of_range_are_refused(ratings, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        ItemKNN(**bad).fit(ratings)


@pytest.mark.parametrize(("n_users", "k"), [(400, 100), (8, 500), (1, 2000)])
def test_automatic_k_follows_the_ratings_of_an_item(n_users, k):
    X = csr_array(np.ones((n_users, 2200), dtype=np.float32))
    automatic = ItemKNN(shrinkage=0.0).fit(X)
    assert automatic.weights_.nnz == 2200 * k
