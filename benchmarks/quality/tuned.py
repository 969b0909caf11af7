"""Every model by its own search: `tune` with the default space and as many trials for each, then seeds on test data.

    python benchmarks/quality/tuned.py --data ml-100k
    python benchmarks/quality/tuned.py --data ml-1m-implicit --models ease,elsa,mult-vae
    python benchmarks/quality/tuned.py --data ml-100k-u1 --models bias,biased-mf,autorec    # predicted ratings

No range is drawn by hand: what is searched is what `aerec tune MODEL` searches. Settings are chosen on validation data,
by ndcg@20 or RMSE; test data is measured once, by models that are fitted to the training part as in the search, with
the validation part for what stops early. "untouched" is the model at its defaults, with the first seed. Splits:
citeulike-a, ml-100k, 70/10/20 of each user's items; ml-1m-implicit as published, -strong with 500 + 500 users held out;
ml-100k-u1 and the others that predict ratings as in `rating_prediction.py`.

A run adds its rows to the result that is there, in place of those of the same model, each with its commit. Interval:
95 %, bootstrap over users, first seed; ±: standard deviation over seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import defaults
import rating_prediction
import top_n
from aerec import evaluate
from aerec.datasets import read_ratings
from aerec.evaluation import Report
from aerec.holdout import Split
from aerec.recommender.base import Recommender
from aerec.registry import get_model_class
from aerec.tuning import tune
from protocol import RESULTS, as_json, commit, markdown, save, set_threads

RANKING = ("plain_recall@20", "ndcg@20")
RATINGS = ("rmse", "mae")
RANKED = (
    *("popularity", "item-knn", "user-knn", "rp3-beta", "bspm", "pure-svd", "nmf", "als", "bpr", "slim"),
    *("ease", "edlae", "low-rank-edlae", "sparse-ease", "elsa", "sparse-elsa"),
    *("sparse-autoencoder", "denoising-autoencoder", "cdae", "mult-dae", "mult-vae", "rec-vae"),
)
RATED = ("bias", "biased-mf", "autorec", "kernel-autorec")
SETS = ("ml-100k", "citeulike-a", "ml-1m-implicit", "ml-1m-implicit-strong", *rating_prediction.SETS)


def load(data: str) -> Split:
    """Return the split."""
    if data in rating_prediction.SETS:
        return rating_prediction.load(data, 0)
    if data in top_n.SETS:
        return top_n.load(data)
    found = read_ratings(Path(os.environ.get("AEREC_DATA", "data")) / data)
    return defaults.divided(found.binarize(4.0) if data == "ml-100k" else found)


def main() -> None:
    """Search, fit with seeds, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=SETS, required=True)
    parser.add_argument("--models", help="by default all that rank, or predict ratings")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    warnings.simplefilter("ignore")
    metrics, models = (RATINGS, RATED) if given.data in rating_prediction.SETS else (RANKING, RANKED)
    split = load(given.data)
    for name in given.models.split(",") if given.models else models:
        keep(given.out, given.data, metrics, models, found_by(name, split, metrics, given.trials, given.seeds))


def found_by(name: str, split: Split, metrics: tuple[str, ...], trials: int, seeds: int) -> dict[str, Any]:
    """Search for the settings of a model, and measure it on test data."""
    kind = get_model_class(name)
    began = time.process_time()
    best, n_trials = kind(), 0
    if kind.search_space:
        result = tune(name, split, trials=trials, metric=metrics[-1] if metrics == RANKING else "rmse", progress=False)
        best, n_trials = result.best_model, len(result.trials)
    of_search = time.process_time() - began
    reports, seconds = [], []
    for seed in range(seeds if "seed" in kind().get_params() else 1):
        report, of_fit = measured(best, split, metrics, seed)
        reports.append(report)
        seconds.append(of_fit)
    untouched, _ = measured(kind(), split, metrics, 0)
    usual = kind().get_params(deep=False)
    return {
        "model": name,
        "settings": {
            key: as_json(value)
            for key, value in best.get_params(deep=False).items()
            if repr(value) != repr(usual[key]) and key != "validation_metric"
        },
        "trials": n_trials,
        "search_seconds": of_search,
        "fit_seconds": float(np.mean(seconds)),
        "seeds": [report.mean for report in reports],
        "first": reports[0].to_dict(),
        "untouched": untouched.mean,
        "commit": commit(),
    }


def measured(model: Recommender, split: Split, metrics: tuple[str, ...], seed: int) -> tuple[Report, float]:
    """Fit a model with a seed; return its report on test data and the processor seconds of the fit."""
    known = model.get_params(deep=False)
    changes = {"seed": seed, "progress": False, "validation_metric": metrics[-1] if metrics == RANKING else None}
    fitted = type(model)(**{**known, **{key: value for key, value in changes.items() if key in known}})
    began = time.process_time()
    fitted.fit(split.train, validation=split.validation)
    return evaluate(fitted, split.test, metrics), time.process_time() - began


def keep(out: Path, data: str, metrics: tuple[str, ...], order: tuple[str, ...], row: dict[str, Any]) -> None:
    """Put a row into the result of a data set, in place of an earlier one of the model, and write it."""
    rows = {row["model"]: row}
    if (path := out / f"tuned-{data}.json").exists():
        rows = {line["model"]: line for line in json.loads(path.read_text())["rows"]} | rows
    ordered = sorted(rows.values(), key=lambda line: order.index(line["model"]))
    header = ["model", *metrics, "untouched", "", "trials", "search s", "fit s", "commit", "settings"]
    cells = []
    for line in ordered:
        figures = []
        for metric in metrics:
            values = [seed[metric] for seed in line["seeds"]]
            spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
            low, high = line["first"]["metrics"][metric]["interval"]
            figures.append(f"{np.mean(values):.4f}{spread} [{low:.4f}, {high:.4f}]")
        untouched = [f"{line['untouched'][metric]:.4f}" for metric in metrics]
        effort = [line["trials"], f"{line['search_seconds']:.0f}", f"{line['fit_seconds']:.1f}", line["commit"]]
        settings = ", ".join(f"{key}={value}" for key, value in line["settings"].items()) or "defaults"
        cells.append([line["model"], *figures, *untouched, *effort, settings])
    save(f"tuned-{data}", f"Every model by its own search, {data}", markdown(header, cells), {"rows": ordered}, out)


if __name__ == "__main__":
    main()
