"""Products with a matrix whose rows are scaled to length 1, with a gradient of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from aerec.network.batches import Batch, DenseBatch, SparseBatch
from aerec.network.products import Scratch, gather_rows, scatter_rows
from aerec.system.memory import require_memory

_SHORTEST = 1e-12  # rows below that are not scaled to length 1
_OF_LENGTH = 500.0  # for shrinkage="auto"
_BLOCK_BYTES = 2**20  # On a CPU the rows worked on at once stay in its cache


def unit_rows(weight: Tensor, *, in_place: bool = False) -> Tensor:
    """Return A, the rows of `weight` scaled to length 1; if `in_place` the weight becomes A."""
    return torch.nn.functional.normalize(weight, dim=1, eps=_SHORTEST, out=weight if in_place else None)


def unit_products(
    batch: Batch, weight: Tensor, scratch: Scratch | None = None, *, half: bool = False
) -> tuple[Tensor, Tensor]:
    """Return x·A and Aᵀ·A, with A = `unit_rows` of the weight.

    For a sparse batch neither A nor its gradient is made whole beside the weight and its gradient.

    Parameters
    ----------
    batch : Batch of shape (n_rows, n_items)
    weight : Tensor of shape (n_items, n_factors)
    scratch : Scratch, optional
        Lends the memory of the gradient.
    half : bool, default False
        Whether the dense products take bfloat16 factors; sums are float32.

    Returns
    -------
    code : Tensor of shape (n_rows, n_factors)
    gram : Tensor of shape (n_factors, n_factors)
    """
    if isinstance(batch, DenseBatch):
        unit = unit_rows(weight)
        return batch.values @ unit, unit.T @ unit
    code, gram = _UnitProducts.apply(weight, batch, scratch or Scratch(), half)  # type: ignore[no-untyped-call]
    return code, gram


def automatic_shrinkage(n_users: int, n_ratings: int) -> float:
    """Return a shrinkage of item vectors, in users, that suits users of so many ratings."""
    return _OF_LENGTH * n_users / max(n_ratings, 1)


def require_memory_to_train(n_items: int, n_factors: int, device: torch.device) -> None:
    """Refuse vectors that surely cannot be trained in the memory of a processor.

    There are at least four arrays of their size, with the gradient and the moments, and three of that of the gram.
    """
    if device.type == "cpu":
        needed = 4 * n_factors * (4 * n_items + 3 * n_factors)
        require_memory(needed, f"training {n_items:,} vectors of {n_factors:,} factors", "take a smaller n_factors")


class _UnitProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, batch: SparseBatch, scratch: Scratch, half: bool) -> tuple[Tensor, Tensor]:
        lengths = torch.linalg.vector_norm(weight, dim=1).clamp_min_(_SHORTEST)
        code = scatter_rows(batch.pattern, batch.values / lengths.index_select(0, batch.pattern.columns), weight)
        gram = weight.new_zeros(weight.shape[1], weight.shape[1])
        for rows in _blocks(weight):
            unit = weight[rows] / lengths[rows, None]
            _add_product(gram, unit.T, unit, half)
        ctx.held = weight, lengths, batch, scratch, half
        return code, gram

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_code: Tensor, to_gram: Tensor) -> tuple[Tensor, None, None, None]:
        """With G the gradient of A, that of the weight is, row by row, (G − A (A · G)) / length."""
        weight, lengths, batch, scratch, half = ctx.held
        values = batch.values.index_select(0, batch.pattern.by_column[2])
        gradient = gather_rows(batch.pattern, values, to_code, scratch)
        both = to_gram + to_gram.T
        for rows in _blocks(weight):
            unit = weight[rows] / lengths[rows, None]
            block = gradient[rows]
            _add_product(block, unit, both, half)
            block.sub_(unit.mul_((unit * block).sum(dim=1, keepdim=True))).div_(lengths[rows, None])
        return gradient, None, None, None


def _add_product(total: Tensor, left: Tensor, right: Tensor, half: bool) -> None:
    if half:
        total.add_(left.bfloat16() @ right.bfloat16())
    else:
        total.addmm_(left, right)


def _blocks(weight: Tensor) -> Iterator[slice]:
    height = len(weight)
    if weight.device.type == "cpu":
        height = max(1, _BLOCK_BYTES // (4 * weight.shape[1]))
    for first in range(0, len(weight), height):
        yield slice(first, first + height)
