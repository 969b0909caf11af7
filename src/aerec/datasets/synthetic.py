"""Generated ratings: power-law popularity, tastes tied to genre and era, readable titles; any size.

Only uniform draws, the four operations and square roots make them, and sums run in a fixed order: the same seed gives
the same ratings on every platform. Time and memory grow with the number of ratings.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.datasets.films import GENRES, film_titles
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.sparse import CSR

_ERAS = 2  # films up to 1974, and later ones
_GROUPS = len(GENRES) * _ERAS  # what tastes differ in: "old westerns", "new comedies" …
# How a user's ratings fall on the favourite groups, the first to the fifth, and (the rest) on films of any kind.
_SHARES = np.array([0.26, 0.45, 0.58, 0.67, 0.73, 1.0])
_FIRST_DAY, _LAST_DAY = 820_454_400, 1_041_379_200  # 1996 to 2002, in seconds since 1970
_CHUNK = 1 << 20


def load_sample() -> Interactions:
    """Return the sample: 1,000 users, 600 films and 60,000 ratings from 1 to 5, the same ones every time."""
    return replace(_sample())  # of its own titles and genres: those of the next caller are others


@cache
def _sample() -> Interactions:
    return generate_interactions(1000, 600, 60_000, seed=42)


def generate_interactions(n_users: int, n_items: int, n_ratings: int, seed: int = 0) -> Interactions:
    """Generate film ratings from 1 to 5 that resemble MovieLens.

    Films have one or two genres and a year; their popularity falls as a power of their rank. Each user likes some
    genres and one era better than others, watches mostly those, and rates ``mean + user bias + film bias + taste +
    noise``, rounded. Users differ much in how many films they rate.

    Parameters
    ----------
    n_users, n_items : int
    n_ratings : int
        At most 30 % of the user-item pairs.
    seed : int, default 0

    Returns
    -------
    Interactions
        Users and items are numbered from 1, with timestamps, titles and genres. Exactly `n_ratings` ratings.

    Raises
    ------
    DataError
        If a count is not positive, or too many ratings are asked for.

    Examples
    --------
    >>> from aerec.datasets import generate_interactions
    >>> generate_interactions(200, 100, 3000, seed=1)
    Interactions(200 users × 100 items, 3,000 ratings from 1 to 5, density 15 %, with timestamps, names, genres)
    """
    if min(n_users, n_items, n_ratings) < 1 or n_ratings > 0.3 * n_users * n_items:
        raise DataError(
            f"n_users={n_users}, n_items={n_items}, n_ratings={n_ratings}: expected positive counts and at most "
            f"{int(0.3 * max(n_users, 0) * max(n_items, 0))} ratings, 30 % of the pairs"
        )
    rng = np.random.default_rng(seed)
    years = 1930 + np.minimum((66 * np.sqrt(rng.random(n_items))).astype(np.int64), 65)  # more of the later ones
    first = rng.integers(0, len(GENRES), n_items)
    second = np.where(rng.random(n_items) < 0.4, rng.integers(0, len(GENRES), n_items), first)
    era = (years >= 1975).astype(np.int64)
    groups = np.stack([first, second]) * _ERAS + era  # (2, n_items)
    taste = _tastes(rng, n_users)

    users, items = _draw_pairs(rng, n_users, n_items, n_ratings, groups, taste)
    ratings = _rate(rng, users, items, groups, taste, n_items)
    begins = rng.integers(_FIRST_DAY, _LAST_DAY, n_users)
    spans = 3600 + (60 * 86_400 * rng.random(n_users) * rng.random(n_users)).astype(np.int64)
    times = begins[users] + (spans[users] * rng.random(n_ratings)).astype(np.int64)

    indptr = np.zeros(n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(users, minlength=n_users), out=indptr[1:])
    matrix: CSR = sp.csr_array((ratings, items, indptr), shape=(n_users, n_items))
    ids = pd.RangeIndex(1, n_items + 1)
    genres = np.empty(n_items, dtype=object)
    genres[:] = [
        tuple(dict.fromkeys((GENRES[genre], GENRES[other]))) for genre, other in zip(first, second, strict=True)
    ]
    return Interactions(
        matrix,
        pd.RangeIndex(1, n_users + 1),
        ids,
        times,
        pd.Series(film_titles(first, years), index=ids, name="title"),
        pd.Series(genres, index=ids, name="genres"),
    )


def _tastes(rng: np.random.Generator, n_users: int) -> NDArray[np.float32]:
    """How well each user likes each group, from 0 to about 1.5: (n_users, n_groups)."""
    genre = rng.random((n_users, len(GENRES), 1), dtype=np.float32)
    era = rng.random((n_users, 1, _ERAS), dtype=np.float32)
    return (genre + np.float32(0.5) * era).reshape(n_users, _GROUPS)


def _draw_pairs(
    rng: np.random.Generator,
    n_users: int,
    n_items: int,
    n_ratings: int,
    groups: NDArray[np.int64],
    taste: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw `n_ratings` different pairs of user and item, sorted."""
    activity = _cumulative(0.25 + 0.1 / (0.03 + rng.random(n_users)))
    favourites = np.argsort(-taste, axis=1, kind="stable")[:, : len(_SHARES) - 1].astype(np.int16)
    favourites = np.append(favourites, np.full((n_users, 1), _GROUPS, np.int16), axis=1)  # the last: any film
    popularity = 1.0 / (3.0 + 0.02 * n_items + rng.permutation(n_items))
    member_item, edges, bounds = _group_members(groups, popularity)

    keys = np.empty(0, dtype=np.int64)
    while len(keys) < n_ratings:  # pairs drawn twice are drawn again; popular films fill up, so rounds ask for more
        missing = n_ratings - len(keys)
        drawn = []
        for start in range(0, missing + missing // 4 + 16, _CHUNK):
            size = min(_CHUNK, missing + missing // 4 + 16 - start)
            users = np.searchsorted(activity, np.sort(rng.random(size)), side="right")
            group = favourites[users, np.searchsorted(_SHARES, rng.random(size), side="right")].astype(np.int64)
            at = np.searchsorted(edges, group + rng.random(size), side="right")
            empty = bounds[group] == bounds[group + 1]  # a group without films: take any film instead
            at = np.where(empty, bounds[_GROUPS] + rng.integers(0, n_items, size), at)
            items = member_item[np.minimum(at, bounds[np.where(empty, _GROUPS, group) + 1] - 1)]
            drawn.append(users * n_items + items)
        keys = np.sort(np.concatenate([keys, *drawn]))  # np.unique may hash, which is ten times slower here
        keys = keys[np.append(True, keys[1:] != keys[:-1])]
    keys = np.sort(rng.permutation(keys)[:n_ratings])
    return np.divmod(keys, n_items)


def _group_members(
    groups: NDArray[np.int64], popularity: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
    """List the films of each group, one group after another, and of one more group that holds all of them.

    Popularity is cumulated within each group, plus the number of the group: the film where ``g + u`` falls, with `u`
    uniform, is one of group `g` drawn by popularity. Returned are films, these edges, and where each group begins.
    """
    n_items = len(popularity)
    group = np.concatenate([groups[0], groups[1], np.full(n_items, _GROUPS)])
    item = np.tile(np.arange(n_items), 3)
    order = np.argsort(group, kind="stable")
    group, item = group[order], item[order]
    bounds = np.searchsorted(group, np.arange(_GROUPS + 2))
    total = np.concatenate(([0.0], np.cumsum(popularity[item])))
    low, high = total[bounds[group]], total[bounds[group + 1]]
    return item, group + (total[1:] - low) / (high - low), bounds


def _rate(
    rng: np.random.Generator,
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    groups: NDArray[np.int64],
    taste: NDArray[np.float32],
    n_items: int,
) -> NDArray[np.float32]:
    user_bias = 0.9 * _bell(rng, len(taste))
    item_bias = 0.9 * _bell(rng, n_items)
    ratings = np.empty(len(users), dtype=np.float32)
    for start in range(0, len(users), _CHUNK):
        part = slice(start, start + _CHUNK)
        user, item = users[part], items[part]
        liking = 0.5 * (taste[user, groups[0, item]].astype(float) + taste[user, groups[1, item]])
        value = 1.2 + user_bias[user] + item_bias[item] + 2.5 * liking + 1.1 * _bell(rng, len(user))
        ratings[part] = np.clip(np.rint(value), 1, 5)
    return ratings


def _bell(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Bell-shaped around 0, standard deviation ½, within ±1.5: the sum of three uniform draws."""
    return rng.random(size) + rng.random(size) + rng.random(size) - 1.5


def _cumulative(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.cumsum(weights)
    shares: NDArray[np.float64] = sums / sums[-1]
    return shares
