"""Gradients that an optimizer takes as what they are made of, so that no float32 matrix of their size is written.

And the bfloat16 copies of weights that such an optimizer leaves behind, so that the next step need not make them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor, nn

from aerec.network.batches import Pattern


@dataclass(frozen=True)
class SparseTimesDense:
    """The gradient xᵀ·D of a layer that reads sparse rows.

    Parameters
    ----------
    pattern : Pattern of shape (n_rows, n_items)
        That of x.
    values : Tensor of shape (n_values,)
        Column after column: in the order of ``pattern.by_column``.
    dense : Tensor of shape (n_rows, n_hidden)
        D.
    """

    pattern: Pattern
    values: Tensor
    dense: Tensor


Gradient: TypeAlias = SparseTimesDense | Tensor
"""A product, or a matrix of bfloat16 in the memory of the weight's copy."""


@dataclass
class _Parameter:
    weight: nn.Parameter
    copy: Tensor | None = None
    copied: tuple[int, int] | None = None  # where the weight was, and its version, when the copy was made
    gradients: list[Gradient] = field(default_factory=list)


class Deferred:
    """What an optimizer takes besides ``parameter.grad``.

    Parameters
    ----------
    parameters : iterable of Parameter
        Those of the optimizer.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._parameters = [_Parameter(parameter) for parameter in parameters]

    def takes(self, weight: Tensor) -> bool:
        """Whether `weight` is one of the parameters, and lies in memory row after row."""
        return weight.is_contiguous() and any(held.weight is weight for held in self._parameters)

    def half(self, weight: Tensor) -> Tensor:
        """Return the bfloat16 copy of a weight; its gradient may be written over it."""
        held = self._of(weight)
        if held.copy is None or held.copy.shape != weight.shape:
            held.copy = torch.empty_like(weight, dtype=torch.bfloat16, requires_grad=False)
            held.copied = None
        if held.copied != _state(weight):
            held.copy.copy_(weight.detach())
            held.copied = _state(weight)
        return held.copy

    def give(self, weight: Tensor, gradient: Gradient) -> None:
        """Hand over a gradient, to be added to all others of this weight."""
        held = self._of(weight)
        if isinstance(gradient, Tensor):
            held.copied = None
        held.gradients.append(gradient)

    def taken(self, weight: Tensor) -> list[Gradient]:
        """Return what was handed over since the last call."""
        held = self._of(weight)
        gradients, held.gradients = held.gradients, []
        return gradients

    def has_copied(self, weight: Tensor) -> None:
        """Note that the copy holds the weight as it is now."""
        self._of(weight).copied = _state(weight)

    def forget(self) -> None:
        """Forget gradients that nobody took."""
        for held in self._parameters:
            held.gradients = []

    def clear(self) -> None:
        """Forget all, the copies too."""
        self.forget()
        for held in self._parameters:
            held.copy = held.copied = None

    def _of(self, weight: Tensor) -> _Parameter:
        return next(held for held in self._parameters if held.weight is weight)


def _state(weight: Tensor) -> tuple[int, int]:
    return weight.data_ptr(), weight._version  # PyTorch counts the changes of each parameter
