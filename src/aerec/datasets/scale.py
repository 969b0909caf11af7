"""What the extra `scale` brings: pyarrow and DuckDB, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from aerec.errors import MissingExtraError

__all__ = ["load_duckdb", "load_pyarrow"]

_HOW = 'run pip install "aerec[scale]"'


def load_pyarrow(label: str) -> Any:
    """Return the module pyarrow.parquet; `label` is the file that it is wanted for."""
    try:
        return import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError(f"{label}: reading Parquet needs pyarrow; {_HOW}") from None


def load_duckdb() -> Any:
    """Return the module duckdb."""
    try:
        return import_module("duckdb")
    except ImportError:
        raise MissingExtraError(f"importing into a store needs DuckDB; {_HOW}") from None
