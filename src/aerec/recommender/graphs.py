"""Scores as PyTorch modules, from a dense batch of histories to scores: what becomes an ONNX graph."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class LinearGraph(nn.Module):
    """x · W₁ · … · Wₙ."""

    def __init__(self, *factors: NDArray[Any]) -> None:
        super().__init__()
        self.factors = nn.ParameterList(constant(factor) for factor in factors)

    def forward(self, history: Tensor) -> Tensor:
        """Return the products."""
        for factor in self.factors:
            history = history @ factor
        return history


class PopularityGraph(nn.Module):
    """Rows without ratings get the popularity of the items."""

    def __init__(self, scores: nn.Module, popularity: NDArray[Any]) -> None:
        super().__init__()
        self.scores = scores
        self.popularity = constant(popularity)

    def forward(self, history: Tensor) -> Tensor:
        """Return scores, or popularity."""
        rated = (history != 0).any(dim=1, keepdim=True)
        return torch.where(rated, self.scores(history), self.popularity)


def constant(values: NDArray[Any]) -> nn.Parameter:
    """Return an array as numbers of a module that do not learn."""
    return nn.Parameter(torch.as_tensor(values, dtype=torch.float32), requires_grad=False)
