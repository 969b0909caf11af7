"""The most alike come first, and nothing is alike to itself."""

import numpy as np
import pandas as pd

from aerec.recommender.similar import most_similar

ALIKE = np.array([[9, 2, 3, -np.inf], [2, 9, 2, 1], [3, 2, 9, 5], [-np.inf, 1, 5, 9]])


def test_the_most_alike_come_first_and_none_is_alike_to_itself():
    ids = pd.Index(["a", "b", "c", "d"])
    frame = most_similar(lambda rows: ALIKE[rows], np.array([2, 1]), ids, 2, 4, "item")
    assert frame.to_numpy().tolist() == [["c", "d", 1, 5], ["c", "a", 2, 3], ["b", "a", 1, 2], ["b", "c", 2, 2]]


def test_what_shares_nothing_is_not_shown_however_many_are_asked_for():
    frame = most_similar(lambda rows: ALIKE[rows], np.array([0]), pd.RangeIndex(4), 100, 4, "user")
    assert frame["user"].tolist() == [0, 0]
    assert frame["similar"].tolist() == [2, 1]
