"""The best of scores that are one large matrix product: found by bfloat16 factors, ranked by float32 ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aerec.network.device import cpu_has_tiles
from aerec.network.products import sampled_products
from aerec.sparse import CSR, row_ids, take_rows
from aerec.topk import candidates, order_candidates, top_k

_ROWS = 256  # A block has few enough rows for the cache, and enough to spread its cost
_SHARE, _MORE = 0.25, 16  # candidates beyond k: this share of k plus this number
_CAUTION = 2  # assumed bfloat16 error of the other items, as a multiple of the largest error of a candidate
FEWEST_USERS = 128  # the copy of the weight pays from this many users on
_WEIGHTS = 2**21  # entries of the weight from which on the product takes most of the time
_CATALOGUE = 8  # fewest items, as a multiple of k
_REORDERED = 4096  # a weight in the layout of the tiles pays from this many users on


def bf16_ranking_pays(n_users: int, k: int, weight: Tensor) -> bool:
    """Whether `BF16Ranking` is faster than float32 products and `top_k`, where bfloat16 products are."""
    return n_users >= FEWEST_USERS and weight.numel() >= _WEIGHTS and len(weight) >= _CATALOGUE * k


class BF16Ranking:
    """Ranks by hidden · weightᵀ + bias, on a processor with fast bfloat16 products.

    Products of bfloat16 factors say which items are candidates; their scores are computed again in float32. A row in
    which another item could be among the best, were its product off by twice the largest error that was found, is
    ranked by float32 products of all items. So the lists are those of float32, up to the order of summation.

    Parameters
    ----------
    weight : Tensor of shape (n_items, n_hidden), float32
        On the CPU.
    bias : Tensor of shape (n_items,), or None
    n_users : int
        How many will be ranked.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, n_users: int) -> None:
        self._weight = weight
        self._half = weight.bfloat16()
        if n_users >= _REORDERED and cpu_has_tiles():
            self._half = self._half.T.contiguous().T
        self._bias = weight.new_zeros(len(weight)) if bias is None else bias

    def best(
        self, hidden: Tensor, k: int, left_out: Sequence[CSR], barred: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return columns and scores of the `k` best items of each row, as `aerec.topk.top_k` does.

        Parameters
        ----------
        hidden : Tensor of shape (n_rows, n_hidden), float32
        k : int
            At most n_items.
        left_out : sequence of csr_array of shape (n_rows, n_items)
            What is stored in any of them is not ranked.
        barred : ndarray of bool, shape (n_items,), or None
            Columns that are not ranked.
        """
        n_rows, n_items = len(hidden), len(self._weight)
        products = hidden.bfloat16() @ self._half.T
        indices, values = np.empty((n_rows, k), dtype=np.int64), np.empty((n_rows, k), dtype=np.float32)
        scores = hidden.new_empty(min(_ROWS, n_rows), n_items)  # reused by every block
        for start in range(0, n_rows, _ROWS):
            rows = np.arange(start, min(start + _ROWS, n_rows))
            rough = scores[: len(rows)].copy_(products[start : start + _ROWS]).add_(self._bias).numpy()
            for matrix in left_out:
                part = take_rows(matrix, rows)
                rough[row_ids(part), part.indices] = -np.inf
            if barred is not None:
                rough[:, barred] = -np.inf
            indices[rows], values[rows], sure = self._best(hidden[start : start + _ROWS], rough, k)
            if not sure.all():
                unsure = rows[~sure]
                exact: NDArray[np.float32] = torch.addmm(self._bias, hidden[unsure], self._weight.T).numpy()
                exact[np.isneginf(rough[~sure])] = -np.inf
                indices[unsure], values[unsure] = top_k(exact, k)
        return indices, values

    def _best(
        self, hidden: Tensor, rough: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
        """Rank the candidates of some rows, and say whether no other item can be among the best."""
        n_rows, n_items = rough.shape
        places, starts, bound = candidates(rough, min(n_items, int((1 + _SHARE) * k) + _MORE))
        columns = places - np.repeat(np.arange(n_rows) * n_items, np.diff(starts))
        exact = self._scores_at(hidden, columns, starts)
        ranked, values = order_candidates(columns, starts, exact, k)
        # the error of a product grows with the length of the row
        lengths = np.maximum(torch.linalg.vector_norm(hidden, dim=1).numpy(), np.finfo(np.float32).tiny)
        off = np.abs(exact - rough.reshape(-1)[places]) / np.repeat(lengths, np.diff(starts))
        margin = _CAUTION * off.max(initial=0) * lengths
        no_others = bound[:, 0] <= np.finfo(np.float32).min  # all that may be ranked are candidates
        return ranked, values, no_others | (values[:, -1] >= bound[:, 0] + margin)

    def _scores_at(self, hidden: Tensor, columns: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score the items `columns`, those of each row from its place in `starts` on."""
        at = torch.from_numpy(columns)
        products = sampled_products(torch.from_numpy(starts), at, hidden, self._weight)
        return products.add_(self._bias.index_select(0, at)).numpy()
