"""What does order teach? MovieLens 100K, the last like of each user, and a cut in time.

    python benchmarks/quality/sequential.py --split last
    python benchmarks/quality/sequential.py --split time

Likes are ratings of 4 and more. Every setting, the half-life and the number of epochs of a network too, is chosen by
ndcg@10 on validation data (`LeaveLastOut` or `TemporalSplit()`), from the grids below. With what is chosen a model is
fitted to all that came before the test part, validation data included, and measured once. Seeds: half of the last
likes share their time with another, and which of them is held out is drawn; networks begin with the same seed. On a cut
in time only networks have seeds. The table gives means over seeds, of means and of the ends of intervals over users.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.baselines import ItemKNN, Popularity
from aerec.datasets import load_dataset
from aerec.models import EASE, ELSA, SLIST, MultVAE, RecencyWeighted
from aerec.recommender.base import Recommender
from aerec.splitting import LeaveLastOut, TemporalSplit
from protocol import RESULTS, markdown, save, set_threads

METRICS = ("ndcg@10", "recall@10", "recall@20")
L2 = [50.0, 100.0, 200.0, 400.0, 800.0, 1600.0]
HALF_LIVES = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0]
NETWORKS: dict[str, Callable[..., Any]] = {"MultVAE": MultVAE, "ELSA": ELSA}


def main() -> None:
    """Choose, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="last", choices=["last", "time"])
    parser.add_argument("--trials", type=int, default=40, help="settings of a grid that are tried")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    warnings.simplefilter("ignore", UserWarning)  # of ties in time, which the seed decides
    data = load_dataset("ml-100k").binarize(4.0)
    points: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        split = (LeaveLastOut(seed=seed) if given.split == "last" else TemporalSplit()).split(data)
        for name, make, grid in searches() if given.split == "last" or seed == 0 else ():
            settings = random.Random(f"0 {name}").sample(grid, min(given.trials, len(grid)))
            if name == "EASE, recency":
                fitted = {l2: EASE(l2).fit(split.train) for l2 in L2}
                tried = (with_half_life(fitted[setting["l2"]], setting["half_life"]) for setting in settings)
            else:
                tried = (make(setting).fit(split.train) for setting in settings)
            values = [(ndcg(model, split.validation), setting) for model, setting in zip(tried, settings, strict=True)]
            best, setting = max(values, key=lambda value: value[0])
            points.append(measured(name, make(setting), split, {"validation": best, "setting": setting, "seed": seed}))
        for name, kind in NETWORKS.items():
            points += networks(name, kind, split, seed)
    title = (
        f"Order of likes on MovieLens 100K, {'the last like left out' if given.split == 'last' else TemporalSplit()}"
    )
    header = ["model", *METRICS, "interval of ndcg@10", "chosen on validation", "s"]
    save(f"sequential-{given.split}", title, markdown(header, rows(points)), {"points": points}, given.out)


def searches() -> Iterator[tuple[str, Callable[[Mapping[str, Any]], Recommender], list[dict[str, Any]]]]:
    """Give name, how to make it of a setting, and its settings."""
    yield "Popularity", lambda setting: Popularity(), [{}]
    yield "ItemKNN", lambda setting: ItemKNN(**setting), product(k=[10, 20, 50, 100, 200], shrinkage=[0.0, 10.0, 50.0])
    yield "EASE", lambda setting: EASE(**setting), product(l2=L2)
    yield "EASE, recency", recent_ease, product(l2=L2, half_life=HALF_LIVES)
    grid = product(l2=L2, half_life=HALF_LIVES, transitions=[0.1, 0.25, 0.5, 0.75, 1.0])
    yield "SLIST", lambda setting: SLIST(**setting), grid
    yield "SLIST at its defaults", lambda setting: SLIST(), [{}]


def networks(name: str, kind: Callable[..., Any], split: Any, seed: int) -> Iterator[dict[str, Any]]:
    """Give what a network reaches without and with recency: one fit to choose, one to all that came before."""
    started = time.perf_counter()
    trial = kind(progress=False, seed=seed).fit(split.train, validation=split.validation)
    metric = next(name for name in trial.history_ if "@" in name)
    epochs = int(trial.history_[metric].argmax()) + 1
    values = [(ndcg(with_half_life(trial, half_life), split.validation), half_life) for half_life in HALF_LIVES]
    best, half_life = max(values)
    network = kind(progress=False, seed=seed, epochs=epochs).fit(split.test.history)
    seconds = time.perf_counter() - started
    about = {"seed": seed, "setting": {"epochs": epochs}, "validation": ndcg(trial, split.validation)}
    yield tested(name, network, split, {**about, "seconds": seconds})
    about = {"seed": seed, "setting": {"epochs": epochs, "half_life": half_life}, "validation": best}
    yield tested(f"{name}, recency", with_half_life(network, half_life), split, {**about, "seconds": seconds})


def product(**choices: Sequence[Any]) -> list[dict[str, Any]]:
    """Return all settings."""
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def recent_ease(setting: Mapping[str, Any]) -> Recommender:
    """Return EASE over weighted histories."""
    return RecencyWeighted(EASE(setting["l2"]), setting["half_life"])


def with_half_life(fitted: Recommender, half_life: float) -> Recommender:
    """Return RecencyWeighted over a model that is fitted: only the histories it is asked for are weighted."""
    model = RecencyWeighted(fitted, half_life)
    for name in ("n_features_in_", "items_", "users_"):
        setattr(model, name, getattr(fitted, name))
    model._fitted_with = model.get_params(deep=False)
    model.model_ = fitted
    return model


def ndcg(model: Recommender, holdout: Any) -> float:
    """Return ndcg@10."""
    return float(evaluate(model, holdout, ("ndcg@10",), n_resamples=1).mean["ndcg@10"])


def measured(name: str, model: Recommender, split: Any, about: dict[str, Any]) -> dict[str, Any]:
    """Return what a model, fitted to all that came before, reaches on test."""
    started = time.perf_counter()
    model.fit(split.test.history)
    return tested(name, model, split, {**about, "seconds": time.perf_counter() - started})


def tested(name: str, model: Recommender, split: Any, about: dict[str, Any]) -> dict[str, Any]:
    """Return what a fitted model reaches on test."""
    report = evaluate(model, split.test, METRICS)
    intervals = {metric: [float(end) for end in report.interval[metric]] for metric in METRICS}
    point = {"model": name, **about, "mean": dict(report.mean), "interval": intervals, "n_users": report.n_users}
    print(point, flush=True)
    return point


def rows(points: list[dict[str, Any]]) -> list[list[str]]:
    """Return the table: means over seeds."""
    table = []
    for name in dict.fromkeys(point["model"] for point in points):
        own = [point for point in points if point["model"] == name]
        means = [np.mean([point["mean"][metric] for point in own]) for metric in METRICS]
        low, high = np.mean([point["interval"]["ndcg@10"] for point in own], axis=0)
        chosen = "; ".join(
            dict.fromkeys(", ".join(f"{key} {value:g}" for key, value in point["setting"].items()) for point in own)
        )
        seconds = [point["seconds"] for point in own if "seconds" in point]
        shown = f"{np.mean(seconds):.1f}" if seconds else ""
        table.append([name, *(f"{mean:.4f}" for mean in means), f"{low:.3f} to {high:.3f}", chosen, shown])
    return table


if __name__ == "__main__":
    main()
