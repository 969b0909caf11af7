"""Item vectors divided over processes: each holds and learns the rows of its own items, and sees their columns only.

What the processes exchange in a step are sums over items of batch × factors, not gradients of items × factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from aerec.errors import DataError
from aerec.training.distributed import Ranks


@dataclass(frozen=True)
class ItemShards:
    """Which items are whose.

    Parameters
    ----------
    ranks : Ranks
    n_items : int

    Raises
    ------
    DataError
        If there are fewer items than processes.
    """

    ranks: Ranks
    n_items: int

    def __post_init__(self) -> None:
        if self.n_items < self.ranks.size:
            raise DataError(f"{self.n_items} items cannot be divided over {self.ranks.size} processes; start fewer")

    @property
    def own(self) -> slice:
        """The items of this process."""
        return self._of(self.ranks.rank)

    def add_up(self, partial: Tensor) -> Tensor:
        """Σ over the processes of sums over their own items; every process has the same gradient with respect to it."""
        total: Tensor = _Sum.apply(partial)  # type: ignore[no-untyped-call]
        return total

    def gather(self, own: Tensor) -> Tensor:
        """Return the rows of all items, in memory of the processor, from those of each process."""
        whole = torch.empty(self.n_items, own.shape[1], dtype=own.dtype)
        for rank in range(self.ranks.size):
            at = self._of(rank)
            part = own.contiguous() if rank == self.ranks.rank else own.new_empty(at.stop - at.start, own.shape[1])
            dist.broadcast(part, rank)
            whole[at] = part.cpu()
        return whole

    def _of(self, rank: int) -> slice:
        return slice(self.n_items * rank // self.ranks.size, self.n_items * (rank + 1) // self.ranks.size)


class _Sum(torch.autograd.Function):
    """A sum over processes that all go on with it in the same way: the gradient of each addend is that of the sum."""

    @staticmethod
    def forward(ctx: Any, partial: Tensor) -> Tensor:
        total = partial.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient
