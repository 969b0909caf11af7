"""Gowalla and Yelp2018 on the splits of LightGCN: quality, time and peak memory of what fits a large catalogue.

    python benchmarks/quality/lightgcn_splits.py
    python benchmarks/quality/lightgcn_splits.py --data yelp2018
    python benchmarks/quality/lightgcn_splits.py --models ease --threads 4    # items × items: 7 GB, minutes a setting

Gowalla has 29,858 users and 40,981 places, Yelp2018 31,668 and 38,048. Measured in the set-up of LightGCN: fitted on
all that comes before test (train, for Gowalla + valid). plain_recall@20 is hits / |test items|.

Settings are chosen on a tenth of each user's list in train that is set apart: the model is fitted on nine tenths of
what it is to learn from in the end, and settings, epochs and weights are chosen by what it finds of that tenth, for
5,000 users. For Gowalla it is the last tenth, not the published valid part: the lists of train are in the order of
time (`describe_parts` shows it), test is what came after them, and valid was drawn from them at random: what suits
it, such as holding popular items back, need not suit what comes later. The lists of Yelp2018 are in the order of item
ids, so there the tenth is drawn at random. Every fit runs in a process of its own, so that its peak memory is its
own.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import Interactions, evaluate
from aerec.datasets import list_datasets, read_parts
from aerec.drawing import draw_ratings, places_in_rows
from aerec.holdout import Holdout
from aerec.models import Blend
from aerec.recommender.saving import decode_parameter, encode_parameter
from aerec.registry import MODELS, get_model_class
from aerec.splitting import Split
from protocol import (
    Space,
    Trial,
    arguments,
    as_json,
    commit,
    in_own_process,
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
TITLES = {"gowalla": "Gowalla", "yelp2018": "Yelp2018"}
APART = 0.1  # of each user's list in train, set apart for choosing; with more, the best settings are those of less data
BLENDED = ("bspm", "rp3-beta", "sparse-ease")
USERS = 5_000  # drawn at random, whose lists are looked at in choosing
ESTIMATORS = {model.__name__: model for model in MODELS.values()}


def spaces() -> list[Space]:
    """Return the spaces, all of which is tried."""
    learned = {"validation_metric": CHOSEN_BY, "progress": False}
    return [
        Space("popularity"),
        Space("item-knn", {"k": [200, 400, 800], "shrinkage": [30.0, 100.0, 300.0]}),
        Space("rp3-beta", {"alpha": [0.5, 0.75, 1.0], "beta": [0.1, 0.2, 0.3], "k": [500]}),
        Space(
            "bspm", {"sharpening": [1.2, 1.8, 2.5], "shrinkage": [0.0, 1.0, 3.0], "weight": [0.3], "n_factors": [448]}
        ),
        Space("pure-svd", {"n_factors": [32, 64, 128, 256, 384, 512, 768, 1024, 1536]}),
        Space("als", {"n_factors": [256], "l2": [10.0, 30.0, 100.0], "alpha": [3.0, 10.0, 30.0]}),
        Space("sparse-ease", {"l2": [15.0, 50.0, 150.0], "n_neighbors": [100, 200, 300]}),
        Space(  # up to the factors with which it takes less than a tenth of the memory of EASE
            "elsa",
            {"learning_rate": [0.03, 0.1, 0.3], "n_factors": [256, 512, 600]},
            {"batch_size": 1000, "epochs": 12, "patience": 3, "noise": None, "user_norm": 1.0, "shrinkage": 0.0}
            | {"item_scale": 0.0, **learned},
        ),
        Space("ease", {"l2": [16.0, 30.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1000.0]}),
    ]


def blend(details: dict[str, Any]) -> Space | None:
    """Return the blend of the sparse models at the settings found for each alone; only the weights are chosen."""
    models = tuple(
        get_model_class(name)(**{key: decode_parameter(value) for key, value in details[name]["parameters"].items()})
        for name in BLENDED
        if name in details
    )
    fixed = {"validation_metric": CHOSEN_BY, "steps": 10}
    return Space("blend", {"models": [models]}, fixed) if len(models) == len(BLENDED) else None


def folder(data: str) -> Path:
    """Return where the files are."""
    path = list_datasets().set_index("name").loc[data, "available"]
    if not path:
        raise SystemExit(f"{data} is not on this machine; put it into $AEREC_DATA/{data}")
    return Path(path)


@functools.cache
def load(data: str) -> tuple[Interactions, Interactions | None, Holdout]:
    """Return train, valid where there is one, and what is measured: all that comes before test, and test."""
    parts = read_parts(folder(data))
    if data == "yelp2018":
        split = Split.from_parts(parts["train"], parts["test"])
        return split.train, None, Holdout(split.train, split.test.target)
    split = Split.from_parts(parts["train"], parts["test"], parts["validation"])
    assert split.validation is not None
    valid = split.validation.target
    return split.train, valid, Holdout(_together(split.train, valid), split.test.target)


def choosing(data: str) -> Holdout:
    """Return what is chosen on: a tenth of each user's list in train to find, all else to learn from."""
    train, valid, _ = load(data)
    if valid is None:
        apart = draw_ratings(train, APART, np.random.default_rng(0), per_user=True)
        return Holdout(train.keep(~apart), train.keep(apart))
    lines = [line.split() for line in (folder(data) / "train.txt").read_text().splitlines()]
    pairs = [(line[0], item, place) for line in lines for place, item in enumerate(line[1:])]
    frame = pd.DataFrame(pairs, columns=["user", "item", "timestamp"]).astype(np.int64)
    listed = Interactions.from_frame(frame, rating=None).with_users(train.users).with_items(train.items)
    assert listed.timestamps is not None
    lengths = np.diff(listed.matrix.indptr)
    later = places_in_rows(listed, -listed.timestamps) < np.repeat(np.round(APART * lengths), lengths)
    return Holdout(_together(listed.keep(~later), valid), listed.keep(later))


def some_users(holdout: Holdout) -> Holdout:
    """Return the holdout of `USERS` users."""
    chosen = np.sort(np.random.default_rng(0).permutation(holdout.n_users)[:USERS])
    users = holdout.history.users[chosen]
    return Holdout(holdout.history.select_users(users), holdout.target.select_users(users))


def describe_parts() -> list[str]:
    """Say how the popularity of what each part of Gowalla holds out differs from that of what is learnt from."""
    train, valid, test = load("gowalla")
    own, both = choosing("gowalla"), test.history
    assert valid is not None
    drawn = draw_ratings(both, APART, np.random.default_rng(0), per_user=True)
    parts = {
        "published valid, against train": (train, valid),
        "a tenth of train + valid at random, against the rest": (both.keep(~drawn), both.keep(drawn)),
        "last tenth of each list in train, against the rest and valid": (own.history, own.target),
        "published test, against train + valid": (both, test.target),
    }
    top = np.argsort(-_counts(both), kind="stable")[:300]
    in_test = _counts(test.target)[top] / (_counts(both) + _counts(test.target))[top]
    lines = []
    for name, (learned, held) in parts.items():
        popularity, held_out = _counts(learned), _counts(held)
        ratio = (popularity @ held_out / held_out.sum()) / (popularity @ popularity / popularity.sum())
        share = held_out[top] / (popularity + held_out)[top]
        alike = np.corrcoef(share, in_test)[0, 1]
        lines.append(f"{name}: {ratio:.2f} times the mean popularity; correlation {alike:.2f}")
    return lines


def _together(one: Interactions, other: Interactions) -> Interactions:
    return Interactions(one.matrix + other.matrix, one.users, one.items)


def _counts(part: Interactions) -> NDArray[np.float64]:
    return np.bincount(part.matrix.indices, minlength=part.shape[1]).astype(np.float64)


def tune(data: str, model: str, params: dict[str, Any], threads: int) -> dict[str, Any]:
    """Fit on nine tenths; measure on the tenth that was set apart."""
    set_threads(threads)
    own = choosing(data)
    asked = some_users(own)
    recommender = get_model_class(model)(**params).fit(own.history, asked)
    value = evaluate(recommender, asked, CHOSEN_BY, n_resamples=1).mean[CHOSEN_BY]
    found: dict[str, Any] = {"validation": value}
    if isinstance(recommender, Blend):
        found["weights"] = recommender.weights_.tolist()
    elif hasattr(recommender, "history_"):
        found["epochs"] = int(np.argmax(recommender.history_[CHOSEN_BY])) + 1
    return found


def report(data: str, model: str, params: dict[str, Any], threads: int) -> dict[str, Any]:
    """Fit on all that comes before test; measure on test."""
    set_threads(threads)
    _, _, test = load(data)
    started = time.perf_counter()
    recommender = get_model_class(model)(**params).fit(test.history)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "report": evaluate(recommender, test, METRICS).to_dict()}


def main() -> None:
    """Tune, fit again, report."""
    parser = arguments(__doc__ or "", trials=9)
    parser.add_argument("--data", choices=TITLES, default="gowalla")
    parser.add_argument("--models", nargs="*", help="names of models; all but ease by default")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--again", action="store_true", help="fit the chosen settings again, without a search")
    given = parser.parse_args()
    path = given.out / f"{given.data}.json"
    details = {one["name"]: one for one in json.loads(path.read_text())["models"]} if path.exists() else {}
    order = [*(one.name for one in spaces()), "blend"]
    for name in given.models or [name for name in order if name != "ease"]:
        space = blend(details) if name == "blend" else next(one for one in spaces() if one.name == name)
        if given.again and name in details:
            details[name] = _measure(details[name], given)
        elif space is not None:
            details[name] = _measure(_choose(space, given), given)
        _save(given.data, sorted(details.values(), key=lambda one: order.index(one["name"])), given.out)


def _choose(space: Space, given: Any) -> dict[str, Any]:
    settings = space.draw(given.trials, seed=0)
    trial = Trial(space.name, space.model, settings[0], {"validation": None})
    if len(settings) > 1 or "validation_metric" in space.fixed:
        fit = functools.partial(tune, given.data, threads=given.threads)
        trial = search([space], fit, n_trials=given.trials, jobs=given.jobs, threads=given.threads)[space.name]
    params = trial.params | {name: trial.found[name] for name in ("epochs", "weights") if name in trial.found}
    return {
        "name": space.name,
        "parameters": {name: encode_parameter(value) for name, value in params.items()},
        "validation": trial.found["validation"],
        "settings": len(settings),
    }


def _measure(chosen: dict[str, Any], given: Any) -> dict[str, Any]:
    name = chosen["name"]
    params = {key: decode_parameter(value, ESTIMATORS) for key, value in chosen["parameters"].items()}
    by_chance = "seed" in get_model_class(name)().get_params()
    tasks = [(name, name, seeded(name, params, seed)) for seed in (given.seeds if by_chance else given.seeds[:1])]
    runs = run_trials(functools.partial(report, given.data, threads=given.threads), tasks, given.jobs, given.threads)
    return {
        **chosen,
        "processes": f"{given.jobs} × {given.threads} thread(s)",
        "machine": machine_line(),
        "commit": commit(),
        "runs": [one.found for one in runs],
    }


def _save(data: str, details: list[dict[str, Any]], out: Path) -> None:
    rows = []
    for one in details:
        metrics = [run["report"]["metrics"] for run in one["runs"]]
        cells = [_spread([values[name]["mean"] for values in metrics]) for name in METRICS]
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
        counts = str(one["settings"]), str(len(one["runs"]))
        rows.append([one["name"], *cells, *counts, f"{seconds:.0f}", f"{more:,.0f}", told])
    published = json.loads((Path(__file__).parent / "published.json").read_text(encoding="utf-8"))[data]
    rows += [
        [f"{name} (published)", *(f"{v:.4f}" for v in values), *[""] * 6]
        for name, values in published["models"].items()
    ]
    header = ["model", *METRICS, "settings", "seeds", "fit s", "peak MB above start", "chosen"]
    made = sorted({f"{one['machine']}, commit {one['commit']}, {one['processes']}: {one['name']}" for one in details})
    _, _, test = load(data)
    before, apart = ("train + valid", "last") if data == "gowalla" else ("train", "random")
    note = f"""

Trained on {before} ({test.history.matrix.nnz:,} interactions), measured on test. Settings chosen, out of the number
in the table, by {CHOSEN_BY} of {USERS:,} users on a {apart} tenth of the lists in train, after training on the rest.
Peak memory of the process of the fit and its evaluation, above what it had after the imports. ± is the standard
deviation over seeds."""
    if data == "gowalla":
        note += """

Why the last tenth: the lists of train are in the order of time, test is what came after them, valid was drawn at
random. Mean popularity of the held-out items over that of all that is learnt from; and the correlation, over the 300
most popular items, of the share of an item that is held out with its share in test:

""" + "\n".join(f"- {line}" for line in in_own_process(describe_parts))
    note += f"\n\nPublished: {published['source']}.\n\n" + "\n".join(f"- {line}" for line in made)
    save(data, f"Top-N, {TITLES[data]}", markdown(header, rows) + note, {"models": details}, out)


def _spread(values: list[float]) -> str:
    """Return mean and, of several seeds, standard deviation."""
    return f"{np.mean(values):.4f}" + (f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def _told(value: Any) -> Any:
    """Return a value as the table has it: models by their class alone."""
    if not isinstance(value, tuple):
        return value
    return [f"{one:.2f}" if isinstance(one, float) else type(one).__name__ for one in value]


if __name__ == "__main__":
    main()
