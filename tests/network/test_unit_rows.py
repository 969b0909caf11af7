"""x·A and AᵀA with the rows of A of length 1, and the gradient of both, beside float64 formulae."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec.network import unit_rows
from aerec.network.batches import DenseBatch, SparseBatch
from aerec.network.unit_rows import unit_products


def given(n_rows=30, n_items=50, n_factors=8):
    random = np.random.default_rng(0)
    x = sp.random_array((n_rows, n_items), density=0.1, random_state=random, format="csr", dtype=np.float32)
    weight = random.normal(size=(n_items, n_factors)) * random.uniform(0.1, 9, size=(n_items, 1))
    factors = random.normal(size=(n_rows, n_factors)), random.normal(size=(n_factors, n_factors))
    return x, weight.astype(np.float32), factors


def by_hand(x, weight, factors):
    """Products, and the gradient of Σ products · factors, row by row with the Jacobian of u = w / ‖w‖."""
    weight = weight.astype(np.float64)
    lengths = np.linalg.norm(weight, axis=1, keepdims=True)
    unit = weight / lengths
    to_unit = x.T @ factors[0] + unit @ (factors[1] + factors[1].T)
    gradient = np.stack([(np.eye(weight.shape[1]) - np.outer(u, u)) @ g for u, g in zip(unit, to_unit, strict=True)])
    return x @ unit, unit.T @ unit, gradient / lengths


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("block_bytes", [2**20, 7 * 32])  # seven rows at a time: the last block is a rest
def test_products_and_gradient_are_those_of_float64(monkeypatch, half, block_bytes):
    monkeypatch.setattr(unit_rows, "_BLOCK_BYTES", block_bytes)
    x, weight, factors = given()
    leaf = torch.from_numpy(weight).requires_grad_()
    code, gram = unit_products(SparseBatch.of(x, torch.device("cpu")), leaf, half=half)
    torch.autograd.backward([code, gram], [torch.from_numpy(one).float() for one in factors])
    close = 2**-7 if half else 1e-6  # bfloat16 keeps 8 bits
    for ours, exact in zip((code.detach(), gram.detach(), leaf.grad), by_hand(x, weight, factors), strict=True):
        assert np.linalg.norm(ours.numpy() - exact) < close * np.linalg.norm(exact)


def test_dense_rows_give_the_same():
    x, weight, _ = given()
    rows = torch.from_numpy(x.toarray())
    dense = unit_products(DenseBatch(rows, torch.arange(len(rows))), torch.from_numpy(weight))
    for ours, sparse in zip(
        dense, unit_products(SparseBatch.of(x, torch.device("cpu")), torch.from_numpy(weight)), strict=True
    ):
        torch.testing.assert_close(ours, sparse)


def test_a_row_of_zeros_stays_one():
    assert torch.equal(unit_rows.unit_rows(torch.zeros(2, 3)), torch.zeros(2, 3))
