"""The layers between the first and the last: x·W + b, with bfloat16 factors where asked for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["affine"]


def affine(x: Tensor, weight: Tensor, bias: Tensor, half: bool, plus: Tensor | None = None) -> Tensor:
    """Return x·W + b, plus another matrix; with `half` of bfloat16 factors, the sum in float32."""
    if half:
        product: Tensor = _HalfAffine.apply(x, weight, bias, plus)  # type: ignore[no-untyped-call]
        return product
    return torch.addmm(bias if plus is None else bias + plus, x, weight)


class _HalfAffine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, plus: Tensor | None) -> Tensor:
        ctx.factors = x, weight = x.bfloat16(), weight.bfloat16()
        product = (x @ weight).float().add_(bias)
        return product if plus is None else product.add_(plus)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), half = ctx.factors, gradient.bfloat16()
        for_x, for_weight, for_bias, for_plus = ctx.needs_input_grad
        return (
            (half @ weight.T).float() if for_x else None,
            (x.T @ half).float() if for_weight else None,
            gradient.sum(dim=0) if for_bias else None,
            gradient if for_plus else None,
        )
