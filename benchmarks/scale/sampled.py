"""Does a loss over sampled items learn as well as one over all: Mult-DAE on Gowalla, or a generated set of its shape.

All runs have the same data, seed and epochs; the loss over all items is the first line. Quality is measured on a fifth
of each user's items that were held out.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "speed"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import generated

from aerec import evaluate
from aerec.datasets import load_dataset
from aerec.models import MultDAE
from aerec.sparse import CSR
from evaluation import apart
from protocol import RESULTS, arguments, markdown, run_trials, save

METRICS = ("ndcg@100", "recall@20")


def data() -> tuple[CSR, str]:
    path = Path(os.environ.get("AEREC_DATA", "")) / "gowalla" / "train.txt"
    if path.is_file():
        return load_dataset(str(path)).matrix, "gowalla"
    return generated(29_858, 40_981, 719_081), "generated, of the shape of gowalla"


def fit(name: str, params: dict[str, Any]) -> dict[str, Any]:
    import torch

    torch.set_num_threads(params["threads"])
    history, target = apart(data()[0][: params["users"]])
    model = MultDAE(epochs=params["epochs"], negatives=params["negatives"], progress=False).fit(history)
    report = evaluate(model, (history, target), METRICS)
    return {"epoch_seconds": float(model.history_["seconds"].min()), **report.mean}


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], trials=1)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--users", type=int, default=10**9, help="only the first so many")
    parser.add_argument("--negatives", type=int, nargs="*", default=[500, 2_000, 8_000])
    parser.set_defaults(out=RESULTS / "scale")
    given: argparse.Namespace = parser.parse_args()
    shared = {"epochs": given.epochs, "threads": given.threads, "users": given.users}
    tasks = [(str(m or "all"), "mult-dae", {**shared, "negatives": m}) for m in (None, *given.negatives)]
    found = {trial.name: trial.found for trial in run_trials(fit, tasks, given.jobs, given.threads)}
    rows = [
        [name, *(f"{found[name][key]:.4f}" for key in METRICS), f"{found[name]['epoch_seconds']:.2f}"]
        for name, _, _ in tasks
    ]
    title = f"Sampled items in the loss of Mult-DAE, {data()[1]}, {given.epochs} epochs, {given.threads} threads"
    save(
        "sampled", title, markdown(["sampled items", *METRICS, "s/epoch"], rows), {**shared, "found": found}, given.out
    )


if __name__ == "__main__":
    main()
