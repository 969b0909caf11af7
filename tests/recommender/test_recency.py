"""Weights by age: the formula, ties in time, and what is passed on to the other scorer."""

import numpy as np
import pytest
import scipy.sparse as sp

from aerec.errors import DataError
from aerec.recommender.recency import RecencyScorer
from aerec.recommender.scorer import Scorer, UserBlock

DAY = 86_400


class Seen(Scorer):
    """Scores each item by its value in the history."""

    def _scores(self, block):
        return block.history.toarray()


def block(times, rows=((1, 1, 1, 1),)):
    history = sp.csr_array(np.float32(rows))
    return UserBlock(history, np.full(len(rows), -1), times=None if times is None else np.array(times))


def test_positions_halve_the_weight_from_the_newest_on():
    scores = RecencyScorer(Seen(4), 1.0, "positions").score(block([30, 10, 40, 20]))
    np.testing.assert_allclose(scores, [[1 / 2, 1 / 8, 1, 1 / 4]])


def test_ratings_of_the_same_time_share_the_mean_of_their_places():
    scores = RecencyScorer(Seen(4), 1.0, "positions").score(block([5, 5, 9, 1]))
    np.testing.assert_allclose(scores, [[2**-1.5, 2**-1.5, 1, 2**-3.0]])


def test_days_are_counted_from_the_newest_rating_of_each_user():
    given = block([0, 2 * DAY, 5 * DAY, 9 * DAY], rows=[[1, 1, 0, 0], [0, 0, 1, 1]])
    scores = RecencyScorer(Seen(4), 2.0, "days").score(given)
    np.testing.assert_allclose(scores, [[1 / 2, 1, 0, 0], [0, 0, 1 / 4, 1]])


def test_a_very_old_rating_stays_seen():
    given = block([0, 1e6 * DAY], rows=[[1, 1]])
    assert (RecencyScorer(Seen(2), 1.0, "days").score(given) > 0).all()


def test_without_times_a_single_rating_counts_whole_and_more_are_refused():
    scorer = RecencyScorer(Seen(4), 1.0, "positions")
    np.testing.assert_array_equal(scorer.score(block(None, rows=[[0, 3, 0, 0], [0, 0, 0, 0]]))[0], [0, 3, 0, 0])
    with pytest.raises(DataError, match="this history has no times: give an Interactions with timestamps"):
        scorer.score(block(None))


def test_ranking_and_contributions_are_those_of_the_weighted_history():
    given = block([30, 10, 40, 20])
    scorer = RecencyScorer(Seen(4), 1.0, "positions")
    assert scorer.best(given, 3)[0].tolist() == [[2, 0, 3]]
    assert (
        scorer.rank(UserBlock(given.history, given.known_users, [given.history], None, given.times), 4)[0].max() == -1
    )
    np.testing.assert_allclose(scorer.score_at(given, np.array([3, 0])), [[1 / 4, 1 / 2]])
    np.testing.assert_allclose(np.diag(scorer.contributions(given, np.arange(4))), [1 / 2, 1 / 8, 1, 1 / 4])
