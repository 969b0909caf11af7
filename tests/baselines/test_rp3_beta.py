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


@pytest.mark.parametrize(("copies", "clipped"), [(1, False), (4, False), (40, True)])
def test_the_automatic_power_follows_the_ratings_of_an_item(ratings, copies, clipped):
    more = sp.csr_array(sp.vstack([ratings] * copies))
    counts = (more.toarray() != 0).sum(axis=0)
    beta = np.clip(0.25 * np.log(np.exp(np.mean(np.log(np.repeat(counts, counts)))) / 5), 0, 0.65)
    assert beta > 0
    assert (beta == 0.65) == clipped
    weights = RP3Beta(k=7).fit(more).weights_.toarray()
    np.testing.assert_allclose(weights, by_hand(more, 0.6, beta), rtol=1e-5, atol=1e-7)


def test_where_items_have_few_ratings_no_popularity_is_divided_out(ratings):
    few = ratings[:4]
    automatic, without = (RP3Beta(beta=beta, k=7).fit(few).weights_.toarray() for beta in ("auto", 0))
    np.testing.assert_array_equal(automatic, without)


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
