"""What does a training gain that begins where the last one ended, with 1 % or 5 % of new users.

The newest users are new, and the items that only they rate. A model is fitted without them until its validation metric
stops rising, then with them, anew and warm. Counted are the processor seconds, validation included, until the metric
first reaches a share of the best that the training anew reaches: other work on the machine does not count.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from aerec.datasets import load_dataset
from aerec.models import ELSA, MultDAE, MultVAE
from aerec.splitting import StrongGeneralization
from aerec.training.callbacks import Callback
from protocol import RESULTS, arguments, markdown, save

MODELS = {
    "mult-dae": MultDAE(hidden=200, epochs=60, patience=8, progress=False),
    "mult-vae": MultVAE(hidden=(600, 200), epochs=60, patience=8, progress=False),
    "elsa": ELSA(n_factors=256, epochs=30, patience=5, progress=False),
}
REACHED = (0.99, 0.995)  # of the best value of the training anew


class Times(Callback):
    """Processor seconds and validation metric after each epoch."""

    def training_begins(self, model: Any) -> None:
        """Start the clock."""
        self.seconds: list[float] = []
        self.values: list[float] = []
        self.begin = time.process_time()

    def epoch_done(self, record: Any, model: Any) -> None:
        """Note time and metric."""
        self.seconds.append(time.process_time() - self.begin)
        self.values.append(record[next(name for name in record if "@" in name)])

    def until(self, value: float) -> tuple[float, int] | None:
        """Return seconds and epochs until the metric first reaches `value`."""
        at = next((at for at, reached in enumerate(self.values) if reached >= value), None)
        return None if at is None else (self.seconds[at], at + 1)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], trials=1)
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--shares", nargs="*", type=float, default=[0.01, 0.05])
    parser.set_defaults(out=RESULTS / "speed")
    given = parser.parse_args()
    likes = load_dataset("ml-1m").binarize(4.0).filter(5, 1)
    split = StrongGeneralization(n_users=500, seed=0).split(likes)
    order = np.random.default_rng(0).permutation(len(split.train.users))
    rows, table = [], []
    for name in given.models:
        for share in given.shares:
            known = np.sort(order[int(share * len(order)) :])
            today = split.train.take_users(known).filter(1, 1)
            model = clone(MODELS[name]).fit(today, validation=split.validation)
            cold, warm = Times(), Times()
            clone(MODELS[name]).fit(split.train, validation=split.validation, callbacks=[cold])
            model.fit(split.train, validation=split.validation, callbacks=[warm], warm_start=True)
            best = max(cold.values)
            row = {
                "model": name,
                "share": share,
                "new_users": len(order) - len(known),
                "new_items": split.train.shape[1] - today.shape[1],
                "cold": {"seconds": cold.seconds, "values": cold.values},
                "warm": {"seconds": warm.seconds, "values": warm.values},
            }
            rows.append(row)
            for reached in REACHED:
                anew, again = cold.until(reached * best), warm.until(reached * best)
                table.append(
                    [
                        name,
                        f"{share:.0%}",
                        f"{reached:.1%} of {best:.4f}",
                        *("never" if one is None else f"{one[0]:.1f} s, {one[1]} epochs" for one in (anew, again)),
                        "" if anew is None or again is None else f"{anew[0] / again[0]:.1f}",
                    ]
                )
                print(*table[-1], sep="  ", flush=True)
    head = ["model", "new users", "validation metric", "anew", "warm", "times as fast"]
    save(
        "warm-start",
        "Training with new data, anew and warm (ml-1m, likes)",
        markdown(head, table),
        {"fits": rows},
        given.out,
    )


if __name__ == "__main__":
    main()
