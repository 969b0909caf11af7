"""The scorer of `SparseCode`: a sparse code between the code and the decoder of another scorer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.canonical import LARGEST_RATING
from aerec.parameters import RealNumber
from aerec.recommender.scorer import Scorer, SeparableScorer, UserBlock, score_blocks
from aerec.sparse import CSR
from aerec.topk import top_k


class SparseCoder:
    """From dense codes to sparse ones, and back."""

    def __init__(
        self,
        W: NDArray[np.float32],
        b: NDArray[np.float32],
        D: NDArray[np.float32],
        c: NDArray[np.float32],
        n_active: int,
        threshold: NDArray[np.float32] | None,
    ) -> None:
        self.n_units = len(W)
        self.D, self.c = D, c
        self._W, self._b, self._n_active, self._threshold = W, b, n_active, threshold

    def encode(self, z: NDArray[np.float32]) -> CSR:
        """Return the sparse codes; shape (n_rows, n_units)."""
        activations = (z - self.c) @ self._W.T + self._b
        if self._threshold is not None:
            return sp.csr_array(np.where(activations > self._threshold, activations, np.float32(0)))
        units, values = top_k(activations, self._n_active)
        starts = np.arange(len(z) + 1) * self._n_active
        code: CSR = sp.csr_array((values.ravel(), units.ravel(), starts), shape=(len(z), self.n_units))
        code.sort_indices()
        return code

    def decode(self, code: CSR | NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ẑ."""
        return code @ self.D + self.c


class SparseCodeScorer(Scorer):
    """Scores by what the decoder of another scorer makes of ẑ."""

    def __init__(
        self,
        inner: Any,
        coder: SparseCoder,
        usage: tuple[NDArray[np.float32], NDArray[np.float32]],
        steering: NDArray[np.float32] | None,
    ) -> None:
        super().__init__(inner.n_items, inner.popularity if steering is None else None)
        self._inner, self._coder, self._usage, self._steering = inner, coder, usage, steering

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self._inner.decode(self._given_back(self._inner.code(block)), block)
        return scores

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much a score falls when an item is left out of the history.

        What the inner scorer adds to what it decodes, such as − x of ELSA, falls as it does in its own contributions.
        """
        inner = self._inner
        if not isinstance(self._inner, SeparableScorer):
            return super().contributions(block, columns)
        own, without = inner.code(block), inner.code_without_each(block).astype(np.float32)
        terms: NDArray[np.float64] = inner.contributions(block, columns).astype(np.float64)
        dense = np.concatenate([own, without])
        for sign, codes in ((-1, dense), (1, self._given_back(dense))):
            for places in score_blocks(len(without), self.n_items):
                some = np.concatenate([codes[:1], codes[1 + places]])
                scores = inner.decode(some, UserBlock.without_history(len(some), self.n_items))[:, columns]
                terms[places] += sign * (scores[0] - scores[1:])
        return terms

    def _given_back(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ẑ."""
        z = self._coder.decode(self._coder.encode(codes))
        if self._steering is not None:
            z += self._steering @ self._coder.D
        return z

    def sparse_code(self, block: UserBlock) -> CSR:
        """Return the code of each user; shape (n_users, n_units)."""
        code = self._coder.encode(self._inner.code(block))
        if self._steering is not None:
            code = sp.csr_array(code + sp.csr_array(np.tile(self._steering, (block.n_users, 1))))
        return code

    def code(self, block: UserBlock) -> NDArray[np.float32]:
        """Return the code of each user as a dense array."""
        return self.sparse_code(block).toarray()

    def code_size(self) -> int:
        """Return the number of units."""
        return self._coder.n_units

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return those of the other scorer: items have no sparse code."""
        similarities: NDArray[np.float32] = self._inner.similarities(columns)
        return similarities

    def steered(self, weights: Mapping[int, float]) -> SparseCodeScorer:
        """Return a scorer with other steering, as `SparseCode.steer`."""
        return SparseCodeScorer(self._inner, self._coder, self._usage, added_activations(weights, self.code_size()))

    def unit_usage(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return `activity_` and `strength_`."""
        return self._usage

    def unit_weights(self, unit: int, activation: float) -> NDArray[np.float32]:
        """Return decode(c + activation · D_unit) − decode(c); shape (n_items,)."""
        codes = np.stack([self._coder.c, self._coder.c + np.float32(activation) * self._coder.D[unit]])
        silent, active = self._inner.decode(codes, UserBlock.without_history(2, self.n_items))
        weights: NDArray[np.float32] = active - silent
        return weights

    def unit_items(
        self, units: NDArray[np.int64], n: int, barred: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """Return the items whose scores rise most when each of `units` is 1; (n_units, n) or all there are.

        Those that are `barred` are left out.
        """
        codes = np.concatenate([self._coder.c[None], self._coder.c + self._coder.D[units]])
        scores = self._inner.decode(codes, UserBlock.without_history(len(codes), self.n_items))
        gains = scores[1:] - scores[0]
        if barred is not None:
            gains[:, barred] = -np.inf
        return top_k(gains, min(n, self.n_items))[0]

    def unit_contributions(
        self, code: NDArray[np.float32], units: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return how much the scores of `columns` fall when each of `units` is 0; (n_units, n_columns)."""
        whole = self._coder.decode(code[None])
        codes = np.concatenate([whole, whole - code[units, None] * self._coder.D[units]])
        scores = self._inner.decode(codes, UserBlock.without_history(len(codes), self.n_items))[:, columns]
        terms: NDArray[np.float32] = scores[0] - scores[1:]
        return terms


def added_activations(weights: Mapping[int, float], n_units: int) -> NDArray[np.float32] | None:
    """Return what is added to each activation; None for nothing."""
    if not isinstance(weights, Mapping):
        raise TypeError(f"steer: expected a dict from unit to weight, such as {{3: 2.5}}, got {type(weights).__name__}")
    steering = np.zeros(n_units, dtype=np.float32)
    for unit, weight in weights.items():
        if isinstance(unit, bool) or not isinstance(unit, int | np.integer) or not 0 <= unit < n_units:
            raise ValueError(f"steer: a unit is a whole number from 0 to {n_units - 1}, got {unit!r}")
        if not RealNumber().accepts(weight) or abs(weight) > LARGEST_RATING:
            raise ValueError(
                f"steer: the weight of unit {unit} must be a finite number, at most 2^24 in size, got {weight!r}"
            )
        steering[unit] = weight
    return steering if steering.any() else None
