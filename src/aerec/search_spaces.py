"""What a search may choose from: three kinds of dimension, and the default space of every model.

A model's default space is its class attribute ``search_space``. They are of about the same width: one to seven
parameters, whose ranges hold what the papers and the benchmarks of aerec found best on data sets from a hundred
thousand to twenty million ratings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import clone

from aerec._lazy import LazyMapping
from aerec.dimensions import Choice, Dimension, Number, Space, Whole
from aerec.errors import names_like
from aerec.parameters import check_parameters
from aerec.recommender.base import Recommender
from aerec.registry import MODELS

__all__ = ["SPACES", "Choice", "Dimension", "Number", "Space", "Whole", "check_space"]

SPACES: Mapping[str, Space] = LazyMapping(MODELS, lambda name: MODELS[name].search_space or {})
"""Command-line name of a model → its default space; a model without hyper-parameters has an empty one."""


def check_space(space: Mapping[str, Any], model: Recommender) -> None:
    """Refuse a space that is empty, or of which `model` does not take every end.

    Raises
    ------
    ValueError
        Says which parameter does not fit, and why.

    Examples
    --------
    >>> from aerec.models import EASE
    >>> check_space({}, EASE())
    Traceback (most recent call last):
    ValueError: the space of EASE is empty: there is nothing to tune
    """
    name, known = type(model).__name__, model.get_params()
    if not space:
        raise ValueError(f"the space of {name} is empty: there is nothing to tune")
    for parameter, dimension in space.items():
        inside = parameter.partition("__")[0]
        if parameter not in known and known.get(inside, inside) is None:
            raise ValueError(f"space: {name} has no {parameter!r} while {inside} is None; set {inside} too")
        if parameter not in known:
            raise ValueError(f"space: {name} has no parameter {parameter!r}; {names_like(parameter, known)}")
        if not isinstance(dimension, Choice | Number | Whole):
            raise ValueError(f"space: {parameter!r} must be a Choice, a Number or a Whole, got {dimension!r}")
        for value in dimension.ends():
            try:
                check_parameters(clone(model).set_params(**{parameter: value}))
            except ValueError as error:  # noqa: PERF203
                raise ValueError(f"space: {parameter!r} does not fit: {error}") from None
