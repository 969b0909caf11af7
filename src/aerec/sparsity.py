"""Penalties and constraints that make the code of an autoencoder sparse.

Each is a choice with three parts: `apply` changes the code itself (top-k) or not (penalties), `statistic` sums the code
up over rows, unit by unit, and `cost` turns the mean of that statistic into the penalty. They are separate so that the
cost of a whole data set can be computed block by block.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeAlias

import torch
from torch import Tensor

from aerec.parameters import is_number

__all__ = ["KLSparsity", "L1Sparsity", "TopKSparsity"]

_BOUNDED = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}  # ranges of the activations that a KL penalty can read
_EPSILON = 1e-6  # keeps the logarithm finite where a unit is fully off or on


@dataclass(frozen=True)
class L1Sparsity:
    """Penalty weight · Σⱼ |zⱼ| on the code z of a row.

    Parameters
    ----------
    weight : float ≥ 0, default 0.01
        The larger, the sparser the code.

    Raises
    ------
    ValueError
        If `weight` is negative or not finite.
    """

    weight: float = 0.01

    def __post_init__(self) -> None:
        _check_weight(self.weight, "L1Sparsity")

    def check_activation(self, activation: str) -> None:
        """Accept any activation."""

    def apply(self, code: Tensor) -> Tensor:
        """Return the code as it is."""
        return code

    def statistic(self, code: Tensor, activation: str) -> Tensor:
        """Σ over rows of |zⱼ|, for each unit j; shape (n_units,)."""
        return code.abs().sum(dim=0)

    def cost(self, mean: Tensor) -> Tensor:
        """Weight · Σⱼ of the mean statistic."""
        return self.weight * mean.sum()


@dataclass(frozen=True)
class KLSparsity:
    r"""Penalty weight · Σⱼ KL(ρ ‖ ρ̂ⱼ), which keeps every unit inactive for most rows.

    ρ̂ⱼ is the mean activation of unit j over the batch, mapped from the range of the activation to [0, 1]: as it is for
    the sigmoid, (z + 1)/2 for tanh. A unit is "inactive" at the lower end of that range: near 0 for the sigmoid, near
    −1 for tanh. KL(ρ ‖ ρ̂) = ρ log(ρ/ρ̂) + (1 − ρ) log((1 − ρ)/(1 − ρ̂)).

    Parameters
    ----------
    target : float in (0, 1), default 0.05
        Wanted mean activation ρ as a share of the range: 0.05 means 0.05 for the sigmoid and −0.9 for tanh.
    weight : float ≥ 0, default 1.0

    Raises
    ------
    ValueError
        If `target` is not in (0, 1) or `weight` negative; when used with an activation that has no bounds.

    References
    ----------
    Ng (2011). Sparse autoencoder. CS294A lecture notes.
    """

    target: float = 0.05
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not (is_number(self.target) and 0 < self.target < 1):
            raise ValueError(
                f"KLSparsity: target is a share of the activation's range, in (0, 1) for tanh too; got {self.target!r}"
            )
        _check_weight(self.weight, "KLSparsity")

    def check_activation(self, activation: str) -> None:
        """Refuse an activation whose values have no lower and upper end."""
        if activation not in _BOUNDED:
            raise ValueError(
                f"KLSparsity needs a code with bounds, activation 'sigmoid' or 'tanh'; got {activation!r}: "
                "change the activation, or use L1Sparsity or TopKSparsity"
            )

    def apply(self, code: Tensor) -> Tensor:
        """Return the code as it is."""
        return code

    def statistic(self, code: Tensor, activation: str) -> Tensor:
        """Σ over rows of the activation mapped to [0, 1], for each unit; shape (n_units,)."""
        low, high = _BOUNDED[activation]
        return ((code - low) / (high - low)).sum(dim=0)

    def cost(self, mean: Tensor) -> Tensor:
        """Weight · Σⱼ KL(ρ ‖ mean statisticⱼ)."""
        rho = self.target
        mean = mean.clamp(_EPSILON, 1 - _EPSILON)
        on = rho * (torch.log(torch.full_like(mean, rho)) - mean.log())
        off = (1 - rho) * (torch.log(torch.full_like(mean, 1 - rho)) - (1 - mean).log())
        return self.weight * (on + off).sum()


@dataclass(frozen=True)
class TopKSparsity:
    """Keep the `k` units of largest magnitude in each row's code and set the others to 0; no penalty.

    Parameters
    ----------
    k : int ≥ 1, default 32

    Raises
    ------
    ValueError
        If `k` is not a whole number of at least 1.

    References
    ----------
    Makhzani, Frey (2014). k-Sparse autoencoders. ICLR.
    """

    k: int = 32

    def __post_init__(self) -> None:
        given: Any = self.k
        if isinstance(given, bool) or not isinstance(given, Integral) or given < 1:
            raise ValueError(f"TopKSparsity: k is a number of units, at least 1; got {self.k!r}")

    def check_activation(self, activation: str) -> None:
        """Accept any activation."""

    def apply(self, code: Tensor) -> Tensor:
        """Return the code with all but the `k` largest |zⱼ| of each row set to 0."""
        if self.k >= code.shape[1]:
            return code
        largest = torch.topk(code.abs(), self.k, dim=1, sorted=False).indices
        return torch.zeros_like(code).scatter(1, largest, code.gather(1, largest))

    def statistic(self, code: Tensor, activation: str) -> Tensor:
        """Nothing to sum up: zeros of shape (n_units,)."""
        return code.new_zeros(code.shape[1])

    def cost(self, mean: Tensor) -> Tensor:
        """No penalty."""
        return mean.sum()


def _check_weight(weight: float, name: str) -> None:
    if not (is_number(weight) and 0 <= weight < float("inf")):
        raise ValueError(f"{name}: weight must be a finite number of at least 0, got {weight!r}")


Sparsity: TypeAlias = L1Sparsity | KLSparsity | TopKSparsity
