"""What a data set holds, on one screen: counts, ratings, times, what was left out on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.display.notebook import html_table
from aerec.errors import warn_caller
from aerec.sparse import column_counts
from aerec.times import dates_of_seconds

_QUANTILES = {"min": 0.0, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "max": 1.0}
_SHOWN = 12  # different ratings that are shown with their counts
_LOOKED_AT = 1_000_000  # most values that are looked at
_OFTEN = 20, 0.01  # a mark for "not rated" stands so many times, and in such a share of the rows, or more
_HIGHEST_SCALE = 10.0  # Scales of ratings end here: five stars in halves, ten points
_EPOCH = 3e8, 5e9  # seconds since 1970 of the years from 1979 to 2128


@dataclass(frozen=True, repr=False)
class DataSummary:
    """Counts and distributions of an `Interactions`; printed, it is a table.

    Attributes
    ----------
    n_users, n_items, n_ratings : int
    density : float
        Share of the user-item pairs that have a rating.
    ratings_per_user, ratings_per_item : dict of str to float
        The quantiles min, 25 %, median, 75 % and max, and the mean.
    ratings : dict of str to float
        The same of the values.
    rating_counts : dict of float to int
        How often each value was given; empty where there are more than 12 different ones.
    users_without, items_without : int
        Users and items that have no rating.
    first, last : Timestamp, float, int or None
        The first and the last time.
    n_names, n_genres, n_features : int
        Items that have a name, items that have genres, features of items.
    notes : tuple of str
        What `binarize`, `filter` and `concat` kept.
    weights : dict of str to float
        The quantiles of the weights; empty where there are none.
    """

    n_users: int
    n_items: int
    n_ratings: int
    density: float
    ratings_per_user: dict[str, float]
    ratings_per_item: dict[str, float]
    ratings: dict[str, float]
    rating_counts: dict[float, int]
    users_without: int
    items_without: int
    first: Any
    last: Any
    n_names: int
    n_genres: int
    n_features: int
    notes: tuple[str, ...]
    weights: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Any) -> DataSummary:
        """Return the summary of an `Interactions`."""
        per_user, per_item = np.diff(data.matrix.indptr), column_counts(data.matrix)
        ends: list[Any] = [None, None]
        if data.timestamps is not None and data.timestamps.size:
            extremes = np.array([data.timestamps.min(), data.timestamps.max()])
            dtype = data.timestamp_dtype
            ends = extremes.tolist() if dtype is None else list(dates_of_seconds(extremes, dtype))
        return cls(
            n_users=data.shape[0],
            n_items=data.shape[1],
            n_ratings=data.n_ratings,
            density=data.density,
            ratings_per_user=quantiles(per_user),
            ratings_per_item=quantiles(per_item),
            ratings=quantiles(data.matrix.data),
            rating_counts=value_counts(data.matrix.data),
            users_without=int(np.count_nonzero(per_user == 0)),
            items_without=int(np.count_nonzero(per_item == 0)),
            first=ends[0],
            last=ends[1],
            n_names=0 if data.item_names is None else int(data.item_names.astype(bool).sum()),
            n_genres=0 if data.item_genres is None else int(data.item_genres.astype(bool).sum()),
            n_features=0 if data.feature_names is None else len(data.feature_names),
            weights={} if data.weights is None else quantiles(data.weights),
            notes=data.notes,
        )

    def rows(self) -> list[tuple[str, str]]:
        """Return what is shown: a name and a text each."""
        rows = [
            ("users", f"{self.n_users:,}{_without(self.users_without)}"),
            ("items", f"{self.n_items:,}{_without(self.items_without)}"),
            ("ratings", f"{self.n_ratings:,}"),
            ("density", f"{100 * self.density:.3g} %"),
            ("per user", _shown(self.ratings_per_user)),
            ("per item", _shown(self.ratings_per_item)),
        ]
        if len(self.rating_counts) == 1:
            rows.append(("values", f"all {next(iter(self.rating_counts)):g}"))
        elif self.rating_counts:
            counts = (f"{value:g}: {100 * count / self.n_ratings:.3g} %" for value, count in self.rating_counts.items())
            rows.append(("values", ", ".join(counts)))
        elif self.n_ratings:
            rows.append(("values", _shown(self.ratings)))
        if self.weights:
            rows.append(("weights", _shown(self.weights)))
        if self.first is not None:
            rows.append(("times", f"{_moment(self.first)} to {_moment(self.last)}"))
        for name, count in (("names", self.n_names), ("genres", self.n_genres)):
            if count:
                rows.append((name, f"of {count:,} items"))
        if self.n_features:
            rows.append(("features", f"{self.n_features:,}"))
        return [*rows, *(("note", note) for note in self.notes)]

    def __repr__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)

    def _repr_html_(self) -> str:
        return html_table("Interactions", (), self.rows())


def quantiles(values: NDArray[Any]) -> dict[str, float]:
    """Return min, quartiles, max and mean of `values`; nothing of none."""
    if values.size == 0:
        return {}
    levels = np.quantile(values, list(_QUANTILES.values()))
    return {
        **{name: float(value) for name, value in zip(_QUANTILES, levels, strict=True)},
        "mean": float(values.mean()),
    }


def value_counts(values: NDArray[Any]) -> dict[float, int]:
    """Return how often each of the different `values` stands there; nothing where there are too many to show."""
    different, counts = np.unique(values, return_counts=True)
    if len(different) > _SHOWN:
        return {}
    return {float(value): int(count) for value, count in zip(different, counts, strict=True)}


def mark_of_unrated(values: NDArray[Any]) -> tuple[float, int] | None:
    """Return a value that looks like a mark for "not rated", such as −1 or 99, and how often it stands; None without.

    Such a mark is −1 where the others go from 1 or more, or a number of nines, such as 99 or −999, that is farther from
    the others than these are from each other; and it stands often.
    """
    looked_at = values[:_LOOKED_AT]
    for extreme in (np.min, np.max) if looked_at.size else ():
        mark = float(extreme(looked_at))
        nines = re.fullmatch(r"-9+|99+", f"{mark:g}") is not None
        if not nines and mark != -1:
            continue
        others = looked_at[looked_at != mark]
        if looked_at.size - others.size < max(_OFTEN[0], _OFTEN[1] * looked_at.size) or not others.size:
            continue
        width, gap = float(np.ptp(others)), abs(float(extreme(others)) - mark)
        if (nines and gap > width > 0) or (mark == -1 and others.min() >= 1 and width > 1):
            return mark, int(np.count_nonzero(values == mark))
    return None


def warn_of_marks(values: NDArray[Any]) -> None:
    """Warn of ratings that look like marks for "not rated"."""
    if found := mark_of_unrated(values):
        mark, number = found
        message = f"{number:,} ratings are {mark:g}, far from all others: if that stands for 'not rated', "
        warn_caller(f"{message}leave these rows out")


def look_like_counts(values: NDArray[Any]) -> bool:
    """Whether values are whole, small ones the most common, and the largest far beyond a scale of ratings."""
    if values.size == 0 or values.max() <= _HIGHEST_SCALE or values.min() < 1:
        return False
    sample = values[:: max(1, len(values) // _LOOKED_AT)]
    return bool((sample == np.floor(sample)).all()) and float(np.median(sample)) <= float(values.max()) / 4


def why_so_few(values: NDArray[Any], threshold: float) -> str:
    """Say what may be wrong with a threshold that few of `values` reach."""
    low, median, high = (float(value) for value in (values.min(), np.median(values), values.max()))
    if low == high:
        return f"every rating is {low:g}, which is what implicit feedback looks like; it needs no threshold"
    if high < threshold:
        return f"the highest rating is {high:g}; choose a lower threshold"
    if look_like_counts(values):
        return (
            f"the values look like counts, from {low:g} to {high:g} with median {median:g}; binarize(1) takes each as "
            "a like"
        )
    return f"ratings go from {low:g} to {high:g} with median {median:g}; choose a lower threshold if that is too few"


def _without(count: int) -> str:
    return f" ({count:,} of them without a rating)" if count else ""


def _shown(quantiles_of: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:,.4g}" for name, value in quantiles_of.items()) or "none"


def _moment(moment: Any) -> str:
    if not isinstance(moment, pd.Timestamp):
        if not _EPOCH[0] <= moment <= _EPOCH[1]:
            return f"{moment}"
        moment = pd.Timestamp(moment, unit="s")
    return f"{moment:%Y-%m-%d %H:%M}"
