"""What is called while a model learns: once an epoch, and when the training is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

__all__ = ["Callback", "Callbacks"]


class Callback:
    """Base of what `fit` calls while it trains; a subclass overrides what it needs.

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
    """

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


class Callbacks:
    """Several callbacks around one training: a context that tells them how it ended.

    Parameters
    ----------
    callbacks : iterable of Callback
    model : Recommender

    Raises
    ------
    TypeError
        If one of them is no `Callback`.
    """

    def __init__(self, callbacks: Iterable[Callback], model: Any) -> None:
        self._callbacks = list(callbacks)
        self._model = model
        for one in self._callbacks:
            if not isinstance(one, Callback):
                raise TypeError(f"a callback is an aerec.training.callbacks.Callback, got {one!r}")

    def __enter__(self) -> Callbacks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._callbacks:
            one.training_done(self._model, finished=kind is None)

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """Pass on the record of an epoch."""
        for one in self._callbacks:
            one.epoch_done(record, self._model)
