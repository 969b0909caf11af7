"""SASRec of RecTools on the split, the items left out and the metric of ``benchmarks/quality/sequential.py``.

    python benchmarks/peers/environments.py rectools
    python benchmarks/peers/sequential.py

MovieLens 100K, likes, the last like of each user. The order is that of aerec's split, ties included. After every five
epochs SASRec is ranked for validation and test; the number of epochs and the setting are those of the best ndcg@10 on
validation data. It learns from the training part, as the models beside it do.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec.datasets import load_dataset
from aerec.interactions import Interactions
from aerec.metrics import ndcg_at_k, recall_at_k
from aerec.splitting import LeaveLastOut
from environments import interpreter
from protocol import RESULTS, markdown, save

K = 20
SETTINGS: list[dict[str, Any]] = [
    {"n_factors": 64, "n_blocks": 2, "n_heads": 2, "session_max_len": 50, "dropout_rate": dropout}
    for dropout in (0.2, 0.5)
]


def main() -> None:
    """Train, choose, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # of ties in time, which the seed decides
    split = LeaveLastOut(seed=0).split(load_dataset("ml-100k").binarize(4.0))
    points = []
    for seed in range(given.seeds):
        best: dict[str, Any] = {"validation": -1.0}
        for params in SETTINGS:
            for found in trained(split, params, seed, given.epochs, given.threads):
                if found["validation"] > best["validation"]:
                    best = found
        points.append(best)
        print(best, flush=True)
    header = ["model", "seed", "ndcg@10", "recall@10", "recall@20", "interval of ndcg@10", "chosen on validation"]
    table = [
        [
            "SASRec, RecTools",
            point["seed"],
            *(f"{point[name]:.4f}" for name in ("ndcg@10", "recall@10", "recall@20")),
            "{:.3f} to {:.3f}".format(*point["interval"]),
            f"dropout {point['params']['dropout_rate']}, {point['epochs']} epochs",
        ]
        for point in points
    ]
    title = "SASRec of RecTools on MovieLens 100K, the last like left out"
    save("sequential-sasrec", title, markdown(header, table), {"points": points}, given.out)


def trained(split: Any, params: dict[str, Any], seed: int, epochs: int, threads: int) -> list[dict[str, Any]]:
    """Return what SASRec reaches after every five epochs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_order(split.train).to_csv(folder / "train.csv", index=False)
        in_order(split.test.history).to_csv(folder / "test_history.csv", index=False)
        settings = {"params": params, "seed": seed, "epochs": epochs, "step": 5, "k": K, "threads": threads}
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        script = Path(__file__).resolve().parent / "run_rectools.py"
        subprocess.run([interpreter("rectools"), script, folder], check=True, cwd=folder)
        lists = pd.read_csv(folder / "lists.csv")
    found = []
    for number, part in lists.groupby("epochs"):
        valid = ranking(part[part["part"] == "validation"], split.validation.target)
        test = ranking(part[part["part"] == "test"], split.test.target)
        target = split.test.target.matrix
        per_user = ndcg_at_k(test, target, k=10)
        known = per_user[~np.isnan(per_user)]
        half = 1.96 * known.std(ddof=1) / np.sqrt(len(known))
        found.append(
            {
                "seed": seed,
                "params": params,
                "epochs": int(number),
                "validation": float(np.nanmean(ndcg_at_k(valid, split.validation.target.matrix, k=10))),
                "ndcg@10": float(known.mean()),
                "interval": [float(known.mean() - half), float(known.mean() + half)],
                **{f"recall@{k}": float(np.nanmean(recall_at_k(test, target, k=k))) for k in (10, 20)},
            }
        )
    return found


def in_order(data: Interactions) -> pd.DataFrame:
    """Return users, items, and the places of the ratings in time; those of one time in the order that a seed draws."""
    frame = data.to_frame()
    draws = np.random.default_rng(0).random(len(frame))
    frame["place"] = np.argsort(np.lexsort((draws, frame["timestamp"])))
    return frame[["user", "item", "place"]]


def ranking(lists: pd.DataFrame, target: Interactions) -> NDArray[np.int64]:
    """Return lists as columns of `target`, a row a user; −1 where there is nothing."""
    table = np.full((target.shape[0], K), -1, dtype=np.int64)
    rows, columns = target.users.get_indexer(lists["user"]), target.items.get_indexer(lists["item"])
    table[rows, lists["rank"].to_numpy() - 1] = columns
    return table


if __name__ == "__main__":
    main()
