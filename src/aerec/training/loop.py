"""The loop over epochs: shuffled batches, Adam, KL annealing, early stopping, the best epoch restored."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from aerec.errors import TrainingError
from aerec.progress import EpochProgress
from aerec.training.callbacks import Callbacks
from aerec.training.checkpoint import Checkpoint, TrainingState
from aerec.training.lazy_adam import LazyAdam
from aerec.training.network import Network
from aerec.training.rows import Rows, shuffled
from aerec.training.watch import CostWatch, likely_cause

if TYPE_CHECKING:
    from aerec.training.distributed import Ranks

__all__ = ["Trainer", "Validator", "train"]


@dataclass(frozen=True)
class Validator:
    """Measures a network between epochs; `name` is the metric's column in the history."""

    name: str
    measure: Callable[[], float]
    higher_is_better: bool


class Trainer:
    """A network with its optimiser and its random generators: everything that the next batch depends on.

    Parameters
    ----------
    network : Network
        On `device` already.
    batch_size : int
        Rows per step.
    schedule : callable
        Factor of the learning rate by the share of the epochs that is over; see `aerec.training.schedule`.
    learning_rate, weight_decay : float
        Adam's step, and λ of the penalty λ · ½‖W‖², whose gradient is added to that of the cost.
    kl_weight : float
    kl_annealing_steps : int
        Steps over which the weight of the KL term rises from 0 to `kl_weight`, linearly.
    half : bool
        bfloat16 factors in the products of the output layer.
    device : torch.device
    seed : int
        Of the order of rows, and of the noise.

    Attributes
    ----------
    ranks : Ranks or None
        The processes that train together; None for this one alone.
    """

    def __init__(
        self,
        network: Network,
        *,
        batch_size: int,
        learning_rate: float,
        schedule: Callable[[float], float],
        weight_decay: float,
        kl_weight: float,
        kl_annealing_steps: int,
        half: bool,
        device: torch.device,
        seed: int,
    ) -> None:
        self.network = network
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.kl_weight = kl_weight
        self.kl_annealing_steps = kl_annealing_steps
        self.half = half
        self.device = device
        self.step = 0
        self.epoch = 0
        self.watch = CostWatch(device)
        self.seed = seed
        self.ranks: Ranks | None = None
        self.learning_rate, self.schedule = learning_rate, schedule
        self.optimizer = self._adam(network.weights(), network.undecayed())
        self.order = torch.Generator().manual_seed(seed)
        self.noise = torch.Generator(device=device).manual_seed(seed + 1)

    def _adam(self, decayed: list[nn.Parameter], free: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Return Adam over parameters with and without weight decay."""
        groups: list[dict[str, Any]] = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": free}]
        if self.network.architecture.negatives is not None:
            return LazyAdam(groups, lr=self.learning_rate)
        return torch.optim.Adam(groups, lr=self.learning_rate, fused=self.device.type in ("cpu", "cuda"))

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """All there are: part of what a checkpoint holds."""
        return [self.optimizer]

    def follow_schedule(self, progress: float) -> None:
        """Set the learning rate of all optimizers; `progress` is the share of the epochs that is over."""
        for optimizer in self.optimizers():
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * self.schedule(progress)

    def run_epoch(self, rows: Rows, *, with_users: bool) -> dict[str, float]:
        """Take one step per batch of all `rows` in random order; return the parts of the mean cost.

        Raises
        ------
        TrainingError
            If the cost is no longer a finite number, or has exploded; says where and why.
        """
        return self._pass(rows, self.optimizer, with_users=with_users)

    def _pass(
        self, rows: Rows, optimizer: torch.optim.Optimizer, *, with_users: bool, corrupt: bool = True
    ) -> dict[str, float]:
        """Go over all `rows` once with steps of `optimizer`; without `corrupt` on clean input."""
        n_rows, own = rows.shape[0], rows if self.ranks is None else self.ranks.part(rows)
        order = shuffled(own, self.order)
        sums = torch.zeros(3, device=self.device, dtype=torch.float64)
        chunks = self._pieces(order, n_rows)
        n_batches = len(chunks)
        for number, chosen in enumerate(chunks, start=1):
            batch = own.batch(chosen)
            self._drop_gradients()
            users = batch.row_numbers if with_users else None
            cost, _ = self.network.cost(batch, users, noise_from=self.noise, corrupt=corrupt, half=self.half)
            total = cost.total(self._kl_weight_now())
            if self.watch.see(total) is not None:
                raise self._failure(rows, float(total.detach()), number, n_batches)
            total.backward()  # type: ignore[no-untyped-call]
            if self.ranks is not None:
                self.ranks.average_gradients(optimizer, len(chosen))
            optimizer.step()
            self.step += 1
            sums += torch.stack([cost.likelihood, cost.sparsity, cost.kl]).detach() * len(chosen)
        sums = sums if self.ranks is None else self.ranks.total(sums)
        likelihood, sparsity, kl = (sums / n_rows).tolist()
        decayed = self.network.weights() if self.weight_decay else []
        decay = 0.5 * self.weight_decay * sum(float(w.detach().square().sum()) for w in decayed)
        parts = {"likelihood": likelihood, "sparsity": sparsity, "kl": kl, "weight_decay": decay}
        parts["cost"] = likelihood + sparsity + self._kl_weight_now() * kl + decay
        bad = self.watch.end()
        if bad is not None or not np.isfinite(parts["cost"]):
            raise self._failure(rows, parts["cost"], bad or n_batches, n_batches)
        return parts

    def _failure(self, rows: Rows, cost: float, batch: int, n_batches: int) -> TrainingError:
        where = f"epoch {self.epoch}, batch {batch} of {n_batches}"
        cause = likely_cause(rows, self.learning_rate, fresh=self.step == 0)
        return TrainingError(f"the cost became {cost:g} in {where}: {cause}")

    def _drop_gradients(self) -> None:
        """Forget all gradients; the memory of the large ones serves the next."""
        for parameter in self.network.parameters():
            self.network.scratch.give(parameter.grad)
            parameter.grad = None

    def _pieces(self, order: Tensor, n_rows: int) -> tuple[Tensor, ...]:
        """Divide the order of the rows into steps."""
        if self.ranks is None:
            return torch.split(order, self.batch_size)
        return self.ranks.pieces(order, n_rows, self.batch_size)

    def _kl_weight_now(self) -> float:
        if self.step >= self.kl_annealing_steps:
            return self.kl_weight
        return self.kl_weight * self.step / self.kl_annealing_steps


def train(
    trainer: Trainer,
    rows: Rows,
    *,
    epochs: int,
    with_users: bool,
    validator: Validator | None,
    patience: int | None,
    progress: EpochProgress,
    on_epoch: Callable[[int, Mapping[str, float]], None] | None = None,
    callbacks: Callbacks | None = None,
    checkpoint: Checkpoint | None = None,
) -> pd.DataFrame:
    """Run up to `epochs` epochs; with a validator the weights of the best epoch are restored at the end.

    A training that fails leaves the weights of the best epoch too; without a validator, those of the last good epoch.

    Parameters
    ----------
    trainer : Trainer
    rows : Rows
    epochs : int
    with_users : bool
        Whether rows are users whose factors are learned.
    validator : Validator, optional
    patience : int, optional
        Stop after so many epochs without a better validation value; None for never.
    progress : EpochProgress
    on_epoch : callable, optional
        Given the number of each epoch, its cost and its validation metric; what it raises ends the training.
    callbacks : Callbacks, optional
        Given the record of each epoch before the checkpoint is written, so that none is missing after a resumption.
    checkpoint : Checkpoint, optional
        Written after every epoch; where there is one already, the training goes on from it.

    Returns
    -------
    pandas.DataFrame
        One row per epoch: epoch, likelihood, sparsity, kl, weight_decay, cost, the validation metric, seconds.

    Raises
    ------
    TrainingError
        If the cost or the validation metric is no longer a finite number, or the cost has exploded.
    """
    state = TrainingState() if checkpoint is None else checkpoint.restore(trainer)
    ranks = trainer.ranks
    if checkpoint is not None:
        trainer.epoch = state.epoch
    if ranks is not None:
        ranks.check_same(state.epoch, trainer.device)
        ranks.equalize(trainer)
        validator = None if validator is None else ranks.shared(validator, trainer.device)
    last_good = copy.deepcopy(trainer.network.state_dict()) if validator is None else None
    while state.epoch < epochs and not _out_of_patience(state, validator, patience):
        epoch, began = state.epoch + 1, time.perf_counter()
        trainer.follow_schedule(state.epoch / epochs)
        trainer.epoch += 1
        if ranks is not None:
            ranks.reseed(trainer)
        try:
            record: dict[str, Any] = {"epoch": epoch, **trainer.run_epoch(rows, with_users=with_users)}
            value = None if validator is None else _measured(validator, trainer.epoch)
        except TrainingError as error:
            raise _fall_back(trainer, state, last_good, error) from None
        shown = {"cost": record["cost"]}
        if validator is None:
            last_good = copy.deepcopy(trainer.network.state_dict())
        elif value is not None:
            shown[validator.name] = record[validator.name] = value
            signed = value if validator.higher_is_better else -value
            if signed > state.best_value or state.best_weights is None:
                state.best_value, state.best_epoch = signed, epoch
                state.best_weights = copy.deepcopy(trainer.network.state_dict())
        record["seconds"] = time.perf_counter() - began
        state.records.append(record)
        if callbacks is not None:
            callbacks.epoch_done(record)
        if checkpoint is not None and (ranks is None or ranks.is_first):
            checkpoint.write(trainer, state)
        progress.epoch_done(epoch, shown)
        if on_epoch is not None:
            on_epoch(epoch, shown)
    if state.best_weights is not None:
        trainer.network.load_state_dict(state.best_weights)
    return pd.DataFrame(state.records)


def _measured(validator: Validator, epoch: int) -> float:
    value = validator.measure()
    if not np.isfinite(value):
        raise TrainingError(
            f"{validator.name} on the validation data became {value:g} after epoch {epoch}: is there a user with a "
            "target in it? If there is, lower learning_rate"
        )
    return value


def _fall_back(
    trainer: Trainer, state: TrainingState, last_good: dict[str, Any] | None, error: TrainingError
) -> TrainingError:
    """Put the last good weights back; return `error` with what was kept, and the history."""
    weights = state.best_weights if state.best_weights is not None else last_good
    if weights is not None:
        trainer.network.load_state_dict(weights)
    kept = f"those of epoch {state.best_epoch or trainer.epoch - 1}"
    told = f"the last good weights, {kept}, are kept" if trainer.epoch > 1 else "nothing was learned"
    return TrainingError(f"{error}; {told}", state.records)


def _out_of_patience(state: TrainingState, validator: Validator | None, patience: int | None) -> bool:
    return validator is not None and patience is not None and state.epoch - state.best_epoch >= patience
