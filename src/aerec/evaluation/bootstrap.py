"""Bootstrap over users: how far a mean would move with other users of the same kind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bootstrap_sums", "percentile_interval"]

_BLOCK = 16  # resamples that are drawn at once


def bootstrap_sums(values: NDArray[np.float64], n_resamples: int, seed: int) -> NDArray[np.float64]:
    """Sums of `values` over users drawn with replacement, the same users for all columns.

    Parameters
    ----------
    values : ndarray of shape (n_users, n_columns)
    n_resamples : int
    seed : int

    Returns
    -------
    ndarray of shape (n_resamples, n_columns)

    Raises
    ------
    ValueError
        If `n_resamples` is below 1.

    References
    ----------
    Efron, Tibshirani (1993). An Introduction to the Bootstrap.
    """
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples}")
    n_users = len(values)
    rng = np.random.default_rng(seed)
    sums = np.empty((n_resamples, values.shape[1]))
    counts = np.empty((_BLOCK, n_users))
    for start in range(0, n_resamples, _BLOCK):  # few at a time: counts that leave the cache cost more than drawing
        size = min(_BLOCK, n_resamples - start)
        drawn = rng.integers(0, n_users, size=(size, n_users))
        for row, one in enumerate(drawn):
            counts[row] = np.bincount(one, minlength=n_users)
        sums[start : start + size] = counts[:size] @ values
    return sums


def percentile_interval(resampled: NDArray[np.float64]) -> tuple[float, float]:
    """Return the bounds that hold the middle 95 % of `resampled`."""
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(low), float(high)
