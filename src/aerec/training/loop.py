"""The loop over epochs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from aerec.errors import TrainingError
from aerec.network.rows import Rows
from aerec.training.callbacks import Callbacks
from aerec.training.cuda_graphs import own_stream
from aerec.training.trainer import StepSource, Trainer
from aerec.training.weights import BestEpoch, Validator, copy_weights

__all__ = ["train"]


def train(
    trainer: Trainer,
    rows: Rows,
    *,
    epochs: int,
    steps: StepSource,
    validator: Validator | None = None,
    best: BestEpoch | None = None,
    callbacks: Callbacks | None = None,
    records: Sequence[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Run up to `epochs` epochs; the network ends with the weights of the best epoch, or of the last one.

    A training that fails leaves the weights of the best epoch too; without `best`, those of the last epoch whose cost
    was seen to be good: by the first batch after it.

    Parameters
    ----------
    trainer : Trainer
    rows : Rows
    epochs : int
        Those in `records` included.
    steps : StepSource
        How steps are taken: one by one, or recorded and replayed.
    validator : Validator, optional
        Measures the network after every epoch.
    best : BestEpoch, optional
        One of the callbacks: it knows the best weights.
    callbacks : Callbacks, optional
    records : sequence of dict
        Of the epochs that were done before, by a training that was broken off.

    Returns
    -------
    list of dict
        The record of each epoch: epoch, likelihood, sparsity, kl, weight_decay, cost, the validation metric, seconds.

    Raises
    ------
    TrainingError
        If the cost or the validation metric is no longer a finite number, or the cost has exploded.
    """
    records, callbacks = list(records), callbacks or Callbacks([])
    good = _LastGood(trainer) if best is None else best
    validator = _together(trainer, validator, len(records))
    with callbacks:
        while len(records) < epochs and not callbacks.want_to_stop():
            began = time.perf_counter()
            trainer.begin_epoch(len(records) / epochs, when_good=good.take if isinstance(good, _LastGood) else None)
            try:
                with own_stream(trainer.device):
                    record = {"epoch": len(records) + 1, **trainer.run_epoch(rows, steps)}
                trainer.average.end_epoch()
                if validator is not None:
                    record[validator.name] = validator.check(validator.measure(), trainer.epoch)
            except TrainingError as error:
                raise _failure(error, records, trainer, good) from None
            record["seconds"] = time.perf_counter() - began
            records.append(record)
            callbacks.epoch_done(record)
    if best is not None:
        best.put_back()
        trainer.average.forget()
    return records


class _LastGood:
    """The weights that are put back where a training without validation fails."""

    def __init__(self, trainer: Trainer) -> None:
        self.epoch = trainer.epoch  # the epoch of the weights
        self._trainer = trainer
        self._weights: dict[str, Tensor] | None = None

    def take(self) -> None:
        """Take a copy: the first batch of an epoch has shown that the weights of the epoch before are good."""
        self._weights, self.epoch = copy_weights(self._trainer.network, self._weights), self._trainer.epoch - 1

    def put_back(self) -> bool:
        """Give the network the copy; return whether there is one."""
        if self._weights is not None:
            self._trainer.network.load_state_dict(self._weights)
        return self._weights is not None


def _failure(
    error: TrainingError, records: list[dict[str, Any]], trainer: Trainer, good: BestEpoch | _LastGood
) -> TrainingError:
    """Put the best or the last good weights back; return `error` with what was kept, and the history."""
    restored = good.put_back()
    trainer.average.forget()
    if good.epoch == 0:
        return TrainingError(f"{error}; nothing was learned")
    if not restored:
        return TrainingError(f"{error}; the weights were bad already before this call: fit anew", records)
    return TrainingError(f"{error}; the last good weights, those of epoch {good.epoch}, are kept", records)


def _together(trainer: Trainer, validator: Validator | None, epoch: int) -> Validator | None:
    """Have all processes that train together begin alike; one of them measures for all."""
    ranks = trainer.ranks
    if ranks is None:
        return validator
    ranks.check_same(epoch, trainer.device)
    ranks.equalize(trainer.network)
    if validator is None:
        return None
    return replace(validator, measure=ranks.shared(validator.measure, trainer.device))
