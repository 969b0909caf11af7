"""What does an exact update cost beside a fit? EASE, one user in a hundred new, and the same users leaving.

    OMP_NUM_THREADS=1 python benchmarks/speed/updates.py

Seconds are of the processor, all threads together: on one thread, what the clock shows where nothing else runs. The
last column is the largest difference between a weight and that of a fit of the users who are there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import generated, ml_1m_implicit

from aerec.models import EASE
from protocol import arguments, in_own_process, markdown, save, set_threads

L2 = 500.0


def main() -> None:
    parser = arguments(__doc__ or "", trials=0)
    parser.add_argument("--shapes", nargs="+", default=["ml-1m-implicit", "20000x20000x1000000"])
    given = parser.parse_args()
    points = [in_own_process(measured, shape, given.threads) for shape in given.shapes]
    header = ["data", "users", "items", "new users", "what", "s", "share of a fit", "difference to a fit"]
    table = [
        [
            point["data"],
            *(f"{point[name]:,}" for name in ("users", "items", "new")),
            what,
            f"{seconds:.2f}",
            f"{seconds / point['seconds']['fit']:.0%}",
            f"{point['difference'][what]:.0e}" if what in point["difference"] else "",
        ]
        for point in points
        for what, seconds in point["seconds"].items()
    ]
    title = "Exact updates of EASE beside a fit"
    save("updates", title, markdown(header, table), {"points": points, "l2": L2}, given.out / "speed")


def measured(shape: str, threads: int) -> dict[str, Any]:
    """Return seconds of fit and updates on one data set, and how far the results are from those of fits."""
    set_threads(threads)
    X, name = ml_1m_implicit() if "x" not in shape else (generated(*map(int, shape.split("x"))), f"generated {shape}")
    n_new = X.shape[0] // 100
    old, new = X[:-n_new], X[-n_new:]
    seconds, difference = {}, {}

    def timed(what: str, run: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = run()
        seconds[what] = time.process_time() - began
        return result

    whole = timed("fit", lambda: EASE(L2).fit(X))
    model = EASE(L2).fit(old)
    before = model.weights_
    timed("partial_fit, new users", lambda: model.partial_fit(new))
    difference["partial_fit, new users"] = float(np.abs(model.weights_ - whole.weights_).max())
    del whole
    timed("replace_users, the same leave", lambda: model.replace_users(new))
    difference["replace_users, the same leave"] = float(np.abs(model.weights_ - before).max())
    about = {"data": name, "users": X.shape[0], "items": X.shape[1], "new": n_new, "ratings": X.nnz}
    return {**about, "seconds": seconds, "difference": difference}


if __name__ == "__main__":
    main()
