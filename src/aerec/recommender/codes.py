"""The units of a code, one by one: which items each stands for, and which of them speak for an item."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.recommender.id_matching import check_n
from aerec.recommender.scorer import CodeScorer, UserBlock


def describe_unit(
    scorer: CodeScorer, items: pd.Index[Any] | None, unit: int, n: int, activation: float
) -> pd.DataFrame:
    """Return the `n` items whose scores rise most when `unit` has that activation.

    Returns
    -------
    pandas.DataFrame
        Columns item (of `items`, or the column number) and weight, the largest first.

    Raises
    ------
    ValueError
        If there is no such unit.
    """
    n_code = scorer.code_size()
    if isinstance(unit, bool) or not isinstance(unit, int | np.integer) or not 0 <= unit < n_code:
        raise ValueError(f"unit must be a whole number from 0 to {n_code - 1}, got {unit!r}")
    check_n(n)
    weights = scorer.unit_weights(int(unit), activation)
    best = np.argsort(-weights, kind="stable")[:n]
    names = pd.RangeIndex(len(weights)) if items is None else items
    return pd.DataFrame({"item": names.take(best), "weight": weights[best]})


def explain_units(scorer: CodeScorer, user: UserBlock, column: int, n: int | None) -> pd.DataFrame:
    """Return the units of the code of one user by how much they add to the score of an item.

    Returns
    -------
    pandas.DataFrame
        Columns unit, activation and contribution, the largest first; units that are 0 are left out.
    """
    check_n(n)
    activation: NDArray[np.float32] = scorer.code(user)[0]
    units = np.flatnonzero(activation)
    terms = scorer.unit_contributions(activation, units, np.array([column]))[:, 0]
    order = np.argsort(-terms, kind="stable")[:n]
    return pd.DataFrame({"unit": units[order], "activation": activation[units[order]], "contribution": terms[order]})
