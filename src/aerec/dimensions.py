"""What a hyper-parameter may be in a search: one of several values, a real number, or a whole number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Choice:
    """One of several values, of any kind that a model takes: words, layer sizes, ``MaskingNoise(0.5)``.

    Parameters
    ----------
    values : tuple
        At least one, none twice; a list is taken as well.

    Raises
    ------
    ValueError
        If there is no value, or one stands twice.

    Examples
    --------
    >>> from aerec.noise import MaskingNoise
    >>> Choice([None, MaskingNoise(0.5)]).ends()
    (None, MaskingNoise(p=0.5, rescale=True))
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple | list) or not self.values:
            raise ValueError(f"Choice takes a list of at least one value, got {self.values!r}")
        object.__setattr__(self, "values", tuple(self.values))
        names = [repr(value) for value in self.values]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"Choice has {twice[0]} twice; give each value once")

    def ends(self) -> tuple[Any, ...]:
        """Return the values that show whether a model takes this dimension: all of them."""
        return self.values

    def suggest(self, trial: Any, name: str) -> Any:
        """Return the value that an Optuna trial draws; a study stores values by their text."""
        return self.read(trial.suggest_categorical(name, [repr(value) for value in self.values]))

    def read(self, stored: Any) -> Any:
        """Return the value that stands for what a study has stored."""
        return next(value for value in self.values if repr(value) == stored)


@dataclass(frozen=True)
class Number:
    """A real number from `low` to `high`.

    Parameters
    ----------
    low, high : float
        Both included.
    log : bool, default False
        Draw evenly on the logarithmic scale; `low` is above 0 then.

    Raises
    ------
    ValueError
        If the two are not finite numbers with `low` < `high`.

    Examples
    --------
    >>> Number(1e-4, 1e-1, log=True).ends()
    (0.0001, 0.1)
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self, Real, "finite numbers")

    def ends(self) -> tuple[float, float]:
        """Return the lowest and the highest value."""
        return self.low, self.high

    def suggest(self, trial: Any, name: str) -> float:
        """Return the value that an Optuna trial draws."""
        return self.read(trial.suggest_float(name, self.low, self.high, log=self.log))

    def read(self, stored: Any) -> float:
        """Return what a study has stored, as it is."""
        return float(stored)


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`.

    Parameters
    ----------
    low, high : int
        Both included.
    log : bool, default False
        Draw evenly on the logarithmic scale; `low` is at least 1 then.

    Raises
    ------
    ValueError
        If the two are not whole numbers with `low` < `high`.

    Examples
    --------
    >>> Whole(10, 500, log=True).ends()
    (10, 500)
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self, Integral, "whole numbers")

    def ends(self) -> tuple[int, int]:
        """Return the lowest and the highest value."""
        return self.low, self.high

    def suggest(self, trial: Any, name: str) -> int:
        """Return the value that an Optuna trial draws."""
        return self.read(trial.suggest_int(name, self.low, self.high, log=self.log))

    def read(self, stored: Any) -> int:
        """Return what a study has stored, as it is."""
        return int(stored)


def _check_range(dimension: Number | Whole, kind: type, expected: str) -> None:
    bounds = dimension.low, dimension.high
    fits = all(isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value) for value in bounds)
    if not fits or not dimension.low < dimension.high:
        raise ValueError(f"{type(dimension).__name__} goes from low to high, {expected} with low < high; got {bounds}")
    if dimension.log and dimension.low <= 0:
        raise ValueError(f"{dimension}: on the logarithmic scale low must be above 0")


Dimension: TypeAlias = Choice | Number | Whole
Space: TypeAlias = Mapping[str, Dimension]
"""Name of a hyper-parameter → what it may be."""
