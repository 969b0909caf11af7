"""The KL term of RecVAE: how far a drawn code is from a mixture that remembers the encoder of the epoch before."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_MIXTURE = (0.15, 0.75, 0.1)  # weights of N(0, I), of the former posterior, and of the wide normal
_WIDE = 10.0  # log variance of the wide normal


def composite_kl(
    drawn: Tensor, mean: Tensor, log_variance: Tensor, former_mean: Tensor, former_log_variance: Tensor, weights: Tensor
) -> Tensor:
    r"""Return Σ over rows of weight · (log q(z) − log p(z)) at the drawn z, as a scalar.

    .. math:: q = N(m, e^{v}), \quad
              p = \tfrac{3}{20} N(0, 1) + \tfrac{3}{4} N(m_{\text{old}}, e^{v_{\text{old}}})
                  + \tfrac{1}{10} N(0, e^{10})

    unit by unit, as in the code of Shenbin et al. (2020). It has gradients of its own: autograd would keep and go
    over some thirty matrices of this shape, which for a code of 200 takes longer than Adam.

    Parameters
    ----------
    drawn : Tensor of shape (n_rows, n_code)
        z.
    mean, log_variance : Tensor of shape (n_rows, n_code)
        m and v.
    former_mean, former_log_variance : Tensor of shape (n_rows, n_code)
        Those of the prior, which are constants.
    weights : Tensor of shape (n_rows,)
        Constants, too.
    """
    total: Tensor = _CompositeKL.apply(  # type: ignore[no-untyped-call]
        drawn, mean, log_variance, former_mean, former_log_variance, weights
    )
    return total


class _CompositeKL(torch.autograd.Function):
    """All log densities are without their −½ log 2π, which q and p have in common."""

    @staticmethod
    def forward(
        ctx: Any,
        drawn: Tensor,
        mean: Tensor,
        log_variance: Tensor,
        former_mean: Tensor,
        former_log_variance: Tensor,
        weights: Tensor,
    ) -> Tensor:
        scaled, squared = _distance(drawn, mean, log_variance)
        former_scaled, former_squared = _distance(drawn, former_mean, former_log_variance)
        square = drawn * drawn
        parts = drawn.new_empty((3, *drawn.shape))
        torch.mul(square, -0.5, out=parts[0]).add_(math.log(_MIXTURE[0]))
        torch.add(former_squared, former_log_variance, out=parts[1]).mul_(-0.5).add_(math.log(_MIXTURE[1]))
        torch.mul(square, -0.5 * math.exp(-_WIDE), out=parts[2]).add_(math.log(_MIXTURE[2]) - 0.5 * _WIDE)
        log_shares = torch.log_softmax(parts, dim=0)  # of the parts in p(z); logsumexp is not vectorised
        log_p = parts[2].sub_(log_shares[2])  # by the wide part, which is never far from p(z)
        log_q = torch.add(squared, log_variance).mul_(-0.5)
        if any(ctx.needs_input_grad[:3]):
            shares = log_shares.exp_()
            pull = shares[2].mul_(math.exp(-_WIDE)).add_(shares[0]).mul_(drawn)
            to_drawn = pull.addcmul_(shares[1], former_scaled).sub_(scaled)
            ctx.save_for_backward(to_drawn, scaled, squared.sub_(1).mul_(0.5), weights)
        return torch.dot(log_q.sub_(log_p).sum(dim=1), weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        *derivatives, weights = ctx.saved_tensors
        factor = (gradient * weights)[:, None]
        return *(derivative * factor for derivative in derivatives), None, None, None


def _distance(z: Tensor, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return (z − mean) / variance and (z − mean)² / variance."""
    away = z - mean
    scaled = torch.neg(log_variance).exp_().mul_(away)
    return scaled, away.mul_(scaled)
