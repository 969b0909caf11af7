"""An exponential average of the weights, taken once an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["WeightAverage"]


class WeightAverage:
    r"""Averages weights over epochs: what is validated, kept and used is less noisy than the weights of one epoch.

    .. math:: \bar w_t = \frac{\sum_{s \le t} d^{\,t-s} w_s}{\sum_{s \le t} d^{\,t-s}}

    Between epochs the parameters hold the average; while an epoch runs they hold the weights that are trained.

    Parameters
    ----------
    parameters : sequence of Tensor
        What is trained.
    decay : float
        d, from 0 (no average) to less than 1.
    """

    def __init__(self, parameters: Sequence[Tensor], decay: float) -> None:
        self.decay = decay
        self._parameters = list(parameters)
        self.forget()

    def forget(self) -> None:
        """Begin a new average with the weights of the moment."""
        self._aside: list[Tensor] = []  # the average while an epoch runs, the trained weights between epochs
        self._total = 0.0

    @torch.no_grad()
    def begin_epoch(self) -> None:
        """Put back the weights that are trained."""
        if self.decay == 0:
            self.forget()
        self._swap()

    @torch.no_grad()
    def end_epoch(self) -> None:
        """Take the weights into the average, and put the average in their place."""
        if self.decay == 0:
            return
        if not self._aside:
            self._aside = [parameter.detach().clone() for parameter in self._parameters]
        self._total = 1 + self.decay * self._total
        for average, parameter in zip(self._aside, self._parameters, strict=True):
            average.lerp_(parameter, 1 / self._total)
        self._swap()

    def _swap(self) -> None:
        for aside, parameter in zip(self._aside, self._parameters, strict=bool(self._aside)):
            held = parameter.detach().clone()
            parameter.copy_(aside)
            aside.copy_(held)

    def state_dict(self) -> dict[str, Any]:
        """Return what the next epoch depends on; to be called between epochs."""
        return {"total": self._total, **{f"trained.{at}": aside for at, aside in enumerate(self._aside)}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Raises
        ------
        ValueError
            If it is of other parameters.
        """
        total = float(state["total"])
        trained = [state[f"trained.{at}"] for at in range(len(state) - 1)]
        if trained and [one.shape for one in trained] != [one.shape for one in self._parameters]:
            raise ValueError("the averaged weights are of another network")
        if not (0 < total < float("inf") if trained else total == 0):
            raise ValueError(f"{len(trained)} averaged weights with a total of {total:g}")
        self._total = total
        self._aside = [one.to(own.device) for one, own in zip(trained, self._parameters, strict=bool(trained))]
