"""The best of each row of a sparse product, against the same from dense float64 matrices."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec.closed_form import neighbours
from aerec.closed_form.neighbours import RowIndex, Similarity, largest_products, nearest_columns
from aerec.native.loader import describe, is_used


def likes(n_rows, n_columns, seed, density=0.3):
    matrix = np.random.default_rng(seed).random((n_rows, n_columns)) < density
    return sp.csr_array(matrix.astype(np.float32))


def k_largest(values, k):
    """The k largest positive values of each row, of equal ones the first; 0 elsewhere."""
    best = np.argsort(-values, axis=1, kind="stable")[:, :k]
    kept = np.zeros_like(values)
    np.put_along_axis(kept, best, np.take_along_axis(values, best, axis=1), axis=1)
    return np.maximum(kept, 0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 3, 20, 100])
@pytest.mark.parametrize("products", [1, 40, 1 << 19])
def test_the_largest_products_with_many_ties_are_those_of_the_lowest_columns(seed, k, products, monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK_PRODUCTS", products)
    left, right = likes(30, 12, seed), likes(12, 40, seed + 100)
    found = largest_products(left, right, k)
    np.testing.assert_array_equal(found.toarray(), k_largest((left @ right).toarray(), k))
    assert found.has_canonical_format
    assert (found.data > 0).all()


@pytest.mark.skipif(not is_used(), reason=describe())
@pytest.mark.parametrize("jaccard", [None, False, True])
@pytest.mark.parametrize("k", [1, 30, 200, 1000])
def test_the_kernel_gives_the_neighbours_of_scipy_to_the_bit(jaccard, k, monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK_NEIGHBOURS", 7 * k)
    rng = np.random.default_rng(k)
    left, right = (likes(n, m, k) for n, m in ((50, 40), (40, 600)))
    for matrix in (left, right):
        matrix.data = rng.choice([1, 0.5, -0.3, 0.7], matrix.nnz).astype(np.float32)
    squares = rng.random(50).astype(np.float32), rng.random(600).astype(np.float32)
    similarity = None if jaccard is None else Similarity(*squares, 1.5, jaccard)
    exclude = np.where(np.arange(50) % 3 == 0, -1, np.arange(50))
    found = largest_products(left, right, k, similarity, exclude)
    monkeypatch.setattr(neighbours, "is_used", lambda: False)
    expected = largest_products(left, right, k, similarity, exclude)
    for array in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, array), getattr(expected, array))


def test_negative_products_and_excluded_columns_are_never_chosen():
    left = sp.csr_array(np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32))
    right = sp.csr_array(np.random.default_rng(1).normal(size=(6, 20)).astype(np.float32))
    exclude = np.where(np.arange(20) % 4 == 0, -1, np.arange(20))
    expected = (left.toarray() @ right.toarray()).astype(np.float64)
    expected[exclude >= 0, exclude[exclude >= 0]] = -1
    found = largest_products(left, right, 5, exclude=exclude)
    np.testing.assert_allclose(found.toarray(), k_largest(expected, 5), rtol=1e-5)


def test_rows_and_columns_that_hold_nothing():
    left, right = sp.csr_array((3, 4), dtype=np.float32), likes(4, 5, 0)
    assert largest_products(left, right, 2).nnz == 0
    assert largest_products(left[:0], right, 2).shape == (0, 5)
    left = sp.csr_array(np.array([[0, 0, 0, 0], [1, 1, 1, 1]], dtype=np.float32))
    assert largest_products(left, right, 2)[[0]].nnz == 0


@pytest.mark.parametrize("similarity", ["cosine", "jaccard"])
def test_an_index_answers_each_query_as_it_answers_all(similarity):
    rows, queries = likes(40, 15, 3), likes(7, 15, 4)
    index = RowIndex(rows, similarity)
    together = index.nearest(queries, 4, 1.5)
    for at in range(7):
        np.testing.assert_array_equal(index.nearest(queries[[at]], 4, 1.5).toarray(), together[[at]].toarray())
    again = RowIndex(rows, similarity, transposed=rows.T.tocsr())
    np.testing.assert_array_equal(again.nearest(queries, 4, 1.5).toarray(), together.toarray())


def test_threads_do_not_change_the_neighbours(monkeypatch):
    rows = likes(60, 20, 5)
    expected = nearest_columns(rows, 6, 0.0).toarray()
    monkeypatch.setattr(neighbours, "_BLOCK_PRODUCTS", 100)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        np.testing.assert_array_equal(nearest_columns(rows, 6, 0.0).toarray(), expected)
    finally:
        torch.set_num_threads(threads)


def test_neighbours_have_indices_of_32_bits_with_and_without_a_kernel(monkeypatch):
    X = likes(50, 20, seed=1)
    for used in {is_used(), False}:
        monkeypatch.setattr(neighbours, "is_used", lambda used=used: used)
        found = RowIndex(X).nearest(X, 5, 0.0)
        assert found.indices.dtype == found.indptr.dtype == np.int32
        assert found.has_sorted_indices
