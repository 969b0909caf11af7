"""Whether the best setting of a search lies at an end of what it was allowed to choose from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from aerec.parameters import check_parameters
from aerec.recommender.base import Recommender
from aerec.search_spaces import Choice, Number, Space, Whole

_NEAR = 0.05  # A value is at an edge within this share of the range
_FACTORS = (10.0, 4.0, 2.0)  # a range is widened by the first of these that the model accepts


@dataclass(frozen=True)
class Edge:
    """A hyper-parameter whose best value is near an end of its range: a better one may lie beyond.

    Attributes
    ----------
    name : str
    value : float
        The best one.
    end : {"lower", "upper"}
    range : Number or Whole
        What was searched.
    wider : Number or Whole
        What to search next.
    """

    name: str
    value: float
    end: str
    range: Number | Whole
    wider: Number | Whole

    def __str__(self) -> str:
        return (
            f"the best {self.name}, {self.value:g}, lies near the {self.end} end of its range, "
            f"{self.range.low:g} to {self.range.high:g}; a better one may lie beyond"
        )


def find_edges(model: Recommender, space: Space, best: Mapping[str, Any]) -> list[Edge]:
    """Return the parameters whose best value is within 5 % of the range from an end that can be moved.

    Parameters
    ----------
    model : Recommender
        Says which values are possible: at the end of those there is nothing to widen.
    space : dict
        What was searched.
    best : dict
        The best values.

    Examples
    --------
    >>> from aerec.models import EASE
    >>> from aerec.search_spaces import Number
    >>> [edge.wider for edge in find_edges(EASE(), {"l2": Number(10.0, 5000.0, log=True)}, {"l2": 4800.0})]
    [Number(low=10.0, high=50000.0, log=True)]
    """
    edges = []
    for name, dimension in space.items():
        if isinstance(dimension, Choice) or best[name] == "auto":
            continue
        place = _place(dimension, best[name])
        end = "lower" if place <= _NEAR else "upper" if place >= 1 - _NEAR else None
        if end is None:
            continue
        wider = next((candidate for candidate in _wider(dimension, end) if _takes(model, name, candidate)), None)
        if wider is not None:
            edges.append(Edge(name, float(best[name]), end, dimension, wider))
    return edges


def _place(dimension: Number | Whole, value: float) -> float:
    """Return where in its range a value lies, from 0 to 1."""
    low, high = float(dimension.low), float(dimension.high)
    if dimension.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)


def _wider(dimension: Number | Whole, end: str) -> Iterator[Number | Whole]:
    low, high = dimension.low, dimension.high
    for factor in _FACTORS:
        if dimension.log:
            bounds = (low / factor, high) if end == "lower" else (low, high * factor)
        else:
            step = (high - low) * factor / 10
            bounds = (low - step, high) if end == "lower" else (low, high + step)
        if isinstance(dimension, Number):
            yield Number(float(f"{bounds[0]:.3g}"), float(f"{bounds[1]:.3g}"), dimension.log)
        elif round(bounds[0]) >= 1:
            yield Whole(round(bounds[0]), round(bounds[1]), dimension.log)


def _takes(model: Recommender, name: str, dimension: Number | Whole) -> bool:
    try:
        for value in dimension.ends():
            check_parameters(clone(model).set_params(**{name: value}))
    except ValueError:
        return False
    return True
