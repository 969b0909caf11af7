"""Training steps recorded once as CUDA graphs and replayed: on a GPU, launching a step's kernels outlasts their work.

A step of a few hundred rows is about 150 kernels of a few microseconds each. A graph needs the same shapes in the same
memory at every replay, so that a sparse batch is filled up with stored zeros; the rare one that is too large for that
is not replayed.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from aerec.network.batches import Batch
from aerec.network.products import Scratch
from aerec.network.rows import DenseRows, Rows, SparseRows
from aerec.noise import GaussianNoise
from aerec.training.trainer import EagerSteps, StepKind, Steps, Trainer

_WARM_UP = 3  # eager steps before one is recorded: libraries initialise in them
_log = logging.getLogger(__name__)


class CapturedSteps:
    """Gives recorded steps, one recording for each kind of them; see `aerec.training.trainer.StepSource`.

    It holds the memory of the recorded steps, and the rows they read: it is made for one training.
    """

    def __init__(self) -> None:
        self._recorded: dict[StepKind, tuple[tuple[Any, ...], _RecordedSteps]] = {}

    def __call__(self, trainer: Trainer, rows: Rows, kind: StepKind) -> Steps:
        """Return the steps of a pass over `rows`, recorded where that can be."""
        if not (isinstance(rows, SparseRows | DenseRows) and _can_be_recorded(trainer, rows, kind)):
            return EagerSteps(trainer, rows, kind)
        made_for = id(rows), *(parameter.data_ptr() for parameter in trainer.network.parameters())
        if kind not in self._recorded or self._recorded[kind][0] != made_for:
            self._recorded[kind] = made_for, _RecordedSteps(trainer, rows, kind)
        return self._recorded[kind][1]


class _RecordedSteps:
    """The steps of one kind, recorded for each number of rows: those of a pass differ by one at most."""

    def __init__(self, trainer: Trainer, rows: SparseRows | DenseRows, kind: StepKind) -> None:
        self._make = functools.partial(_Recorded, trainer, rows, kind)
        self._by_size: dict[int, _Recorded] = {}

    def _of_size(self, n_rows: int) -> _Recorded:
        if n_rows not in self._by_size:
            self._by_size[n_rows] = self._make(n_rows)
        return self._by_size[n_rows]

    def cost(self, chosen: Tensor, kl_weight: float) -> tuple[Tensor, Tensor]:
        """See `Steps`."""
        return self._of_size(len(chosen)).cost(chosen, kl_weight)

    def descend(self, total: Tensor, n_own: int) -> None:
        """See `Steps`."""
        self._of_size(n_own).descend(total, n_own)


class _Recorded:
    """One kind of step on a fixed number of rows: recorded at the fourth batch, then replayed.

    The first batches are filled up like those of the replays, so that as many random numbers are drawn for them: a
    resumed training draws the same random numbers as one that was not broken off.
    """

    def __init__(self, trainer: Trainer, rows: SparseRows | DenseRows, kind: StepKind, n_rows: int) -> None:
        self._trainer, self._rows, self._eager = trainer, rows, EagerSteps(trainer, rows, kind)
        self._n_values = rows.values_of_most(n_rows) if isinstance(rows, SparseRows) else 0
        self._chosen = torch.zeros(n_rows, dtype=torch.int64, device=trainer.device)
        self._kl_weight = torch.zeros((), dtype=torch.float32, device=trainer.device)
        self._scratch = Scratch()  # memory of the replays alone
        self._seen = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._results: tuple[Tensor, Tensor] | None = None
        self._replayed = False  # the step whose cost was given last

    def cost(self, chosen: Tensor, kl_weight: float) -> tuple[Tensor, Tensor]:
        """See `Steps`; a replay takes the step as well."""
        fits = self._fits(chosen)
        if fits:
            self._seen += 1
            if self._seen == _WARM_UP + 1:
                self._record()
        self._replayed = fits and self._graph is not None
        if self._replayed:
            return self._replay(chosen, kl_weight)
        batch = self._filled_up(chosen.to(self._chosen.device)) if fits else self._rows.batch(chosen)
        return self._eager.cost_of(batch, kl_weight)

    def descend(self, total: Tensor, n_own: int) -> None:
        """See `Steps`."""
        if not self._replayed:
            self._eager.descend(total, n_own)

    def _replay(self, chosen: Tensor, kl_weight: float) -> tuple[Tensor, Tensor]:
        assert self._graph is not None
        assert self._results is not None
        self._chosen.copy_(chosen, non_blocking=True)
        self._kl_weight.fill_(kl_weight)
        self._graph.replay()
        total, parts = self._results
        return total.clone(), parts  # the next replay overwrites the total, and the caller keeps it

    def _fits(self, chosen: Tensor) -> bool:
        rows = self._rows
        return not (isinstance(rows, SparseRows) and rows.n_values(chosen) > self._n_values)

    def _filled_up(self, chosen: Tensor) -> Batch:
        rows = self._rows
        return rows.padded(chosen, self._n_values) if isinstance(rows, SparseRows) else rows.batch(chosen)

    def _record(self) -> None:
        trainer, network, graph = self._trainer, self._trainer.network, torch.cuda.CUDAGraph()
        shared, network.scratch = network.scratch, self._scratch
        try:
            graph.register_generator_state(trainer.noise)
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
                batch = self._filled_up(self._chosen)
                total, parts = self._eager.cost_of(batch, self._kl_weight)
                self._eager.descend(total, batch.n_rows)
            self._graph, self._results = graph, (total.detach(), parts)
        except RuntimeError as error:
            _log.warning("the training step could not be recorded as a CUDA graph (%s): it goes on without", error)
        finally:
            network.scratch = shared
            for parameter in network.parameters():
                parameter.grad = None


def _can_be_recorded(trainer: Trainer, rows: SparseRows | DenseRows, kind: StepKind) -> bool:
    """Whether a step runs on CUDA, by itself, without asking the device anything, and does not mind stored zeros."""
    architecture = trainer.network.architecture
    noise, sparse = architecture.noise, isinstance(rows, SparseRows)
    return (
        trainer.device.type == "cuda"
        and hasattr(torch.cuda.CUDAGraph, "register_generator_state")
        and trainer.ranks is None
        and architecture.negatives is None
        and architecture.likelihood.all_entries
        and all(group.get("capturable") for group in kind.optimizer.param_groups)
        and not (sparse and isinstance(noise, GaussianNoise) and noise.entries == "all")  # it factorises WᵀW, and waits
    )


@contextlib.contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Work on a stream of its own, after what was asked of the CUDA device before, and before what comes after.

    A step can be recorded on no other, and those that are not recorded have to be where the recorded ones are.
    """
    outside, stream = torch.cuda.current_stream(device), _stream(device)
    stream.wait_stream(outside)
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        outside.wait_stream(stream)


@functools.cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
