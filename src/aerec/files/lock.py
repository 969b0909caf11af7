"""One process at a time."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import IO, Any

if sys.platform != "win32":
    import fcntl


class Lock:
    """Keeps other processes from a place, where the system can: a lock on a file beside it, gone with the process.

    Parameters
    ----------
    path : path-like
        The place; the file is called ``<path>.lock``.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path).absolute()
        self._file = path.with_name(f"{path.name}.lock")
        self._stream: IO[Any] | None = None

    def acquire(self) -> bool:
        """Take the lock; return False where another process, or another part of this one, has it."""
        if sys.platform == "win32" or self._stream is not None:
            return True
        self._file.parent.mkdir(parents=True, exist_ok=True)
        while True:
            stream = self._file.open("w")
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                stream.close()
                return False
            if _is_still_there(self._file, stream):  # who had it before may have removed the file since it was opened
                self._stream = stream
                return True
            stream.close()

    def release(self) -> None:
        """Give the lock back and remove its file."""
        if self._stream is not None:
            self._file.unlink(missing_ok=True)
            self._stream.close()
            self._stream = None


def _is_still_there(file: Path, stream: IO[Any]) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(file.stat(), os.fstat(stream.fileno()))
    return False
