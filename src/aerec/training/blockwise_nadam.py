"""NAdam that works through large matrices a block of rows at a time, which stays in the cache of a processor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.nadam import nadam

from aerec.training.parameterwise import Parameterwise

__all__ = ["BlockwiseNAdam"]

_BLOCK_BYTES = 2**20  # of a parameter: with gradient, both moments and what lies between them a few megabytes


class BlockwiseNAdam(Parameterwise, torch.optim.NAdam):
    """`torch.optim.NAdam`, for parameters on a processor; the same steps, in less time.

    PyTorch has no fused NAdam: it goes through memory a dozen times in a step.

    References
    ----------
    Dozat (2016). Incorporating Nesterov momentum into Adam. ICLR workshop.
    """

    def _update(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"], state["mu_product"] = torch.zeros(()), torch.ones(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        height = max(1, _BLOCK_BYTES * len(parameter) // (4 * parameter.numel() + 1))
        matrices = (parameter, gradient, state["exp_avg"], state["exp_avg_sq"])
        step = product = torch.empty(())
        for block, pull, mean, square in zip(*(torch.split(one, height) for one in matrices), strict=True):
            step, product = state["step"].clone(), state["mu_product"].clone()  # each block starts where the last did
            nadam(
                [block],
                [pull],
                [mean],
                [square],
                [product],
                [step],
                foreach=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                momentum_decay=group["momentum_decay"],
                eps=group["eps"],
            )
        state["step"].copy_(step)
        state["mu_product"].copy_(product)
