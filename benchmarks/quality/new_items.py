"""Are items found that nobody has rated, by their features? On MovieLens 1M and CiteULike-a.

    python benchmarks/quality/new_items.py --data ml-1m
    python benchmarks/quality/new_items.py --data citeulike-a

A fifth of the items is held out with all ratings (`ColdItems`), and only these are ranked for the users who have one of
them. Features: genres, decade, year and title words on MovieLens (ratings of 4 and more), tags on CiteULike. Beside
models with `add_items`, at their defaults: chance, and the sum of cosines with the items of the history, of plain
features and of features weighted by idf.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.baselines import PureSVD
from aerec.datasets import load_dataset, read_ratings
from aerec.interactions import Interactions
from aerec.metrics import ndcg_at_k, recall_at_k
from aerec.models import EASE, ELSA, MultVAE
from aerec.splitting import ColdItems
from protocol import RESULTS, markdown, save, set_threads

K = 20
MODELS: dict[str, Callable[[], Any]] = {
    "EASE": EASE,
    "PureSVD": lambda: PureSVD(n_factors=256),
    "ELSA": lambda: ELSA(progress=False),
    "MultVAE": lambda: MultVAE(progress=False),
}


def main() -> None:
    """Split, fit, add, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", default="ml-1m", choices=["ml-1m", "citeulike-a"])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    data = movielens() if given.data == "ml-1m" else citeulike()
    points: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        split = ColdItems(fraction=0.2, validation_fraction=0.0, seed=seed).split(data)
        for model, recall, ndcg, seconds in measured(split, given.models):
            points.append({"seed": seed, "model": model, "recall": recall, "ndcg": ndcg, "seconds": seconds})
            print(points[-1], flush=True)
    header = ["model", f"recall@{K}", "by draw", f"ndcg@{K}", "× cosine", "s"]
    title = f"Items that nobody has rated, {given.data}"
    save(f"new-items-{given.data}", title, markdown(header, rows(points)), {"points": points}, given.out)


def movielens() -> Interactions:
    """Return likes of MovieLens 1M with genres, decade, year and title words."""
    data = load_dataset("ml-1m").binarize(4.0)
    assert data.item_names is not None
    assert data.item_genres is not None
    names = data.item_names.reindex(data.items)
    year = names.str.extract(r"\((\d{4})\)")[0].fillna("unknown").to_numpy()
    features = pd.DataFrame(
        {
            "item": data.items,
            "genre": list(data.item_genres.reindex(data.items)),
            "decade": [text[:3] for text in year],
            "year": year,
            "title": names.str.replace(r"\(.*\)", "", regex=True).to_numpy(),
        }
    )
    return data.with_item_features(features, text=["title"])


def citeulike() -> Interactions:
    """Return the libraries of CiteULike-a, with tags."""
    return read_ratings(Path(os.environ["AEREC_DATA"]) / "citeulike-a" / "users.dat")


def measured(split: Any, names: list[str]) -> list[tuple[str, float, float, float]]:
    """Return model, recall, ndcg and seconds of everything on one split."""
    train, features = split.train, split.train.item_features
    counts = np.bincount(features.indices, minlength=features.shape[1])
    idf = np.log(features.shape[0] / np.maximum(counts, 1))
    found = [
        ("chance", *ranked(split, np.random.default_rng(0).random((train.shape[0], len(split.test.candidates))))),
        ("cosine", *ranked(split, cosine(split, np.ones(features.shape[1])))),
        ("cosine, idf", *ranked(split, cosine(split, idf))),
    ]
    rows = [(model, recall, ndcg, 0.0) for model, recall, ndcg in found]
    for name in names:
        model, started = MODELS[name](), time.perf_counter()
        model.fit(train).add_items(train)
        seconds = time.perf_counter() - started
        report = evaluate(model, split.test, metrics=(f"recall@{K}", f"ndcg@{K}"), n_resamples=1)
        rows.append((name, report.mean[f"recall@{K}"], report.mean[f"ndcg@{K}"], seconds))
    return rows


def cosine(split: Any, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of cosines of each new item with the items of each history."""
    weighted = split.train.item_features * weights[None, :]
    lengths = np.maximum(np.sqrt((weighted * weighted).sum(axis=1)), 1e-12)
    unit = sp.csr_array(weighted / lengths[:, None])
    new = split.train.items.get_indexer(split.test.candidates)
    scores: NDArray[np.float64] = ((split.train.matrix @ unit) @ unit[new].T).toarray()
    return scores


def ranked(split: Any, scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return recall and ndcg of scores of the new items."""
    columns = split.train.items.get_indexer(split.test.candidates)
    lists, target = columns[np.argsort(-scores, axis=1, kind="stable")[:, :K]], split.test.target
    return float(np.nanmean(recall_at_k(lists, target, k=K))), float(np.nanmean(ndcg_at_k(lists, target, k=K)))


def rows(points: list[dict[str, Any]]) -> list[list[str]]:
    """Return the table: means over draws."""
    table, frame = [], pd.DataFrame(points)
    base = frame[frame["model"] == "cosine"]["recall"].mean()
    for model, part in frame.groupby("model", sort=False):
        recall = part["recall"].mean()
        draws = ", ".join(f"{value:.3f}" for value in part["recall"])
        numbers = [f"{part['ndcg'].mean():.3f}", f"{recall / base:.2f}", f"{part['seconds'].mean():.0f}"]
        table.append([str(model), f"{recall:.3f}", draws, *numbers])
    return table


if __name__ == "__main__":
    main()
