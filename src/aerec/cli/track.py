"""`--track`: from its text to a tracker."""

from __future__ import annotations

from pathlib import Path

from aerec.system.extras import import_extra
from aerec.tracking import TRACKERS, MLflow, TensorBoard, Tracker


def build_tracker(text: str, out: Path, checkpoint: Path | None) -> Tracker:
    """Return the tracker of a text such as "mlflow:http://localhost:5000", after checking that its package is there.

    Parameters
    ----------
    text : str
    out : pathlib.Path
        The run folder, from which the training has its name.
    kept : pathlib.Path, optional
        The folder that outlasts an interruption.

    Raises
    ------
    ValueError
        If there is no such tracker.
    MissingExtraError
        If its package is not installed.
    """
    word, _, where = text.partition(":")
    if word not in TRACKERS:
        raise ValueError(f"--track {text}: there is no tracker {word!r}; there are {', '.join(TRACKERS)}")
    import_extra(word, "tracking")
    out = out.resolve()
    if word == "tensorboard":
        return TensorBoard(where or out.parent / "tensorboard" / out.name)
    return MLflow(where or None, name=out.name, keep=None if checkpoint is None else checkpoint / "mlflow-run")
