"""Biases: the shrunken means of a case worked by hand, and of random ratings in plain Python."""

import numpy as np
import pytest
import scipy.sparse as sp

from aerec.canonical import canonical_csr
from aerec.closed_form.biases import Biases, best_shrinkage, weighted_mean


def test_a_case_by_hand():
    ratings = canonical_csr(np.float32([[4, 2], [3, 0]]))  # μ = 3
    biases = Biases.of(ratings, l2_user=1.0, l2_item=1.0)
    assert biases.mean == 3
    np.testing.assert_allclose(biases.items, [1 / 3, -1 / 2])  # (1 + 0) / (1 + 2), −1 / (1 + 1)
    np.testing.assert_allclose(biases.users, [1 / 3 * (2 / 3 - 1 / 2), 1 / 2 * -1 / 3])


def test_pairs_without_a_known_user_or_item_get_what_is_known():
    biases = Biases(3.0, np.array([0.5, -0.5]), np.array([1.0]))
    np.testing.assert_allclose(biases.at(np.array([0, -1, 1, -1]), np.array([0, 0, -1, -1])), [4.5, 4, 2.5, 3])


@pytest.mark.parametrize("weighted", [False, True])
def test_random_ratings_against_loops(weighted):
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((12, 7)) < 0.4, rng.integers(1, 6, (12, 7)), 0).astype(np.float32)
    dense[3] = 0
    ratings = canonical_csr(dense)
    weights = rng.random(ratings.nnz).astype(np.float32) + 0.5 if weighted else None
    W = np.zeros((12, 7))
    W[dense.nonzero()] = 1.0 if weights is None else weights
    biases = Biases.of(ratings, 2.0, 5.0, weights)
    mean = (W * dense).sum() / W.sum()
    items = [sum(W[u, i] * (dense[u, i] - mean) for u in range(12)) / (W[:, i].sum() + 5) for i in range(7)]
    users = [sum(W[u, i] * (dense[u, i] - mean - items[i]) for i in range(7)) / (W[u].sum() + 2) for u in range(12)]
    assert biases.mean == pytest.approx(mean)
    np.testing.assert_allclose(biases.items, items, atol=1e-6)
    np.testing.assert_allclose(biases.users, users, atol=1e-6)
    assert biases.users[3] == 0
    np.testing.assert_allclose(biases.of_users(ratings, 2.0, weights), users, atol=1e-6)


def test_without_shrinkage_an_empty_row_has_no_bias():
    biases = Biases.of(canonical_csr(np.float32([[1, 2], [0, 0]])), 0.0, 0.0)
    assert biases.users[1] == 0


def test_the_weighted_mean():
    assert weighted_mean(np.float32([1, 4]), np.float32([3, 1])) == pytest.approx(7 / 4)


def test_the_best_shrinkage_is_the_ratio_of_variances():
    rng = np.random.default_rng(0)
    own, counts = rng.normal(0, 0.5, 2000), rng.integers(1, 20, 2000)
    values = np.repeat(own, counts) + rng.normal(0, 1.0, counts.sum())
    columns = np.concatenate([rng.permutation(40)[:count] for count in counts])
    rows = canonical_csr(sp.csr_array((np.ones(len(values)), columns, np.append(0, np.cumsum(counts)))))
    found = best_shrinkage(rows, values)
    assert found == pytest.approx(1.0 / 0.25, rel=0.1)

    def error(shrinkage):
        sums = np.bincount(np.repeat(np.arange(2000), counts), values)
        return np.square(sums / (counts + shrinkage) - own).mean()

    assert error(found) < min(error(found / 2), error(2 * found))


def test_the_best_shrinkage_is_that_of_an_analysis_of_variance_by_hand():
    rows = canonical_csr(np.float32([[1, 1, 1, 0], [1, 0, 0, 1]]))
    values = np.array([1.0, 2.0, 3.0, 6.0, 8.0])  # σ² = (2 + 2) / 3, n₀ = 5 − 13 / 5, means 2, 7 and 4 of all
    between = 3 * 4 + 2 * 9 - 4 / 3
    assert best_shrinkage(rows, values) == pytest.approx((4 / 3) / (between / 2.4))


@pytest.mark.parametrize("scale", [0.1, 4.0])
def test_the_best_shrinkage_grows_with_the_weights(scale):
    rng = np.random.default_rng(0)
    rows = canonical_csr(np.where(rng.random((50, 20)) < 0.5, rng.uniform(0.5, 2, (50, 20)), 0).astype(np.float32))
    values = rng.normal(0, 1, rows.nnz) + np.repeat(rng.normal(0, 1, 50), np.diff(rows.indptr))
    assert best_shrinkage(scale * rows, values) == pytest.approx(scale * best_shrinkage(rows, values))


def test_where_there_is_nothing_to_estimate_shrinkage_stays_finite():
    single = canonical_csr(np.eye(4, dtype=np.float32))
    assert best_shrinkage(single, np.arange(4.0)) == 5.0
    alike = canonical_csr(np.ones((3, 2), dtype=np.float32))
    assert best_shrinkage(alike, np.array([1.0, 2, 1, 2, 1, 2])) == 1e6
    assert best_shrinkage(alike, np.array([1.0, 1, 2, 2, 3, 3])) == 0
