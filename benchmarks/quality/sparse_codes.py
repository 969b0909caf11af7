"""What does sparsity cost? ELSA through a code of 2,048 units of which 64 are active; users known and unknown.

    python benchmarks/quality/sparse_codes.py
    python benchmarks/quality/sparse_codes.py --steer
    python benchmarks/quality/sparse_codes.py --vectors
    python benchmarks/quality/sparse_codes.py --vectors --paper
    python benchmarks/quality/sparse_codes.py --vectors --data gowalla --seeds 1

Known users: train, valid and test of ml-1m-implicit as given. Unseen users: MovieLens 1M, likes, `StrongGeneralization`
of 500 + 500 users, whom neither ELSA nor the sparse code has seen. Everything of the sparse code is at its default. The
loss is that of ndcg@20 beside the same ELSA, by seed, with a t interval of 95 % over seeds.

Names: genres and decades. Half of the films, drawn by the seed, have no part in the names; of them the 20 that stand
highest in a unit say whether its name holds. Only units that some user has active count.

With ``--steer``: do lists move as the name of a unit says? Of each feature that names units, the unit is taken in whose
items it is most common; the units are turned up and down for the unseen users, in multiples of their strength.

With ``--vectors``: item vectors of a tenth and a hundredth of the bytes, ELSA and SparseELSA at their defaults; with
``--paper`` both have the settings of `dense`. Vectors begin with `--begun` factors. The known users of ml-1m-implicit,
or Gowalla and Yelp2018 in the set-up of LightGCN (fitted on all that comes before test). Dense vectors have as many
bytes as sparse ones, with where their entries begin, or up to 3 more. Users a second: top 20 of all users. Seconds are
those of the processor, one thread.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lightgcn_splits
from aerec import evaluate
from aerec.datasets import load_dataset
from aerec.interactions import Interactions
from aerec.metrics import ndcg_at_k
from aerec.models import ELSA, SparseCode, SparseELSA
from aerec.splitting import StrongGeneralization
from protocol import RESULTS, markdown, save, set_threads
from top_n import load

METRICS = ("ndcg@20", "recall@20")
TOP = 20
OF_PAPER: dict[str, Any] = {"learning_rate": 0.1, "noise": None, "shrinkage": 0.0, "item_scale": 0.0}
TURNS = [-2.0, -1.0, 0.0, 1.0, 2.0, 4.0]


def main() -> None:
    """Train, choose, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steer", action="store_true")
    parser.add_argument("--vectors", action="store_true")
    parser.add_argument("--data", default="ml-1m-implicit", choices=["ml-1m-implicit", "gowalla", "yelp2018"])
    parser.add_argument("--kept", type=int, nargs="+", default=[128, 2], help="entries of a vector that are left")
    parser.add_argument("--begun", type=int, nargs="+", default=[256], help="factors that sparse vectors begin with")
    parser.add_argument("--epochs", type=int, help="of the sparse vectors, instead of the default")
    parser.add_argument("--paper", action="store_true", help="the settings of the paper, not the defaults")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    if given.vectors:
        name = f"sparse-vectors-{given.data}" + ("-paper" if given.paper else "")
        losses = [f"loss of {metric}" for metric in METRICS]
        header = ["model", *METRICS, *losses, "bytes of item vectors", "of the first", "users/s", "s"]
        points = []
        for seed in range(given.seeds):
            for point in vectors(given.data, seed, given):
                points.append(point)
                table = markdown(header, rows_of_vectors(points))
                save(name, f"Item vectors of few bytes, {given.data}", table, {"points": points}, given.out)
        return
    described = films()
    if given.steer:
        points = []
        header = ["turned by", "films with the name in the lists of 20", "ndcg@20", "units of all seeds"]
        for seed in range(given.seeds):
            points += steering(described, seed)
            table = markdown(header, rows_of_steering(points))
            save("sparse-steering", "Lists that are steered", table, {"points": points}, given.out)
        return
    points = []
    header = ["users", "ELSA ndcg@20", "through the code", "loss", "loss of recall@20", "units never active", "s"]
    splits = {
        "known": load("ml-1m-implicit"),
        "unseen": StrongGeneralization(n_users=500, seed=42).split(described),
    }
    for seed in range(given.seeds):
        for users, split in splits.items():
            elsa = dense(seed).fit(split.train)
            began = time.perf_counter()
            model = SparseCode(elsa, seed=seed, progress=False).fit(split.train)
            seconds = time.perf_counter() - began
            before, after = (evaluate(one, split.test, METRICS, n_resamples=1).mean for one in (elsa, model))
            point = {"users": users, "seed": seed, "seconds": seconds}
            point |= {"ELSA": dict(before), "SparseCode": dict(after), "dead": float((model.activity_ == 0).mean())}
            point |= names(model, described, seed) if users == "unseen" else {}
            points.append(point)
            print(point, flush=True)
        table = markdown(header, rows(points)) + "\n\n" + about_names(points) + f" {seed + 1} seeds."
        save("sparse-codes", "ELSA through 2,048 units, 64 active", table, {"points": points}, given.out)


def dense(seed: int) -> ELSA:
    """Return the model whose code is written anew."""
    paper = {**OF_PAPER, "user_norm": 1.0}
    return ELSA(n_factors=256, epochs=10, batch_size=128, ema_decay=0.0, seed=seed, progress=False, **paper)


def films() -> Interactions:
    """Return likes of MovieLens 1M with genres and decades."""
    data = load_dataset("ml-1m").binarize(4.0).filter(min_per_user=5)
    assert data.item_names is not None
    assert data.item_genres is not None
    year = data.item_names.reindex(data.items).str.extract(r"\((\d{3})\d\)")[0].fillna("unknown").to_numpy()
    genres = list(data.item_genres.reindex(data.items))
    return data.with_item_features(pd.DataFrame({"item": data.items, "genre": genres, "decade": year}))


def names(model: SparseCode, data: Interactions, seed: int) -> dict[str, Any]:
    """Return how often the names of units hold on films that had no part in them."""
    half = np.random.default_rng(seed).permutation(len(data.items))[: len(data.items) // 2]
    frame = model.name_units(data, TOP, held_out=data.items[half])
    frame = frame[model.activity_ > 0]
    means = frame[["precision", "lift", "held_out_precision", "held_out_lift"]].mean()
    holds = (frame["held_out_lift"] >= 2) & (frame["held_out_precision"] >= 0.5)
    return {"named": len(frame), **{name: float(value) for name, value in means.items()}, "holds": float(holds.mean())}


def steering(data: Interactions, seed: int) -> Iterator[dict[str, Any]]:
    """Give the share of items with the name of a unit, and ndcg, for units that are turned up and down."""
    assert data.item_features is not None
    split = StrongGeneralization(n_users=500, seed=42).split(data)
    model = SparseCode(dense(seed), seed=seed, progress=False).fit(split.train)
    frame = model.name_units(data, TOP)
    frame = frame[(model.activity_ > 0) & frame["name"].notna()].sort_values("precision", kind="stable")
    frame = frame.drop_duplicates("name", keep="last")
    names = list(data.feature_names)
    for unit, name in zip(frame["unit"], frame["name"], strict=True):
        has = data.item_features[:, [names.index(name)]].toarray().ravel() > 0
        for times in TURNS:
            steered = model.steer({int(unit): times * float(model.strength_[unit])})
            lists = steered.rank(split.test.history, TOP)[0]
            ndcg = float(np.nanmean(ndcg_at_k(lists, split.test.target.matrix, k=20)))
            point = {"seed": seed, "unit": int(unit), "name": name, "times": times, "ndcg@20": ndcg}
            yield {**point, "share": float(has[lists].mean()), "of_all": float(has.mean())}


def rows_of_steering(points: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Give a row for each strength: means over units, and over seeds."""
    frame = pd.DataFrame(points)
    for times, own in frame.groupby("times"):
        by_seed = own.groupby("seed")[["share", "ndcg@20"]].mean()
        share, ndcg = by_seed["share"], by_seed["ndcg@20"]
        about = (f"± {_half(share):.1%}", f"± {_half(ndcg):.4f}") if len(by_seed) > 1 else ("", "")
        yield [f"{times:+g}", f"{share.mean():.1%} {about[0]}", f"{ndcg.mean():.4f} {about[1]}", str(len(own))]


def rows(points: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Give a row for each kind of users: means over seeds."""
    for users in ("known", "unseen"):
        own = [point for point in points if point["users"] == users]
        losses = {
            metric: np.array([1 - point["SparseCode"][metric] / point["ELSA"][metric] for point in own])
            for metric in METRICS
        }
        means = [np.mean([point[model]["ndcg@20"] for point in own]) for model in ("ELSA", "SparseCode")]
        dead, seconds = (np.mean([point[name] for point in own]) for name in ("dead", "seconds"))
        shown = [f"{value.mean():.2%} ± {_half(value):.2%}" for value in losses.values()]
        yield [users, *(f"{mean:.4f}" for mean in means), *shown, f"{dead:.1%}", f"{seconds:.0f}"]


def about_names(points: list[dict[str, Any]]) -> str:
    """Say how well the names hold."""
    own = pd.DataFrame([point for point in points if "holds" in point])
    mean = own[["precision", "lift", "held_out_precision", "held_out_lift", "holds"]].mean()
    return (
        f"Of the {TOP} films that a unit was named by, {mean['precision']:.0%} have the name, {mean['lift']:.1f} times "
        f"as many as of all films; of the {TOP} that stand highest among the other half, "
        f"{mean['held_out_precision']:.0%}, {mean['held_out_lift']:.1f} times. {mean['holds']:.0%} of the units "
        "have a name that at least half of the held-out films have, and at least twice as many as of all."
    )


def vectors(data: str, seed: int, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Give quality, bytes and seconds of ELSA, and of smaller vectors, dense and sparse, of the same bytes each."""
    if data == "ml-1m-implicit":
        split = load(data)
        train, test = split.train, split.test
    else:
        _, _, test = lightgcn_splits.load(data)
        train = test.history
    options: dict[str, Any] = {"seed": seed, "progress": False}
    if given.paper:
        options |= {"epochs": 10, "batch_size": 128, "user_norm": 1.0, **OF_PAPER}
    of_dense = options | ({"ema_decay": 0.0} if given.paper else {})
    of_sparse = options | ({"epochs": given.epochs} if given.epochs else {})
    models: list[ELSA | SparseELSA] = [ELSA(256, **of_dense)]
    for n in given.kept:
        sparse = [SparseELSA(length, n, **of_sparse) for length in given.begun]
        begun = max(given.begun)
        size = n / 2 + min(n * (1 if begun <= 256 else 2), begun / 8) + 6  # bytes
        models += [ELSA(math.ceil(size / 4), **of_dense), *sparse]
    for model in models:
        began = time.process_time()
        model.fit(train)
        seconds = time.process_time() - began
        if isinstance(model, SparseELSA):
            size = sum(array.nbytes for array in (model.entries_, model.scales_, model.columns_, model.starts_))
        else:
            size = model.item_vectors_.nbytes
        of_them = f", {model.n_active} kept" if isinstance(model, SparseELSA) else ""
        shown = f"{type(model).__name__}({model.n_factors}{of_them})"
        began = time.process_time()
        model.rank(test.history, TOP)
        speed = test.history.shape[0] / (time.process_time() - began)
        mean = evaluate(model, test, (*METRICS, "plain_recall@20", "ndcg@100"), n_resamples=1).mean
        yield {"model": shown, "seed": seed, "mean": dict(mean), "bytes": size, "seconds": seconds, "speed": speed}


def rows_of_vectors(points: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Give a row for each model: means over seeds."""
    first = points[0]["model"]
    for model in dict.fromkeys(point["model"] for point in points):
        own = [point for point in points if point["model"] == model]
        means = [f"{np.mean([point['mean'][metric] for point in own]):.4f}" for metric in METRICS]
        losses = []
        for metric in METRICS:
            of_dense = {point["seed"]: point["mean"][metric] for point in points if point["model"] == first}
            shares = np.array([1 - point["mean"][metric] / of_dense[point["seed"]] for point in own])
            losses.append(f"{shares.mean():.2%}" + (f" ± {_half(shares):.2%}" if len(own) > 1 else ""))
        seconds, speed = (np.mean([point[name] for point in own]) for name in ("seconds", "speed"))
        size = own[0]["bytes"]
        share = f"{size / points[0]['bytes']:.1%}"
        yield [model, *means, *losses, f"{size:,}", share, f"{speed:,.0f}", f"{seconds:.0f}"]


def _half(values: Any) -> float:
    """Return half of the 95 % interval of a mean."""
    n = len(values)
    return float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0


if __name__ == "__main__":
    main()
