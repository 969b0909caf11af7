"""Users are scored in blocks, so that memory does not grow with users × items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["block_rows", "score_blocks"]

_BLOCK_BYTES = 16 * 2**20  # scores held at once while ranking,
_LEAST_ROWS = 64  # but of so many users at least: a model's parameters are read once a block


def block_rows(n_items: int, n_bytes: int | None = None) -> int:
    """Return how many users are scored at once: so that their scores stay within `n_bytes`, or 64 of a large catalogue.

    The second holds only where `n_bytes` is not given.
    """
    least = _LEAST_ROWS if n_bytes is None else 1
    return max(least, (n_bytes or _BLOCK_BYTES) // (4 * max(n_items, 1)))


def score_blocks(n_users: int, n_items: int, n_bytes: int | None = None) -> Iterator[NDArray[np.int64]]:
    """Consecutive row numbers, `block_rows` at a time."""
    size = block_rows(n_items, n_bytes)
    for start in range(0, n_users, size):
        yield np.arange(start, min(start + size, n_users))
