"""How do time and memory grow with ratings, users and items: one epoch, each size in a process of its own.

Along each line one quantity grows and the others stand still. The slope of the logarithms says the power: 1 is
proportional, 0 does not grow. Peak memory is that of the training alone: beyond what is resident once there are data.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "speed"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import generated

from aerec.canonical import canonical_csr
from protocol import RESULTS, arguments, markdown, run_trials, save

LINES = {"ratings": 2, "users": 0, "items": 1}  # the place of each in a size (users, items, ratings)
SIZES = {
    "ratings": [(200_000, 20_000, n) for n in (1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000)],
    "users": [(n, 20_000, 5_000_000) for n in (20_000, 50_000, 125_000, 300_000)],
    "items": [(20_000, n, 1_000_000) for n in (10_000, 30_000, 100_000, 300_000, 1_000_000)],
}


def fit(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """One epoch, after one step that warms up; peak memory beyond what stood when the data were made."""
    import torch

    from aerec.models import MultDAE
    from aerec.network.rows import SparseRows

    torch.set_num_threads(params["threads"])
    X = canonical_csr(sp.load_npz(params["path"]))
    floor = forget_peak()
    model = MultDAE(hidden=params["hidden"], batch_size=500, progress=False, **params["options"])
    rows = SparseRows(X, torch.device("cpu"))
    model._begin(rows)
    model._trainer.run_epoch(SparseRows(X[:500], torch.device("cpu")))
    began = time.perf_counter()
    model._trainer.run_epoch(rows)
    seconds = time.perf_counter() - began
    data = (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 1e6
    return {"epoch_seconds": seconds, "step_mb": resident_peak() - floor, "data_mb": data, "n_ratings": X.nnz}


def write_data(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Make the data, in a process of its own, whose memory is not that of the training."""
    sp.save_npz(params["path"], generated(*params["size"]), compressed=False)
    return {}


def forget_peak() -> float:
    """Have Linux count the peak of resident memory anew, from what is resident now; return that, in MB."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return resident_peak()


def resident_peak() -> float:
    """Return the peak of resident memory since `forget_peak`, in MB (10⁶ bytes)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def slope(sizes: list[float], values: list[float]) -> float:
    """Return the power with which `values` grow with `sizes`, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-9)), 1)[0]) if len(sizes) > 1 else float("nan")


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], trials=1)
    parser.add_argument("--lines", nargs="+", choices=list(LINES), default=list(LINES))
    parser.add_argument("--largest", type=float, default=1.0, help="leave out sizes above this share of the largest")
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--negatives", type=int, help="sample so many items for the loss; all of them where left out")
    parser.set_defaults(out=RESULTS / "scale")
    given: argparse.Namespace = parser.parse_args()
    rows, content = [], {}
    for line in given.lines:
        place = LINES[line]
        most = max(size[place] for size in SIZES[line]) * given.largest
        sizes = [size for size in SIZES[line] if size[place] <= most]
        shared = {"hidden": given.hidden, "threads": given.threads, "options": {"negatives": given.negatives}}
        trials = []
        for number, size in enumerate(sizes):
            with tempfile.TemporaryDirectory(prefix="aerec-growth-") as folder:
                task = (str(number), "mult-dae", {**shared, "size": size, "path": f"{folder}/data.npz"})
                run_trials(write_data, [task], 1, given.threads)
                trials += run_trials(fit, [task], 1, given.threads)
        found = [{"size": size, **trial.found} for size, trial in zip(sizes, trials, strict=True)]
        along = [float(one["size"][place]) for one in found]
        slopes = {key: slope(along, [one[key] for one in found]) for key in ("epoch_seconds", "step_mb")}
        content[line] = {"found": found, "slopes": slopes}
        for one in found:
            shown = [f"{number:,}" for number in one["size"]]
            rows.append(
                [line, *shown, f"{one['epoch_seconds']:.2f}", f"{one['step_mb']:,.0f}", f"{one['data_mb']:,.0f}"]
            )
        rows.append([line, "", "", "slope", f"{slopes['epoch_seconds']:.2f}", f"{slopes['step_mb']:.2f}", ""])
    header = ["grows", "users", "items", "ratings", "s/epoch", "peak beyond data, MB", "data, MB"]
    title = f"Growth of an epoch of Mult-DAE, hidden {given.hidden}, batch 500, {given.threads} threads"
    name = "growth" if given.negatives is None else "growth-sampled"
    title += "" if given.negatives is None else f", {given.negatives:,} sampled items"
    save(name, title, markdown(header, rows), {"threads": given.threads, "lines": content}, given.out)
    plot(content, given.out / f"{name}.svg")


def plot(content: dict[str, Any], path: Path) -> None:
    """Draw time and memory against size, both logarithmic; matplotlib comes with ``pip install aerec[report]``."""
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print("no plot: matplotlib is missing, pip install 'aerec[report]'")
        return
    figure, axes = plt.subplots(1, 2, figsize=(9, 4))
    for axis, key, label in zip(axes, ("epoch_seconds", "step_mb"), ("s/epoch", "MB beyond the data"), strict=True):
        for line, one in content.items():
            along = [size["size"][LINES[line]] for size in one["found"]]
            label_of = f"{line}: slope {one['slopes'][key]:.2f}"
            axis.loglog(along, [size[key] for size in one["found"]], "o-", label=label_of)
        axis.set(xlabel="ratings, users or items", ylabel=label)
        axis.legend()
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main()
