"""How far are metrics from the truth where people have not seen everything? A simulation with a known answer.

    python benchmarks/quality/exposure.py

What each person would like is drawn first: that is the truth. Each item has a chance to be seen, the same for all
people and independent of who would like it. Models learn from what was seen and liked in a first period, which is the
history as well; the target is what else was seen and liked in a second one. A metric of the target is compared with the
plain metric of all that people would like, seen or not. People are generated anew in each repetition.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.baselines import ItemKNN, Popularity
from aerec.evaluation import debiased_ndcg_at_k, debiased_recall_at_k, popularity_propensities
from aerec.holdout import Holdout
from aerec.interactions import Interactions
from aerec.models import EASE
from protocol import RESULTS, markdown, save, set_threads

ITEMS, FACTORS, K = 300, 5, 20
LEAST = 0.05  # chance of the item that is seen least
METRICS = {"recall": ("plain_recall", debiased_recall_at_k), "ndcg": ("ndcg", debiased_ndcg_at_k)}
ESTIMATES = (
    "plain",
    "SNIPS, true propensities",
    "SNIPS, popularity, γ = 1",
    "SNIPS, popularity, γ = ½",
    "IPS, true propensities, true number of relevant items",
)


def main() -> None:
    """Repeat, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    values = [
        {"repetition": repetition, **row}
        for repetition in range(given.repetitions)
        for row in measure(given.users, np.random.default_rng(repetition))
    ]
    frame = pd.DataFrame(values)
    rows = []
    for (metric, model), part in frame.groupby(["metric", "model"], sort=False):
        biases = [part[estimate] - part["truth"] for estimate in ESTIMATES]
        shown = [f"{bias.mean():+.3f} ± {1.96 * bias.std() / np.sqrt(len(bias)):.3f}" for bias in biases]
        rows.append([f"{metric}@{K}", model, f"{part['truth'].mean():.3f}", *shown])
    header = ["metric", "model", "truth", *(f"{estimate}: bias" for estimate in ESTIMATES)]
    note = (
        f"\n\n{given.repetitions} repetitions of {given.users:,} people and {ITEMS} items, of which the least seen has "
        f"a chance of {LEAST:g}. Mean differences to the truth with 95 % intervals. SNIPS is what "
        f"`evaluate(…, metrics=('snips_recall@{K}', 'snips_ndcg@{K}'), propensities=…)` gives; IPS needs to know how "
        "many items each person would like, which simulations do."
    )
    content = {"values": values}
    save("exposure", "Bias of metrics where not everything was seen", markdown(header, rows) + note, content, given.out)


def measure(n_users: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the truth and each estimate of it, by metric and model."""
    taste, items = rng.normal(size=(n_users, FACTORS)), rng.normal(size=(ITEMS, FACTORS)) / np.sqrt(FACTORS)
    likes = rng.random((n_users, ITEMS)) < 1 / (1 + np.exp(2.5 - 2 * taste @ items.T))
    chances = rng.permutation(np.geomspace(1.0, LEAST, ITEMS))
    first, second = (rng.random(likes.shape) < chances for _ in range(2))
    history = likes & first
    rest = likes & ~history
    train, complete, target = (interactions(part) for part in (history, rest, rest & second))
    found = []
    for name, model in {"Popularity": Popularity(), "ItemKNN": ItemKNN(), "EASE": EASE()}.items():
        model.fit(train)
        truth = evaluate(model, Holdout(train, complete), [f"{of}@{K}" for of, _ in METRICS.values()], n_resamples=1)
        plain = evaluate(model, Holdout(train, target), [f"{of}@{K}" for of, _ in METRICS.values()], n_resamples=1)
        ranking, _ = model.rank(train, K)
        for metric, (of, debiased) in METRICS.items():
            debias = f"snips_{metric}@{K}"
            snips = [
                evaluate(model, Holdout(train, target), debias, propensities=propensities, n_resamples=1)[debias]
                for propensities in (chances, *(popularity_propensities(train, gamma) for gamma in (1.0, 0.5)))
            ]
            ips = float(np.nanmean(debiased(ranking, target, chances, n_relevant=rest.sum(axis=1))))
            estimates = dict(zip(ESTIMATES, (plain[f"{of}@{K}"], *snips, ips), strict=True))
            found.append({"metric": metric, "model": name, "truth": truth[f"{of}@{K}"], **estimates})
    return found


def interactions(likes: np.ndarray[Any, Any]) -> Interactions:
    """Return a matrix of likes as ratings of 1."""
    return Interactions.from_matrix(sp.csr_array(likes.astype(np.float32)))


if __name__ == "__main__":
    main()
