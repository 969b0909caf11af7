"""Where exports may be written."""

from __future__ import annotations

import os
from pathlib import Path

from aerec.errors import DataError


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
