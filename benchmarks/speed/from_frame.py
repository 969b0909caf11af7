"""How fast does a frame become Interactions, against pandas' factorize and scipy's conversion alone.

Processor time of one thread, the shortest of some interleaved rounds. The limit numbers users and items in the order
in which they come and adds up repeated pairs; `from_frame` sorts ids, keeps the last of a pair, and checks all.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from aerec import Interactions
from protocol import RESULTS, arguments, markdown, save

SHAPES = {1_000_000: (6_000, 4_000), 5_000_000: (138_000, 20_000)}


def frame_of(n_rows: int, n_users: int, n_items: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "user": rng.integers(1, n_users + 1, n_rows),
            "item": (n_items * rng.random(n_rows) ** 2).astype(np.int64) + 1,
            "rating": rng.integers(1, 11, n_rows) / 2,
            "timestamp": rng.integers(8 * 10**8, 16 * 10**8, n_rows),
        }
    )
    return frame.drop_duplicates(["user", "item"], ignore_index=True)


def limit(frame: pd.DataFrame) -> Any:
    rows, users = pd.factorize(frame["user"])
    columns, items = pd.factorize(frame["item"])
    return sp.csr_array((frame["rating"].to_numpy(np.float32), (rows, columns)), shape=(len(users), len(items)))


def processor_seconds(work: Callable[[], Any]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], trials=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.set_defaults(out=RESULTS / "speed")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    table, found = [], []
    for n_rows, shape in SHAPES.items():
        whole = frame_of(n_rows, *shape)
        text = whole.assign(user="u" + whole["user"].astype(str), item="i" + whole["item"].astype(str))
        for name, frame in (("whole numbers", whole), ("text", text)):
            works = {
                "limit": lambda frame=frame: limit(frame),
                "without times": lambda frame=frame: Interactions.from_frame(frame, timestamp=None),
                "with times": lambda frame=frame: Interactions.from_frame(frame),
            }
            best = dict.fromkeys(works, float("inf"))
            for _ in range(given.rounds):
                for which, work in works.items():
                    best[which] = min(best[which], processor_seconds(work))
            found.append({"rows": len(frame), "ids": name, "processor_seconds": best})
            table.append([f"{len(frame):,}", name, *(f"{seconds:.3f} s" for seconds in best.values())])
            print(*table[-1], sep="  ", flush=True)
    head = ["rows", "ids", "factorize and scipy", "from_frame without times", "with times"]
    title = f"From a frame to Interactions: processor time, the shortest of {given.rounds}"
    save("from-frame", title, markdown(head, table), {"rounds": given.rounds, "measured": found}, given.out)


if __name__ == "__main__":
    main()
