"""The k best items of each row of scores, ties broken the same way each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["top_k"]


def top_k(scores: NDArray[np.floating[Any]], k: int) -> tuple[NDArray[np.int64], NDArray[np.floating[Any]]]:
    """Return the `k` highest scores of each row, best first; of equal scores the lower column comes first.

    Columns that are −∞ are never chosen: a row with fewer than `k` others is filled up with index −1, score −∞.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_columns)
        Without NaN. Not changed.
    k : int
        At least 1; may be larger than the number of columns.

    Returns
    -------
    indices : ndarray of int64, shape (n_rows, k)
    values : ndarray of shape (n_rows, k)
    """
    n_rows, n_columns = scores.shape
    kept = min(k, n_columns)
    indices = np.full((n_rows, k), -1, dtype=np.int64)
    values = np.full((n_rows, k), -np.inf, dtype=scores.dtype)
    if kept == 0 or n_rows == 0:
        return indices, values
    best, at = (part.numpy() for part in torch.topk(torch.from_numpy(np.ascontiguousarray(scores)), kept, sorted=False))
    _settle_ties(scores, best, at)
    # ascending columns first, then a stable sort by score: equal scores stay in the order of their columns
    by_column = np.argsort(at, axis=1)
    at, best = np.take_along_axis(at, by_column, axis=1), np.take_along_axis(best, by_column, axis=1)
    by_score = np.argsort(-best, axis=1, kind="stable")
    at, best = np.take_along_axis(at, by_score, axis=1), np.take_along_axis(best, by_score, axis=1)
    indices[:, :kept] = np.where(best == -np.inf, -1, at)
    values[:, :kept] = best
    return indices, values


def _settle_ties(scores: NDArray[Any], best: NDArray[Any], at: NDArray[Any]) -> None:
    """Where several columns tie for the last places, put the lowest of them there; changes `at` and `best`."""
    kept = best.shape[1]
    lowest = best.min(axis=1, keepdims=True)
    tied = np.flatnonzero(((scores >= lowest).sum(axis=1) > kept) & (lowest[:, 0] > -np.inf))
    if tied.size == 0:
        return
    rows, floor = scores[tied], lowest[tied]
    above = rows > floor
    room = kept - above.sum(axis=1, keepdims=True)
    equal = rows == floor
    chosen = above | (equal & (np.cumsum(equal, axis=1) <= room))
    at[tied] = np.nonzero(chosen)[1].reshape(-1, kept)
    best[tied] = np.take_along_axis(rows, at[tied], axis=1)
