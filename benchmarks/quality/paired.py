"""Which differences are real? Tuned models on the given split of ml-1m-implicit, compared user by user.

    python benchmarks/quality/paired.py

The settings are those that `top_n.py` chose on validation data (12 to 16 settings a model), those of RecVAE the best by
validation of the first four that `top_n.py --models rec-vae --trials 4` draws. "blend" is the sum of the standardised
scores of EDLAE, ELSA and RecVAE with weights chosen on validation data (`aerec.models.Blend`). One seed. Differences
are paired over the test users: bootstrap intervals, and p-values of t-tests, corrected after Holm.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import compare, evaluate
from aerec.models import EDLAE, ELSA, Blend, MultVAE, RecVAE
from aerec.noise import MaskingNoise
from protocol import RESULTS, as_json, markdown, save, set_threads
from top_n import load

METRICS = ("plain_recall@20", "ndcg@20", "recall@20")


def models(seed: int) -> dict[str, Any]:
    """Return Mult-VAE, and a blend whose parts are measured one by one as well."""
    learned = {"validation_metric": "ndcg@20", "progress": False, "seed": seed}
    parts = [
        EDLAE(l2=600.0, dropout=0.5),
        ELSA(n_factors=400, learning_rate=0.1, batch_size=256, epochs=150, patience=6, **learned),
        RecVAE(noise=MaskingNoise(0.7), kl_weight=0.005, learning_rate=5e-4, epochs=150, patience=6, **learned),
    ]
    mult_vae = MultVAE(
        hidden=600, kl_weight=0.1, noise=MaskingNoise(0.1), learning_rate=1e-3, epochs=200, patience=10, **learned
    )
    return {"Mult-VAE": mult_vae, "blend": Blend(parts, validation_metric="ndcg@20")}


def main() -> None:
    """Fit, measure, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    split = load()
    reports, rows, weights = [], [], []
    for name, model in models(given.seed).items():
        started = time.perf_counter()
        model.fit(split.train, split.validation)
        print(f"{name}: fitted in {time.perf_counter() - started:.0f} s", flush=True)
        for label, one in [*((type(part).__name__, part) for part in getattr(model, "models_", [])), (name, model)]:
            report = evaluate(one, split.test, METRICS, name=label)
            chosen = evaluate(one, split.validation, "ndcg@20", n_resamples=1)["ndcg@20"]
            reports.append(report)
            cells = (
                f"{report.mean[metric]:.4f} [{low:.4f}, {high:.4f}]" for metric, (low, high) in report.interval.items()
            )
            rows.append([label, f"{chosen:.4f}", *cells])
        weights = [f"{weight:.2f} {type(part).__name__}" for weight, part in _weighted(model)] or weights
    differences = compare(reports)
    frame = differences[differences["metric"].isin(METRICS[:2])]
    note = (
        f"\n\n{len(reports[0].per_user):,} test users; seed {given.seed}; blend: {', '.join(weights)}. In brackets: "
        f"95 % bootstrap interval over users.\n\n{markdown(list(frame.columns), _cells(frame))}"
    )
    content = {"reports": [report.to_dict() for report in reports], "differences": as_json(frame.to_dict("records"))}
    title = "Which differences are real? MovieLens 1M implicit, given split"
    save("paired", title, markdown(["model", "ndcg@20 on valid", *METRICS], rows) + note, content, given.out)


def _weighted(model: Any) -> list[tuple[float, Any]]:
    return list(zip(model.weights_, model.models_, strict=True)) if isinstance(model, Blend) else []


def _cells(frame: Any) -> list[list[str]]:
    return [
        [f"{one:.4g}" if isinstance(one, float) else str(one) for one in row] for row in frame.itertuples(index=False)
    ]


if __name__ == "__main__":
    main()
