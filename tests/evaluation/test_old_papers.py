"""The protocol of sampled negatives: what it draws, and that it is not `evaluate`."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from aerec import Interactions, Recommender, evaluate
from aerec.errors import DataError
from aerec.evaluation import evaluate_on_sampled_negatives_as_in_old_papers as sampled
from aerec.holdout import Holdout

N_ITEMS = 200


class InOrder(Recommender):
    """Item 0 is the best for everybody, then item 1, and so on; or all are the same."""

    def __init__(self, equal=False):
        self.equal = equal

    def _fit(self, train, validation):
        self.n_items_ = train.n_items

    def _score(self, history, known_users):
        order = np.zeros(self.n_items_) if self.equal else -np.arange(self.n_items_)
        return np.tile(order, (history.shape[0], 1)).astype(np.float32)


def holdout_of(targets, n_history=0, repeat=1):
    """Users whose histories are the last items, each with one of `targets`."""
    targets = np.repeat(targets, repeat)
    n = len(targets)
    history, target = (np.zeros((n, N_ITEMS), dtype=np.float32) for _ in range(2))
    history[:, N_ITEMS - n_history :] = 1
    target[np.arange(n), targets] = 1
    users = pd.RangeIndex(n)
    parts = (Interactions(sp.csr_array(X), users, pd.RangeIndex(N_ITEMS)) for X in (history, target))
    return Holdout(*parts)


def fitted(**more):
    return InOrder(**more).fit(holdout_of([0, 1], n_history=5).history)


def test_the_item_at_a_rank_is_found_as_often_as_chance_has_fewer_than_k_better_ones_drawn():
    """Hypergeometric: of 199 others r are better, 99 are drawn, and fewer than 10 of these may be among them."""
    from scipy.stats import hypergeom

    for rank in (5, 15, 20, 30):
        found = sampled(fitted(), holdout_of([rank], repeat=4000), "hit_rate@10", n_resamples=10)
        expected = hypergeom(N_ITEMS - 1, rank, 99).cdf(9)
        assert found["hit_rate@10 of 1 + 99"] == pytest.approx(expected, abs=4 * (0.25 / 4000) ** 0.5)


def test_neither_history_nor_other_targets_are_drawn():
    """Where all that may be drawn is drawn, ranks are exact."""
    holdout = holdout_of([3], n_history=N_ITEMS - 11)
    assert sampled(fitted(), holdout, "mrr@11", n_negatives=10)["mrr@11 of 1 + 10"] == pytest.approx(1 / 4)
    with pytest.raises(DataError, match="user 0 has 10 items to draw 11 negatives from"):
        sampled(fitted(), holdout, n_negatives=11)


def test_a_user_counts_once_however_many_items_he_has():
    holdout = holdout_of([0, 150])
    both = np.zeros((2, N_ITEMS), dtype=np.float32)
    both[0, [0, 150]], both[1, 0] = 1, 1
    target = Interactions(sp.csr_array(both), holdout.history.users, holdout.history.items)
    report = sampled(fitted(), Holdout(holdout.history, target), "hit_rate@10")
    assert report.per_user["hit_rate@10 of 1 + 99"].tolist() == [0.5, 1.0]


def test_equal_scores_are_chance():
    report = sampled(fitted(equal=True), holdout_of([7], repeat=4000), "hit_rate@10", n_resamples=10)
    assert report["hit_rate@10 of 1 + 99"] == pytest.approx(0.1, abs=4 * (0.09 / 4000) ** 0.5)


@pytest.mark.filterwarnings("ignore:InOrder gives nearly everybody")
def test_it_looks_better_than_the_metric_over_all_items():
    holdout = holdout_of([12], n_history=1, repeat=50)
    name = "hit_rate@10"
    assert evaluate(fitted(), holdout, name)[name] == 0
    assert sampled(fitted(), holdout, name)["hit_rate@10 of 1 + 99"] > 0.8


def test_the_same_seed_draws_the_same_negatives():
    values = [sampled(fitted(), holdout_of([20], repeat=200), seed=seed).per_user for seed in (0, 0, 1)]
    pd.testing.assert_frame_equal(values[0], values[1])
    assert not values[0].equals(values[2])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"metrics": "coverage@10"}, ValueError, "coverage@10 cannot be measured on sampled negatives; choose among"),
        ({"metrics": "rmse"}, ValueError, "rmse cannot be measured on sampled negatives"),
        ({"n_negatives": 0}, ValueError, "n_negatives must be a whole number of at least 1, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        sampled(fitted(), holdout_of([0]), **options)


def test_without_targets_there_is_nothing_to_measure():
    holdout = holdout_of([0])
    with pytest.raises(DataError, match="none of the 1 users has a held-out item"):
        sampled(fitted(), Holdout(holdout.history, holdout.target.keep(np.array([False]))))
