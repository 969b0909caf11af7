"""How much of a data set is left after preparation: the line that says so, and what to type if it is too little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.data_summary import look_like_counts
from aerec.errors import plural
from aerec.interactions import Interactions

_COUNTED = ("ratings", "users", "items")
_HUNDRED = 100.0  # ratings end there at most; what goes further may be counts
_FEWEST_LIKED = 0.1  # share of the ratings that are to be likes by a threshold that is proposed
_FEW_BEYOND = 0.01  # share of the ratings above a scale that are taken for none
_STARS = 5.0  # the highest rating of the scale that the default threshold, 4, is meant for


@dataclass(frozen=True)
class Kept:
    """How much is left after preparation, each as (kept, before); `str` gives the line for people.

    Attributes
    ----------
    ratings, users, items : (int, int)
    threshold : float or None
    min_per_user, min_per_item : int
        What was asked for.
    """

    ratings: tuple[int, int]
    users: tuple[int, int]
    items: tuple[int, int]
    threshold: float | None
    min_per_user: int
    min_per_item: int

    @classmethod
    def of(
        cls,
        given: Mapping[str, Interactions],
        parts: Mapping[str, Interactions],
        threshold: float | None,
        min_per_user: int,
        min_per_item: int,
    ) -> Kept:
        """Compare data before and after."""
        (ratings, users, items), before = _counts(parts), _counts(given)
        return cls((ratings, before[0]), (users, before[1]), (items, before[2]), threshold, min_per_user, min_per_item)

    def __str__(self) -> str:
        liked = self.threshold is not None
        limit = f" (≥ {self.threshold:g})" if liked else ""
        least = "like" if liked else "rating"
        text = f"kept {_share(self.ratings)} ratings{limit} and {_share(self.users)} users"
        if self.users[0] < self.users[1]:
            text += f" (≥ {plural(self.min_per_user, least)})"
        if self.items[0] < self.items[1]:
            text += f", {_share(self.items)} items"
            text += f" (≥ {plural(self.min_per_item, least)})" if self.min_per_item > 1 else ""
        return text

    def describe(self) -> dict[str, Any]:
        """Return the counts for machines."""
        return {name: dict(zip(("kept", "of"), getattr(self, name), strict=True)) for name in _COUNTED}


def advice(given: Mapping[str, Interactions], kept: Kept) -> str | None:
    """Return what to type where the options do not seem to suit the data; None where they do."""
    low, high = value_range(given)
    if kept.threshold is not None and (beyond := _beyond_stars(_largest(given))):
        return (
            f"all but {beyond:,} of {kept.ratings[1]:,} ratings are at most {_STARS:g}, and the highest is "
            f"{high:,.6g}: are these totals or mistakes? Leave their lines out"
        )
    if kept.threshold is not None and look_like_counts(_largest(given)):
        return (
            f"the ratings look like counts ({low:g} to {high:,.0f}), of which --threshold {kept.threshold:g} kept "
            f"{_percent(kept.ratings)}: --implicit counts every row once; --counts takes log(1 + count), often worse"
        )
    if kept.threshold is not None and high > _STARS and kept.threshold == _STARS - 1:
        return (
            f"the ratings run from {low:g} to {high:g}, and --threshold {kept.threshold:g} counts "
            f"{_percent(_liked(given, kept.threshold))} of them as likes: {_threshold_advice(given)}"
            + (", --implicit is for counts" if high > _HUNDRED else "")
        )
    if 2 * kept.ratings[0] < kept.ratings[1]:
        causes = [f"--threshold {kept.threshold:g}"] if kept.threshold is not None else []
        causes += [f"--min-per-user {kept.min_per_user}"] if kept.min_per_user > 1 else []
        causes += [f"--min-per-item {kept.min_per_item}"] if kept.min_per_item > 1 else []
        implicit = ", or --implicit to count every row as a like" if kept.threshold is not None else ""
        return f"more than half of the ratings were left out by {' and '.join(causes)}: lower it to keep more{implicit}"
    if 2 * kept.users[0] < kept.users[1]:
        return (
            f"more than half of the users were left out by --min-per-user {kept.min_per_user}: "
            "--min-per-user 1 keeps all who like anything"
        )
    return None


def nothing_left(source: str, given: Mapping[str, Interactions], kept: Kept) -> str:
    """Return why no rating of `source` is left, and what to type."""
    low, high = value_range(given)
    if kept.threshold is not None and not kept.threshold <= high:
        return (
            f"no rating of {source} is left: they run from {low:g} to {high:g}, all below --threshold "
            f"{kept.threshold:g}; {_threshold_advice(given)}, and --implicit counts every row as a like"
        )
    rules = {"threshold": kept.threshold, "min-per-user": kept.min_per_user, "min-per-item": kept.min_per_item}
    options = ", ".join(f"--{name} {value:g}" for name, value in rules.items() if value is not None)
    return f"no rating of {source} is left with {options}; lower them"


def value_range(parts: Mapping[str, Interactions]) -> tuple[float, float]:
    """Return the lowest and the highest rating; 1 and 1 where there is none."""
    values = [part.matrix.data for part in parts.values() if part.n_ratings]
    lows, highs = [float(part.min()) for part in values], [float(part.max()) for part in values]
    return min(lows, default=1.0), max(highs, default=1.0)


def _counts(parts: Mapping[str, Interactions]) -> tuple[int, int, int]:
    first = next(iter(parts.values()))
    return sum(part.n_ratings for part in parts.values()), *first.shape


def _largest(parts: Mapping[str, Interactions]) -> NDArray[Any]:
    """Return the ratings of the largest part."""
    return max(parts.values(), key=lambda part: part.n_ratings).matrix.data


def _beyond_stars(values: NDArray[Any]) -> int:
    """Return how many numbers are beyond a scale of stars that nearly all keep to; 0 where there is no such scale."""
    beyond = int(np.count_nonzero(values > _STARS))
    few = 0 < beyond < _FEW_BEYOND * len(values) and values.max() > 2 * _STARS
    return beyond if few and 2 * np.median(values) > _STARS else 0  # of counts most are small


def _liked(parts: Mapping[str, Interactions], threshold: float) -> tuple[int, int]:
    """Return how many ratings are likes, and how many there are."""
    values = [part.matrix.data for part in parts.values()]
    return sum(int(np.count_nonzero(part >= threshold)) for part in values), sum(map(len, values))


def _threshold_advice(parts: Mapping[str, Interactions]) -> str:
    """Return a threshold in words: four fifths of the highest rating, or the median where next to none reach that."""
    low, high = value_range(parts)
    usual = float(f"{low + 0.75 * (high - low) if low < 0 else 0.8 * high:.2g}")  # of 1 to 5 both are 4
    liked, total = _liked(parts, usual)
    if liked >= _FEWEST_LIKED * total:
        return f"--threshold {usual:g} is what 4 is of 5"
    values = np.concatenate([part.matrix.data for part in parts.values()])
    middle = float(np.median(values))
    if middle == values.min():
        middle = float(values[values > middle].min())
    return f"--threshold {middle:g} keeps {_percent(_liked(parts, middle))}"


def _share(counts: tuple[int, int]) -> str:
    kept, total = counts
    return f"all {total:,}" if kept == total else f"{kept:,} of {total:,}"


def _percent(counts: tuple[int, int]) -> str:
    return f"{100 * counts[0] / max(counts[1], 1):.3g} %"
