"""Would VASP find more than the models that are there? A sketch of it in plain PyTorch, on MovieLens.

    python benchmarks/quality/vasp.py
    python benchmarks/quality/vasp.py --data ml-100k --seeds 3

VASP (Vančura & Kordík 2021): a variational autoencoder with a residual encoder beside a linear map of items to items
with a zero diagonal ("Neural EASE"). Its score is the product of the sigmoids of both, learned by a focal loss from
histories of which half is masked. Beside it: `MultVAE`, `ELSA`, and the `Blend` of both. Likes,
`StrongGeneralization` of a sixth of the users for each part; the epoch of VASP, and its setting, are the best by
ndcg@20 on validation users. The sketch has 600 units where the paper has 2,048.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import linear, logsigmoid, normalize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aerec import evaluate
from aerec.datasets import load_dataset
from aerec.holdout import Holdout, Split
from aerec.metrics import ndcg_at_k
from aerec.models import ELSA, Blend, MultVAE
from aerec.splitting import StrongGeneralization
from protocol import RESULTS, markdown, save, set_threads

K = 20
SETTINGS: dict[str, dict[str, Any]] = {
    "focal-0.25": {"balance": 0.25, "kl_weight": 0.01},
    "focal-0.75": {"balance": 0.75, "kl_weight": 0.01},
    "cross-entropy": {"balance": 0.5, "focus": 0.0, "kl_weight": 0.01},
}


class VASP(nn.Module):
    """The two models side by side; `forward` returns log(σ(a) · σ(b)) at every item, and the KL term."""

    def __init__(self, n_items: int, width: int, depth: int = 3) -> None:
        super().__init__()
        self.first = nn.Linear(n_items, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.code = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, n_items)
        self.ease = nn.Parameter(torch.zeros(n_items, n_items))
        nn.init.constant_(self.out.bias, -3.0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Read rows of 0 and 1."""
        hidden = self.first(normalize(x, dim=1))
        for block, norm in zip(self.blocks, self.norms, strict=True):
            hidden = hidden + nn.functional.silu(block(norm(hidden)))
        mean, log_variance = self.code(hidden).float().chunk(2, dim=1)
        drawn = mean + torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else mean
        deep, wide = self.out(drawn).float(), linear(x, self.ease).float()
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1).mean()
        return logsigmoid(deep) + logsigmoid(wide), kl


def focal(log_p: Tensor, x: Tensor, balance: float, focus: float = 2.0) -> Tensor:
    """−Σ α (1 − p)^γ log p over ones, and (1 − α) p^γ log(1 − p) over zeros; the mean over rows."""
    p = log_p.exp().clamp(max=1 - 1e-6)
    ones, zeros = balance * (1 - p) ** focus * log_p, (1 - balance) * p**focus * torch.log1p(-p)
    return -torch.where(x > 0, ones, zeros).sum(dim=1).mean()


def trained(split: Split, seed: int, epochs: int, width: int, kl_weight: float, **loss: float) -> tuple[VASP, int]:
    """Return the model of the best epoch, and that epoch."""
    torch.manual_seed(seed)
    batch_size = min(256, split.train.shape[0] // 15)  # rows of a step
    rows = torch.from_numpy(split.train.matrix.toarray())
    model, best, best_state, best_epoch = VASP(rows.shape[1], width), -1.0, {}, 0
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, epochs + 1):
        model.train()
        for chosen in torch.randperm(len(rows)).split(batch_size):
            x = rows[chosen]
            with torch.autocast("cpu", torch.bfloat16):
                log_p, kl = model(x * (torch.rand(x.shape) < 0.5))
            optimizer.zero_grad()
            (focal(log_p, x, **loss) + kl_weight * kl).backward()
            model.ease.grad.fill_diagonal_(0)
            optimizer.step()
        value = ndcg(model, split.validation)
        if value > best:
            best, best_epoch, best_state = value, epoch, copy.deepcopy(model.state_dict())
        elif epoch - best_epoch >= 8:
            break
    model.load_state_dict(best_state)
    return model, best_epoch


@torch.no_grad()
def ndcg(model: nn.Module, holdout: Holdout) -> float:
    """Return ndcg@20 of unseen items."""
    model.eval()
    history = holdout.history.matrix.toarray()
    scores = model(torch.from_numpy(history))[0].numpy()
    scores[history > 0] = -np.inf
    lists: NDArray[np.int64] = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    return float(np.nanmean(ndcg_at_k(lists, holdout.target.matrix, k=K)))


def measured(seed: int, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Give what each model scores on one split."""
    likes = load_dataset(given.data).binarize(4.0).filter(min_per_user=5)
    split = StrongGeneralization(n_users=likes.shape[0] // 6, seed=seed).split(likes)
    began = time.perf_counter()
    blend = Blend([MultVAE(seed=seed, progress=False), ELSA(seed=seed, progress=False)])
    blend.fit(split.train, validation=split.validation)
    seconds = time.perf_counter() - began
    for name, model in zip(("MultVAE", "ELSA", "Blend of both"), (*blend.models_, blend), strict=True):
        parts = (evaluate(model, part, (f"ndcg@{K}",), n_resamples=1) for part in (split.validation, split.test))
        validation, test = (report.mean[f"ndcg@{K}"] for report in parts)
        yield {"model": name, "seed": seed, "validation": validation, "test": test, "seconds": seconds}
    for name in given.settings:
        began = time.perf_counter()
        network, epoch = trained(split, seed, given.epochs, given.width, **SETTINGS[name])
        seconds = time.perf_counter() - began
        values = {"validation": ndcg(network, split.validation), "test": ndcg(network, split.test)}
        yield {"model": f"VASP, {name}", "seed": seed, **values, "seconds": seconds, "epoch": epoch}


def main() -> None:
    """Train all, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m", choices=["ml-1m", "ml-100k"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--width", type=int, default=600)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    set_threads(given.threads)
    points = []
    for seed in range(given.seeds):
        for point in measured(seed, given):
            points.append(point)
            print(point, flush=True)
    rows = []
    for name in dict.fromkeys(point["model"] for point in points):
        own = [point for point in points if point["model"] == name]
        means = [f"{np.mean([point[kind] for point in own]):.4f}" for kind in ("validation", "test")]
        epochs = ", ".join(str(point["epoch"]) for point in own if "epoch" in point)
        rows.append([name, *means, epochs, f"{np.mean([point['seconds'] for point in own]):.0f}"])
    header = ["model", f"ndcg@{K}, validation", "test", "best epoch", "s (of all three: the blend)"]
    save(f"vasp-{given.data}", f"A sketch of VASP, {given.data}", markdown(header, rows), {"points": points}, given.out)


if __name__ == "__main__":
    main()
