"""How many threads numerical libraries take."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

_WORTH_A_THREAD = 1 << 24  # multiply-adds: with fewer, threads wait for each other longer than they compute
_lock = threading.Lock()
_before: list[int] = []  # how many threads there were, once for each `torch_threads_for` that has begun


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
    import torch

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


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread: for callers that have threads of their own, and for many small products."""
    limits: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limits


def _one_torch_thread() -> None:
    """Keep PyTorch to one thread in a forked process: it would wait for threads that only its parent has."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_torch_thread)
