"""How much memory there is, the refusal to allocate what does not fit, and blocks of what fits."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aerec.errors import InsufficientMemoryError

_SMALL = 2**24  # smaller amounts of bytes are not worth reading five system files for
_CGROUP = Path("/sys/fs/cgroup")
# Limit, use, and the line of memory.stat that tells how much of the use is file cache which can be dropped:
_CGROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")


def available_memory() -> int | None:
    """Bytes that can still be allocated: the least of the machine's, the container's and the process's (``ulimit -v``).

    None where unknown.
    """
    sizes = [size for size in (_machine_memory(), _container_memory(), _address_space()) if size is not None]
    return min(sizes) if sizes else None


def require_memory(needed: int, what: str, advice: str) -> None:
    """Refuse an allocation that does not fit, before it is made; one of less than 16 MiB is not looked at.

    Parameters
    ----------
    needed : int
        Bytes at the peak.
    what : str
        The block, with its shape, for the message.
    advice : str
        What to do instead.

    Raises
    ------
    InsufficientMemoryError
        If `needed` exceeds `available_memory`.
    """
    if needed < _SMALL:
        return
    free = available_memory()
    if free is not None and needed > free:
        raise InsufficientMemoryError(
            f"{what} needs {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are available; {advice}"
        )


def rows_within(n_bytes: int, row_bytes: int) -> int:
    """Return how many rows of `row_bytes` fit into `n_bytes`; one at least."""
    return max(1, n_bytes // max(row_bytes, 1))


def row_blocks(n_rows: int, size: int, first: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield consecutive row numbers from `first` on, `size` at a time."""
    for start in range(first, n_rows, size):
        yield np.arange(start, min(start + size, n_rows))


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that an allocation failed: NumPy raises a MemoryError, PyTorch a RuntimeError."""
    told = re.search("can't allocate memory|not enough memory|out of memory", str(error))
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and told is not None)


def peak_memory() -> int | None:
    """Bytes that this process has held at most since it began; None where unknown (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _machine_memory() -> int | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:  # macOS has no /proc: half of the physical memory is a careful guess at what is free
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):
        return None


def _address_space() -> int | None:
    """What the limit of this process's address space leaves; None where there is no limit, or its use is unknown."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return None
        used = int(_STATM.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, AttributeError, OSError, ValueError, IndexError):
        return None
    return max(0, limit - used)


def _container_memory() -> int | None:
    for limit, used, statistics, cache in _CGROUP_FILES:  # version 2, then version 1
        try:
            free = int((_CGROUP / limit).read_text()) - int((_CGROUP / used).read_text())
        except (OSError, ValueError):  # no cgroup, or its limit is "max"
            continue
        return max(0, free + _reclaimable(_CGROUP / statistics, cache))
    return None


def _reclaimable(statistics: Path, cache: str) -> int:
    """Bytes of file cache that count as used but give way to an allocation."""
    try:
        lines = statistics.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{cache} "))
    except (OSError, StopIteration, ValueError):
        return 0
