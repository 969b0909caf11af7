"""What do diversity, calibration and a share for the tail cost? Quality against each of them, on MovieLens 1M.

    python benchmarks/quality/reranking.py

Ratings of 4 and more, 1,000 users held out for test and for validation (`StrongGeneralization`, seed 0). EASE and
Mult-VAE recommend 100 items to each test user; rerankers make lists of 10 of them at several trade-offs. Steck (2018)
found on MovieLens 20M that calibration can be much improved at hardly any cost in accuracy, up to some λ.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec.datasets import load_dataset
from aerec.interactions import Interactions
from aerec.metrics import calibration_at_k, coverage_at_k, genre_diversity_at_k, ndcg_at_k, recall_at_k
from aerec.models import EASE, MultVAE
from aerec.reranking import Calibration, MaximalMarginalRelevance, MinimumExposure, popularity_labels
from aerec.reranking.features import features_of
from aerec.splitting import StrongGeneralization
from protocol import RESULTS, markdown, save, set_threads

K, CANDIDATES = 10, 100
GRID = {
    "Calibration": [Calibration(share) for share in (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0)],
    "MaximalMarginalRelevance": [MaximalMarginalRelevance(share) for share in (1.0, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1, 0.0)],
    "MinimumExposure, tail": [MinimumExposure({"tail": share}) for share in (0.0, 0.1, 0.2, 0.3, 0.5)],
}


def main() -> None:
    """Fit, rerank, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    split = StrongGeneralization(n_users=given.users, seed=0).split(load_dataset(given.data).binarize(4.0).filter(5))
    labels = popularity_labels(split.train)
    points: list[dict[str, Any]] = []
    for model in (EASE(l2=500.0), MultVAE(epochs=60, progress=False)):
        model.fit(split.train, validation=split.validation)
        ranked = model.rank(split.test.history, CANDIDATES)
        for name, rerankers in GRID.items():
            for reranker in rerankers:
                more = {"features": labels} if isinstance(reranker, MinimumExposure) else {}
                started = time.perf_counter()
                lists, _ = reranker.rerank(ranked, split.test.history, K, **more)
                seconds = time.perf_counter() - started
                point = {"model": type(model).__name__, "reranker": name, "setting": _setting(reranker)}
                points.append(
                    {**point, "seconds": seconds, **measure(lists, split.test.history, split.test.target, labels)}
                )
    header = ["model", "reranker", "setting", f"ndcg@{K}", "lost", f"recall@{K}", f"calibration@{K} (KL)",
              f"diversity@{K}", f"coverage@{K}", "tail", "s"]  # fmt: skip
    save(
        "reranking",
        "Quality against diversity, calibration and exposure",
        markdown(header, [_row(point, points) for point in points]) + _note(split.test.target),
        {"points": [{key: value for key, value in point.items() if key != "each"} for point in points]},
        given.out,
    )
    draw(points, given.out / "reranking.svg")


def measure(lists: NDArray[np.int64], history: Interactions, target: Interactions, labels: Any) -> dict[str, Any]:
    """Return what the lists are worth; `each` is ndcg user by user."""
    genres = features_of(history, None)
    each = ndcg_at_k(lists, target, k=K)
    return {
        "each": each,
        "ndcg": float(np.nanmean(each)),
        "recall": float(np.nanmean(recall_at_k(lists, target, k=K))),
        "calibration": float(np.nanmean(calibration_at_k(lists, history, genres))),
        "diversity": float(np.nanmean(genre_diversity_at_k(lists, genres))),
        "coverage": float(coverage_at_k(lists, target.shape[1])),
        "tail": float(np.mean(labels.to_numpy()[lists[lists >= 0]] == "tail")),
    }


def draw(points: list[dict[str, Any]], path: Path) -> None:
    """Draw ndcg against what each reranker is for."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "aerec"
    import matplotlib.pyplot as plt

    axes_of = {
        "Calibration": ("calibration", "miscalibration, KL (nats)"),
        "MaximalMarginalRelevance": ("diversity", "diversity by genre"),
        "MinimumExposure, tail": ("tail", "share of places for the tail"),
    }
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True)
    for axis, (name, (what, label)) in zip(axes, axes_of.items(), strict=True):
        for model in dict.fromkeys(point["model"] for point in points):
            line = [point for point in points if point["reranker"] == name and point["model"] == model]
            axis.plot([one[what] for one in line], [one["ndcg"] for one in line], marker="o", markersize=4, label=model)
            for one in line:
                axis.annotate(
                    one["setting"], (one[what], one["ndcg"]), fontsize=6, xytext=(3, 3), textcoords="offset points"
                )
        axis.set(xlabel=label, title=name)
    axes[0].set_ylabel(f"ndcg@{K}")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def _setting(reranker: Any) -> str:
    return f"{reranker.shares['tail'] if isinstance(reranker, MinimumExposure) else reranker.trade_off:g}"


def _row(point: dict[str, Any], points: list[dict[str, Any]]) -> list[str]:
    base = _base(point, points)
    lost = 1 - point["ndcg"] / base["ndcg"]
    sure = "" if point is base or _p_value(point, base) >= 0.05 else "*"
    numbers = [f"{point[name]:.4f}" for name in ("recall", "calibration", "diversity", "coverage", "tail")]
    words = [point[name] for name in ("model", "reranker", "setting")]
    return [*words, f"{point['ndcg']:.4f}", f"{lost:.1%}{sure}", *numbers, f"{point['seconds']:.2f}"]


def _base(point: dict[str, Any], points: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in points if one["model"] == point["model"])


def _p_value(point: dict[str, Any], base: dict[str, Any]) -> float:
    differences = (point["each"] - base["each"])[~np.isnan(base["each"])]
    return float(stats.ttest_1samp(differences, 0).pvalue) if differences.any() else 1.0


def _note(target: Interactions) -> str:
    n_users = int(np.count_nonzero(np.diff(target.matrix.indptr)))
    return (
        f"\n\n{n_users} held-out users, lists of {K} from {CANDIDATES} candidates. lost: share of ndcg@{K} lost "
        "against the model's own order; * p < 0.05, paired t-test over users. Settings: λ of the paper, or "
        "the share of places for the tail. tail: share of the places that hold items of the tail (the least "
        "rated, a third of the training ratings). s: reranking all users. Models are not tuned."
    )


if __name__ == "__main__":
    main()
