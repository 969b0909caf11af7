"""`--warm-from`: a training that begins with what another run has learned, on data that has grown since."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import has_fit_parameter

from aerec.cli.data import with_ids_like
from aerec.cli.own_data import warn_of_trained
from aerec.errors import DataError, warn_caller
from aerec.ids import examples
from aerec.interactions import Interactions
from aerec.recommender.base import Recommender
from aerec.registry import model_name
from aerec.runs.folder import Run, SplitPlan, kept_users, read_run


@dataclass(frozen=True)
class FormerRun:
    """The run that a training goes on from.

    Attributes
    ----------
    run : Run
    """

    run: Run

    @classmethod
    def open(cls, path: str | Path, model: Recommender) -> FormerRun:
        """Open a run whose model `model` can go on from.

        Raises
        ------
        ValueError
            If it is another kind of model, or one that always begins anew.
        """
        if not has_fit_parameter(model, "warm_start"):
            raise ValueError(
                f"{type(model).__name__} cannot begin with what another run has learned: leave out --warm-from "
                "to train it anew"
            )
        run = read_run(path)
        if type(run.model) is not type(model):
            raise ValueError(
                f"{path} holds a {model_name(run.model)}, which a {model_name(model)} cannot begin with: "
                f"give --model {model_name(run.model)}, or leave out --warm-from"
            )
        return cls(run)

    def divisible(self, parts: dict[str, Interactions], plan: SplitPlan) -> dict[str, Interactions]:
        """Return `parts` such that the users held out from the run, if they were, are held out again.

        Raises
        ------
        DataError
            If the run knows none of the items.
        """
        parts = {name: with_ids_like(part, self.run.data) for name, part in parts.items()}
        items = next(iter(parts.values())).items
        if not items.isin(self.run.items).any():
            raise DataError(
                f"{self.run.path} has learned nothing of these items, such as {examples(items, 2)}; it knows items "
                f"such as {examples(self.run.items, 2)}: leave out --warm-from"
            )
        former = self.run.split
        learned = (self.run.data if former is None else former.train).users
        for part in parts.values():
            learned = learned[~learned.isin(part.users)]
        if len(learned):
            warn_caller(
                f"{len(learned):,} users of {self.run.path}, such as {examples(learned, 1)}, are not in these data: "
                "what was learned from them stays; leave out --warm-from to forget them"
            )
        if plan.kind == "strong" and "all" in parts and former is not None:
            held_out_again = kept_users(parts["all"], plan, former)
            if held_out_again["test-target"].n_ratings:
                return held_out_again
        return parts

    def warn_of_trained(self, target: Interactions) -> None:
        """Warn of held-out ratings that the run was trained on."""
        warn_of_trained(target, self.run.data if self.run.split is None else self.run.split.train)

    def model(self, parameters: Mapping[str, Any]) -> Recommender:
        """Return the model of the run with other parameters, to be fitted with ``warm_start=True``."""
        return copy.copy(self.run.model).set_params(**parameters)

    def describe(self, data: Interactions) -> dict[str, Any]:
        """Return how much of the items of `data` the run knows."""
        known = int(np.count_nonzero(data.items.isin(self.run.items)))
        return {"run": str(self.run.path), "items": {"known": known, "new": data.n_items - known}}
