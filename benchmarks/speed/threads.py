"""What do two threads gain over one, and two processes beside them: clock time, the shortest of some rounds in turns.

    python benchmarks/speed/threads.py

Epochs of the training are those that the command line writes into its history, with validation. Wants a machine with
two cores that does nothing else: what does takes from the second thread first.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import ml_1m_implicit
from neighbours import gowalla
from timing import interleaved

from aerec.baselines import ItemKNN
from aerec.models import EASE, ELSA
from protocol import RESULTS, markdown, save, set_threads

MODELS = {"mult-vae": ["--set", "hidden=600,200", "--set", "batch_size=500"], "elsa": ["--set", "batch_size=500"]}


def epoch(model: str, data: str, processes: int, threads: int) -> float:
    """Return the seconds of the shortest epoch of a training through the command line."""
    command = [sys.executable, "-m", "aerec"]
    if processes > 1:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command += ["-m", "aerec"]
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    with tempfile.TemporaryDirectory() as folder:
        options = [*MODELS[model], "--set", "patience=none", "--epochs", "4", "--quiet", "--out", f"{folder}/run"]
        whole = [*command, "train", data, "--model", model, *options]
        subprocess.run(whole, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with Path(folder, "run", "history.csv").open() as stream:
            return min(float(row["seconds"]) for row in csv.DictReader(stream))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", default="ml-1m-implicit", help="of the trainings")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    rows: list[list[str]] = []
    content: dict[str, Any] = {}

    def add(what: str, found: dict[str, float]) -> None:
        one = found["1 thread"]
        content[what] = found
        rows.append([what, *(f"{value:.3f} ({one / value:.2f})" for value in found.values())])
        rows[-1] += [""] * (4 - len(rows[-1]))
        print(rows[-1], flush=True)

    X, name = ml_1m_implicit()
    large = gowalla()
    ease, elsa = EASE(500.0).fit(X), ELSA(n_factors=256, epochs=1, progress=False).fit(X)
    work = {
        f"EASE.fit, {name}": lambda: EASE(500.0).fit(X),
        f"EASE.rank, {name}": lambda: ease.rank(X, 100),
        f"ELSA.rank, {name}": lambda: elsa.rank(X, 100),
        f"ItemKNN.fit, {name}": lambda: ItemKNN(k=100).fit(X),
    }
    if large is not None:
        work["ItemKNN.fit, Gowalla"] = lambda: ItemKNN(k=100).fit(large)
    for what, call in work.items():

        def by(threads: int, call: Any = call) -> None:
            set_threads(threads)
            call()

        add(what, interleaved({"1 thread": lambda: by(1), "2 threads": lambda: by(2)}, 2 * given.rounds))
    ways = {"1 thread": (1, 1), "2 threads": (1, 2), "2 processes": (2, 1)}
    for model in MODELS:
        seconds = dict.fromkeys(ways, float("inf"))
        for _ in range(given.rounds):
            for way, numbers in ways.items():
                seconds[way] = min(seconds[way], epoch(model, given.data, *numbers))
        add(f"{model}, an epoch, {given.data}", seconds)
    title = "Two threads and two processes beside one, clock time, seconds (times as fast)"
    header = ["what", "1 thread", "2 threads", "2 processes"]
    save("threads", title, markdown(header, rows), {"rounds": given.rounds, "seconds": content}, given.out)


if __name__ == "__main__":
    main()
