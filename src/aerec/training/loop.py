"""The loop over epochs: validation, early stopping, the best epoch restored, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from aerec.display.progress import EpochProgress
from aerec.errors import TrainingError
from aerec.network.rows import Rows
from aerec.training.callbacks import Callbacks
from aerec.training.checkpoint import Checkpoint, TrainingState
from aerec.training.trainer import Trainer

__all__ = ["Validator", "train"]


@dataclass(frozen=True)
class Validator:
    """Measures a network between epochs; `name` is the metric's column in the history."""

    name: str
    measure: Callable[[], float]
    higher_is_better: bool


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
    learned: Callable[[], None] | None = None,
) -> pd.DataFrame:
    """Run up to `epochs` epochs; with a validator the weights of the best epoch are restored at the end.

    A training that fails leaves the weights of the best epoch too; without a validator, those of the last epoch whose
    cost was seen to be good: by the first batch after it.

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
    learned : callable, optional
        Called as soon as there is an epoch to show for the training, here or in the checkpoint.

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
    kept = _Kept(trainer, learned or (lambda: None))
    if state.epoch:
        kept.learned()
    while state.epoch < epochs and not _out_of_patience(state, validator, patience):
        epoch, began = state.epoch + 1, time.perf_counter()
        trainer.follow_schedule(state.epoch / epochs)
        trainer.epoch += 1
        if ranks is not None:
            ranks.reseed(trainer)
        trainer.on_good_cost = kept.copy if validator is None else None
        try:
            record: dict[str, Any] = {"epoch": epoch, **trainer.run_epoch(rows, with_users=with_users)}
            value = None if validator is None else _measured(validator, trainer.epoch)
        except TrainingError as error:
            raise kept.fall_back(state, error) from None
        finally:
            trainer.on_good_cost = None
        shown = {"cost": record["cost"]}
        if validator is not None and value is not None:
            shown[validator.name] = record[validator.name] = value
            signed = value if validator.higher_is_better else -value
            if signed > state.best_value or state.best_weights is None:
                state.best_value, state.best_epoch = signed, epoch
                state.best_weights = _copied(trainer.network, state.best_weights)
        record["seconds"] = time.perf_counter() - began
        state.records.append(record)
        if validator is not None:
            kept.learned()
        if callbacks is not None:
            callbacks.epoch_done(record)
        if checkpoint is not None and (ranks is None or ranks.is_first):
            checkpoint.write(trainer, state)
        progress.epoch_done(epoch, shown)
        if on_epoch is not None:
            on_epoch(epoch, shown)
    kept.learned()
    trainer.captured.forget()
    if state.best_weights is not None:
        trainer.network.load_state_dict(state.best_weights)
    return pd.DataFrame(state.records)


class _Kept:
    """The weights that are put back where a training without validation fails.

    Parameters
    ----------
    trainer : Trainer
    learned : callable
        Called when there are some that have been through an epoch.
    """

    def __init__(self, trainer: Trainer, learned: Callable[[], None]) -> None:
        self.learned = learned
        self._trainer, self._begins = trainer, trainer.epoch
        self._weights: dict[str, Tensor] | None = None
        self._epoch = trainer.epoch  # that they are of

    def copy(self) -> None:
        """Take a copy: the first batch of an epoch has shown that those of the epoch before are good."""
        self._weights, self._epoch = _copied(self._trainer.network, self._weights), self._trainer.epoch - 1
        if self._epoch > self._begins:
            self.learned()

    def fall_back(self, state: TrainingState, error: TrainingError) -> TrainingError:
        """Put the best or the last good weights back; return `error` with what was kept, and the history."""
        weights = self._weights if state.best_weights is None else state.best_weights
        if weights is not None:
            self._trainer.network.load_state_dict(weights)
        epoch = state.best_epoch or self._epoch
        if epoch == 0:
            return TrainingError(f"{error}; nothing was learned")
        if weights is None:
            return TrainingError(f"{error}; the weights were bad already before this call: fit anew", state.records)
        return TrainingError(f"{error}; the last good weights, those of epoch {epoch}, are kept", state.records)


@torch.no_grad()
def _copied(network: nn.Module, former: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Return a copy of all weights, in the memory of the `former` one where there is one."""
    if former is None:
        return {name: value.clone() for name, value in network.state_dict().items()}
    for name, value in network.state_dict().items():
        former[name].copy_(value)
    return former


def _measured(validator: Validator, epoch: int) -> float:
    value = validator.measure()
    if not np.isfinite(value):
        raise TrainingError(
            f"{validator.name} on the validation data became {value:g} after epoch {epoch}: is there a user with a "
            "target in it? If there is, lower learning_rate"
        )
    return value


def _out_of_patience(state: TrainingState, validator: Validator | None, patience: int | None) -> bool:
    return validator is not None and patience is not None and state.epoch - state.best_epoch >= patience
