"""Adam that leaves the rows without a gradient alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from aerec.training.parameterwise import Parameterwise

__all__ = ["LazyAdam"]


class LazyAdam(Parameterwise):
    r"""Adam whose step costs what the rows with a gradient cost, for weights of which a batch touches few.

    For the rows of a sparse gradient it is Adam with the corrections of the step at hand. The other rows and their
    moments stay as they are, where Adam would go on moving them by their fading momentum. Weight decay, too, acts on
    the touched rows only. A dense gradient touches every row.

    Parameters
    ----------
    groups : iterable of dict
        As of `torch.optim.Adam`.
    lr : float
    betas : (float, float), default (0.9, 0.999)
    eps : float, default 1e-8

    References
    ----------
    Kingma, Ba (2015). Adam: a method for stochastic optimization. ICLR.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})

    def _update(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        if gradient.is_sparse:
            gradient = gradient.coalesce()
            rows, gradient = gradient.indices()[0], gradient.values()
        else:
            rows = torch.arange(len(parameter), device=parameter.device)
        taken = parameter.index_select(0, rows)
        if group["weight_decay"]:
            gradient = gradient.add(taken, alpha=group["weight_decay"])
        first, second = group["betas"]
        mean = state["exp_avg"].index_select(0, rows).lerp_(gradient, 1 - first)
        square = state["exp_avg_sq"].index_select(0, rows).mul_(second).addcmul_(gradient, gradient, value=1 - second)
        state["exp_avg"].index_copy_(0, rows, mean)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        at = float(state["step"])
        scale = square.sqrt_().div_((1 - second**at) ** 0.5).add_(group["eps"])
        parameter.index_copy_(0, rows, taken.addcdiv_(mean, scale, value=-group["lr"] / (1 - first**at)))
