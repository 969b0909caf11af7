"""Checkpoints: everything that the next batch depends on, written whole after every epoch."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aerec.errors import DataError, ModelFileError
from aerec.files.storage import read_folder, write_folder

if TYPE_CHECKING:
    from aerec.training.trainer import Trainer

__all__ = ["Checkpoint", "TrainingState"]

_KIND = "checkpoint"


@dataclass
class TrainingState:
    """Where a training stands between two epochs, beside the trainer itself.

    Attributes
    ----------
    records : list of dict
        The history, one record per epoch that is done.
    best_value : float
        Validation metric of the best epoch, negated where lower is better; −∞ before there is one.
    best_epoch : int
        Its number, 0 before there is one.
    best_weights : dict of str to Tensor, or None
        The network of that epoch.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    best_value: float = -np.inf
    best_epoch: int = 0
    best_weights: dict[str, Tensor] | None = None

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return len(self.records)


@dataclass(frozen=True)
class Checkpoint:
    """A folder with the state of one training: JSON and safetensors, replaced atomically, never pickled.

    Parameters
    ----------
    path : path-like
        Made where absent.
    fingerprint : str
        Of the data and the parameters: a training goes on from its own checkpoint only.
    """

    path: str | os.PathLike[str]
    fingerprint: str

    def write(self, trainer: Trainer, state: TrainingState) -> None:
        """Put the present state in the place of the one before."""
        tensors = {f"network.{name}": value for name, value in trainer.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in (state.best_weights or {}).items()}
        for number, optimizer in enumerate(trainer.optimizers()):
            for at, values in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{number}.{at}.{name}": value for name, value in values.items()}
        tensors |= {"order": trainer.order.get_state(), "noise": trainer.noise.get_state()}
        header = {
            "fingerprint": self.fingerprint,
            "step": trainer.step,
            "records": state.records,
            "best_epoch": state.best_epoch,
            "best_value": state.best_value if state.best_epoch else None,
        }
        write_folder(self.path, _KIND, header, {name: value.cpu().numpy() for name, value in tensors.items()})

    def restore(self, trainer: Trainer) -> TrainingState:
        """Bring `trainer` to where the checkpoint was written; a fresh state where there is none.

        Raises
        ------
        DataError
            If the checkpoint is of other data or other parameters.
        ModelFileError
            If it is damaged, altered, or of a newer format.
        """
        if not (Path(self.path) / f"{_KIND}.json").exists():
            return TrainingState()
        header, tensors = read_folder(self.path, _KIND)
        if header.get("fingerprint") != self.fingerprint:
            raise DataError(
                f"the checkpoint in {self.path} is of another training (other data or parameters): go on with those, "
                "or delete it to start anew"
            )
        try:
            return self._put_back(trainer, header, tensors)
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
            raise ModelFileError(f"the checkpoint in {self.path} does not fit ({error}); delete it") from None

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _put_back(self, trainer: Trainer, header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> TrainingState:
        device = trainer.device
        trainer.network.load_state_dict(_part(tensors, "network.", device))
        for number, optimizer in enumerate(trainer.optimizers()):
            values: dict[int, dict[str, Tensor]] = {}
            for name, value in _part(tensors, f"optimizer.{number}.", device).items():
                at, _, key = name.partition(".")
                values.setdefault(int(at), {})[key] = value
            _check_optimizer(optimizer, values)
            optimizer.load_state_dict({**optimizer.state_dict(), "state": values})
        trainer.order.set_state(torch.from_numpy(tensors["order"].copy()))
        trainer.noise.set_state(torch.from_numpy(tensors["noise"].copy()))
        trainer.step = int(header["step"])
        if trainer.step < 0:
            raise ValueError(f"it has taken {trainer.step} steps")
        best = _part(tensors, "best.", device)
        present = trainer.network.state_dict()
        if best and {name: one.shape for name, one in best.items()} != {
            name: one.shape for name, one in present.items()
        }:
            raise ValueError("the weights of the best epoch are of another network")
        records, value, best_epoch = header["records"], header["best_value"], int(header["best_epoch"])
        for number, record in enumerate(records, start=1):
            if int(record["epoch"]) != number or not np.isfinite(float(record["cost"])):
                raise ValueError(f"the history is damaged at epoch {number}")
        if not 0 <= best_epoch <= len(records) or bool(best_epoch) != bool(best):
            raise ValueError(f"the best epoch is said to be {best_epoch}")
        return TrainingState(list(records), -np.inf if value is None else float(value), best_epoch, best or None)


def _check_optimizer(optimizer: torch.optim.Optimizer, values: dict[int, dict[str, Tensor]]) -> None:
    """Refuse state that does not fit its parameter: the fused optimiser takes sizes on trust."""
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    expected = {"step", "exp_avg", "exp_avg_sq", *(["mu_product"] if isinstance(optimizer, torch.optim.NAdam) else [])}
    for at, state in values.items():
        if not 0 <= at < len(parameters) or state.keys() != expected:
            raise ValueError(f"the optimiser holds {sorted(state)} of parameter {at}")
        for name, value in state.items():
            fits = value.numel() == 1 if name in ("step", "mu_product") else value.shape == parameters[at].shape
            if not fits:
                raise ValueError(f"{name} of parameter {at} has the shape {tuple(value.shape)}")


def _part(tensors: dict[str, NDArray[Any]], prefix: str, device: torch.device) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {
        name[len(prefix) :]: torch.tensor(value, device=device)
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
