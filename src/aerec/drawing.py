"""Ratings and users drawn at random, and the place of each rating among those of its user."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.sparse import row_ids


def draw_ratings(data: Interactions, fraction: float, rng: np.random.Generator, *, per_user: bool) -> NDArray[np.bool_]:
    """Mask of stored ratings, drawn without replacement: a share of all, or of each user's."""
    n = data.n_ratings
    if not per_user:
        mask = np.zeros(n, dtype=bool)
        mask[rng.permutation(n)[: round(fraction * n)]] = True
        return mask
    lengths = np.diff(data.matrix.indptr)
    sizes = np.floor(fraction * lengths + 1e-9).astype(np.int64)  # 0.2 · 5 is 1, whatever 1 − 0.8 rounds to
    sizes = np.where(lengths >= 2, np.maximum(sizes, 1), 0)
    return places_in_rows(data, rng.random(n)) < np.repeat(sizes, lengths)


def draw_groups(
    n: int, fraction: float, validation_fraction: float, rng: np.random.Generator, what: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Divide the numbers 0 … n − 1 at random into (test, validation, the others), each in ascending order.

    Test gets the share `fraction`, validation `validation_fraction` of the rest; at least one, but for a share of 0.
    A DataError says so where no other of `what` is left.
    """
    n_test = max(1, round(fraction * n))
    n_validation = max(1, round(validation_fraction * (n - n_test))) if validation_fraction else 0
    if n_test + n_validation >= n:
        raise DataError(f"holding out {n_test:,} + {n_validation:,} of {n:,} {what} leaves none to train on")
    test, validation, others = np.split(rng.permutation(n), [n_test, n_test + n_validation])
    return np.sort(test), np.sort(validation), np.sort(others)


def places_in_rows(data: Interactions, *keys: NDArray[Any]) -> NDArray[np.int64]:
    """Place of each stored rating among those of its user, counted from 0; `keys` sort them, the first one first."""
    rows = row_ids(data.matrix)
    order = np.lexsort((*keys[::-1], rows))
    places = np.empty(len(rows), dtype=np.int64)
    places[order] = np.arange(len(rows)) - data.matrix.indptr[rows]
    return places
