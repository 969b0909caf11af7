"""The packages of the extra `serve`, asked for before anything is loaded."""

from __future__ import annotations

from aerec.extras import import_extra

__all__ = ["require_serving"]


def require_serving() -> None:
    """Raise a MissingExtraError with the pip line where fastapi or uvicorn cannot be imported."""
    for package in ("fastapi", "uvicorn"):
        import_extra(package, "serving")
