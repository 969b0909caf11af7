"""Memory-mapped arrays: told from those in memory, and made in files that vanish with them."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_BLOCK = 1 << 22  # values looked at at once


def mapped_file(array: Any) -> Path | None:
    """Return the file that `array`, or the array that it is a view of, is mapped from; None for one in memory."""
    while array is not None:
        if isinstance(array, np.memmap):
            return None if array.filename is None else Path(array.filename)
        array = getattr(array, "base", None)
    return None


def is_mapped(array: Any) -> bool:
    """Whether the pages of `array` are those of a file, which the system may drop and read again."""
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = getattr(array, "base", None)
    return False


def empty_like_mapped(source: Any, length: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return a one-dimensional array to be filled, mapped from a nameless file beside the one behind `source`.

    Its pages are written out when memory gets short. The disk space is free again once the array is gone.
    """
    if length == 0:
        return np.empty(0, dtype=dtype)
    file = mapped_file(source)
    beside = file.parent if file is not None and os.access(file.parent, os.W_OK) else None
    with tempfile.TemporaryFile(dir=beside) as stream:
        stream.truncate(length * np.dtype(dtype).itemsize)
        return np.memmap(stream, dtype=dtype, mode="r+", shape=(length,))


def release(array: Any) -> None:
    """Take the pages of a mapped `array` out of this process; the system keeps them, or reads them again when wanted.

    Without it everything that was ever read counts as resident until memory gets short. An array in memory stays.
    """
    while array is not None:
        if isinstance(array, mmap.mmap):
            if hasattr(array, "madvise"):  # not on Windows
                array.madvise(mmap.MADV_DONTNEED)
            return
        array = getattr(array, "base", None)


def blocks(array: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Give the pieces of `array`: where each begins, and its values; of a mapped array one is resident at a time."""
    for begin in range(0, len(array), _BLOCK):
        yield begin, array[begin : begin + _BLOCK]
        release(array)
