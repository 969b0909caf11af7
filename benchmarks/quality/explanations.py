"""Do explanations hold? Take the history items that `explain` names out of a history, or as many at random.

    python benchmarks/quality/explanations.py

MovieLens 100K, ratings of 4 and more, 150 users held out (`StrongGeneralization`, seed 0). For each of them the first
recommended item is explained; then its score is computed again without the three history items that contribute most,
and without three items drawn at random (the mean of ten draws). The fall of the score is given in standard deviations
of the user's scores, so that models compare. Of codes: `explain_code` names three units of the sparse code; the fall of
the score when the decoder reads the code without them, against three other active units at random.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_rel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec.datasets import load_dataset
from aerec.interactions import Interactions
from aerec.models import EASE, ELSA, MultVAE, SparseAutoencoder
from aerec.sparsity import TopKSparsity
from aerec.splitting import StrongGeneralization
from protocol import RESULTS, markdown, save, set_threads

N, DRAWS = 3, 10


def models() -> dict[str, Any]:
    """Return the models; only the sparse autoencoder has units that are few enough to name."""
    learned = {"epochs": 100, "progress": False}
    return {
        "EASE": EASE(l2=300.0),
        "ELSA": ELSA(n_factors=64, learning_rate=0.03, **learned),
        "Mult-VAE": MultVAE(hidden=200, **learned),
        "sparse autoencoder, 16 of 200 units": SparseAutoencoder(
            hidden=200, activation="relu", sparsity=TopKSparsity(16), **learned
        ),
    }


def main() -> None:
    """Fit, explain, take away, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    split = StrongGeneralization(n_users=150, seed=0).split(load_dataset("ml-100k").binarize(4.0))
    rows, details = [], []
    for name, model in models().items():
        model.fit(split.train, split.validation)
        falls = {"history items": fall_without_items(model, split.test.history)}
        if isinstance(model, SparseAutoencoder):
            falls["units of the code"] = fall_without_units(model, split.test.history)
        for what, (named, drawn) in falls.items():
            p = float(ttest_rel(named, drawn).pvalue)
            share = float((named > drawn).mean())
            rows.append(
                [
                    name,
                    what,
                    f"{named.mean():.3f}",
                    f"{drawn.mean():.3f}",
                    f"{share:.1%}",
                    f"{p:.0e}" if p > 1e-16 else "< 1e-16",
                ]
            )
            details.append({"model": name, "removed": what, "named": named.tolist(), "at_random": drawn.tolist()})
    header = ["model", "removed", "fall without the 3 named", "without 3 at random", "users with named > random", "p"]
    note = (
        f"\n\nMovieLens 100K, ratings of 4 and more; {len(details[0]['named'])} held-out users with at least {2 * N} "
        "history items. Falls in standard deviations of the user's scores; p: paired t-test. Models are not tuned."
    )
    save("explanations", "Do explanations hold?", markdown(header, rows) + note, {"falls": details}, given.out)


def fall_without_items(model: Any, history: Interactions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each user the fall of the first item's score without the items named, and without random ones."""
    named, drawn, rng = [], [], np.random.default_rng(0)
    for user in _long_enough(history):
        one = history.select_users([user])
        item = model.recommend(one, k=1)["item"].iloc[0]
        column = one.items.get_loc(item)
        full = model.score_items(one)[0]
        seen = one.items.take(one.matrix.indices)
        reasons = model.explain(one, item, n=N)["item"]
        random = [rng.choice(len(seen), N, replace=False) for _ in range(DRAWS)]
        without = [~seen.isin(reasons), *(~np.isin(np.arange(len(seen)), draw) for draw in random)]
        left = [full[column] - model.score_items(_keep(one, kept))[0, column] for kept in without]
        named.append(left[0] / full.std())
        drawn.append(np.mean(left[1:]) / full.std())
    return np.array(named), np.array(drawn)


def fall_without_units(model: Any, history: Interactions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the same for the units of the code."""
    named, drawn, rng = [], [], np.random.default_rng(0)
    for user in _long_enough(history):
        one = history.select_users([user])
        item = model.recommend(one, k=1)["item"].iloc[0]
        column = one.items.get_loc(item)
        full, code = model.score_items(one)[0], model.transform(one)
        units = model.explain_code(one, item, n=N)["unit"].to_numpy()
        active = np.flatnonzero(code[0])
        changed = np.repeat(code, 1 + DRAWS, axis=0)
        changed[0, units] = 0
        for draw in changed[1:]:
            draw[rng.choice(active, min(N, len(active)), replace=False)] = 0
        left = _logits(model, code)[0, column] - _logits(model, changed)[:, column]
        named.append(left[0] / full.std())
        drawn.append(left[1:].mean() / full.std())
    return np.array(named), np.array(drawn)


def _logits(model: Any, code: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the output layer makes of a code, before the likelihood turns it into probabilities."""
    logits: NDArray[np.float32] = code @ model.coefs_[-1] + model.intercepts_[-1]
    return logits


def _long_enough(history: Interactions) -> list[Any]:
    return history.users.take(np.flatnonzero(np.diff(history.matrix.indptr) >= 2 * N)).tolist()


def _keep(one: Interactions, kept: NDArray[np.bool_]) -> Interactions:
    """Return the history of one user with some of its items."""
    matrix = one.matrix.copy()
    matrix.data = np.where(kept, matrix.data, 0)
    matrix.eliminate_zeros()
    return Interactions(matrix, one.users, one.items)


if __name__ == "__main__":
    main()
