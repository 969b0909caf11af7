"""The automatic penalties grow with the data as they should."""

import numpy as np
import pytest
import scipy.sparse as sp

from aerec.baselines import NMF
from aerec.closed_form.penalties import (
    automatic_factor_l2,
    automatic_l1,
    automatic_l2,
    edge_of_noise,
    effective_rank,
    used_l2,
)
from aerec.models import EASE


def likes(n_users=120, n_items=25):
    rng = np.random.default_rng(0)
    return sp.csr_array((rng.random((n_users, n_items)) < rng.uniform(0.02, 0.5, n_items)).astype(np.float32))


def test_the_automatic_penalty_is_relative_to_the_sums_of_the_gram_matrix_and_to_the_size_of_ratings():
    X = likes()
    gram = (X.T @ X).toarray()
    assert automatic_l2(X) == pytest.approx(7.2 * np.sqrt(gram.sum() / np.count_nonzero(np.diag(gram))))
    assert automatic_l2(3 * X) == pytest.approx(9 * automatic_l2(X))
    assert EASE().fit(X).l2_ == pytest.approx(automatic_l2(X))
    assert EASE(7.0).fit(X).l2_ == 7.0
    once, thrice = EASE().fit(X), EASE().fit(3 * X)
    np.testing.assert_allclose(once.weights_, thrice.weights_, atol=1e-5)


def test_the_automatic_penalty_of_factors_grows_with_the_ratings_as_the_singular_values_do():
    X = likes()
    gram = (X.T @ X).toarray()
    mean_row = gram.sum() / np.count_nonzero(np.diag(gram))
    assert automatic_factor_l2(X) == pytest.approx(1.5 * mean_row**0.25)
    assert automatic_factor_l2(3 * X) == pytest.approx(3 * automatic_factor_l2(X))
    assert NMF(n_factors=2).fit(X).l2_ == pytest.approx([automatic_factor_l2(X)])
    assert NMF(n_factors=2, l2=4.0).fit(X).l2_ == [4.0]


@pytest.mark.parametrize("n_users", [50, 400])
def test_one_user_who_has_everything_does_not_set_the_penalty(n_users):
    few = sp.random_array((n_users, 2000), density=0.005, rng=np.random.default_rng(0), format="csr", dtype=np.float32)
    few.data[:] = 1
    X = sp.csr_array(sp.vstack([few, np.ones((1, 2000), dtype=np.float32)]))
    counts = np.diff(few.indptr)
    most = 5 * np.sort(counts)[int(0.99 * n_users)]
    assert automatic_l2(X) == pytest.approx(7.2 * np.sqrt((np.square(counts).sum() + most**2) / 2000))
    assert automatic_l1(X) == pytest.approx(0.007 * automatic_l2(X) + (2000**2 - most**2) / 2000**2)
    assert automatic_l1(3 * X) == pytest.approx(9 * automatic_l1(X))
    assert automatic_l1(likes()) == pytest.approx(0.007 * automatic_l2(likes()))


def test_unrated_items_do_not_change_the_automatic_penalty():
    X = likes()
    assert automatic_l2(sp.csr_array(sp.hstack([X, sp.csr_array((120, 40))]))) == automatic_l2(X)


def test_a_number_is_taken_as_it_is():
    assert used_l2(3, likes()) == 3.0
    assert used_l2("auto", likes()) == automatic_l2(likes())


def test_effective_rank_bounds_the_degrees_of_freedom():
    X = likes()
    squares = np.linalg.svd(X.toarray(), compute_uv=False) ** 2
    freedom = (squares / (squares + automatic_l2(X))).sum()
    assert freedom <= effective_rank(X) < min(X.shape)
    assert effective_rank(3 * X) == pytest.approx(effective_rank(X))
    alike = sp.eye_array(50, format="csr")
    assert effective_rank(alike) == pytest.approx(50 / (1 + automatic_l2(alike)))
    assert effective_rank(sp.csr_array((3, 4))) == 0


@pytest.mark.parametrize("shape", [(400, 600), (900, 200)])
def test_the_edge_of_noise_is_the_largest_eigenvalue_of_noise(shape):
    rng = np.random.default_rng(0)
    noise = np.where(rng.random(shape) < 0.1, rng.normal(0, 1.5, shape), 0.0)
    edge = edge_of_noise(noise[noise != 0], *shape)
    assert edge == pytest.approx(np.linalg.norm(noise, 2) ** 2 / shape[0], rel=0.08)
    assert edge_of_noise(np.zeros(0), 0, 0) == 0.0
