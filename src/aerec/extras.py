"""The packages of the extras, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from aerec.errors import MissingExtraError

__all__ = ["import_extra"]

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
