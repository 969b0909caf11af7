"""Rerankers by name, such as "mmr:0.7"."""

from __future__ import annotations

import math
from typing import Any

from aerec.errors import names_like
from aerec.interactions import Interactions
from aerec.numerals import number_from_text
from aerec.reranking.base import Reranker
from aerec.reranking.calibration import Calibration
from aerec.reranking.exposure import MinimumExposure, popularity_labels
from aerec.reranking.features import features_of
from aerec.reranking.mmr import MaximalMarginalRelevance

RERANKERS: dict[str, tuple[type[Reranker], str]] = {
    "mmr": (MaximalMarginalRelevance, "0.7"),
    "calibration": (Calibration, "0.5"),
    "tail": (MinimumExposure, "0.2"),
}
"""Name of a reranker → its class, and the number it has where none is given."""


def parse_reranker(text: str) -> Reranker:
    """Return the reranker of a text: mmr:λ, calibration:λ or tail:share; without a number that of the class.

    Raises
    ------
    ValueError
        If the name is unknown, or what follows is no number from 0 to 1.

    Examples
    --------
    >>> from aerec.reranking.named import parse_reranker
    >>> parse_reranker("mmr:0.7"), parse_reranker("tail:0.3")
    (MaximalMarginalRelevance(trade_off=0.7), MinimumExposure(shares={'tail': 0.3}))
    """
    name, _, number = text.strip().partition(":")
    if name not in RERANKERS:
        raise ValueError(f"unknown reranker {name!r}; {names_like(name, [*RERANKERS])} (with a number, as in mmr:0.7)")
    kind, default = RERANKERS[name]
    try:
        value = number_from_text(number or default)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(f"{text!r}: what follows the colon is a number from 0 to 1, as in {name}:{default}")
    parameter: Any = {"tail": value} if kind is MinimumExposure else value
    return kind(parameter)  # type: ignore[call-arg]


def known_of_items(reranker: Reranker, data: Interactions) -> Any:
    """Return the `features` that `reranker` wants, by what `data`, the ratings of everybody, says of the items."""
    if isinstance(reranker, MinimumExposure):
        return popularity_labels(data)
    return features_of(data, None, genres_first=isinstance(reranker, Calibration))


def n_candidates(k: int) -> int:
    """Return how many candidates a list of `k` is chosen from: ten times as many, and 100 at least."""
    return max(10 * k, 100)
