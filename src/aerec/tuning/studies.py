"""Optuna studies as `aerec.tuning` uses them: made, stored in an SQLite file, and continued as if never interrupted.

Optuna is imported only when a search begins. The sampler of each trial is new and seeded by the trial's place among the
finished ones, so that what it draws depends on the seed and the results so far alone, not on who computed them or when.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from aerec.errors import DataError
from aerec.holdout import Split
from aerec.recommender.base import Recommender
from aerec.recommender.saving import add_to_digest
from aerec.search_spaces import Choice, Space
from aerec.system.extras import import_extra

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

_SQLITE = b"SQLite format 3\0"
_WARMUP = 10  # epochs in which no fit is pruned
_IRRELEVANT = ("device", "progress")  # parameters that say nothing of what is learned
_DESCRIPTION, _ERROR = "aerec", "error"  # attributes of a study, and of a trial that failed
_SECONDS = "seconds"  # attribute of the trial of the model as it was given, which is added when it is over


def import_optuna() -> Any:
    """Return the package optuna; a MissingExtraError tells how to install it."""
    return import_extra("optuna", "hyper-parameter search")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna's own account of each trial from standard error, where it goes by default."""
    log = import_optuna().logging
    before = log.get_verbosity()
    log.set_verbosity(log.WARNING)
    try:
        yield
    finally:
        log.set_verbosity(before)


def open_study(
    storage: str | os.PathLike[str] | None, name: str, maximize: bool, description: Mapping[str, Any]
) -> Study:
    """Return a study in memory, or the one of that name in the SQLite file `storage`, made where absent.

    Parameters
    ----------
    storage : path-like or None
    name : str
    maximize : bool
    description : mapping
        What is searched, by which an interrupted search is recognised; whatever JSON can hold.

    Raises
    ------
    DataError
        If the file cannot be used, or the study in it is of another search.
    """
    optuna = import_optuna()
    direction = "maximize" if maximize else "minimize"
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=_WARMUP)
    if storage is None:
        study: Study = optuna.create_study(direction=direction, pruner=pruner)
        return study
    from sqlalchemy.exc import SQLAlchemyError

    try:
        study = optuna.create_study(
            storage=f"sqlite:///{_check_file(storage)}",
            study_name=name,
            direction=direction,
            pruner=pruner,
            load_if_exists=True,
        )
    except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{storage} cannot be used as storage ({reason}); give another file") from error
    _recognise(study, json.loads(json.dumps(description)), storage)
    for cut_off in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
        study.tell(cut_off.number, state=optuna.trial.TrialState.FAIL)
    return study


def finished_trials(study: Study) -> list[FrozenTrial]:
    """Return trials with a result, pruned ones and failed ones, but not those that were interrupted."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name in ("COMPLETE", "PRUNED") or (trial.state.name == "FAIL" and _ERROR in trial.user_attrs)
    ]


def next_trial(study: Study, space: Space, seed: int) -> Trial:
    """Begin a trial, whose parameters depend on `seed` and on the finished trials."""
    place = len(finished_trials(study))
    drawn = np.random.SeedSequence((seed, place)).generate_state(1)
    study.sampler = import_optuna().samplers.TPESampler(seed=int(drawn[0]))
    return study.ask({name: dimension.distribution() for name, dimension in space.items()})


def fail(study: Study, trial: Trial, error: Exception) -> None:
    """End a trial that has no result because of `error`."""
    trial.set_user_attr(_ERROR, str(error))
    study.tell(trial, state=import_optuna().trial.TrialState.FAIL)


def add_given(
    study: Study,
    space: Space,
    params: Mapping[str, Any],
    result: float | Exception,
    by_epoch: Mapping[int, float],
    seconds: float,
) -> None:
    """Put the trial of a model as it was given into the study: those of `params` that `space` holds, and its result."""
    optuna = import_optuna()
    failed = isinstance(result, Exception)
    held = {name: dimension for name, dimension in space.items() if name in params and dimension.holds(params[name])}
    trial = optuna.trial.create_trial(
        state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
        value=None if failed else result,
        params={name: dimension.store(params[name]) for name, dimension in held.items()},
        distributions={name: dimension.distribution() for name, dimension in held.items()},
        intermediate_values=dict(by_epoch),
        user_attrs={_SECONDS: seconds, **({_ERROR: str(result)} if failed else {})},
    )
    study.add_trial(trial)


def is_given(trial: FrozenTrial) -> bool:
    """Whether this is the trial of the model as it was given."""
    return _SECONDS in trial.user_attrs


def seconds_of(trial: FrozenTrial) -> float:
    """Return how long a trial took; NaN where that is not known."""
    if is_given(trial):
        return float(trial.user_attrs[_SECONDS])
    return trial.duration.total_seconds() if trial.duration else math.nan


def describe_search(estimator: Recommender, split: Split, space: Space, metric: str, seed: int) -> dict[str, Any]:
    """Return what makes this search another one than the next, in words that JSON can hold."""
    return {
        "model": type(estimator).__name__,
        "parameters": _described(estimator)[type(estimator).__name__],
        "space": {name: _described(dimension) for name, dimension in space.items()},
        "metric": metric,
        "seed": seed,
        "data": _fingerprint(split),
    }


def _described(value: Any) -> Any:
    """Return the repr, but for models: scikit-learn cuts that of a long one short."""
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False).items()
        return {type(value).__name__: {name: _described(part) for name, part in params if name not in _IRRELEVANT}}
    parts = value.values if isinstance(value, Choice) else value
    described = [*map(_described, parts)] if isinstance(parts, list | tuple) else []
    return repr(value) if all(isinstance(part, str) for part in described) else described


def _fingerprint(split: Split) -> str:
    """Return a checksum of what a search sees: ratings and ids of the training and validation parts."""
    digest = hashlib.sha256()
    for part in (split.train, split.validation):
        add_to_digest(digest, part)
    return digest.hexdigest()


def _check_file(storage: str | os.PathLike[str]) -> Path:
    path = Path(storage).expanduser().resolve()
    if path.parent.exists() and not path.parent.is_dir():
        raise DataError(f"{storage} cannot be made: {path.parent} is a file")
    if path.is_dir():
        raise DataError(f"{storage} is a folder; storage is the path of an SQLite file, such as study.db")
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as stream:
            if stream.read(len(_SQLITE)) != _SQLITE:
                raise DataError(f"{storage} is no SQLite file and is left as it is; give another path")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _recognise(study: Study, description: dict[str, Any], storage: str | os.PathLike[str]) -> None:
    """Describe a new study; refuse one that was made for something else."""
    known = study.user_attrs.get(_DESCRIPTION)
    if known is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(_DESCRIPTION, description)
    elif known != description:
        other = [name for name in description if (known or {}).get(name) != description[name]]
        raise DataError(
            f"{storage} holds a search that differs in {', '.join(other)}; repeat that one as it was to continue it, "
            "or give another storage or study_name"
        )
