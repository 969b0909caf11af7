"""Rating prediction: AutoRec and KernelAutoRec against biases and biased matrix factorisation, RMSE and MAE.

    python benchmarks/quality/rating_prediction.py --data ml-100k-u1 ml-100k-random douban ml-1m-random

Of the training ratings 10 % are drawn for validation. Width, weight decay, learning rate and the number of epochs are
chosen on them alone; then the model is fitted again on all training ratings, for that number of epochs, with three
seeds (which also draw the split of the random 90/10 sets). Test ratings are seen once, at the end.

With ``--models`` only rows of these names are made, and the blends of them; with ``--add`` the other rows of the
results stay.
"""

from __future__ import annotations

import functools
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.datasets import list_datasets, load_dataset, load_parts, read_parts
from aerec.models import RatingBlend
from aerec.noise import MaskingNoise
from aerec.recommender.base import Recommender
from aerec.registry import get_model_class
from aerec.splitting import Holdout, RandomHoldout, Split
from protocol import Space, Trial, arguments, as_json, markdown, run_trials, save, search, seeded, set_threads

SETS = ("ml-100k-u1", "ml-100k-random", "douban", "ml-1m-random")
TITLES = {
    "ml-100k-u1": "MovieLens 100K, fold u1",
    "ml-100k-random": "MovieLens 100K, random 90/10",
    "douban": "Douban (split of Monti et al.)",
    "ml-1m-random": "MovieLens 1M, random 90/10",
}
ITEM, USER = "item AutoRec, biases, masking", "user AutoRec, biases, masking"
KERNEL, DEEP = "KernelAutoRec", "KernelAutoRec, two layers"
BLEND, KERNEL_BLEND = "blend", "blend of KernelAutoRec"
_FOLDERS = {"ml-100k-u1": "ml-100k", "ml-100k-random": "ml-100k", "douban": "douban-monti", "ml-1m-random": "ml-1m"}


def spaces() -> list[Space]:
    """Return the spaces; all of the same number of trials."""
    neural = {
        "hidden": [300, 500],
        "learning_rate": [1e-3, 2e-3],
        "batch_size": [128, 256, 512],
    }
    more = {"activation": ["sigmoid", "tanh"], "noise": [MaskingNoise(p) for p in (0.4, 0.5, 0.6)]}
    fixed = {"epochs": 200, "patience": 10, "progress": False}
    # the learning rate falls to 0 over a number of epochs that is chosen, so nothing is stopped early
    annealed = {"epochs": [60, 80, 120], "learning_rate": [1e-3, 2e-3, 3e-3]}
    whole = {"biases": True, "learning_rate_schedule": "cosine", "patience": None, "progress": False}
    kernel = {
        "noise": [MaskingNoise(p) for p in (0.5, 0.6)],
        "epochs": [60, 80],
        "learning_rate": [2e-3, 3e-3],
        "weight_decay": [0.1, 0.12, 0.15],
        "kernel_l2": [1e-6, 2e-6, 5e-6, 1e-5],
    }
    last = {"patience": None, "progress": False}
    return [
        Space("bias", {"l2_user": [1.0, 3.0, 5.0, 10.0, 20.0], "l2_item": [1.0, 3.0, 5.0, 10.0, 25.0]}),
        Space(
            "biased-mf",
            {
                "n_factors": [4, 8, 16, 32, 64],
                "l2": [0.1, 0.3, 1.0, 2.0, 4.0, 8.0],
                "l2_bias": [1.0, 3.0, 6.0],
                "epochs": [10, 20, 40],
            },
        ),
        Space(
            "autorec",
            {**neural, "weight_decay": [0.005, 0.01, 0.02, 0.05, 0.08, 0.12]},
            {**fixed, "orientation": "item"},
            label="item AutoRec",
        ),
        Space(
            "autorec",
            {**neural, "weight_decay": [0.02, 0.05, 0.1, 0.2, 0.4, 0.8]},
            {**fixed, "orientation": "user"},
            label="user AutoRec",
        ),
        Space(
            "autorec",
            {**neural, **more, **annealed, "weight_decay": [0.05, 0.1, 0.12, 0.15, 0.2]},
            {**whole, "orientation": "item"},
            label=ITEM,
        ),
        Space(
            "autorec",
            {**neural, **more, **annealed, "weight_decay": [0.1, 0.2, 0.3, 0.5]},
            {**whole, "orientation": "user"},
            label=USER,
        ),
        Space("kernel-autorec", {**kernel, "hidden": [200, 300], "kernel_spread": [0.1, 0.2]}, last, label=KERNEL),
        Space("kernel-autorec", {**kernel, "hidden": [(300, 300)], "kernel_spread": [0.001]}, last, label=DEEP),
    ]


def blends(best: dict[str, Trial]) -> list[Space]:
    """Return the blends of chosen models: how many seeds of each, with fitted weights or with equal ones."""

    def models(counts: dict[str, int]) -> tuple[Recommender, ...]:
        return tuple(
            get_model_class(best[name].model)(**best[name].params, seed=seed)
            for name, count in counts.items()
            for seed in range(count)
        )

    found = []
    if {ITEM, USER, "biased-mf"} <= set(best):
        numbers = [(1, 1, 0), (3, 1, 0), (3, 3, 0), (3, 3, 1)]
        parts = [models(dict(zip((ITEM, USER, "biased-mf"), n, strict=True))) for n in numbers]
        found.append(Space("rating-blend", {"models": parts}, label=BLEND))
    if {KERNEL, DEEP} <= set(best):
        parts = [models({KERNEL: n, DEEP: m}) for n, m in [(3, 3)]]
        found += [Space("rating-blend", {"models": parts}, {"weights": "equal"}, label=KERNEL_BLEND)]
    return found


@functools.cache
def load(data: str, seed: int) -> Split:
    """Return a split with 10 % of the training ratings for validation."""
    if data == "ml-100k-u1":
        parts = read_parts(list_datasets().set_index("name").loc["ml-100k", "available"], fold="u1")
    elif data == "douban":
        parts = load_parts("douban-monti")
    else:
        return RandomHoldout(0.1, validation_fraction=0.1, seed=seed).split(load_dataset(_FOLDERS[data]))
    return Split.from_parts(parts["train"], parts["test"], validation_fraction=0.1, seed=seed)


def whole_training(split: Split) -> tuple[Any, Holdout]:
    """Return training and validation ratings as one, and the test holdout with it as history."""
    assert split.validation is not None
    both = split.train.matrix + split.validation.target.matrix
    train = type(split.train)(both, split.train.users, split.train.items)
    return train, Holdout(train, split.test.target)


def tune(model: str, params: dict[str, Any], data: str, threads: int) -> dict[str, Any]:
    """Fit on the training part; return validation RMSE and the best epoch."""
    set_threads(threads)
    split = load(data, 0)
    if params.get("weights") == "equal":
        params = {**params, "weights": (1.0,) * len(params["models"])}
    recommender = get_model_class(model)(**params).fit(split.train, split.validation)
    assert split.validation is not None
    found: dict[str, Any] = {"validation": evaluate(recommender, split.validation, "rmse", n_resamples=1)["rmse"]}
    if isinstance(recommender, RatingBlend):
        found["weights"] = recommender.weights_.tolist()
        found["epochs"] = [part.epochs for part in recommender.models_]
    elif hasattr(recommender, "history_") and recommender.patience is not None:
        found["epochs"] = int(np.argmin(recommender.history_["rmse"])) + 1
    return found


def report(model: str, params: dict[str, Any], data: str, threads: int) -> dict[str, Any]:
    """Fit on all training ratings; measure on test."""
    set_threads(threads)
    seed = params.pop("split_seed")
    train, test = whole_training(load(data, seed))
    started = time.perf_counter()
    recommender = get_model_class(model)(**params).fit(train)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "report": evaluate(recommender, test, ("rmse", "mae")).to_dict()}


def main() -> None:
    """Tune, refit with three seeds, report."""
    parser = arguments(__doc__ or "", trials=12)
    parser.add_argument("--data", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--models", nargs="*", default=[space.name for space in spaces()], help="names of rows")
    parser.add_argument("--add", action="store_true", help="keep the other rows of the results that are there")
    given = parser.parse_args()
    here = list_datasets().set_index("name")["available"]
    for data in given.data:
        if not here[_FOLDERS[data]]:
            print(f"{data}: {_FOLDERS[data]} is not on this machine, left out; put it into $AEREC_DATA")
            continue
        _one_set(data, given)


def _one_set(data: str, given: Any) -> None:
    details = []
    if given.add:
        details = json.loads((given.out / f"rating-{data}.json").read_text())["models"]
    fit = functools.partial(tune, data=data, threads=given.threads)
    effort = {"n_trials": given.trials, "jobs": given.jobs, "threads": given.threads}
    best = search([space for space in spaces() if space.name in given.models], fit, lower_is_better=True, **effort)
    details = _merged(details, _measured(best, data, given))
    _save(details, data, given)
    if mixed := blends(best):
        details = _merged(details, _measured(search(mixed, fit, lower_is_better=True, **effort), data, given))
        _save(details, data, given)


def _measured(best: dict[str, Trial], data: str, given: Any) -> list[dict[str, Any]]:
    """Return the details of the rows of the chosen trials: what was chosen, and the runs on test data."""
    tasks = [
        (name, trial.model, {**_with_seed(trial, seed), "split_seed": seed})
        for name, trial in best.items()
        for seed in given.seeds
    ]
    final = run_trials(functools.partial(report, data=data, threads=given.threads), tasks, given.jobs, given.threads)
    return [
        {
            "name": name,
            "tuned": _settled(trial),
            "validation": trial.found["validation"],
            "runs": [one.found for one in final if one.name == name],
        }
        for name, trial in best.items()
    ]


def _save(details: list[dict[str, Any]], data: str, given: Any) -> None:
    rows = [_row(one) for one in details]
    header = ["model", "validation RMSE", "test RMSE", "test MAE", "fit s", "chosen"]
    split = load(data, 0)
    note = (
        f"\n\n{split.train.n_ratings:,} training, {split.validation.target.n_ratings:,} validation and "
        f"{split.test.target.n_ratings:,} test ratings, {split.train.shape[0]:,} users, {split.train.shape[1]:,} "
        f"items. {given.trials} settings per model; mean and standard deviation over seeds {given.seeds}; predictions "
        f"clipped to the rating range. Fit with {given.threads} thread(s), {given.jobs} fits at once."
    )
    content = {"models": details, "trials": given.trials}
    save(f"rating-{data}", f"Rating prediction, {TITLES[data]}", markdown(header, rows) + note, content, given.out)


def _merged(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the old rows, replaced by new ones of the same name, then the rest of the new."""
    renewed = {one["name"]: one for one in new}
    kept = [renewed.pop(one["name"], one) for one in old]
    return [*kept, *renewed.values()]


def _row(detail: dict[str, Any]) -> list[str]:
    cells = [detail["name"], f"{detail['validation']:.4f}"]
    for metric in ("rmse", "mae"):
        values = [run["report"]["metrics"][metric]["mean"] for run in detail["runs"]]
        cells.append(f"{np.mean(values):.4f} ± {np.std(values):.4f}")
    return [*cells, f"{np.mean([run['seconds'] for run in detail['runs']]):.1f}", _told(detail["tuned"])]


def _with_seed(trial: Trial, seed: int) -> dict[str, Any]:
    """Return the settled parameters with a seed; the seeds of the parts of a blend do not overlap between runs."""
    params = _settled(trial)
    if trial.model != "rating-blend":
        return seeded(trial.model, params, seed)
    parts = params["models"]
    return {**params, "models": tuple(clone(one).set_params(seed=one.seed + len(parts) * seed) for one in parts)}


def _settled(trial: Trial) -> dict[str, Any]:
    """Return the chosen parameters, with the number of epochs that early stopping found."""
    if trial.model == "rating-blend":
        parts = zip(trial.params["models"], trial.found["epochs"], strict=True)
        settled = tuple(clone(part).set_params(epochs=epochs) for part, epochs in parts)
        return {"models": settled, "weights": trial.found["weights"]}
    epochs = {"epochs": trial.found["epochs"]} if "epochs" in trial.found else {}
    return {**trial.params, **epochs}


def _told(params: dict[str, Any]) -> str:
    left_out = ("patience", "progress", "orientation")
    if "models" in params:  # a blend: the numbers of its parts stand in the rows above
        parts = Counter(
            re.sub(r", seed=\d+|, progress=False|, patience=None", "", one) for one in as_json(params["models"])
        )
        weights = ", ".join(f"{weight:.3g}" for weight in params["weights"])
        return "; ".join(f"{count} × {part}" for part, count in parts.items()) + f"; weights {weights}"
    return ", ".join(f"{name}={as_json(value)}" for name, value in params.items() if name not in left_out)


if __name__ == "__main__":
    main()
