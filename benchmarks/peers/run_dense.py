"""The same models as a plain dense loop in PyTorch: ``python run_dense.py FOLDER``, in aerec's own environment.

What someone would write who knows PyTorch and has no library: float32, dense batches, fused Adam, torch.nn throughout.
"""

# ruff: noqa: D102 (forward and loss are what they are everywhere)

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn import functional

from job import Job, run


class MultVAE(nn.Module):
    """Liang et al. 2018; without `variational` it is their Mult-DAE."""

    def __init__(self, n_items: int, hidden: tuple[int, int], variational: bool) -> None:
        super().__init__()
        wide, code = hidden
        self.variational = variational
        self.encoder = nn.Sequential(nn.Linear(n_items, wide), nn.Tanh(), nn.Linear(wide, code * (1 + variational)))
        self.decoder = nn.Sequential(nn.Linear(code, wide), nn.Tanh(), nn.Linear(wide, n_items))
        self.steps = 0

    def forward(self, x: Tensor, users: Tensor) -> tuple[Tensor, Tensor]:
        code = self.encoder(functional.dropout(functional.normalize(x), 0.5, self.training))
        if not self.variational:
            return self.decoder(torch.tanh(code)), code.new_zeros(())
        mean, log_variance = code.chunk(2, dim=1)
        if self.training:
            code = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        kl = 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1)
        return self.decoder(code if self.training else mean), kl

    def loss(self, x: Tensor, users: Tensor) -> Tensor:
        logits, kl = self(x, users)
        self.steps += 1
        weight = min(0.2, 0.2 * self.steps / 2000)
        return (weight * kl - (functional.log_softmax(logits, dim=1) * x).sum(dim=1)).mean()


class CDAE(nn.Module):
    """Wu et al. 2016, with every item in the logistic loss."""

    def __init__(self, n_items: int, n_users: int, hidden: int) -> None:
        super().__init__()
        self.users = nn.Embedding(n_users, hidden)
        nn.init.zeros_(self.users.weight)
        self.encoder, self.decoder = nn.Linear(n_items, hidden), nn.Linear(hidden, n_items)

    def forward(self, x: Tensor, users: Tensor) -> tuple[Tensor, None]:
        return self.decoder(
            torch.relu(self.encoder(functional.dropout(x, 0.5, self.training)) + self.users(users))
        ), None

    def loss(self, x: Tensor, users: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(self(x, users)[0], x, reduction="sum") / len(x)


class AutoRec(nn.Module):
    """Sedhain et al. 2015: the rows are items, the loss is over observed ratings."""

    def __init__(self, n_inputs: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_inputs, hidden), nn.Sigmoid(), nn.Linear(hidden, n_inputs))

    def loss(self, x: Tensor, rows: Tensor) -> Tensor:
        return 0.5 * ((self.layers(x) - x) * (x != 0)).square().sum() / len(x)


class Encoder(nn.Module):
    """The densely connected encoder of RecVAE."""

    def __init__(self, n_items: int, width: int, code: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(n_items if k == 0 else width, width) for k in range(5))
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=0.1) for _ in range(5))
        self.out = nn.Linear(width, 2 * code)

    def forward(self, x: Tensor, dropout: float) -> tuple[Tensor, Tensor]:
        hidden = functional.dropout(functional.normalize(x), dropout, self.training)
        total: Tensor | float = 0.0
        for layer, norm in zip(self.layers, self.norms, strict=True):
            hidden = norm(functional.silu(layer(hidden) + total))
            total = total + hidden
        mean, log_variance = self.out(hidden).chunk(2, dim=1)
        return mean, log_variance


class RecVAE(nn.Module):
    """Shenbin et al. 2020."""

    def __init__(self, n_items: int, hidden: tuple[int, int]) -> None:
        super().__init__()
        self.encoder, self.former = Encoder(n_items, *hidden), Encoder(n_items, *hidden).requires_grad_(False)
        self.decoder = nn.Linear(hidden[1], n_items)
        self.former.load_state_dict(self.encoder.state_dict())

    def forward(self, x: Tensor, users: Tensor) -> tuple[Tensor, None]:
        return self.decoder(self.encoder(x, 0.0)[0]), None

    def loss(self, x: Tensor, dropout: float) -> Tensor:
        mean, log_variance = self.encoder(x, dropout)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        likelihood = (functional.log_softmax(self.decoder(z), dim=1) * x).sum(dim=1)
        with torch.no_grad():
            former = self.former(x, 0.0)
        zero, wide = z.new_zeros(()), z.new_tensor(10.0)
        parts = [(0.15, zero, zero), (0.75, *former), (0.1, zero, wide)]
        prior = torch.logsumexp(torch.stack([_log_normal(z, m, v) + np.log(w) for w, m, v in parts]), dim=0)
        kl = (_log_normal(z, mean, log_variance) - prior).sum(dim=1)
        return (0.005 * x.sum(dim=1) * kl - likelihood).mean()


def _log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    return -0.5 * (np.log(2 * np.pi) + log_variance + (z - mean).square() * torch.exp(-log_variance))


class Dense:
    """Batches of dense rows, Adam, and nothing else."""

    def __init__(self, job: Job) -> None:
        torch.set_num_threads(job.threads)
        torch.manual_seed(job.seed)
        self.job = job
        self.rows = sp.csr_matrix(job.train.T if job.model == "autorec" else job.train, dtype=np.float32)
        self.batch_size, self.rate = job.params.get("batch_size", 500), job.params.get("learning_rate", 1e-3)
        hidden = job.params.get("hidden")
        n_users, n_items = job.train.shape
        if job.model in ("mult-vae", "mult-dae"):
            self.network: Any = MultVAE(n_items, hidden, job.model == "mult-vae")
        elif job.model == "cdae":
            self.network = CDAE(n_items, n_users, hidden)
        elif job.model == "autorec":
            self.network = AutoRec(n_users, hidden)
        elif job.model == "rec-vae":
            self.network = RecVAE(n_items, hidden)

    def train(self, epoch_done: Any) -> None:
        """Train epoch by epoch."""
        if self.job.model == "ease":
            self.weights = ease(self.rows, self.job.params["l2"])
            epoch_done()
            return
        if self.job.model == "rec-vae":
            encoder, decoder = self._adam(self.network.encoder), self._adam(self.network.decoder)
        else:
            optimizer = self._adam(self.network)
        for _ in range(self.job.epochs):
            if self.job.model == "rec-vae":
                for _ in range(3):
                    self._pass(encoder, lambda x, users: self.network.loss(x, 0.5))
                self.network.former.load_state_dict(self.network.encoder.state_dict())
                self._pass(decoder, lambda x, users: self.network.loss(x, 0.0))
            else:
                self._pass(optimizer, self.network.loss)
            epoch_done()

    def _pass(self, optimizer: torch.optim.Optimizer, loss: Any) -> None:
        self.network.train()
        for users in torch.randperm(self.rows.shape[0]).split(self.batch_size):
            optimizer.zero_grad()
            loss(self._batch(users.numpy()), users).backward()
            optimizer.step()

    def _adam(self, module: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(module.parameters(), lr=self.rate, fused=True)

    def _batch(self, users: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(self.rows[users].toarray())

    @torch.no_grad()
    def scores(self, users: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Score all items."""
        if self.job.model == "ease":
            return self.rows[users] @ self.weights
        self.network.eval()
        found: np.ndarray[Any, Any] = self.network(self._batch(users), torch.from_numpy(users))[0].numpy()
        return found


def ease(rows: Any, l2: float) -> np.ndarray[Any, Any]:
    """Steck 2019, as in the paper's listing."""
    gram = (rows.T @ rows).toarray()
    gram[np.diag_indices_from(gram)] += l2
    inverse = np.linalg.inv(gram)
    weights: np.ndarray[Any, Any] = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


if __name__ == "__main__":
    run(Dense)
