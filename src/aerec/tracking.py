"""Keep an account of trainings: a line of JSON an epoch, TensorBoard, MLflow.

Each is a callback of ``fit``; the packages of the extra ``track`` are imported when the first epoch is done.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from aerec.files.atomic import atomic_write, output_error
from aerec.recommender.base import Recommender
from aerec.system.extras import import_extra
from aerec.training.callbacks import Callback

__all__ = ["TRACKERS", "Callback", "JSONLines", "MLflow", "TensorBoard", "Tracker"]


class JSONLines(Callback):
    """The record of each epoch as a line of JSON, in the file as soon as the epoch is done.

    A training that goes on from a checkpoint goes on in its file: lines of epochs that are done again are replaced.

    Parameters
    ----------
    path : path-like
        Its folder is made where absent.

    Examples
    --------
    >>> import json, tempfile
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import ELSA
    >>> path = Path(tempfile.mkdtemp()) / "history.jsonl"
    >>> model = ELSA(n_factors=4, epochs=2, progress=False).fit(load_dataset("sample"), callbacks=[JSONLines(path)])
    >>> [json.loads(line)["epoch"] for line in path.read_text().splitlines()]
    [1, 2]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._stream: FileIO | None = None

    def epoch_done(self, record: Mapping[str, Any], model: Recommender) -> None:
        """Append the record; an OSError names the file, where there is no space for it."""
        line = (json.dumps(dict(record)) + "\n").encode()
        try:
            if self._stream is None:
                self._keep_before(record["epoch"])
                self._stream = self.path.open("ab", buffering=0)  # nothing is left to be written when it is closed
            if self._stream.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise output_error(error, self.path, self.path) from None

    def training_done(self, model: Recommender, finished: bool) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _keep_before(self, epoch: int) -> None:
        """Leave in the file the whole lines of epochs before `epoch`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines() if self.path.exists() else []
        earlier = [line for line in lines if 0 < _epoch(line) < epoch]
        with atomic_write(self.path) as stream:
            stream.writelines(f"{line}\n" for line in earlier)


class Tracker(Callback):
    """Base of what records a training elsewhere: its parameters, its epochs, and what was measured afterwards."""

    def measured(self, metrics: Mapping[str, float], model: Recommender) -> None:
        """Add `metrics`, measured on test data after the training; works for models without epochs, too."""


class TensorBoard(Tracker):
    """Curves of cost and validation metric for ``tensorboard --logdir …``; one folder a training.

    Parameters
    ----------
    folder : path-like
        Made where absent. A training that goes on, or starts anew, replaces the epochs that it does again.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._writer: Any = None

    def epoch_done(self, record: Mapping[str, Any], model: Recommender) -> None:
        """Write the numbers of the record, at the step `epoch`."""
        writer = self._opened(model, record["epoch"])
        for name, value in _numbers(record).items():
            writer.add_scalar(f"epoch/{name}", value, record["epoch"])
        writer.flush()

    def training_done(self, model: Recommender, finished: bool) -> None:
        """Close the file of events."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def measured(self, metrics: Mapping[str, float], model: Recommender) -> None:
        """Write the metrics as single points, ``test/…``."""
        writer = self._opened(model, None)
        for name, value in _numbers(metrics).items():
            writer.add_scalar(f"test/{name}", value, 0)
        self.training_done(model, finished=True)

    def _opened(self, model: Recommender, epoch: int | None) -> Any:
        if self._writer is None:
            import_extra("tensorboard", "tracking")
            module = import_extra("torch.utils.tensorboard", "tracking")
            self._writer = module.SummaryWriter(str(self.folder), purge_step=0 if epoch == 1 else epoch)
            if epoch is None or epoch == 1:
                rows = [f"| {name} | {value} |" for name, value in _parameters(model).items()]
                text = "\n".join([f"{type(model).__name__}", "", "| parameter | value |", "|---|---|", *rows])
                self._writer.add_text("parameters", text, 0)
        return self._writer


class MLflow(Tracker):
    """A run of MLflow: parameters, a metric per column of ``history_``, and what was measured on test data.

    Parameters
    ----------
    uri : str, optional
        Of the tracking server or database; by default what MLflow takes, such as ``$MLFLOW_TRACKING_URI``.
    experiment : str, default "aerec"
        Made where absent.
    name : str, optional
        Of the run; by default the name of the model's class.
    keep : path-like, optional
        A file that holds the id of the run, so that a training that goes on from a checkpoint does so in the same run.

    Attributes
    ----------
    run_id : str or None
        None before the first epoch is done.
    """

    def __init__(
        self,
        uri: str | None = None,
        experiment: str = "aerec",
        name: str | None = None,
        keep: str | os.PathLike[str] | None = None,
    ) -> None:
        self.uri = uri
        self.experiment = experiment
        self.name = name
        self.keep = None if keep is None else Path(keep)
        self.run_id: str | None = None
        self._client: Any = None

    def epoch_done(self, record: Mapping[str, Any], model: Recommender) -> None:
        """Log the numbers of the record, at the step `epoch`."""
        if record["epoch"] == 1:
            self.run_id = None
        self._log(_numbers(record), model, record["epoch"], fresh=record["epoch"] == 1)

    def training_done(self, model: Recommender, finished: bool) -> None:
        """Mark the run as finished, or as killed."""
        if self.run_id is not None:
            self._client.set_terminated(self.run_id, "FINISHED" if finished else "KILLED")

    def measured(self, metrics: Mapping[str, float], model: Recommender) -> None:
        """Log the metrics, as ``test.…``."""
        self._log({f"test.{name}": value for name, value in _numbers(metrics).items()}, model, 0, fresh=False)
        self.training_done(model, finished=True)

    def _log(self, numbers: Mapping[str, float], model: Recommender, step: int, fresh: bool) -> None:
        if self.run_id is None:
            self.run_id = self._begin(model, fresh)
        for name, value in numbers.items():
            self._client.log_metric(self.run_id, name, value, step=step)

    def _begin(self, model: Recommender, fresh: bool) -> str:
        """Return the id of the run that is kept, or of a new one with the parameters of the model."""
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        self._client = import_extra("mlflow.tracking", "tracking").MlflowClient(self.uri)
        if self.keep is not None and self.keep.exists() and not fresh:
            kept_id = self.keep.read_text(encoding="utf-8").strip()
            self._client.set_terminated(kept_id, "RUNNING")
            return kept_id
        known = self._client.get_experiment_by_name(self.experiment)
        experiment = self._client.create_experiment(self.experiment) if known is None else known.experiment_id
        run = self._client.create_run(experiment, run_name=self.name or type(model).__name__)
        run_id = str(run.info.run_id)
        for name, value in {"model": type(model).__name__, **_parameters(model)}.items():
            self._client.log_param(run_id, name, value)
        if self.keep is not None:
            self.keep.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.keep) as stream:
                stream.write(run_id)
        return run_id


TRACKERS = ("tensorboard", "mlflow")
"""Names that the command line knows."""


def _parameters(model: Recommender) -> dict[str, str]:
    return {name: str(value) for name, value in model.get_params(deep=False).items() if name != "progress"}


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    """Numbers under names that every tracker takes: ndcg@100 becomes ndcg_at_100."""
    return {
        re.sub(r"[^\w./-]", "_", name.replace("@", "_at_")): float(value)
        for name, value in record.items()
        if name != "epoch"
    }


def _epoch(line: str) -> int:
    """Return the epoch of a line; 0 where it is no record, such as one that was cut off."""
    try:
        return int(json.loads(line)["epoch"])
    except (ValueError, KeyError, TypeError):
        return 0
