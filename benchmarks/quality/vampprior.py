"""Would a hierarchical VampPrior autoencoder find more than the models that are there? A sketch, on MovieLens.

    python benchmarks/quality/vampprior.py
    python benchmarks/quality/vampprior.py --data ml-100k --seeds 3

H+Vamp (Gated) of Kim & Suh (2019): a variational autoencoder with two codes, z₂ that is read from the history, and z₁
that is read from the history and z₂. Its layers are gated, (Wx + b) ⊙ σ(Vx + c). The prior of z₂ is no normal
distribution but a mixture of what the encoder makes of K learned histories (Tomczak & Welling 2018):

    log p(z₂) = logsumexp_k log N(z₂; μ(u_k), σ²(u_k)) − log K

The KL term has no closed form. At the drawn codes it is log q(z₂|x) + log q(z₁|x, z₂) − log p(z₁|z₂) − log p(z₂).
Beside it: the same with one code, with a normal prior, and without gates; `MultVAE`, `RecVAE` and `ELSA`. Each row is
the best of its weights of the KL term (ELSA has none), as many for each, by ndcg@20 on validation users. Likes,
`StrongGeneralization` of a sixth of the users for each part; epochs are chosen in the same way. The sketch has codes of
200 and 600 units, as the paper, and 300 learned histories where the paper has 1,000.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, log_softmax, normalize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.datasets import load_dataset
from aerec.holdout import Split
from aerec.models import ELSA, MultVAE, RecVAE
from aerec.splitting import StrongGeneralization
from protocol import RESULTS, markdown, save, set_threads
from vasp import K, ndcg

SKETCHES: dict[str, dict[str, Any]] = {
    "H+Vamp, gated": {},
    "Vamp, gated": {"levels": 1},
    "two codes, gated": {"n_pseudo": 0},
    "H+Vamp": {"gated": False},
}
MODELS: dict[str, Callable[..., Any]] = {"MultVAE": MultVAE, "RecVAE": RecVAE}
OF_RECVAE = 0.015 / 0.2  # its weight is multiplied by the length of a history
_WARM_UP = 20  # epochs in which the weight of the KL term rises
_PATIENCE = 10


class Layer(nn.Module):
    """A gated layer, or one with tanh."""

    def __init__(self, n_in: int, n_out: int, gated: bool) -> None:
        super().__init__()
        self.gated, self.linear = gated, nn.Linear(n_in, 2 * n_out if gated else n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Return (Wx + b) ⊙ σ(Vx + c), or tanh(Wx + b)."""
        return nn.functional.glu(self.linear(x), dim=1) if self.gated else self.linear(x).tanh()


class Normal(nn.Module):
    """A layer, and the means and log variances of a normal distribution from it."""

    def __init__(self, n_in: int, width: int, n_code: int, gated: bool) -> None:
        super().__init__()
        self.hidden, self.code = Layer(n_in, width, gated), nn.Linear(width, 2 * n_code)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log variances."""
        mean, log_variance = self.code(self.hidden(x)).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 4)


class Vamp(nn.Module):
    """`forward` returns logits of items, and the KL term of each row at the drawn codes."""

    def __init__(
        self, rows: Tensor, width: int, n_code: int, n_pseudo: int = 300, levels: int = 2, gated: bool = True
    ) -> None:
        super().__init__()
        n_items = rows.shape[1]
        self.of_second = Normal(n_items, width, n_code, gated)
        if levels == 2:
            self.read = Layer(n_items, width, gated)
            self.of_first = Normal(width + n_code, width, n_code, gated)
            self.prior_of_first = Normal(n_code, width, n_code, gated)
        self.decoder = nn.Sequential(Layer(levels * n_code, width, gated), nn.Linear(width, n_items))
        chosen = torch.randperm(len(rows))[:n_pseudo]
        self.pseudo = nn.Parameter(rows[chosen].clone()) if n_pseudo else None
        self.levels = levels

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Read rows of 0 and 1."""
        x = dropout(normalize(x, dim=1), 0.5, self.training)
        second = self.of_second(x)
        z2 = self.drawn(*second)
        kl = log_normal(z2, *second) - self.log_prior(z2)
        if self.levels == 1:
            return self.decoder(z2).float(), kl
        first = self.of_first(torch.cat([self.read(x), z2], dim=1))
        z1 = self.drawn(*first)
        kl = kl + log_normal(z1, *first) - log_normal(z1, *self.prior_of_first(z2))
        return self.decoder(torch.cat([z1, z2], dim=1)).float(), kl

    def drawn(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Return a code: drawn in training, else the mean."""
        return mean + torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else mean

    def log_prior(self, z: Tensor) -> Tensor:
        """Return log p(z₂) of each row: of the mixture, or of the standard normal distribution."""
        if self.pseudo is None:
            return log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
        means, log_variances = self.of_second(normalize(self.pseudo.clamp(0, 1), dim=1))
        return log_mixture(z, means, log_variances)


def log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return log N(z; mean, variance) of each row."""
    terms = math.log(2 * math.pi) + log_variance + (z - mean).square() * (-log_variance).exp()
    return -0.5 * terms.sum(dim=1)


def log_mixture(z: Tensor, means: Tensor, log_variances: Tensor) -> Tensor:
    """Return the log density of each row of z in the mixture of normal distributions of equal weight.

    The squares are multiplied out, (z² − 2zμ + μ²) / σ²: two products instead of rows × components × dimensions.
    """
    precision = (-log_variances).exp()
    with torch.autocast("cpu", enabled=False):
        squares = z.square() @ precision.T - 2 * z @ (means * precision).T + (means.square() * precision).sum(dim=1)
    constant = log_variances.sum(dim=1) + z.shape[1] * math.log(2 * math.pi)
    return torch.logsumexp(-0.5 * (squares + constant), dim=1) - math.log(len(means))


def trained(split: Split, seed: int, given: argparse.Namespace, kl_weight: float, **choice: Any) -> tuple[Vamp, int]:
    """Return the model of the best epoch, and that epoch."""
    torch.manual_seed(seed)
    batch_size = min(256, split.train.shape[0] // 15)  # rows of a step
    rows = torch.from_numpy(split.train.matrix.toarray())
    model, best, best_state, best_epoch = Vamp(rows, given.width, given.code, **choice), -1.0, {}, 0
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, given.epochs + 1):
        model.train()
        for chosen in torch.randperm(len(rows)).split(batch_size):
            x = rows[chosen]
            with torch.autocast("cpu", torch.bfloat16):
                logits, kl = model(x)
            optimizer.zero_grad()
            of_items = -(log_softmax(logits, dim=1) * x).sum(dim=1)
            (of_items + kl_weight * min(1.0, epoch / _WARM_UP) * kl).mean().backward()
            optimizer.step()
        value = ndcg(model, split.validation)
        if value > best:
            best, best_epoch, best_state = value, epoch, copy.deepcopy(model.state_dict())
        elif epoch - best_epoch >= _PATIENCE:
            break
    model.load_state_dict(best_state)
    return model, best_epoch


def measured(seed: int, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Give what each model scores on one split, at the setting that is best on validation users."""
    likes = load_dataset(given.data).binarize(4.0).filter(min_per_user=5)
    split = StrongGeneralization(n_users=likes.shape[0] // 6, seed=seed).split(likes)
    assert split.validation is not None

    def of(model: Any, part: Any) -> float:
        return float(evaluate(model, part, (f"ndcg@{K}",), n_resamples=1).mean[f"ndcg@{K}"])

    fits = {"ELSA": [("", ELSA(seed=seed, progress=False))]}
    for name, make in MODELS.items():
        weights = [weight * (OF_RECVAE if name == "RecVAE" else 1) for weight in given.kl_weights]
        fits[name] = [(f"{weight:.3g}", make(kl_weight=weight, seed=seed, progress=False)) for weight in weights]
    for name, models in fits.items():
        best: dict[str, Any] = {"validation": -1.0}
        began = time.process_time()
        for setting, model in models:
            model.fit(split.train, validation=split.validation)
            if (validation := of(model, split.validation)) > best["validation"]:
                best = {"validation": validation, "test": of(model, split.test), "setting": setting}
        yield {"model": name, "seed": seed, **best, "seconds": time.process_time() - began}
    for name in given.sketches:
        best = {"validation": -1.0}
        began = time.process_time()
        for weight in given.kl_weights:
            network, epoch = trained(split, seed, given, weight, **SKETCHES[name])
            if (validation := ndcg(network, split.validation)) > best["validation"]:
                best = {"validation": validation, "test": ndcg(network, split.test), "setting": f"{weight:.3g}"}
                best["epoch"] = epoch
        yield {"model": name, "seed": seed, **best, "seconds": time.process_time() - began}


def main() -> None:
    """Train all, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m", choices=["ml-1m", "ml-100k"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sketches", nargs="+", choices=list(SKETCHES), default=list(SKETCHES))
    parser.add_argument("--kl-weights", type=float, nargs="+", default=[0.1, 0.2, 0.4], help="those of RecVAE / 13")
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--width", type=int, default=600)
    parser.add_argument("--code", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    points = []
    for seed in range(given.seeds):
        for point in measured(seed, given):
            points.append(point)
            print(point, flush=True)
        name, title = f"vampprior-{given.data}", f"A sketch of H+Vamp, {given.data}"
        header = ["model", f"ndcg@{K}, validation", "test", "weight of the KL term", "best epoch", "s of all settings"]
        save(name, title, markdown(header, rows(points)), {"points": points}, given.out)


def rows(points: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Give a row for each model: means over splits."""
    for name in dict.fromkeys(point["model"] for point in points):
        own = [point for point in points if point["model"] == name]
        means = [f"{np.mean([point[kind] for point in own]):.4f}" for kind in ("validation", "test")]
        settings, epochs = (", ".join(str(point[key]) for point in own if key in point) for key in ("setting", "epoch"))
        yield [name, *means, settings, epochs, f"{np.mean([point['seconds'] for point in own]):.0f}"]


if __name__ == "__main__":
    main()
