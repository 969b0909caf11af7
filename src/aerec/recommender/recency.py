"""Histories whose ratings count less the older they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self

from aerec.errors import DataError
from aerec.recommender.scorer import CodeScorer, Scorer, SimilarityScorer, SteerableScorer, UserBlock
from aerec.sparse import row_ids, with_values

_DAY = 86_400.0  # seconds
_LEAST = 1e-30  # a weight is never 0: what was seen stays seen


def weighted_by_recency(inner: Scorer, half_life: float, unit: str = "positions") -> RecencyScorer:
    """Return a scorer that asks another one with histories weighted by their age, 2^(−age / half-life).

    It knows as much of items and of codes as the other one.

    Parameters
    ----------
    inner : Scorer
    half_life : float
    unit : {"positions", "days"}
        Of the half-life and of the ages, which are counted from the newest rating of each user. In positions, ratings
        of the same time are of the same age, the mean of their places.
    """
    kind = RecencyScorer
    if isinstance(inner, SimilarityScorer):
        kind = _OfItems
        if isinstance(inner, CodeScorer):
            kind = _OfSteerableCode if isinstance(inner, SteerableScorer) else _OfCode
    return kind(inner, half_life, unit)


class RecencyScorer(Scorer):
    """A scorer of weighted histories; `weighted_by_recency` makes it."""

    def __init__(self, inner: Scorer, half_life: float, unit: str) -> None:
        super().__init__(inner.n_items, inner.popularity)
        self.block_bytes = inner.block_bytes
        self._inner, self._half_life, self._unit = inner, float(half_life), unit

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        return self.score(block)

    def score(self, block: UserBlock) -> NDArray[np.float32]:
        """Score all items for each user."""
        return self._inner.score(self._weighted(block))

    def score_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score the items `columns` for each user."""
        return self._inner.score_at(self._weighted(block), columns)

    def best(self, block: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return columns and scores of the `k` best items of each user."""
        return self._inner.best(self._weighted(block), k)

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much each item of the history adds, weighted as it is."""
        return self._inner.contributions(self._weighted(block), columns)

    def prepared(self, n_users: int, k: int) -> Scorer:
        """Return the scorer over the other one, prepared."""
        return RecencyScorer(self._inner.prepared(n_users, k), self._half_life, self._unit)

    def for_single_users(self) -> Self:
        """Return the scorer over the other one for single users."""
        return type(self)(self._inner.for_single_users(), self._half_life, self._unit)

    def _weighted(self, block: UserBlock) -> UserBlock:
        history = block.history
        weights = np.maximum(2.0 ** (-_ages(block, self._unit) / self._half_life), _LEAST).astype(np.float32)
        weighted = with_values(history, history.data * weights)
        left_out = [weighted if matrix is history else matrix for matrix in block.left_out]
        return replace(block, history=weighted, left_out=left_out)


class _OfItems(RecencyScorer):
    _inner: Any  # with what these classes ask it for

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        similarities: NDArray[np.float32] = self._inner.similarities(columns)
        return similarities


class _OfCode(_OfItems):
    def code(self, block: UserBlock) -> NDArray[np.float32]:
        code: NDArray[np.float32] = self._inner.code(self._weighted(block))
        return code

    def code_size(self) -> int:
        return int(self._inner.code_size())

    def unit_weights(self, unit: int, activation: float) -> NDArray[np.float32]:
        weights: NDArray[np.float32] = self._inner.unit_weights(unit, activation)
        return weights

    def unit_contributions(
        self, code: NDArray[np.float32], units: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        terms: NDArray[np.float32] = self._inner.unit_contributions(code, units, columns)
        return terms


class _OfSteerableCode(_OfCode):
    def steered(self, weights: Mapping[int, float]) -> Scorer:
        return weighted_by_recency(self._inner.steered(weights), self._half_life, self._unit)

    def unit_usage(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        usage: tuple[NDArray[np.float32], NDArray[np.float32]] = self._inner.unit_usage()
        return usage


def _ages(block: UserBlock, unit: str) -> NDArray[np.float64]:
    """Return the age of each rating of the histories of a block, aligned with their values."""
    history = block.history
    counts, rows = np.diff(history.indptr), row_ids(history)
    if block.times is None:
        if counts.max(initial=0) > 1:
            raise DataError(
                "RecencyWeighted weighs what was rated last most, and this history has no times: give an Interactions "
                "with timestamps; a matrix has none"
            )
        return np.zeros(len(rows))
    times = block.times.astype(np.float64)
    order = np.lexsort((times, rows))
    if unit == "days":
        newest = times[order][np.maximum(history.indptr[1:] - 1, 0)] if len(rows) else times
        return np.asarray((newest[rows] - times) / _DAY)
    place = (history.indptr[rows + 1] - 1 - np.arange(len(rows))).astype(np.float64)  # in the order of time
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (np.diff(times[order]) != 0) | (np.diff(rows) != 0)
    tie = np.cumsum(first) - 1
    ages = np.empty(len(rows))
    ages[order] = (np.bincount(tie, place) / np.maximum(np.bincount(tie), 1))[tie] if len(rows) else place
    return ages
