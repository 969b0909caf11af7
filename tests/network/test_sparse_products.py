"""The sparse products against dense ones in float64."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec.network.buffers import Scratch
from aerec.network.rows import SparseRows
from aerec.network.sparse_products import gather_rows, observed_logits, observed_logits_by_column, scatter_rows

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
