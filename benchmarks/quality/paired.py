"""Which differences are real? Tuned models on the given split of ml-1m-implicit, compared user by user.

    python benchmarks/quality/paired.py

The settings are those that `top_n.py` chose on validation data, read from its results: of Mult-VAE, and of the blend,
the sum of the standardised scores of its parts with weights chosen on validation data (`aerec.models.Blend`). The parts
are measured one by one as well. Differences are paired over the test users, with the first seed: bootstrap intervals,
and p-values of t-tests, corrected after Holm.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from aerec import compare, evaluate
from aerec.models import Blend, MultVAE
from protocol import RESULTS, as_json, markdown, save, set_threads
from top_n import decoded, earlier, load, reseeded

METRICS = ("plain_recall@20", "ndcg@20", "recall@20")


def models(seed: int) -> dict[str, Any]:
    """Return Mult-VAE and the blend at the settings that were found for them."""
    found = {one["name"]: decoded(one) for one in earlier(RESULTS, "ml-1m-implicit")}
    parts = tuple(reseeded(part, seed) for part in found["blend"].pop("models"))
    return {"Mult-VAE": MultVAE(**found["mult-vae"] | {"seed": seed}), "blend": Blend(parts, **found["blend"])}


def main() -> None:
    """Fit with every seed, measure, compare; results are written after each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    runs: list[dict[str, Any]] = []
    for seed in given.seeds:
        runs.append(measure(seed))
        _save(runs, given.out)


def measure(seed: int) -> dict[str, Any]:
    """Fit all models with one seed; return their reports, and what the blend weighs."""
    split = load()
    reports, chosen, weights = {}, {}, []
    for name, model in models(seed).items():
        started = time.perf_counter()
        model.fit(split.train, split.validation)
        print(f"seed {seed}, {name}: fitted in {time.perf_counter() - started:.0f} s", flush=True)
        for label, one in [*((type(part).__name__, part) for part in getattr(model, "models_", [])), (name, model)]:
            reports[label] = evaluate(one, split.test, METRICS, name=label)
            chosen[label] = evaluate(one, split.validation, "ndcg@20", n_resamples=1)["ndcg@20"]
        weights = [f"{weight:.2f} {type(part).__name__}" for weight, part in _weighted(model)] or weights
    return {"seed": seed, "reports": reports, "validation": chosen, "weights": weights}


def _save(runs: list[dict[str, Any]], out: Path) -> None:
    first = runs[0]["reports"]
    rows = []
    for label in first:
        valid = _over_seeds([run["validation"][label] for run in runs])
        means = (_over_seeds([run["reports"][label].mean[metric] for run in runs]) for metric in METRICS)
        rows.append([label, valid, *means])
    differences = compare(list(first.values()))
    frame = differences[differences["metric"].isin(METRICS[:2])]
    users = len(next(iter(first.values())).per_user)
    spread = ": mean ± standard deviation" if len(runs) > 1 else ""
    weights = "; ".join(f"seed {run['seed']}: {', '.join(run['weights'])}" for run in runs)
    note = (
        f"\n\n{users:,} test users; seeds {[run['seed'] for run in runs]}{spread}. Weights of the "
        f"blend, {weights}.\n\nDifferences user by user, seed {runs[0]['seed']}; low and high are of a 95 % bootstrap "
        f"interval:\n\n{markdown(list(frame.columns), _cells(frame))}"
    )
    content = {
        "runs": [
            {
                "seed": run["seed"],
                "weights": run["weights"],
                "validation": run["validation"],
                "reports": [report.to_dict() for report in run["reports"].values()],
            }
            for run in runs
        ],
        "differences": as_json(frame.to_dict("records")),
    }
    title = "Which differences are real? MovieLens 1M implicit, given split"
    save("paired", title, markdown(["model", "ndcg@20 on valid", *METRICS], rows) + note, content, out)


def _over_seeds(values: list[float]) -> str:
    return f"{np.mean(values):.4f}" + (f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def _weighted(model: Any) -> list[tuple[float, Any]]:
    return list(zip(model.weights_, model.models_, strict=True)) if isinstance(model, Blend) else []


def _cells(frame: Any) -> list[list[str]]:
    return [
        [f"{one:.4g}" if isinstance(one, float) else str(one) for one in row] for row in frame.itertuples(index=False)
    ]


if __name__ == "__main__":
    main()
