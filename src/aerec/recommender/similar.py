"""The items or users that are most alike to some, as a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.recommender.scorer import score_blocks
from aerec.topk import top_k


def most_similar(
    similarities: Callable[[NDArray[np.int64]], NDArray[Any]],
    rows: NDArray[np.int64],
    ids: pd.Index[Any],
    k: int,
    n: int,
    kind: str,
) -> pd.DataFrame:
    """Return the `k` most alike to each of some items or users, but itself.

    Parameters
    ----------
    similarities : callable
        From some of the `rows` to how alike each of them is to all; shape (len(rows), n).
    rows : ndarray of int64
        The items or users.
    ids : pandas.Index
        Raw ids of all `n`.
    k, n : int
    kind : str
        The name of the first column: "item" or "user".

    Returns
    -------
    pandas.DataFrame
        Columns `kind`, similar, rank (from 1) and score, the most alike first.
    """
    k = min(k, n)
    best = np.full((len(rows), k), -1, dtype=np.int64), np.full((len(rows), k), -np.inf, dtype=np.float32)
    for block in score_blocks(len(rows), n):
        scores = np.array(similarities(rows[block]), dtype=np.float32)
        scores[np.arange(len(block)), rows[block]] = -np.inf
        best[0][block], best[1][block] = top_k(scores, k)
    at, places = np.nonzero(best[0] >= 0)
    similar = ids.take(best[0][at, places])
    columns = {kind: ids.take(rows[at]), "similar": similar, "rank": places + 1, "score": best[1][at, places]}
    return pd.DataFrame(columns)
