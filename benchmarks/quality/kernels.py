"""Do the compiled kernels of the training step change what is learned? Trainings with and without, same seeds.

    python benchmarks/quality/kernels.py

The given split of ml-1m-implicit, so many epochs without validation, in a process of its own for each training. What
the kernels change is to be small beside what another seed changes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from protocol import RESULTS, in_own_process, markdown, save, set_threads
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
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows, content = [], {"seeds": given.seeds, "epochs": EPOCHS, "models": {}}
    for name in EPOCHS:
        runs: dict[str, list[dict[str, Any]]] = {"without": [], "with": []}
        for seed in given.seeds:
            for kind, of_kind in runs.items():
                of_kind.append(in_own_process(measured, name, seed, kind == "with", given.threads))
                print(name, seed, kind, of_kind[-1], flush=True)
        content["models"][name] = runs
        metrics = {kind: np.array([run["metric"] for run in of_kind]) for kind, of_kind in runs.items()}
        seconds = {kind: sum(run["seconds"] for run in of_kind) for kind, of_kind in runs.items()}
        cells = [f"{metrics[kind].mean():.4f} ± {metrics[kind].std(ddof=1):.4f}" for kind in runs]
        largest = abs(metrics["with"] - metrics["without"]).max()
        rows.append([name, *cells, f"{largest:.4f}", f"{seconds['without'] / seconds['with']:.2f}"])
    header = ["model", "without", "with", "largest change with one seed", "times as fast, processor time of fits"]
    title = f"{METRIC} of trainings without and with the compiled kernels, {len(given.seeds)} seeds, ± between seeds"
    save("kernels", title, markdown(header, rows), content, given.out)


if __name__ == "__main__":
    main()
