"""What watches a training: the cost of every batch, and what to say when it is no longer a useful number."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from aerec.network.rows import DenseRows, Rows

__all__ = ["CostWatch", "likely_cause"]

_EXPLODED = 1e6  # times the cost of the first batch
_LARGE = 20.0  # values beyond it are neither ratings nor standardised


class CostWatch:
    """Stops a training whose cost is NaN or infinite, or a million times what it was in the first batch.

    On the CPU at the batch where it happens, before its step is taken; elsewhere, where looking at every cost would
    make the device wait, at the end of the pass.

    Parameters
    ----------
    device : torch.device

    Attributes
    ----------
    at_once : bool
        Whether it looks at every cost at the batch.
    """

    def __init__(self, device: torch.device) -> None:
        self.first: float | None = None
        self.at_once = device.type == "cpu"
        self._costs: list[Tensor] = []

    def see(self, cost: Tensor) -> int | None:
        """Take in the cost of the next batch of a pass; return the number of the batch, from 1, where it is bad."""
        self._costs.append(cost.detach())
        return self._bad([float(cost.detach())], len(self._costs)) if self.at_once else None

    def end(self) -> int | None:
        """End a pass; return the number of the first batch whose cost was bad."""
        bad = None if self.at_once or not self._costs else self._bad(torch.stack(self._costs).tolist(), 1)
        self._costs = []
        return bad

    def _bad(self, costs: Iterable[float], begins: int) -> int | None:
        for number, cost in enumerate(costs, start=begins):
            if not math.isfinite(cost):
                return number
            if self.first is None:
                self.first = cost
            if abs(cost) > _EXPLODED * max(1.0, abs(self.first)):
                return number
        return None


def likely_cause(rows: Rows, learning_rate: float, *, fresh: bool) -> str:
    """Say why a cost may be no number, and what to do.

    Parameters
    ----------
    rows : Rows
        What was trained on.
    learning_rate : float
    fresh : bool
        Whether no step was taken yet, so that the learning rate cannot be the cause.
    """
    largest = rows.largest()
    if not math.isfinite(largest):
        return "the input holds NaN or infinite values: replace or remove them"
    if largest > _LARGE:
        what = "the columns are not standardised" if isinstance(rows, DenseRows) else "the ratings are not scaled"
        cure = "use sklearn's StandardScaler" if isinstance(rows, DenseRows) else "divide them, or binarize them"
        return f"{what}, values go up to {largest:g}: {cure}, or lower learning_rate={learning_rate:g}"
    if fresh:
        return "the weights were no finite numbers before it began: fit anew"
    return f"lower learning_rate={learning_rate:g}, to {learning_rate / 10:g} say"
