"""Popularity: counts by hand, the same for everyone."""

import numpy as np
from scipy.sparse import csr_array

from aerec.baselines import Popularity


def test_scores_are_the_shares_of_the_users_who_rated_whatever_the_rating():
    model = Popularity().fit(csr_array([[5, 1, 0, 0], [4, 0, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0]]))
    expected = np.array([0.75, 0.5, 0, 0], dtype=np.float32)
    np.testing.assert_array_equal(model.popularity_, expected)
    np.testing.assert_array_equal(model.score_items(csr_array([[0, 0, 0, 1], [1, 1, 0, 0]])), [expected, expected])


def test_equally_popular_items_come_in_the_order_of_their_columns():
    model = Popularity().fit(csr_array([[1, 1, 0, 1]]))
    items, _ = model.recommend(csr_array([[1, 0, 0, 0]]), k=3)
    assert items.tolist() == [[1, 3, 2]]
