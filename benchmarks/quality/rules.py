"""How near each default that follows the data is to the best of a grid.

The rules were adjusted by the validation parts of most of these sets: only Douban's ratings were not looked at before.

    python benchmarks/quality/rules.py [--models ease,pure-svd] [--sets gowalla]

Each penalty or shrinkage is multiplied by 1/8 … 8, of SLIM its l1; what counts is ndcg@20 on the validation part, for
BiasedMF the root mean squared error. The table says how much of the best of the grid the default has, and where in the
grid the best is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import Interactions, evaluate
from aerec.baselines import ALS, BPR, BSPM, NMF, SLIM, BiasedMF, PureSVD, RP3Beta
from aerec.closed_form.penalties import automatic_l1, automatic_l2
from aerec.datasets import generate_interactions, read_parts, read_ratings
from aerec.models import EASE, EDLAE, ELSA
from aerec.network.unit_rows import automatic_shrinkage
from aerec.splitting import RandomHoldout, Split
from protocol import RESULTS, commit, markdown, save, set_threads

FACTORS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
SETS = (  # name, users, items; None for all
    ("generated", 1000, 1500),
    ("ml-100k", None, None),
    ("ml-1m", 600, None),
    ("ml-1m", 3000, 1500),
    ("douban-monti", None, None),
    ("gowalla", 1000, 5000),
    ("gowalla", 8000, 6000),
    ("yelp2018", 1000, 5000),
    ("yelp2018", 8000, 6000),
    ("citeulike-a", 2500, 6000),
)


def main() -> None:
    """Fit every model over its grid on every set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="ease,edlae,pure-svd,als,nmf,rp3-beta,bpr,biased-mf,slim,bspm,elsa")
    parser.add_argument("--sets", default="", help="beginnings of names, separated by semicolons; all by default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(1)
    warnings.simplefilter("ignore")
    for name, n_users, n_items in SETS:
        folder = Path(os.environ.get("AEREC_DATA", "data")) / name
        if not name.startswith(tuple(given.sets.split(";"))) or not (name == "generated" or folder.is_dir()):
            continue
        label = name if n_users is None else f"{name}, {n_users:,} × {n_items or 'all'}"
        ratings = drawn(read(name, folder), n_users, n_items)
        for model in given.models.split(","):
            if model == "biased-mf" and ratings.matrix.data.min() == ratings.matrix.data.max():
                continue
            keep(given.out, measured(label, model, ratings))


def read(name: str, folder: Path) -> Interactions:
    """Read a set, with its ratings where it has some."""
    if name == "generated":
        return generate_interactions(1000, 1500, 60_000, seed=23)
    if name in ("gowalla", "yelp2018"):
        return Interactions.concat([part for part in read_parts(folder).values() if part is not None])
    return read_ratings(folder)


def drawn(ratings: Interactions, n_users: int | None, n_items: int | None) -> Interactions:
    """Return some of the users, and of their items, at random."""
    rng = np.random.default_rng(2023)
    if n_users is not None and n_users < ratings.shape[0]:
        ratings = ratings.select_users(ratings.users[np.sort(rng.choice(ratings.shape[0], n_users, replace=False))])
    seen = np.unique(ratings.matrix.indices)
    if n_items is not None and n_items < len(seen):
        seen = np.sort(rng.choice(seen, n_items, replace=False))
    return ratings.with_items(ratings.items[seen]).filter(min_per_user=5)


def measured(label: str, model: str, ratings: Interactions) -> dict[str, Any]:
    """Return what a model has at every point of its grid."""
    splitter = RandomHoldout(0.2, 0.1, seed=7, per_user=True)
    if model == "biased-mf":
        split, metric = splitter.split(ratings), "rmse"
    else:
        rated = ratings.matrix.data.min() < ratings.matrix.data.max()
        likes = ratings.binarize(4.0) if rated else ratings
        split, metric = splitter.split(likes.filter(min_per_user=5)), "ndcg@20"
    values = {}
    for setting, estimator in grid(model, split):
        report = evaluate(estimator.fit(split.train), split.validation, metric, n_resamples=10)
        values[setting] = report.mean[metric]
    default = values["1"]
    best = (min if metric == "rmse" else max)(values, key=lambda at: values[at])
    row = {"data": label, "model": model, "metric": metric, "default": default, "best": values[best], "at": best}
    print(row, flush=True)
    return row | {"grid": values, "commit": commit()}


def grid(model: str, split: Split) -> Iterator[tuple[str, Any]]:
    """Give the settings of a model, as multiples of its default, which is 1."""
    X = split.train.matrix
    if model == "bpr":
        for power in (0.0, 0.25, 0.5, 0.75, 1.0):
            yield f"{power / 0.5:g}", BPR(popularity_power=power)
        return
    if model == "rp3-beta":
        yield "1", RP3Beta()
        for beta in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
            yield f"beta {beta:g}", RP3Beta(beta=beta)
        return
    factorised = {"als": ALS, "nmf": NMF, "biased-mf": BiasedMF}
    usual = float(factorised[model]().fit(split.train).l2_[0]) if model in factorised else automatic_l2(X)
    for factor in FACTORS:
        if model in factorised:
            found: Any = factorised[model](l2=factor * usual)
        elif model in ("ease", "edlae", "pure-svd"):
            found = {"ease": EASE, "edlae": EDLAE, "pure-svd": PureSVD}[model](l2=factor * usual)
        elif model == "slim":
            found = SLIM(l1=factor * automatic_l1(X))
        elif model == "bspm":
            found = BSPM(shrinkage=factor * 3.0)
        else:
            found = ELSA(shrinkage=factor * automatic_shrinkage(X.shape[0], X.nnz), progress=False)
        yield f"{factor:g}", found


def keep(out: Path, new: dict[str, Any]) -> None:
    """Put a row into the result, in place of an earlier one of the same set and model, and write it."""
    path = out / "rules.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = [row for row in rows if (row["data"], row["model"]) != (new["data"], new["model"])] + [new]
    models = list(dict.fromkeys(row["model"] for row in rows))
    rows.sort(key=lambda row: models.index(row["model"]))
    cells = [
        [row["model"], row["data"], row["metric"], f"{row['default']:.4f}", f"{row['best']:.4f}", row["at"]]
        for row in rows
    ]
    header = ["model", "data", "metric", "default", "best of the grid", "at this multiple of the default"]
    save(
        "rules",
        "Defaults that follow the data, beside the best of a grid",
        markdown(header, cells),
        {"rows": rows},
        out,
    )


if __name__ == "__main__":
    main()
