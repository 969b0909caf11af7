"""RMSE of models of ratings at their defaults, fitted to random 90 % without validation data.

python benchmarks/quality/defaults_rating.py [--sets ml-1m] [--models biased-mf] [--splits 3]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.datasets import read_ratings
from aerec.registry import get_model_class
from aerec.splitting import RandomHoldout
from protocol import RESULTS, commit, markdown, save, set_threads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=["ml-100k", "ml-1m", "douban-monti"])
    parser.add_argument("--models", nargs="+", default=["bias", "biased-mf", "autorec", "kernel-autorec"])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(1)
    warnings.simplefilter("ignore")
    path = given.out / "defaults-rating.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    for data in given.sets:
        ratings = read_ratings(Path(os.environ.get("AEREC_DATA", "data")) / data)
        for name in given.models:
            errors, seconds = [], 0.0
            for seed in range(given.splits):
                split = RandomHoldout(0.1, validation_fraction=0.0, seed=seed).split(ratings)
                model = get_model_class(name)()
                if "progress" in model.get_params():
                    model.set_params(progress=False)
                began = time.process_time()
                model.fit(split.train)
                seconds += time.process_time() - began
                errors.append(evaluate(model, split.test, "rmse", n_resamples=10)["rmse"])
                print(data, name, seed, errors[-1], flush=True)
            new = {"data": data, "model": name, "rmse": errors, "seconds": seconds / given.splits, "commit": commit()}
            rows = [row for row in rows if (row["data"], row["model"]) != (data, name)] + [new]
            rows.sort(key=lambda row: row["data"])
            cells = []
            for row in rows:
                mean = f"{np.mean(row['rmse']):.4f} ± {np.std(row['rmse']):.4f}"
                cells.append(
                    [row["data"], row["model"], mean, len(row["rmse"]), f"{row['seconds']:.1f}", row["commit"]]
                )
            header = ["data", "model", "RMSE, ± between splits", "splits", "fit s", "commit"]
            title = "Models of ratings at their defaults, random 90/10, without validation data"
            save("defaults-rating", title, markdown(header, cells), {"rows": rows}, given.out)


if __name__ == "__main__":
    main()
