"""Checkpoints: everything that the next batch depends on, written whole after every epoch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from aerec.errors import DataError, ModelFileError
from aerec.files.storage import read_folder, write_folder
from aerec.training.callbacks import Callback

__all__ = ["Checkpoint", "Stateful"]

_KIND = "checkpoint"
_LAYOUT = 2  # of what is written; 1 had other names


class Stateful(Protocol):
    """What a checkpoint can hold: a state of numbers and tensors, under names."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back; ValueError where it does not fit."""


class Checkpoint(Callback):
    """A folder with the state of one training: JSON and safetensors, replaced atomically, never pickled.

    Parameters
    ----------
    path : path-like
        Made where absent.
    fingerprint : str
        Of the data and the parameters: a training goes on from its own checkpoint only.
    parts : mapping of str to Stateful
        What is written and restored, such as the trainer.
    writes : bool, default True
        False for a process that leaves the writing to another.

    Attributes
    ----------
    records : list of dict
        The history, one record per epoch that is done.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fingerprint: str,
        parts: Mapping[str, Stateful] | None = None,
        *,
        writes: bool = True,
    ) -> None:
        self.path, self._fingerprint, self._parts, self._writes = Path(path), fingerprint, dict(parts or {}), writes
        self.records: list[dict[str, Any]] = []

    def restore(self) -> None:
        """Bring all parts to where the checkpoint was written; where there is none they stay as they are.

        Raises
        ------
        DataError
            If the checkpoint is of other data or other parameters.
        ModelFileError
            If it is damaged, altered, or of another version of aerec.
        """
        if not (self.path / f"{_KIND}.json").exists():
            return
        header, tensors = read_folder(self.path, _KIND)
        if header.get("layout", 1) != _LAYOUT:
            raise ModelFileError(
                f"the checkpoint in {self.path} was written by another version of aerec: finish the training with that "
                "one, or delete it to start anew"
            )
        if header.get("fingerprint") != self._fingerprint:
            raise DataError(
                f"the checkpoint in {self.path} is of another training (other data or parameters): go on with those, "
                "or delete it to start anew"
            )
        try:
            records = _checked(header["records"])
            state = {**header["state"], **{name: torch.from_numpy(value.copy()) for name, value in tensors.items()}}
            for name, part in self._parts.items():
                prefix = f"{name}."
                part.load_state_dict({k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)})
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
            raise ModelFileError(f"the checkpoint in {self.path} does not fit ({error}); delete it") from None
        self.records = records

    def epoch_done(self, record: Mapping[str, Any], model: Any) -> None:
        """Put the present state in the place of the one before."""
        self.records.append(dict(record))
        if not self._writes:
            return
        state: dict[str, Any] = {}
        for name, part in self._parts.items():
            state |= {f"{name}.{key}": value for key, value in part.state_dict().items()}
        tensors = {name: value.cpu().numpy() for name, value in state.items() if isinstance(value, Tensor)}
        numbers = {name: value for name, value in state.items() if name not in tensors}
        header = {"layout": _LAYOUT, "fingerprint": self._fingerprint, "records": self.records, "state": numbers}
        write_folder(self.path, _KIND, header, tensors)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=True)


def _checked(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for number, record in enumerate(records, start=1):
        if int(record["epoch"]) != number or not np.isfinite(float(record["cost"])):
            raise ValueError(f"the history is damaged at epoch {number}")
    return list(records)
