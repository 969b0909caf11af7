"""What the hyper-parameters of a model may be: declared with the model as data, checked when it is fitted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from numbers import Integral, Real
from typing import Any, Protocol, TypeAlias

import numpy as np


def is_number(value: Any) -> bool:
    """Whether a value is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


@dataclass(frozen=True)
class WholeNumber:
    """A whole number from `lowest` to `highest`, both included; True and False are none."""

    lowest: int
    highest: int | None = None

    def accepts(self, value: Any) -> bool:
        """Whether `value` is one."""
        if isinstance(value, bool) or not isinstance(value, Integral):
            return False
        return self.lowest <= int(value) and (self.highest is None or int(value) <= self.highest)

    def __str__(self) -> str:
        up_to = "" if self.highest is None else f" and at most {self.highest}"
        return f"a whole number of at least {self.lowest}{up_to}"


@dataclass(frozen=True)
class RealNumber:
    """A finite number within the bounds that are given; True and False are none."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    def accepts(self, value: Any) -> bool:
        """Whether `value` is one."""
        try:
            number = float(value) if is_number(value) else math.nan
        except OverflowError:  # a whole number that no float can hold
            return False
        if not math.isfinite(number):
            return False
        return (
            (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.below is None or number < self.below)
            and (self.at_most is None or number <= self.at_most)
        )

    def __str__(self) -> str:
        bounds = {"above": self.above, "of at least": self.at_least, "below": self.below, "of at most": self.at_most}
        return "a number " + " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)


class OneOf:
    """One of some names."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)

    def accepts(self, value: Any) -> bool:
        """Whether `value` is one."""
        return isinstance(value, str) and value in self.names

    def __str__(self) -> str:
        return ("one of " if len(self.names) > 1 else "") + ", ".join(map(repr, self.names))


class Check(Protocol):
    """A constraint with a test of its own; its text says what it accepts."""

    def accepts(self, value: Any) -> bool:
        """Whether `value` may be taken."""


Constraint: TypeAlias = Check | type | None
"""What a value may be: what a `Check` accepts, such as a `WholeNumber`, an instance of a class, or None."""


def check_parameters(model: Any) -> None:
    """Refuse a hyper-parameter that its model, or a model among its parameters, does not allow.

    Parameters
    ----------
    model : estimator
        Its ``_parameter_constraints`` map the name of a hyper-parameter to a list of `Constraint`, of which the value
        has to meet one. A parameter without constraints may be anything.

    Raises
    ------
    ValueError
        Names the parameter, its value, and what it may be.

    Examples
    --------
    >>> from aerec.models import EASE
    >>> check_parameters(EASE(l2=-1))
    Traceback (most recent call last):
    ValueError: The 'l2' parameter of EASE must be a number above 0 or 'auto', got -1
    """
    constraints: Mapping[str, list[Constraint]] = model._parameter_constraints
    for name, value in model.get_params(deep=False).items():
        allowed = constraints.get(name)
        if allowed is not None and not any(_meets(value, constraint) for constraint in allowed):
            *others, last = map(_in_words, allowed)
            choices = f"{', '.join(others)} or {last}" if others else last
            raise ValueError(f"The {name!r} parameter of {type(model).__name__} must be {choices}, got {value!r}")
        for part in value if isinstance(value, list | tuple) else [value]:
            if hasattr(part, "_parameter_constraints") and not isinstance(part, type):
                check_parameters(part)


def check_whole(name: str, value: Any, lowest: int) -> None:
    """Raise a ValueError unless `value` is a whole number of at least `lowest`."""
    allowed = WholeNumber(lowest)
    if not allowed.accepts(value):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")


def check_fraction(name: str, value: float, *, zero: bool = False) -> None:
    """Raise a ValueError unless 0 < `value` < 1, or it is 0 where that is allowed."""
    if not (is_number(value) and (0 < value < 1 or (zero and value == 0))):
        raise ValueError(f"{name} must be in {'[0, 1)' if zero else '(0, 1)'}, got {value!r}")


def copied_parameters(model: Any) -> dict[str, Any]:
    """Return a copy of the parameters, so that a later change of a list or a model among them does no harm."""
    from sklearn.base import clone  # slow to import: splitters, which check their parameters here, do without

    return {name: clone(value, safe=False) for name, value in model.get_params(deep=False).items()}


def passed_on(scope: Mapping[str, Any], *own: str) -> dict[str, Any]:
    """Return the arguments of an ``__init__``, given its ``locals()``, that go on to the class above; not its `own`.

    Examples
    --------
    >>> from aerec.models import MultDAE
    >>> from aerec.parameters import passed_on
    >>> class LinearDAE(MultDAE):
    ...     def __init__(self, hidden=200, scale=1.0, seed=0):
    ...         super().__init__(**passed_on(locals(), "scale"), activation="identity")
    ...         self.scale = scale
    >>> LinearDAE(seed=3).activation
    'identity'
    """
    return {name: value for name, value in scope.items() if name not in ("self", "__class__", *own)}


def is_choice(value: Any) -> bool:
    """Whether a hyper-parameter is a small frozen dataclass, such as a noise."""
    return is_dataclass(value) and not isinstance(value, type)


def fields_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of each choice among the parameters, under names such as ``noise__scale``."""
    choices = {name: value for name, value in parameters.items() if is_choice(value)}
    named = ((name, choice, field.name) for name, choice in choices.items() for field in fields(choice))
    return {f"{name}__{field}": getattr(choice, field) for name, choice, field in named}


def changed_choice(choice: Any, values: Mapping[str, Any]) -> Any:
    """Return a choice with other values in some of its fields; a ValueError names one that it has not."""
    known = [field.name for field in fields(choice)]
    if unknown := values.keys() - set(known):
        raise ValueError(f"{type(choice).__name__} has no {min(unknown)!r}; it has {', '.join(known)}")
    return replace(choice, **values)


def _meets(value: Any, constraint: Constraint) -> bool:
    if constraint is None:
        return value is None
    if constraint is bool:
        return isinstance(value, bool | np.bool_)
    if isinstance(constraint, type):
        return isinstance(value, constraint)
    return constraint.accepts(value)


def _in_words(constraint: Constraint) -> str:
    if constraint is bool:
        return "True or False"
    if constraint is str:
        return "a text"
    if isinstance(constraint, type):
        return f"{'an' if constraint.__name__[0] in 'AEIOUaeiou' else 'a'} {constraint.__name__}"
    return str(constraint)
