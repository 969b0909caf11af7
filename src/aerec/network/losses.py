"""The losses, computed from the stored entries of a batch with gradients of their own.

Each function costs what its stored entries and its matrix products cost. Rows × items numbers are held once at most;
what is computed from them on the way stays within a block of items that fits into the cache.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from aerec.likelihood import Likelihood
from aerec.native import kernels
from aerec.native.kernels import Stored
from aerec.network.batches import Batch, SparseBatch
from aerec.network.deferred import SparseTimesDense
from aerec.network.device import cpu_has_tiles
from aerec.network.products import Scratch, gather_rows, observed_logits_by_column, scatter_rows

_BLOCK_BYTES = (2**28, 2**20)  # Float32 logits in a block, on accelerators and on a CPU
_PIECES = 16  # pieces of a block, which threads divide among them
_WIDTH = 512  # items multiplied at once on a CPU without tiles
_ALIGNED = 64  # Rows of logits begin at its multiples on accelerators: fast products want 16 bytes at least
_log = logging.getLogger(__name__)


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

    The terms of stored values are multiplied by the weights of the batch, see `aerec.likelihood`.

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
    if likelihood.counts_draws and isinstance(batch, SparseBatch) and batch.weights is not None:
        batch = batch.counted()
    loss: Tensor = _AllEntriesLoss.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, batch, likelihood, half, scratch or Scratch()
    )
    return loss


def observed_loss(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    batch: SparseBatch,
    scratch: Scratch | None = None,
) -> Tensor:
    """½ Σ w (x − l)² over the stored entries, as a scalar; logits are computed nowhere else.

    x are the targets of the batch where it has some, else its values; w its weights where it has some, else 1. All in
    float32: memory limits it, not products.

    Shapes as in `all_entries_loss`. The cost grows with stored entries × hidden units.
    """
    loss: Tensor = _ObservedLoss.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, batch, scratch or Scratch()
    )
    return loss


class _AllEntriesLoss(torch.autograd.Function):
    """Forward turns the logits into the means, in the type of the factors; backward makes the residuals of them.

    Compiled kernels leave the logits of a softmax as they are; backward makes the residuals of them.
    """

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
        ctx.parameter, ctx.deferred = weight, scratch.deferred_of(weight) if half else None
        if half:
            hidden = hidden.bfloat16()
            if ctx.deferred is not None:
                weight = ctx.deferred.half(weight)
            else:
                weight = scratch.take(*weight.shape, like=weight, dtype=torch.bfloat16).copy_(weight)
        means = _items_by_rows(len(weight), hidden, scratch)
        for items in _product_blocks(weight):
            torch.mm(hidden, weight[items].T, out=means.T[:, items])
        if likelihood.counts_draws and isinstance(batch, SparseBatch) and batch.left_out is not None:
            batch.leave_out(means.T)
        totals, stored = batch.totals(), _for_kernels(means, bias, batch, likelihood)
        if stored is not None:
            log_sums, explained = kernels.log_sum_exp(means, bias, stored)
            partition, factors = torch.dot(log_sums, totals), None
            ctx.softmax = bias, stored, log_sums, totals
        elif likelihood.name == "multinomial" and means.numel() and (by_rows := _row_softmax(means.device)):
            log_sums, explained = by_rows.log_sum_exp(means.T, bias), batch.dot(means.T, bias)
            partition, factors = torch.dot(log_sums, totals), None
            ctx.softmax = bias, by_rows, log_sums, totals
        else:
            explained = batch.dot(means.T, bias)
            if isinstance(batch, SparseBatch) and batch.weights is not None:
                own = likelihood.of_entries(batch.logits_at(means.T, bias), batch.values)
                explained = explained - torch.dot(batch.weights - 1, own)
            partition, factors = _means(means, bias, totals, likelihood, scratch)
            ctx.softmax = None
        if any(ctx.needs_input_grad[:3]):
            ctx.held = hidden, weight, means, factors, batch, half, scratch
        else:
            scratch.give(means, weight)
        return partition - explained + likelihood.constant(batch.values.reshape(-1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, residual, factors, batch, half, scratch = ctx.held
        ctx.held = None
        for_hidden, for_weight, for_bias = ctx.needs_input_grad[:3]
        to_bias: Tensor | None
        if ctx.softmax is not None:
            bias, by, log_sums, totals = ctx.softmax
            if isinstance(by, Stored):
                scaled = Stored(by.starts, by.rows, by.values * gradient)
                to_bias = kernels.softmax_residuals(residual, bias, scaled, log_sums, totals * gradient)
            else:  # the module of Triton's kernels
                by.softmax_gradient(residual.T, bias, log_sums, totals * gradient)
                batch.subtract_from(residual.T, gradient)
                to_bias = residual.sum(dim=1).float() if for_bias else None
        else:
            _make_residual(residual, factors, batch, gradient)
            to_bias = residual.sum(dim=1).float() if for_bias else None
        to_hidden = (residual.T @ weight).float() if for_hidden else None
        to_weight: Tensor | None = None
        if for_weight:
            product = weight if half else scratch.take(*weight.shape, like=gradient)  # the weight's copy is free again
            for items in _product_blocks(weight):
                torch.mm(residual[items], hidden, out=product[items])
            if ctx.deferred is not None:
                ctx.deferred.give(ctx.parameter, product)
            else:
                to_weight = scratch.take(*weight.shape, like=gradient).copy_(product) if half else product
        scratch.give(residual, weight)
        return to_hidden, to_weight, to_bias, None, None, None, None


def _for_kernels(logits: Tensor, bias: Tensor, batch: Batch, likelihood: Likelihood) -> Stored | None:
    """Return the values of the batch as compiled kernels take them, where there are kernels for its loss."""
    if likelihood.name != "multinomial" or not isinstance(batch, SparseBatch) or not logits.numel():
        return None
    if not kernels.usable(logits, bias, batch.values):
        return None
    starts, rows, order = batch.pattern.by_column
    return Stored(starts, rows, batch.values.index_select(0, order))


@cache
def _row_softmax(device: torch.device) -> ModuleType | None:
    """Return the module of kernels for the softmax of rows on a CUDA device; None where there are none or they fail."""
    if device.type != "cuda":
        return None
    try:
        from aerec.network import triton_softmax
    except ImportError:
        return None
    try:
        if triton_softmax.is_right_on(device):
            return triton_softmax
        reason = "they do not give what PyTorch gives"
    except Exception as error:  # whatever a compiler may say: training goes on without
        reason = str(error) or type(error).__name__
    _log.warning("the kernels of Triton are not used on %s: %s", device, reason)
    return None


def _make_residual(means: Tensor, factors: Tensor | None, batch: Batch, gradient: Tensor) -> None:
    """Turn means into the gradient of the logits, in place."""
    if factors is None:
        means.mul_(gradient)
    else:
        factors = (gradient * factors).to(means.dtype)
        for block in _in_pieces(means, means):
            block.mul_(factors[: len(block), None])
            factors = factors[len(block) :]
    batch.subtract_from(means.T, gradient)
    if isinstance(batch, SparseBatch) and batch.weights is not None:
        batch.weigh(means.T)


def _means(
    logits: Tensor, bias: Tensor, totals: Tensor, likelihood: Likelihood, scratch: Scratch
) -> tuple[Tensor, Tensor | None]:
    """Turn logits without their bias into means, in place; return what `Likelihood.combine` does."""
    parts = []
    for block, of_bias in zip(_in_pieces(logits, logits), _in_pieces(bias[:, None], logits), strict=True):
        exact = block  # float32 logits are overwritten by the means
        if block.dtype != bias.dtype:
            exact = _items_by_rows(of_bias.numel(), logits.T, scratch, bias.dtype).view(block.shape).copy_(block)
        parts.append(likelihood.block(exact.add_(of_bias)))
        if exact is not block:
            block.copy_(exact)
            scratch.give(exact)
    return likelihood.combine(torch.cat(parts), totals)


def _items_by_rows(n_items: int, hidden: Tensor, scratch: Scratch, dtype: torch.dtype | None = None) -> Tensor:
    """Lend memory for a number per item and row of `hidden`; shape (n_items, n_rows).

    On a CPU it lies item after item: tiles multiply bfloat16 up to twice as fast so. On accelerators row after row,
    each with a gap behind it, so that the next is aligned.
    """
    if hidden.device.type == "cpu":
        return scratch.take(n_items, len(hidden), like=hidden, dtype=dtype)
    width = -(-n_items // _ALIGNED) * _ALIGNED
    return scratch.take(len(hidden), width, like=hidden, dtype=dtype)[:, :n_items].T


def _in_pieces(matrix: Tensor, means: Tensor) -> Iterator[Tensor]:
    """Views of a matrix with a row per item, block after block: each (n_pieces, n_items, n_columns).

    The logits of a block fit into the cache of a CPU (on accelerators they are more). It has pieces, because threads
    divide the first dimension among them: what one has written it then reads again, in sums over items as well.
    """
    n_items, n_rows = means.shape
    width = max(1, _BLOCK_BYTES[means.device.type == "cpu"] // (4 * max(1, n_rows) * _PIECES))
    whole = n_items - n_items % width
    for block in torch.split(matrix[:whole], width * _PIECES):
        yield block.view(len(block) // width, width, block.shape[1])
    if whole < n_items:
        yield matrix[None, whole:]


def _product_blocks(weight: Tensor) -> Iterator[slice]:
    """Blocks of items: a CPU multiplies narrow matrices faster, by up to a third, unless it has tiles."""
    narrow = weight.device.type == "cpu" and not cpu_has_tiles()
    width = _WIDTH if narrow else max(1, len(weight))
    for first in range(0, len(weight), width):
        yield slice(first, first + width)


class _ObservedLoss(torch.autograd.Function):
    """Everything column after column, but for the gradient of `hidden`, which is a sum over each row."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, batch: SparseBatch, scratch: Scratch) -> Tensor:
        order = batch.pattern.by_column[2]
        residual = observed_logits_by_column(hidden, weight, bias, batch.pattern)
        residual.sub_(batch.wanted.index_select(0, order))
        weighted = residual if batch.weights is None else residual * batch.weights.index_select(0, order)
        ctx.batch, ctx.scratch = batch, scratch
        ctx.parameter, ctx.deferred = weight, scratch.deferred_of(weight)
        ctx.save_for_backward(hidden, weight, weighted)
        return 0.5 * torch.dot(residual, weighted)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, residual = ctx.saved_tensors
        pattern, residual = ctx.batch.pattern, residual * gradient
        order = pattern.by_column[2]
        columns = pattern.columns.index_select(0, order)
        to_bias = residual.new_zeros(pattern.n_columns).index_add_(0, columns, residual)
        to_weight = None
        if ctx.deferred is None:
            to_weight = gather_rows(pattern, residual, hidden, ctx.scratch)
        else:
            ctx.deferred.give(ctx.parameter, SparseTimesDense(pattern, residual, hidden.contiguous()))
        by_row = torch.empty_like(residual).index_copy_(0, order, residual)
        to_hidden = scatter_rows(pattern, by_row, weight)
        return to_hidden, to_weight, to_bias, None, None
