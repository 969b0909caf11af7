"""What happens beside the steps of a training: everything is a `Callback`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from aerec.display.progress import EpochProgress
from aerec.errors import DataError, TrainingError
from aerec.holdout import Holdout
from aerec.metrics import RATING_METRICS, higher_is_better, measure_ranking, parse_metric
from aerec.training.optimizers import KeptWeights


class Callback:
    """Base of what `fit` calls while it trains; a subclass overrides what it needs.

    The progress bar, the history file, TensorBoard and MLflow, the checkpoint, early stopping and the pruning of a
    search are callbacks. What a callback raises ends the training.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import ELSA
    >>> class Costs(Callback):
    ...     seen = ()
    ...     def epoch_done(self, record, model):
    ...         self.seen += (record["epoch"],)
    >>> costs = Costs()
    >>> model = ELSA(n_factors=4, epochs=3, progress=False).fit(load_dataset("sample"), callbacks=[costs])
    >>> costs.seen
    (1, 2, 3)

    A callback that ends a training when the cost is low enough:

    >>> class LowEnough(Callback):
    ...     cost = float("inf")
    ...     def epoch_done(self, record, model):
    ...         self.cost = record["cost"]
    ...     def wants_to_stop(self):
    ...         return self.cost < 1.5
    >>> model = ELSA(n_factors=4, epochs=30, user_norm=1.0, progress=False)
    >>> model = model.fit(load_dataset("sample"), callbacks=[LowEnough()])
    >>> model.n_iter_ < 30
    True
    """

    def training_begins(self, model: Any) -> None:
        """Prepare for a training, before its first epoch."""

    def wants_to_stop(self) -> bool:
        """Say before each epoch whether the training is to end here; of several processes all have to say the same."""
        return False

    def epoch_done(self, record: Mapping[str, Any], model: Any) -> None:
        """Take note of an epoch.

        Parameters
        ----------
        record : mapping
            The row of ``history_`` of this epoch. A training that goes on from a checkpoint begins at the first epoch
            that the checkpoint does not hold.
        model : Recommender
            The model with the weights of this epoch.
        """

    def training_done(self, model: Any, finished: bool) -> None:
        """Settle when the training ends; `finished` is false where it was broken off by an error or by hand."""


class ProgressBar(Callback):
    """Shows the cost and the validation metric of each epoch: as a bar where someone is looking, and in the log.

    Parameters
    ----------
    name : str
        What is being trained.
    epochs : int
    shown : bool or int
        False for the log only; a number n for a line every n epochs, too, where there is no bar.
    metric : str, optional
        The column of the validation metric.
    """

    def __init__(self, name: str, epochs: int, shown: bool | int, metric: str | None = None) -> None:
        self._progress = EpochProgress(name, epochs, shown)
        self._columns = ["cost"] if metric is None else ["cost", metric]

    def training_begins(self, model: Any) -> None:
        """Show the bar."""
        self._progress.__enter__()

    def epoch_done(self, record: Mapping[str, Any], model: Any) -> None:
        """Move on by one epoch."""
        self._progress.epoch_done(record["epoch"], {name: record[name] for name in self._columns})

    def training_done(self, model: Any, finished: bool) -> None:
        """Take the bar away."""
        self._progress.__exit__(None, None, None)


@dataclass(frozen=True)
class Validator:
    """Measures a network between epochs; `name` is the metric's column in the history."""

    name: str
    measure: Callable[[], float]
    higher_is_better: bool

    def after(self, epoch: int) -> float:
        """Measure after `epoch`; refuse what is no finite number."""
        value = self.measure()
        if not math.isfinite(value):
            raise TrainingError(
                f"{self.name} on the validation data became {value:g} after epoch {epoch}: is there a user with a "
                "target in it? If there is, lower learning_rate"
            )
        return value


def holdout_validator(
    model: Any,
    holdout: Holdout,
    metric: str | None,
    predict: Callable[[Any, Any], NDArray[np.float32]] | None = None,
) -> Validator:
    """Measure a metric on `holdout` with the weights of the moment.

    Parameters
    ----------
    model : Recommender
        While it is trained.
    holdout : Holdout
    metric : str, optional
        By default "ndcg@100", or "rmse" where the model predicts ratings.
    predict : callable, optional
        From ids of users and items to predicted ratings, in a model that has it.

    Raises
    ------
    DataError
        If there is nothing to measure it on, or the model does not predict ratings.
    ValueError
        If the metric ranks all items.
    """
    name = metric or ("ndcg@100" if predict is None else "rmse")
    if holdout.target.n_ratings == 0:
        raise DataError(f"{name} cannot be measured: nobody in the validation data has a held-out item")
    if name not in RATING_METRICS:
        k = parse_metric(name)[1]
        if k == 0:
            raise ValueError(f"{name} ranks all items, which takes too long after every epoch; choose one with @k")

        users = model.block_of(holdout.history, True, exclude=holdout.exclude, allow_items=holdout.candidates)

        def measure_lists() -> float:
            ranking, _ = model.scorer_.rank(users, k)
            return measure_ranking(name, ranking, holdout.target, model.n_features_in_)

        return Validator(name, measure_lists, higher_is_better(name))
    if predict is None:
        raise DataError(
            f"{type(model).__name__} ranks items and does not predict ratings: validation_metric={name!r} needs "
            "a model with predict, such as AutoRec"
        )
    pairs = holdout.target.to_frame()
    return Validator(
        name,
        lambda: RATING_METRICS[name](pairs["rating"], predict(pairs["user"], pairs["item"])),
        higher_is_better(name),
    )


class BestEpoch(Callback):
    """Keeps a copy of the weights of the best epoch, and stops when better ones have not come for long.

    Parameters
    ----------
    network : Module
    metric : str
        The column of the record that is watched.
    higher_is_better : bool
    patience : int or None
        Stop after this many epochs without a better value; None for never.
    least_epochs : int, default 0
        But not before this one is over.

    Attributes
    ----------
    kept : KeptWeights
        Those of the best epoch.
    """

    def __init__(
        self, network: nn.Module, metric: str, higher_is_better: bool, patience: int | None, least_epochs: int = 0
    ) -> None:
        self.kept, self._metric, self._patience, self._least = KeptWeights(network), metric, patience, least_epochs
        self._sign = 1 if higher_is_better else -1
        self._value, self._last = -math.inf, 0

    def epoch_done(self, record: Mapping[str, Any], model: Any) -> None:
        """Take the weights where the metric is better than before."""
        self._last, value = record["epoch"], self._sign * record[self._metric]
        if not self.kept.epoch or value > self._value:
            self._value = value
            self.kept.take(self._last)

    def wants_to_stop(self) -> bool:
        """Whether patience is at its end."""
        past = self._last - self.kept.epoch
        return self._patience is not None and past >= self._patience and self._last >= self._least

    def state_dict(self) -> dict[str, Any]:
        """Return all that the coming epochs depend on; see `Trainer.state_dict`."""
        weights, epoch = (
            {f"network.{name}": value for name, value in (self.kept.weights or {}).items()},
            self.kept.epoch,
        )
        return {"epoch": epoch, "last": self._last, "value": self._value if epoch else None, **weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Raises
        ------
        ValueError
            If it does not fit the network, or contradicts itself.
        """
        prefix, own = "network.", self.kept.network.state_dict()
        device = next(iter(own.values())).device
        weights = {name[len(prefix) :]: value.to(device) for name, value in state.items() if name.startswith(prefix)}
        if weights and {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in own.items()}:
            raise ValueError("the weights of the best epoch are of another network")
        epoch, last = int(state["epoch"]), int(state["last"])
        if not 0 <= epoch <= last or bool(epoch) != bool(weights):
            raise ValueError(f"the best of {last} epochs is said to be {epoch}")
        self.kept.epoch, self.kept.weights, self._last = epoch, weights or None, last
        self._value = float(state["value"]) if epoch else -math.inf
