"""What do the small paths cost beside what they cannot do without: one user, many items, reasons, splits, comparisons.

    OMP_NUM_THREADS=1 python benchmarks/speed/paths.py

Processor time of one thread, in turns with the limit: the same computation in a few lines of NumPy, SciPy or PyTorch,
without checks, ids or anything else around it. An explanation is beside one score of the same history, an answer of the
server beside a call of the model.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import generated, ml_1m_implicit
from neighbours import gowalla
from timing import interleaved

from aerec import Interactions, compare, evaluate
from aerec.baselines import Popularity, UserKNN
from aerec.models import EASE, ELSA, MultDAE, MultVAE
from aerec.runs.folder import SplitPlan, write_run
from aerec.serving import Engine
from aerec.sparse import CSR
from aerec.splitting import RandomHoldout, StrongGeneralization
from evaluation import METRICS, Factors, apart, random_factors
from protocol import RESULTS, markdown, save, set_threads

Pair = tuple[Callable[[], object], Callable[[], object]]
DEPTH, FACTORS, USERS = 100, 64, 512


def one_user(X: CSR) -> dict[str, Pair]:
    """Rank for a user of a median history: all items but the seen ones, the 20 best."""
    model, row = EASE(500.0).fit(X), X[[np.argsort(np.diff(X.indptr))[X.shape[0] // 2]]]
    weights, data = model.weights_, Interactions.from_matrix(row)

    def best_of(scores: Any) -> Any:
        scores[row.indices] = -np.inf
        best = np.argpartition(-scores, 20)[:20]
        return best[np.argsort(-scores[best])], scores

    def bare() -> Any:
        return best_of(row.data @ weights[row.indices])

    def bare_frame() -> Any:
        best, scores = bare()
        users, ranks = data.users.take(np.zeros(20, dtype=np.int64)), np.arange(1, 21)
        return pd.DataFrame({"user": users, "item": data.items.take(best), "rank": ranks, "score": scores[best]})

    networks = ELSA(epochs=1, progress=False).fit(X), MultDAE(epochs=1, progress=False).fit(X)
    vectors = networks[0].coefs_[0]
    squares = np.square(vectors).sum(axis=1)
    (first, second), (bias, other) = networks[1].coefs_, networks[1].intercepts_
    second = np.ascontiguousarray(second.T)

    def bare_elsa() -> Any:
        scores = vectors @ (row.data @ vectors[row.indices])
        scores[row.indices] -= row.data * squares[row.indices]
        return best_of(scores)

    def bare_dae() -> Any:
        hidden = np.tanh(row.data @ first[row.indices] / np.sqrt(row.data @ row.data) + bias)
        return best_of(second @ hidden + other)

    return {
        "EASE.rank, one user": (lambda: model.rank(row, 20), bare),
        "EASE.recommend, one user, a frame": (lambda: model.recommend(data, k=20), bare_frame),
        "ELSA.rank, one user": (lambda: networks[0].rank(row, 20), bare_elsa),
        "Mult-DAE.rank, one user": (lambda: networks[1].rank(row, 20), bare_dae),
    }


def user_neighbours(X: CSR) -> dict[str, Pair]:
    """Rank for one user by the 100 users most alike."""
    model, row = UserKNN(k=100).fit(X), X[[np.argsort(np.diff(X.indptr))[X.shape[0] // 2]]]
    by_item, norms = X.T.tocsr(), np.sqrt(np.bincount(np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.data**2))

    def bare() -> Any:
        alike = (row @ by_item).toarray()[0] / (norms * np.sqrt(row.nnz) + 10)
        near = np.argpartition(-alike, 101)[:101]
        scores = alike[near] @ X[near]
        return np.argpartition(-scores, 20)[:20]

    return {"UserKNN.rank, one user, Gowalla": (lambda: model.rank(row, 20), bare)}


def someone_new(n_items: int) -> dict[str, Pair]:
    """Recommend to someone new, whose items are named by text, out of many: their vectors, scores, the 20 best."""
    history = generated(USERS, n_items, 20 * USERS)
    users, items = random_factors(history, FACTORS)
    ids = pd.Index([f"item-{number}" for number in range(n_items)])
    model = Factors(users, items).fit(Interactions.from_matrix(history, items=ids))
    row = history[[0]]
    named, place = ids[row.indices].tolist(), dict(zip(ids.tolist(), range(n_items), strict=True))

    def bare() -> Any:
        scores = users[0] @ items.T
        scores[[place[name] for name in named]] = -np.inf
        best = np.argpartition(-scores, 20)[:20]
        best = best[np.argsort(-scores[best])]
        ranks = np.arange(1, 21)
        return pd.DataFrame({"user": ["ann"] * 20, "item": ids.take(best), "rank": ranks, "score": scores[best]})

    return {f"recommend, someone new, {n_items:,} text ids": (lambda: model.recommend({"ann": named}, k=20), bare)}


def served(X: CSR) -> dict[str, Pair]:
    """Answer one request in the engine of the server, without HTTP, beside a direct call of the model."""
    data = Interactions.from_matrix(X)
    model = EASE(500.0).fit(data)
    user = int(np.argsort(np.diff(X.indptr))[X.shape[0] // 2])
    one = data.select_users([user])
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder) / "run", model, {"all": data}, SplitPlan("none"), {"data": {"threshold": None}})
        engine = Engine(Path(folder) / "run")
    return {
        "Engine.recommend_to, one user; model.recommend": (
            lambda: engine.recommend_to(user, 20),
            lambda: model.recommend(one, k=20),
        )
    }


def many_items(n_items: int) -> dict[str, Pair]:
    """Rank 100 of many items by 64 factors."""
    history = generated(USERS, n_items, 20 * USERS)
    users, items = random_factors(history, FACTORS)
    data = Interactions.from_matrix(history)
    model = Factors(users, items).fit(data)
    left, right = torch.from_numpy(users), torch.from_numpy(items)

    @torch.inference_mode()
    def bare() -> None:
        for start in range(0, USERS, 64):
            scores, part = left[start : start + 64] @ right.T, history[start : start + 64]
            scores[
                torch.from_numpy(np.repeat(np.arange(64), np.diff(part.indptr))), torch.from_numpy(part.indices)
            ] = -torch.inf
            torch.topk(scores, DEPTH)

    return {f"rank, {USERS} users, {n_items:,} items": (lambda: model.rank(data, DEPTH), bare)}


def reasons(X: CSR) -> dict[str, Pair]:
    """Explain one item of a long history by Mult-VAE."""
    model = MultVAE(epochs=1, progress=False).fit(X)
    row = X[[int(np.argmax(np.diff(X.indptr)))]]
    return {
        f"Mult-VAE.explain, {row.nnz:,} items": (lambda: model.explain(row, 0), lambda: model.score_items(row)),
    }


def splits(X: CSR) -> dict[str, Pair]:
    """Divide ratings at random, and users."""
    data, coo = Interactions.from_matrix(X), X.tocoo()

    def of_ratings() -> Any:
        held = np.random.default_rng(0).random(X.nnz) < 0.1
        arrays = (coo.data, coo.row, coo.col)
        parts = [[array[side] for array in arrays] for side in (~held, held)]
        return [sp.csr_array((v, (r, c)), shape=X.shape) for v, r, c in parts]

    def of_users() -> Any:
        order = np.random.default_rng(0).permutation(X.shape[0])
        train, rest = X[np.sort(order[1000:])], X[np.sort(order[:1000])].tocoo()
        lengths = np.bincount(rest.row, minlength=1000)  # a fifth of each user's, to one rating
        place = np.arange(rest.nnz) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        held = np.empty(rest.nnz, dtype=bool)
        held[np.lexsort((np.random.default_rng(0).random(rest.nnz), rest.row))] = place < 0.2 * lengths[rest.row]
        arrays = (rest.data, rest.row, rest.col)
        parts = [[array[side] for array in arrays] for side in (~held, held)]
        return train, [sp.csr_array((v, (r, c)), shape=rest.shape) for v, r, c in parts]

    return {
        "RandomHoldout.split": (lambda: RandomHoldout(0.1, 0.0).split(data), of_ratings),
        "StrongGeneralization.split": (lambda: StrongGeneralization(500).split(data), of_users),
    }


def comparisons(X: CSR) -> dict[str, Pair]:
    """Compare two models over all users: 1,000 resamples of each metric's differences."""
    history, target = (Interactions.from_matrix(part) for part in apart(X))
    reports = [evaluate(model.fit(history), (history, target), METRICS) for model in (EASE(500.0), Popularity())]
    values = [report.per_user[list(METRICS)].to_numpy() for report in reports]

    def bare() -> Any:
        difference, rng = values[0] - values[1], np.random.default_rng(0)
        drawn = rng.multinomial(len(difference), np.full(len(difference), 1 / len(difference)), 1000)
        return np.percentile(drawn @ difference / len(difference), [2.5, 97.5], axis=0)

    return {"compare, two models": (lambda: compare(reports), bare)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[""], help="paths whose names hold one of these")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    set_threads(1)
    X, name = ml_1m_implicit()
    large = gowalla()
    pairs = one_user(X) | reasons(X) | splits(X) | comparisons(X)
    pairs |= {} if large is None else user_neighbours(large)
    pairs |= served(X) | someone_new(1_000_000)
    pairs |= many_items(400_000) | many_items(1_000_000)
    pairs = {what: pair for what, pair in pairs.items() if any(part in what for part in given.only)}
    rows, content = [], {}
    for what, (ours, bare) in pairs.items():
        few = 200 if "one user" in what else 1  # calls at once: a single one is shorter than the clock is exact
        rivals = {"aerec": lambda: [ours() for _ in range(few)], "limit": lambda: [bare() for _ in range(few)]}  # noqa: B023
        seconds = interleaved(rivals, given.rounds, cpu_time=True)
        content[what] = {rival: value / few for rival, value in seconds.items()}
        shown = [f"{1e3 * value:.3g}" for value in content[what].values()]
        rows.append([what, *shown, f"{seconds['aerec'] / seconds['limit']:.2f}"])
        print(rows[-1], flush=True)
    title = f"Small paths beside their limits ({name} unless it says otherwise), processor time of one thread"
    save("paths", title, markdown(["what", "aerec, ms", "limit, ms", "ratio"], rows), content, given.out)


if __name__ == "__main__":
    main()
