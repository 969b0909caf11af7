"""From the words of the command line to data: reading, preparing, and how it is split."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from aerec.cli.kept import Kept, advice, nothing_left, value_range
from aerec.cli.options import NOTHING_SAID, Reading, parse_list
from aerec.datasets import load_parts
from aerec.errors import DataError, names_like, plural, warn_caller
from aerec.evaluation.evaluator import DEFAULT_METRICS
from aerec.files.memmap import is_mapped
from aerec.frames import advice_on_repeated
from aerec.holdout import Split
from aerec.interactions import Interactions
from aerec.metrics import RATING_METRICS, parse_metric
from aerec.recommender.base import Recommender, goes_by_time, knows_users
from aerec.recommender.rating import PredictsRatings
from aerec.runs.folder import SPLITTERS, Run, SplitPlan, whole

_USUAL_THRESHOLD = 4.0  # by default of --threshold
_INSTEAD_OF = {
    "implicit": {"rating", "counts"},
    "counts": {"implicit", "keep"},
    "rating": {"implicit"},
    "keep": {"counts"},
}


@dataclass(frozen=True)
class Preprocessing:
    """What is done to ratings before they are split; to a given split nothing but what changes their values.

    Parameters
    ----------
    threshold : float or None
        Ratings from here on become 1, the others are left out.
    min_per_user, min_per_item : int
    reading : Reading
    """

    threshold: float | None
    min_per_user: int
    min_per_item: int
    reading: Reading = NOTHING_SAID

    def load(self, source: str | Sequence[str], progress: bool, advise: bool = True) -> Prepared:
        """Read a data set and prepare it.

        Parameters
        ----------
        source : str or sequence of str
            As for `aerec.datasets.load_parts`; several are joined, the oldest first.
        progress : bool
        advise : bool, default True
            False: no warnings, where another process reads the same data and gives them.

        Raises
        ------
        DataError
            If it cannot be read, or nothing is left of it.
        """
        with warnings.catch_warnings():
            if not advise:
                warnings.simplefilter("ignore")
            places = Counter(map(os.path.realpath, listed(source)))
            if twice := [name for name in listed(source) if places[os.path.realpath(name)] > 1]:
                raise DataError(f"{twice[0]} is given twice: each file counts once")
            given = [load_parts(name, progress=progress, **self.reading.options()) for name in listed(source)]
            return self.prepare(_joined(given, listed(source), self.reading), " and ".join(listed(source)))

    def prepare(self, given: dict[str, Interactions], source: str) -> Prepared:
        """Prepare what was read.

        Parameters
        ----------
        given : dict of str to Interactions
            As of `aerec.datasets.load_parts`.
        source : str
            What it is called in messages.

        Raises
        ------
        DataError
            If nothing is left of it.
        """
        parts, threshold = given, None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"kept [\d,]+ of")  # said once for all parts, by `Kept`
            if self.reading.counts:
                parts = {name: _log_counts(part) for name, part in given.items()}
            elif self.threshold is not None and not _is_implicit(given):
                threshold = self.threshold
                parts = {name: part.binarize(threshold) for name, part in given.items()}
            if "all" in parts:
                parts = {"all": parts["all"].filter(self.min_per_user, self.min_per_item)}
        rules = replace(self, threshold=threshold)
        kept = Kept.of(given, parts, threshold, self.min_per_user, self.min_per_item)
        if kept.ratings[0] == 0:
            raise DataError(nothing_left(source, given, kept))
        if text := advice(given, kept):
            warn_caller(text)
        mapped = (any(is_mapped(part.matrix.data) for part in each.values()) for each in (given, parts))
        if next(mapped) and not next(mapped):
            warn_caller(
                "the ratings of the store were copied into memory: binarize and filter them in aerec import instead"
            )
        return Prepared(parts, rules, kept)

    def describe(self) -> dict[str, Any]:
        """Return what ``run.json`` says."""
        rules = {"threshold": self.threshold, "min_per_user": self.min_per_user, "min_per_item": self.min_per_item}
        return {**rules, **self.reading.describe()}


@dataclass(frozen=True)
class Prepared:
    """Ratings, ready to be split.

    Attributes
    ----------
    parts : dict of str to Interactions
        As of `aerec.datasets.load_parts`.
    rules : Preprocessing
        What was done: without a threshold where there was nothing to cut off.
    kept : Kept
    """

    parts: dict[str, Interactions]
    rules: Preprocessing
    kept: Kept


def preprocessing_of(data: Mapping[str, Any]) -> Preprocessing:
    """Return what the keys of ``[data]`` ask for, or options of the command line of the same names."""
    names = (field.name for field in dataclasses.fields(Reading))
    reading = Reading(**{name: data[name] for name in names if data.get(name) is not None})
    return Preprocessing(data["threshold"], data["min_per_user"], data["min_per_item"], reading)


def preprocessing_like(run: Run, reading: Reading, threshold: float | None, min_per_user: int | None) -> Preprocessing:
    """Return what prepares more data as the data of a run was prepared; what is given here counts more."""
    of_run, given = run.description.get("data", {}), reading.describe()
    names = {field.name for field in dataclasses.fields(Reading)} - {"weight"}  # weights are of training alone
    ruled_out = set().union(*(_INSTEAD_OF.get(name, set()) for name in given))
    known = {name: of_run[name] for name in (names & of_run.keys()) - ruled_out}
    return Preprocessing(
        of_run.get("threshold") if threshold is None else threshold,
        of_run.get("min_per_user", 1) if min_per_user is None else min_per_user,
        1,
        Reading(**{**known, **given}),
    )


def listed(source: str | os.PathLike[str] | Sequence[str]) -> list[str]:
    """Return the one source, or the several, as a list."""
    return [os.fspath(source)] if isinstance(source, str | os.PathLike) else list(source)


def with_ids_like(data: Interactions, known: Interactions) -> Interactions:
    """Return `data` with ids as text where those of `known` are text.

    Ids of a file are whole numbers where all of them are, so that a file may come to another type than a larger one.
    """
    return _with_text_ids(data, users=_are_text(known.users), items=_are_text(known.items))


def _joined(
    given: Sequence[dict[str, Interactions]], names: Sequence[str], reading: Reading
) -> dict[str, Interactions]:
    """Join data sets that were read one by one; a warning says how many ratings a later one replaces."""
    if len(given) == 1:
        return given[0]
    for parts, name in zip(given, names, strict=True):
        if "all" not in parts:
            raise DataError(f"{name} comes with a split of its own: it cannot be joined with others, give it alone")
    every = [parts["all"] for parts in given]
    users, items = any(_are_text(part.users) for part in every), any(_are_text(part.items) for part in every)
    same = [_with_text_ids(part, users=users, items=items) for part in every]
    joined = Interactions.concat(same, duplicates=reading.duplicates)
    if joined.n_ratings < sum(part.n_ratings for part in every) and not reading.counts:
        timed = joined.timestamps is not None
        note, later = joined.notes[-1], reading.duplicates == "last"
        warn_caller(advice_on_repeated(note, rated=False, timed=timed) if later else note)
    return {"all": joined}


def _are_text(ids: pd.Index[Any]) -> bool:
    return ids.dtype.kind == "O"


def _with_text_ids(data: Interactions, *, users: bool, items: bool) -> Interactions:
    if users and data.users.dtype.kind in "iu":
        data = replace(data, users=data.users.astype(str).astype(object))
    if items and data.items.dtype.kind in "iu":
        ids = data.items.astype(str).astype(object)
        names, genres = (
            None if series is None else series.set_axis(ids) for series in (data.item_names, data.item_genres)
        )
        data = replace(data, items=ids, item_names=names, item_genres=genres)
    return data


# ---------------------------------------------------------------------- what a model wants


def threshold_for(model: type[Recommender], threshold: float | None) -> float | None:
    """Return the threshold that holds for a kind of model: none for one that predicts ratings, which needs them all."""
    if not rates(model):
        return threshold
    if threshold not in (None, _USUAL_THRESHOLD):
        warn_caller(f"--threshold {threshold} is not used: {model.__name__} predicts ratings, the low ones too")
    return None


def rates(model: type[Recommender]) -> bool:
    """Whether a model predicts ratings, and so wants them as they are."""
    return issubclass(model, PredictsRatings)


def chosen_metrics(text: str | None, model: Recommender) -> tuple[str, ...]:
    """Return the metrics named in `text`, checked before anything takes long, or what suits the model."""
    if text is None:
        return ("rmse", "mae") if rates(type(model)) else DEFAULT_METRICS
    names = tuple(parse_list(text))
    if not names:
        raise ValueError("--metrics is empty; name at least one, such as recall@20")
    for name in names:
        parse_metric(name)
        if name in RATING_METRICS and not rates(type(model)):
            raise ValueError(f"{type(model).__name__} ranks items and does not predict ratings: it has no {name}")
    return names


# ---------------------------------------------------------------------- splitting


def choose_split(kind: str | None, parts: Mapping[str, Interactions], model: Recommender, seed: int) -> SplitPlan:
    """Return the split that was asked for, or the one that suits data and model.

    Raises
    ------
    ValueError
        If there is no such way of splitting, or the data has no given split.
    """
    given = "all" not in parts
    if kind is None:
        at_random = "random" if knows_users(model) or rates(type(model)) else "strong"
        kind = "given" if given else "last" if goes_by_time(model) else at_random
    if kind in ("given", "none"):
        if kind == "given" and not given:
            raise ValueError(f"this data set comes without a given split; choose one of {', '.join(SPLITTERS)}")
        return SplitPlan(kind)
    if kind not in SPLITTERS:
        raise ValueError(f"unknown split {kind!r}; {names_like(kind, [*SPLITTERS, 'given', 'none'])}")
    n_users = whole(parts).shape[0]
    parameters: dict[str, dict[str, Any]] = {
        "strong": {"n_users": max(1, min(n_users // 10, 10_000)), "seed": seed},
        "random": {"seed": seed, "per_user": not rates(type(model))},
        **{name: {"seed": seed} for name in ("last", "cold-users", "cold-items")},
    }
    return SplitPlan(kind, parameters.get(kind, {}))


def divide(plan: SplitPlan, parts: Mapping[str, Interactions]) -> Split | None:
    """Apply `plan`; where the data is too small for it the message names the option that does without."""
    try:
        return plan.apply(parts)
    except DataError as error:
        n_users = whole(parts).shape[0]
        raise DataError(f"{error} (data of {plural(n_users, 'user')}); --split none trains on all of it") from None


def _is_implicit(parts: Mapping[str, Interactions]) -> bool:
    low, high = value_range(parts)
    return low == high


def _log_counts(part: Interactions) -> Interactions:
    """Return log(1 + count) in place of each count."""
    if part.n_ratings and (below := part.matrix.data < 0).any():
        if below.all():
            raise DataError(f"--counts takes numbers above 0, the highest is {part.matrix.data.max():g}")
        warn_caller(
            f"{np.count_nonzero(below):,} of {part.n_ratings:,} counts are below 0, such as "
            f"{part.matrix.data[below][0]:g}, as where more was returned than bought: they are left out"
        )
        part = part.keep(~below)
    if part.n_ratings and (part.matrix.data == 1).all():
        raise DataError("--counts: every count is 1; name the column of counts with --rating, or leave --counts out")
    matrix = part.matrix.copy()
    matrix.data = np.log1p(part.matrix.data)
    return replace(part, matrix=matrix)
