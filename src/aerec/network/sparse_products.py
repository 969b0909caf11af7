"""Products of a sparse batch with dense matrices, and dense products at its stored entries only."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from aerec.network.batches import Pattern
from aerec.network.buffers import Scratch

__all__ = ["gather_rows", "observed_logits", "observed_logits_by_column", "sampled_products", "scatter_rows"]


def scatter_rows(pattern: Pattern, values: Tensor, weight: Tensor) -> Tensor:
    """Return x·W: for each row Σ over its stored entries of `values` times the rows of `weight` at their columns.

    Parameters
    ----------
    pattern : Pattern of shape (n_rows, n_items)
        That of x.
    values : Tensor of shape (n_values,)
    weight : Tensor of shape (n_items, n_hidden)

    Returns
    -------
    Tensor of shape (n_rows, n_hidden)
    """
    x = _csr(pattern.starts, pattern.columns, values, (pattern.n_rows, pattern.n_columns))
    product = weight.new_empty(pattern.n_rows, weight.shape[1])
    return torch.addmm(product, x, weight, beta=0.0, out=product)  # `x @ weight` writes the zeros it adds to first


def gather_rows(pattern: Pattern, values: Tensor, dense: Tensor, scratch: Scratch) -> Tensor:
    """Return xᵀ·D: for each column Σ over its stored entries of `values` times the rows of `dense` at their rows.

    Parameters
    ----------
    pattern : Pattern of shape (n_rows, n_items)
        That of x.
    values : Tensor of shape (n_values,)
        Column after column: in the order of ``pattern.by_column``.
    dense : Tensor of shape (n_rows, n_hidden)
    scratch : Scratch
        Lends the memory of the product.

    Returns
    -------
    Tensor of shape (n_items, n_hidden)
    """
    starts, rows, _ = pattern.by_column
    product = scratch.take(pattern.n_columns, dense.shape[1], like=dense)
    transposed = _csr(starts, rows, values, (pattern.n_columns, pattern.n_rows))
    return torch.addmm(product, transposed, dense, beta=0.0, out=product)


def observed_logits(hidden: Tensor, weight: Tensor, bias: Tensor, pattern: Pattern) -> Tensor:
    """Return l = hidden·Wᵀ + b at the places of `pattern` only, aligned with its columns."""
    products = sampled_products(pattern.starts, pattern.columns, hidden, weight)
    return products.add_(bias.index_select(0, pattern.columns))


def observed_logits_by_column(hidden: Tensor, weight: Tensor, bias: Tensor, pattern: Pattern) -> Tensor:
    """Return the same in the order of ``pattern.by_column``: in large batches faster, as a row of W is read once."""
    starts, rows, order = pattern.by_column
    products = sampled_products(starts, rows, weight, hidden)
    return products.add_(bias.index_select(0, pattern.columns.index_select(0, order)))


def sampled_products(starts: Tensor, columns: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Return left·rightᵀ at the entries of a CSR pattern."""
    zeros = _csr(starts, columns, left.new_zeros(len(columns)), (len(left), len(right)))
    products: Tensor = torch.sparse.sampled_addmm(zeros, left, right.T, beta=0.0).values()
    return products


def _csr(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)


with warnings.catch_warnings():  # PyTorch says once per process that its CSR tensors are "in beta state": not news
    warnings.simplefilter("ignore", UserWarning)
    _csr(torch.zeros(2, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), torch.zeros(0), (1, 1))
