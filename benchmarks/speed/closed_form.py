"""How fast and lean is EASE: beside the bare LAPACK calls on the same matrix, in turns; memory in processes of its own.

`spotrf` and `spotri`, called by scipy, are the Cholesky factor and the inverse on one triangle: what no exact fit can
do without. Beside them a fit makes the Gram matrix, mirrors the triangle and divides by the diagonal.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.linalg import lapack

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import generated, ml_1m_implicit
from timing import interleaved

from aerec.closed_form.gram import gram_matrix
from aerec.models import EASE, EDLAE
from protocol import RESULTS, arguments, markdown, peak_memory, run_trials, save

L2 = 500.0


def data(shape: str) -> tuple[Any, str]:
    """Return a matrix by "ml-1m-implicit" or "users x items x ratings"."""
    if "x" not in shape:
        return ml_1m_implicit()
    return generated(*map(int, shape.split("x"))), f"generated {shape}"


def fit(what: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the memory that one of "LAPACK", "EASE" and "EDLAE" takes on top of the data, or the times of all."""
    X, name = data(params["shape"])
    found: dict[str, Any] = {"data": name, "shape": X.shape, "n_ratings": X.nnz}
    if what == "times":
        gram = gram_matrix(X, "")
        gram[np.diag_indices_from(gram)] += L2
        copy = np.empty_like(gram)
        rivals = {
            "copy": lambda: np.copyto(copy, gram),  # LAPACK works in place; its copy is taken off below
            "LAPACK": lambda: lapack_alone(np.copyto(copy, gram) or copy),
            "EASE": lambda: EASE(L2).fit(X),
            "EDLAE": lambda: EDLAE(L2).fit(X),
        }
        seconds = interleaved(rivals, params["rounds"], cpu_time=params["cpu_time"])
        seconds["LAPACK"] -= seconds.pop("copy")
        return {**found, "fit_seconds": seconds}
    before = peak_memory()
    if what == "LAPACK":
        gram = gram_matrix(X, "")
        gram[np.diag_indices_from(gram)] += L2
        lapack_alone(gram)
    else:
        (EASE(L2) if what == "EASE" else EDLAE(L2)).fit(X)
    return {**found, "matrices": (peak_memory() - before) * 1e6 / (4 * X.shape[1] ** 2)}


def lapack_alone(gram: Any) -> None:
    """Invert `gram` in place, on one triangle."""
    factor, _ = lapack.spotrf(gram.T, lower=1, clean=0, overwrite_a=1)
    lapack.spotri(factor, lower=1, overwrite_c=1)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], trials=1)
    parser.add_argument("--shapes", nargs="+", default=["ml-1m-implicit", "136677x20108x9990682"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's time, on a busy machine")
    parser.set_defaults(out=RESULTS / "speed")
    given: argparse.Namespace = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows, content = [], []
    for shape in given.shapes:
        options = {"shape": shape, "rounds": given.rounds, "cpu_time": given.cpu_time}
        tasks = [(name, name, options) for name in ("LAPACK", "EASE", "EDLAE", "times")]
        found = {trial.name: trial.found for trial in run_trials(fit, tasks, 1, given.threads)}
        content.append(dict(found))
        timed = found.pop("times")
        shown = f"{timed['shape'][0]:,} × {timed['shape'][1]:,}, {timed['n_ratings']:,}"
        for name, one in found.items():
            seconds = timed["fit_seconds"][name]
            times = f"{seconds / timed['fit_seconds']['LAPACK']:.2f}"
            rows.append([one["data"], shown, name, f"{seconds:.2f}", times, f"{one['matrices']:.2f}"])
    header = ["data", "size", "what", "seconds", "times LAPACK", "peak memory in items × items matrices"]
    save(
        "closed-form",
        f"Closed forms against bare LAPACK, float32, {given.threads} threads"
        + (", processor time" if given.cpu_time else ""),
        markdown(header, rows),
        {"threads": given.threads, "rounds": given.rounds, "cpu_time": given.cpu_time, "found": content},
        given.out,
    )


if __name__ == "__main__":
    main()
