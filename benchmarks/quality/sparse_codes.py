"""What does sparsity cost? ELSA, its code in 2,048 units of which 64 are active, and vectors of a tenth of the bytes.

    python benchmarks/quality/sparse_codes.py --threads 2

Trained on train of ml-1m-implicit, measured on test. Prints a table; needs about ten minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.models import ELSA, SparseCode, SparseELSA
from protocol import set_threads
from top_n import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    set_threads(options.threads)
    split, common = load("ml-1m-implicit"), {"seed": options.seed, "progress": False}
    elsa = ELSA(n_factors=256, epochs=10, batch_size=128, **common).fit(split.train)
    models = [
        elsa,
        SparseCode(elsa, n_units=2048, n_active=64, **common),
        ELSA(n_factors=24, epochs=10, batch_size=128, **common),
        SparseELSA(n_factors=512, n_active=12, **common),
    ]
    print("| model | recall@20 | ndcg@20 | bytes of item vectors | units never active | seconds |")
    print("|---|---|---|---|---|---|")
    for model in models:
        began = time.perf_counter()
        if model is not elsa:
            model.fit(split.train)
        seconds = time.perf_counter() - began
        mean = evaluate(model, split.test, ("recall@20", "ndcg@20"), n_resamples=1).mean
        size = dead = "–"
        if isinstance(model, SparseCode):
            dead = f"{(model.activity_ == 0).mean():.1%}"
        elif isinstance(model, SparseELSA):
            size = f"{sum(part.nbytes for part in (model.factors_.data, model.factors_.indices)):,}"
        else:
            size = f"{model.item_vectors_.nbytes:,}"
        name = " ".join(repr(model).split())
        print(f"| {name} | {mean['recall@20']:.4f} | {mean['ndcg@20']:.4f} | {size} | {dead} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
