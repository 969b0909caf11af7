"""The packages of the extra `serve`, imported only when something is served."""

from __future__ import annotations

import importlib

from aerec.errors import MissingExtraError

__all__ = ["require_serving"]


def require_serving() -> None:
    """Raise a MissingExtraError with the pip line where fastapi or uvicorn cannot be imported."""
    for package in ("fastapi", "uvicorn"):
        try:
            importlib.import_module(package)
        except ImportError as error:  # noqa: PERF203
            raise MissingExtraError(
                f"serving needs the package {package}, which cannot be imported ({error}): pip install 'aerec[serve]'"
            ) from error
