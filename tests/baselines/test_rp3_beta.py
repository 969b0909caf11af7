import numpy as np
import pytest
import scipy.sparse as sp

from aerec.baselines import RP3Beta


@pytest.fixture
def ratings():
    rng = np.random.default_rng(0)
    ratings = (rng.random((12, 7)) < 0.4) * rng.integers(1, 6, (12, 7)).astype(np.float32)
    ratings[:, 0] = 1  # nobody without a rating, where the formula divides by 0
    return sp.csr_array(ratings)


def by_hand(X, alpha, beta):
    X = X.toarray().astype(np.float64)
    to_user = X.T / X.sum(axis=0)[:, None]
    to_item = X / X.sum(axis=1)[:, None]
    walks = (to_user**alpha) @ (to_item**alpha) / X.sum(axis=0) ** beta
    np.fill_diagonal(walks, 0)
    return walks


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (1.0, 0.5), (0.7, 0.9)])
def test_weights_are_those_of_the_walks(ratings, alpha, beta):
    weights = RP3Beta(alpha=alpha, beta=beta, k=7).fit(ratings).weights_.toarray()
    np.testing.assert_allclose(weights, by_hand(ratings, alpha, beta), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("copies", "clipped"), [(1, True), (4, False), (20, True)])
def test_the_automatic_powers_follow_the_ratings_of_an_item(ratings, copies, clipped):
    more = sp.csr_array(sp.vstack([ratings] * copies))
    of_item = more.nnz / np.count_nonzero(more.sum(axis=0))
    beta = np.clip(0.5 * np.log(of_item / 10), 0, 0.6)
    assert (beta in (0, 0.6)) == clipped
    weights = RP3Beta(k=7).fit(more).weights_.toarray()
    np.testing.assert_allclose(weights, by_hand(more, 0.6 + 2 * beta / 3, beta), rtol=1e-5, atol=1e-7)


def test_without_powers_the_walk_from_an_item_ends_somewhere_for_certain(ratings):
    X = ratings.toarray()
    stay = ((X.T / X.sum(axis=0)[:, None]) * (X / X.sum(axis=1)[:, None]).T).sum(axis=1)
    weights = RP3Beta(alpha=1.0, beta=0.0, k=7).fit(ratings).weights_
    np.testing.assert_allclose(weights.sum(axis=1) + stay, 1.0, rtol=1e-5)


def test_only_the_largest_weights_of_each_item_are_kept(ratings):
    full = by_hand(ratings, 1.0, 0.5)
    kept = RP3Beta(alpha=1.0, beta=0.5, k=2).fit(ratings).weights_.toarray()
    assert (np.count_nonzero(kept, axis=1) <= 2).all()
    np.testing.assert_allclose(kept.sum(axis=1), np.sort(full, axis=1)[:, -2:].sum(axis=1), rtol=1e-5)
