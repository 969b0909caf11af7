"""The best items of many users, block by block, so that memory does not grow with users × items."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.recommender.scorer import Scorer, UserBlock
from aerec.system.memory import require_memory

__all__ = ["check_k", "rank_users"]


def check_k(k: Any) -> None:
    """Refuse a length of a list that is none."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}")


def rank_users(scorer: Scorer, users: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return columns and scores of the `k` best items of each user; see `Scorer.best`.

    Parameters
    ----------
    scorer : Scorer
    users : UserBlock
        All of them, with what is not to be recommended.
    k : int

    Returns
    -------
    columns : ndarray of int64, shape (n_users, k)
    scores : ndarray of float32, shape (n_users, k)
    """
    n_users = users.n_users
    require_memory(12 * n_users * k, f"a list of {k:,} for {n_users:,} users", "ask for a smaller k")
    columns = np.full((n_users, k), -1, dtype=np.int64)
    scores = np.full((n_users, k), -np.inf, dtype=np.float32)
    scorer = scorer.prepared(n_users, k)
    for rows in scorer.blocks(n_users):
        columns[rows], scores[rows] = scorer.best(users.take(rows), k)
    return columns, scores
