"""Which weights a training ends with: their average over epochs, and those of the best epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from aerec.errors import TrainingError
from aerec.training.callbacks import Callback

__all__ = ["BestEpoch", "Validator", "WeightAverage", "copy_weights"]


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
        if trained and [(one.shape, one.dtype) for one in trained] != [
            (one.shape, one.dtype) for one in self._parameters
        ]:
            raise ValueError("the averaged weights are of another network")
        if not (0 < total < float("inf") if trained else total == 0):
            raise ValueError(f"{len(trained)} averaged weights with a total of {total:g}")
        self._total = total
        self._aside = [one.to(own.device) for one, own in zip(trained, self._parameters, strict=bool(trained))]


@dataclass(frozen=True)
class Validator:
    """Measures a network between epochs; `name` is the metric's column in the history."""

    name: str
    measure: Callable[[], float]
    higher_is_better: bool

    def check(self, value: float, epoch: int) -> float:
        """Return the metric after `epoch`; refuse one that is no finite number."""
        if not math.isfinite(value):
            raise TrainingError(
                f"{self.name} on the validation data became {value:g} after epoch {epoch}: is there a user with a "
                "target in it? If there is, lower learning_rate"
            )
        return value


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

    Attributes
    ----------
    epoch : int
        The best one, 0 before there is one.
    """

    def __init__(self, network: nn.Module, metric: str, higher_is_better: bool, patience: int | None) -> None:
        self._network, self._metric, self._patience = network, metric, patience
        self._sign = 1 if higher_is_better else -1
        self.epoch, self._value, self._last = 0, -math.inf, 0
        self._weights: dict[str, Tensor] | None = None

    def epoch_done(self, record: Mapping[str, Any], model: Any) -> None:
        """Take the weights where the metric is better than before."""
        self._last, value = record["epoch"], self._sign * record[self._metric]
        if self._weights is None or value > self._value:
            self.epoch, self._value = self._last, value
            self._weights = copy_weights(self._network, self._weights)

    def wants_to_stop(self) -> bool:
        """Whether patience is at its end."""
        return self._patience is not None and self._last - self.epoch >= self._patience

    def put_back(self) -> bool:
        """Give the network the weights of the best epoch; return whether there are any."""
        if self._weights is not None:
            self._network.load_state_dict(self._weights)
        return self._weights is not None

    def state_dict(self) -> dict[str, Any]:
        """Return all that the coming epochs depend on; see `Trainer.state_dict`."""
        weights = {f"network.{name}": value for name, value in (self._weights or {}).items()}
        return {"epoch": self.epoch, "last": self._last, "value": self._value if self.epoch else None, **weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Raises
        ------
        ValueError
            If it does not fit the network, or contradicts itself.
        """
        prefix, own = "network.", self._network.state_dict()
        device = next(iter(own.values())).device
        weights = {name[len(prefix) :]: value.to(device) for name, value in state.items() if name.startswith(prefix)}
        if weights and {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in own.items()}:
            raise ValueError("the weights of the best epoch are of another network")
        epoch, last = int(state["epoch"]), int(state["last"])
        if not 0 <= epoch <= last or bool(epoch) != bool(weights):
            raise ValueError(f"the best of {last} epochs is said to be {epoch}")
        self.epoch, self._last, self._weights = epoch, last, weights or None
        self._value = float(state["value"]) if epoch else -math.inf


@torch.no_grad()
def copy_weights(network: nn.Module, former: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Return a copy of all weights, in the memory of the `former` one where there is one."""
    if former is None:
        return {name: value.clone() for name, value in network.state_dict().items()}
    for name, value in network.state_dict().items():
        former[name].copy_(value)
    return former
