"""BPR: it ranks what was seen above what was not, and scores new users by the mean of their items' factors."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aerec import Interactions
from aerec.baselines import BPR
from aerec.errors import TrainingError

pytest.importorskip("implicit")


@pytest.fixture
def two_tastes():
    """Users 0, 2, 4, ... like items 0 to 5, the others items 6 to 11; each leaves out some of them."""
    rng = np.random.default_rng(0)
    liked = (np.arange(40)[:, None] % 2 == np.arange(12) // 6) & (rng.random((40, 12)) < 0.7)
    return Interactions.from_matrix(liked.astype(float), users=[f"u{at}" for at in range(40)])


def test_seen_items_rank_above_unseen_ones(two_tastes):
    scores = BPR(n_factors=4, epochs=200, learning_rate=0.05).fit(two_tastes).score_items(two_tastes)
    seen = two_tastes.matrix.toarray() > 0
    right = [(scores[u][seen[u]][:, None] > scores[u][~seen[u]]).mean() for u in range(40)]
    assert np.mean(right) > 0.8
    taste = np.arange(40)[:, None] % 2 == np.arange(12) // 6
    assert scores[taste].mean() > scores[~taste].mean()


def test_known_users_have_factors_and_new_ones_the_mean_of_their_items(two_tastes):
    model = BPR(n_factors=4, epochs=20).fit(two_tastes)
    expected = model.user_factors_ @ model.item_factors_.T
    np.testing.assert_allclose(model.score_items(two_tastes), expected, rtol=1e-5)
    new = np.zeros((2, 12))
    new[0, [1, 4]] = new[1, 7] = 1
    users = np.stack([model.item_factors_[[1, 4]].mean(axis=0), model.item_factors_[7]])
    users[:, -1] = 1  # the last factor of an item is its bias
    np.testing.assert_allclose(model.score_items(csr_array(new)), users @ model.item_factors_.T, rtol=1e-4, atol=1e-6)


def test_a_training_user_without_ratings_is_scored_by_the_history_like_a_new_one(two_tastes):
    matrix = two_tastes.matrix.toarray()
    matrix[3] = 0
    data = Interactions.from_matrix(matrix, users=two_tastes.users)
    model = BPR(n_factors=4, epochs=20).fit(data)
    history = np.zeros((1, 12))
    history[0, [1, 4]] = 1
    known = model.score_items(Interactions.from_matrix(history, users=["u3"]))
    np.testing.assert_array_equal(known, model.score_items(history))


def test_a_new_user_without_history_gets_popular_items(two_tastes):
    scores = BPR(n_factors=4, epochs=2).fit(two_tastes).score_items(csr_array((1, 12)))
    np.testing.assert_allclose(scores[0], (two_tastes.matrix.toarray() > 0).mean(axis=0), rtol=1e-6)


def test_popularity_is_given_back_to_the_biases(two_tastes):
    plain, more = (BPR(n_factors=3, epochs=5, popularity_power=power).fit(two_tastes) for power in (0.0, 0.7))
    counts = (two_tastes.matrix.toarray() > 0).sum(axis=0)
    np.testing.assert_array_equal(more.item_factors_[:, :-1], plain.item_factors_[:, :-1])
    added = more.item_factors_[:, -1] - plain.item_factors_[:, -1]
    np.testing.assert_allclose(added, 0.7 * np.log(counts), rtol=1e-5)


def test_the_seed_decides(two_tastes):
    first, again, other = (BPR(n_factors=3, epochs=5, seed=seed).fit(two_tastes).item_factors_ for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_factors_that_are_no_numbers_are_a_training_error(two_tastes):
    with pytest.raises(TrainingError, match=r"lower learning_rate=1e\+30"):
        BPR(n_factors=4, epochs=5, learning_rate=1e30).fit(two_tastes)
