"""What does evaluating all users cost: against the products and top-k alone, and implicit's and RecBole's evaluation.

The bound is what no evaluation can do without, as PyTorch has it: block by block the scores by one matrix product (of
codes and output layer, or of a sparse history and item-item weights), seen items set to −∞, and `torch.topk`. aerec has
quicker ways for the products and the top-k, so that it can stay below. implicit ranks the same users, with as many
factors as the last hidden layer has units (600), its default (100), and 64; "aerec, … factors" are the same factors,
ranked and evaluated by aerec. RecBole evaluates models of the same shape by its own trainer, in its own environment
(`make peers`), 500 users at a time.

With ``--threads 1`` set OMP_NUM_THREADS=1 as well: NumPy's BLAS reads it, and its other threads, which wait, would
count as processor time.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
PEERS = Path(__file__).resolve().parents[1] / "peers"
sys.path.insert(0, str(PEERS))
from generated import ml_1m_implicit
from timing import interleaved

from aerec import Interactions, evaluate
from aerec.canonical import canonical_csr
from aerec.holdout import Holdout
from aerec.models import EASE, MultVAE
from aerec.network.rows import SparseRows
from aerec.recommender.base import Recommender
from aerec.sparse import CSR, row_ids, take_rows
from protocol import RESULTS, markdown, save, set_threads

METRICS = ("recall@20", "recall@50", "ndcg@100")
DEPTH = 100
BLOCK = 1024
NO_INTERVALS = "evaluate, no intervals"  # as others do
FACTORS = (600, 100, 64)


def apart(X: CSR, share: float = 0.2) -> tuple[CSR, CSR]:
    """Return history and target: a `share` of each user's items, drawn at random, is the target."""
    held = np.random.default_rng(0).random(X.nnz) < share
    pairs = row_ids(X), X.indices
    return tuple(  # type: ignore[return-value]
        canonical_csr(sp.csr_array((X.data[side], (pairs[0][side], pairs[1][side])), shape=X.shape))
        for side in (~held, held)
    )


def bound(model: Recommender, history: CSR) -> Callable[[], object]:
    """Return the matrix products, masking and top-k of `model`, with nothing around them."""
    blocks = [np.arange(at, min(at + BLOCK, history.shape[0])) for at in range(0, history.shape[0], BLOCK)]
    parts = [take_rows(history, block) for block in blocks]
    seen = [torch.from_numpy(row_ids(part) * part.shape[1] + part.indices) for part in parts]

    @torch.inference_mode()
    def run() -> None:
        for part, at in zip(parts, seen, strict=True):
            if isinstance(model, EASE):
                scores = torch.nn.functional.embedding_bag(
                    torch.from_numpy(part.indices.astype(np.int64)),
                    torch.from_numpy(model.weights_),
                    torch.from_numpy(part.indptr.astype(np.int64)),
                    mode="sum",
                    per_sample_weights=torch.from_numpy(part.data),
                    include_last_offset=True,
                )
            else:
                network = model.network_  # type: ignore[attr-defined]
                rows = SparseRows(part, torch.device("cpu"))
                hidden = network.decode_hidden(network.encode(rows.batch(torch.arange(part.shape[0])))[0])
                scores = torch.addmm(network.decoder_biases[-1], hidden, network.output_weight.T)
            scores.view(-1)[at] = -torch.inf
            torch.topk(scores, DEPTH)

    return run


class Factors(Recommender):
    """The product of given factors of users and items."""

    def __init__(self, users: NDArray[np.float32], items: NDArray[np.float32]) -> None:
        self.users = users
        self.items = items

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        self.users_ = train.users

    def _score(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.users[known_users] @ self.items.T


def bound_of_factors(history: CSR, n_factors: int) -> Callable[[], object]:
    """Return the products, masking and top-k of factors, with nothing around them."""
    users, items = (torch.from_numpy(each) for each in random_factors(history, n_factors))
    rows = torch.from_numpy(row_ids(history))
    columns = torch.from_numpy(history.indices.astype(np.int64))

    @torch.inference_mode()
    def run() -> None:
        for start in range(0, history.shape[0], BLOCK):
            scores = users[start : start + BLOCK] @ items.T
            first, last = history.indptr[start], history.indptr[min(start + BLOCK, history.shape[0])]
            scores[rows[first:last] - start, columns[first:last]] = -torch.inf
            torch.topk(scores, DEPTH)

    return run


def random_factors(history: CSR, n_factors: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return factors of users and of items: what they are does not change the work."""
    rng = np.random.default_rng(0)
    users, items = (rng.standard_normal((n, n_factors), dtype=np.float32) for n in history.shape)
    return users, items


def of_aerec(history: CSR, target: CSR, n_factors: int) -> dict[str, Callable[[], object]]:
    """Return the ranking and the evaluation of a model with random factors."""
    given, wanted = Interactions.from_matrix(history), Interactions.from_matrix(target)
    model = Factors(*random_factors(history, n_factors)).fit(given)
    return {
        "rank": lambda: model.rank(given, DEPTH),
        "evaluate": lambda: evaluate(model, (given, wanted), METRICS),
        NO_INTERVALS: lambda: evaluate(model, (given, wanted), METRICS, n_resamples=1),
    }


def of_implicit(history: CSR, target: CSR, n_factors: int, threads: int) -> dict[str, Callable[[], object]]:
    """Return implicit's ranking and evaluation of the same factors."""
    from implicit.als import AlternatingLeastSquares
    from implicit.evaluation import ranking_metrics_at_k

    model = AlternatingLeastSquares(factors=n_factors, num_threads=threads)
    model.user_factors, model.item_factors = random_factors(history, n_factors)
    train, test = sp.csr_matrix(history), sp.csr_matrix(target)
    for one in (train, test):  # implicit reads 32-bit indices only
        one.indices, one.indptr = one.indices.astype(np.int32), one.indptr.astype(np.int32)
    users = np.arange(history.shape[0])
    return {
        "recommend": lambda: model.recommend(users, train, DEPTH),
        "ranking_metrics_at_k": lambda: ranking_metrics_at_k(
            model, train, test, K=DEPTH, show_progress=False, num_threads=threads
        ),
    }


def of_recbole(history: CSR, target: CSR, given: argparse.Namespace) -> dict[str, float]:
    """Return the seconds of RecBole's evaluation of an EASE and of a Mult-VAE; nothing where it is not installed."""
    from environments import FOLDER

    if not (FOLDER / "recbole").exists():
        return {}
    from launch import start

    with tempfile.TemporaryDirectory(prefix="aerec-peer-") as name:
        folder = Path(name)
        for part, matrix in (("train", history), ("validation", target)):
            sp.save_npz(folder / f"{part}.npz", sp.csr_matrix(matrix), compressed=False)
        options = dict.fromkeys(("rank", "recommend"), False) | dict.fromkeys(("validate_from", "target"))
        job = {"model": "", "params": {"cpu_time": given.cpu_time, "rounds": given.rounds}, "epochs": 1, "seed": 0}
        (folder / "job.json").write_text(json.dumps({**job, "threads": given.threads, **options}), encoding="utf-8")
        error = start("recbole", PEERS / "evaluate_recbole.py", folder, given.threads)
        if error is not None:
            raise SystemExit(error)
        found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return {"RecBole, EASE: evaluate": found["EASE"], "RecBole, Mult-VAE: evaluate": found["MultiVAE"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's time, on a busy machine")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    set_threads(given.threads)
    X, name = ml_1m_implicit()
    history, target = apart(X)
    models: dict[str, Recommender] = {
        "EASE": EASE(500.0).fit(history),
        "Mult-VAE": MultVAE(epochs=1, progress=False).fit(history),
    }
    rivals: dict[str, Callable[[], object]] = {}
    for label, model in models.items():
        rivals[f"{label}: products and top-k"] = bound(model, history)
        rivals[f"{label}: rank"] = lambda model=model: model.rank(history, DEPTH)  # type: ignore[misc]
        rivals[f"{label}: evaluate"] = lambda model=model: evaluate(model, (history, target), METRICS)  # type: ignore[misc]
        rivals[f"{label}: {NO_INTERVALS}"] = lambda model=model: evaluate(  # type: ignore[misc]
            model, (history, target), METRICS, n_resamples=1
        )
    for n_factors in FACTORS:
        rivals[f"aerec, {n_factors} factors: products and top-k"] = bound_of_factors(history, n_factors)
        of_both = {"aerec": of_aerec(history, target, n_factors)}
        if importlib.util.find_spec("implicit"):
            of_both["implicit"] = of_implicit(history, target, n_factors, given.threads)
        for library, calls in of_both.items():
            rivals |= {f"{library}, {n_factors} factors: {name}": call for name, call in calls.items()}
    found = interleaved(rivals, given.rounds, cpu_time=given.cpu_time)
    recbole = of_recbole(history, target, given)
    found |= recbole
    rows: list[list[Any]] = []
    for rival, seconds in found.items():
        base = found.get(rival.partition(":")[0] + ": products and top-k")
        times = f"{seconds / base:.2f}" if base else ""
        factors = re.search(r"\d+(?= factors)", rival)
        other = found.get(f"implicit, {factors[0] if factors else FACTORS[0]} factors: ranking_metrics_at_k")
        than_implicit = f"{other / seconds:.1f}" if other else ""
        theirs = recbole.get(f"RecBole, {rival.partition(':')[0].removeprefix('RecBole, ')}: evaluate")
        than_recbole = f"{theirs / seconds:.1f}" if theirs else ""
        rows.append(
            [rival, f"{1e3 * seconds:.0f}", f"{history.shape[0] / seconds:,.0f}", times, than_implicit, than_recbole]
        )
    title = f"Evaluation of {history.shape[0]:,} users × {history.shape[1]:,} items, top {DEPTH}, {name}"
    title += f", {given.threads} threads" + (", processor time" if given.cpu_time else "")
    header = [
        "what",
        "ms",
        "users/s",
        "times products and top-k",
        "times as fast as implicit's metrics",
        "as RecBole's",
    ]
    save("evaluation", title, markdown(header, rows), {"threads": given.threads, "seconds": found}, given.out)


if __name__ == "__main__":
    main()
