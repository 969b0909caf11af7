"""How much memory does a Mult-VAE run at the shape of ML-20M take: its peak beyond the import of torch.

The peak covers reading the ratings from a file in the binary form of scipy, training and an evaluation of 10,000 users.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import ML_20M, generated

from protocol import RESULTS, arguments, markdown, peak_memory, run_trials, save

MODEL = {"hidden": (600, 200), "batch_size": 500}


def fit(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Train on the matrix in ``params["path"]``; the peaks after the import, the training and the evaluation, in MB."""
    import torch

    peaks = {"torch": peak_memory()}
    torch.set_num_threads(params["threads"])
    from aerec import evaluate
    from aerec.models import MultVAE

    X = sp.csr_array(sp.load_npz(params["path"]))
    peaks["data"] = peak_memory()
    began = time.perf_counter()
    model = MultVAE(**MODEL, epochs=params["epochs"], progress=False).fit(X)
    seconds = time.perf_counter() - began
    peaks["training"] = peak_memory()
    few = X[:10_000]
    evaluate(model, (few, few), ("ndcg@100",), exclude_seen=False)
    peaks["evaluation"] = peak_memory()
    return {"fit_seconds": seconds, "shape": X.shape, "n_ratings": X.nnz, "peaks": peaks}


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], trials=1)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the users and ratings of ML-20M")
    parser.add_argument("--epochs", type=int, default=1)
    parser.set_defaults(out=RESULTS / "speed")
    given: argparse.Namespace = parser.parse_args()
    n_users, n_items, n_ratings = ML_20M
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.npz"
        make(path, round(n_users * given.scale), n_items, round(n_ratings * given.scale))
        params = {"path": str(path), "epochs": given.epochs, "threads": given.threads}
        (trial,) = run_trials(fit, [("Mult-VAE", "mult-vae", params)], 1, given.threads)
    peaks = trial.found["peaks"]
    rows = [[name, f"{one:,.0f}", f"{one - peaks['torch']:,.0f}"] for name, one in peaks.items()]
    shape = trial.found["shape"]
    title = (
        f"Peak memory of Mult-VAE {MODEL['hidden']}, {shape[0]:,} × {shape[1]:,}, {trial.found['n_ratings']:,} ratings"
    )
    title += f", {given.epochs} epochs of {trial.found['fit_seconds'] / given.epochs:.0f} s, {given.threads} threads"
    content = {"threads": given.threads, "epochs": given.epochs, **trial.found}
    save("memory", title, markdown(["after", "peak, MB", "beyond torch, MB"], rows), content, given.out)


def make(path: Path, n_users: int, n_items: int, n_ratings: int) -> None:
    """Write generated ratings, by another process so that its memory does not count."""
    call = f"memory.write({str(path)!r}, {n_users}, {n_items}, {n_ratings})"
    call = f"import sys; sys.path[:0] = {sys.path!r}; import memory; {call}"
    subprocess.run([sys.executable, "-c", call], check=True)


def write(path: str, n_users: int, n_items: int, n_ratings: int) -> None:
    """Write generated ratings to `path`."""
    made = generated(n_users, n_items, n_ratings)
    made.indices, made.indptr = made.indices.astype(np.int32), made.indptr.astype(np.int64)
    sp.save_npz(path, made, compressed=False)


if __name__ == "__main__":
    main()
