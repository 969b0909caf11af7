"""Measure recall@20 and ndcg@20 of one factor model with the metrics of a library: ``python measure.py FOLDER``.

The folder has ``users.npy`` and ``items.npy`` (the factors), ``train.npz``, ``test.npz`` and ``job.json`` (library,
threads). All score the users block by block, leave out the items of train, and average over the users with test items;
ranx cannot score and gets the finished rankings. Every measurement is the best of three.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.sparse as sp

from job import best_of, peak_mb, rank

_BLOCK = 500  # users whose scores are made at once, where the library leaves that to us


@dataclass(frozen=True)
class Measured:
    """The factors and the data."""

    folder: Path
    users: np.ndarray[Any, Any]
    items: np.ndarray[Any, Any]
    train: Any
    test: Any
    threads: int

    def scores(self, users: Any) -> np.ndarray[Any, Any]:
        """Return the scores of all items for these users."""
        found: np.ndarray[Any, Any] = self.users[users] @ self.items.T
        return found


def with_aerec(data: Measured, n_resamples: int = 1) -> Callable[[], dict[str, float]]:
    """`aerec.evaluate`, by default without the bootstrap that it makes its intervals with."""
    import torch

    from aerec import Interactions, evaluate
    from aerec.holdout import Holdout
    from aerec.recommender.base import Recommender

    torch.set_num_threads(data.threads)

    class Factors(Recommender):
        def _fit(self, train: Interactions, validation: Any) -> None:
            self.users_ = train.users

        def _score(self, history: Any, known_users: Any) -> Any:
            return data.scores(known_users)

    train, test = Interactions.from_matrix(data.train), Interactions.from_matrix(data.test)
    model, holdout = Factors().fit(train), Holdout(train, test)

    def measure() -> dict[str, float]:
        mean = evaluate(model, holdout, ("plain_recall@20", "ndcg@20"), n_resamples=n_resamples).mean
        return {"recall": mean["plain_recall@20"], "ndcg": mean["ndcg@20"]}

    return measure


def with_implicit(data: Measured) -> Callable[[], dict[str, float]]:
    """`implicit.evaluation.ranking_metrics_at_k`; its precision and MAP have denominators of their own."""
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.evaluation import ranking_metrics_at_k

    model = AlternatingLeastSquares(factors=data.users.shape[1], num_threads=data.threads)
    model.user_factors, model.item_factors = data.users, data.items

    def measure() -> dict[str, float]:
        found = ranking_metrics_at_k(model, data.train, data.test, K=20, show_progress=False, num_threads=data.threads)
        return {"ndcg": found["ndcg"]}

    return measure


def with_irspack(data: Measured) -> Callable[[], dict[str, float]]:
    """The evaluator of irspack, in C++, on blocks of scores."""
    from irspack.evaluation import Evaluator

    evaluator = Evaluator(data.test, cutoff=20, masked_interactions=data.train, n_threads=data.threads)

    def blocks() -> Iterator[np.ndarray[Any, Any]]:
        for at in range(0, len(data.users), _BLOCK):
            yield data.scores(slice(at, at + _BLOCK))

    def measure() -> dict[str, float]:
        found = evaluator.get_score_from_score_chunks(blocks())
        return {"recall": found["recall"], "ndcg": found["ndcg"]}

    return measure


def with_recbole(data: Measured) -> Callable[[], dict[str, float]]:
    """RecBole's full ranking, of its BPR model with our factors; a batch of 500 users instead of its default of 1."""
    import torch
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model, get_trainer

    from run_recbole import configure, row_numbers

    torch.set_num_threads(data.threads)
    params = {"embedding_size": data.users.shape[1], "eval_batch_size": _BLOCK * data.items.shape[0]}
    job = {"folder": data.folder, "model": "BPR", "params": params, "epochs": 1, "seed": 0}
    config = configure(
        SimpleNamespace(**job, train=data.train, validation=data.test),
        train_neg_sample_args={"distribution": "uniform", "sample_num": 1, "dynamic": False},
    )
    train, _, test = data_preparation(config, create_dataset(config))
    model = get_model("BPR")(config, train.dataset)
    for field, table, ours in (
        (train.dataset.uid_field, model.user_embedding, data.users),
        (train.dataset.iid_field, model.item_embedding, data.items),
    ):
        numbers = row_numbers(train.dataset, field, len(ours))
        with torch.no_grad():
            table.weight[numbers[numbers > 0]] = torch.from_numpy(ours[numbers > 0])
    trainer = get_trainer(config["MODEL_TYPE"], "BPR")(config, model)

    def measure() -> dict[str, float]:
        found = trainer.evaluate(test, load_best_model=False, show_progress=False)
        return {"recall": found["recall@20"], "ndcg": found["ndcg@20"]}

    return measure


def with_ranx(data: Measured) -> Callable[[], dict[str, float]]:
    """Ranx on finished rankings, from arrays to the means; its just-in-time compilation comes before."""
    from ranx import Qrels, Run, evaluate

    users = np.flatnonzero(np.diff(data.test.indptr))
    ranking = rank(data, users, 20, [data.train])
    names = np.arange(data.items.shape[0]).astype(str)

    def measure() -> dict[str, float]:
        relevant = {str(user): dict.fromkeys(names[data.test[[user]].indices], 1) for user in users}
        ranked = {
            str(user): dict(zip(names[items], range(20, 0, -1), strict=True))
            for user, items in zip(users, ranking, strict=True)
        }
        found = evaluate(Qrels(relevant), Run(ranked), ["recall@20", "ndcg@20"])
        return {"recall": float(found["recall@20"]), "ndcg": float(found["ndcg@20"])}

    return measure


LIBRARIES = {
    "aerec": with_aerec,
    "aerec, 1000 resamples": lambda data: with_aerec(data, 1000),
    "implicit": with_implicit,
    "irspack": with_irspack,
    "recbole": with_recbole,
    "ranx": with_ranx,
}


def main() -> None:
    """Read the folder, measure, write ``result.json``."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    train, test = (sp.csr_matrix(sp.load_npz(folder / f"{name}.npz")) for name in ("train", "test"))
    users, items = (np.load(folder / f"{name}.npy") for name in ("users", "items"))
    measure = LIBRARIES[job["library"]](Measured(folder, users, items, train, test, job["threads"]))
    seconds, found = best_of(3, measure)
    found = {"seconds": seconds, "peak_mb": peak_mb(), **{name: float(value) for name, value in found.items()}}
    (folder / "result.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
