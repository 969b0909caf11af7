"""The loop over epochs."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.errors import TrainingError
from aerec.network.device import torch_threads_for
from aerec.network.rows import Rows
from aerec.training.callbacks import BestEpoch, Callback, ProgressBar, Validator
from aerec.training.checkpoint import Checkpoint
from aerec.training.cuda_graphs import CapturedSteps, own_stream
from aerec.training.optimizers import KeptWeights
from aerec.training.trainer import EagerSteps, StepSource, Trainer

_log = logging.getLogger("aerec")

_STEPS_AN_EPOCH, _BATCH_SIZES = 30, (32, 500)  # batch_size="auto" takes so many steps, within these sizes
_GROWTH, _GROWN = 0.29, (1.0, 2.8)  # for epochs="auto": a power of the millions of cells, and its range
_BY_ITEM, _AN_ITEM = -0.08, 20.0  # likewise: a power of the mean ratings of an item, over so many
_RATINGS = 1e5  # and one of all ratings over so many, in the same range
_FEWEST_STEPS = 10  # of an epoch that counts as one there
_DENSE_STEPS, _DENSE_EPOCHS = 3000, 1000  # of dense rows, and the most passes for them
_MOST_PASSES = 4.0  # times as many epochs at most, where they have fewer steps: rows are learned by heart pass by pass


def automatic_batch_size(n_rows: int, steps: int = _STEPS_AN_EPOCH, most: int = _BATCH_SIZES[1]) -> int:
    """Return a batch size that suits so many rows, with so many steps an epoch."""
    return min(max(n_rows // steps, _BATCH_SIZES[0]), most)


def automatic_epochs(of_a_million: float, shape: tuple[int, int], batch_size: int) -> int:
    """Return about as many epochs as lead to the best lists, given those for a million cells in 30 steps an epoch."""
    growth = min(max(float((shape[0] * shape[1] / 1e6) ** _GROWTH), _GROWN[0]), _GROWN[1])
    return epochs_of_usual_steps(of_a_million * growth, shape[0], batch_size)


def epochs_of_usual_steps(epochs: float, n_rows: int, batch_size: int) -> int:
    """Return as many epochs of 30 steps, and up to four times as many where they have fewer."""
    return min(epochs_of_steps(epochs, _STEPS_AN_EPOCH, n_rows, batch_size), round(_MOST_PASSES * epochs))


def epochs_by_ratings(usual: tuple[float, float], counts: NDArray[np.int64], n_rows: int, batch_size: int) -> int:
    """Return about as many epochs as lead to the best lists, given the ratings of each item.

    `usual` is the number for 20 ratings an item and 100,000 in all or fewer, and the power with which more prolong it.
    Passes over the rows count, not their steps, from 10 steps a pass on. What items have in common shows sooner where
    they have many ratings; many ratings are learned by heart later.
    """
    n_ratings, n_rated = max(int(counts.sum()), 1), max(int(np.count_nonzero(counts)), 1)
    sooner = (n_ratings / n_rated / _AN_ITEM) ** _BY_ITEM
    longer = min(max((n_ratings / _RATINGS) ** usual[1], _GROWN[0]), _GROWN[1])
    epochs = float(usual[0] * sooner * longer)
    return min(epochs_of_steps(epochs, _FEWEST_STEPS, n_rows, batch_size), round(_MOST_PASSES * epochs))


def epochs_of_dense_rows(n_rows: int, batch_size: int) -> int:
    """Return as many epochs as Adam needs for rows without gaps, which a narrow code does not learn by heart."""
    return min(_DENSE_EPOCHS, epochs_of_steps(1.0, _DENSE_STEPS, n_rows, batch_size))


def epochs_of_steps(epochs: float, steps: int, n_rows: int, batch_size: int) -> int:
    """Return as many epochs, and more where they have fewer steps than `steps`."""
    return max(1, round(epochs * max(1.0, steps / -(-n_rows // batch_size))))


def train(
    trainer: Trainer,
    rows: Rows,
    epochs: int,
    records: list[dict[str, Any]],
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
    trainer : Trainer
        Of the network, on its device. A model keeps it, so that another call goes on where the last epoch ended.
    rows : Rows
    epochs : int
        Those that the checkpoint holds included.
    records : list of dict
        Of the epochs that the network has had before; those of these are added, each with the keys epoch, likelihood,
        sparsity, kl, weight_decay, cost, the validation metric, seconds.
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
    done, callbacks = list[dict[str, Any]](), [*callbacks]
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise TypeError(f"a callback is an aerec.training.callbacks.Callback, got {callback!r}")
    best = None
    if validator is not None:
        best = BestEpoch(trainer.network, validator.name, validator.higher_is_better, patience, least_epochs)
        callbacks.insert(0, best)
    if checkpoint is not None:
        done = checkpoint.restore(epochs, {"trainer": trainer, **({} if best is None else {"best": best})})
        callbacks.append(checkpoint)
    if progress or _log.isEnabledFor(logging.INFO):
        callbacks.append(ProgressBar(type(model).__name__, epochs, progress, validator.name if validator else None))
    on_gpu = trainer.device.type == "cuda"
    steps: StepSource = CapturedSteps() if on_gpu else EagerSteps
    good = KeptWeights(trainer.network, trainer.epoch) if best is None else best.kept
    sizes = [weight.numel() for weight in trainer.network.weights()]  # about the multiply-adds of a row
    work = min(rows.shape[0], trainer.options.batch_size) * sum(sizes) // max(len(sizes), 1)
    with _around(callbacks, model):
        if trainer.ranks is not None:
            trainer.ranks.begin_together(trainer.network, len(done), trainer.device)
            if validator is not None:  # one of them measures for all
                validator = replace(validator, measure=trainer.ranks.shared(validator.measure, trainer.device))
        while len(done) < epochs and not any(callback.wants_to_stop() for callback in callbacks):
            began = time.perf_counter()
            # the first batch of an epoch shows whether the weights of the epoch before are good
            when_good = None if best is not None else functools.partial(good.take, trainer.epoch)
            trainer.begin_epoch(len(done) / epochs, when_good)
            try:
                with torch_threads_for(work), own_stream(trainer.device) if on_gpu else nullcontext():
                    record = {"epoch": len(done) + 1, **trainer.run_epoch(rows, steps)}
                trainer.average.end_epoch()
                if validator is not None:
                    record[validator.name] = validator.after(trainer.epoch)
            except TrainingError as error:
                raise _failure(trainer, error, done, records, good) from None
            done.append({**record, "seconds": time.perf_counter() - began})
            for callback in callbacks:
                callback.epoch_done(done[-1], model)
    if best is not None:
        _put_back(trainer, good)
    _remember(records, done)
    return None if best is None else good.epoch


def _remember(records: list[dict[str, Any]], done: Iterable[dict[str, Any]]) -> None:
    before = len(records)
    records += [{**record, "epoch": before + record["epoch"]} for record in done]


def _put_back(trainer: Trainer, good: KeptWeights) -> bool:
    """Give the network the weights that were kept; an average of later ones ends there."""
    trainer.average.forget()
    return good.put_back()


def _failure(
    trainer: Trainer,
    error: TrainingError,
    done: list[dict[str, Any]],
    records: list[dict[str, Any]],
    good: KeptWeights,
) -> TrainingError:
    """Put the best or the last good weights back; return `error` with what was kept, and the history."""
    restored = _put_back(trainer, good)
    if good.epoch == 0:
        return TrainingError(f"{error}; nothing was learned")
    _remember(records, done)
    if not restored:
        return TrainingError(f"{error}; the weights were bad already before this call: fit anew", done)
    return TrainingError(f"{error}; the last good weights, those of epoch {good.epoch}, are kept", done)


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
