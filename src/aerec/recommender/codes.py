"""The units of a code, one by one: which items each stands for, and which of them speak for an item."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.recommender.id_matching import check_n
from aerec.recommender.scorer import CodeScorer, Scorer, UserBlock


def describe_unit(scorer: Scorer, items: pd.Index[Any] | None, unit: int, n: int, activation: float) -> pd.DataFrame:
    """Return what `Recommender.describe_code` does, with names from `items`, or column numbers."""
    coder = _with_code(scorer)
    n_code = coder.code_size()
    if isinstance(unit, bool) or not isinstance(unit, int | np.integer) or not 0 <= unit < n_code:
        raise ValueError(f"unit must be a whole number from 0 to {n_code - 1}, got {unit!r}")
    check_n(n)
    weights = coder.unit_weights(int(unit), activation)
    best = np.argsort(-weights, kind="stable")[:n]
    names = pd.RangeIndex(len(weights)) if items is None else items
    return pd.DataFrame({"item": names.take(best), "weight": weights[best]})


def explain_units(scorer: Scorer, user: UserBlock, column: int, n: int | None) -> pd.DataFrame:
    """Return what `Recommender.explain_code` does, of one user and the item of a column."""
    coder = _with_code(scorer)
    check_n(n)
    activation: NDArray[np.float32] = coder.code(user)[0]
    units = np.flatnonzero(activation)
    terms = coder.unit_contributions(activation, units, np.array([column]))[:, 0]
    order = np.argsort(-terms, kind="stable")[:n]
    return pd.DataFrame({"unit": units[order], "activation": activation[units[order]], "contribution": terms[order]})


def _with_code(scorer: Scorer) -> CodeScorer:
    if not isinstance(scorer, CodeScorer):
        raise DataError(
            "this model has no code of a user whose units could be read, as autoencoders of users and SparseCode have; "
            "use explain"
        )
    return scorer
