"""How long until a model is good? Processor seconds of training to the validation quality of earlier defaults.

    python benchmarks/speed/seconds_to_quality.py [--models mult-vae,mult-dae] [--data ml-1m-implicit]

Each model is trained at its defaults, and at the settings that were the defaults before they followed the data (two
layers, batches of 500, annealing over 2,000 steps, no averages; but outputs begin at popularity in both). Counted are
the seconds, of one thread, until ndcg@100 on the validation part is 99.5 % of the best that the earlier settings reach
in 100 epochs; the measuring itself is left out. A run adds its rows to the result that is there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec.datasets import read_parts
from aerec.holdout import Holdout
from aerec.noise import MaskingNoise
from aerec.registry import get_model_class
from aerec.training.callbacks import Callback
from protocol import RESULTS, commit, markdown, save, set_threads

METRIC = "ndcg@100"
SHARE = 0.995
SHARED = {"batch_size": 500, "learning_rate": 1e-3, "ema_decay": 0.0, "epochs": 100, "patience": 10}
EARLIER: dict[str, dict[str, Any]] = {
    "mult-vae": {**SHARED, "hidden": (600, 200), "kl_annealing_steps": 2000, "noise": MaskingNoise(0.5)},
    "mult-dae": {**SHARED, "hidden": 200, "noise": MaskingNoise(0.5)},
    "cdae": {**SHARED, "hidden": 200, "noise": MaskingNoise(0.5)},
    "rec-vae": {**SHARED, "learning_rate": 5e-4, "kl_weight": 0.005, "noise": MaskingNoise(0.5)},
}


class Clock(Callback):
    """Counts processor seconds from the beginning of the training to the end of each epoch, validation included."""

    def training_begins(self, model: Any) -> None:
        """Start."""
        self.began, self.at = time.process_time(), []

    def epoch_done(self, record: Mapping[str, Any], model: Any) -> None:
        """Note an epoch."""
        self.at.append(time.process_time() - self.began)


def main() -> None:
    """Train every model twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(EARLIER))
    parser.add_argument("--data", default="ml-1m-implicit")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    set_threads(1)
    warnings.simplefilter("ignore")
    parts = read_parts(Path(os.environ.get("AEREC_DATA", "data")) / given.data)
    train, validation = parts["train"], Holdout(parts["train"], parts["validation"])
    for name in given.models.split(","):
        earlier, now = (trained(name, settings, train, validation) for settings in (EARLIER[name], {}))
        target = SHARE * max(earlier[0])
        row = {"data": given.data, "model": name, "target": target, "commit": commit()}
        for label, (values, seconds) in (("earlier", earlier), ("now", now)):
            reached = next((at for at, value in enumerate(values) if value >= target), None)
            row[f"{label} seconds"] = None if reached is None else seconds[reached]
            row[f"{label} epochs"] = None if reached is None else reached + 1
            row[f"{label} best"], row[f"{label} fit"] = max(values), seconds[-1]
        keep(given.out, row)


def trained(name: str, settings: dict[str, Any], train: Any, validation: Holdout) -> tuple[list[float], list[float]]:
    """Return the metric after each epoch, and the processor seconds that had gone by."""
    clock = Clock()
    model = get_model_class(name)(progress=False, validation_metric=METRIC, **settings)
    model.fit(train, validation=validation, callbacks=[clock])
    return list(model.history_[METRIC]), clock.at


def keep(out: Path, new: dict[str, Any]) -> None:
    """Put a row into the result, in place of an earlier one of the same model and set, and write it."""
    path = out / "seconds-to-quality.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = [row for row in rows if (row["data"], row["model"]) != (new["data"], new["model"])] + [new]
    header = ["data", "model", f"{METRIC} to reach"]
    header += [f"{label}: {what}" for label in ("earlier", "now") for what in ("s to it", "epochs", "best", "s of fit")]
    cells = []
    for row in rows:
        line = [row["data"], row["model"], f"{row['target']:.4f}"]
        for label in ("earlier", "now"):
            seconds = row[f"{label} seconds"]
            line += ["never" if seconds is None else f"{seconds:.1f}", row[f"{label} epochs"] or ""]
            line += [f"{row[f'{label} best']:.4f}", f"{row[f'{label} fit']:.1f}"]
        cells.append(line)
    save("seconds-to-quality", "Seconds until a model is good", markdown(header, cells), {"rows": rows}, out)


if __name__ == "__main__":
    main()
