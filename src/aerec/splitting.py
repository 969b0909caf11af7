"""Splitters: from interactions to training data, validation and test."""

from __future__ import annotations

from dataclasses import dataclass

from aerec.interactions import Interactions

__all__ = ["Holdout", "Split"]


@dataclass(frozen=True)
class Holdout:
    """What a model may see of each user, and what it must find."""

    history: Interactions
    target: Interactions
    exclude: Interactions | None = None


@dataclass(frozen=True)
class Split:
    """Training data, and held-out data for choosing (validation) and for reporting (test)."""

    train: Interactions
    validation: Holdout
    test: Holdout
