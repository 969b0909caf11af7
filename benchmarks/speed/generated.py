"""Data of a wanted shape, where the real ones are not at hand: popularity by a power law, as films and songs have."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from aerec import Interactions
from aerec.datasets import load_dataset
from aerec.sparse import CSR

ML_20M = (136_677, 20_108, 9_990_682)
ML_1M = (6_040, 3_706, 1_000_209)


def generated(n_users: int, n_items: int, n_ratings: int, seed: int = 0, *, stars: bool = False) -> CSR:
    """Return a matrix with about `n_ratings` ratings of 1, or with `stars` of 1 to 5.

    The length of a history is log-normal and the popularity of the item of rank r falls as 1 / (r + 20)^0.9; pairs
    drawn twice count once, and so many are drawn in their place that the number comes out within a few per cent.
    """
    rng = np.random.default_rng(seed)
    popularity = 1 / (np.arange(n_items) + 20) ** 0.9
    edges = np.cumsum(popularity / popularity.sum())
    activity = rng.lognormal(0, 1, n_users)
    pairs = np.empty(0, dtype=np.int64)
    while (missing := n_ratings - len(pairs)) > n_ratings // 200:
        lengths = rng.multinomial(missing, activity / activity.sum())
        users = np.repeat(np.arange(n_users), lengths)
        items = np.minimum(np.searchsorted(edges, rng.random(missing)), n_items - 1)
        pairs = np.union1d(pairs, users * n_items + items)
    users, items = np.divmod(pairs, n_items)
    values = rng.integers(1, 6, len(pairs)) if stars else np.ones(len(pairs))
    starts = np.concatenate(([0], np.cumsum(np.bincount(users, minlength=n_users))))
    return Interactions.from_matrix(sp.csr_array((values, items, starts), shape=(n_users, n_items))).matrix


def ml_1m_implicit() -> tuple[CSR, str]:
    """Return the training part of ``ml-1m-implicit`` and its name; a generated one of its shape where it is absent."""
    path = Path(os.environ.get("AEREC_DATA", "")) / "ml-1m-implicit" / "train.txt"
    if path.is_file():
        return load_dataset(str(path)).matrix, "ml-1m-implicit"
    return generated(6_039, 3_628, 590_733), "generated, of the shape of ml-1m-implicit"
