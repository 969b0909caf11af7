"""The leading singular vectors of sparse matrices against numpy's full decomposition."""

import numpy as np
import pytest
import scipy.sparse as sp

from aerec.canonical import canonical_csr
from aerec.closed_form import leading_vectors as module
from aerec.closed_form.leading_vectors import leading_vectors


@pytest.mark.parametrize("shape", [(80, 200), (200, 80), (12, 300)])
@pytest.mark.parametrize("block", [100, 1 << 24])
def test_sizes_and_vectors_are_those_of_the_full_decomposition(shape, block, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_VALUES", block)
    rng = np.random.default_rng(0)
    popularity = rng.random(shape[1]) ** 3
    dense = ((rng.random(shape) < popularity) * rng.integers(1, 6, shape)).astype(np.float32)
    sizes, vectors = leading_vectors(canonical_csr(dense), 10, seed=1)
    _, expected, right = np.linalg.svd(dense.astype(np.float64), full_matrices=False)
    assert (sizes.dtype, vectors.dtype, vectors.shape) == (np.float64, np.float32, (shape[1], 10))
    np.testing.assert_allclose(sizes, expected[:10], rtol=1e-3)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(10), atol=1e-5)
    explained = np.linalg.norm(dense @ vectors)
    assert explained == pytest.approx(np.linalg.norm(expected[:10]), rel=1e-4)
    assert np.abs(right[0] @ vectors[:, 0]) == pytest.approx(1, abs=1e-5)


def test_a_matrix_of_lower_rank_has_sizes_of_zero_and_vectors_of_length_one():
    matrix = sp.csr_array(np.outer(np.arange(6), np.ones(5)).astype(np.float32))
    sizes, vectors = leading_vectors(canonical_csr(matrix), 3, seed=0)
    np.testing.assert_allclose(sizes, [np.sqrt(55 * 5), 0, 0], atol=2e-2)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-5)
