"""Where to compute, how precisely, and on how many threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import torch

_log = logging.getLogger(__name__)

_WORTH_A_THREAD = 1 << 24  # multiply-adds: with fewer, threads wait for each other longer than they compute
_lock = threading.Lock()
_before: list[int] = []  # how many threads there were, once for each `torch_threads_for` that has begun


def resolve_device(device: str) -> torch.device:
    """Return the device of that name; "auto" takes CUDA where it is there, else the CPU.

    MPS is never taken: PyTorch has neither float64 nor products of CSR matrices for it, which training needs.

    Raises
    ------
    ValueError
        If PyTorch does not know the device or it is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {device!r} cannot be used ({reason}); 'auto' takes the best there is") from None
    return resolved


@contextmanager
def with_gradients() -> Iterator[None]:
    """Compute gradients in this block, whatever PyTorch was told.

    Neither ``torch.no_grad()`` nor ``torch.inference_mode()`` nor ``torch.set_default_device`` matters.
    """
    with torch.inference_mode(False), torch.enable_grad(), _default_of_cpu():
        yield


@contextmanager
def without_gradients() -> Iterator[None]:
    """Compute no gradients in this block; ``torch.set_default_device`` does not matter."""
    with torch.inference_mode(), _default_of_cpu():
        yield


def _default_of_cpu() -> AbstractContextManager[Any]:
    """Make tensors on the CPU unless another device is named; entered only where needed, as it slows each call."""
    return nullcontext() if torch.empty(0).device.type == "cpu" else torch.device("cpu")


@contextmanager
def torch_threads_for(work: int) -> Iterator[None]:
    """Let PyTorch take as many of its threads as are worth it.

    Small steps are no faster with several threads, and many times as slow where other programs take the cores. What is
    set by ``torch.set_num_threads`` is the most, and is there again afterwards, also where several begin before one
    ends.

    Parameters
    ----------
    work : int
        Multiply-adds between two moments at which threads wait for each other, such as those of one product.
    """
    with _lock:
        available = _before[0] if _before else torch.get_num_threads()
        _before.append(available)
    torch.set_num_threads(max(1, min(available, work // _WORTH_A_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(available)
        with _lock:
            _before.pop()


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether the large matrix products take bfloat16 factors: asked for, or "auto" where the hardware has them."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and _cpu_supports("_is_avx512_bf16_supported")


def resolve_precision(precision: str, device: torch.device) -> bool:
    """Return `use_bfloat16`; the log says what "auto" took, and why."""
    half = use_bfloat16(precision, device)
    if precision == "auto":
        why = "bf16 matrix products, the hardware has them" if half else "float32, no fast bf16 products here"
        _log.info("precision 'auto' on %s: %s", device, why)
    return half


def cpu_has_tiles() -> bool:
    """Whether the processor multiplies bfloat16 matrices in tiles (AMX)."""
    return _cpu_supports("_is_amx_tile_supported")


@cache
def _cpu_supports(question: str) -> bool:
    """Ask PyTorch; one that does not know the question counts as saying no."""
    supported = getattr(torch.cpu, question, None)
    return bool(supported()) if supported is not None else False
