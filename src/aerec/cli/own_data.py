"""A file of one's own to measure a run on: read and prepared as the run's data was, and divided as its users were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aerec.cli.data import Preprocessing, choose_split, rates, with_ids_like
from aerec.cli.kept import Kept
from aerec.datasets import load_dataset
from aerec.errors import DataError, plural, warn_caller
from aerec.holdout import Holdout, Split, is_rated_in
from aerec.id_kinds import union_of_ids
from aerec.ids import examples
from aerec.interactions import Interactions
from aerec.runs.folder import Run, whole
from aerec.sparse import column_counts

_KINDS = ("strong", "random", "last", "temporal")


@dataclass(frozen=True)
class OwnData:
    """What a run is measured on.

    Attributes
    ----------
    holdout : Holdout
    kept : Kept
    split : str
        How histories and targets were divided.
    """

    holdout: Holdout
    kept: Kept
    split: str


def divided_data(run: Run, source: str, preprocessing: Preprocessing, kind: str | None) -> OwnData:
    """Read `source` and hold out a part of the ratings of each of its users, in the way of the run or of `kind`.

    Ratings of items that the model does not know are left out, with a warning.
    """
    if kind is not None and kind not in _KINDS:
        raise ValueError(f"--split {kind!r} does not divide the ratings of a user; choose one of {', '.join(_KINDS)}")
    prepared = preprocessing.load(source, progress=False)
    _check_values(run, prepared.parts, source)
    parts = {name: with_ids_like(part, run.data) for name, part in prepared.parts.items()}
    if kind is None and "all" not in parts:
        holdout = Split.from_parts(parts["train"], parts["test"], parts.get("validation")).test
        return _checked(run, OwnData(holdout, prepared.kept, "given"))
    data = _known_items(run, whole(parts), source)
    plan = (
        run.plan if kind is None else choose_split(kind, {"all": data}, run.model, run.plan.parameters.get("seed", 0))
    )
    plan = plan.of_each_user()
    divided = plan.apply({"all": data})
    assert divided is not None
    return _checked(run, OwnData(divided.test, prepared.kept, str(plan)))


def given_holdout(run: Run, history: str, target: str, preprocessing: Preprocessing) -> OwnData:
    """Read what a model may see of each user, and what it must find, from two files.

    What is in both is history: a warning says how much that is.
    """
    given = {
        name: load_dataset(source, progress=False, **preprocessing.reading.options())
        for name, source in (("train", history), ("test", target))
    }
    prepared = preprocessing.prepare(given, f"{history} and {target}")
    _check_values(run, prepared.parts, f"{history} and {target}")
    seen, wanted = (with_ids_like(prepared.parts[name], run.data) for name in ("train", "test"))
    users, items = union_of_ids([seen.users, wanted.users], "user"), union_of_ids([seen.items, wanted.items], "item")
    seen, wanted = (part.with_users(users).with_items(items) for part in (seen, wanted))
    again = is_rated_in(wanted, seen)
    if again.any():
        warn_caller(
            f"{np.count_nonzero(again):,} of {wanted.n_ratings:,} ratings of {target} left out: {history} has them too"
        )
    return _checked(run, OwnData(Holdout(seen, wanted.keep(~again)), prepared.kept, "--history and --target"))


def _check_values(run: Run, parts: dict[str, Interactions], source: str) -> None:
    """Refuse ratings where the run saw none, and the other way round: the model would take them for something else."""
    explicit = [part for part in parts.values() if not part.is_implicit]
    predicts = rates(type(run.model))
    if predicts and not explicit and not run.data.is_implicit:
        raise DataError(f"{source} has no ratings, and the model of {run.path} predicts them: nothing to compare with")
    counts = bool(run.description.get("data", {}).get("counts"))
    if explicit and not predicts and not counts and run.data.is_implicit:
        values = np.concatenate([part.matrix.data for part in explicit])
        raise DataError(
            f"{source} has ratings from {values.min():g} to {values.max():g}, and {run.path} learned from rows that "
            "count as 1: give --threshold for the ratings that are likes, or --implicit to count every row"
        )


def _known_items(run: Run, data: Interactions, source: str) -> Interactions:
    """Return the ratings of items that the model knows."""
    items = run.items
    known = data.items.isin(items)
    lost = data.n_ratings - int(np.count_nonzero(known[data.matrix.indices]))
    if lost == data.n_ratings:
        raise DataError(
            f"the model of {run.path} knows no item of {source}, such as {examples(data.items, 2)}; its items are such "
            f"as {examples(items, 2)}"
        )
    if lost:
        n_items = int(np.count_nonzero(column_counts(data.matrix)[~known]))
        warn_caller(
            f"{lost:,} of {data.n_ratings:,} ratings of {source} left out: the model does not know their "
            f"{plural(n_items, 'item')}, such as {examples(data.items[~known], 2)}, and could never find them"
        )
    return data.with_items(items)


def _checked(run: Run, own: OwnData) -> OwnData:
    warn_of_trained(own.holdout.target, run.data if run.split is None else run.split.train)
    return own


def warn_of_trained(target: Interactions, trained: Interactions) -> None:
    """Warn of held-out ratings that a model was trained on."""
    seen = np.count_nonzero(is_rated_in(target, trained))
    if seen:
        warn_caller(
            f"{seen:,} of {target.n_ratings:,} held-out ratings are among those that the model was trained on, which "
            "makes the figures too good: measure on other users, or on later ratings"
        )
