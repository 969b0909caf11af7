"""The products against dense ones in float64, and the memory that is lent for them."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec.network.products import (
    Scratch,
    affine,
    gather_rows,
    observed_logits,
    observed_logits_by_column,
    scatter_rows,
)
from aerec.network.rows import SparseRows

N_ROWS, N_ITEMS, N_HIDDEN = 40, 12, 5


def batch_of(density=0.6):
    x = sp.random_array(
        (N_ROWS, N_ITEMS), density=density, random_state=np.random.default_rng(0), format="csr", dtype=np.float32
    )
    return SparseRows(x, torch.device("cpu")).batch(torch.arange(N_ROWS)), x.toarray().astype(float)


def matrix(n_rows, seed):
    return torch.randn((n_rows, N_HIDDEN), generator=torch.Generator().manual_seed(seed))


def assert_close(found, expected):
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("density", [0.0, 0.05, 0.6])
def test_rows_scattered_and_gathered_are_the_dense_products(density):
    batch, x = batch_of(density)
    weight, dense = matrix(N_ITEMS, 1), matrix(N_ROWS, 2)
    assert_close(scatter_rows(batch.pattern, batch.values, weight), x @ weight.double().numpy())
    by_column = batch.values[batch.pattern.by_column[2]]
    assert_close(gather_rows(batch.pattern, by_column, dense, Scratch()), x.T @ dense.double().numpy())


def test_what_lent_memory_held_does_not_matter():
    weight = torch.full((600, 500), torch.nan)
    x = sp.random_array((4, 600), density=0.01, random_state=np.random.default_rng(0), format="csr", dtype=np.float32)
    batch, scratch = SparseRows(x, torch.device("cpu")).batch(torch.arange(4)), Scratch()
    scratch.give(scratch.take(*weight.shape, like=weight).copy_(weight))
    dense = torch.ones(4, 500)
    found = gather_rows(batch.pattern, batch.values[batch.pattern.by_column[2]], dense, scratch)
    np.testing.assert_allclose(found, x.T @ dense.numpy(), rtol=1e-6)


def test_logits_at_the_stored_entries_in_both_orders():
    batch, x = batch_of()
    hidden, weight, bias = matrix(N_ROWS, 1), matrix(N_ITEMS, 2), matrix(N_ITEMS, 3)[:, 0]
    expected = (hidden.double() @ weight.double().T + bias.double()).numpy()
    found = observed_logits(hidden, weight, bias, batch.pattern)
    np.testing.assert_allclose(found, expected[x.nonzero()], atol=1e-5)
    by_column = observed_logits_by_column(hidden, weight, bias, batch.pattern)
    np.testing.assert_allclose(by_column, expected.T[x.T.nonzero()], atol=1e-5)


def test_what_affine_adds_gets_its_gradient_in_both_precisions():
    random = torch.Generator().manual_seed(0)
    given = [torch.randn(*shape, generator=random) for shape in ((40, 8), (8, 6), (6,), (40, 6))]
    x, weight, bias, plus = (one.double().numpy() for one in given)
    factor = np.random.default_rng(0).normal(size=(40, 6))
    gradients = factor @ weight.T, x.T @ factor, factor.sum(axis=0), factor
    for half, close in ((False, 1e-6), (True, 2**-7)):  # bfloat16 keeps 8 bits
        leaves = [one.clone().requires_grad_() for one in given]
        found = affine(leaves[0], leaves[1], leaves[2], half, leaves[3])
        found.backward(torch.from_numpy(factor).float())
        wanted = x @ weight + bias + plus, *gradients
        for ours, exact in zip((found.detach(), *(one.grad for one in leaves)), wanted, strict=True):
            assert np.linalg.norm(ours.numpy() - exact) < close * np.linalg.norm(exact)


# ---------------------------------------------------------------------- memory


LIKE = torch.empty(0)
LARGE = (600, 1000)


def test_what_was_given_back_is_lent_again_in_other_shapes_and_types():
    scratch = Scratch()
    first = scratch.take(*LARGE, like=LIKE)
    place = first.data_ptr()
    scratch.give(first)
    second = scratch.take(1000, 900, like=LIKE, dtype=torch.bfloat16)
    assert second.data_ptr() == place
    assert second.shape == (1000, 900)
    assert second.dtype == torch.bfloat16


def test_what_is_lent_is_not_lent_twice():
    scratch = Scratch()
    one, other = scratch.take(*LARGE, like=LIKE), scratch.take(*LARGE, like=LIKE)
    one.fill_(1), other.fill_(2)
    assert one.unique().tolist() == [1]
    scratch.give(one, one)  # the second time says nothing new
    taken = scratch.take(*LARGE, like=LIKE), scratch.take(*LARGE, like=LIKE)
    assert taken[0].data_ptr() != taken[1].data_ptr()


def test_tensors_of_others_are_left_alone():
    scratch = Scratch()
    foreign = torch.zeros(LARGE)
    scratch.give(foreign, None)
    scratch.take(*LARGE, like=LIKE).fill_(7)
    assert not foreign.any()


def test_a_tensor_where_freed_memory_lay_is_left_alone():
    scratch = Scratch()
    place = scratch.take(*LARGE, like=LIKE).data_ptr()  # never given back, so freed
    foreign = torch.zeros(LARGE)
    scratch._lent[foreign.data_ptr()] = scratch._lent.pop(place)  # as if the allocator had put it at that place
    scratch.give(foreign)
    scratch.take(*LARGE, like=LIKE).fill_(7)
    assert not foreign.any()


def test_too_large_a_wish_is_met_with_fresh_memory():
    scratch = Scratch()
    scratch.give(scratch.take(*LARGE, like=LIKE))
    assert scratch.take(2000, 1000, like=LIKE).numel() == 2_000_000
    assert scratch.take(3, 2, like=LIKE).shape == (3, 2)


def test_what_is_cleared_is_forgotten_also_what_is_lent():
    scratch = Scratch()
    kept, lent = scratch.take(*LARGE, like=LIKE), scratch.take(*LARGE, like=LIKE)
    lent.fill_(1)
    scratch.give(kept)
    scratch.clear()
    scratch.give(lent)  # comes too late
    taken = scratch.take(*LARGE, like=LIKE)
    taken.fill_(2)
    assert lent.unique().tolist() == [1]
