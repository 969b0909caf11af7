"""Whether a count should be the value of a rating, its weight, or nothing.

    python benchmarks/quality/counts.py

Counts of plays are drawn for the ratings of MovieLens 100K: lognormal around a level of each user, and once rising with
the stars ("taste"), once not ("chance"). Every rating is a like, a fifth of each user's is for test. The models are at
their defaults, early stopping is on a tenth. ndcg@20; what is ranked is whether an item was played at all.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import Interactions, evaluate
from aerec.datasets import read_ratings
from aerec.errors import DataError
from aerec.registry import get_model_class
from aerec.splitting import RandomHoldout, Split
from protocol import RESULTS, markdown, save, set_threads

MODELS = ("ease", "elsa", "mult-dae", "item-knn", "pure-svd", "als")


def with_values(plays: Interactions, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Interactions:
    """Return what the counts are changed to, as values."""
    matrix = plays.matrix.copy()
    matrix.data = change(matrix.data).astype(np.float32)
    return replace(plays, matrix=matrix)


READINGS: dict[str, Callable[[Interactions], Interactions]] = {
    "1 (--implicit)": lambda plays: with_values(plays, np.ones_like),
    "log(1 + count) (--counts)": lambda plays: with_values(plays, np.log1p),
    "1 + log(count)": lambda plays: with_values(plays, lambda counts: 1 + np.log(counts)),
    "1, weight log(1 + count)": lambda plays: with_values(plays, np.log1p).values_as_weights(),
    "1, weight 1 + log(count)": lambda plays: with_values(plays, lambda c: 1 + np.log(c)).values_as_weights(),
}


def drawn(ratings: Interactions, by_stars: float, spread: float) -> Interactions:
    """Return counts of plays in place of stars."""
    rng = np.random.default_rng(5)
    lengths = np.diff(ratings.matrix.indptr)
    level = np.repeat(rng.normal(0, 0.8, len(lengths)), lengths)
    noise = rng.normal(0, spread, ratings.n_ratings)
    return with_values(ratings, lambda stars: np.ceil(np.exp(1 + by_stars * (stars - 3) + level + noise)))


def measured(name: str, split: Split, read: Callable[[Interactions], Interactions]) -> float | None:
    """Return ndcg@20 on test; None where the model takes no weights."""
    train = read(split.train)
    assert split.validation is not None
    model = get_model_class(name)()
    if "progress" in model.get_params():
        model.set_params(progress=False)
    try:
        model.fit(train, validation=replace(split.validation, history=train))
    except (DataError, ValueError):
        if train.weights is None:
            raise
        return None
    return float(evaluate(model, replace(split.test, history=train), "ndcg@20", n_resamples=10)["ndcg@20"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(1)
    warnings.simplefilter("ignore")
    ratings = read_ratings(Path(os.environ.get("AEREC_DATA", "data")) / "ml-100k")
    content: dict[str, Any] = {}
    rows = []
    for kind, (by_stars, spread) in {"taste": (0.6, 1.2), "chance": (0.0, 1.5)}.items():
        plays = drawn(ratings, by_stars, spread)
        split = RandomHoldout(0.2, 0.1, seed=1, per_user=True).split(plays)
        for name in given.models:
            found = {label: measured(name, split, read) for label, read in READINGS.items()}
            content[f"{kind}, {name}"] = found
            rows.append([kind, name, *("" if value is None else f"{value:.4f}" for value in found.values())])
            print(rows[-1], flush=True)
    title = "Counts as values, as weights, or not at all: ndcg@20"
    save("counts", title, markdown(["counts say", "model", *READINGS], rows), content, given.out)


if __name__ == "__main__":
    main()
