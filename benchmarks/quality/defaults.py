"""Is every model good untouched, on data of any size? Each at its defaults, on sets and subsamples of them.

    python benchmarks/quality/defaults.py [--sets "ml-1m-implicit, 600 users;gowalla"] [--models mult-vae,ease]

Of each user about 70 % of the items are learned from, 10 % are for validation, 20 % for test (`RandomHoldout`, seed 0);
"given" is the split that the set comes with. Models that learn in epochs are fitted with the validation part, and again
without it. Rules and defaults were chosen on the validation parts of other draws of users. A run adds its rows to the
result that is there, in place of those of the same set and model, each with its commit: the table may be made in parts.

Level with EASE, or with popularity: the 95 % interval of the paired difference in ndcg@20, over users, holds 0.
"""

from __future__ import annotations

import argparse
import json
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
from aerec.holdout import Holdout, Split
from aerec.registry import get_model_class
from aerec.splitting import RandomHoldout
from protocol import RESULTS, commit, markdown, save, set_threads

MODELS = (
    "popularity",
    "ease",
    "mult-vae",
    "mult-dae",
    "cdae",
    "rec-vae",
    "elsa",
    "sparse-autoencoder",
    "edlae",
    "slim",
    "pure-svd",
    "nmf",
    "als",
    "bpr",
    "item-knn",
    "user-knn",
    "rp3-beta",
    "bspm",
)
METRICS = ("plain_recall@20", "ndcg@20")
GENERATED = {  # users, items and ratings, of which about half are likes
    "generated": (2000, 800, 120_000),
    "generated, 300 users, 5,000 items": (300, 5000, 24_000),
    "generated, 20,000 users, 400 items": (20_000, 400, 500_000),
    "generated, 6 likes a user": (4000, 1000, 40_000),
    "generated, dense": (500, 200, 28_000),
}
SUBSAMPLES = (  # of each set: numbers of users, and of items where not all
    ("ml-1m-implicit", ((600, None), (2000, 1000))),
    ("citeulike-a", ((1000, None), (5551, None))),
    ("gowalla", ((600, 5000), (3000, 10_000), (6000, 10_000))),
    ("yelp2018", ((600, 5000), (2000, 8000), (6000, 10_000))),
)


def data_sets(beginnings: tuple[str, ...]) -> Iterator[tuple[str, Split]]:
    """Give the sets that are there and whose names begin so, with their splits."""
    folder = Path(os.environ.get("AEREC_DATA", "data"))
    for name, (n_users, n_items, n_ratings) in GENERATED.items():
        if name.startswith(beginnings):
            yield name, divided(generate_interactions(n_users, n_items, n_ratings, seed=7).binarize(4.0))
    if (folder / "ml-100k").is_dir() and "ml-100k".startswith(beginnings):
        yield "ml-100k", divided(read_ratings(folder / "ml-100k").binarize(4.0))
    if (folder / "ml-1m-implicit").is_dir() and "ml-1m-implicit, given".startswith(beginnings):
        parts = read_parts(folder / "ml-1m-implicit")
        train, valid, test = parts["train"], parts["validation"], parts["test"]
        yield "ml-1m-implicit, given", Split(train, Holdout(train, valid), Holdout(train, test, exclude=valid))
    for name, sizes in SUBSAMPLES:
        wanted = [size for size in sizes if f"{name}, {size[0]:,} users".startswith(beginnings)]
        if wanted and (folder / name).is_dir():
            likes = whole(folder / name)
            for n_users, n_items in wanted:
                yield f"{name}, {n_users:,} users", divided(drawn(likes, n_users, n_items))


def whole(folder: Path) -> Interactions:
    """Read all parts of a set as one."""
    if folder.name == "citeulike-a":
        return read_ratings(folder)
    return Interactions.concat([part for part in read_parts(folder).values() if part is not None])


def divided(likes: Interactions) -> Split:
    """Split the items of each user who has a few."""
    return RandomHoldout(0.2, 0.1, seed=0, per_user=True).split(likes.filter(min_per_user=5))


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
    parser.add_argument("--seeds", type=int, default=1, help="of models that have one, with validation")
    parser.add_argument("--alone", action="store_true", help="models that learn in epochs without validation only")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    warnings.simplefilter("ignore")
    for name, split in data_sets(tuple(given.sets.split(";"))):
        beside = {other: fitted(other, split, True, 0)[0] for other in ("popularity", "ease")}
        for model_name in given.models.split(","):
            has_epochs = hasattr(get_model_class(model_name)(), "patience")
            if not (has_epochs and given.alone):
                fits = [fitted(model_name, split, True, seed) for seed in range(given.seeds if has_epochs else 1)]
                keep(given.out, row(name, model_name, True, fits, beside))
            if has_epochs:
                keep(given.out, row(name, model_name, False, [fitted(model_name, split, False, 0)], beside))


def fitted(name: str, split: Split, validated: bool, seed: int) -> tuple[Any, float, int | None]:
    """Return the report of a model at its defaults, the processor seconds of its fit, and its epochs."""
    model = get_model_class(name)()
    known = model.get_params()
    model.set_params(**{key: value for key, value in (("progress", False), ("seed", seed)) if key in known})
    began = time.process_time()
    model.fit(split.train, validation=split.validation if validated else None)
    seconds = time.process_time() - began
    return evaluate(model, split.test, METRICS), seconds, getattr(model, "n_iter_", None)


def row(name: str, model: str, validated: bool, fits: list[Any], beside: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of fits with different seeds: the first is compared, of all the mean is given."""
    found: dict[str, Any] = {"data": name, "model": model, "validated": validated, "seeds": len(fits)}
    for metric in METRICS:
        found[metric] = float(np.mean([report.mean[metric] for report, _, _ in fits]))
    for other, its_report in beside.items():
        found[f"beside {other}"] = None if model == other else level(fits[0][0], its_report)
    found["seconds"] = float(np.mean([seconds for _, seconds, _ in fits]))
    return found | {"epochs": fits[0][2], "commit": commit()}


def level(report: Any, other: Any) -> str:
    """Say whether the model is above another, level with it or below, in ndcg@20, and by how much."""
    line = compare([other, report]).query("metric == 'ndcg@20'").iloc[0]
    low, high = sorted((-line["high"], -line["low"]))  # compare subtracts the second from the first
    word = "above" if low > 0 else "below" if high < 0 else "level"
    return f"{word} {(low + high) / 2:+.4f} ± {(high - low) / 2:.4f}"


def keep(out: Path, new: dict[str, Any]) -> None:
    """Put a row into the result, in place of an earlier one of the same fit, and write it."""
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    if (path := out / "defaults.json").exists():
        kept = {key_of(line): line for line in json.loads(path.read_text())["rows"]}
    kept[key_of(new)] = new
    names = list(dict.fromkeys(line["data"] for line in kept.values()))
    order = list(dict.fromkeys((*MODELS, *(line["model"] for line in kept.values()))))
    rows = sorted(
        kept.values(), key=lambda at: (names.index(at["data"]), order.index(at["model"]), not at["validated"])
    )
    header = ["data", "model", *METRICS, "beside EASE", "beside popularity", "fit s", "epochs", "seeds", "commit"]
    cells = []
    for line in rows:
        label = line["model"] if line["validated"] else f"{line['model']}, no validation"
        beside = [line[f"beside {other}"] or "" for other in ("ease", "popularity")]
        figures = [f"{line[metric]:.4f}" for metric in METRICS]
        ends = [f"{line['seconds']:.1f}", line["epochs"] or "", line["seeds"], line["commit"]]
        cells.append([line["data"], label, *figures, *beside, *ends])
    save("defaults", "Every model at its defaults", markdown(header, cells), {"rows": rows}, out)


def key_of(line: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells a row from others."""
    return line["data"], line["model"], line["validated"]


if __name__ == "__main__":
    main()
