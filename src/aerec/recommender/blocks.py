"""Users are scored in blocks, so that memory does not grow with users × items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["block_rows", "score_blocks"]

_BLOCK_BYTES = 16 * 2**20  # scores held at once while ranking


def block_rows(n_items: int, n_bytes: int | None = None) -> int:
    """Return how many users are scored at once, so that their scores stay within so many bytes."""
    return max(1, (n_bytes or _BLOCK_BYTES) // (4 * max(n_items, 1)))


def score_blocks(n_users: int, n_items: int, n_bytes: int | None = None) -> Iterator[NDArray[np.int64]]:
    """Consecutive row numbers, `block_rows` at a time."""
    size = block_rows(n_items, n_bytes)
    for start in range(0, n_users, size):
        yield np.arange(start, min(start + size, n_users))
