"""A minimum exposure: lists in which groups of items have at least a given share of the places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.metrics.beyond import popularity_groups
from aerec.reranking.base import Lists, Reranker, check_share, pick
from aerec.sparse import column_counts

_POPULARITY = np.array(["head", "middle", "tail"], dtype=object)


@dataclass(frozen=True)
class MinimumExposure(Reranker):
    r"""Give groups of items at least a share of the places: of the first n, ⌊share · n⌋ or more, for every n up to k.

    The best item is chosen unless a group would then miss its share, now or at a later place; then the best item of the
    groups that are short. Where a list has no more candidates of a group, the share is missed.

    Parameters
    ----------
    shares : mapping of label to float in [0, 1], default {"tail": 0.2}
        Group → share; 1 in sum at most.

    Notes
    -----
    ``rerank(…, features=labels)`` takes the groups as a Series or mapping from item id to label, such as the maker of
    each; items without a label are in no group. By default they are those of `popularity_labels` of `data`, whose
    ratings should then be those of everybody.

    References
    ----------
    Zehlike et al. (2017). FA*IR: a fair top-k ranking algorithm. CIKM.

    Examples
    --------
    >>> from aerec.baselines import Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.reranking import MinimumExposure, popularity_labels
    >>> data = load_dataset("sample")
    >>> candidates = Popularity().fit(data).recommend(data, k=300)
    >>> shown = MinimumExposure({"tail": 0.4}).rerank(candidates, data, k=5)
    >>> shown["item"].head(5).map(popularity_labels(data)).tolist()
    ['head', 'head', 'tail', 'head', 'tail']
    """

    shares: Mapping[Any, float] = field(default_factory=lambda: {"tail": 0.2})

    def __post_init__(self) -> None:
        if not isinstance(self.shares, Mapping):
            raise ValueError(f"shares maps groups to shares, such as {{'tail': 0.2}}, got {self.shares!r}")
        for label, share in self.shares.items():
            check_share(f"the share of {label!r}", share)
        if not self.shares or sum(self.shares.values()) > 1 + 1e-9:
            raise ValueError(f"shares must be of at least one group and at most 1 in sum, got {dict(self.shares)}")

    def _places(self, lists: Lists, k: int, features: Any) -> NDArray[np.int64]:
        groups = self._groups(lists.data, features)
        n_groups = len(self.shares)
        shares = np.array([*self.shares.values()], dtype=np.float64)
        needed = np.floor(shares * np.arange(1, k + 1)[:, None] + 1e-9)  # in the first n places; shape (k, n_groups)
        places = np.empty((len(lists.items), k), dtype=np.int64)
        for rows in lists.blocks(lists.items.shape[1] * (n_groups + 2) + k * (n_groups + 1)):
            left = lists.relevance[rows].copy()
            group = np.where(lists.items[rows] >= 0, groups[lists.items[rows]], n_groups)
            counts, here = np.zeros((len(rows), n_groups + 1)), np.arange(len(rows))
            for place in range(k):
                there = np.stack([((group == at) & (left > -np.inf)).any(axis=1) for at in range(n_groups)], axis=1)
                have = np.where(there, counts[:, :n_groups], np.inf)  # a group without items left gives up its share
                wanted = np.stack([_in_time(have, needed[place:], at) for at in range(n_groups + 1)], axis=1)
                allowed = np.take_along_axis(wanted, group, axis=1)
                chosen = pick(np.where(allowed, left, -np.inf))
                chosen = np.where(chosen >= 0, chosen, pick(left))
                places[rows, place] = chosen
                counts[here, np.where(chosen >= 0, group[here, chosen], n_groups)] += 1
                left[here, chosen] = -np.inf
        return places

    def _groups(self, data: Interactions, given: Any) -> NDArray[np.int64]:
        """Return the number of the group of each item; the number of groups where it is in none."""
        labels = popularity_labels(data) if given is None else pd.Series(given)
        if not labels.index.is_unique:
            raise DataError(f"item {labels.index[labels.index.duplicated()][0]!r} has two labels")
        order = pd.Index([*self.shares], dtype=object)
        labels = labels.reindex(data.items)
        if len(labels) and labels.isna().all():
            raise DataError("none of the labels is of an item of data; give labels by item id")
        if unknown := [label for label in order if label not in set(labels)]:
            raise DataError(
                f"no item is in the group {unknown[0]!r}; there are {sorted(map(str, set(labels.dropna())))[:10]}"
            )
        group_numbers = order.get_indexer(pd.Index(labels, dtype=object))
        return np.where(group_numbers < 0, len(order), group_numbers)


def popularity_labels(data: Interactions) -> pd.Series[Any]:
    """Return head, middle or tail for each item of `data`: the most rated items hold a third of the ratings, and so on.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.reranking import popularity_labels
    >>> popularity_labels(load_dataset("sample")).value_counts().to_dict()
    {'tail': 365, 'middle': 163, 'head': 72}
    """
    groups = popularity_groups(column_counts(data.matrix))
    return pd.Series(_POPULARITY[groups], index=data.items, name="popularity")


def _in_time(have: NDArray[np.float64], needed: NDArray[np.float64], group: int) -> NDArray[np.bool_]:
    """Say of which lists all groups can still have their shares if the next item is of `group`.

    `have` is how many items each group has, shape (n_lists, n_groups); `needed` how many it needs after the next place
    and after each later one, shape (n_places, n_groups).
    """
    after = have + (np.arange(needed.shape[1]) == group)
    short = np.maximum(needed - after[:, None, :], 0).sum(axis=2)
    in_time: NDArray[np.bool_] = (short <= np.arange(len(needed))).all(axis=1)
    return in_time
