"""Gowalla (29,858 users, 40,981 places): quality, time and peak memory of what fits a large catalogue.

    python benchmarks/quality/gowalla.py
    python benchmarks/quality/gowalla.py --models ease --threads 4    # items × items: 7 GB and several minutes

The usual set-up of LightGCN: settings are chosen on valid after training on train; then the model is fitted again on
train + valid, for the number of epochs that early stopping found, and measured on test. plain_recall@20 is
hits / |test items|. Every fit runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.datasets import list_datasets, read_parts
from aerec.holdout import Holdout
from aerec.models import Blend
from aerec.models.state import decode_parameter, encode_parameter
from aerec.registry import MODELS, get_model_class
from aerec.splitting import Split
from protocol import (
    Space,
    Trial,
    arguments,
    as_json,
    commit,
    machine_line,
    markdown,
    run_trials,
    save,
    search,
    seeded,
    set_threads,
)

METRICS = ("plain_recall@20", "ndcg@20", "coverage@20")
CHOSEN_BY = "ndcg@20"
NAME = "gowalla"
ESTIMATORS = {model.__name__: model for model in MODELS.values()}


def spaces() -> list[Space]:
    """Return the spaces; EASE has the one setting that others report."""
    learned = {"validation_metric": CHOSEN_BY, "progress": False}
    return [
        Space("popularity"),
        Space("item-knn", {"k": [50, 100, 200, 400], "shrinkage": [0.0, 5.0, 20.0]}),
        Space("rp3-beta", {"alpha": [0.5, 0.75, 1.0], "beta": [0.1, 0.25, 0.5], "k": [200, 1000]}),
        Space("pure-svd", {"n_factors": [64, 128, 256, 400]}),
        Space("als", {"n_factors": [128, 256], "l2": [1.0, 10.0, 50.0], "alpha": [5.0, 20.0, 60.0]}),
        Space("sparse-ease", {"l2": [2.0, 5.0, 16.0, 50.0], "n_neighbors": [50, 100, 200]}),
        Space(
            "elsa",
            {"learning_rate": [0.03, 0.1], "batch_size": [500, 1000]},
            {"n_factors": 256, "epochs": 40, "patience": 3, **learned},
        ),
        Space("ease", {"l2": [16.0]}),
    ]


def blend(details: dict[str, Any]) -> Space | None:
    """Return blends of the sparse models at the settings found for each alone; the weights are chosen on valid."""
    parts = {
        name: get_model_class(name)(**{key: decode_parameter(value) for key, value in one["parameters"].items()})
        for name, one in details.items()
        if name in ("rp3-beta", "sparse-ease", "elsa")
    }
    wanted = [("rp3-beta", "sparse-ease"), ("rp3-beta", "elsa"), ("rp3-beta", "sparse-ease", "elsa")]
    found = [tuple(parts[name] for name in names) for names in wanted if parts.keys() >= set(names)]
    return Space("blend", {"models": found}, {"validation_metric": CHOSEN_BY, "steps": 10}) if found else None


@functools.cache
def load() -> Split:
    """Return the three parts."""
    found = list_datasets().set_index("name").loc["gowalla", "available"]
    if not found:
        raise SystemExit("gowalla is not on this machine; put it into $AEREC_DATA/gowalla")
    parts = read_parts(found)
    return Split.from_parts(parts["train"], parts["test"], parts["validation"])


def tune(model: str, params: dict[str, Any], threads: int) -> dict[str, Any]:
    """Fit on train; measure on valid."""
    set_threads(threads)
    split = load()
    assert split.validation is not None
    recommender = get_model_class(model)(**params).fit(split.train, split.validation)
    value = evaluate(recommender, split.validation, CHOSEN_BY, n_resamples=1).mean[CHOSEN_BY]
    found: dict[str, Any] = {"validation": value}
    if isinstance(recommender, Blend):
        found["weights"] = recommender.weights_.tolist()
    elif hasattr(recommender, "history_"):
        found["epochs"] = int(np.argmax(recommender.history_[CHOSEN_BY])) + 1
    return found


def report(model: str, params: dict[str, Any], threads: int) -> dict[str, Any]:
    """Fit on train + valid; measure on test."""
    set_threads(threads)
    split = load()
    assert split.validation is not None
    train = type(split.train)(split.train.matrix + split.validation.target.matrix, split.train.users, split.train.items)
    started = time.perf_counter()
    recommender = get_model_class(model)(**params).fit(train)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "report": evaluate(recommender, Holdout(train, split.test.target), METRICS).to_dict(),
    }


def main() -> None:
    """Tune, fit again, report."""
    parser = arguments(__doc__ or "", trials=6)
    parser.add_argument("--models", nargs="*", help="names of models; all but ease by default")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    given = parser.parse_args()
    path = given.out / f"{NAME}.json"
    details = {one["name"]: one for one in json.loads(path.read_text())["models"]} if path.exists() else {}
    order = [*(one.name for one in spaces()), "blend"]
    for name in given.models or [name for name in order if name != "ease"]:
        space = blend(details) if name == "blend" else next(one for one in spaces() if one.name == name)
        if space is not None:
            details[name] = _measure(space, given)
            _save(sorted(details.values(), key=lambda one: order.index(one["name"])), given.out)


def _measure(space: Space, given: Any) -> dict[str, Any]:
    settings = space.draw(given.trials, seed=0)
    trial = Trial(space.name, space.model, settings[0], {"validation": None})
    if len(settings) > 1 or space.model == "blend":
        fit = functools.partial(tune, threads=given.threads)
        trial = search([space], fit, n_trials=given.trials, jobs=given.jobs, threads=given.threads)[space.name]
    params = trial.params | {name: trial.found[name] for name in ("epochs", "weights") if name in trial.found}
    by_chance = "seed" in get_model_class(trial.model)().get_params()
    tasks = [
        (space.name, trial.model, seeded(trial.model, params, seed))
        for seed in (given.seeds if by_chance else given.seeds[:1])
    ]
    runs = run_trials(functools.partial(report, threads=given.threads), tasks, given.jobs, given.threads)
    return {
        "name": space.name,
        "parameters": {name: encode_parameter(value) for name, value in params.items()},
        "validation": trial.found["validation"],
        "settings": len(settings),
        "processes": f"{given.jobs} × {given.threads} thread(s)",
        "machine": machine_line(),
        "commit": commit(),
        "runs": [one.found for one in runs],
    }


def _save(details: list[dict[str, Any]], out: Path) -> None:
    rows = []
    for one in details:
        metrics = [run["report"]["metrics"] for run in one["runs"]]
        cells = [f"{np.mean([values[name]['mean'] for values in metrics]):.4f}" for name in METRICS]
        low, high = metrics[0]["ndcg@20"]["interval"]
        cells[1] += f" [{low:.4f}, {high:.4f}]"
        seconds = np.mean([run["seconds"] for run in one["runs"]])
        more = max(run["peak_mb"] - run["start_mb"] for run in one["runs"])
        left_out = ("patience", "progress", "validation_metric")
        told = ", ".join(
            f"{key}={as_json(_told(decode_parameter(value, ESTIMATORS)))}"
            for key, value in one["parameters"].items()
            if key not in left_out
        )
        rows.append([one["name"], *cells, str(one["settings"]), f"{seconds:.0f}", f"{more:,.0f}", told])
    published = json.loads((Path(__file__).parent / "published.json").read_text(encoding="utf-8"))["gowalla"]
    rows += [
        [f"{name} (published)", *(f"{v:.4f}" for v in values), "", "", "", "", ""]
        for name, values in published["models"].items()
    ]
    header = ["model", *METRICS, "settings", "fit s", "peak MB above start", "chosen"]
    made = sorted({f"{one['machine']}, commit {one['commit']}, {one['processes']}: {one['name']}" for one in details})
    note = (
        f"\n\nTrained on train + valid (810,128 interactions), measured on test. Settings chosen by {CHOSEN_BY} on "
        "valid, out of the number in the table. Peak memory of the process of the fit and its evaluation, above what "
        f"it had after the imports.\n\nPublished: {published['source']}.\n\n" + "\n".join(f"- {line}" for line in made)
    )
    save(NAME, "Top-N, Gowalla", markdown(header, rows) + note, {"models": details}, out)


def _told(value: Any) -> Any:
    """Return a value as the table has it: models by their class alone."""
    if not isinstance(value, tuple):
        return value
    return [f"{one:.2f}" if isinstance(one, float) else type(one).__name__ for one in value]


if __name__ == "__main__":
    main()
