"""Is every model good untouched, on data of any size? Each at its defaults, on sets and subsamples of them.

    python benchmarks/quality/defaults.py

Of each user about 70 % of the items are learned from, 10 % are for validation, 20 % for test (`RandomHoldout`, seed 0).
Models that learn in epochs are fitted with the validation part, and again without it. The defaults were found on other
subsamples of some of these sets, so that this is no proof for other data. Level with EASE: the 95 % interval of the
paired difference in ndcg@20, over users, holds 0.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import Interactions, compare, evaluate
from aerec.datasets import generate_interactions, read_parts, read_ratings
from aerec.registry import get_model_class
from aerec.splitting import RandomHoldout
from protocol import RESULTS, markdown, save, set_threads

MODELS = (
    "popularity",
    "ease",
    "mult-vae",
    "mult-dae",
    "cdae",
    "rec-vae",
    "denoising-autoencoder",
    "sparse-autoencoder",
)
METRICS = ("plain_recall@20", "ndcg@20")


def data_sets() -> Iterator[tuple[str, Interactions]]:
    """Give the names and the likes of what is there."""
    folder = Path(os.environ.get("AEREC_DATA", "data"))
    yield "generated", generate_interactions(n_users=2000, n_items=800, n_ratings=120_000, seed=7).binarize(4.0)
    if (folder / "ml-100k").is_dir():
        yield "ml-100k", read_ratings(folder / "ml-100k").binarize(4.0)
    for name, sizes in (
        ("ml-1m-implicit", ((600, None), (2000, 1000), (6039, None))),
        ("citeulike-a", ((1000, None), (5551, None))),
        ("gowalla", ((3000, 10_000),)),
    ):
        if not (folder / name).is_dir():
            continue
        if name == "citeulike-a":
            likes = read_ratings(folder / name)
        else:
            likes = Interactions.concat([part for part in read_parts(folder / name).values() if part is not None])
        for n_users, n_items in sizes:
            yield f"{name}, {n_users:,} users", drawn(likes, n_users, n_items)


def drawn(likes: Interactions, n_users: int, n_items: int | None) -> Interactions:
    """Return some of the users, and of their items, at random."""
    rng = np.random.default_rng(11)
    if n_users < likes.shape[0]:
        likes = likes.select_users(likes.users[np.sort(rng.choice(likes.shape[0], n_users, replace=False))])
    seen = np.unique(likes.matrix.indices)
    if n_items is not None and n_items < len(seen):
        seen = np.sort(rng.choice(seen, n_items, replace=False))
    return likes.with_items(likes.items[seen])


def main() -> None:
    """Fit and measure every model on every set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--sets", default="", help="beginnings of names, separated by semicolons; all by default")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    warnings.simplefilter("ignore")
    rows: list[list[Any]] = []
    content: list[dict[str, Any]] = []
    for name, likes in data_sets():
        if given.sets and not name.startswith(tuple(given.sets.split(";"))):
            continue
        split = RandomHoldout(0.2, 0.1, seed=0, per_user=True).split(likes.filter(min_per_user=5))
        reports = {}
        for model_name in given.models.split(","):
            for validated in (True, False):
                model = get_model_class(model_name)()
                if not validated and not hasattr(model, "patience"):
                    continue
                if "progress" in model.get_params():
                    model.set_params(progress=False)
                began = time.process_time()
                model.fit(split.train, validation=split.validation if validated else None)
                seconds = time.process_time() - began
                report = evaluate(model, split.test, METRICS)
                reports[model_name, validated] = report
                ease = None if model_name == "ease" else reports.get(("ease", True))
                beside = "" if ease is None else level(report, ease)
                label = model_name if validated else f"{model_name}, no validation"
                figures = [f"{report.mean[metric]:.4f}" for metric in METRICS]
                rows.append([name, label, *figures, beside, f"{seconds:.1f}", getattr(model, "n_iter_", "")])
                content.append({"data": name, "model": model_name, "validated": validated, "seconds": seconds})
                content[-1] |= {metric: report.mean[metric] for metric in METRICS} | {"beside EASE": beside}
                print(*rows[-1], sep="  ", flush=True)
    header = ["data", "model", *METRICS, "ndcg@20 beside EASE", "fit s", "epochs"]
    save("defaults", "Every model at its defaults", markdown(header, rows), {"rows": content}, given.out)


def level(report: Any, ease: Any) -> str:
    """Say whether the model is above EASE, level with it or below."""
    row = compare([ease, report]).query("metric == 'ndcg@20'").iloc[0]
    low, high = -row["high"], -row["low"]  # compare subtracts the second from the first
    return "above" if low > 0 else "below" if high < 0 else "level"


if __name__ == "__main__":
    main()
