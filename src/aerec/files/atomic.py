"""Files and folders written beside their place and put there whole, so that readers see the old content or the new."""

from __future__ import annotations

import contextlib
import glob
import os
import platform
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from aerec.errors import DataError

_NODE = re.sub(r"\W", "_", platform.node())[:40]


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path` that takes its place only when the block ends without an error.

    What a killed process left beside `path` is removed first. An OSError of the block, such as that of a full disk,
    names `path`.
    """
    target = Path(path)
    temporary = None
    remove_leftovers(target.parent, target.name)
    try:
        temporary = _temporary_path(target)
        with temporary.open(mode.replace("w", "x"), encoding=None if "b" in mode else "utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)  # noqa: PTH105 (Path.replace says the same, less plainly)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        named = output_error(error, temporary or target.parent / temporary_prefix(target.name), target)
        if named is not error:
            raise named from None
        raise
    _sync_folder(target.parent)


def check_writable(target: Path, shown: str | os.PathLike[str]) -> None:
    """Refuse a path, called `shown` in messages, that cannot be made: below a file, or where one may not write."""
    above = next(folder for folder in target.parents if folder.exists())
    if not above.is_dir():
        raise DataError(f"{shown} cannot be made: {above} is a file; give another path")
    if not os.access(above, os.W_OK):
        raise PermissionError(f"{shown} cannot be made: no permission to write into {above}")


def output_error(error: BaseException, temporary: str | os.PathLike[str], target: Path) -> BaseException:
    """Return `error`; one of the system that names no file, or a temporary one, comes to name `target`."""
    if not isinstance(error, OSError) or error.errno is None:
        return error
    if error.filename is not None and not str(error.filename).startswith(str(temporary)):
        return error
    return OSError(error.errno, f"not written, {str(error.strerror).removeprefix('not written, ')}", str(target))


def temporary_prefix(name: str) -> str:
    """How the names of temporary files and folders for `name` begin: they say which process writes them."""
    return f".{name}.{_NODE}-{os.getpid()}."


def temporary_folder(target: Path) -> Path:
    """Make a folder beside `target` that is to take its place, with the permissions that a new folder has."""
    temporary = _temporary_path(target)
    try:
        temporary.mkdir()
    except OSError as error:
        raise output_error(error, temporary, target) from None
    return temporary


def _temporary_path(target: Path) -> Path:
    return target.with_name(f"{temporary_prefix(target.name)}{secrets.token_hex(4)}.part")


def find_leftovers(folder: Path, name: str, suffix: str = ".part") -> list[Path]:
    """Return what processes of this machine that are no longer alive left in `folder` while they wrote `name`.

    Parameters
    ----------
    folder : pathlib.Path
    name : str
        Of the file or folder that was to be written; ``*`` stands for anything.
    suffix : str, default ".part"
    """
    pattern = glob.escape(name).replace("[*]", "*")
    leftovers = []
    for left in folder.glob(f".{pattern}.{glob.escape(_NODE)}-*{suffix}"):
        owner = re.search(rf"\.{re.escape(_NODE)}-(\d+)\.[^.]*{re.escape(suffix)}$", left.name)
        if owner is not None and not _is_alive(int(owner.group(1))):
            leftovers.append(left)
    return sorted(leftovers)


def remove_leftovers(folder: Path, name: str, suffix: str = ".part") -> None:
    """Delete what `find_leftovers` finds."""
    for left in find_leftovers(folder, name, suffix):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                left.unlink()


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":  # os.kill would end it there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a loss of power, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def replace_folder(temporary: Path, target: Path) -> None:
    """Put the folder `temporary` in the place of `target`, which is removed where it is there."""
    if not target.exists():
        temporary.rename(target)
        return
    outgoing = temporary.with_suffix(".old")
    target.rename(outgoing)
    try:
        temporary.rename(target)
    except BaseException:
        outgoing.rename(target)
        raise
    shutil.rmtree(outgoing, ignore_errors=True)
