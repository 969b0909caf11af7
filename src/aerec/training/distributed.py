"""Training on many processes: each takes its own rows, the gradients of all are added up before every step.

Every rank holds the whole network and makes the same steps, so that all stay equal to the last bit. With n ranks a
batch of `batch_size` rows is n pieces, one from the rows of each rank, and its gradient is that of the mean cost over
all of them, as on a single process (a `KLSparsity` penalty looks at the activations of a rank's piece).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from aerec.errors import DataError
from aerec.network.rows import DenseRows, MappedRows, RowRange, Rows, SparseRows

_TO_GATHER = timedelta(minutes=10)
_PATIENCE = timedelta(hours=2)  # how long a rank waits for the first, which measures the validation data


@dataclass(frozen=True)
class Ranks:
    """The processes that train together.

    Parameters
    ----------
    rank : int
        Of this process, from 0.
    size : int
        How many there are.
    """

    rank: int
    size: int

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that measures and writes."""
        return self.rank == 0

    def part(self, rows: Rows) -> RowRange:
        """Return the rows of this rank: consecutive ones, and as many as the others have, or one more.

        Raises
        ------
        DataError
            If there are fewer rows than ranks.
        """
        assert isinstance(rows, SparseRows | MappedRows | DenseRows)
        if rows.shape[0] < self.size:
            raise DataError(f"{rows.shape[0]} rows cannot be trained on by {self.size} processes; start fewer")
        return RowRange(rows, *self._range(rows.shape[0], self.rank))

    def pieces(self, order: Tensor, n_rows: int, batch_size: int) -> tuple[Tensor, ...]:
        """Divide the `order` of this rank's rows into one piece per step: on every rank equally many, none empty."""
        longest = -(-n_rows // self.size)
        steps = min(-(-longest * self.size // batch_size), n_rows // self.size)
        return order.tensor_split(max(steps, 1))

    def average_gradients(self, optimizer: torch.optim.Optimizer, n_rows: int) -> None:
        """Replace each gradient by its mean over the ranks, weighted by the number of rows it is the mean over."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        total = gradients[0].new_tensor([float(n_rows)])
        dist.all_reduce(total)
        for gradient in gradients:
            added = gradient.mul_(n_rows).contiguous()
            dist.all_reduce(added)
            torch.div(added, total, out=gradient)

    def wait(self) -> None:
        """Wait until every rank is here."""
        dist.barrier()

    def total(self, sums: Tensor) -> Tensor:
        """Σ over the ranks."""
        dist.all_reduce(sums)
        return sums

    def seed(self, name: str, seed: int, step: int) -> int:
        """Return the seed of a random generator for the epoch that begins at `step`: a restart needs no more."""
        text = f"{name} {seed} {self.rank} {step}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")

    def shared(self, measure: Callable[[], float], device: torch.device) -> Callable[[], float]:
        """Return a function that measures on the first rank and tells the others."""

        def measure_once() -> float:
            value = torch.tensor([measure() if self.is_first else 0.0], dtype=torch.float64, device=device)
            dist.broadcast(value, 0)
            return float(value)

        return measure_once

    def begin_together(self, network: nn.Module, epoch: int, device: torch.device) -> None:
        """Give every rank the network of the first; refuse to go on where they did not find the same checkpoint.

        Raises
        ------
        DataError
            On every rank.
        """
        extremes = torch.tensor([epoch, -epoch], device=device)
        dist.all_reduce(extremes, dist.ReduceOp.MAX)
        latest, earliest = extremes.tolist()
        if latest != -earliest:
            raise DataError(
                f"not every process finds the checkpoint of epoch {latest}: put it where all machines see it"
            )
        for value in network.state_dict().values():
            dist.broadcast(value, 0)

    def _range(self, n_rows: int, rank: int) -> tuple[int, int]:
        return n_rows * rank // self.size, n_rows * (rank + 1) // self.size


def current_ranks() -> Ranks | None:
    """Return the processes that train together; None where this one is alone."""
    if not (dist.is_available() and dist.is_initialized()):
        return None
    return Ranks(dist.get_rank(), dist.get_world_size())


@contextlib.contextmanager
def joined(device: str = "auto") -> Iterator[Ranks | None]:
    """Join the processes that torchrun started; None where it started none but this.

    Parameters
    ----------
    device : str, default "auto"
        That of the model: on CUDA each rank of a machine takes a device of its own and NCCL, else gloo.

    Examples
    --------
    >>> from aerec.training.distributed import joined
    >>> with joined() as ranks:  # alone, without torchrun
    ...     print(ranks)
    None
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield None
        return
    cuda = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    store, rank, size = next(rendezvous("env://", timeout=_TO_GATHER))
    own = dist.PrefixStore(_agree(store, rank, size), store)  # type: ignore[attr-defined]
    dist.init_process_group("nccl" if cuda else "gloo", store=own, rank=rank, world_size=size, timeout=_PATIENCE)
    try:
        yield current_ranks()
        dist.barrier()  # a rank that leaves while another still works would look like one that died
    finally:
        dist.destroy_process_group()


def _agree(store: Any, rank: int, size: int) -> str:
    """Return a word that the ranks of this start, and no earlier one, agree upon.

    torchrun may give processes that it starts again the store of those that died, with the addresses of these in it.
    Restarts are counted by each machine on its own, so that they cannot tell the starts apart.
    """
    mine = uuid.uuid4().hex
    if rank > 0:
        store.set(f"aerec/asks/{rank}", mine)
        store.wait([f"aerec/answer/{mine}"], _TO_GATHER)
        word: str = store.get(f"aerec/answer/{mine}").decode()
        store.set(f"aerec/knows/{word}/{rank}", "")
        return word
    until, waiting = time.monotonic() + _TO_GATHER.total_seconds(), set(range(1, size))
    while waiting:
        for other in sorted(waiting):
            if store.check([f"aerec/asks/{other}"]):  # the rank that asked may have died; then nobody reads the answer
                store.set(f"aerec/answer/{store.get(f'aerec/asks/{other}').decode()}", mine)
            if store.check([f"aerec/knows/{mine}/{other}"]):
                waiting.remove(other)
        if time.monotonic() > until:
            raise TimeoutError(f"processes {sorted(waiting)} of {size} did not come within {_TO_GATHER}; start again")
        time.sleep(0.01)
    return mine
