"""The packages of the extra `export`, imported only when something is exported; and where exports may be written."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

from aerec.errors import DataError, MissingExtraError

__all__ = ["check_file", "import_for_export"]


def import_for_export(package: str) -> ModuleType:
    """Return the module `package`; a MissingExtraError tells how to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(
            f"this export needs the package {package}, which cannot be imported ({error}): pip install 'aerec[export]'"
        ) from error


def check_file(path: str | os.PathLike[str]) -> Path:
    """Return `path`, after checking that a file can be written there.

    Raises
    ------
    DataError
        If it is a folder, or its folder does not exist.
    """
    target = Path(path).expanduser()
    if target.is_dir():
        raise DataError(f"{path} is a folder; give the path of a file")
    if not target.parent.is_dir():
        raise DataError(f"{path} cannot be written: {target.parent} is no folder")
    return target
