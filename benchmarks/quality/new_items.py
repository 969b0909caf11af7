"""Are items found that nobody has rated, by their features? On MovieLens 1M and CiteULike-a.

    python benchmarks/quality/new_items.py --data ml-1m
    python benchmarks/quality/new_items.py --data citeulike-a --models EASE --seeds 2
    python benchmarks/quality/new_items.py --warm
    python benchmarks/quality/new_items.py --warm --data citeulike-a

A fifth of the items is held out with all ratings (`ColdItems`), and only these are ranked for the users who have one of
them; a tenth of the others, held out in the same way, is validation data. Features: genres, decade, year and title
words on MovieLens (ratings of 4 and more), tags on CiteULike, where a fifth of the items has none and cannot be found.
The penalty of each model's regression on features, and the l2 of EASE, are chosen by recall@20 on validation data.

Beside the models: chance, and the sum of cosines with the items of the history, of plain features and of features
weighted by idf. "limit": everything that has features is found. The last rows say what can be reached: of what has
features alone, and for a fifth of the users, they compare the cosine, `EASE` by features, `EASE` at its defaults that
has the ratings of the same items by the other users ("rated"), and the sum of both, standardised by user. The table
gives means over draws; "× cosine" is the mean of the ratio by draw, with a t interval of 95 %. "known" is the largest
change of a score of a known item by `add_items`.

With ``--warm``: items that have ratings, users held out (`StrongGeneralization`, a sixth for each part). What do
features (`feature_weight`) add there, in the Gram matrix of EASE (on MovieLens) and as side input of autoencoders? The
weight is chosen by ndcg@20 on validation users, from a grid of weights above 0, and compared with 0 on test users. Of
CiteULike's tags those count that 5 articles or more have. "rare": recall@20 of what a user has among the items with
fewer ratings than the median.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.baselines import PureSVD
from aerec.datasets import load_dataset, read_ratings
from aerec.holdout import Holdout
from aerec.interactions import Interactions
from aerec.metrics import ndcg_at_k, recall_at_k
from aerec.models import EASE, ELSA, MultDAE, MultVAE
from aerec.recommender.base import with_new_items
from aerec.recommender.new_items import NewItems
from aerec.sparse import take_rows
from aerec.splitting import ColdItems, StrongGeneralization
from protocol import RESULTS, markdown, save, set_threads

K = 20
WARM: dict[str, tuple[Callable[..., Any], list[float]]] = {
    "EASE": (EASE, [0.0, 1.0, 3.0, 10.0, 30.0, 100.0]),
    "MultDAE": (lambda **choice: MultDAE(progress=False, **choice), [0.0, 0.3, 1.0, 3.0]),
}
MODELS: dict[str, list[Callable[[], Any]]] = {
    "EASE": [lambda: EASE(l2=30.0), lambda: EASE(), lambda: EASE(l2=1000.0)],
    "PureSVD": [lambda: PureSVD(n_factors=256)],
    "ELSA": [lambda: ELSA(progress=False)],
    "MultVAE": [lambda: MultVAE(progress=False)],
}
PENALTIES = {"ml-1m": [1.0, 3.0, 10.0, 30.0], "citeulike-a": [1.0, 3.0]}  # a regression on CiteULike takes minutes


def main() -> None:
    """Split, fit, add, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", default="ml-1m", choices=["ml-1m", "citeulike-a"])
    parser.add_argument("--models", nargs="+", choices=list({**MODELS, **WARM}), help="all by default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--warm", action="store_true")
    given = parser.parse_args()
    set_threads(given.threads)
    if given.warm:
        names = given.models or [name for name in WARM if name != "EASE" or given.data != "citeulike-a"]
        data = movielens() if given.data == "ml-1m" else with_common_features(citeulike())
        points = [point for seed in range(given.seeds) for point in warm(data, names, seed)]
        header = ["model", f"ndcg@{K}", "with features", "difference", "rare", "difference", "weight chosen", "s", "s"]
        title = f"Features of items that have ratings, {given.data}"
        save(f"warm-features-{given.data}", title, markdown(header, of_warm(points)), {"points": points}, given.out)
        return
    data = movielens() if given.data == "ml-1m" else citeulike()
    points = []
    for seed in range(given.seeds):
        split = ColdItems(fraction=0.2, validation_fraction=0.1, seed=seed).split(data)
        for point in measured(data, split, given.models or list(MODELS), PENALTIES[given.data]):
            points.append({"seed": seed, **point})
            print(points[-1], flush=True)
    header = ["model", f"recall@{K}", "by draw", f"ndcg@{K}", "× cosine", "chosen on validation", "known", "s"]
    title = f"Items that nobody has rated, {given.data}"
    name = "-".join(["new-items", given.data, *(given.models or [])]).lower()
    save(name, title, markdown(header, rows(points)), {"points": points}, given.out)


def warm(data: Interactions, names: list[str], seed: int) -> Iterator[dict[str, Any]]:
    """Give what models score on one split without and with features."""
    active = data.filter(min_per_user=5)
    split = StrongGeneralization(n_users=active.shape[0] // 6, seed=seed).split(active)
    counts = np.bincount(split.train.matrix.indices, minlength=split.train.shape[1])
    rare = split.train.items[counts < np.median(counts[counts > 0])]
    for name in names:
        make, weights = WARM[name]
        models, seconds, of_validation = {}, {}, {}
        for weight in weights:
            started = time.perf_counter()
            choice = {"feature_weight": weight, **({} if name == "EASE" else {"seed": seed})}
            models[weight] = make(**choice).fit(split.train, validation=split.validation)
            seconds[weight] = time.perf_counter() - started
            report = evaluate(models[weight], split.validation, (f"ndcg@{K}",), n_resamples=1)
            of_validation[weight] = report.mean[f"ndcg@{K}"]
        chosen = max(weights[1:], key=lambda weight: of_validation[weight])
        point: dict[str, Any] = {"model": name, "seed": seed, "weight": chosen, "validation": of_validation}
        for kind, weight in (("plain", 0.0), ("features", chosen)):
            point[kind] = evaluate(models[weight], split.test, (f"ndcg@{K}",), n_resamples=1).mean[f"ndcg@{K}"]
            point[f"rare_{kind}"] = recall_of(models[weight], split.test, rare)
            point[f"seconds_{kind}"] = seconds[weight]
        print(point, flush=True)
        yield point


def recall_of(model: Any, holdout: Holdout, items: pd.Index[Any]) -> float:
    """Return recall of the targets among some `items`, in lists of all items."""
    history, target = (part.with_items(model.items_) for part in (holdout.history, holdout.target))
    wanted = target.keep(model.items_.isin(items)[target.matrix.indices])
    return float(np.nanmean(recall_at_k(model.rank(history, K)[0], wanted.matrix, k=K)))


def with_common_features(data: Interactions, least: int = 5) -> Interactions:
    """Return the data with those features that `least` items have, or more."""
    assert data.item_features is not None
    assert data.feature_names is not None
    counts = np.bincount(data.item_features.indices, minlength=data.item_features.shape[1])
    common = np.flatnonzero(counts >= least)
    return data.with_item_features(None).with_item_features(data.item_features[:, common], data.feature_names[common])


def of_warm(points: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Give a row for each model: means over splits, differences with t intervals."""
    for name, own in pd.DataFrame(points).groupby("model", sort=False):
        row = [str(name)]
        for without, features in (("plain", "features"), ("rare_plain", "rare_features")):
            differences = (own[features] - own[without]).to_numpy()
            spread = differences.std(ddof=1) / np.sqrt(len(own)) if len(own) > 1 else 0.0
            half = stats.t.ppf(0.975, len(own) - 1) * spread if len(own) > 1 else 0.0
            row.append(f"{own[without].mean():.4f}")
            row += [f"{own[features].mean():.4f}"] * (without == "plain")
            before = own[without].mean()
            share = f" ({differences.mean() / before:+.1%})" if before > 0 else ""
            row.append(f"{differences.mean():+.4f} ± {half:.4f}{share}")
        row.append(", ".join(f"{weight:g}" for weight in own["weight"]))
        yield [*row, *(f"{own[f'seconds_{kind}'].mean():.0f}" for kind in ("plain", "features"))]


def movielens(name: str = "ml-1m") -> Interactions:
    """Return likes of MovieLens with genres, decade, year and title words."""
    data = load_dataset(name).binarize(4.0)
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


def measured(data: Interactions, split: Any, names: list[str], penalties: list[float]) -> Iterator[dict[str, Any]]:
    """Give recall, ndcg, what was chosen, and seconds of everything on one split."""
    train, features = split.train, split.train.item_features
    counts = np.bincount(features.indices, minlength=features.shape[1])
    idf = np.log(features.shape[0] / np.maximum(counts, 1))
    random = np.random.default_rng(0).random((train.shape[0], len(split.test.candidates)))
    plain, weighted = cosine(split, np.ones(features.shape[1])), cosine(split, idf)
    has_features = np.diff(features.indptr)[split.train.items.get_indexer(split.test.candidates)] > 0
    best_possible = split.test.target.with_items(split.test.candidates).matrix.toarray() * has_features
    everyone = np.arange(train.shape[0])
    base = ranked(split, plain, everyone)[0]
    for name, scores in {"chance": random, "cosine": plain, "cosine, idf": weighted, "limit": best_possible}.items():
        recall, ndcg = ranked(split, scores, everyone)
        yield {"model": name, "recall": recall, "ndcg": ndcg, "× cosine": recall / base}
    started = time.perf_counter()
    mixtures = {l2: NewItems.of(train.items, train, None, l2) for l2 in penalties}
    of_mixing = (time.perf_counter() - started) / len(penalties)
    some = train.select_users(train.users[:200])
    for name in names:
        best: dict[str, Any] = {"validation": -1.0}
        for make in MODELS[name]:
            started = time.perf_counter()
            fitted = make().fit(train)
            seconds = time.perf_counter() - started
            for l2, added in mixtures.items():
                model = with_new_items(fitted, added)
                value = evaluate(model, split.validation, (f"recall@{K}",), n_resamples=1).mean[f"recall@{K}"]
                if value > best["validation"]:
                    chosen = f"{name} l2 {fitted.l2_:.0f}, " if name == "EASE" else ""
                    setting = f"{chosen}features l2 {l2:g}"
                    best = {"validation": value, "setting": setting, "seconds": seconds + of_mixing}
                    best_model, before = model, fitted
        report = evaluate(best_model, split.test, (f"recall@{K}", f"ndcg@{K}"), n_resamples=1)
        warm = np.setdiff1d(np.arange(train.shape[1]), mixtures[penalties[0]].new)
        change = float(np.abs(best_model.score_items(some)[:, warm] - before.score_items(some)[:, warm]).max())
        mean = {"recall": report.mean[f"recall@{K}"], "ndcg": report.mean[f"ndcg@{K}"]}
        mean["× cosine"] = mean["recall"] / base
        yield {"model": name, **mean, "change_of_known_items": change, **best}
        if name == "EASE":
            yield from reachable(data, split, best_model, plain)


def reachable(
    data: Interactions, split: Any, by_features: Any, cosines: NDArray[np.float64]
) -> Iterator[dict[str, Any]]:
    """Give what is found of what has features by cosines, features, ratings, and by both, for a fifth of users."""
    fifth = np.arange(0, data.shape[0], 5)
    rated = scores_of_new(EASE().fit(data.select_users(np.delete(data.users, fifth))), split, fifth)
    features = scores_of_new(by_features, split, fifth)
    scores = {
        "cosine": cosines[fifth],
        "EASE by features": features,
        "rated": rated,
        "rated and by features": stats.zscore(rated, axis=1) + stats.zscore(features, axis=1),
    }
    described = np.diff(split.train.item_features.indptr) > 0
    target = split.test.target.with_items(split.train.items)
    target = target.keep(described[target.matrix.indices])
    found = {name: ranked(split, values, fifth, target) for name, values in scores.items()}
    for name, (recall, ndcg) in found.items():
        ratio = recall / found["cosine"][0]
        yield {"model": f"of what has features: {name}", "recall": recall, "ndcg": ndcg, "× cosine": ratio}


def cosine(split: Any, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of cosines of each new item with the items of each history."""
    weighted = split.train.item_features * weights[None, :]
    lengths = np.maximum(np.sqrt((weighted * weighted).sum(axis=1)), 1e-12)
    unit = sp.csr_array(weighted / lengths[:, None])
    new = split.train.items.get_indexer(split.test.candidates)
    scores: NDArray[np.float64] = ((split.train.matrix @ unit) @ unit[new].T).toarray()
    return scores


def scores_of_new(model: Any, split: Any, users: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the scores of the new items for rows of users."""
    history = split.train.select_users(split.train.users[users])
    scores: NDArray[np.float32] = model.score_items(history)[:, model.items_.get_indexer(split.test.candidates)]
    return scores


def ranked(split: Any, scores: NDArray[Any], users: NDArray[np.int64], target: Any = None) -> tuple[float, float]:
    """Return recall and ndcg of scores of the new items, for rows of users; of all targets, if none are given."""
    columns = split.train.items.get_indexer(split.test.candidates)
    lists = columns[np.argsort(-scores, axis=1, kind="stable")[:, :K]]
    wanted = take_rows((split.test.target if target is None else target).matrix, users)
    return float(np.nanmean(recall_at_k(lists, wanted, k=K))), float(np.nanmean(ndcg_at_k(lists, wanted, k=K)))


def rows(points: list[dict[str, Any]]) -> list[list[str]]:
    """Return the table: means over draws."""
    table, frame = [], pd.DataFrame(points)
    for model, part in frame.groupby("model", sort=False):
        draws = ", ".join(f"{value:.3f}" for value in part["recall"])
        ratio = part["× cosine"].to_numpy()
        half = stats.t.ppf(0.975, len(ratio) - 1) * ratio.std(ddof=1) / np.sqrt(len(ratio)) if len(ratio) > 1 else 0.0
        numbers = [f"{part['recall'].mean():.3f}", draws, f"{part['ndcg'].mean():.3f}"]
        numbers.append(f"{ratio.mean():.2f} ± {half:.2f}")
        if part.get("setting", pd.Series([None])).notna().all():
            numbers.append("; ".join(part["setting"].unique()))
            numbers += [f"{part['change_of_known_items'].max():.0e}", f"{part['seconds'].mean():.0f}"]
        else:
            numbers += ["", "", ""]
        table.append([str(model), *numbers])
    return table


if __name__ == "__main__":
    main()
