"""Weights of units as text: ``3:1.5``, in the command line and in addresses."""

from __future__ import annotations

from collections.abc import Iterable

from aerec.numerals import number_from_text, whole_from_text


def parse_weights(texts: Iterable[str]) -> dict[int, float]:
    """Return unit → weight of texts such as ``3:1.5`` and ``3:1.5,7:-2``.

    Raises
    ------
    ValueError
        If one cannot be read, or names a unit again.

    Examples
    --------
    >>> from aerec.runs.steering import parse_weights
    >>> parse_weights(["3:1.5,7:-2", "9:0.5"])
    {3: 1.5, 7: -2.0, 9: 0.5}
    """
    weights: dict[int, float] = {}
    for text in (part for given in texts for part in given.split(",")):
        unit, _, weight = text.strip().partition(":")
        try:
            number, value = whole_from_text(unit), number_from_text(weight)
        except ValueError:
            raise ValueError(f"steer: {text!r} cannot be read; write unit:weight, such as 3:1.5") from None
        if number in weights:
            raise ValueError(f"steer: unit {number} is named twice")
        weights[number] = value
    return weights
