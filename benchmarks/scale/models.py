"""Which models fit into 4 GB and an hour at five million users, a million items and 200 million ratings.

    python benchmarks/scale/models.py --hard-limit 4

Users, items and ratings grow together, fivefold from size to size, so that a slope of 1 is "as the data grow". Each fit
is a process of its own on one thread, which reads a store; with `--hard-limit` the system kills it beyond so many GB,
its share of the file cache included. Seconds are those of the processor. A model whose next size would take more than
`--longest` seconds, by the slope of its last two, is not run there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "speed"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from growth import slope
from out_of_core import measured

SIZES = [(40_000, 8_000, 1_600_000), (200_000, 40_000, 8_000_000), (1_000_000, 200_000, 40_000_000)]
SIZES += [(5_000_000, 1_000_000, 200_000_000)]
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "ItemKNN, 100 neighbours": ("item-knn", {"k": 100}),
    "RP3Beta, 100 neighbours": ("rp3-beta", {"k": 100}),
    "SparseEASE, 100 neighbours": ("sparse-ease", {"n_neighbors": 100}),
    "PureSVD, 64 factors": ("pure-svd", {"n_factors": 64}),
    "ELSA, 64 factors, an epoch in batches of 8,192": ("elsa", {"n_factors": 64, "epochs": 1, "batch_size": 8192}),
    "ELSA, the same from memory": ("elsa", {"n_factors": 64, "epochs": 1, "batch_size": 8192}),
    "MultDAE, 64 units, 2,000 negatives, an epoch": ("mult-dae", {"hidden": 64, "negatives": 2_000, "epochs": 1}),
}
_BLOCK = 200_000  # users made at once


def write_store(folder: str, size: tuple[int, int, int]) -> dict[str, Any]:
    """Write generated data as a store, a block of users at a time."""
    import pandas as pd

    from aerec.datasets.store.array_file import ArrayFile
    from aerec.datasets.store.folder import write_store_header

    n_users, n_items, n_ratings = size
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    starts, total = [np.zeros(1, dtype=np.int64)], 0
    with ArrayFile(path / "indices.npy", np.int32) as indices, ArrayFile(path / "data.npy", np.float32) as data:
        for number, start in enumerate(range(0, n_users, _BLOCK)):
            of_block = min(_BLOCK, n_users - start)
            users, items = draw(of_block, n_items, round(n_ratings * of_block / n_users), seed=number)
            indices.append(items)
            data.append(np.ones(len(items), dtype=np.float32))
            starts.append(np.cumsum(np.bincount(users, minlength=of_block)) + total)
            total += len(items)
    np.save(path / "indptr.npy", np.concatenate(starts).astype(np.int32))
    for name, number in (("users", n_users), ("items", n_items)):
        pd.DataFrame({"id": np.arange(number)}).to_parquet(path / f"{name}.parquet")
    write_store_header(path, n_users, n_items, total, {})
    return {"n_ratings": total}


def draw(n_users: int, n_items: int, n_ratings: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the users and items of about so many ratings, in order.

    As `generated.generated`: log-normal lengths, the item of rank r as popular as 1 / (r + 20)^0.9. Ranks are drawn by
    the inverse of the integral of that, and pairs that are drawn twice count once.
    """
    rng = np.random.default_rng(seed)
    activity = rng.lognormal(0, 1, n_users)
    users = np.repeat(np.arange(n_users), rng.poisson(activity * (n_ratings / activity.sum())))
    ends = np.array([20.0, 20.0 + n_items]) ** 0.1
    ranks = (ends[0] + rng.random(len(users), dtype=np.float32) * (ends[1] - ends[0])) ** 10 - 20
    pairs = np.sort(users * n_items + ranks.astype(np.int64).clip(0, n_items - 1))
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])]
    return np.divmod(pairs, n_items)


def fit(folder: str, model: str, params: dict[str, Any], from_memory: bool) -> dict[str, Any]:
    """Fit on a store, then rank some users."""
    import torch

    from aerec.datasets import open_store
    from aerec.interactions import Interactions
    from aerec.registry import get_model_class

    torch.set_num_threads(1)
    data = open_store(folder)
    if from_memory:
        data = Interactions(data.matrix.copy(), data.users, data.items)
    cls = get_model_class(model)
    quiet = {"progress": False} if "progress" in cls().get_params() else {}
    began, began_cpu = time.perf_counter(), time.process_time()
    recommender = cls(**params, **quiet).fit(data)
    found = {"fit_seconds": time.perf_counter() - began, "fit_cpu": time.process_time() - began_cpu}
    some = data.matrix[np.linspace(0, data.shape[0] - 1, 256).astype(int)]
    began_cpu = time.process_time()
    recommender.rank(some, 20)
    return {**found, "rank_ms": 1e3 * (time.process_time() - began_cpu) / 256}


def main() -> None:
    from protocol import RESULTS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="the smallest so many")
    parser.add_argument("--but", type=int, default=0, help="leave out the smallest so many of them")
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--add", nargs="*", type=Path, default=[], help="models.json of other models, to be joined")
    parser.add_argument("--hard-limit", type=float, help="GB that the system lets each fit have")
    parser.add_argument("--longest", type=float, default=3600.0, help="seconds")
    parser.add_argument("--work", type=Path, help="where data is kept; a temporary folder by default")
    parser.add_argument("--out", type=Path, default=RESULTS / "scale")
    given = parser.parse_args()
    limit = None if given.hard_limit is None else int(given.hard_limit * 1e9)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in given.models}
    others = [json.loads(path.read_text()) for path in given.add]
    with tempfile.TemporaryDirectory(prefix="aerec-models-") as temporary:
        work = given.work or Path(temporary)
        for number, size in list(enumerate(SIZES[: given.sizes] if found else []))[given.but :]:
            store = work / f"store-{number}"
            if not (store / "store.json").is_file():
                print(json.dumps(measured(write_store, str(store), size)), flush=True)
            for name, runs in found.items():
                expected = expected_seconds(runs, size)
                if expected > given.longest or (runs and "fit_cpu" not in runs[-1]):
                    runs.append({"size": size, "expected": expected})
                    continue
                try:
                    one = measured(fit, str(store), *MODELS[name], "memory" in name, limit=limit)
                except SystemExit:
                    one = {"died": True}
                runs.append({"size": size, **one})
                print(name, json.dumps(runs[-1]), flush=True)
            report(found, others, given)
    if not found:
        report(found, others, given)


def report(found: dict[str, list[dict[str, Any]]], others: list[dict[str, Any]], given: argparse.Namespace) -> None:
    """Write what there is, that of other runs too."""
    from protocol import markdown, save

    joined = {name: runs for other in others for name, runs in other["found"].items()} | found
    joined = {name: joined[name] for name in MODELS if name in joined}
    rows = [row for name, runs in joined.items() for row in table_rows(name, runs)]
    header = ["model", "users", "items", "ratings", "fit, s", "peak RssAnon, MB", "peak resident, MB", "rank, ms/user"]
    bound = f" within {given.hard_limit:g} GB" if given.hard_limit else ""
    title = f"Growth of the models, one thread, processor time{bound}"
    commits = [other["commit"] for other in others]
    content = {"hard_limit": given.hard_limit, "commits_of_parts": commits, "found": joined}
    save("models", title, markdown(header, rows), content, given.out)


def expected_seconds(runs: list[dict[str, Any]], size: tuple[int, int, int]) -> float:
    """Return the seconds that a size would take by the slope of the last two; 0 where there are not two."""
    done = [run for run in runs if "fit_cpu" in run][-2:]
    if len(done) < 2:
        return 0.0
    ratings, seconds = [float(run["size"][2]) for run in done], [run["fit_cpu"] for run in done]
    return float(seconds[-1] * (size[2] / ratings[-1]) ** slope(ratings, seconds))


def table_rows(name: str, runs: list[dict[str, Any]]) -> list[list[str]]:
    """Return the rows of a model: one a size, and the slopes."""
    rows = []
    done = [run for run in runs if "fit_cpu" in run]
    for run in runs:
        sizes = [name, *(f"{number:,}" for number in run["size"])]
        if run in done:
            peaks = [f"{run['peak'][key] / 1e6:,.0f}" for key in ("RssAnon", "VmHWM")]
            rows.append([*sizes, f"{run['fit_cpu']:,.1f}", *peaks, f"{run['rank_ms']:.2f}"])
        else:
            why = "killed: too little memory" if run.get("died") else "not run"
            why += f", {run['expected']:,.0f} expected" if run.get("expected") else ""
            rows.append([*sizes, why, "", "", ""])
    ratings = [float(run["size"][2]) for run in done]
    values = [[run["fit_cpu"] for run in done], *([run["peak"][key] for run in done] for key in ("RssAnon", "VmHWM"))]
    slopes = [f"{slope(ratings, one):.2f}" for one in (*values, [run["rank_ms"] for run in done])]
    return [*rows, [name, "", "", "slope", *slopes]]


if __name__ == "__main__":
    main()
