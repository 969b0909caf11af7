"""tune: search for the hyper-parameters that do best on validation data, with Optuna (extra ``tune``)."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from aerec.display.progress import EpochProgress
from aerec.errors import DataError, TrainingError
from aerec.evaluation import evaluate
from aerec.files.atomic import atomic_write
from aerec.files.storage import write_header
from aerec.holdout import Split
from aerec.metrics import RATING_METRICS, higher_is_better, parse_metric
from aerec.parameters import check_whole
from aerec.recommender.base import Recommender
from aerec.recommender.rating import PredictsRatings
from aerec.recommender.saving import encode_parameter
from aerec.registry import get_model_class
from aerec.search_spaces import Choice, Space, check_space
from aerec.training.callbacks import Callback
from aerec.tuning import studies
from aerec.tuning.edges import Edge, find_edges

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

_log = logging.getLogger("aerec")

_ENOUGH = 5  # fewest trials for which the place of the best value in its range means something
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True, eq=False)
class TuningResult:
    """What a search found.

    Attributes
    ----------
    best_params : dict
        The searched hyper-parameters of the best trial; of equal ones the first. What the model sets itself is "auto".
    best_value : float
        Its metric on validation data. The best of many: report a model fitted with them on test data instead.
    best_model : Recommender
        With these parameters, not fitted.
    metric : str
    trials : pandas.DataFrame
        A row per trial: number, state ("complete", "pruned" or "failed"), value (NaN unless complete), seconds, and a
        column per searched parameter; NaN in the first where a number was left to the model, which does not tell it.
    edges : list of Edge
        The parameters whose best value lies near an end of their range, with a wider one; of five trials and more.
    """

    best_params: dict[str, Any]
    best_value: float
    best_model: Recommender
    metric: str
    trials: pd.DataFrame
    edges: list[Edge] = field(default_factory=list)

    def __repr__(self) -> str:
        states = ", ".join(f"{n:,} {state}" for state, n in self.trials["state"].value_counts().items())
        values = ", ".join(f"{name}={_shown(value)}" for name, value in self.best_params.items())
        lines = [f"{type(self.best_model).__name__}: {self.metric} {self.best_value:.4f} on validation data ({states})"]
        return "\n".join([*lines, f"  {values}", *(f"  {edge}" for edge in self.edges)])

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write ``best.json`` and ``trials.csv`` into `folder`, each whole or not at all; earlier ones are replaced.

        Raises
        ------
        DataError
            If `folder` is a file.
        """
        path = Path(folder).expanduser()
        if path.exists() and not path.is_dir():
            raise DataError(f"{folder} is a file; a search is saved as a folder, give another path")
        path.mkdir(parents=True, exist_ok=True)
        with atomic_write(path / "trials.csv", "wb") as stream:
            self.trials.to_csv(stream, index=False)
        content = {
            "model": type(self.best_model).__name__,
            "metric": self.metric,
            "value": self.best_value,
            "params": {name: encode_parameter(value) for name, value in self.best_params.items()},
            "trials": len(self.trials),
        }
        write_header(path, "best", content)


def tune(
    model: Recommender | type[Recommender] | str,
    split: Split,
    space: Space | None = None,
    trials: int = 20,
    *,
    metric: str | None = None,
    seed: int = 0,
    timeout: float | None = None,
    storage: str | os.PathLike[str] | None = None,
    study_name: str = "aerec",
    progress: bool | int = True,
) -> TuningResult:
    """Search for the hyper-parameters with which `model` does best on the validation part of `split`.

    The first trial is the model as it is, where the space holds its parameters, or what it takes for "auto": what is
    found is never worse on validation data. The next nine are drawn at random, the others by the
    tree-structured Parzen estimator (TPE). Each fits a fresh model to ``split.train`` and measures it on
    ``split.validation``; ``split.test`` is not looked at. Models that learn in epochs stop early by their own
    ``patience``; from the sixth trial on they are given up (pruned) where, after ten epochs or more, their best value
    so far is worse than the median of the earlier trials at that epoch. Settings that come up again are not fitted
    again.

    Parameters
    ----------
    model : Recommender, class or str
        What stays as it is: an unfitted estimator with its other parameters, a class, or a name such as "mult-vae".
    split : Split
        With a validation part.
    space : dict of str to Choice, Number or Whole, optional
        What may be chosen; by default that of `aerec.search_spaces.SPACES`.
    trials : int, default 20
        In total, those in `storage` included.
    metric : str, optional
        Such as "recall@20"; by default "ndcg@100", or "rmse" for models that predict ratings. A model without a
        ``validation_metric`` of its own stops early on it as well.
    seed : int, default 0
        Of the search; the model keeps its own. The same seed gives the same trials.
    timeout : float, optional
        Seconds after which no further trial begins.
    storage : path-like, optional
        An SQLite file that keeps the trials. A search that was interrupted, or had fewer `trials`, goes on from it and
        ends where an uninterrupted one ends; only one at a time may use it.
    study_name : str, default "aerec"
        So that one file can hold several searches.
    progress : bool or int, default True
        Show a bar over the trials in a terminal or notebook; elsewhere a number n gives a line every n trials, with the
        best value so far and the time left.

    Returns
    -------
    TuningResult

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    ValueError
        If the space is empty or does not fit the model, or another argument is out of its range; before any fit.
    DataError
        If there is no validation data, the model cannot be measured by `metric`, or `storage` holds another search.
    TrainingError
        If all trials failed: one in which the cost is no longer finite or memory does not suffice is recorded as
        failed, and the search goes on.

    References
    ----------
    Akiba, Sano, Yanase, Ohta, Koyama (2019). Optuna: a next-generation hyperparameter optimization framework. KDD.
    Bergstra, Bardenet, Bengio, Kégl (2011). Algorithms for hyper-parameter optimization. NIPS.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.search_spaces import Number
    >>> from aerec.splitting import StrongGeneralization
    >>> from aerec.tuning.search import tune
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample"))
    >>> found = tune("ease", split, {"l2": Number(1.0, 1000.0, log=True)}, trials=2)
    >>> sorted(found.best_params), found.trials["state"].tolist()
    (['l2'], ['complete', 'complete'])
    """
    studies.import_optuna()
    estimator = _estimator(model)
    space = default_space(estimator) if space is None else dict(space)
    usual = "rmse" if isinstance(estimator, PredictsRatings) else "ndcg@100"
    metric = usual if metric is None else metric
    _check_numbers(trials, seed, timeout)
    check_space(space, estimator)
    _check_measurable(estimator, split, metric)
    if metric != usual and estimator.get_params(deep=False).get("validation_metric", metric) is None:
        estimator.set_params(validation_metric=metric)
    with studies.quiet_optuna():
        description = studies.describe_search(estimator, split, space, metric, seed)
        study = studies.open_study(storage, study_name, higher_is_better(metric), description)
        with EpochProgress(f"Tuning {type(estimator).__name__}", trials, progress, unit="trial") as bar:
            began = time.monotonic()
            for number in range(len(studies.finished_trials(study)) + 1, trials + 1):
                if number > 1 or not _run_as_given(study, estimator, space, split, metric):
                    _run_trial(study, studies.next_trial(study, space, seed), estimator, space, split, metric)
                bar.epoch_done(number, _last_and_best(studies.finished_trials(study), metric))
                if timeout is not None and time.monotonic() - began >= timeout:
                    break
        return _result(studies.finished_trials(study)[:trials], estimator, space, metric)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)


def default_space(model: Recommender | type[Recommender] | str) -> Space:
    """Return the default space of a model, or of the class of aerec that it is derived from.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> from aerec.models import EASE
    >>> list(default_space(EASE))
    ['l2', 'item_norm', 'diagonal']
    """
    cls = type(_estimator(model))
    space = cls.search_space
    if space is None:
        raise ValueError(f"{cls.__name__} has no default space; give one, such as {{'epochs': Whole(5, 50)}}")
    return space


def _estimator(model: Recommender | type[Recommender] | str) -> Recommender:
    if isinstance(model, str):
        model = get_model_class(model)
    if isinstance(model, type) and issubclass(model, Recommender):
        return model()
    if isinstance(model, Recommender):
        unfitted: Recommender = clone(model)
        return unfitted
    raise ValueError(f"model is an estimator, a class or a name of aerec, got {model!r}")


def _check_numbers(trials: int, seed: int, timeout: float | None) -> None:
    check_whole("trials", trials, 1)
    check_whole("seed", seed, 0)
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout is a number of seconds above 0, got {timeout!r}")


def _check_measurable(estimator: Recommender, split: Split, metric: str) -> None:
    parse_metric(metric)
    if metric in RATING_METRICS and not isinstance(estimator, PredictsRatings):
        raise DataError(f"{type(estimator).__name__} ranks items and cannot be tuned by {metric}; use ndcg@100")
    if not isinstance(split, Split):
        raise ValueError(f"split must be a Split, as splitters give it, got {type(split).__name__}")
    if split.validation is None or split.validation.target.n_ratings == 0:
        raise DataError(
            "the split has no validation data to tune on; use RandomHoldout, or another that holds some out"
        )


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _run_as_given(study: Study, estimator: Recommender, space: Space, split: Split, metric: str) -> bool:
    """Fit and measure the model as it is, as the first trial; return False where the space does not hold it.

    A number that is left to the model ("auto") has to be in its range too, unless that is the usual one; it counts as
    drawn where the fitted model tells it (``l2_``).
    """
    given, usual = estimator.get_params(), type(estimator).search_space or {}
    left = {name for name, dimension in space.items() if not dimension.holds(given[name])}
    if any(not _is_auto(given[name]) or isinstance(space[name], Choice) for name in left):
        return False
    values: dict[int, float] = {}
    began = time.monotonic()
    try:
        value, fitted = _measured(estimator, split, metric, _Following(metric, values.__setitem__))
    except (TrainingError, MemoryError) as error:
        _log.warning("trial of the model as it is failed: %s", error)
        studies.add_given(study, space, {}, error, values, time.monotonic() - began)
        return True
    params = {name: _used(fitted, name) for name in space}
    if any(space[name] != usual.get(name) and not space[name].holds(params[name]) for name in left):
        return False
    studies.add_given(study, space, params, value, values, time.monotonic() - began)
    return True


def _used(fitted: Recommender, name: str) -> Any:
    """Return a parameter, or the number that the model took where it was left to it and is known."""
    given = fitted.get_params()[name]
    *parts, own = name.split("__")
    holder: Any = fitted
    for part in parts:
        holder = getattr(holder, f"{part}_", getattr(holder, part))
    used = getattr(holder, f"{own}_", given) if _is_auto(given) else given
    return used.item() if isinstance(used, np.ndarray | np.generic) and used.size == 1 else used


def _with_parameters(estimator: Recommender, params: Mapping[str, Any]) -> Recommender:
    """Return a copy with other parameters; a model among them is copied, as another of them may be one of its own."""
    changed: Recommender = clone(estimator).set_params(**{k: clone(v, safe=False) for k, v in params.items()})
    return changed


def _run_trial(study: Study, trial: Trial, estimator: Recommender, space: Space, split: Split, metric: str) -> None:
    """Fit and measure what `trial` has drawn, and tell the study."""
    optuna = studies.import_optuna()
    for former in studies.finished_trials(study):
        if former.value is not None and former.state.name == "COMPLETE" and former.params == trial.params:
            study.tell(trial, former.value)
            return
    drawn = {name: dimension.read(trial.params[name]) for name, dimension in space.items()}
    candidate: Recommender = _with_parameters(estimator, drawn)

    def follow(epoch: int, value: float) -> None:
        trial.report(value, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        value, _ = _measured(candidate, split, metric, _Following(metric, follow))
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    except (TrainingError, MemoryError) as error:
        _log.warning("trial with %s failed: %s", trial.params, error)
        studies.fail(study, trial, error)
    else:
        study.tell(trial, value)


def _measured(model: Recommender, split: Split, metric: str, following: Callback) -> tuple[float, Recommender]:
    """Fit a silent copy of the model; return its metric on validation data, and the copy."""
    fitted: Recommender = clone(model)
    fitted.set_params(**{name: False for name in fitted.get_params() if name.split("__")[-1] == "progress"})
    callbacks = {"callbacks": [following]} if has_fit_parameter(fitted, "callbacks") else {}
    fitted.fit(split.train, validation=split.validation, **callbacks)
    assert split.validation is not None
    value = evaluate(fitted, split.validation, metric, n_resamples=1, propensities=split.train)[metric]
    if not math.isfinite(value):
        raise TrainingError(f"{metric} became {value}")
    return value, fitted


class _Following(Callback):
    """Hands on the metric of each epoch."""

    def __init__(self, metric: str, follow: Callable[[int, float], None]) -> None:
        self._metric, self._follow = metric, follow

    def epoch_done(self, record: Mapping[str, Any], model: Any) -> None:
        if self._metric in record:  # absent where early stopping watches another one
            self._follow(record["epoch"], record[self._metric])


def _last_and_best(done: list[FrozenTrial], metric: str) -> dict[str, float]:
    """Return the value of the last trial, where it has one, and the best so far."""
    values = [attempt.value for attempt in done if attempt.value is not None and attempt.state.name == "COMPLETE"]
    last = {} if done[-1].value is None else {metric: done[-1].value}
    return {**last, "best": max(values) if higher_is_better(metric) else min(values)} if values else last


def _result(done: list[FrozenTrial], estimator: Recommender, space: Space, metric: str) -> TuningResult:
    rows: list[dict[str, Any]] = []
    for number, attempt in enumerate(done):
        params = {name: space[name].read(stored) for name, stored in attempt.params.items()}
        params = {name: params.get(name, math.nan) for name in space}
        value = attempt.value if attempt.state.name == "COMPLETE" else None
        seconds = studies.seconds_of(attempt)
        rows.append(
            {"number": number, "state": _STATES[attempt.state.name], "value": value, "seconds": seconds, **params}
        )
    values = [row["value"] for row in rows if row["value"] is not None]
    if not values:
        raise TrainingError(f"all {len(done)} trials failed, the last one because: {done[-1].user_attrs['error']}")
    best_value: float = max(values) if higher_is_better(metric) else min(values)
    best = next(row for row in rows if row["value"] == best_value)
    is_given = studies.is_given(done[best["number"]])
    best_params = {name: estimator.get_params()[name] if is_given else best[name] for name in space}
    frame = pd.DataFrame(rows).astype({"value": float})
    model = _with_parameters(estimator, best_params)
    edges = find_edges(model, space, best_params) if len(values) >= _ENOUGH else []
    return TuningResult(best_params, best_value, model, metric, frame, edges)
