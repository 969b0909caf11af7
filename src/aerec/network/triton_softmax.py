"""The softmax of long rows on a CUDA device, by kernels of Triton, which comes with PyTorch there.

Each kernel goes through the logits once, where PyTorch goes through them for every operation. The plain form in
`aerec.network.losses` is the reference, and what is used where Triton is missing.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024  # logits that a program holds at once
_LOW = tl.constexpr(-1e30)  # below every logit; an infinity here would make NaN of what is left out


def log_sum_exp(logits: Tensor, bias: Tensor) -> Tensor:
    """Return log Σ exp(l + b) over the items.

    Parameters
    ----------
    logits : Tensor of shape (n_rows, n_items), float32 or bfloat16
        Row after row in memory; between two rows may be a gap.
    bias : Tensor of shape (n_items,), float32

    Returns
    -------
    Tensor of shape (n_rows,), float32
    """
    n_rows, n_items = logits.shape
    log_sums = bias.new_empty(n_rows)
    with _on_device_of(logits):
        _log_sum_exp[(n_rows,)](logits, logits.stride(0), bias, log_sums, n_items, _BLOCK)
    return log_sums


def softmax_gradient(logits: Tensor, bias: Tensor, log_sums: Tensor, scale: Tensor) -> None:
    """Turn logits into exp(l + b − log Σ) · scale, in place.

    Parameters
    ----------
    logits, bias
        As of `log_sum_exp`.
    log_sums : Tensor of shape (n_rows,), float32
        What it returned.
    scale : Tensor of shape (n_rows,), float32
    """
    n_rows, n_items = logits.shape
    grid = (n_rows, triton.cdiv(n_items, _BLOCK))
    with _on_device_of(logits):
        _softmax_gradient[grid](logits, logits.stride(0), bias, log_sums, scale, n_items, _BLOCK)


def is_right_on(device: torch.device) -> bool:
    """Whether the kernels can be compiled for a device and give there what PyTorch gives."""
    draws, n_items = torch.Generator().manual_seed(0), _BLOCK + 200
    numbers, bias = (
        torch.randn(3, n_items + 8, generator=draws).to(device),
        torch.randn(n_items, generator=draws).to(device),
    )
    for dtype, tolerance in ((torch.float32, 1e-3), (torch.bfloat16, 2**-6)):
        logits = numbers.to(dtype)[:, :n_items]  # with a gap between rows
        exact = logits.float() + bias
        log_sums, wanted = log_sum_exp(logits, bias), torch.logsumexp(exact, dim=1)
        softmax_gradient(logits, bias, log_sums, wanted)
        means = torch.softmax(exact, dim=1) * wanted[:, None]
        same = torch.allclose(logits.float(), means, rtol=tolerance, atol=1e-6)
        if not (same and torch.allclose(log_sums, wanted, rtol=1e-4)):
            return False
    return True


def _on_device_of(tensor: Tensor) -> AbstractContextManager[Any]:
    """Launch kernels where `tensor` is; Triton takes the current device otherwise."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


@triton.jit  # type: ignore[untyped-decorator]
def _log_sum_exp(logits, stride, bias, log_sums, n_items, block: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    largest = tl.full([block], _LOW, tl.float32)
    sums = tl.zeros([block], tl.float32)
    for first in range(0, n_items, block):
        items = first + tl.arange(0, block)
        inside = items < n_items
        logit = tl.load(logits + row * stride + items, mask=inside, other=_LOW).to(tl.float32)
        logit += tl.load(bias + items, mask=inside, other=0.0)
        grown = tl.maximum(largest, logit)
        sums = sums * tl.exp(largest - grown) + tl.exp(logit - grown)
        largest = grown
    highest = tl.max(largest, axis=0)
    tl.store(log_sums + row, highest + tl.log(tl.sum(sums * tl.exp(largest - highest), axis=0)))


@triton.jit  # type: ignore[untyped-decorator]
def _softmax_gradient(logits, stride, bias, log_sums, scale, n_items, block: tl.constexpr):  # type: ignore[no-untyped-def]
    row = tl.program_id(0).to(tl.int64)
    items = tl.program_id(1) * block + tl.arange(0, block)
    inside = items < n_items
    places = logits + row * stride + items
    logit = tl.load(places, mask=inside, other=_LOW).to(tl.float32) + tl.load(bias + items, mask=inside, other=0.0)
    mean = tl.exp(logit - tl.load(log_sums + row)) * tl.load(scale + row)
    tl.store(places, mean.to(logits.dtype.element_ty), mask=inside)
