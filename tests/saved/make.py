"""Save small models with the aerec on the path, and what they score: run once, by the version whose files must load.

PYTHONPATH=/path/to/that/version/src python tests/saved/make.py
"""

from pathlib import Path

import numpy as np

from aerec import Interactions
from aerec.baselines import BiasBaseline, ItemKNN, PureSVD
from aerec.models import EASE, ELSA, Autoencoder, AutoRec, Blend, MultVAE
from aerec.noise import MaskingNoise
from aerec.sparsity import TopKSparsity

QUICK = {"epochs": 2, "batch_size": 8, "device": "cpu", "progress": False}
MODELS = {
    "ease": EASE(l2=10.0),
    "item-knn": ItemKNN(k=3),
    "pure-svd": PureSVD(n_factors=2),
    "bias": BiasBaseline(),
    "elsa": ELSA(n_factors=3, **QUICK),
    "autoencoder": Autoencoder(
        hidden=(5, 3),
        noise=MaskingNoise(0.2),
        sparsity=TopKSparsity(2),
        likelihood="gaussian",
        tied=True,
        user_factors=True,
        **QUICK,
    ),
    "mult-vae": MultVAE(hidden=(5, 3), **QUICK),
    "autorec": AutoRec(hidden=3, biases=True, **QUICK),
    "blend": Blend([EASE(l2=10.0), MultVAE(hidden=4, **QUICK)], weights=[0.7, 0.3]),
}


def ratings() -> Interactions:
    """20 users × 8 items, the last user without a rating."""
    rng = np.random.default_rng(0)
    values = np.where(rng.random((20, 8)) < 0.5, rng.integers(1, 6, (20, 8)), 0)
    values[-1] = 0
    return Interactions.from_matrix(values, [f"u{at}" for at in range(20)], 10 * np.arange(8))


if __name__ == "__main__":
    scores = {}
    for name, model in MODELS.items():
        model.fit(ratings()).save(Path(__file__).parent / name)
        scores[name] = model.score_items(ratings())
    np.savez(Path(__file__).parent / "scores.npz", **scores)
