"""Do aerec's models rank as well as those of other libraries? The same models, with the same hyper-parameters.

    python benchmarks/peers/environments.py         # once
    python benchmarks/peers/quality.py              # all, or --only NAME …, which keeps the other rows

MovieLens 1M implicit in its published split: everyone trains on train, nothing is chosen on validation or test data,
items of train and valid are left out of the rankings, test items are the target. Every library writes its 100 best
items per user into a file, and all files are measured by the same functions of aerec.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path += [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "quality")]

from aerec import compare
from aerec.evaluation import ndcg_at_k, recall_at_k
from aerec.evaluation.bootstrap import bootstrap_sums, percentile_interval
from aerec.evaluation.report import Report
from environments import COMPILED, PEERS, is_there
from launch import launch
from protocol import RESULTS, as_json, commit, machine_line, markdown, save
from top_n import load

METRICS = ("plain_recall@20", "ndcg@20")


@dataclass(frozen=True)
class Pair:
    """A peer's model and ours, of the same hyper-parameters; `differs` says what cannot be made the same.

    `note` sets two pairs of the same peer's model apart.
    """

    peer: str
    model: str
    params: dict[str, Any]
    ours: str
    our_params: dict[str, Any]
    epochs: int = 1
    differs: str = ""
    note: str = ""
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.peer} {self.model}{self.note}")


ADAM = {"batch_size": 500, "learning_rate": 1e-3}
RECBOLE = {"train_batch_size": 500}
# implicit and aerec weigh a rating 1 + alpha and all else 1; irspack weighs a rating 1, and all, towards 0, alpha0.
# Divided by alpha0 and rescaled by 1 + alpha0 the two are one: alpha = 1 / alpha0, l2 = reg · (1 + alpha0) / alpha0.
ALS = {"n_factors": 128, "l2": 100.0, "alpha": 10.0}
PAIRS = [
    Pair("irspack", "DenseSLIMRecommender", {"reg": 1000.0}, "ease", {"l2": 1000.0}),
    Pair("recbole", "EASE", {"reg_weight": 1000.0}, "ease", {"l2": 1000.0}),
    Pair("cornac", "EASE", {"lamb": 1000.0, "posB": False}, "ease", {"l2": 1000.0}),
    Pair("irspack", "EDLAERecommender", {"reg": 500.0, "dropout_p": 0.5}, "edlae", {"l2": 500.0, "dropout": 0.5}),
    Pair(
        "implicit", "ALS", {"factors": 128, "regularization": 100.0, "alpha": 10.0}, "als", ALS, 15,
        "implicit scores with its trained user factors, aerec folds every history in exactly",
    ),
    Pair(
        "irspack", "IALSRecommender",
        {"n_components": 128, "alpha0": 0.1, "reg": 100 * 0.1 / 1.1, "nu": 0.0, "max_cg_steps": 3}, "als", ALS, 15,
        "as implicit; another initialisation",
    ),
    Pair(
        "recbole", "MultiDAE", RECBOLE, "mult-dae", {**ADAM, "hidden": (600, 64)}, 80,
        "Xavier's normal instead of his uniform distribution initialises",
    ),
    Pair(
        "recbole", "MultiVAE", RECBOLE, "mult-vae",
        {**ADAM, "hidden": (600, 64), "kl_weight": 0.2, "kl_annealing_steps": 40_000}, 80,
        "as MultiDAE; RecBole draws the code with a hundredth of its standard deviation",
    ),
    Pair(
        "recbole", "CDAE", RECBOLE, "cdae", {**ADAM, "hidden": 64, "activation": "relu"}, 80,
        "as MultiDAE; RecBole adds 0.01 · (‖V‖ + ‖W‖), and initialises user factors at random, aerec at 0",
    ),
    Pair(
        "cornac", "VAECF", {"k": 200, "autoencoder_structure": [600], "beta": 0.2, **ADAM}, "autoencoder",
        {**ADAM, "hidden": (600, 200), "noise": None, "variational": True, "kl_weight": 0.2}, 40,
        "Cornac goes through users in the order of the data; PyTorch's initialisation instead of Xavier's",
    ),
    Pair(
        "recbole", "RecVAE", RECBOLE, "rec-vae", {**ADAM, "hidden": (600, 200), "kl_weight": 0.005}, 40,
        "as MultiVAE",
    ),
    Pair(
        "recbole", "RecVAE", RECBOLE, "rec-vae",
        {**ADAM, "hidden": (600, 200), "kl_weight": 0.005, "deviations": 0.01}, 40,
        "as MultiDAE; but aerec's code is drawn as RecBole's is",
        ", drawn alike",
    ),
    Pair(
        "cornac", "RecVAE", {"batch_size": 500, "lr": 1e-3}, "rec-vae",
        {**ADAM, "hidden": (600, 200), "kl_weight": 0.005}, 40,
        "as RecBole's MultiVAE; PyTorch's initialisation instead of Xavier's",
    ),
    Pair(
        "cornac", "RecVAE", {"batch_size": 500, "lr": 1e-3}, "rec-vae",
        {**ADAM, "hidden": (600, 200), "kl_weight": 0.005, "deviations": 0.01}, 40,
        "PyTorch's initialisation instead of Xavier's; but aerec's code is drawn as Cornac's is",
        ", drawn alike",
    ),
    Pair(
        "elsarec", "ELSA", {"n_dims": 400, "lr": 0.1, "batch_size": 256}, "elsa",
        {"n_factors": 400, "learning_rate": 0.1, "batch_size": 256}, 20,
        "its cost is the mean over users and items, aerec's that over users, of which NAdam's ε makes something else",
    ),
    Pair(
        "sansa", "SANSA", {"l2": 500.0, "weight_matrix_density": 0.028}, "sparse-ease",
        {"l2": 500.0, "n_neighbors": 200}, 1,
        "a sparse factor and an approximate inverse of it (two matrices of 2.8 % of the weights each), where aerec "
        "solves for each item among its 200 nearest (5.6 %)",
    ),
]  # fmt: skip


def measure(name: str, rankings: list[np.ndarray[Any, Any]], target: Any) -> Report:
    """Return a report of the mean over `rankings` (one per seed) of each user's values."""
    values = {
        "plain_recall@20": [recall_at_k(one[:, :20], target, 20, denominator="target") for one in rankings],
        "ndcg@20": [ndcg_at_k(one[:, :20], target, 20) for one in rankings],
    }
    users = pd.DataFrame({metric: np.mean(each, axis=0) for metric, each in values.items()}, index=target.users)
    users = users.dropna()
    sums = bootstrap_sums(users.to_numpy(), 1000, 0) / len(users)
    intervals = {metric: percentile_interval(sums[:, at]) for at, metric in enumerate(METRICS)}
    return Report(name, users.mean().to_dict(), intervals, users, len(users), target.shape[0] - len(users))


def contest(pair: Pair, seeds: list[int], threads: int, folder: Path | None) -> dict[str, Any]:
    """Train both with every seed and compare them user by user."""
    split = load()
    data = {"train": split.train.matrix, "exclude": split.test.exclude.matrix if split.test.exclude else None}
    sides = []
    for peer, model, params in ((pair.peer, pair.model, pair.params), ("aerec", pair.ours, pair.our_params)):
        runs = [rankings(peer, model, json.dumps(params), pair.epochs, seed, threads, data) for seed in seeds]
        if error := next((one["error"] for one in runs if "error" in one), None):
            raise SystemExit(f"{peer} {model}: {error}")
        report = measure(peer if peer != "aerec" else "aerec", [one["items"] for one in runs], split.test.target)
        sides.append((report, runs))
    (theirs, their_runs), (ours, our_runs) = sides
    found: dict[str, Any] = {"name": pair.name, "package": PEERS[pair.peer][1][0], "peer": theirs.to_dict()}
    found |= {"aerec": ours.to_dict(), "ours": pair.ours, "params": pair.params, "our_params": pair.our_params}
    found |= {"epochs": pair.epochs, "differs": pair.differs, "seeds": seeds, "commit": commit()}
    found |= {"machine": machine_line(), "threads": threads}
    found["seconds"] = {
        "peer": [sum(one["epoch_seconds"]) for one in their_runs],
        "aerec": [sum(one["epoch_seconds"]) for one in our_runs],
    }
    rows = compare([ours, theirs]).set_index("metric")
    found["difference"] = {
        metric: {key: float(rows.loc[metric, key]) for key in ("difference", "low", "high", "p_value")}
        for metric in METRICS
    }
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(folder / f"{pair.name}.npz", peer=their_runs[0]["items"], aerec=our_runs[0]["items"])
    return found


_DONE: dict[tuple[Any, ...], dict[str, Any]] = {}


def rankings(peer: str, model: str, params: str, epochs: int, seed: int, threads: int, data: Any) -> dict[str, Any]:
    """Train and rank; what was trained before is not trained again."""
    key = (peer, model, params, epochs, seed)
    if key not in _DONE:
        print(f"{peer} {model}, seed {seed} …", flush=True)
        _DONE[key] = launch(peer, model, json.loads(params), data, epochs=epochs, seed=seed, threads=threads, rank=True)
    return _DONE[key]


def verdict(difference: dict[str, float]) -> str:
    """Say what the 95 % interval of the paired difference says."""
    if difference["low"] > 0:
        return "above"
    return "below" if difference["high"] < 0 else "within noise"


def report(details: list[dict[str, Any]], out: Path) -> None:
    """Write the table and the JSON."""
    header = ["peer", "aerec"]
    for metric in METRICS:
        header += [f"{metric} peer", "aerec", "difference [95 %]"]
    header += ["aerec is", "seeds"]
    rows = []
    for one in details:
        row = [one["name"], one["ours"]]
        for metric in METRICS:
            gap = one["difference"][metric]
            row += [f"{one[side]['metrics'][metric]['mean']:.4f}" for side in ("peer", "aerec")]
            row.append(f"{gap['difference']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}]")
        words = [verdict(one["difference"][metric]) for metric in METRICS]
        rows.append([*row, words[0] if words[0] == words[1] else ", ".join(words), str(len(one["seeds"]))])
    settings = "\n".join(
        f"- {one['name']} ({one['package']}): {_words(one['params'])}; aerec {one['ours']}: {_words(one['our_params'])}"
        f"; {one['epochs']} epoch(s)" + (f". Not the same: {one['differs']}" if one["differs"] else "")
        for one in details
    )
    made: dict[str, list[str]] = {}
    for one in details:
        made.setdefault(f"{one['machine']}, {one['threads']} thread(s), commit {one['commit']}", []).append(one["name"])
    where = "\n".join(f"- {how}: {', '.join(names)}" for how, names in made.items())
    note = (
        "\n\nThe 100 best items per user of every library, measured by aerec's metrics over the 6,038 users with test "
        "items. Difference: mean over users of aerec − peer, with its paired 95 % bootstrap interval over users; with "
        "several seeds each user's values are averaged first. The interval knows nothing of the spread over seeds. "
        "These runs shared their machine with other work: the times in the JSON are no comparison of speed.\n\n"
        f"What was not given is the library's default.\n\n{settings}\n\n{where}"
    )
    title = "Quality against peers, MovieLens 1M implicit, given split"
    save("peers-quality", title, markdown(header, rows) + note, {"pairs": details}, out)


def _words(params: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in as_json(params).items())


def main() -> None:
    """Run the pairs and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=[pair.name for pair in PAIRS], help="keep the other rows")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument(
        "--join", nargs="*", type=Path, default=[], help="results of other runs whose rows are taken in"
    )
    parser.add_argument("--rankings", type=Path, help="folder to keep the rankings in")
    given = parser.parse_args()
    kept = [given.out / "peers-quality.json"] if given.only or given.join else []
    details = {
        one["name"]: one
        for path in [*kept, *given.join]
        if path.exists()
        for one in json.loads(path.read_text(encoding="utf-8"))["pairs"]
    }
    run = functools.partial(contest, seeds=given.seeds, threads=given.threads, folder=given.rankings)
    wanted = [pair for pair in PAIRS if pair.name in (given.only or []) or not (given.only or given.join)]
    for pair in wanted:
        if not given.only and pair.peer in COMPILED and not is_there(pair.peer):
            print(f"{pair.name} is left out: python benchmarks/peers/environments.py {pair.peer}")
            continue
        details[pair.name] = run(pair)
        report([details[one.name] for one in PAIRS if one.name in details], given.out)
    if not wanted:
        report([details[one.name] for one in PAIRS if one.name in details], given.out)


if __name__ == "__main__":
    main()
