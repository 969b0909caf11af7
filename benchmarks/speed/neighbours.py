"""How fast are the neighbours: fits of ItemKNN and RP3Beta beside implicit, and what an item costs as catalogues grow.

Processor time of one thread, the rivals in turns. implicit's cosine has no shrinkage and it has no RP3Beta: its cosine
stands beside both, since all three are one sparse product and the best of each row. On generated data the bare product
of scipy is what any of them must take.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import generated
from timing import interleaved

from aerec import Interactions
from aerec.baselines import ItemKNN, RP3Beta, UserKNN
from aerec.datasets import load_dataset
from protocol import RESULTS, markdown, save, set_threads

K = 100
SHAPES = ((50_000, 20_000, 1_000_000), (200_000, 200_000, 2_000_000), (500_000, 1_000_000, 5_000_000))


def gowalla() -> Any | None:
    """Return the training part of Gowalla, the validation part included; None where it is absent."""
    folder = Path(os.environ.get("AEREC_DATA", "")) / "gowalla"
    if not folder.is_dir():
        return None
    frames = [load_dataset(str(folder / f"{name}.txt")).to_frame() for name in ("train", "valid")]
    return Interactions.from_frame(pd.concat(frames)).matrix


def bare_product(X: Any) -> None:
    """Multiply items by users block by block, and drop what comes out."""
    items = X.T.tocsr()
    for start in range(0, items.shape[0], 256):
        items[start : start + 256] @ X


def implicit_cosine(X: Any) -> None:
    """Fit implicit's neighbours by cosine."""
    from implicit.nearest_neighbours import CosineRecommender

    CosineRecommender(K=K, num_threads=1).fit(sp.csr_matrix(X), show_progress=False)


def rivals(X: Any, *, with_implicit: bool) -> dict[str, Any]:
    """Return what is timed on a matrix."""
    data = Interactions.from_matrix(X)
    calls = {
        "bare product": lambda: bare_product(X),
        "ItemKNN": lambda: ItemKNN(k=K).fit(data),
        "RP3Beta": lambda: RP3Beta(k=K).fit(data),
    }
    return {"implicit cosine": lambda: implicit_cosine(X), **calls} if with_implicit else calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    set_threads(1)
    rows, content = [], []
    real = gowalla()
    data = [] if real is None else [("Gowalla", real)]
    data += [("generated", generated(*shape)) for shape in SHAPES]
    for name, X in data:
        timed = rivals(X, with_implicit=name == "Gowalla")
        rounds = given.rounds if name == "Gowalla" else 1
        found = interleaved(timed, rounds, warm_up=int(name == "Gowalla"), cpu_time=True)
        by_user = UserKNN(k=K).fit(X)
        some = [X[at : at + 1] for at in np.linspace(0, X.shape[0] - 1, 20).astype(int)]
        one = interleaved({"UserKNN, one user": lambda: [by_user.rank(x, 20) for x in some]}, rounds, cpu_time=True)  # noqa: B023
        found["UserKNN, one user"] = one["UserKNN, one user"] / len(some)
        content.append({"data": name, "shape": X.shape, "n_ratings": X.nnz, "seconds": found})
        for what, seconds in found.items():
            of_item = "" if what == "UserKNN, one user" else f"{1e3 * seconds / X.shape[1]:.3f}"
            size = f"{X.shape[0]:,} × {X.shape[1]:,}, {X.nnz:,}"
            rows.append([name, size, what, f"{seconds:.4g}", of_item])
            print(rows[-1], flush=True)
    header = ["data", "size", "what", "seconds", "ms an item"]
    title = f"Neighbours (k = {K}), processor time of one thread"
    save("neighbours", title, markdown(header, rows), {"rounds": given.rounds, "found": content}, given.out)


if __name__ == "__main__":
    main()
