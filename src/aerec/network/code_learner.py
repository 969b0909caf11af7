"""What `SparseCode` learns: a sparse autoencoder over the rows of a dense matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from aerec.errors import TrainingError

_AUXILIARY = 1 / 32  # weight of the loss of dead units, as in the paper
_SOME = 4096  # codes that the first lengths of W are found from
_BANDWIDTH = 0.5  # Width of JumpReLU's kernel, as a multiple of the first threshold
_TINY = 1e-12


class CodeLearner:
    """W, b, D and c, learned from the rows of `codes`, whose mean square distance from their mean is 1.

    They are its `parameters`; with "jump_relu" the fifth one is log θ. The loop is its own, not `train`: it reads
    dense codes, without the noise, likelihood and validation data of a `Network`.
    """

    def __init__(self, codes: Tensor, n_units: int, n_active: int, selection: str, seed: int) -> None:
        self._codes, self._n_active, self._selection = codes, n_active, selection
        self._order = torch.Generator().manual_seed(seed)
        centre = codes.double().mean(dim=0)
        spread = (codes.double() - centre).square().mean(dim=0).sqrt().float()  # 0 where all codes have the same number
        first = torch.randn(n_units, codes.shape[1], generator=self._order, dtype=codes.dtype).to(codes.device) * spread
        D = torch.nn.functional.normalize(first, dim=1)
        some = (codes[:_SOME] - centre).float()
        values, units = (some @ D.T).topk(n_active, dim=1)
        output = embedding_bag(units, D, per_sample_weights=values, mode="sum")
        gain = (some * output).sum() / output.square().sum().clamp_min(_TINY)  # that brings ẑ nearest to z
        self.parameters = [gain * D, D.new_zeros(n_units), D, centre.float()]
        if selection == "jump_relu":
            smallest = (gain * values.min(dim=1).values.mean()).clamp_min(_TINY)
            self._bandwidth = _BANDWIDTH * float(smallest)
            self.parameters.append(torch.full_like(D[:, 0], float(smallest)).log())
        self._idle = torch.zeros(n_units, dtype=torch.int64, device=codes.device)  # rows since it was active

    def train(
        self,
        epochs: int,
        batch_size: int,
        learning_rate: float,
        epoch_done: Callable[[int, float], None],
        other_codes: Callable[[], Tensor] | None = None,
    ) -> None:
        """Learn for so many epochs; `epoch_done` is told of each, and of its mean error.

        Every second epoch reads `other_codes()`, as many rows.
        """
        for parameter in self.parameters:
            parameter.requires_grad_()
        optimizer = torch.optim.Adam(self.parameters, lr=learning_rate, fused=True)
        n_rows = len(self._codes)
        n_steps = epochs * -(-n_rows // batch_size)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_steps)
        for epoch in range(1, epochs + 1):
            total = self._codes.new_zeros(())
            codes = self._codes if other_codes is None or epoch % 2 else other_codes()
            for rows in torch.split(torch.randperm(n_rows, generator=self._order), batch_size):
                optimizer.zero_grad()
                error, auxiliary = self._cost(codes[rows.to(codes.device)])
                torch.autograd.backward([error + _AUXILIARY * auxiliary])
                optimizer.step()
                schedule.step()
                with torch.no_grad():
                    torch.nn.functional.normalize(self.parameters[2], dim=1, out=self.parameters[2])
                    total += error * len(rows)
            cost = float(total) / n_rows
            if not np.isfinite(cost):
                raise TrainingError("the cost of SparseCode is no longer a finite number; lower learning_rate")
            epoch_done(epoch, cost)

    def _cost(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the error of a batch, and that of the dead units in giving it back."""
        _, _, D, c = self.parameters[:4]
        activations = self._activations(z)
        output, active, penalty = self._output(activations)
        residual = z - c - output
        dead = self._idle >= len(self._codes)
        self._idle += len(z)
        self._idle[active] = 0
        error = residual.square().sum(dim=1).mean() + penalty
        n_dead = min(int(dead.sum()), max(1, z.shape[1] // 2))
        if n_dead == 0:
            return error, error.new_zeros(())
        values, units = activations.masked_fill(~dead, -torch.inf).topk(n_dead, dim=1)
        rest = residual.detach() - embedding_bag(units, D, per_sample_weights=values, mode="sum")
        return error, rest.square().sum(dim=1).mean()

    def _activations(self, z: Tensor) -> Tensor:
        W, b, _, c = self.parameters[:4]
        return torch.addmm(b, z - c, W.T)

    def _output(self, activations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return Dᵀh, the units that somebody has active, and what the selection costs."""
        D, nothing = self.parameters[2], activations.new_zeros(())
        if self._selection == "top_k":
            values, units = activations.topk(self._n_active, dim=1)
            return embedding_bag(units, D, per_sample_weights=values, mode="sum"), units.reshape(-1), nothing
        if self._selection == "batch_top_k":
            values, places = self._best_of_batch(activations)
            h = torch.zeros_like(activations).view(-1).scatter(0, places, values).view_as(activations)
            return h @ D, (h > 0).any(dim=0), nothing
        theta = self.parameters[4].exp()
        h, n_active = _Jump.apply(activations, theta, self._bandwidth)  # type: ignore[no-untyped-call]
        return h @ D, (h > 0).any(dim=0), (n_active / self._n_active - 1).square()

    def _best_of_batch(self, activations: Tensor) -> tuple[Tensor, Tensor]:
        """Return the k activations a row that are largest in all rows together, and their places."""
        return activations.relu().view(-1).topk(len(activations) * self._n_active, sorted=False)

    @torch.no_grad()
    def threshold(self, batch_size: int) -> Tensor | None:
        """Return θ; None where the selection has none."""
        if self._selection == "top_k":
            return None
        if self._selection == "jump_relu":
            return self.parameters[4].exp()
        between = [self._between(self._activations(some)) for some in torch.split(self._codes, batch_size)]
        return torch.stack(between).mean().expand(len(self._idle))

    def _between(self, activations: Tensor) -> Tensor:
        """Return the middle of the smallest activation of a batch that is kept and the largest that is not."""
        largest, n = activations.relu().view(-1), len(activations) * self._n_active
        values = largest.topk(min(n + 1, len(largest)), sorted=True).values
        return (values[n - 1] + values[n:].sum()) / 2


class _Jump(torch.autograd.Function):
    """JumpReLU and the mean number of active units, with the straight-through gradients of the paper.

    The kernel is a rectangle of width `bandwidth`.
    """

    @staticmethod
    def forward(ctx: Any, activations: Tensor, theta: Tensor, bandwidth: float) -> tuple[Tensor, Tensor]:
        active = activations > theta
        ctx.save_for_backward(activations, theta, active)
        ctx.bandwidth = bandwidth
        return activations * active, active.sum() / len(activations)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_output: Tensor, to_number: Tensor) -> tuple[Tensor, Tensor, None]:
        activations, theta, active = ctx.saved_tensors
        near = ((activations - theta).abs() < ctx.bandwidth / 2) / ctx.bandwidth
        to_theta = -(near * (to_output * theta + to_number / len(activations))).sum(dim=0)
        return to_output * active, to_theta, None
