"""Whether the ids of a held-out part occur in the training part: files written by different hands often disagree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from aerec.errors import DataError, warn_caller
from aerec.ids import examples

_FEW = 0.1  # share of known ids below which a part is looked at twice


def check_meeting(
    train: pd.Index[Any], other: pd.Index[Any], what: str, files: tuple[str, str], *, differ: bool
) -> None:
    """Compare the ids of two parts, both of the same type.

    Parameters
    ----------
    train, other : pandas.Index
        Those that have a rating in each.
    what : {"user", "item"}
    files : (str, str)
        What messages call the two.
    differ : bool
        Whether one file held numbers and the other text: both are text here.

    Raises
    ------
    DataError
        If few or none of the ids occur in training, and the types differ.

    Warns
    -----
    UserWarning
        If few or none occur in training.
    """
    known = other.isin(train)
    n_known = int(np.count_nonzero(known))
    if len(other) == 0 or n_known > _FEW * len(other):
        return
    count = f"{n_known:,} of {len(other):,}" if n_known else f"none of {len(other):,}"
    only_train = train[~train.isin(other)]
    there, here = examples(only_train if len(only_train) else train), examples(other[~known])
    text = f"{files[1]}: {count} {what}s occur in {files[0]}: there they are such as {there}, here such as {here}"
    if differ:
        raise DataError(f"{text}; one file has numbers and the other text: write both alike, with or without zeros")
    cost = (
        "whoever is not in training has no history" if what == "user" else "what is not in training is not recommended"
    )
    warn_caller(f"{text}; {cost}")
