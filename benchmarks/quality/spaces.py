"""What every model may choose from: the spaces of the random searches, of about the same width for all."""

from __future__ import annotations

from aerec.noise import MaskingNoise
from protocol import Space

MASKING = [MaskingNoise(p) for p in (0.1, 0.3, 0.5, 0.7)]
NEURAL = {
    "noise": MASKING,
    "weight_decay": [0.0, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3],
    "learning_rate": [5e-4, 1e-3, 2e-3],
    "batch_size": [128, 256, 500],
    "normalize": [True, True, False],
}


def top_n_spaces(metric: str) -> list[Space]:
    """Return the spaces of the models that rank; the neural ones stop early on `metric`."""
    fixed = {"epochs": 200, "patience": 10, "validation_metric": metric, "progress": False}
    return [
        Space("popularity"),
        Space(
            "item-knn",
            {"k": [20, 50, 100, 200, 400], "shrinkage": [0.0, 10.0, 50.0, 100.0, 300.0]},
        ),
        Space("user-knn", {"k": [20, 50, 100, 200, 400], "shrinkage": [0.0, 10.0, 50.0, 100.0, 300.0]}),
        Space(
            "rp3-beta",
            {"alpha": [0.5, 0.75, 1.0, 1.25], "beta": [0.0, 0.2, 0.4, 0.6, 0.8], "k": [50, 100, 200, 400]},
        ),
        Space("pure-svd", {"n_factors": [16, 24, 32, 48, 64, 96, 128, 192]}),
        Space(
            "nmf",
            {
                "n_factors": [16, 24, 32, 48, 64, 96, 128, 192],
                "l2": [0.0, 0.3, 1.0, 3.0, 6.0, 10.0],
                "epochs": [25, 50, 100, 200],
            },
        ),
        Space(
            "als",
            {
                "n_factors": [32, 64, 128, 256],
                "l2": [1.0, 10.0, 30.0, 100.0, 300.0],
                "alpha": [0.5, 2.0, 5.0, 10.0, 20.0],
                "epochs": [10, 15, 25],
            },
        ),
        Space(
            "bpr",
            {
                "n_factors": [32, 64, 128, 256],
                "l2": [0.001, 0.003, 0.01, 0.03, 0.1],
                "learning_rate": [0.01, 0.03, 0.1],
                "epochs": [50, 100, 200],
            },
        ),
        Space("slim", {"l1": [0.3, 1.0, 3.0, 5.0, 10.0, 20.0], "l2": [10.0, 30.0, 100.0, 200.0, 400.0, 800.0]}),
        Space(
            "ease", {"l2": [100.0, 200.0, 300.0, 400.0, 500.0, 650.0, 800.0, 1000.0, 1300.0, 1700.0, 2200.0, 3000.0]}
        ),
        Space("edlae", {"l2": [50.0, 100.0, 200.0, 400.0, 600.0, 800.0], "dropout": [0.1, 0.2, 0.3, 0.5, 0.6]}),
        Space(
            "low-rank-edlae",
            {
                "n_factors": [64, 128, 256, 400],
                "l2": [50.0, 100.0, 200.0, 400.0, 600.0, 800.0],
                "dropout": [0.1, 0.2, 0.3, 0.5, 0.6],
            },
        ),
        Space(
            "sparse-ease",
            {"l2": [100.0, 200.0, 300.0, 500.0, 800.0, 1300.0, 2200.0], "n_neighbors": [50, 100, 200, 400]},
        ),
        Space(
            "elsa",
            {
                "n_factors": [128, 256, 400],
                "learning_rate": [0.01, 0.03, 0.1],
                "batch_size": [128, 256, 500],
            },
            fixed,
        ),
        Space(
            "cdae",
            {
                **NEURAL,
                "hidden": [200, 400, 600],
                "activation": ["tanh", "sigmoid"],
                "likelihood": ["multinomial", "bernoulli"],
            },
            {**fixed, "patience": 20},  # a sigmoid code of normalised rows stands still for some epochs at first
        ),
        Space("mult-dae", {**NEURAL, "hidden": [200, 600, (600, 200)], "activation": ["tanh", "swish"]}, fixed),
        Space(
            "mult-vae",
            {
                **NEURAL,
                "hidden": [200, 600, (600, 200)],
                "kl_weight": [0.05, 0.1, 0.2, 0.4, 0.8],
                "kl_annealing_steps": [0, 1000],
            },
            fixed,
        ),
        Space(
            "rec-vae",
            {
                "noise": [MaskingNoise(p) for p in (0.3, 0.5, 0.7)],
                "kl_weight": [0.0025, 0.005, 0.01],
                "learning_rate": [5e-4, 1e-3],
                "batch_size": [256, 500],
            },
            fixed,
        ),
    ]
