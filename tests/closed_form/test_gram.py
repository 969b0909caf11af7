"""XᵀX in blocks, scaled and inverted."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from aerec.closed_form import gram as module
from aerec.closed_form.gram import blocks_of_dense_rows, gram_matrix, invert_gram, scale_symmetric
from aerec.errors import InsufficientMemoryError, TrainingError
from aerec.native import kernels
from aerec.system import memory


def ratings(n_users=50, n_items=13, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n_users, n_items)) < 0.3, rng.integers(1, 6, size=(n_users, n_items)), 0).astype(float)


@pytest.mark.parametrize("n_dense", [0, 1, 5, 13])
@pytest.mark.parametrize("rows_per_block", [1, 4, 1000])
def test_the_gram_matrix_filled_in_blocks(rows_per_block, n_dense, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", rows_per_block * 4 * 13)
    monkeypatch.setattr(module, "_COLUMNS", rows_per_block)
    monkeypatch.setattr(module, "_n_dense_columns", lambda X: (n_dense, 0.0))
    X = ratings()
    found = gram_matrix(csr_array(X.astype(np.float32)), advice="")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, X.T @ X)


@pytest.mark.parametrize("n_dense", [0, 1, 8, 21])
@pytest.mark.parametrize("rows_per_block", [1, 3, 100])
def test_the_upper_triangle_of_the_gram_matrix_is_all_that_the_closed_form_reads(rows_per_block, n_dense, monkeypatch):
    monkeypatch.setattr(module, "_COLUMNS", rows_per_block)
    monkeypatch.setattr(module, "_n_dense_columns", lambda X: (n_dense, 0.0))
    X = (np.random.default_rng(3).random((40, 21)) < 0.2).astype(np.float32)
    monkeypatch.setattr(module, "_BLOCK_BYTES", rows_per_block * 4 * X.shape[1])
    gram = gram_matrix(csr_array(X), advice="", upper=True)
    assert np.array_equal(np.triu(gram), np.triu(X.T @ X))
    gram[np.tril_indices_from(gram, -1)] = np.nan
    P = np.linalg.inv(X.T.astype(float) @ X + 2 * np.eye(21))
    invert_gram(gram, 2.0)
    assert np.allclose(np.triu(gram), np.triu(P), atol=1e-5)


@pytest.mark.parametrize("work", [0.0, np.inf], ids=["NumPy", "kernel"])
@pytest.mark.parametrize("upper", [True, False])
def test_the_gram_matrix_of_any_values_and_of_items_without_ratings(work, upper, monkeypatch):
    monkeypatch.setattr(module, "_COLUMNS", 4)
    monkeypatch.setattr(module, "_n_dense_columns", lambda X: (X.shape[1] // 2, work))
    rng = np.random.default_rng(5)
    X = np.where(rng.random((60, 30)) < rng.random(30) ** 2, rng.standard_normal((60, 30)), 0).astype(np.float32)
    X[:, [0, 7, 29]] = 0
    wanted = X.T.astype(np.float64) @ X
    found = gram_matrix(csr_array(X), advice="", upper=upper)
    part = np.triu_indices(30) if upper else np.indices((30, 30))
    np.testing.assert_allclose(found[tuple(part)], wanted[tuple(part)], atol=1e-5)
    assert upper or np.array_equal(found, found.T)


@pytest.mark.parametrize("work", [0.0, np.inf], ids=["NumPy", "kernel"])
def test_the_gram_matrix_of_mapped_ratings(work, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_n_dense_columns", lambda X: (X.shape[1] // 2, work))
    X = csr_array(ratings().astype(np.float32))
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / name, getattr(X, name))
    mapped = csr_array(
        tuple(np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("data", "indices", "indptr")), X.shape
    )
    np.testing.assert_array_equal(gram_matrix(mapped, advice=""), ratings().T @ ratings())


@pytest.mark.parametrize("work", [0.0, np.inf], ids=["NumPy", "kernel"])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_gram_matrix_is_the_same_on_any_number_of_threads_and_leaves_it_as_it_was(work, threads, monkeypatch):
    monkeypatch.setattr(kernels, "_SMALL", 0)
    monkeypatch.setattr(module, "_COLUMNS", 2)
    monkeypatch.setattr(module, "_n_dense_columns", lambda X: (X.shape[1] // 2, work))
    X = ratings() * 0.1
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = gram_matrix(csr_array(X.astype(np.float32)), advice="")
        assert torch.get_num_threads() == threads
        torch.set_num_threads(2)
        np.testing.assert_array_equal(gram_matrix(csr_array(X.astype(np.float32)), advice=""), found)
    finally:
        torch.set_num_threads(before)


def test_a_gram_matrix_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2**20)
    with pytest.raises(InsufficientMemoryError, match=r"item-item matrix of 2,000 x 2,000 needs .*; take ELSA"):
        gram_matrix(csr_array((3, 2000), dtype=np.float32), advice="take ELSA")


@pytest.mark.parametrize("rows_per_block", [1, 5, 1000])
@pytest.mark.parametrize("left", [np.ones(13), np.linspace(0.5, 2, 13)], ids=["even", "uneven"])
def test_a_symmetric_matrix_is_scaled_by_its_upper_triangle(rows_per_block, left, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", rows_per_block * 4 * 13)
    monkeypatch.setattr(module, "_TILE", 2)
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(13, 13))
    whole = whole + whole.T
    right, diagonal = rng.normal(size=13), rng.normal(size=13)
    matrix = np.triu(whole).astype(np.float32)
    scale_symmetric(matrix, left.astype(np.float32), right.astype(np.float32), diagonal.astype(np.float32))
    expected = left[:, None] * whole * right
    np.fill_diagonal(expected, diagonal)
    np.testing.assert_allclose(matrix, expected, rtol=1e-5)


@pytest.mark.parametrize("ridge", [3.0, np.arange(1, 14, dtype=np.float32)], ids=["one", "each"])
def test_a_gram_matrix_is_inverted_in_place(ridge):
    X = ratings()
    gram = (X.T @ X).astype(np.float32)
    expected = np.linalg.inv(X.T @ X + np.diag(np.broadcast_to(ridge, 13)))
    diagonal = invert_gram(gram, ridge)
    np.testing.assert_allclose(np.triu(gram), np.triu(expected), rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(diagonal, np.diag(gram))


def test_a_matrix_that_cannot_be_inverted_is_refused_with_the_cure():
    with pytest.raises(TrainingError, match="l2 is too small"):
        invert_gram(np.full((3, 3), 1e6, dtype=np.float32), 1e-6)


def test_blocks_of_dense_rows_cover_every_row_once():
    blocks = list(blocks_of_dense_rows(10_000, 5_000))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), np.arange(10_000))
    assert list(blocks_of_dense_rows(0, 5)) == []
