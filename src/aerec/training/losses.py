"""The first layer and the losses, computed from the stored entries of a batch with gradients of their own.

Each function costs what its stored entries and its matrix products cost. Rows × items numbers are held once at most;
what is computed on the way to them stays within a block of items that fits into the cache.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from aerec.likelihood import Likelihood
from aerec.training.batches import Batch, DenseBatch, SparseBatch
from aerec.training.scratch import Scratch

__all__ = ["all_entries_loss", "first_layer", "observed_logits", "observed_loss", "scatter_rows"]

_BLOCK_BYTES = (2**28, 2**22)  # of float32 logits worked on at once: on accelerators, on a CPU
_LEAST_WIDTH = 256
_FRESH_BYTES = 2**24  # up to which the faster embedding_bag, which cannot write into memory that is there, pays


def first_layer(batch: Batch, weight: Tensor, scratch: Scratch | None = None, *, lazy: bool = False) -> Tensor:
    """Return x·W: for a sparse row the sum of the rows of W at its items, weighted by its values.

    Parameters
    ----------
    batch : Batch of shape (n_rows, n_items)
    weight : Tensor of shape (n_items, n_hidden)
    scratch : Scratch, optional
        Lends the memory of the gradient.
    lazy : bool, default False
        Whether the gradient is sparse, with the rows of the batch's items only.

    Returns
    -------
    Tensor of shape (n_rows, n_hidden)
    """
    if isinstance(batch, DenseBatch):
        return batch.values @ weight
    if lazy:
        own, places = torch.unique(batch.columns, return_inverse=True)
        batch = replace(batch, columns=places, n_columns=len(own), _pattern={})
        weight = torch.nn.functional.embedding(own, weight, sparse=True)
    product: Tensor = _SparseProduct.apply(weight, batch, scratch or Scratch())  # type: ignore[no-untyped-call]
    return product


def all_entries_loss(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    batch: Batch,
    likelihood: Likelihood,
    half: bool,
    scratch: Scratch | None = None,
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
    scratch : Scratch, optional
        Lends the memory of the means and of the gradient.
    """
    loss: Tensor = _AllEntriesLoss.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, batch, likelihood, half, scratch or Scratch()
    )
    return loss


def observed_loss(
    hidden: Tensor, weight: Tensor, bias: Tensor, batch: SparseBatch, scratch: Scratch | None = None
) -> Tensor:
    """½ Σ (x − l)² over the stored entries, as a scalar; logits are computed nowhere else.

    x are the targets of the batch where it has some, else its values.

    Shapes as in `all_entries_loss`. The cost grows with stored entries × hidden units.
    """
    loss: Tensor = _ObservedLoss.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, batch, scratch or Scratch()
    )
    return loss


def observed_logits(hidden: Tensor, weight: Tensor, bias: Tensor, batch: SparseBatch) -> Tensor:
    """Return l = hidden·Wᵀ + b at the stored entries of `batch` only, aligned with its values."""
    pattern = _csr(batch.starts, batch.columns, torch.zeros_like(batch.values), (batch.n_rows, batch.n_columns))
    products = torch.sparse.sampled_addmm(pattern, hidden, weight.T, beta=0.0)
    found: Tensor = products.values() + bias.index_select(0, batch.columns)
    return found


def scatter_rows(batch: SparseBatch, values: Tensor, weight: Tensor) -> Tensor:
    """Return for each row Σ over its stored entries of `values` times the rows of `weight` at their columns."""
    if weight.device.type != "cpu":
        return _csr(batch.starts, batch.columns, values, (batch.n_rows, batch.n_columns)) @ weight
    return torch.nn.functional.embedding_bag(
        batch.columns, weight, batch.starts, mode="sum", per_sample_weights=values, include_last_offset=True
    )


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, batch: SparseBatch, scratch: Scratch) -> Tensor:
        ctx.batch, ctx.scratch = batch, scratch
        return scatter_rows(batch, batch.values, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _gather_rows(ctx.batch, ctx.batch.values, gradient, ctx.scratch), None, None


class _AllEntriesLoss(torch.autograd.Function):
    """Forward keeps the means block by block, in the type of the factors; backward makes the residuals of them."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        batch: Batch,
        likelihood: Likelihood,
        half: bool,
        scratch: Scratch,
    ) -> Tensor:
        if half:
            hidden = hidden.bfloat16()
            weight = scratch.take(*weight.shape, like=weight, dtype=torch.bfloat16).copy_(weight)
        n_rows, keep = batch.n_rows, any(ctx.needs_input_grad[:3])
        explained = bias.new_zeros(())
        means, parts = [], []
        for first, last in _blocks(n_rows, weight):
            width = last - first
            logits = scratch.take(n_rows, width, like=bias)
            if half:
                product = scratch.take(n_rows, width, like=hidden)
                logits.copy_(torch.mm(hidden, weight[first:last].T, out=product)).add_(bias[first:last])
                mean = scratch.take(n_rows, width, like=bias)
                parts.append(likelihood.block(logits, mean))
                kept = product.copy_(mean)
                scratch.give(mean)
            else:
                torch.addmm(bias[first:last], hidden, weight[first:last].T, out=logits)
                kept = scratch.take(n_rows, width, like=hidden)
                parts.append(likelihood.block(logits, kept))
            explained += batch.dot(logits, first)
            scratch.give(logits)
            if keep:
                means.append(kept)
            else:
                scratch.give(kept)
        partition, ctx.factors = likelihood.combine(torch.stack(parts), batch.totals())
        ctx.held = hidden, weight, means, half
        ctx.batch, ctx.scratch = batch, scratch
        return partition - explained + likelihood.constant(batch.values.reshape(-1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, means, half = ctx.held
        batch, scratch = ctx.batch, ctx.scratch
        for_hidden, for_weight, for_bias = ctx.needs_input_grad[:3]
        to_hidden = torch.zeros(hidden.shape, device=hidden.device) if for_hidden else None
        to_weight = scratch.take(*weight.shape, like=gradient) if for_weight else None
        to_bias = gradient.new_empty(len(weight)) if for_bias else None
        for at, (first, last) in enumerate(_blocks(batch.n_rows, weight)):
            residual = means[at]
            residual.mul_((gradient if ctx.factors is None else gradient * ctx.factors[at][:, None]).to(weight.dtype))
            batch.subtract_from(residual, first, gradient)
            if to_hidden is not None:
                if half:
                    to_hidden += residual @ weight[first:last]
                else:
                    to_hidden.addmm_(residual, weight[first:last])
            if to_weight is not None:
                if half:
                    product = scratch.take(last - first, weight.shape[1], like=weight)
                    to_weight[first:last] = torch.mm(residual.T, hidden, out=product)
                    scratch.give(product)
                else:
                    torch.mm(residual.T, hidden, out=to_weight[first:last])
            if to_bias is not None:
                torch.sum(residual, dim=0, dtype=torch.float32, out=to_bias[first:last])
            scratch.give(residual)
        if half:
            scratch.give(weight)
        ctx.held = None
        return to_hidden, to_weight, to_bias, None, None, None, None


def _blocks(n_rows: int, weight: Tensor) -> Iterator[tuple[int, int]]:
    """Blocks of items, first to last: on a CPU as wide as the cache holds them for all rows, elsewhere wider."""
    n_items = len(weight)
    width = max(_LEAST_WIDTH, _BLOCK_BYTES[weight.device.type == "cpu"] // (4 * max(n_rows, 1)) // 64 * 64)
    for first in range(0, n_items, width):
        yield first, min(first + width, n_items)


class _ObservedLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, batch: SparseBatch, scratch: Scratch) -> Tensor:
        residual = observed_logits(hidden, weight, bias, batch).sub_(batch.wanted)
        ctx.batch, ctx.scratch = batch, scratch
        ctx.save_for_backward(hidden, weight, residual)
        return 0.5 * torch.dot(residual, residual)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        hidden, weight, residual = ctx.saved_tensors
        batch, residual = ctx.batch, residual * gradient
        to_bias = torch.zeros(batch.n_columns, device=residual.device).index_add_(0, batch.columns, residual)
        to_weight = _gather_rows(batch, residual, hidden, ctx.scratch)
        return scatter_rows(batch, residual, weight), to_weight, to_bias, None, None


def _gather_rows(batch: SparseBatch, values: Tensor, dense: Tensor, scratch: Scratch) -> Tensor:
    """Return xᵀ·D of the sparse x with these `values`; for each column Σ over its entries times the rows of D."""
    starts, rows, order = batch.by_column
    values = values.index_select(0, order)
    if dense.device.type == "cpu" and 4 * batch.n_columns * dense.shape[1] < _FRESH_BYTES:
        return torch.nn.functional.embedding_bag(
            rows, dense, starts, mode="sum", per_sample_weights=values, include_last_offset=True
        )
    transposed = _csr(starts, rows, values, (batch.n_columns, batch.n_rows))
    product = scratch.take(batch.n_columns, dense.shape[1], like=dense)
    return torch.addmm(product, transposed, dense, beta=0.0, out=product)


def _csr(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)


with warnings.catch_warnings():  # PyTorch says once per process that its CSR tensors are "in beta state": not news
    warnings.simplefilter("ignore", UserWarning)
    _csr(torch.zeros(2, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), torch.zeros(0), (1, 1))
