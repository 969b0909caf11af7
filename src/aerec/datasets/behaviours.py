"""Several behaviours, such as views, carts and purchases, as one matrix of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from aerec.canonical import canonical_csr
from aerec.errors import DataError, names_like
from aerec.interactions import Interactions
from aerec.sparse import CSR


def combine(behaviours: Mapping[str, Interactions], **weights: float) -> Interactions:
    r"""Add several behaviours up: the value of a pair is :math:`\sum_b w_b\, x_b`.

    With :math:`x_b` the value of the pair in behaviour b: 1, or how often it happened. Most models then try to predict
    that sum, where what is to be found is the item: `Interactions.values_as_weights` makes it the weight of a 1.

    Parameters
    ----------
    behaviours : mapping of str to Interactions
        Name → who did it with what; all values above 0.
    **weights : float
        Name → weight, above 0; one for each behaviour.

    Returns
    -------
    Interactions
        Over the union of users and items, with the last time of each pair.

    Raises
    ------
    DataError
        If a value is not above 0, there are weights already, or ids of two behaviours are of different types.
    TypeError
        If a behaviour is not an `Interactions`.
    ValueError
        If a behaviour has no weight, a weight no behaviour, or one is not above 0.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec import Interactions
    >>> from aerec.datasets import combine
    >>> events = pd.DataFrame({"user": [1, 1, 2], "item": [7, 8, 7], "kind": ["view", "view", "view"]})
    >>> views = Interactions.from_frame(events, rating=None)
    >>> orders = Interactions.from_frame(events.tail(1), rating=None)
    >>> both = combine({"view": views, "buy": orders}, view=1, buy=5)
    >>> both.to_frame()["rating"].tolist()
    [1.0, 1.0, 6.0]
    >>> both.values_as_weights()
    Interactions(2 users × 2 items, 3 ratings, density 75 %, with weights)
    """
    if not behaviours:
        raise ValueError("there is no behaviour to combine; give at least one")
    if unknown := [name for name in weights if name not in behaviours]:
        raise ValueError(f"a weight for an unknown behaviour {unknown[0]!r}; {names_like(unknown[0], [*behaviours])}")
    for name, part in behaviours.items():
        weight = weights.get(name)
        if not isinstance(part, Interactions):
            raise TypeError(f"behaviour {name!r} is a {type(part).__name__}: expected Interactions, see from_frame")
        if not isinstance(weight, int | float | np.number) or not 0 < weight < float("inf"):
            raise ValueError(f"behaviour {name!r} needs a weight above 0, got {weight!r}")
        if part.n_ratings and part.matrix.data.min() <= 0:
            raise DataError(f"behaviour {name!r} has the value {part.matrix.data.min():g}: expected values above 0")
        if part.weights is not None:
            raise DataError(f"behaviour {name!r} has weights already: take them away first, with_weights(None)")
    joined = Interactions.concat(behaviours.values())
    total: CSR | None = None
    for name, part in behaviours.items():
        matrix = part.with_users(joined.users).with_items(joined.items).matrix * float(weights[name])
        total = matrix if total is None else total + matrix
    notes = tuple(dict.fromkeys(note for part in behaviours.values() for note in part.notes))  # nothing was replaced
    return replace(joined, matrix=canonical_csr(total), notes=notes)
