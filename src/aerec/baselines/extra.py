"""The library implicit, imported only when one of its models is trained."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from types import ModuleType

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from aerec.errors import MissingExtraError

__all__ = ["import_implicit", "one_blas_thread"]


def import_implicit(module: str, model: str) -> ModuleType:
    """Return ``implicit.<module>``; a MissingExtraError tells how to install it for `model`."""
    try:
        return importlib.import_module(f"implicit.{module}")
    except ImportError as error:
        raise MissingExtraError(
            f"{model} is trained by the library implicit, which cannot be imported ({error}): "
            "pip install 'aerec[baselines]'"
        ) from error


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread: for implicit, which has threads of its own, and for many small products."""
    limits: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limits
