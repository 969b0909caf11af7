"""The loop over epochs."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch

from aerec.errors import DataError, TrainingError
from aerec.network.rows import Rows
from aerec.training.callbacks import BestEpoch, Callback, ProgressBar, Validator
from aerec.training.checkpoint import Checkpoint
from aerec.training.cuda_graphs import CapturedSteps, own_stream
from aerec.training.optimizers import KeptWeights
from aerec.training.trainer import EagerSteps, StepSource, Trainer

_log = logging.getLogger("aerec")


class Training:
    """A network that is trained in epochs: what takes its steps, and the record of each epoch so far.

    A model makes one when it is fitted, and keeps it, so that `partial_fit` goes on where the last epoch ended.

    Parameters
    ----------
    trainer : Trainer
        Of the network, on its device.
    records : list of dict, optional
        Of the epochs that the network has had before, by another training; they are added to in place.
    n_steps : int, default 0
        That were taken in them.

    Attributes
    ----------
    records : list of dict
        One for each epoch: epoch, likelihood, sparsity, kl, weight_decay, cost, the validation metric, seconds.
    """

    def __init__(self, trainer: Trainer, records: list[dict[str, Any]] | None = None, n_steps: int = 0) -> None:
        self.trainer, self.records = trainer, [] if records is None else records
        trainer.epoch, trainer.step = len(self.records), n_steps
        if trainer.divides_rows and torch.distributed.is_available() and torch.distributed.is_initialized():
            from aerec.training.distributed import current_ranks

            if trainer.network.architecture.negatives is not None:
                raise DataError("negatives= is for one process: set negatives=None, or train without torchrun")
            trainer.ranks = current_ranks()

    def run(
        self,
        rows: Rows,
        epochs: int,
        *,
        model: Any = None,
        validator: Validator | None = None,
        patience: int | None = None,
        least_epochs: int = 0,
        checkpoint: Checkpoint | None = None,
        callbacks: Iterable[Callback] = (),
        progress: bool | int = False,
    ) -> int | None:
        """Train for up to `epochs` more epochs; the network ends with the weights of the best, or else of the last one.

        A training that fails leaves the weights of the best epoch too; without a validator, those of the last epoch
        whose cost was seen to be good: by the first batch after it.

        Parameters
        ----------
        rows : Rows
        epochs : int
            Those that the checkpoint holds included.
        model : Recommender, optional
            What callbacks are told of.
        validator : Validator, optional
            Measures the network after every epoch.
        patience : int, optional
            Epochs without a better measure after which the training ends.
        least_epochs : int, default 0
            Patience ends none before these.
        checkpoint : Checkpoint, optional
            The training goes on from there, and is kept there.
        callbacks : iterable of Callback
        progress : bool or int, default False
            As of `ProgressBar`.

        Returns
        -------
        int or None
            The best epoch, where there is a validator.

        Raises
        ------
        TrainingError
            If the cost or the validation metric is no longer a finite number, or the cost has exploded.
        TypeError
            If one of the callbacks is none.
        """
        trainer, records, callbacks = self.trainer, list[dict[str, Any]](), [*callbacks]
        for callback in callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"a callback is an aerec.training.callbacks.Callback, got {callback!r}")
        best = None
        if validator is not None:
            best = BestEpoch(trainer.network, validator.name, validator.higher_is_better, patience, least_epochs)
            callbacks.insert(0, best)
        if checkpoint is not None:
            records = checkpoint.restore(epochs, {"trainer": trainer, **({} if best is None else {"best": best})})
            callbacks.append(checkpoint)
        if progress or _log.isEnabledFor(logging.INFO):
            callbacks.append(ProgressBar(type(model).__name__, epochs, progress, validator.name if validator else None))
        on_gpu = trainer.device.type == "cuda"
        steps: StepSource = CapturedSteps() if on_gpu else EagerSteps
        good = KeptWeights(trainer.network, trainer.epoch) if best is None else best.kept
        with _around(callbacks, model):
            if trainer.ranks is not None:
                trainer.ranks.begin_together(trainer.network, len(records), trainer.device)
                if validator is not None:  # one of them measures for all
                    validator = replace(validator, measure=trainer.ranks.shared(validator.measure, trainer.device))
            while len(records) < epochs and not any(callback.wants_to_stop() for callback in callbacks):
                began = time.perf_counter()
                # the first batch of an epoch shows whether the weights of the epoch before are good
                when_good = None if best is not None else functools.partial(good.take, trainer.epoch)
                trainer.begin_epoch(len(records) / epochs, when_good)
                try:
                    with own_stream(trainer.device) if on_gpu else nullcontext():
                        record = {"epoch": len(records) + 1, **trainer.run_epoch(rows, steps)}
                    if trainer.average is not None:
                        trainer.average.end_epoch()
                    if validator is not None:
                        record[validator.name] = validator.check(validator.measure(), trainer.epoch)
                except TrainingError as error:
                    raise self._failure(error, records, good) from None
                records.append({**record, "seconds": time.perf_counter() - began})
                for callback in callbacks:
                    callback.epoch_done(records[-1], model)
        if best is not None:
            self._put_back(good)
        self._remember(records)
        return None if best is None else good.epoch

    def _remember(self, records: Iterable[dict[str, Any]]) -> None:
        done = len(self.records)
        self.records += [{**record, "epoch": done + record["epoch"]} for record in records]

    def _put_back(self, good: KeptWeights) -> bool:
        """Give the network the weights that were kept; an average of later ones ends there."""
        if self.trainer.average is not None:
            self.trainer.average.forget()
        return good.put_back()

    def _failure(self, error: TrainingError, records: list[dict[str, Any]], good: KeptWeights) -> TrainingError:
        """Put the best or the last good weights back; return `error` with what was kept, and the history."""
        restored = self._put_back(good)
        if good.epoch == 0:
            return TrainingError(f"{error}; nothing was learned")
        self._remember(records)
        if not restored:
            return TrainingError(f"{error}; the weights were bad already before this call: fit anew", records)
        return TrainingError(f"{error}; the last good weights, those of epoch {good.epoch}, are kept", records)


@contextmanager
def _around(callbacks: Sequence[Callback], model: Any) -> Iterator[None]:
    """Tell callbacks when a training begins and how it ended: each of them, even where another one fails."""
    finished = False

    def end(callback: Callback) -> None:
        callback.training_done(model, finished)

    with ExitStack() as stack:
        for callback in reversed(callbacks):
            stack.callback(end, callback)
        for callback in callbacks:
            callback.training_begins(model)
        yield
        finished = True
