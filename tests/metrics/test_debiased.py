"""Debiased metrics: the formulas by hand, and a simulated exposure whose truth is known."""

import numpy as np
import pytest

from aerec.errors import DataError
from aerec.metrics import (
    debiased_ndcg_at_k,
    debiased_recall_at_k,
    ndcg_at_k,
    popularity_propensities,
    recall_at_k,
    serendipity_at_k,
)

N_USERS, N_ITEMS, K = 4000, 60, 10


@pytest.fixture(scope="module")
def exposure():
    """What is relevant to people (truth), what of it was seen (target), and the chances of items to be seen."""
    rng = np.random.default_rng(0)
    relevant = rng.random((N_USERS, N_ITEMS)) < 0.3
    chances = popularity_propensities(np.geomspace(1000, 4, N_ITEMS), 0.5)
    seen = relevant & (rng.random((N_USERS, N_ITEMS)) < chances)
    return relevant.astype(np.float32), seen.astype(np.float32), chances


def ranking_of(kind):
    """The same list for all: popular items first, rare ones first, or a mixture."""
    order = {"popular": np.arange(N_ITEMS), "rare": np.arange(N_ITEMS)[::-1], "mixed": np.arange(N_ITEMS) * 7 % N_ITEMS}
    return np.tile(order[kind][:K], (N_USERS, 1))


METRICS = [
    (debiased_recall_at_k, lambda ranking, target: recall_at_k(ranking, target, denominator="target")),
    (debiased_ndcg_at_k, ndcg_at_k),
]


@pytest.mark.parametrize(("debiased", "plain"), METRICS, ids=["recall", "ndcg"])
@pytest.mark.parametrize("kind", ["popular", "rare", "mixed"])
def test_ips_is_unbiased_and_snips_nearly_so_where_the_plain_metric_is_not(exposure, debiased, plain, kind):
    relevant, seen, chances = exposure
    ranking = ranking_of(kind)
    truth = np.nanmean(plain(ranking, relevant))
    ips = debiased(ranking, seen, chances, n_relevant=relevant.sum(axis=1))
    error = np.nanstd(ips) / np.sqrt(N_USERS)
    assert abs(np.nanmean(ips) - truth) < 4 * error
    biased, snips = np.nanmean(plain(ranking, seen)) - truth, np.nanmean(debiased(ranking, seen, chances)) - truth
    assert abs(biased) > 0.02
    assert abs(snips) < abs(biased) / 2


def test_the_plain_recall_likes_popular_lists_too_well(exposure):
    relevant, seen, chances = exposure
    plain, snips, truth = (
        [np.nanmean(measure(ranking_of(kind))) for kind in ("popular", "rare")]
        for measure in (
            lambda ranking: recall_at_k(ranking, seen, denominator="target"),
            lambda ranking: debiased_recall_at_k(ranking, seen, chances),
            lambda ranking: recall_at_k(ranking, relevant, denominator="target"),
        )
    )
    assert truth[0] == pytest.approx(truth[1], abs=0.01)
    assert plain[0] / plain[1] > 3
    assert 1 <= snips[0] / snips[1] < plain[0] / plain[1] / 2


@pytest.mark.parametrize(("debiased", "plain"), METRICS, ids=["recall", "ndcg"])
def test_where_everything_was_seen_nothing_changes(debiased, plain):
    rng = np.random.default_rng(1)
    target = (rng.random((50, 20)) < 0.2).astype(np.float32)
    ranking = rng.permuted(np.tile(np.arange(20), (50, 1)), axis=1)
    ranking[:5, 7:] = -1
    for k in (1, 5, 12):
        np.testing.assert_allclose(debiased(ranking, target, np.ones(20), k), plain(ranking[:, :k], target))


def test_recall_by_hand():
    target, chances = [[1, 1, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]], [1.0, 0.5, 0.25, 0.1]
    lists = [[1, 2], [0, 1], [3, -1]]
    np.testing.assert_allclose(debiased_recall_at_k(lists, target, chances), [2 / 13, np.nan, 0])
    np.testing.assert_allclose(
        debiased_recall_at_k(lists, target, chances, k=1, n_relevant=[4, 2, 0]), [0.5, 0, np.nan]
    )


def test_ndcg_by_hand():
    target, chances = [[1, 0, 1]], [0.8, 1.0, 0.5]
    third = 1 / np.log2(4)
    n_relevant = 1 / 0.8 + 1 / 0.5  # 3.25: all three places
    assert n_relevant > 3
    expected = (1 / 0.8 + third / 0.5) / (1 + 1 / np.log2(3) + third)
    np.testing.assert_allclose(debiased_ndcg_at_k([[0, 1, 2]], target, chances), [expected])
    half = 1 + 0.25 / np.log2(3)  # of 1.25 relevant items the second counts for a quarter
    np.testing.assert_allclose(debiased_ndcg_at_k([[0, 1, 2]], [[1, 0, 0]], chances), [1.25 / half])


def test_propensities_by_hand():
    assert popularity_propensities([16, 4, 1, 0], 0.5).tolist() == [1, 0.5, 0.25, 0.25]
    assert popularity_propensities([9, 3], 0).tolist() == [1, 1]
    assert popularity_propensities([9, 3], 1).tolist() == pytest.approx([1, 1 / 3])
    with pytest.raises(ValueError, match="gamma must be at least 0, got -1"):
        popularity_propensities([9, 3], -1)


def test_serendipity_counts_relevant_items_that_nobody_expects():
    target = [[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    found = serendipity_at_k([[0, 1, 3], [0, 1, -1], [0, 1, 2]], [[0, 3], [-1, 2], [0, 1]], target)
    np.testing.assert_allclose(found, [1 / 3, 1 / 3, np.nan])
    np.testing.assert_allclose(serendipity_at_k([[1, 0]], [[2]], target[:1], k=1), [1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: debiased_recall_at_k([[0]], [[1, 0]], [1.0]), r"\(1,\) propensities for 2 items"),
        (
            lambda: debiased_recall_at_k([[0]], [[1, 0]], [1.0, 0.0]),
            "the propensity of item 1 is 0.0: expected",
        ),
        (lambda: debiased_ndcg_at_k([[0]], [[1, 0]], [1.5, 1.0]), "the propensity of item 0 is 1.5"),
        (lambda: debiased_ndcg_at_k([[0]], [[1, 0]], [np.nan, 1.0]), "the propensity of item 0 is nan"),
        (lambda: debiased_recall_at_k([[0], [1]], [[1, 0]], [1, 1]), "recommendations for 2 users, but targets of 1"),
        (lambda: debiased_recall_at_k([[0]], [[1, 0]], [1, 1], n_relevant=[1, 2]), r"n_relevant is \(2,\), expected"),
        (lambda: serendipity_at_k([[0]], [[0], [1]], [[1, 0]]), "lists of 1 users, expected items of 2, targets of 1"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_lists_by_user_are_refused_with_what_to_give():
    with pytest.raises(DataError, match="target is a dict of users: give a list of lists"):
        debiased_recall_at_k([[0, 1]], {1: [0]}, [1.0, 1.0], k=1)
    with pytest.raises(DataError, match="recommended is a dict of users: give a list of lists"):
        debiased_recall_at_k({1: [0, 1]}, [[1, 0]], [1.0, 1.0], k=1)
