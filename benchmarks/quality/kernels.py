"""Do the compiled kernels of the training step change what is learned? Trainings with and without, same seeds.

    python benchmarks/quality/kernels.py

The given split of ml-1m-implicit, so many epochs without validation, in a process of its own for each training. What
the kernels change is to be small beside what another seed changes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from protocol import RESULTS, commit, in_own_process, markdown, save, set_threads
from top_n import load

EPOCHS = {"MultVAE": 10, "MultDAE": 10, "RecVAE": 4}
METRIC = "ndcg@100"


def measured(name: str, seed: int, native: bool, threads: int) -> dict[str, Any]:
    """Return the test metric of one training, and its seconds of processor time."""
    os.environ["AEREC_NATIVE"] = "1" if native else "0"
    from aerec import evaluate, models
    from aerec.native.loader import describe, is_used

    assert is_used() == native, describe()
    set_threads(threads)
    split = load()
    model = getattr(models, name)(epochs=EPOCHS[name], batch_size=500, seed=seed, progress=False, device="cpu")
    began = time.process_time()
    model.fit(split.train)
    seconds = time.process_time() - began
    return {"metric": evaluate(model, split.test, [METRIC])[METRIC], "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(EPOCHS), help="their rows are made anew, others stay")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    path = given.out / "kernels.json"
    models = json.loads(path.read_text())["models"] if path.exists() else {}
    for name in given.models:
        runs: dict[str, list[dict[str, Any]]] = {"without": [], "with": []}
        for seed in given.seeds:
            for kind, of_kind in runs.items():
                of_kind.append(in_own_process(measured, name, seed, kind == "with", given.threads))
                print(name, seed, kind, of_kind[-1], flush=True)
        models[name] = {**runs, "seeds": given.seeds, "commit": commit()}
        keep(given.out, models)


def keep(out: Path, models: dict[str, Any]) -> None:
    """Write what was measured of the models, earlier or now."""
    rows = []
    for name, runs in models.items():
        metrics = {kind: np.array([run["metric"] for run in runs[kind]]) for kind in ("without", "with")}
        seconds = {kind: sum(run["seconds"] for run in runs[kind]) for kind in metrics}
        cells = [f"{of_kind.mean():.4f} ± {of_kind.std(ddof=1):.4f}" for of_kind in metrics.values()]
        largest = abs(metrics["with"] - metrics["without"]).max()
        ratio = f"{seconds['without'] / seconds['with']:.2f}"
        rows.append([name, len(runs["seeds"]), *cells, f"{largest:.5f}", ratio, runs["commit"]])
    header = ["model", "seeds", "without", "with", "largest change with one seed"]
    header += ["times as fast, processor time of fits", "commit"]
    title = f"{METRIC} of trainings without and with the compiled kernels, ± between seeds"
    save("kernels", title, markdown(header, rows), {"epochs": EPOCHS, "models": models}, out)


if __name__ == "__main__":
    main()
