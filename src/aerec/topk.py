"""The k best items of each row of scores, ties broken the same way each time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

import aerec.system.threads  # noqa: F401 (a forked process ranks with one thread)

_BLOCK_BYTES = 2**23  # A block of scores is read several times and should stay in the cache
_CHUNKS = 16  # most pieces of a row; see `_lower_bound`
_LOWER = 2**32 - 1  # half of a 64-bit key
_NOTHING = (0x7F800001 << 32) + _LOWER  # the key of −∞ in column −1
_CROWDED = 2  # From this many times k candidates on, those equal to the bound are counted


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
    scores = np.ascontiguousarray(scores)
    if scores.dtype == np.float32 and (kernels := _kernels()) is not None:
        best: tuple[NDArray[np.int64], NDArray[np.float32]] = kernels.largest(scores, k)
        return best
    n_rows, n_columns = scores.shape
    n_best = min(k, n_columns)
    indices = np.full((n_rows, k), -1, dtype=np.int64)
    values = np.full((n_rows, k), -np.inf, dtype=scores.dtype)
    if n_best == 0:
        return indices, values
    size = max(1, _BLOCK_BYTES // (n_columns * scores.itemsize))
    for start in range(0, n_rows, size):
        rows = slice(start, start + size)
        block = scores[rows]
        places, starts, _ = candidates(block, n_best)
        columns = places - np.repeat(np.arange(len(block)) * n_columns, np.diff(starts))
        ordered = order_candidates(columns, starts, block.reshape(-1)[places], n_best)
        indices[rows, :n_best], values[rows, :n_best] = ordered
    return indices, values


def _kernels() -> Any:
    """Return the compiled kernels, if PyTorch is there, which a baseline does not need; they choose the same items."""
    if "torch" not in sys.modules:
        return None
    from aerec.native import kernels, loader

    return kernels if loader.is_used() else None


def top_k_tensor(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return what `top_k` does of float32 scores, computed where they are: for accelerators.

    Parameters
    ----------
    scores : Tensor of shape (n_rows, n_columns), float32
    k : int

    Returns
    -------
    indices : Tensor of int64, shape (n_rows, k)
    values : Tensor of shape (n_rows, k)
    """
    import torch  # the caller has imported it: a baseline needs no PyTorch

    n_rows, n_columns = scores.shape
    n_best = min(k, n_columns)
    indices = scores.new_full((n_rows, k), -1, dtype=torch.int64)
    values = scores.new_full((n_rows, k), -torch.inf)
    if n_best == 0:
        return indices, values
    best, columns = torch.topk(scores, n_best, dim=1, sorted=False)  # ties for the last places are broken anyhow
    crowded = ((scores >= best.amin(dim=1, keepdim=True)).sum(dim=1) > n_best).nonzero()[:, 0]
    every = torch.arange(n_columns, device=scores.device)
    if len(crowded):
        columns[crowded] = (_keys(scores[crowded], every).topk(n_best, dim=1).values & _LOWER) ^ _LOWER
    columns = (_keys(scores.gather(1, columns), columns).sort(dim=1, descending=True).values & _LOWER) ^ _LOWER
    ordered = scores.gather(1, columns)
    indices[:, :n_best] = torch.where(ordered == -torch.inf, -1, columns)
    values[:, :n_best] = ordered
    return indices, values


def _keys(scores: Tensor, columns: Tensor) -> Tensor:
    """Return whole numbers in the order of the scores, those of equal scores in the opposite order of the columns."""
    import torch

    bits = (scores + 0.0).view(torch.int32)  # −0 + 0 is 0
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long() * 2**32 + (columns ^ _LOWER)


def candidates(
    scores: NDArray[Any], n_best: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating[Any]]]:
    """Return where the `n_best` highest scores of each row are, and a few more, none of which is −∞.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_columns)
        Contiguous, without NaN.
    n_best : int
        At most `n_columns`.

    Returns
    -------
    places : ndarray of int64, shape (n_candidates,)
        Of the candidates in the flat array, ascending.
    starts : ndarray of int64, shape (n_rows + 1,)
        Where the candidates of each row begin among them.
    bound : ndarray of shape (n_rows, 1)
        What no score of the others exceeds.
    """
    bound = _lower_bound(scores, n_best)
    chosen = scores >= bound
    places, starts = _true_places(chosen)
    crowded = np.flatnonzero(np.diff(starts) > _CROWDED * n_best)
    if crowded.size:
        chosen[crowded] = _first_of_ties(scores[crowded], bound[crowded], n_best)
        places, starts = _true_places(chosen)
    return places, starts, bound


def order_candidates(
    columns: NDArray[np.int64], starts: NDArray[np.int64], scores: NDArray[Any], n_best: int
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return columns and scores of the `n_best` best candidates of each row in their order.

    `columns` ascend within each row, whose candidates begin at `starts`; `scores` are those of the candidates. A row
    with fewer is filled up with column −1, score −∞.
    """
    n_rows = len(starts) - 1
    counts = np.diff(starts)
    rows = np.repeat(np.arange(n_rows), counts)
    at = rows, np.arange(len(columns)) - starts[rows]  # the candidates of a row stand side by side, in their order
    shape = (n_rows, max(n_best, int(counts.max(initial=0))))
    if scores.dtype == np.float32:
        keys = np.full(shape, _NOTHING)
        keys[at] = _descending(scores) * 2**32 + columns
        keys.sort(axis=1)
        best = keys[:, :n_best]
        return best.astype(np.int32).astype(np.int64), _ascending(best >> 32)
    negated, table = np.full(shape, np.inf, dtype=scores.dtype), np.full(shape, -1, dtype=np.int64)
    negated[at], table[at] = -scores, columns
    order = np.argsort(negated, axis=1, kind="stable")[:, :n_best]
    return np.take_along_axis(table, order, axis=1), -np.take_along_axis(negated, order, axis=1)


def _lower_bound(scores: NDArray[Any], n_best: int) -> NDArray[Any]:
    """Return for each row a number that at least `n_best` scores reach, if that many are finite, and few more do.

    It is the `n_best`-th highest of the maxima over equal pieces of the row: each of them is a score of its own.
    """
    n_rows, n_columns = scores.shape
    chunks = min(max(1, n_columns // (4 * n_best)), _CHUNKS)
    width = n_columns // chunks
    maxima = scores[:, : chunks * width].reshape(n_rows, chunks, width).max(axis=1)
    maxima.partition(width - n_best, axis=1)
    bound: NDArray[Any] = np.maximum(maxima[:, width - n_best, None], np.finfo(scores.dtype).min)
    return bound


def _true_places(chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where `chosen` is true, row after row, and where each row begins among them."""
    places = np.flatnonzero(chosen)
    return places, np.searchsorted(places, np.arange(len(chosen) + 1) * chosen.shape[1])


def _first_of_ties(scores: NDArray[Any], bound: NDArray[Any], n_best: int) -> NDArray[np.bool_]:
    """Return what is above the bound and, as far as needed to make up `n_best`, the first columns that equal it."""
    above = scores > bound
    equal = scores == bound
    room = n_best - above.sum(axis=1, keepdims=True)
    return np.asarray(above | (equal & (np.cumsum(equal, axis=1) <= room)))


def _descending(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return 32-bit whole numbers in the opposite order of the values; both zeros are the same."""
    bits = (values + np.float32(0)).view(np.int32)  # −0 + 0 is 0
    return -np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)


def _ascending(places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the values that `_descending` gave these numbers for."""
    bits = (-places).astype(np.int32)
    return np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).view(np.float32)
