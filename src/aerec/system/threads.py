"""How many threads BLAS takes."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

__all__ = ["one_blas_thread"]


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread: for callers that have threads of their own, and for many small products."""
    limits: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limits
