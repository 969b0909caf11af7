"""What happens beside the steps of a training: everything is a `Callback`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aerec.display.progress import EpochProgress

__all__ = ["Callback", "ProgressBar"]


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
    >>> model = ELSA(n_factors=4, epochs=30, progress=False).fit(load_dataset("sample"), callbacks=[LowEnough()])
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
