"""Run folders: a trained model with its data, its split and what it takes to repeat it.

A run folder holds ``run.json`` (data, preprocessing, split, model and parameters, metrics, versions, machine),
``model/``, ``data/`` (the interactions after preprocessing, with titles), ``config.toml`` (from which `aerec train`
makes it again) and, for models that learn in epochs, ``history.csv``, ``history.jsonl`` and ``checkpoint/``, from which
`aerec train --resume` trains longer. Everything is data only: JSON, safetensors, TOML and CSV.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aerec.datasets.readers.read import join_parts
from aerec.datasets.saved import load_interactions, save_interactions
from aerec.errors import DataError, ModelFileError
from aerec.files.atomic import (
    check_writable,
    find_leftovers,
    output_error,
    remove_leftovers,
    replace_folder,
    temporary_folder,
)
from aerec.files.storage import read_header, write_header
from aerec.holdout import Holdout, is_rated_in
from aerec.interactions import Interactions
from aerec.recommender.base import Recommender
from aerec.recommender.new_history import RatingScale
from aerec.registry import load_model
from aerec.sparse import column_counts
from aerec.splitting import (
    ColdItems,
    ColdUsers,
    LeaveLastOut,
    RandomHoldout,
    Split,
    StrongGeneralization,
    TemporalSplit,
)

SPLITTERS: dict[str, Any] = {
    "strong": StrongGeneralization,
    "random": RandomHoldout,
    "last": LeaveLastOut,
    "temporal": TemporalSplit,
    "cold-users": ColdUsers,
    "cold-items": ColdItems,
}
"""Name of a way of splitting → the splitter; beside them there are "given" and "none"."""

_GIVEN = ("train", "validation", "test")
_WHOLE = "all"
_TARGETS = ("validation-target", "test-target")
_STATE = "checkpoint"


@dataclass(frozen=True)
class SplitPlan:
    """How ratings are split, in a form that can be written down.

    Parameters
    ----------
    kind : {"strong", "random", "last", "temporal", "cold-users", "cold-items", "given", "none"}
        "given": by the publisher of the data; "none": everything is for training.
    parameters : dict
        Of the splitter.
    """

    kind: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def apply(self, parts: Mapping[str, Interactions]) -> Split | None:
        """Split `parts`: ``{"all": …}``, ``{"train": …, "validation": …, "test": …}`` for "given", or `kept_users`.

        Returns
        -------
        Split or None
            None where nothing is held out.
        """
        if self.kind == "none":
            return None
        if _TARGETS[1] in parts:
            return _split_of_users(*(parts[name] for name in (_WHOLE, *_TARGETS)))
        if self.kind == "given":
            return Split.from_parts(parts["train"], parts["test"], parts.get("validation"))
        split: Split = SPLITTERS[self.kind](**self.parameters).split(whole(parts))
        return split

    def check(self) -> None:
        """Raise a TypeError or ValueError where the splitter does not take the parameters."""
        SPLITTERS.get(self.kind, dict)(**self.parameters)

    def of_each_user(self) -> SplitPlan:
        """Return how ratings of other people are held out: some of each of them, as this plan does it.

        Ways of splitting that do not divide the ratings of a user give way to a fifth of them, drawn at random.
        """
        fold_in = self.parameters.get("fold_in", StrongGeneralization.fold_in)
        fraction = round(1 - fold_in, 9) if self.kind == "strong" else 0.2
        seed = self.parameters.get("seed") or 0
        drawn = {"fraction": fraction, "validation_fraction": 0.0, "seed": seed, "per_user": True}
        of_user = {
            "random": ("random", {**self.parameters, "validation_fraction": 0.0}),
            "last": ("last", {**self.parameters, "validation": False}),
            "temporal": ("temporal", {**self.parameters, "validation_fraction": 0.0}),
        }
        return SplitPlan(*of_user.get(self.kind, ("random", drawn)))

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.kind} ({values})" if values else self.kind


def kept_users(data: Interactions, plan: SplitPlan, former: Split) -> dict[str, Interactions]:
    """Return parts in which the held-out users of an earlier split are held out again.

    A model that was trained after `former` has not learned from them. Of each a part of the ratings is the target, as
    `plan` draws it.

    Returns
    -------
    dict
        ``{"all": data, "validation-target": …, "test-target": …}``, which `SplitPlan.apply` divides.
    """
    parts = {_WHOLE: data}
    for name, holdout in zip(_TARGETS, (former.validation, former.test), strict=True):
        users = former.test.history.users[:0] if holdout is None else holdout.history.users
        divided = plan.of_each_user().apply({_WHOLE: data.select_users(users[users.isin(data.users)])})
        assert divided is not None
        parts[name] = divided.test.target
    return parts


def _split_of_users(data: Interactions, validation: Interactions, test: Interactions) -> Split:
    """Hold out the users of two targets; what nobody in training has rated counts for nothing."""
    train = data.take_users(np.flatnonzero(~data.users.isin(validation.users.union(test.users))))
    rated = column_counts(train.matrix) > 0

    def hold_out(target: Interactions) -> Holdout:
        users = data.select_users(target.users)
        history = users.keep(~is_rated_in(users, target) & rated[users.matrix.indices])
        return Holdout(history, target.keep(rated[target.matrix.indices]))

    return Split(train, hold_out(validation) if validation.n_users else None, hold_out(test))


def whole(parts: Mapping[str, Interactions]) -> Interactions:
    """Return all ratings of a data set that came in parts, or as ``{"all": …}``."""
    return parts[_WHOLE] if _WHOLE in parts else join_parts(dict(parts))


# ---------------------------------------------------------------------- writing


def check_run_path(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Return where a run is to be written, after checking that it can be; called before anything takes long.

    Raises
    ------
    DataError
        If `path` is a file, a folder of something else, or holds a run that is not to be overwritten.
    PermissionError
        If the folder cannot be written to.
    """
    target = Path(path).expanduser().resolve()
    if target in (Path.cwd(), *Path.cwd().parents):
        raise DataError(f"{path} is, or holds, the folder that you are in; give another one")
    if target.is_dir():
        if (target / "run.json").exists():
            if not overwrite:
                longer = ", or train it longer (--resume with more --epochs)" if kept_state(target) else ""
                raise DataError(
                    f"{path} holds a run already; give another folder, or overwrite it (--overwrite){longer}"
                )
        elif any(target.iterdir()):
            raise DataError(f"{path} is a folder that holds something other than a run; give another one")
    elif target.exists():
        raise DataError(f"{path} is a file; a run is saved as a folder, give another path")
    check_writable(target, path)
    return target


def kept_state(path: str | os.PathLike[str]) -> Path | None:
    """Return the folder with the state at the end of the training of a run; None where it has none."""
    run = Path(path).expanduser()
    state = run / _STATE
    return state if (run / "run.json").is_file() and (state / "checkpoint.json").is_file() else None


def write_run(
    path: str | os.PathLike[str],
    model: Recommender,
    parts: Mapping[str, Interactions],
    split: SplitPlan,
    description: Mapping[str, Any],
    overwrite: bool = False,
    files: Mapping[str, str] | None = None,
    state: Path | None = None,
) -> None:
    """Write a run folder: all of it, or nothing.

    Parameters
    ----------
    path : path-like
    model : Recommender
        Fitted.
    parts : mapping of str to Interactions
        What `split` applies to.
    split : SplitPlan
    description : mapping
        What else ``run.json`` is to say; whatever JSON can hold.
    overwrite : bool, default False
        Replace a run that is there.
    files : mapping of str to str, optional
        Names and content of more files in text.
    state : pathlib.Path, optional
        The checkpoint of the training, which the run keeps a copy of.
    """
    target = check_run_path(path, overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    _tidy(target)
    temporary = temporary_folder(target)
    try:
        model.save(temporary / "model")
        for name, part in parts.items():
            save_interactions(part, temporary / "data", name)
        history = getattr(model, "history_", None)
        if isinstance(history, pd.DataFrame):
            history.to_csv(temporary / "history.csv", index=False)
        for name, text in (files or {}).items():
            (temporary / name).write_text(text, encoding="utf-8")
        if state is not None:
            shutil.copytree(state, temporary / _STATE)
        plan = {"kind": split.kind, "parameters": split.parameters}
        write_header(temporary, "run", {**description, "split": plan, "parts": list(parts)})
        replace_folder(temporary, target)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        named = output_error(error, temporary, target)
        if named is not error:
            raise named from None
        raise


def _tidy(target: Path) -> None:
    """Remove what killed processes left beside the run; bring back a run that was moved out and never replaced."""
    if not target.exists():
        for outgoing in find_leftovers(target.parent, target.name, ".old")[:1]:
            outgoing.rename(target)
    for suffix in (".part", ".old"):
        remove_leftovers(target.parent, target.name, suffix)


# ---------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Run:
    """A run folder; model and data are read when they are asked for.

    Attributes
    ----------
    path : pathlib.Path
    description : dict
        The content of ``run.json``.
    """

    path: Path
    description: dict[str, Any]

    @property
    def plan(self) -> SplitPlan:
        """How the data was split."""
        kind, parameters = self.description["split"]["kind"], self.description["split"]["parameters"]
        if kind == "last":  # without a seed: a run of version 0.1, which settled ties of time by the column
            parameters = {"seed": None, **parameters}
        return SplitPlan(kind, parameters)

    @cached_property
    def model(self) -> Recommender:
        """The trained model."""
        return load_model(self.path / "model")

    @cached_property
    def parts(self) -> dict[str, Interactions]:
        """The data after preprocessing, in the parts it came in."""
        return {name: load_interactions(self.path / "data", name) for name in self.description["parts"]}

    @cached_property
    def data(self) -> Interactions:
        """All ratings after preprocessing: what is known of each user."""
        return whole(self.parts)

    @property
    def items(self) -> pd.Index[Any]:
        """The items that the model knows."""
        return self.data.items if self.model.items_ is None else self.model.items_

    def with_model(self, model: Recommender, data: Interactions) -> Run:
        """Return this run with another model and data in memory: the folder stays as it is."""
        run = Run(self.path, self.description)
        run.__dict__.update(model=model, data=data)  # where the cached properties look first
        return run

    @cached_property
    def split(self) -> Split | None:
        """The split that the model was trained with; None where nothing was held out."""
        return self.plan.apply(self.parts)


def run_fingerprint(run: Run) -> str:
    """Return a checksum of the model and the data of a run: of their headers, which hold those of their files."""
    headers = [
        run.path / "model" / "model.json",
        *(run.path / "data" / f"{name}.json" for name in run.description["parts"]),
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in headers)).hexdigest()


def read_run(path: str | os.PathLike[str]) -> Run:
    """Open the run folder `path`.

    Raises
    ------
    FileNotFoundError
        If there is no run in `path`.
    ModelFileError
        If ``run.json`` is damaged, altered, or of a newer format.
    """
    folder = Path(path).expanduser()
    if not folder.exists():
        _tidy(folder)
    if not (folder / "run.json").is_file():
        hint = "it holds a model without its data" if (folder / "model.json").exists() else "make one: aerec train"
        raise FileNotFoundError(f"no run in {path}: {folder / 'run.json'} does not exist; {hint}")
    description = read_header(folder, "run")
    known = {*SPLITTERS, "given", "none"}
    try:
        kind, parts = description["split"]["kind"], description["parts"]
        given = {"train", "test"} <= {*parts} <= {*_GIVEN}
        given = given or parts == [_WHOLE, *_TARGETS]
        fits = kind in known and (given or (parts == [_WHOLE] and kind != "given")) and len({*parts}) == len(parts)
        fits = fits and isinstance(description.get("data", {}), dict)
        fits = fits and isinstance(description.get("model", {"name": ""})["name"], str)
        Run(folder, description).plan.check()
    except (KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        raise ModelFileError(f"{folder / 'run.json'} does not describe a run that this aerec knows; train again")
    return Run(folder, description)


def users_left_out(run: Run) -> str:
    """Say how many users of the data are not in the run, and why; empty where none was left out."""
    data = run.description.get("data", {})
    users = data.get("kept", {}).get("users", {})
    lost = users.get("of", 0) - users.get("kept", 0)
    if lost <= 0:
        return ""
    least = f"fewer than {data.get('min_per_user')} {'ratings' if data.get('threshold') is None else 'likes'}"
    likes = "" if data.get("threshold") is None else f" (ratings from {data['threshold']:g} on)"
    return f"{lost:,} of {users['of']:,} users were left out of the training, for {least}{likes}"


def rating_scale(run: Run) -> RatingScale:
    """Return what the values that the model of a run was trained on mean: for the history of someone new."""
    preparation = run.description.get("data", {})
    threshold = preparation.get("threshold") if run.data.is_implicit else None
    return RatingScale.of(run.data, threshold, counts=bool(preparation.get("counts")))
