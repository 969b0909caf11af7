"""The trainer: shuffled batches, the gradient of their cost, the optimizer, KL annealing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from aerec.errors import DataError, TrainingError
from aerec.network.batches import Batch
from aerec.network.network import Network
from aerec.network.rows import DenseRows, Rows, shuffled
from aerec.training.optimizers import NativeAdam, OptimizerChoice, WeightAverage, check_state, make_optimizer

if TYPE_CHECKING:
    from aerec.training.distributed import Ranks

_EXPLODED = 1e6  # A cost has exploded beyond this many times that of the first batch
_LARGE = 20.0  # values beyond it are neither ratings nor standardised


@dataclass(frozen=True)
class StepOptions:
    """What a training may change from one epoch to the next.

    Parameters
    ----------
    batch_size : int
        Rows per step; the last of an epoch may have fewer.
    learning_rate : float
        Of the optimizer.
    schedule : callable
        Factor of the learning rate by the share of the epochs that is over; see `aerec.training.optimizers.SCHEDULES`.
    weight_decay : float
        λ of the penalty λ · ½‖W‖², whose gradient is added to that of the cost.
    kl_weight : float
    kl_annealing_steps : int
        Steps over which the weight of the KL term rises from 0 to `kl_weight`, linearly.
    ema_decay : float, default 0.0
        Of the average of the weights over epochs; see `WeightAverage`.
    """

    batch_size: int
    learning_rate: float
    schedule: Callable[[float], float]
    weight_decay: float
    kl_weight: float
    kl_annealing_steps: int
    ema_decay: float = 0.0


@dataclass(frozen=True)
class StepKind:
    """What the steps of one pass have in common: whose they are, and whether they corrupt the input."""

    optimizer: torch.optim.Optimizer
    corrupt: bool = True


class Steps(Protocol):
    """The steps of a pass over some rows."""

    def cost(self, chosen: Tensor, kl_weight: float) -> tuple[Tensor, Tensor]:
        """Return the cost of the rows with the numbers `chosen`, which are on the processor: its total and its parts.

        The parts are one tensor: likelihood, sparsity, KL without its weight.
        """

    def descend(self, total: Tensor, n_own: int) -> None:
        """Take the step that the `total` cost of `n_own` rows asks for."""


StepSource: TypeAlias = Callable[["Trainer", Rows, StepKind], Steps]
"""Gives the steps of a pass: `EagerSteps`, or recorded ones (`aerec.training.cuda_graphs`)."""


@dataclass(frozen=True)
class EagerSteps:
    """Steps that are computed one after the other."""

    trainer: Trainer
    rows: Rows
    kind: StepKind

    def cost(self, chosen: Tensor, kl_weight: float) -> tuple[Tensor, Tensor]:
        """See `Steps`."""
        return self.cost_of(self.rows.batch(chosen), kl_weight)

    def cost_of(self, batch: Batch, kl_weight: float | Tensor) -> tuple[Tensor, Tensor]:
        """Return the cost of a batch; see `Steps`.

        Gradients of earlier batches are forgotten; the memory of the large ones serves the next.
        """
        trainer, network, optimizer = self.trainer, self.trainer.network, self.kind.optimizer
        scratch = network.scratch
        for parameter in network.parameters():
            scratch.give(parameter.grad)
            parameter.grad = None
        if isinstance(optimizer, NativeAdam):
            optimizer.deferred.forget()
            if trainer.ranks is None:  # ranks add up gradients that are there
                scratch.deferred = optimizer.deferred
        users = batch.row_numbers if network.user_factors is not None else None
        try:
            cost, _ = network.cost(batch, users, noise_from=trainer.noise, corrupt=self.kind.corrupt, half=trainer.half)
        finally:
            scratch.deferred = None
        return cost.total(kl_weight), torch.stack([cost.likelihood, cost.sparsity, cost.kl]).detach()

    def descend(self, total: Tensor, n_own: int) -> None:
        """See `Steps`."""
        total.backward()  # type: ignore[no-untyped-call]
        if self.trainer.ranks is not None:
            self.trainer.ranks.average_gradients(self.kind.optimizer, n_own)
        self.kind.optimizer.step()


class Trainer:
    """A network with its optimiser and its random generators: everything that the next batch depends on.

    Parameters
    ----------
    network : Network
        On `device` already.
    options : StepOptions
        `follow` changes them.
    device : torch.device
    seed : int
        Of the order of rows, and of the noise.
    half : bool, default False
        bfloat16 factors in the products of the output layer.
    optimizer : str or class, default "adam"
        See `aerec.training.optimizers.make_optimizer`.
    divides_rows : bool, default True
        Whether several processes, where there are, divide the rows among them.

    Raises
    ------
    DataError
        If several processes train a network that samples items.

    Attributes
    ----------
    epoch, step : int
        How many have begun, and how many were taken.
    ranks : Ranks or None
        The processes that train together; None for this one alone.
    optimizers : list of Optimizer
        Part of what a checkpoint holds.
    average : WeightAverage
        Of all weights that are trained, over epochs.
    """

    def __init__(
        self,
        network: Network,
        options: StepOptions,
        *,
        device: torch.device,
        seed: int,
        half: bool = False,
        optimizer: OptimizerChoice = "adam",
        divides_rows: bool = True,
    ) -> None:
        self.network, self.options, self.device, self.seed = network, options, device, seed
        self.half = half
        self.epoch = self.step = 0
        self.ranks = _ranks_for(network) if divides_rows else None
        self.watch, self._sees_every_cost = CostWatch(), device.type == "cpu"  # a device would wait at each
        self._when_good: Callable[[], None] | None = None
        self.optimizers = [
            make_optimizer(
                optimizer,
                *parameters,
                learning_rate=options.learning_rate,
                weight_decay=options.weight_decay,
                device=device,
                lazy=network.architecture.negatives is not None,
            )
            for parameters in self._trained()
        ]
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        self.average = WeightAverage([weight for group in groups for weight in group["params"]], options.ema_decay)
        self.order = torch.Generator().manual_seed(seed)
        self.noise = torch.Generator(device=device).manual_seed(seed + 1)

    def _trained(self) -> list[tuple[list[nn.Parameter], list[nn.Parameter]]]:
        """Return what each optimizer takes: the parameters with weight decay, and those without."""
        decayed = self.network.weights()
        free = [parameter for parameter in self.network.parameters() if all(parameter is not w for w in decayed)]
        return [(decayed, free)]

    # ------------------------------------------------------------------ an epoch

    def begin_epoch(self, progress: float, when_good: Callable[[], None] | None = None) -> None:
        """Count an epoch and set the learning rate.

        Parameters
        ----------
        progress : float
            The share of the epochs that is over.
        when_good : callable, optional
            Called when the cost of the first batch was found to be good, before its step is taken; on a device that is
            not asked for every cost, before the batch.
        """
        self.epoch += 1
        self.average.swap()
        if self._sees_every_cost:
            self._when_good = when_good
        elif when_good is not None:
            when_good()
        if self.ranks is not None:
            for name, generator in (("order", self.order), ("noise", self.noise)):
                generator.manual_seed(self.ranks.seed(name, self.seed, self.step))
        rate = self.options.learning_rate * self.options.schedule(progress)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"].fill_(rate) if isinstance(group["lr"], Tensor) else rate

    def run_epoch(self, rows: Rows, source: StepSource = EagerSteps, kind: StepKind | None = None) -> dict[str, float]:
        """Take one step per batch of all `rows` in random order; return the parts of the mean cost.

        Parameters
        ----------
        rows : Rows
        source : StepSource, default EagerSteps
        kind : StepKind, optional
            By default steps of the first of the `optimizers`, with noise.

        Raises
        ------
        TrainingError
            If the cost is no longer a finite number, or has exploded; says where and why.
        """
        n_rows, own = rows.shape[0], rows if self.ranks is None else self.ranks.part(rows)
        pieces = self._pieces(shuffled(own, self.order), n_rows)
        sums = torch.zeros(3, device=self.device, dtype=torch.float64)
        weighted_kl = torch.zeros((), device=self.device, dtype=torch.float64)  # each batch with its own weight
        steps, n_annealed = source(self, own, kind or StepKind(self.optimizers[0])), self.options.kl_annealing_steps
        annealed, costs = self.step < n_annealed, list[Tensor]()
        for number, chosen in enumerate(pieces, start=1):
            kl_weight = self.options.kl_weight
            if self.step < n_annealed:
                kl_weight = kl_weight * self.step / n_annealed
            total, parts = steps.cost(chosen, kl_weight)
            if not self._sees_every_cost:
                costs.append(total.detach())
            elif self.watch.first_bad([float(total.detach())]):
                raise self._failure(rows, float(total.detach()), number, len(pieces))
            if self._when_good is not None:
                self._when_good()
                self._when_good = None
            steps.descend(total, len(chosen))
            self.step += 1
            sums += parts * len(chosen)
            if annealed:
                weighted_kl += parts[2] * (kl_weight * len(chosen))
        if self.ranks is not None:
            sums, weighted_kl = self.ranks.total(sums), self.ranks.total(weighted_kl)
        likelihood, sparsity, kl = (sums / n_rows).tolist()
        decayed = self.network.weights() if self.options.weight_decay else []
        decay = 0.5 * self.options.weight_decay * sum(float(w.detach().square().sum()) for w in decayed)
        record = {"likelihood": likelihood, "sparsity": sparsity, "kl": kl, "weight_decay": decay}
        kl_cost = float(weighted_kl) / n_rows if annealed else self.options.kl_weight * kl
        record["cost"] = likelihood + sparsity + kl_cost + decay
        bad = self.watch.first_bad(torch.stack(costs).tolist() if costs else [])
        if bad or not np.isfinite(record["cost"]):
            raise self._failure(rows, record["cost"], bad or len(pieces), len(pieces))
        return record

    def _pieces(self, order: Tensor, n_rows: int) -> tuple[Tensor, ...]:
        """Divide the order of the rows into steps, evenly: the gradient of a small rest would count as much."""
        if self.ranks is None:
            return order.tensor_split(-(-n_rows // self.options.batch_size))
        return self.ranks.pieces(order, n_rows, self.options.batch_size)

    def _failure(self, rows: Rows, cost: float, batch: int, n_batches: int) -> TrainingError:
        where = f"epoch {self.epoch}, batch {batch} of {n_batches}"
        cause = likely_cause(rows, self.options.learning_rate, fresh=self.step == 0)
        return TrainingError(f"the cost became {cost:g} in {where}: {cause}")

    # ------------------------------------------------------------------ between trainings

    def follow(self, options: StepOptions) -> None:
        """Take other options from the next step on; moments, steps and random generators stay."""
        self.options, self.average.decay = options, options.ema_decay
        if not options.ema_decay:
            self.average.forget()
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["weight_decay"] = options.weight_decay

    def release(self) -> None:
        """Give back the memory that only steps need: gradients, and what one step leaves to the next."""
        for parameter in self.network.parameters():
            parameter.grad = None
        self.network.scratch.clear()
        for optimizer in self.optimizers:
            if isinstance(optimizer, NativeAdam):
                optimizer.deferred.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next batch depends on, as numbers and tensors under flat names."""
        state: dict[str, Any] = {"epoch": self.epoch, "step": self.step}
        state |= {"order": self.order.get_state(), "noise": self.noise.get_state()}
        state |= {f"network.{name}": value for name, value in self.network.state_dict().items()}
        state |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for number, optimizer in enumerate(self.optimizers):
            for at, values in optimizer.state_dict()["state"].items():
                state |= {f"optimizer.{number}.{at}.{name}": value for name, value in values.items()}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Raises
        ------
        KeyError, ValueError, RuntimeError
            If it does not fit the network or the optimizers.
        """
        epoch, step = int(state["epoch"]), int(state["step"])
        if min(epoch, step) < 0:
            raise ValueError(f"it has taken {step} steps in {epoch} epochs")
        self.network.load_state_dict(_part(state, "network."))
        self.average.load_state_dict(_part(state, "average."))
        for number, optimizer in enumerate(self.optimizers):
            values: dict[int, dict[str, Tensor]] = {}
            for name, value in _part(state, f"optimizer.{number}.").items():
                at, _, key = name.partition(".")
                values.setdefault(int(at), {})[key] = value.to(self.device) if isinstance(value, Tensor) else value
            check_state(optimizer, values)
            optimizer.load_state_dict({**optimizer.state_dict(), "state": values})
        self.order.set_state(state["order"])
        self.noise.set_state(state["noise"])
        self.epoch, self.step = epoch, step


def _ranks_for(network: Network) -> Ranks | None:
    """Return the processes that train the network together; None where this one is alone."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return None
    from aerec.training.distributed import current_ranks

    if network.architecture.negatives is not None:
        raise DataError("negatives= is for one process: set negatives=None, or train without torchrun")
    return current_ranks()


def _part(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The entries whose names begin with `prefix`, without it."""
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


class CostWatch:
    """Finds costs that end a training: NaN, infinite, or a million times that of the first batch."""

    first: float | None = None

    def first_bad(self, costs: Iterable[float]) -> int | None:
        """Return the number, from 1, of the first bad one of the `costs` of the next batches; None where all are good.

        On the CPU the trainer asks at each batch, before its step is taken; elsewhere, where looking at every cost
        would make the device wait, at the end of the pass.
        """
        for number, cost in enumerate(costs, start=1):
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
        cure = (
            "standardise the columns (sklearn's StandardScaler), clip what is then still far out"
            if isinstance(rows, DenseRows)
            else "the ratings are not scaled; divide them, or binarize them"
        )
        return f"values go up to {largest:g}: {cure}, or lower learning_rate={learning_rate:g}"
    if fresh:
        return "the weights were no finite numbers before it began: fit anew"
    return f"lower learning_rate={learning_rate:g}, to {learning_rate / 10:g} say"
