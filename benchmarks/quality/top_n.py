"""Top-N on the MovieLens 1M implicit split: every model tuned alike on validation data, reported on test data.

    python benchmarks/quality/top_n.py --protocol given     # the published train/valid/test split, users known
    python benchmarks/quality/top_n.py --protocol strong    # the same interactions, 500 + 500 users held out (seed 42)

given: trained on train; the history is train, items of train and valid are left out of the test rankings;
plain_recall@20 is hits / |test items|. strong: as Liang et al. (2018), fold-in 80/20, recall is over min(k, |target|).
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.datasets import load_dataset, read_parts
from aerec.datasets.catalogue import list_datasets
from aerec.registry import get_model_class
from aerec.splitting import Split, StrongGeneralization
from protocol import arguments, commit, machine_line, markdown, run_trials, save, search, seeded, set_threads
from spaces import top_n_spaces

METRICS = {
    "given": ("plain_recall@20", "ndcg@20", "recall@20", "coverage@20"),
    "strong": ("recall@20", "recall@50", "ndcg@100"),
}
CHOSEN_BY = {"given": "ndcg@20", "strong": "ndcg@100"}


@functools.cache
def load(protocol: str) -> Split:
    """Return the split."""
    if protocol == "strong":
        return StrongGeneralization(n_users=500, seed=42).split(load_dataset("ml-1m-implicit"))
    found = list_datasets().set_index("name").loc["ml-1m-implicit", "available"]
    if not found:
        raise SystemExit("ml-1m-implicit is not on this machine; put it into $AEREC_DATA/ml-1m-implicit")
    parts = read_parts(found)
    return Split.from_parts(parts["train"], parts["test"], parts["validation"])


def fit(model: str, params: dict[str, Any], protocol: str, threads: int, test: bool) -> dict[str, Any]:
    """Fit in this process; measure on validation data, and on test data where asked to."""
    set_threads(threads)
    split = load(protocol)
    recommender = get_model_class(model)(**params)
    started = time.perf_counter()
    recommender.fit(split.train, split.validation)
    found: dict[str, Any] = {"seconds": time.perf_counter() - started}
    assert split.validation is not None
    found["validation"] = evaluate(recommender, split.validation, CHOSEN_BY[protocol], n_resamples=1).mean[
        CHOSEN_BY[protocol]
    ]
    if hasattr(recommender, "history_"):
        history = recommender.history_
        found |= {"epochs": len(history), "epoch_seconds": float(history["seconds"].median())}
    if test:
        found["report"] = evaluate(recommender, split.test, METRICS[protocol]).to_dict()
    return found


def main() -> None:
    """Tune, fit with three seeds, report."""
    parser = arguments(__doc__ or "", trials=12)
    parser.add_argument("--protocol", choices=list(METRICS), default="given")
    parser.add_argument("--add", action="store_true", help="keep the other models of the results that are there")
    parser.add_argument("--models", nargs="*", help="names of models; all by default")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    given = parser.parse_args()
    metric, protocol = CHOSEN_BY[given.protocol], given.protocol
    spaces = [space for space in top_n_spaces(metric) if not given.models or space.name in given.models]
    tune = functools.partial(fit, protocol=protocol, threads=given.threads, test=False)
    best = search(spaces, tune, n_trials=given.trials, jobs=given.jobs, threads=given.threads)
    report = functools.partial(fit, protocol=protocol, threads=given.threads, test=True)
    tasks = []
    for name, trial in best.items():
        learns_by_chance = "seed" in get_model_class(trial.model)().get_params()
        tasks += [
            (name, trial.model, seeded(trial.model, trial.params, seed))
            for seed in (given.seeds if learns_by_chance else given.seeds[:1])
        ]
    final = run_trials(report, tasks, given.jobs, given.threads)
    details = {one["name"]: one for one in _earlier(given.out, protocol)} if given.add else {}
    for name, trial in best.items():
        runs = sorted((one for one in final if one.name == name), key=lambda one: one.params.get("seed", 0))
        details[name] = {
            "name": name,
            "tuned": trial.params,
            "validation": trial.found["validation"],
            "trials": given.trials,
            "processes": f"{given.jobs} × {given.threads} thread(s)",
            "machine": machine_line(),
            "commit": commit(),
            "runs": [{"seed": one.params.get("seed"), **one.found} for one in runs],
        }
    order = [space.name for space in top_n_spaces(metric)]
    _save(protocol, metric, sorted(details.values(), key=lambda one: order.index(one["name"])), given)


def _earlier(out: Path, protocol: str) -> list[dict[str, Any]]:
    path = out / f"top-n-{protocol}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["models"] if path.exists() else []
    return found


def _save(protocol: str, metric: str, details: list[dict[str, Any]], given: Any) -> None:
    split = load(protocol)
    header = ["model", *METRICS[protocol], "settings", "fit s", "peak MB"]
    counts = f"{split.train.n_ratings:,} training ratings; {split.test.n_users:,} test users"
    made = "\n".join(
        f"- {machine}, commit {at}, {processes}: {', '.join(names)}"
        for (machine, at, processes), names in _made(details).items()
    )
    note = (
        f"\n\n{split.train}; {counts}. The settings of each model are chosen by {metric} on validation, out of the "
        f"number of settings in the table (all there are, where that is fewer); mean over seeds {given.seeds} for "
        "models that depend on one; interval: 95 %, bootstrap over users, first seed. Time and memory (of the whole "
        f"process) compare within one line only:\n\n{made}"
    )
    table = markdown(header, [_row(one, METRICS[protocol]) for one in details])
    save(
        f"top-n-{protocol}",
        f"Top-N, MovieLens 1M implicit, {protocol} split",
        table + note,
        {"models": details},
        given.out,
    )


def _made(details: list[dict[str, Any]]) -> dict[tuple[str, str, str], list[str]]:
    made: dict[tuple[str, str, str], list[str]] = {}
    for one in details:
        made.setdefault((one["machine"], one["commit"], one["processes"]), []).append(one["name"])
    return made


def _row(model: dict[str, Any], metrics: tuple[str, ...]) -> list[str]:
    cells, runs = [model["name"]], model["runs"]
    for metric in metrics:
        values = [run["report"]["metrics"][metric] for run in runs]
        mean = sum(one["mean"] for one in values) / len(values)
        low, high = values[0]["interval"]
        cells.append(f"{mean:.4f}" if low is None else f"{mean:.4f} [{low:.4f}, {high:.4f}]")
    seconds = sum(run["seconds"] for run in runs) / len(runs)
    return [*cells, str(model["trials"]), f"{seconds:.1f}", f"{max(run['peak_mb'] for run in runs):.0f}"]


if __name__ == "__main__":
    main()
