"""What a hyper-parameter may be in a search: one of several values, a real number, or a whole number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


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
    (None, MaskingNoise(p=0.5, rescale=True, hold_out=False))
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

    def holds(self, value: Any) -> bool:
        """Whether `value` is one of these."""
        return repr(value) in map(repr, self.values)

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from: the values by their text."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([repr(value) for value in self.values])

    def read(self, stored: Any) -> Any:
        """Return the value that stands for what a study has stored."""
        return next(value for value in self.values if repr(value) == stored)

    def store(self, value: Any) -> str:
        """Return what a study stores of a value."""
        return repr(value)


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

    def holds(self, value: Any) -> bool:
        """Whether `value` is a number in this range."""
        return _is_within(self, value, Real)

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=self.log)

    def read(self, stored: Any) -> float:
        """Return what a study has stored, as it is."""
        return float(stored)

    store = read


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

    def holds(self, value: Any) -> bool:
        """Whether `value` is a whole number in this range."""
        return _is_within(self, value, Integral)

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, log=self.log)

    def read(self, stored: Any) -> int:
        """Return what a study has stored, as it is."""
        return int(stored)

    store = read


def _check_range(dimension: Number | Whole, kind: type, expected: str) -> None:
    bounds = dimension.low, dimension.high
    fits = all(isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value) for value in bounds)
    if not fits or not dimension.low < dimension.high:
        raise ValueError(f"{type(dimension).__name__} goes from low to high, {expected} with low < high; got {bounds}")
    if dimension.log and dimension.low <= 0:
        raise ValueError(f"{dimension}: on the logarithmic scale low must be above 0")


def _is_within(dimension: Number | Whole, value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and dimension.low <= value <= dimension.high  # type: ignore[operator]


Dimension: TypeAlias = Choice | Number | Whole
Space: TypeAlias = Mapping[str, Dimension]
"""Name of a hyper-parameter → what it may be."""
