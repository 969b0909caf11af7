"""What the scripts of all peers share: the job, the clock, the top of the rankings. Needs numpy and scipy alone.

A job is a folder with ``job.json``, ``train.npz`` and, where asked for, ``validation.npz`` and ``exclude.npz``, which
are matrices of users × items. ``python run_<peer>.py FOLDER`` trains and writes ``result.json`` and ``ranking.npz``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

TOP = 100  # length of the rankings that are written and timed
_BLOCK_BYTES = 64 * 2**20  # scores held at once while ranking
_VALIDATED = 5000  # users that validation looks at, where there are more


class Recommender(Protocol):
    """What a peer's script makes of its library. `recommend` is left out where the library has no such call."""

    def train(self, epoch_done: Callable[[], None]) -> None:
        """Train, calling `epoch_done` after every epoch, and once for a closed form."""

    def scores(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the scores of all items for the training users with these row numbers."""

    def recommend(self, k: int) -> np.ndarray[Any, Any]:
        """Return the k best unseen items of every user with the library's own means."""


@dataclass(frozen=True)
class Job:
    """What to train, and what to measure in doing so."""

    folder: Path
    model: str
    params: dict[str, Any]
    epochs: int
    seed: int
    threads: int
    rank: bool  # write the ranking of every user, without the items of train and exclude
    recommend: bool  # time the library's own recommendation
    validate_from: int | None  # first epoch that is followed by a validation
    target: float | None  # ndcg@20 on validation data at which training ends
    train: Any
    validation: Any
    exclude: Any
    cpu_time: bool = False  # count the processor's time

    @classmethod
    def read(cls, folder: Path) -> Job:
        """Read the folder that `write` wrote."""
        parts = {
            name: sp.load_npz(folder / f"{name}.npz").tocsr() if (folder / f"{name}.npz").exists() else None
            for name in ("train", "validation", "exclude")
        }
        return cls(folder=folder, **json.loads((folder / "job.json").read_text(encoding="utf-8")), **parts)


def run(make: Callable[[Job], Recommender]) -> None:
    """Do the job whose folder is the argument of the command line, with the recommender that `make` gives."""
    job = Job.read(Path(sys.argv[1]))
    found: dict[str, Any] = {"start_mb": peak_mb()}
    began = time.perf_counter()
    model = make(job)
    found["setup_seconds"] = time.perf_counter() - began
    clock = _Clock(job, model)
    try:
        clock.go_on()
        model.train(clock.epoch_done)
    except _ReachedTarget:
        pass
    clock.training_done()
    found |= {"epoch_seconds": clock.seconds, "validation": clock.validation, "reached": clock.reached}
    found["peak_mb"] = clock.peak or peak_mb()
    if job.recommend:
        found["recommend_seconds"] = best_of(2, lambda: model.recommend(TOP))[0]
    if job.rank:
        seen = [job.train] if job.exclude is None else [job.train, job.exclude]
        np.savez(job.folder / "ranking.npz", items=rank(model, np.arange(job.train.shape[0]), TOP, seen))
    (job.folder / "result.json").write_text(json.dumps(found), encoding="utf-8")


class _ReachedTarget(Exception):  # noqa: N818
    """Training is over, because validation says so."""


class _Clock:
    """Times the epochs. What validation takes is not part of them, nor its memory of the peak."""

    def __init__(self, job: Job, model: Recommender) -> None:
        self.job, self.model = job, model
        self._now = time.process_time if job.cpu_time else time.perf_counter
        self.seconds: list[float] = []
        self.validation: dict[int, float] = {}
        self.peak: float | None = None
        self.reached: float | None = None  # seconds of training until the target

    def go_on(self) -> None:
        """Start the next epoch."""
        self._began = self._now()

    def epoch_done(self) -> None:
        """Stop the time of this epoch; validate where it is due."""
        self.seconds.append(self._now() - self._began)
        epoch, first = len(self.seconds), self.job.validate_from
        if first is not None and epoch >= min(first, self.job.epochs):
            self._validate(epoch)
            if self.reached is not None:
                raise _ReachedTarget
        self.go_on()

    def training_done(self) -> None:
        """Validate a model that does not tell of its epochs."""
        if self.job.validate_from is not None and not self.validation:
            self._validate(len(self.seconds))

    def _validate(self, epoch: int) -> None:
        self.peak = self.peak or peak_mb()
        target = self.job.validation
        users = np.flatnonzero(np.diff(target.indptr))
        if len(users) > _VALIDATED:
            users = np.sort(np.random.default_rng(0).permutation(users)[:_VALIDATED])
        ranking = rank(self.model, users, 20, [self.job.train])
        value = self.validation[epoch] = ndcg(ranking, target[users])
        if self.job.target is not None and value >= self.job.target:
            self.reached = sum(self.seconds)


def rank(model: Recommender, users: np.ndarray[Any, Any], k: int, seen: list[Any]) -> np.ndarray[Any, Any]:
    """Return the k best items of each of `users`, best first, without those of the matrices `seen`."""
    found = np.empty((len(users), k), dtype=np.int32)
    size = max(1, _BLOCK_BYTES // (4 * seen[0].shape[1]))
    for at in range(0, len(users), size):
        block = users[at : at + size]
        scores = np.array(model.scores(block), dtype=np.float32)
        for matrix in seen:
            scores[matrix[block].nonzero()] = -np.inf
        best = np.argpartition(-scores, k, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        found[at : at + size] = np.take_along_axis(best, order, axis=1)
    return found


def best_of(times: int, do: Callable[[], Any]) -> tuple[float, Any]:
    """Return the least seconds that `do` took, and what it returned."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        found = do()
        seconds.append(time.perf_counter() - began)
    return min(seconds), found


def ndcg(ranking: np.ndarray[Any, Any], target: Any) -> float:
    """Return the mean ndcg of the rankings over the users who have a target."""
    k, n_items = ranking.shape[1], target.shape[1]
    relevant = np.repeat(np.arange(target.shape[0]), np.diff(target.indptr)) * n_items + target.indices
    hits = np.isin(np.arange(len(ranking))[:, None] * n_items + ranking, relevant)
    discount = 1 / np.log2(np.arange(2, k + 2))
    counts = np.diff(target.indptr)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(counts, k)]
    return float(np.mean((hits @ discount)[counts > 0] / ideal[counts > 0]))


def peak_mb() -> float:
    """Most memory that this process has held, in MB; that of the process which started it is no part of it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
