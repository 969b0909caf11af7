"""Batches by index arithmetic against scipy, and sparse against dense batches, operation by operation."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aerec.canonical import canonical_csr
from aerec.network.batches import Pattern, SparseBatch
from aerec.network.losses import observed_loss
from aerec.network.rows import DenseRows, SparseRows
from aerec.noise import GaussianNoise, MaskingNoise

CPU = torch.device("cpu")

matrices = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(-2, 4).map(float)
)


@st.composite
def matrix_and_rows(draw):
    matrix = draw(matrices)
    rows = draw(st.lists(st.integers(0, len(matrix) - 1), min_size=1, max_size=9))
    return matrix, torch.tensor(rows)


def both(matrix, rows):
    return SparseRows(canonical_csr(matrix), CPU).batch(rows), DenseRows(matrix, CPU).batch(rows)


def made_dense(batch):
    return sp.csr_array(
        (batch.values.numpy(), batch.pattern.columns.numpy(), batch.pattern.starts.numpy()),
        shape=(batch.n_rows, batch.pattern.n_columns),
    ).toarray()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(deadline=None)
@given(matrix_and_rows())
def test_rows_are_taken_as_scipy_takes_them(given_rows):
    matrix, rows = given_rows
    sparse, dense = both(matrix, rows)
    expected = canonical_csr(matrix)[rows.numpy()]
    np.testing.assert_array_equal(sparse.pattern.starts, expected.indptr)
    np.testing.assert_array_equal(sparse.pattern.columns, expected.indices)
    np.testing.assert_array_equal(sparse.values, expected.data)
    np.testing.assert_array_equal(sparse.pattern.rows, expected.tocoo().row)
    np.testing.assert_array_equal(dense.values, matrix[rows.numpy()])
    for batch in (sparse, dense):
        assert batch.n_rows == len(rows)
        assert torch.equal(batch.row_numbers, rows)


@settings(deadline=None)
@given(matrix_and_rows(), st.integers(0, 10))
def test_sparse_and_dense_batches_answer_alike(given_rows, seed):
    matrix, rows = given_rows
    sparse, dense = both(matrix, rows)
    logits = torch.randn(dense.values.shape, generator=generator(seed))
    x, as_numpy = matrix[rows.numpy()].astype(float), logits.numpy().astype(float)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    unit = np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0)
    np.testing.assert_allclose(made_dense(sparse.normalized()), unit, atol=1e-6)
    np.testing.assert_allclose(dense.normalized().values, unit, atol=1e-6)
    for batch in (sparse, dense):
        np.testing.assert_allclose(batch.totals(), x.sum(axis=1))
        assert batch.dot(logits).item() == pytest.approx((x * as_numpy).sum(), abs=1e-4)
        changed = logits.clone()
        assert batch.subtract_from(changed) is changed
        np.testing.assert_allclose(changed, as_numpy - x, atol=1e-6)


@settings(deadline=None)
@given(matrix_and_rows())
def test_by_column_is_the_transpose_of_scipy(given_rows):
    sparse, _ = both(*given_rows)
    starts, rows, order = sparse.pattern.by_column
    expected = canonical_csr(given_rows[0])[given_rows[1].numpy()].tocsc()
    np.testing.assert_array_equal(starts, expected.indptr)
    np.testing.assert_array_equal(rows, expected.indices)
    np.testing.assert_array_equal(sparse.values[order], expected.data)


def test_other_values_keep_what_is_known_of_the_pattern():
    batch, _ = both(np.float32([[3, 0, 4], [0, 0, 0], [0, 2, 1]]), torch.tensor([2, 0, 1]))
    before = batch.values.clone()
    logits = torch.arange(9.0).reshape(3, 3)
    batch.pattern.by_column, batch.dot(logits)
    other = batch.normalized()
    assert other.pattern.rows is batch.pattern.rows
    assert other.pattern.by_column is batch.pattern.by_column
    assert torch.equal(batch.values, before)
    assert other.dot(logits).item() == pytest.approx((1 * 2 + 2 * 1) / 5**0.5 + (3 * 3 + 5 * 4) / 5)


def test_masking_a_sparse_batch_keeps_its_pattern_and_drops_stored_values_only():
    sparse, _ = both(np.tile(np.float32([[0, 2, 0, 3]]), (20_000, 1)), torch.arange(20_000))
    found = sparse.corrupted(MaskingNoise(0.25), generator())
    assert torch.equal(found.pattern.columns, sparse.pattern.columns)
    assert torch.equal(found.pattern.starts, sparse.pattern.starts)
    values = found.values.reshape(-1, 2)
    kept = values != 0
    assert torch.allclose(values[kept], (torch.tensor([2.0, 3.0]) / 0.75).expand_as(values)[kept])
    # four standard errors of a share of 20,000
    assert kept.float().mean(dim=0).numpy() == pytest.approx([0.75, 0.75], abs=4 * (0.75 * 0.25 / 20_000) ** 0.5)
    both_kept = kept.all(dim=1).float().mean().item()  # independently of each other
    assert both_kept == pytest.approx(0.75**2, abs=4 * (0.5625 * 0.4375 / 20_000) ** 0.5)


@settings(deadline=None)
@given(matrix_and_rows(), st.integers(0, 10))
def test_without_zeros_is_the_same_matrix_with_the_same_transpose(given_rows, seed):
    sparse, _ = both(*given_rows)
    masked = sparse.corrupted(MaskingNoise(0.5), generator(seed))
    found = masked.without_zeros()
    assert (found.values != 0).all()
    np.testing.assert_array_equal(made_dense(found), made_dense(masked))
    expected = canonical_csr(made_dense(masked)).tocsc()
    for one, other in zip(found.pattern.by_column[:2], (expected.indptr, expected.indices), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(found.values[found.pattern.by_column[2]], expected.data)


def test_masking_a_dense_batch_leaves_zeros_zero():
    _, dense = both(np.float32([[0, 2, 0, 3]] * 50), torch.arange(50))
    found = dense.corrupted(MaskingNoise(0.5), generator()).values
    assert (found[:, [0, 2]] == 0).all()
    assert set(found[:, 1].tolist()) == {0.0, 4.0}
    assert (dense.values[:, 1] == 2).all()


def test_gaussian_noise_reaches_stored_values_of_a_sparse_batch_and_every_entry_of_a_dense_one():
    matrix = np.float32([[0, 2, 0, 3], [0, 0, 0, 0]])
    sparse, dense = both(matrix, torch.tensor([0, 1]))
    noisy = sparse.corrupted(GaussianNoise(0.5), generator())
    assert len(noisy.values) == 2
    assert (noisy.values != sparse.values).all()
    assert sparse.corrupted(GaussianNoise(0.5, entries="all"), generator()) is sparse
    for entries in ("observed", "all"):
        assert (dense.corrupted(GaussianNoise(0.5, entries), generator()).values != dense.values).all()


def test_a_batch_of_empty_rows():
    sparse, dense = both(np.zeros((3, 4), dtype=np.float32), torch.tensor([2, 2]))
    logits = torch.ones((2, 4))
    for batch in (sparse, dense):
        assert batch.totals().tolist() == [0, 0]
        assert batch.dot(logits).item() == 0
        assert torch.equal(batch.normalized().subtract_from(logits.clone()), logits)
    assert sparse.pattern.by_column[0].tolist() == [0] * 5


def test_subtracting_from_half_precision_keeps_its_type():
    sparse, _ = both(np.float32([[0, 2, 0, 3]]), torch.tensor([0]))
    found = sparse.subtract_from(torch.ones((1, 4), dtype=torch.bfloat16))
    assert found.dtype == torch.bfloat16
    assert found.tolist() == [[1, -1, 1, -2]]


def matrix():
    return sp.random_array((7, 5), density=0.4, random_state=np.random.default_rng(0), format="csr", dtype=np.float32)


def pattern_of(x):
    return Pattern(torch.from_numpy(x.indptr).long(), torch.from_numpy(x.indices).long(), x.shape[1])


def test_what_is_derived_from_a_pattern_is_what_scipy_says():
    x = matrix()
    pattern, coordinates = pattern_of(x), x.tocoo()
    assert pattern.n_rows == 7
    np.testing.assert_array_equal(pattern.rows, coordinates.row)
    np.testing.assert_array_equal(pattern.places, np.ravel_multi_index((coordinates.row, coordinates.col), (7, 5)))
    transposed = np.ravel_multi_index((coordinates.col, coordinates.row), (5, 7))
    np.testing.assert_array_equal(pattern.places_by_column, transposed)
    assert pattern.by_column is pattern.by_column


def test_a_pattern_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        pattern_of(matrix()).columns = torch.zeros(0)


def test_renumbered_columns_have_a_transpose_of_their_own():
    x = matrix()
    pattern = pattern_of(x)
    pattern.by_column, pattern.places, pattern.places_by_column, pattern.rows
    swapped = pattern.renumbered(4 - pattern.columns, 5)
    expected = sp.csr_array(x.toarray()[:, ::-1]).tocsc()
    np.testing.assert_array_equal(swapped.by_column[0], expected.indptr)
    np.testing.assert_array_equal(swapped.by_column[1], expected.indices)
    assert torch.equal(swapped.places, swapped.rows * 5 + 4 - pattern.columns)


def test_a_batch_that_takes_another_pattern_has_the_right_gradient():
    batch = SparseBatch.of(matrix(), torch.device("cpu"))
    batch.pattern.by_column
    moved = dataclasses.replace(batch, pattern=batch.pattern.renumbered(4 - batch.pattern.columns, 5))
    generator = torch.Generator().manual_seed(0)
    hidden, weight = (torch.randn(n, 3, generator=generator, requires_grad=True) for n in (7, 5))
    (found,) = torch.autograd.grad(observed_loss(hidden, weight, torch.zeros(5), moved), [weight])
    x = torch.from_numpy(matrix().toarray()).flip(1)
    dense = 0.5 * ((hidden @ weight.T - x) * (x != 0)).square().sum()
    torch.testing.assert_close(found, *torch.autograd.grad(dense, [weight]))
