"""The packages of the extras, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from aerec.errors import MissingExtraError

_EXTRAS = {
    "implicit": "baselines",
    "matplotlib": "report",
    "optuna": "tune",
    "fastapi": "serve",
    "uvicorn": "serve",
    "tensorboard": "track",
    "torch.utils.tensorboard": "track",
    "mlflow": "track",
    "onnx": "export",
    "onnxscript": "export",
    "usearch": "export",
    "pyarrow": "scale",
    "duckdb": "scale",
    "pyspark": "spark",
    "xlrd": "excel",
    "ipywidgets": "notebook",
}


def import_extra(module: str, purpose: str) -> Any:
    """Return a module of an extra.

    Parameters
    ----------
    module : str
    purpose : str
        What it is needed for: the beginning of the message.

    Raises
    ------
    MissingExtraError
        If it cannot be imported; says how to install it.
    """
    package = module.partition(".")[0]
    try:
        importlib.import_module(package)
        return importlib.import_module(module)
    except ImportError as error:
        extra = _EXTRAS.get(module) or _EXTRAS[package]
        raise MissingExtraError(
            f"{purpose} needs the package {module}, which cannot be imported ({error}): pip install 'aerec[{extra}]'"
        ) from error


def import_implicit(module: str, model: str) -> Any:
    """Return ``implicit.<module>``; a MissingExtraError tells how to install it for `model`."""
    return import_extra(f"implicit.{module}", f"{model} is trained by another library: it")


def require_serving() -> None:
    """Raise a MissingExtraError with the pip line where fastapi or uvicorn cannot be imported."""
    for package in ("fastapi", "uvicorn"):
        import_extra(package, "serving")
