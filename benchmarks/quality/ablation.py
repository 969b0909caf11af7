"""Do noise and sparsity earn their place? Every noise with every penalty on the code, tuned alike.

    python benchmarks/quality/ablation.py

The same one-layer autoencoder (multinomial likelihood) on the MovieLens 1M implicit split, for each of no noise,
masking and Gaussian noise with each of no penalty, L1, KL and top-k. Each of the twelve gets the same number of
settings, chosen by ndcg@20 on validation data. Beside the quality stands how sparse the code is: the share of units at
rest (within 5 % of the range from 0; for tanh also from -1, where KL puts them) and Hoyer's sparsity of |z|.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.registry import get_model_class
from aerec.sparsity import KLSparsity, L1Sparsity, TopKSparsity
from protocol import Space, arguments, markdown, run_trials, save, search, seeded, set_threads
from top_n import load

NOISES: dict[str, list[Any]] = {
    "none": [None],
    "masking": [MaskingNoise(p) for p in (0.2, 0.4, 0.6, 0.8)],
    "Gaussian": [GaussianNoise(s) for s in (0.02, 0.05, 0.1, 0.2)],  # an entry of a normalised row is about 0.1
}
PENALTIES: dict[str, list[Any]] = {
    "none": [None],
    "L1": [L1Sparsity(w) for w in (0.01, 0.03, 0.1, 0.3)],
    "KL": [KLSparsity(t, w) for t in (0.05, 0.2) for w in (0.01, 0.1)],
    "top-k": [TopKSparsity(k) for k in (25, 50, 100)],
}
METRICS = ("plain_recall@20", "ndcg@20")


def spaces() -> list[Space]:
    """Return one space for each cell of the table."""
    fixed = {"epochs": 100, "patience": 5, "validation_metric": "ndcg@20", "normalize": True, "progress": False}
    fixed |= {"hidden": 200, "batch_size": 256, "learning_rate": 1e-3, "likelihood": "multinomial"}
    return [
        Space(
            "autoencoder",
            {
                "noise": noises,
                "sparsity": penalties,
                "weight_decay": [1e-4, 3e-4, 1e-3, 3e-3],
                "activation": ["sigmoid", "tanh"],
            },
            fixed,
            label=f"{noise} / {penalty}",
        )
        for noise, noises in NOISES.items()
        for penalty, penalties in PENALTIES.items()
    ]


def fit(model: str, params: dict[str, Any], threads: int, test: bool) -> dict[str, Any]:
    """Fit and measure on validation data, and on test data where asked to."""
    set_threads(threads)
    split = load()
    recommender: Any = get_model_class(model)(**params).fit(split.train, split.validation)
    assert split.validation is not None
    found: dict[str, Any] = {"validation": evaluate(recommender, split.validation, "ndcg@20", n_resamples=1)["ndcg@20"]}
    if test:
        found["report"] = evaluate(recommender, split.test, METRICS).to_dict()
        found |= _sparsity(recommender.transform(split.train), params["activation"])
    return found


def _sparsity(code: np.ndarray[Any, Any], activation: str) -> dict[str, float]:
    """Share of units at rest, and the mean over users of Hoyer's measure (0: all alike, 1: one unit only)."""
    width = 2.0 if activation == "tanh" else 1.0
    at_rest = np.abs(code) < 0.05 * width
    if activation == "tanh":
        at_rest |= code < -1 + 0.05 * width
    size = np.sqrt(code.shape[1])
    norms = np.maximum(np.linalg.norm(code, axis=1), 1e-12)
    return {
        "at_rest": float(at_rest.mean()),
        "hoyer": float(np.mean((size - np.abs(code).sum(axis=1) / norms) / (size - 1))),
    }


def main() -> None:
    """Tune each cell, fit with the seeds, report."""
    parser = arguments(__doc__ or "", trials=6)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1])
    given = parser.parse_args()
    run = functools.partial(fit, threads=given.threads)
    tune = functools.partial(run, test=False)
    best = search(spaces(), tune, n_trials=given.trials, jobs=given.jobs, threads=given.threads)
    tasks = [
        (name, trial.model, seeded(trial.model, trial.params, seed))
        for name, trial in best.items()
        for seed in given.seeds
    ]
    final = run_trials(functools.partial(run, test=True), tasks, given.jobs, given.threads)
    rows, details = [], []
    for name, trial in best.items():
        runs = [one.found for one in final if one.name == name]
        noise, penalty = name.split(" / ")
        values = [[one["report"]["metrics"][metric]["mean"] for one in runs] for metric in METRICS]
        rows.append(
            [
                noise,
                penalty,
                f"{trial.found['validation']:.4f}",
                *(f"{np.mean(each):.4f}" for each in values),
                *(f"{np.mean([one[what] for one in runs]):.2f}" for what in ("at_rest", "hoyer")),
                ", ".join(f"{key}={trial.params[key]}" for key in ("noise", "sparsity", "weight_decay", "activation")),
            ]
        )
        details.append({"name": name, "tuned": trial.params, "validation": trial.found["validation"], "runs": runs})
    header = ["noise", "penalty", "validation ndcg@20", *METRICS, "units at rest", "Hoyer", "chosen"]
    note = (
        f"\n\n{given.trials} settings per row by ndcg@20 on validation; mean over seeds {given.seeds}; 200 units, "
        "multinomial likelihood, normalised input, Adam 1e-3, batches of 256."
    )
    content = {"cells": details, "trials": given.trials}
    save(
        "ablation",
        "Noise and sparsity, MovieLens 1M implicit, given split",
        markdown(header, rows) + note,
        content,
        given.out,
    )


if __name__ == "__main__":
    main()
