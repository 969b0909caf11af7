"""Metrics beyond accuracy: cases worked by hand, and slow references in plain Python."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from aerec import Interactions
from aerec.errors import DataError
from aerec.metrics import (
    activity_groups,
    beyond,
    calibration_at_k,
    genre_diversity_at_k,
    gini_at_k,
    novelty_at_k,
    popularity_groups,
)

GENRES = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]])  # of four items; the last has none


@st.composite
def worlds(draw):
    """Lists with gaps at the end, ratings, genres: all small, all kinds of empty."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_users, n_items, n_genres = draw(st.integers(1, 6)), draw(st.integers(1, 7)), draw(st.integers(0, 4))
    k = draw(st.integers(1, 8))
    lists = np.full((n_users, k), -1)
    for row in lists:
        length = rng.integers(0, min(k, n_items) + 1)
        row[:length] = rng.permutation(n_items)[:length]
    history = (rng.random((n_users, n_items)) < 0.4) * rng.integers(1, 6, (n_users, n_items))
    return lists, history, (rng.random((n_items, n_genres)) < 0.4).astype(int)


def mean(values):
    return sum(values) / len(values) if values else math.nan


# ---------------------------------------------------------------------- novelty


def slow_novelty(lists, counts, n):
    return [mean([-math.log2(max(counts[i], 1) / n) for i in row if i >= 0]) for row in lists]


def test_an_item_that_half_of_the_users_know_is_worth_a_bit():
    found = novelty_at_k([[0, 1], [1, 2], [3, -1], [-1, -1]], item_counts=[16, 8, 1, 0], n_users=16)
    np.testing.assert_allclose(found, [0.5, 2.5, 4.0, np.nan])  # nobody knows item 3: as if one of 16 did


def test_novelty_looks_at_the_first_k_and_takes_scores_as_well():
    counts = [4, 2, 1]
    np.testing.assert_allclose(novelty_at_k([[2, 0, 1]], counts, 4, k=1), [2.0])
    np.testing.assert_allclose(novelty_at_k([[0.1, 0.2, 0.3]], counts, 4, k=2), [1.5])


@given(worlds())
def test_novelty_is_the_slow_one(world):
    lists, history, _ = world
    counts, n = (history > 0).sum(axis=0), len(history)
    np.testing.assert_allclose(novelty_at_k(lists, counts, n), slow_novelty(lists, counts, n), atol=1e-12)


def test_counts_beyond_the_number_of_users_are_refused():
    with pytest.raises(DataError, match="item 1 is rated by 9 of 8 users"):
        novelty_at_k([[0]], [1, 9], n_users=8)


# ---------------------------------------------------------------------- gini


def slow_gini(lists, n_items):
    """Half of the relative mean absolute difference, by its definition over all pairs."""
    exposure = [sum(i in row for row in lists.tolist()) for i in range(n_items)]
    if not sum(exposure):
        return math.nan
    apart = sum(abs(a - b) for a, b in itertools.product(exposure, exposure))
    return apart / (2 * n_items * sum(exposure))


@pytest.mark.parametrize(
    ("lists", "n_items", "expected"),
    [
        ([[0, 1], [2, 3]], 4, 0.0),
        ([[0], [0], [0]], 4, 0.75),
        ([[0, 1], [0, 1]], 4, 0.5),
        ([[0, 1], [0, -1]], 2, 1 / 6),  # shown 2 and 1 times: |2 − 1| · 2 / (2 · 2 · 3)
        ([[-1, -1]], 3, np.nan),
    ],
)
def test_gini_by_hand(lists, n_items, expected):
    assert gini_at_k(lists, n_items) == pytest.approx(expected, nan_ok=True)


@given(worlds())
def test_gini_is_the_slow_one(world):
    lists, history, _ = world
    n_items = history.shape[1]
    assert gini_at_k(lists, n_items) == pytest.approx(slow_gini(lists, n_items), nan_ok=True)


def test_gini_needs_a_catalogue_that_holds_the_items():
    with pytest.raises(DataError, match="n_items must be at least 1"):
        gini_at_k([[0]], 0)
    with pytest.raises(DataError, match="item 3 is recommended, but the catalogue has 2 items"):
        gini_at_k([[0, 3]], 2)


# ---------------------------------------------------------------------- diversity


def genre_sets(genres):
    return [set(np.flatnonzero(row).tolist()) for row in genres]


def slow_diversity(lists, genres):
    sets, found = genre_sets(genres), []
    for row in lists:
        shown = [sets[i] for i in row if i >= 0 and sets[i]]
        found.append(mean([1 - len(a & b) / len(a | b) for a, b in itertools.combinations(shown, 2)]))
    return found


def test_diversity_by_hand():
    # {0} and {0, 1}: 1/2; {0} and {1, 2}: 1; {0, 1} and {1, 2}: 2/3
    lists = [[0, 1, -1], [0, 2, 3], [0, 1, 2], [0, 3, -1], [-1, -1, -1]]
    np.testing.assert_allclose(genre_diversity_at_k(lists, GENRES), [0.5, 1, 13 / 18, np.nan, np.nan])
    np.testing.assert_allclose(genre_diversity_at_k(lists, csr_array(GENRES), k=2), [0.5, 1, 0.5, np.nan, np.nan])


@pytest.mark.parametrize("block_bytes", [1, 64 * 2**20])
@given(world=worlds())
def test_diversity_is_the_slow_one_in_blocks_of_any_size(block_bytes, world):
    lists, _, genres = world
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beyond, "_BLOCK_BYTES", block_bytes)
        found = genre_diversity_at_k(lists, genres)
    np.testing.assert_allclose(found, slow_diversity(lists, genres), atol=1e-6)


# ---------------------------------------------------------------------- calibration


def slow_shares(items, sets, n_genres):
    known = [sets[i] for i in items if sets[i]]
    return [mean([(g in one) / len(one) for one in known]) for g in range(n_genres)] if known else None


def slow_calibration(lists, history, genres, alpha):
    sets, n_genres, found = genre_sets(genres), genres.shape[1], []
    for row, ratings in zip(lists, history, strict=True):
        p = slow_shares(np.flatnonzero(ratings), sets, n_genres)
        q = slow_shares([i for i in row if i >= 0], sets, n_genres)
        if p is None or q is None:
            found.append(math.nan)
        else:
            mixed = [(1 - alpha) * b + alpha * a for a, b in zip(p, q, strict=True)]
            found.append(sum(a * math.log(a / m) for a, m in zip(p, mixed, strict=True) if a > 0))
    return found


def test_calibration_by_hand():
    history = [[5, 0, 0, 0], [5, 0, 0, 1], [0, 3, 0, 0], [0, 0, 0, 2]]
    lists = [[0, -1], [2, 3], [0, -1], [0, 1]]
    # the same; nothing shared: ln(1 / 0.01); half of p in genre 0, of which q is full, half where q has nothing; no p
    half = 0.5 * np.log(0.5 / (0.99 + 0.005)) + 0.5 * np.log(0.5 / 0.005)
    expected = [0, np.log(100), half, np.nan]
    np.testing.assert_allclose(calibration_at_k(lists, history, GENRES), expected, atol=1e-12)


def test_the_history_may_be_interactions_and_alpha_smooths():
    history = Interactions.from_matrix([[1, 0, 0, 0]])
    np.testing.assert_allclose(calibration_at_k([[2]], history, GENRES, alpha=0.5), [np.log(2)])


@pytest.mark.parametrize("block_bytes", [1, 64 * 2**20])
@given(world=worlds(), alpha=st.sampled_from([0.01, 0.3]))
def test_calibration_is_the_slow_one_in_blocks_of_any_size(block_bytes, world, alpha):
    lists, history, genres = world
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beyond, "_BLOCK_BYTES", block_bytes)
        found = calibration_at_k(lists, history, genres, alpha=alpha)
    np.testing.assert_allclose(found, slow_calibration(lists, history, genres, alpha), atol=1e-9)
    assert not (found < -1e-12).any()
    assert not (found > -np.log(alpha) + 1e-9).any()


@pytest.mark.parametrize("alpha", [0, 1, -0.1, float("nan")])
def test_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha must be between 0 and 1"):
        calibration_at_k([[0]], [[1, 0, 0, 0]], GENRES, alpha=alpha)


def test_lists_history_and_genres_have_to_fit():
    with pytest.raises(DataError, match=r"2 lists and genres of 4 items, but the history is \(1, 4\)"):
        calibration_at_k([[0], [1]], [[1, 0, 0, 0]], GENRES)
    for metric in (lambda lists: genre_diversity_at_k(lists, GENRES), lambda lists: novelty_at_k(lists, [1] * 4, 9)):
        with pytest.raises(DataError, match="item 4 is recommended, but the catalogue has 4 items"):
            metric([[4]])


# ---------------------------------------------------------------------- groups


def test_thirds_of_users():
    assert activity_groups([30, 10, 20]).tolist() == [2, 0, 1]
    assert activity_groups([1, 1, 1, 1, 2, 3]).tolist() == [0, 0, 0, 0, 2, 2]  # the middle would begin with a 1
    assert activity_groups([5, 5, 5]).tolist() == [0, 0, 0]
    assert activity_groups([4, 3, 2, 1], n_groups=4).tolist() == [3, 2, 1, 0]
    assert activity_groups([]).tolist() == []


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.integers(1, 4))
def test_activity_groups_are_quantiles_whatever_the_order(lengths, n_groups):
    found = activity_groups(lengths, n_groups)
    ordered = sorted(lengths)
    for length, group in zip(lengths, found, strict=True):
        ends = [ordered[math.ceil(len(lengths) * g / n_groups) - 1] for g in range(1, n_groups)]
        assert group == sum(length > end for end in ends)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([3, 3, 3], [0, 1, 2]),
        ([1, 1, 1, 3, 1, 1, 1], [1, 1, 1, 0, 2, 2, 2]),
        ([0, 9, 0, 1], [2, 0, 2, 2]),  # one item has it all: nothing is in the middle
        ([2, 3, 1, 0], [1, 0, 2, 2]),  # the second of 6 ratings begins within the first third, the fourth in the second
        ([0, 0], [2, 2]),
    ],
)
def test_head_middle_and_tail_by_hand(counts, expected):
    assert popularity_groups(counts).tolist() == expected


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 4))
def test_popularity_groups_are_shares_of_the_ratings(counts, n_groups):
    order = sorted(range(len(counts)), key=lambda i: (-counts[i], i))
    ratings = [i for i in order for _ in range(counts[i])]  # one entry per rating, most popular item first
    found = popularity_groups(counts, n_groups)
    for item, count in enumerate(counts):
        first = n_groups * ratings.index(item) // len(ratings) if count else n_groups - 1
        assert found[item] == first
