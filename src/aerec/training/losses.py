"""The first layer and the losses, computed from the stored entries of a batch with gradients of their own.

Each function costs what its stored entries and its matrix products cost, and holds at most one block of rows × items.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from aerec.likelihood import Likelihood
from aerec.training.batches import Batch, DenseBatch, SparseBatch

__all__ = ["all_entries_loss", "first_layer", "observed_logits", "observed_loss", "scatter_rows"]


def first_layer(batch: Batch, weight: Tensor) -> Tensor:
    """Return x·W: for a sparse row the sum of the rows of W at its items, weighted by its values.

    Parameters
    ----------
    batch : Batch of shape (n_rows, n_items)
    weight : Tensor of shape (n_items, n_hidden)

    Returns
    -------
    Tensor of shape (n_rows, n_hidden)
    """
    if isinstance(batch, DenseBatch):
        return batch.values @ weight
    product: Tensor = _SparseProduct.apply(weight, batch)  # type: ignore[no-untyped-call]
    return product


def all_entries_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor, batch: Batch, likelihood: Likelihood, half: bool
) -> Tensor:
    """Σ over rows of −log p(x | l) with l = hidden·Wᵀ + b at every item, as a scalar.

    Parameters
    ----------
    hidden : Tensor of shape (n_rows, n_hidden)
    weight : Tensor of shape (n_items, n_hidden)
    bias : Tensor of shape (n_items,)
    batch : Batch of shape (n_rows, n_items)
        The clean data.
    likelihood : Likelihood
        One with ``all_entries``.
    half : bool
        Whether the matrix products take bfloat16 factors.
    """
    loss: Tensor = _AllEntriesLoss.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, batch, likelihood, half
    )
    return loss


def observed_loss(hidden: Tensor, weight: Tensor, bias: Tensor, batch: SparseBatch) -> Tensor:
    """½ Σ (x − l)² over the stored entries, as a scalar; logits are computed nowhere else.

    x are the targets of the batch where it has some, else its values.

    Shapes as in `all_entries_loss`. The cost grows with stored entries × hidden units.
    """
    loss: Tensor = _ObservedLoss.apply(hidden, weight, bias, batch)  # type: ignore[no-untyped-call]
    return loss


def observed_logits(hidden: Tensor, weight: Tensor, bias: Tensor, batch: SparseBatch) -> Tensor:
    """Return l = hidden·Wᵀ + b at the stored entries of `batch` only, aligned with its values."""
    pattern = _csr(batch.starts, batch.columns, torch.zeros_like(batch.values), (batch.n_rows, batch.n_columns))
    products = torch.sparse.sampled_addmm(pattern, hidden, weight.T, beta=0.0)
    found: Tensor = products.values() + bias[batch.columns]
    return found


def scatter_rows(batch: SparseBatch, values: Tensor, weight: Tensor) -> Tensor:
    """Return for each row Σ over its stored entries of `values` times the rows of `weight` at their columns."""
    return _matrix(batch, values) @ weight


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, batch: SparseBatch) -> Tensor:
        ctx.batch = batch
        return scatter_rows(batch, batch.values, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _transposed(ctx.batch, ctx.batch.values) @ gradient, None


class _AllEntriesLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, batch: Batch, likelihood: Likelihood, half: bool
    ) -> Tensor:
        if half:
            hidden, weight = hidden.bfloat16(), weight.bfloat16()
            logits = (hidden @ weight.T).float().add_(bias)
        else:
            logits = torch.addmm(bias, hidden, weight.T)
        explained = batch.dot(logits)
        partition, mean = likelihood.partition(logits, batch.totals())
        residual = batch.subtract_from(mean)
        ctx.save_for_backward(hidden, weight, residual)
        return partition - explained + likelihood.constant(batch.values.reshape(-1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, residual = ctx.saved_tensors
        residual = residual * gradient
        factor = residual.to(hidden.dtype)
        to_hidden = (factor @ weight).float() if ctx.needs_input_grad[0] else None
        to_weight = (factor.T @ hidden).float() if ctx.needs_input_grad[1] else None
        to_bias = residual.sum(dim=0) if ctx.needs_input_grad[2] else None
        return to_hidden, to_weight, to_bias, None, None, None


class _ObservedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, batch: SparseBatch) -> Tensor:
        residual = observed_logits(hidden, weight, bias, batch).sub_(batch.wanted)
        ctx.batch = batch
        ctx.save_for_backward(hidden, weight, residual)
        return 0.5 * torch.dot(residual, residual)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        hidden, weight, residual = ctx.saved_tensors
        batch, residual = ctx.batch, residual * gradient
        to_bias = torch.zeros(batch.n_columns, device=residual.device).index_add_(0, batch.columns, residual)
        return scatter_rows(batch, residual, weight), _transposed(batch, residual) @ hidden, to_bias, None


def _matrix(batch: SparseBatch, values: Tensor) -> Tensor:
    return _csr(batch.starts, batch.columns, values, (batch.n_rows, batch.n_columns))


def _transposed(batch: SparseBatch, values: Tensor) -> Tensor:
    starts, rows, order = batch.by_column
    return _csr(starts, rows, values[order], (batch.n_columns, batch.n_rows))


def _csr(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)


with warnings.catch_warnings():  # PyTorch says once per process that its CSR tensors are "in beta state": not news
    warnings.simplefilter("ignore", UserWarning)
    _csr(torch.zeros(2, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), torch.zeros(0), (1, 1))
