"""How fast and how lean is EASE: against the bare LAPACK calls on the same matrix, each in a process of its own.

`spotrf` and `spotri`, called by scipy, are the Cholesky factor and the inverse on one triangle: what no exact fit can
do without. Beside them a fit makes the Gram matrix, mirrors the triangle and divides by the diagonal.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.linalg import lapack

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import generated, ml_1m_implicit

from aerec.closed_form.item_item import gram_matrix
from aerec.models import EASE, EDLAE
from protocol import RESULTS, arguments, markdown, peak_memory, run_trials, save

L2 = 500.0


def data(shape: str) -> tuple[Any, str]:
    """Return a matrix by "ml-1m-implicit" or "users x items x ratings"."""
    if "x" not in shape:
        return ml_1m_implicit()
    return generated(*map(int, shape.split("x"))), f"generated {shape}"


def fit(what: str, params: dict[str, Any]) -> dict[str, Any]:
    """Time one of "LAPACK", "EASE" and "EDLAE", with the memory it took on top of the data."""
    X, name = data(params["shape"])
    n_bytes = 4 * X.shape[1] ** 2
    times = []
    before = peak_memory()
    for _ in range(params["rounds"]):
        if what == "LAPACK":
            gram = gram_matrix(X, "")
            gram[np.diag_indices_from(gram)] += L2
            began = time.perf_counter()
            factor, _ = lapack.spotrf(gram.T, lower=1, clean=0, overwrite_a=1)
            lapack.spotri(factor, lower=1, overwrite_c=1)
            times.append(time.perf_counter() - began)
            del gram, factor
        else:
            model = EASE(L2) if what == "EASE" else EDLAE(L2)
            began = time.perf_counter()
            model.fit(X)
            times.append(time.perf_counter() - began)
            del model
    return {
        "data": name,
        "shape": X.shape,
        "n_ratings": X.nnz,
        "fit_seconds": min(times),
        "matrices": (peak_memory() - before) * 1e6 / n_bytes,
    }


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], trials=1)
    parser.add_argument("--shapes", nargs="+", default=["ml-1m-implicit", "136677x20108x9990682"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.set_defaults(out=RESULTS / "speed")
    given: argparse.Namespace = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows, content = [], []
    for shape in given.shapes:
        tasks = [(name, name, {"shape": shape, "rounds": given.rounds}) for name in ("LAPACK", "EASE", "EDLAE")]
        found = {trial.name: trial.found for trial in run_trials(fit, tasks, 1, given.threads)}
        content.append(found)
        for name, one in found.items():
            times = one["fit_seconds"] / found["LAPACK"]["fit_seconds"]
            shown = f"{one['shape'][0]:,} × {one['shape'][1]:,}, {one['n_ratings']:,}"
            rows.append(
                [one["data"], shown, name, f"{one['fit_seconds']:.2f}", f"{times:.2f}", f"{one['matrices']:.2f}"]
            )
    header = ["data", "size", "what", "seconds", "times LAPACK", "peak memory in items × items matrices"]
    save(
        "closed-form",
        f"Closed forms against bare LAPACK, float32, {given.threads} threads",
        markdown(header, rows),
        {"threads": given.threads, "rounds": given.rounds, "found": content},
        given.out,
    )


if __name__ == "__main__":
    main()
