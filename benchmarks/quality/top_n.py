"""Top-N on MovieLens: every model tuned alike on validation data, reported on test data.

    python benchmarks/quality/top_n.py                            # ml-1m-implicit, its published split, users known
    python benchmarks/quality/top_n.py --data ml-1m-implicit-strong    # the same interactions, 500 + 500 held-out users
    python benchmarks/quality/top_n.py --data ml-20m                # as Liang et al. (2018), beside published figures

ml-1m-implicit: trained on train; the history is train, items of train and valid are left out of the test rankings;
plain_recall@20 is hits / |test items|. All others: users held out, fold-in 80/20, recall over min(k, |target|); ml-1m,
ml-10m, ml-20m and ml-25m as Liang et al. (2018): ratings of 4 and more, users of five and more; they have to be in
$AEREC_DATA. "blend" sums the scores of models that were tuned before; its weights are chosen on validation data.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from sklearn.base import clone

from aerec import evaluate
from aerec.datasets import load_dataset, read_parts
from aerec.datasets.catalogue import list_datasets
from aerec.recommender.saving import decode_parameter, encode_parameter
from aerec.registry import MODELS, get_model_class
from aerec.splitting import Split, StrongGeneralization
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
from spaces import top_n_spaces

GIVEN = ("plain_recall@20", "ndcg@20", "recall@20", "coverage@20")
LIANG = ("recall@20", "recall@50", "ndcg@100")
ESTIMATORS = {model.__name__: model for model in MODELS.values()}


@dataclass(frozen=True)
class Set:
    """A data set with its split: held-out users for validation and for test, or None for the published split."""

    title: str
    name: str
    n_users: int | None = None
    results: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is reported."""
        return GIVEN if self.n_users is None else LIANG

    @property
    def chosen_by(self) -> str:
        """The metric on validation data that settings are chosen by."""
        return "ndcg@20" if self.n_users is None else "ndcg@100"


SETS = {
    "ml-1m-implicit": Set("MovieLens 1M implicit, given split", "ml-1m-implicit", results="top-n-given"),
    "ml-1m-implicit-strong": Set("MovieLens 1M implicit, strong split", "ml-1m-implicit", 500, "top-n-strong"),
    "ml-1m": Set("MovieLens 1M", "ml-1m", 500),
    "ml-10m": Set("MovieLens 10M", "ml-10m", 5_000),
    "ml-20m": Set("MovieLens 20M", "ml-20m", 10_000),
    "ml-25m": Set("MovieLens 25M", "ml-25m", 10_000),
}


@functools.cache
def load(data: str = "ml-1m-implicit") -> Split:
    """Return the split."""
    chosen = SETS[data]
    found = list_datasets().set_index("name").loc[chosen.name, "available"]
    if not found:
        raise SystemExit(f"{chosen.name} is not on this machine; put it into $AEREC_DATA/{chosen.name}")
    if chosen.n_users is None:
        parts = read_parts(found)
        return Split.from_parts(parts["train"], parts["test"], parts["validation"])
    ratings = load_dataset(chosen.name)
    if chosen.name != "ml-1m-implicit":
        ratings = ratings.binarize(4.0).filter(min_per_user=5)
    return StrongGeneralization(n_users=chosen.n_users, seed=42).split(ratings)


def fit(model: str, params: dict[str, Any], data: str, threads: int, test: bool) -> dict[str, Any]:
    """Fit in this process; measure on validation data, and on test data where asked to."""
    set_threads(threads)
    split = load(data)
    recommender = get_model_class(model)(**params)
    started = time.perf_counter()
    recommender.fit(split.train, split.validation)
    found: dict[str, Any] = {"seconds": time.perf_counter() - started}
    assert split.validation is not None
    found["validation"] = evaluate(recommender, split.validation, SETS[data].chosen_by, n_resamples=1).mean[
        SETS[data].chosen_by
    ]
    if hasattr(recommender, "history_"):
        history = recommender.history_
        found |= {"epochs": len(history), "epoch_seconds": float(history["seconds"].median())}
    if test:
        found["report"] = evaluate(recommender, split.test, SETS[data].metrics).to_dict()
    return found


def main() -> None:
    """Tune, fit with three seeds, report."""
    parser = arguments(__doc__ or "", trials=12)
    parser.add_argument("--data", choices=list(SETS), default="ml-1m-implicit")
    parser.add_argument("--add", action="store_true", help="keep the other models of the results that are there")
    parser.add_argument("--again", action="store_true", help="with the settings that were found before: no search")
    parser.add_argument("--models", nargs="*", help="names of models; all by default")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    given = parser.parse_args()
    metric, data = SETS[given.data].chosen_by, given.data
    details = {one["name"]: one for one in earlier(given.out, data)} if given.add or given.again else {}
    order = [*(space.name for space in top_n_spaces(metric)), "blend"]
    for space in top_n_spaces(metric):
        if not given.models or space.name in given.models:
            details[space.name] = _measure(space, given, details.get(space.name) if given.again else None)
            _save(data, sorted(details.values(), key=lambda one: order.index(one["name"])), given)
    if (not given.models or "blend" in given.models) and (space := _blends(details, metric)):
        details["blend"] = _measure(space, given)
        _save(data, sorted(details.values(), key=lambda one: order.index(one["name"])), given)


def _measure(space: Space, given: Any, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Choose a setting on validation data, or take that of `before`; fit it with every seed, return what was found."""
    common = {"data": given.data, "threads": given.threads}
    tune = functools.partial(fit, **common, test=False)
    if before is None:
        trial = search([space], tune, n_trials=given.trials, jobs=given.jobs, threads=given.threads)[space.name]
    else:
        trial = Trial(space.name, space.model, _found_before(space, before), {"validation": before["validation"]})
    tasks = [(space.name, trial.model, params) for params in _with_seeds(trial, given.seeds)]
    runs = run_trials(functools.partial(fit, **common, test=True), tasks, given.jobs, given.threads)
    return {
        "name": space.name,
        "tuned": trial.params,
        "parameters": {name: encode_parameter(value) for name, value in trial.params.items()},
        "validation": trial.found["validation"],
        "trials": given.trials if before is None else before["trials"],
        "seeds": given.seeds,
        "processes": f"{given.jobs} × {given.threads} thread(s)",
        "machine": machine_line(),
        "commit": commit(),
        "runs": sorted(({"seed": _seed(one.params), **one.found} for one in runs), key=lambda one: one["seed"] or 0),
    }


def _found_before(space: Space, before: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the setting that was chosen in an earlier run, out of those of the space."""
    found = decoded(before)
    chosen = {name: found.get(name, value) for name, value in space.fixed.items()}
    for name, values in space.choices.items():
        same = [value for value in values if as_json(value) == before["tuned"].get(name)]
        if not same:
            raise SystemExit(f"{space.name}: {name}={before['tuned'].get(name)} is not in its space any more; search")
        chosen[name] = same[0]
    return chosen


def _with_seeds(trial: Trial, seeds: list[int]) -> list[dict[str, Any]]:
    """Return the chosen parameters with each seed, once where nothing is left to chance."""
    if trial.model == "blend":
        parts = trial.params["models"]
        return [{**trial.params, "models": tuple(reseeded(part, seed) for part in parts)} for seed in seeds]
    by_chance = "seed" in get_model_class(trial.model)().get_params()
    return [seeded(trial.model, trial.params, seed) for seed in (seeds if by_chance else seeds[:1])]


def reseeded(model: Any, seed: int) -> Any:
    """Return an unfitted copy with this seed, if it has one."""
    return clone(model).set_params(seed=seed) if "seed" in model.get_params() else clone(model)


def _seed(params: dict[str, Any]) -> int | None:
    return next((one.seed for one in params.get("models", ()) if hasattr(one, "seed")), params.get("seed"))


def _blends(details: dict[str, Any], metric: str) -> Space | None:
    """Return the blends of linear models, and of them with RecVAE, at the settings found for each of them alone."""
    parts = {
        name: get_model_class(name)(**decoded(details[name]))
        for name in ("edlae", "elsa", "rec-vae")
        if name in details
    }
    wanted = [("edlae", "elsa"), ("elsa", "rec-vae"), ("edlae", "elsa", "rec-vae")]
    found = [tuple(parts[name] for name in names) for names in wanted if parts.keys() >= set(names)]
    return Space("blend", {"models": found}, {"validation_metric": metric}) if found else None


def decoded(details: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a model of the results."""
    return {
        name: decode_parameter(value, ESTIMATORS) for name, value in details.get("parameters", details["tuned"]).items()
    }


def _name(data: str) -> str:
    return SETS[data].results or f"top-n-{data}"


def earlier(out: Path, data: str) -> list[dict[str, Any]]:
    """Return the models of the results that are there."""
    path = out / f"{_name(data)}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["models"] if path.exists() else []
    return found


def _save(data: str, details: list[dict[str, Any]], given: Any) -> None:
    metric = SETS[data].chosen_by
    split = load(data)
    header = ["model", *SETS[data].metrics, "settings", "seeds", "fit s", "peak MB"]
    tested = np.count_nonzero(np.diff(split.test.target.matrix.indptr))
    counts = f"{split.train.n_ratings:,} training ratings; {tested:,} test users with a target"
    made = "\n".join(
        f"- {machine}, commit {at}, {processes}: {', '.join(names)}"
        for (machine, at, processes), names in _made(details).items()
    )
    note = (
        f"\n\n{split.train}; {counts}. The settings of each model are chosen by {metric} on validation, out of the "
        "number of settings in the table (all there are, where that is fewer); ± is the standard deviation over seeds, "
        "for models that depend on one; interval: 95 %, bootstrap over users, first seed. Time and memory (of the "
        f"whole process) compare within one line only:\n\n{made}{_blended(details)}{_published(data)}"
    )
    table = markdown(header, [_row(one, SETS[data].metrics) for one in details])
    save(
        _name(data),
        f"Top-N, {SETS[data].title}",
        table + note,
        {"models": details},
        given.out,
    )


def _blended(details: list[dict[str, Any]]) -> str:
    models = [one["parameters"]["models"]["tuple"] for one in details if one["name"] == "blend"]
    return "".join(
        f"\n\nblend is the sum of the standardised scores of {' + '.join(part['estimator'] for part in parts)}, each "
        "at its setting in this table, chosen and weighted on validation data."
        for parts in models
    )


def _published(data: str) -> str:
    figures = json.loads((Path(__file__).parent / "published.json").read_text(encoding="utf-8")).get(data)
    if figures is None:
        return ""
    rows = [[name, *(f"{value:.3f}" for value in values)] for name, values in figures["models"].items()]
    table = markdown(["published", *figures["metrics"]], rows)
    return f"\n\nPublished ({figures['source']}; {figures['set-up']}):\n\n{table}"


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
        spread = f" ± {np.std([one['mean'] for one in values]):.4f}" if len(values) > 1 else ""
        cells.append(f"{mean:.4f}{spread}" + ("" if low is None else f" [{low:.4f}, {high:.4f}]"))
    seconds = sum(run["seconds"] for run in runs) / len(runs)
    return [
        *cells,
        str(model["trials"]),
        str(len(runs)),
        f"{seconds:.1f}",
        f"{max(run['peak_mb'] for run in runs):.0f}",
    ]


if __name__ == "__main__":
    main()
