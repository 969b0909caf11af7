"""How many threads numerical libraries take."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


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
