"""From the words of the command line to data: loading, preprocessing, and how it is split."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from aerec.datasets import load_parts
from aerec.errors import DataError, names_like
from aerec.files.memmap import is_mapped
from aerec.interactions import Interactions
from aerec.recommender.base import Recommender
from aerec.runs.folder import SPLITTERS, SplitPlan, whole

__all__ = [
    "MinPerItem",
    "MinPerUser",
    "Preprocessing",
    "SplitKind",
    "Threshold",
    "choose_split",
    "knows_users",
    "rates",
]

Threshold = Annotated[
    float,
    typer.Option(
        help="Ratings from here on count as liked, the rest is left out; for models that rank explicit ratings."
    ),
]
MinPerUser = Annotated[int, typer.Option(help="Leave out users with fewer ratings.")]
MinPerItem = Annotated[int, typer.Option(help="Leave out items with fewer ratings.")]
SplitKind = Annotated[
    str | None,
    typer.Option(
        "--split",
        help=f"How to hold data out: {', '.join(SPLITTERS)}, given (by the publisher) or none (train on all). "
        "By default given where there is such a split, random for models that know users or predict ratings, "
        "else strong.",
    ),
]


@dataclass(frozen=True)
class Preprocessing:
    """What is done to ratings before they are split; nothing to a given split but the threshold."""

    threshold: float | None
    min_per_user: int
    min_per_item: int

    def load(self, name_or_path: str, progress: bool) -> dict[str, Interactions]:
        """Return the data set in its parts, see `aerec.datasets.load_parts`."""
        parts = load_parts(name_or_path, progress=progress)
        mapped = any(is_mapped(part.matrix.data) for part in parts.values())
        if self.threshold is not None and not whole(parts).is_implicit:
            threshold = self.threshold
            parts = {name: part.binarize(threshold) for name, part in parts.items()}
        if "all" in parts:
            parts = {"all": parts["all"].filter(self.min_per_user, self.min_per_item)}
        if mapped and not any(is_mapped(part.matrix.data) for part in parts.values()):
            warnings.warn(
                "the ratings of the store were copied into memory: binarize and filter them in aerec import instead",
                stacklevel=2,
            )
        if not any(part.n_ratings for part in parts.values()):
            rules = ", ".join(f"{name} {value}" for name, value in self.describe().items() if value is not None)
            raise DataError(f"no rating of {name_or_path} is left with {rules}; ask for less")
        return parts

    def describe(self) -> dict[str, Any]:
        """Return what ``run.json`` says."""
        return {"threshold": self.threshold, "min_per_user": self.min_per_user, "min_per_item": self.min_per_item}


def rates(model: type[Recommender]) -> bool:
    """Whether a model predicts ratings, and so wants them as they are."""
    return hasattr(model, "predict")


def knows_users(model: Recommender) -> bool:
    """Whether a model learns something of each single user, and so does better on users it was trained on."""
    return type(model)._knows_users or bool(getattr(model, "user_factors", False))


def choose_split(kind: str | None, parts: dict[str, Interactions], model: Recommender, seed: int) -> SplitPlan:
    """Return the split that was asked for, or the one that suits data and model.

    Raises
    ------
    ValueError
        If there is no such way of splitting, or the data has no given split.
    """
    given = "all" not in parts
    if kind is None:
        kind = "given" if given else "random" if knows_users(model) or rates(type(model)) else "strong"
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
