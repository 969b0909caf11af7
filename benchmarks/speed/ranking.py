"""What candidates from bfloat16 products gain in ranking, and whether the lists stay those of float32.

The same fitted models rank everybody's top 100 by float32 products of all items, and by candidates that are scored
again in float32 (`aerec.recommender.bf16_ranking`), which is what is taken where the processor has bfloat16 products.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import generated, ml_1m_implicit
from timing import interleaved

from aerec.models import ELSA, MultDAE, MultVAE
from aerec.models.autoencoder import Autoencoder
from protocol import RESULTS, markdown, save, set_threads

DEPTH = 100
SHAPES = ((8_000, 20_108, 600_000), (6_000, 40_000, 400_000), (2_000, 100_000, 200_000))
EXACT, HALF = "float32", "bf16"


def models() -> dict[str, Autoencoder]:
    """Return models with output layers of different width; what they learn does not change the work much."""
    own: dict[str, Any] = {"epochs": 3, "progress": False}
    return {
        "Mult-VAE, 600": MultVAE(hidden=(600, 200), **own),
        "ELSA, 256": ELSA(n_factors=256, **own),
        "Mult-DAE, 200": MultDAE(hidden=200, **own),
    }


def measure(model: Autoencoder, X: Any, rounds: int, cpu_time: bool) -> dict[str, float]:
    """Return seconds by either, and how far the lists are alike."""
    lists: dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]] = {}
    users, scorer = model.block_of(X, exclude_seen=True), type(model.scorer_)

    def rank(precision: str) -> None:  # set_params would not do: a model scores with the parameters of its fit
        lists[precision] = scorer(model.network_, precision).rank(users, DEPTH)

    rivals = {precision: (lambda p=precision: rank(p)) for precision in (EXACT, HALF)}  # type: ignore[misc]
    found = interleaved(rivals, rounds, cpu_time=cpu_time)
    (items, scores), (others, other_scores) = lists[EXACT], lists[HALF]
    difference = np.abs(scores - other_scores).max(initial=0, where=np.isfinite(scores))
    return found | {"same": float((items == others).mean()), "scores": float(difference / np.abs(scores[:, 0]).max())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's time, on a busy machine")
    parser.add_argument("--share", type=float, default=1.0, help="of the generated users and ratings that are made")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    set_threads(given.threads)
    shapes = [(int(users * given.share), items, int(ratings * given.share)) for users, items, ratings in SHAPES]
    data = [ml_1m_implicit(), *((generated(*shape), "generated") for shape in shapes)]
    rows, content = [], []
    for X, name in data:
        for label, model in models().items():
            found = measure(model.fit(X), X, given.rounds, given.cpu_time)
            content.append({"data": name, "shape": X.shape, "model": label} | found)
            seconds = [f"{found[one]:.3f}" for one in (EXACT, HALF)]
            alike = [f"{found[EXACT] / found[HALF]:.2f}", f"{found['same']:.5%}", f"{found['scores']:.0e}"]
            rows.append([name, f"{X.shape[0]:,} × {X.shape[1]:,}", label, *seconds, *alike])
            print(rows[-1], flush=True)
    header = ["data", "users × items", "model, width", "float32 s", "candidates s", "times as fast"]
    header += ["same item in the same place", "largest difference of scores, of the highest"]
    title = f"Top {DEPTH} of everybody by candidates from bfloat16 products, {given.threads} threads"
    title += ", processor time" if given.cpu_time else ""
    save("ranking", title, markdown(header, rows), {"threads": given.threads, "found": content}, given.out)


if __name__ == "__main__":
    main()
