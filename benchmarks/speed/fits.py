"""How fast are the fits of the baselines and linear models, beside the libraries that have the same ones.

Processor time of one thread, the rivals in turns, on the same matrix, with the same numbers of factors, passes and
neighbours. A rival that is not installed is left out; irspack, elsarec and sansa go into the environment of aerec for
this: ``pip install irspack elsarec sansa``, the last as benchmarks/peers/environments.py has it. The models of two
libraries have the same objective and stop after the same number of passes unless they converge; but SANSA approximates
the inverse that SparseEASE has exactly at the places of the neighbours, and what each ranks was not compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated import ml_1m_implicit
from neighbours import gowalla
from timing import interleaved

from aerec.baselines import ALS, BPR, NMF, SLIM, ItemKNN, PureSVD, RP3Beta
from aerec.models import EASE, ELSA, LowRankEDLAE, SparseEASE
from protocol import RESULTS, markdown, save, set_threads

FACTORS, PASSES, NEIGHBOURS = 64, 10, 100
L1, L2 = 5.0, 100.0
# On Gowalla the SLIM of irspack, elsarec and sansa take many minutes, EASE 6.7 GB
SMALL_ONLY = ("EASE", "SparseEASE", "SLIM", "ELSA", "LowRankEDLAE")

Fits = dict[str, dict[str, Callable[[], object]]]


def ours(X: Any) -> dict[str, Callable[[], object]]:
    """Return the fits of aerec by the name of the model."""
    return {
        "EASE": lambda: EASE(l2=L2).fit(X),
        "SparseEASE": lambda: SparseEASE(l2=L2, n_neighbors=NEIGHBOURS).fit(X),
        "LowRankEDLAE": lambda: LowRankEDLAE(l2=L2, n_factors=FACTORS, epochs=PASSES).fit(X),
        "SLIM": lambda: SLIM(l1=L1, l2=L2, epochs=100).fit(X),
        "ItemKNN": lambda: ItemKNN(k=NEIGHBOURS).fit(X),
        "RP3Beta": lambda: RP3Beta(k=NEIGHBOURS).fit(X),
        "PureSVD": lambda: PureSVD(n_factors=FACTORS, l2=0.0).fit(X),
        "NMF": lambda: NMF(n_factors=FACTORS, epochs=PASSES).fit(X),
        "ALS": lambda: ALS(n_factors=FACTORS, epochs=PASSES).fit(X),
        "BPR": lambda: BPR(n_factors=FACTORS, epochs=PASSES).fit(X),
        "ELSA": lambda: ELSA(n_factors=FACTORS, epochs=PASSES, precision="float32", progress=False).fit(X),
    }


def of_irspack(X: sp.csr_matrix) -> dict[str, Callable[[], object]]:
    """Return the fits of irspack."""
    from irspack import recommenders as r

    n_users = X.shape[0]
    slim = {"alpha": (L1 + L2) / n_users, "l1_ratio": L1 / (L1 + L2), "n_iter": 100, "n_threads": 1}
    als = {"n_components": FACTORS, "train_epochs": PASSES, "n_threads": 1}
    return {
        "EASE": lambda: r.DenseSLIMRecommender(X, reg=L2).learn(),
        "SLIM": lambda: r.SLIMRecommender(X, **slim).learn(),
        "ItemKNN": lambda: r.CosineKNNRecommender(X, normalize=True, top_k=NEIGHBOURS, n_threads=1).learn(),
        "RP3Beta": lambda: r.RP3betaRecommender(X, top_k=NEIGHBOURS, n_threads=1).learn(),
        "PureSVD": lambda: r.TruncatedSVDRecommender(X, n_components=FACTORS).learn(),
        "ALS": lambda: r.IALSRecommender(X, solver_type="CG", **als).learn(),
    }


def of_implicit(X: sp.csr_matrix) -> dict[str, Callable[[], object]]:
    """Return the fits of implicit."""
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking
    from implicit.nearest_neighbours import CosineRecommender

    alike: dict[str, Any] = {"factors": FACTORS, "iterations": PASSES, "num_threads": 1}
    still = {"show_progress": False}
    return {
        "ItemKNN": lambda: CosineRecommender(K=NEIGHBOURS, num_threads=1).fit(X, **still),
        "ALS": lambda: AlternatingLeastSquares(**alike).fit(X, **still),
        "BPR": lambda: BayesianPersonalizedRanking(**alike).fit(X, **still),
    }


def of_scikit_learn(X: sp.csr_matrix) -> dict[str, Callable[[], object]]:
    """Return the fits of scikit-learn."""
    from sklearn import decomposition

    return {
        "PureSVD": lambda: decomposition.TruncatedSVD(FACTORS, random_state=0).fit(X),
        "NMF": lambda: decomposition.NMF(FACTORS, init="nndsvda", max_iter=PASSES, tol=0.0, random_state=0).fit(X),
    }


def of_elsarec(X: sp.csr_matrix) -> dict[str, Callable[[], object]]:
    """Return the fit of elsarec."""
    import elsa
    import torch

    def fit() -> object:
        model = elsa.ELSA(n_items=X.shape[1], n_dims=FACTORS, device=torch.device("cpu"))
        return model.fit(X, epochs=PASSES, batch_size=500, shuffle=True, verbose=False)

    return {"ELSA": fit}


def of_sansa(X: sp.csr_matrix) -> dict[str, Callable[[], object]]:
    """Return the fit of SANSA, with as many weights an item as there are neighbours."""
    import logging

    from sansa import SANSA, CHOLMODGramianFactorizerConfig, SANSAConfig, UMRUnitLowerTriangleInverterConfig

    logging.disable(logging.INFO)
    density = NEIGHBOURS / X.shape[1]

    def fit() -> object:
        factor, inverse = CHOLMODGramianFactorizerConfig(), UMRUnitLowerTriangleInverterConfig()
        config = SANSAConfig(L2, density, gramian_factorizer_config=factor, lower_triangle_inverter_config=inverse)
        return SANSA(config).fit(X)

    return {"SparseEASE": fit}


PEERS = {
    "irspack": of_irspack,
    "implicit": of_implicit,
    "sklearn": of_scikit_learn,
    "elsa": of_elsarec,
    "sansa": of_sansa,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="these models")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed")
    given = parser.parse_args()
    set_threads(1)
    rows, content = [], []
    small, small_name = ml_1m_implicit()
    for name, X in ((small_name, small), ("Gowalla", gowalla())):
        if X is None:
            continue
        theirs = sp.csr_matrix(X, dtype=np.float32).copy()  # ours is read-only
        of_peers = {peer: make(theirs) for peer, make in PEERS.items() if find_spec(peer)}
        for model, fit in ours(X).items():
            if (given.only and model not in given.only) or (name == "Gowalla" and model in SMALL_ONLY):
                continue
            rivals = {"aerec": fit} | {peer: fits[model] for peer, fits in of_peers.items() if model in fits}
            seconds = interleaved(rivals, given.rounds, warm_up=int(given.rounds > 1), cpu_time=True)
            content.append({"data": name, "shape": X.shape, "n_ratings": X.nnz, "model": model, "seconds": seconds})
            theirs_s = {peer: s for peer, s in seconds.items() if peer != "aerec"}
            others = ", ".join(f"{peer} {s:.2f}" for peer, s in theirs_s.items())
            ratio = f"{seconds['aerec'] / min(theirs_s.values()):.2f}" if theirs_s else ""
            rows.append([name, model, f"{seconds['aerec']:.2f}", others or "none", ratio])
            print(rows[-1], flush=True)
    header = ["data", "model", "aerec, s", "peers, s", "aerec : fastest peer"]
    title = f"Fits, processor time of one thread ({FACTORS} factors, {PASSES} passes, {NEIGHBOURS} neighbours)"
    save("fits", title, markdown(header, rows), {"rounds": given.rounds, "found": content}, given.out)


if __name__ == "__main__":
    main()
