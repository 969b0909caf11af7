"""Checkpoints: everything that the next batch depends on, written whole after every epoch."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from aerec._version import __version__
from aerec.errors import DataError, ModelFileError, warn_caller
from aerec.files.lock import Lock
from aerec.files.storage import read_folder, write_folder
from aerec.training.callbacks import Callback

_KIND = "checkpoint"
_LAYOUT = 3  # version of the format


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
    identity : mapping
        What tells the training from others, such as its parameters: it goes on from its own checkpoint only.
    may_differ : collection of str
        Names in `identity` that a training that goes on may have other values of.
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
        identity: Mapping[str, Any],
        *,
        may_differ: Collection[str] = (),
        writes: bool = True,
    ) -> None:
        self.path, self._identity, self._may_differ, self._writes = Path(path), dict(identity), may_differ, writes
        self._parts: Mapping[str, Stateful] = {}
        self._lock = Lock(path)
        self.records: list[dict[str, Any]] = []

    def restore(self, epochs: int, parts: Mapping[str, Stateful]) -> list[dict[str, Any]]:
        """Bring all parts to where the checkpoint was written; where there is none they stay as they are.

        Parameters
        ----------
        epochs : int
            That the training is to have.
        parts : mapping of str to Stateful
            What is restored, and written after every epoch, such as the trainer.

        Returns
        -------
        list of dict
            The records of the epochs that are done.

        Raises
        ------
        DataError
            If the checkpoint is of other data or other parameters, or another training is writing it.
        ModelFileError
            If it is damaged, altered, or of another version of aerec.
        """
        if self._writes and not self._lock.acquire():
            raise _in_use(self.path)
        self._parts = parts
        try:
            if (self.path / f"{_KIND}.json").exists():
                self._restore()
            if len(self.records) > epochs:
                raise DataError(
                    f"the checkpoint in {self.path} holds {len(self.records)} epochs, more than epochs={epochs}: ask "
                    "for as many, or delete it to start anew"
                )
        except BaseException:
            self._lock.release()
            raise
        return list(self.records)

    def _restore(self) -> None:
        header, tensors = read_folder(self.path, _KIND)
        if header.get("layout", 1) != _LAYOUT:
            raise ModelFileError(
                f"the checkpoint in {self.path} was written by another version of aerec "
                f"({header.get('aerec_version')}): finish the training with that one, or delete it to start anew"
            )
        self._check_identity(header)
        written_by = f"aerec {header.get('aerec_version')} and PyTorch {header.get('torch_version')}"
        present = f"aerec {__version__} and PyTorch {torch.__version__}"
        if written_by != present:
            warn_caller(
                f"the checkpoint in {self.path} was written by {written_by}, this is {present}: the training goes on, "
                "but may end with other numbers than an uninterrupted one"
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

    def _check_identity(self, header: Mapping[str, Any]) -> None:
        """Refuse the checkpoint of another training; say in what it differs."""
        stored = header.get("identity")
        if not isinstance(stored, dict):
            raise ModelFileError(f"the checkpoint in {self.path} does not say what it is of; delete it")
        own = json.loads(json.dumps(self._identity))
        names = [name for name in {**own, **stored} if name not in self._may_differ]
        other = [name for name in names if name not in own or name not in stored or own[name] != stored[name]]
        if other:
            differences = "; ".join(
                f"{name} is {_shown(own.get(name))}, there {_shown(stored.get(name))}" for name in other
            )
            schedule = self._identity.get("learning_rate_schedule")
            reason = f"; the {schedule} schedule of the learning rate goes by the epochs" if "epochs" in other else ""
            raise DataError(
                f"the checkpoint in {self.path} is of another training ({differences}{reason}): go on as that one "
                "began, or delete it to start anew"
            )

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
        header = {"layout": _LAYOUT, "torch_version": torch.__version__, "identity": self._identity}
        write_folder(self.path, _KIND, {**header, "records": self.records, "state": numbers}, tensors)

    def training_done(self, model: Any, finished: bool) -> None:
        """Leave the folder to others."""
        self._lock.release()

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=True)


def refuse_in_use(path: str | os.PathLike[str]) -> None:
    """Refuse a folder in which a training keeps its state at the moment.

    Raises
    ------
    DataError
    """
    lock = Lock(path)
    if not lock.acquire():
        raise _in_use(path)
    lock.release()


def _in_use(path: str | os.PathLike[str]) -> DataError:
    return DataError(
        f"another training keeps its state in {path} at the moment: wait for it, stop it, or give this one another "
        "folder"
    )


def _checked(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for number, record in enumerate(records, start=1):
        if int(record["epoch"]) != number or not np.isfinite(float(record["cost"])):
            raise ValueError(f"the history is damaged at epoch {number}")
    return list(records)


def _shown(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
