"""How fast is aerec beside other libraries, at what memory? Everyone alone, one after another, on the same cores.

    python benchmarks/peers/environments.py     # once
    python benchmarks/speed/peers.py            # or in parts: --data … --parts … --models … --peers … --add

training: seconds per epoch (median without the first), peak memory, seconds of training until a fixed ndcg@20 on
validation data. recommend: users per second, 100 items for every user. metrics: seconds for recall@20 and ndcg@20 of
the same scores.
Rows of the results that are measured again replace those that are there; with ``--add`` the others stay.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

from aerec.baselines import PureSVD
from aerec.datasets import generate_interactions, read_parts
from aerec.datasets.catalogue import list_datasets
from launch import launch, start
from measure import LIBRARIES
from protocol import RESULTS, commit, machine_line, markdown, save

ADAM = {"batch_size": 500, "learning_rate": 1e-3}
RECBOLE = {"train_batch_size": 500}
WIDE = {**ADAM, "hidden": (600, 200)}
VAE = {**WIDE, "kl_weight": 0.2, "kl_annealing_steps": 2000}
CDAE = {**ADAM, "hidden": 200, "activation": "relu"}
AUTOREC = {**ADAM, "hidden": 500, "weight_decay": 0.0}
FLOAT32 = {"precision": "float32"}
# model → peer → (its name there, hyper-parameters). aerec takes bfloat16 factors where the hardware has them;
# "untouched" is at its defaults, but for the number of epochs.
TRAINING: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "mult-vae": {
        "aerec": ("mult-vae", VAE),
        "aerec untouched": ("mult-vae", {}),
        "aerec float32": ("mult-vae", {**VAE, **FLOAT32}),
        "dense": ("mult-vae", WIDE),
        "recbole": ("MultiVAE", {**RECBOLE, "latent_dimension": 400, "total_anneal_steps": 10_000}),
        "cornac": ("VAECF", {**ADAM, "k": 200, "autoencoder_structure": [600], "beta": 0.2}),
    },
    "mult-dae": {
        "aerec": ("mult-dae", WIDE),
        "aerec untouched": ("mult-dae", {}),
        "aerec float32": ("mult-dae", {**WIDE, **FLOAT32}),
        "dense": ("mult-dae", WIDE),
        "recbole": ("MultiDAE", {**RECBOLE, "latent_dimension": 200}),
    },
    "cdae": {
        "aerec": ("cdae", CDAE),
        "aerec untouched": ("cdae", {}),
        "aerec float32": ("cdae", {**CDAE, **FLOAT32}),
        "dense": ("cdae", CDAE),
        "recbole": ("CDAE", {**RECBOLE, "embedding_size": 200}),
    },
    "rec-vae": {
        "aerec": ("rec-vae", WIDE),
        "aerec untouched": ("rec-vae", {}),
        "aerec float32": ("rec-vae", {**WIDE, **FLOAT32}),
        "dense": ("rec-vae", WIDE),
        "recbole": ("RecVAE", RECBOLE),
        "cornac": ("RecVAE", {"batch_size": 500, "lr": 1e-3}),
    },
    "autorec": {
        "aerec": ("autorec", AUTOREC),
        "aerec float32": ("autorec", {**AUTOREC, **FLOAT32}),
        "dense": ("autorec", AUTOREC),
    },
    "ease": {
        "aerec": ("ease", {"l2": 500.0}),
        "dense": ("ease", {"l2": 500.0}),
        "recbole": ("EASE", {"reg_weight": 500.0}),
        "cornac": ("EASE", {"lamb": 500, "posB": False}),
        "irspack": ("DenseSLIMRecommender", {"reg": 500.0}),
    },
}
ALS = {"factors": 64, "regularization": 100.0, "alpha": 10.0}
RECOMMEND: dict[str, tuple[str, str, dict[str, Any]]] = {
    "implicit ALS, factors as trained": ("implicit", "ALS", ALS),
    "implicit ALS, histories folded in": ("implicit", "ALS", {**ALS, "recalculate_user": True}),
    "aerec ALS, histories folded in": ("aerec", "als", {"n_factors": 64, "l2": 100.0, "alpha": 10.0}),
    "aerec PureSVD, histories folded in": ("aerec", "pure-svd", {"n_factors": 64}),
    "aerec Mult-VAE": ("aerec", "mult-vae", VAE),
    "aerec EASE": ("aerec", "ease", {"l2": 500.0}),
}
# ndcg@20 on validation data at which training ends. On MovieLens 1M tuned models reach 0.21. On Gowalla linear ones
# reach 0.12, the targets are estimates. A model without one is trained for --epochs epochs; AutoRec does not rank.
TARGETS: dict[str, dict[str, float]] = {
    "ml-1m-implicit": {"mult-vae": 0.17, "mult-dae": 0.17, "cdae": 0.16, "rec-vae": 0.19},
    "gowalla": {"mult-vae": 0.08, "mult-dae": 0.08, "cdae": 0.07, "rec-vae": 0.09},
    "tiny": {"mult-vae": 0.15},
}


def _given(name: str) -> dict[str, Any]:
    found = list_datasets().set_index("name").loc[name, "available"]
    if not found:
        raise SystemExit(f"{name} is not on this machine; put it into $AEREC_DATA/{name}")
    parts = read_parts(found)
    users = parts["train"].users.union(parts["validation"].users)
    items = parts["train"].items.union(parts["validation"].items)
    return {part: parts[part].with_users(users).with_items(items).matrix for part in ("train", "validation")}


def _generated(n_users: int, n_items: int, n_ratings: int) -> dict[str, Any]:
    """Return implicit data of that shape, popularity by a power law; a tenth is for validation."""
    pairs = generate_interactions(n_users, n_items, n_ratings, seed=0).matrix.tocoo()
    chosen = np.random.default_rng(0).random(pairs.nnz) < 0.1
    ones = np.ones(pairs.nnz, dtype=np.float32)
    return {
        part: sp.csr_array((ones[mask], (pairs.row[mask], pairs.col[mask])), shape=pairs.shape)
        for part, mask in (("train", ~chosen), ("validation", chosen))
    }


DATA: dict[str, Callable[[], dict[str, Any]]] = {
    "tiny": cache(lambda: _generated(1000, 600, 60_000)),
    "ml-1m-implicit": cache(lambda: _given("ml-1m-implicit")),
    "gowalla": cache(lambda: _given("gowalla")),
    "ml-20m-shape": cache(lambda: _generated(136_677, 20_108, 10_000_000)),
}


def training(data: str, given: Any) -> list[dict[str, Any]]:
    """Measure every model of every peer."""
    rows = []
    for model, peers in TRAINING.items():
        for peer, (theirs, params) in peers.items():
            if _left_out(given, model, peer):
                continue
            target = TARGETS.get(data, {}).get(model)
            if target is not None and given.target is not None:
                target = given.target
            found = launch(
                peer.split()[0],
                theirs,
                params,
                DATA[data](),
                epochs=given.epochs if target is None else given.max_epochs,
                threads=given.threads,
                validate_from=None if target is None else given.epochs,
                target=target,
                timeout=given.timeout,
                cpu_time=given.cpu_time,
            )
            if "error" not in found:
                seconds = found["epoch_seconds"]
                found["epoch"] = float(np.median(seconds[1:] or seconds))
            rows.append({"model": model, "peer": peer, "params": params, "target": target, **found})
            _tell(data, rows[-1])
    return rows


def recommend(data: str, given: Any) -> list[dict[str, Any]]:
    """Measure how many users a second get 100 items; models of one epoch are good enough for that."""
    rows = []
    for name, (peer, model, params) in RECOMMEND.items():
        if _left_out(given, model.lower(), peer):
            continue
        found = launch(peer, model, params, DATA[data](), threads=given.threads, recommend=True, timeout=given.timeout)
        if "error" not in found:
            found["users_per_second"] = DATA[data]()["train"].shape[0] / found["recommend_seconds"]
        rows.append({"model": name, "peer": peer, "params": params, **found})
        _tell(data, rows[-1])
    return rows


def metrics(data: str, given: Any) -> list[dict[str, Any]]:
    """Measure how long the metrics take, on the scores of one PureSVD with 64 factors."""
    parts = DATA[data]()
    items = PureSVD(n_factors=64).fit(parts["train"]).item_factors_
    rows = []
    for library in LIBRARIES:
        peer = library.split(",")[0]
        if _left_out(given, "metrics", peer):
            continue
        with tempfile.TemporaryDirectory(prefix="aerec-peer-") as name:
            folder = Path(name)
            np.save(folder / "items.npy", items)
            np.save(folder / "users.npy", parts["train"] @ items)
            sp.save_npz(folder / "train.npz", sp.csr_matrix(parts["train"]), compressed=False)
            sp.save_npz(folder / "test.npz", sp.csr_matrix(parts["validation"]), compressed=False)
            job = {"library": library, "threads": given.threads}
            (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
            script = Path(__file__).resolve().parents[1] / "peers" / "measure.py"
            error = start(peer, script, folder, given.threads, given.timeout)
            found = {"error": error} if error else json.loads((folder / "result.json").read_text(encoding="utf-8"))
        rows.append({"model": "metrics", "peer": library, **found})
        _tell(data, rows[-1])
    return rows


PARTS = {"training": training, "recommend": recommend, "metrics": metrics}


def _left_out(given: Any, model: str, peer: str) -> bool:
    names = {peer, peer.split()[0]}
    return bool((given.models and model not in given.models) or (given.peers and not names & set(given.peers)))


def _tell(data: str, row: dict[str, Any]) -> None:
    shown = {key: row[key] for key in ("epoch", "reached", "users_per_second", "seconds", "error") if row.get(key)}
    print(f"{data:<15} {row['model']:<35} {row['peer']:<15} {shown}", flush=True)


def report(rows: list[dict[str, Any]], out: Path) -> None:
    """Write the tables and the JSON."""
    tables = []
    for data in DATA:
        for part, (header, cells) in _TABLES.items():
            chosen = [row for row in rows if (row["data"], row["part"]) == (data, part)]
            if chosen:
                body = markdown(
                    ["model", "library", *header], [[row["model"], row["peer"], *cells(row)] for row in chosen]
                )
                tables.append(f"## {data}: {part}\n\n{body}")
    made = set()
    for row in rows:
        clock = "processor" if row.get("cpu_time") else "clock"
        made.add(f"- {row['machine']}, {row['threads']} thread(s), {clock} time, commit {row['commit']}")
    note = (
        "Each row is a process of its own, alone on the machine. Memory is the peak of the whole process at the end of "
        "training, with what it had after loading its imports and the data in brackets. Times are of training alone: "
        "reading data, validation and ranking are not in them. 'aerec' takes bfloat16 factors in its matrix products "
        "where the processor has them, all others compute in float32. 'dense' is a plain loop over dense batches in "
        "PyTorch. AutoRec reads the implicit data as ratings of 1. Validation is on at most 5,000 users."
    )
    save(
        "speed-peers",
        "Speed beside other libraries",
        "\n\n".join([*tables, note, "\n".join(sorted(made))]),
        {"rows": rows},
        out,
    )


def _training_cells(row: dict[str, Any]) -> list[str]:
    if "error" in row:
        return ["–", "–", "–", f"failed: {row['error']}"]
    memory = f"{row['peak_mb']:,.0f} ({row['start_mb']:,.0f})"
    if row["target"] is None:
        return [f"{row['epoch']:.3g}", memory, "", f"{len(row['epoch_seconds'])} epoch(s)"]
    best = max(row["validation"].values())
    words = f"ndcg@20 {row['target']} in {len(row['epoch_seconds'])} epochs"
    if row["reached"] is None:
        return [f"{row['epoch']:.3g}", memory, "not reached", f"{words}: at most {best:.4f}"]
    return [f"{row['epoch']:.3g}", memory, f"{row['reached']:.3g}", words]


def _recommend_cells(row: dict[str, Any]) -> list[str]:
    return [f"failed: {row['error']}" if "error" in row else f"{row['users_per_second']:,.0f}"]


def _metrics_cells(row: dict[str, Any]) -> list[str]:
    if "error" in row:
        return ["–", "–", f"failed: {row['error']}"]
    recall = f"{row['recall']:.4f}" if "recall" in row else ""
    return [f"{row['seconds']:.3g}", recall, f"{row['ndcg']:.4f}"]


_TABLES: dict[str, tuple[list[str], Callable[[dict[str, Any]], list[str]]]] = {
    "training": (["s per epoch", "peak MB (at start)", "s to target", "of what"], _training_cells),
    "recommend": (["users per second"], _recommend_cells),
    "metrics": (["seconds", "recall@20", "ndcg@20"], _metrics_cells),
}


def main() -> None:
    """Measure part by part and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="*", choices=list(DATA), default=[name for name in DATA if name != "tiny"])
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--models", nargs="*", choices=list(TRAINING), help="for training; all by default")
    parser.add_argument("--peers", nargs="*", help="names of libraries; all by default")
    parser.add_argument("--epochs", type=int, default=3, help="epochs timed at least")
    parser.add_argument("--max-epochs", type=int, default=60, help="epochs in which the target may be reached")
    parser.add_argument("--target", type=float, help="ndcg@20 to reach, instead of that of the table")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cpu-time", action="store_true", help="epochs in the processor's time, on a busy machine")
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds that one process may take")
    parser.add_argument("--add", action="store_true", help="keep the other rows of the results that are there")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    path = given.out / "speed-peers.json"
    earlier = json.loads(path.read_text(encoding="utf-8"))["rows"] if given.add and path.exists() else []
    rows = {_key(row): row for row in earlier}
    for data in given.data:
        for part in given.parts:
            how = {
                "data": data,
                "part": part,
                "threads": given.threads,
                "cpu_time": given.cpu_time,
                "machine": machine_line(),
                "commit": commit(),
            }
            for row in PARTS[part](data, given):
                rows[_key({**how, **row})] = {**how, **row}
            report(list(rows.values()), given.out)


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return row["data"], row["part"], row["model"], row["peer"]


if __name__ == "__main__":
    main()
