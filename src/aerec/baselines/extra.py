"""The library implicit, imported only when one of its models is trained."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from aerec.extras import import_extra

__all__ = ["import_implicit", "one_blas_thread"]


def import_implicit(module: str, model: str) -> Any:
    """Return ``implicit.<module>``; a MissingExtraError tells how to install it for `model`."""
    return import_extra(f"implicit.{module}", f"{model} is trained by another library: it")


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread: for implicit, which has threads of its own, and for many small products."""
    limits: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limits
