"""Whether one version of aerec is slower than another: what `speed/` measures, of both in turns, in one run.

    python benchmarks/structure/two_versions.py OLD/src NEW/src --rounds 7 --out benchmarks/results

Each version has a process of its own, with its folder on PYTHONPATH. In every round both do each piece of work, one
after the other, in an order that alternates. Counted is the processor's time on one thread, so that what else the
machine does matters little. The data are those of `speed/evaluation.py`. The work is that of `speed/step.py` (an epoch
of Mult-VAE), `speed/evaluation.py` (ranking and evaluating all users) and `speed/closed_form.py` (fits of EASE and
EDLAE); parameters are written out, so that changed defaults play no part. Kernels are used where they were compiled in
place (``python -m aerec.native.build`` with the version's folder on PYTHONPATH).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "speed"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
METRICS = ("recall@20", "recall@50", "ndcg@100")


def work() -> dict[str, Callable[[], object]]:
    """Return the pieces of work, by name."""
    import numpy as np
    import scipy.sparse as sp
    import torch
    from generated import ML_20M, generated, ml_1m_implicit

    from aerec import Interactions, evaluate
    from aerec.models import EASE, EDLAE, MultVAE
    from aerec.network.rows import SparseRows
    from aerec.noise import MaskingNoise
    from aerec.sparse import row_ids

    torch.set_num_threads(1)
    X, _ = ml_1m_implicit()
    held = np.random.default_rng(0).random(X.nnz) < 0.2
    history, target = (
        Interactions.from_matrix(sp.csr_array((X.data[some], (row_ids(X)[some], X.indices[some])), X.shape)).matrix
        for some in (~held, held)
    )
    options: dict[str, Any] = {"noise": MaskingNoise(0.5), "kl_weight": 0.2, "kl_annealing_steps": 600}
    options |= {"learning_rate": 2e-3, "ema_decay": 0.8, "batch_size": 500, "epochs": 1, "progress": False}
    options |= {"hidden": (600, 200), "precision": "float32", "device": "cpu"}
    vae, ease, rows = MultVAE(**options).fit(X), EASE(500.0).fit(history), SparseRows(X, torch.device("cpu"))
    many_items = generated(1_500, ML_20M[1], round(ML_20M[2] * 1_500 / ML_20M[0]))
    small, large = (MultVAE(**options | {"precision": "bf16"}).fit(matrix) for matrix in (X, many_items))
    rows_of_large = SparseRows(many_items, torch.device("cpu"))
    return {
        "step: an epoch of Mult-VAE": lambda: trainer_of(vae).run_epoch(rows),
        "step: an epoch of Mult-VAE, bf16": lambda: trainer_of(small).run_epoch(rows),
        "step: three steps of Mult-VAE at 20,108 items, bf16": lambda: trainer_of(large).run_epoch(rows_of_large),
        "step: Mult-VAE.fit, one epoch": lambda: MultVAE(**options).fit(X),
        "evaluation: Mult-VAE, rank": lambda: vae.rank(history, 100),
        "evaluation: Mult-VAE, evaluate": lambda: evaluate(vae, (history, target), METRICS),
        "evaluation: EASE, rank": lambda: ease.rank(history, 100),
        "evaluation: EASE, evaluate": lambda: evaluate(ease, (history, target), METRICS),
        "closed form: EASE.fit": lambda: EASE(500.0).fit(X),
        "closed form: EDLAE.fit": lambda: EDLAE(500.0).fit(X),
    }


def trainer_of(model: Any) -> Any:
    """Return what takes the steps of a fitted model, in older versions too."""
    return model._training.trainer if hasattr(model, "_training") else model._trainer


def serve() -> None:
    """Do the work that standard input names, and answer with the seconds it took."""
    import warnings

    warnings.simplefilter("ignore")
    pieces = work()
    print("\t".join(pieces), flush=True)
    for line in sys.stdin:
        began = time.process_time()
        pieces[line.rstrip("\n")]()
        print(time.process_time() - began, flush=True)


def main() -> None:
    """Measure both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--names", nargs=2, default=["before", "now"], help="of the versions, for the table")
    parser.add_argument("--only", default="", help="how the names of the work begin that is measured, such as step")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve()
        return
    versions = [
        subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            env={**os.environ, **THREADS, "PYTHONPATH": str(source.resolve())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for source in given.sources
    ]
    headers = [version.stdout.readline() for version in versions]  # type: ignore[union-attr]
    names = [name for name in headers[0].rstrip("\n").split("\t") if name.startswith(given.only)]
    seconds: dict[str, list[list[float]]] = {name: [[], []] for name in names}
    for number in range(given.rounds + 1):
        for name in names:
            for at in (0, 1) if number % 2 else (1, 0):
                version = versions[at]
                print(name, file=version.stdin, flush=True)
                measured = float(version.stdout.readline())  # type: ignore[union-attr]
                if number:  # the first round warms up
                    seconds[name][at].append(measured)
    for version in versions:
        version.communicate()
    lines = [f"| work | {given.names[0]}, s | {given.names[1]}, s | ratio of the shortest | of the medians |"]
    lines.append("|---|---|---|---|---|")
    for name, (old, new) in seconds.items():
        ratios = min(new) / min(old), statistics.median(new) / statistics.median(old)
        lines.append(f"| {name} | {min(old):.3f} | {min(new):.3f} | {ratios[0]:.3f} | {ratios[1]:.3f} |")
    heading = f"Two versions in turns, processor time on one thread, {given.rounds} rounds; shortest times.\n\n"
    text = heading + "\n".join(lines) + "\n"
    print(text)
    if given.out is not None:
        (given.out / "two-versions.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
