"""describe_recommendations: what a model shows, beyond how often it is right."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.canonical import canonical_csr
from aerec.errors import DataError
from aerec.evaluation.evaluator import align_holdout
from aerec.id_kinds import refuse_other_kind
from aerec.ids import examples
from aerec.interactions import Interactions
from aerec.metrics.beyond import (
    activity_groups,
    calibration_at_k,
    genre_diversity_at_k,
    gini_at_k,
    novelty_at_k,
    popularity_groups,
)
from aerec.metrics.formulas import coverage, find_hits, measure_hits
from aerec.recommender.base import Recommender
from aerec.sparse import CSR, keep_values, take_rows
from aerec.splitting import Holdout

_ACTIVITY = ("low", "middle", "high")
_POPULARITY = ("head", "middle", "tail")
MEANINGS = {
    "novelty": "bits; the higher, the less known the items",
    "gini": "0: every item is shown equally often",
    "coverage": "share of the items that may be ranked that is shown",
    "genre_diversity": "1: no two items of a list share a genre",
    "calibration": "nats; 0: genres as in the history",
}
"""Metric → unit, and what its values mean."""


@dataclass(frozen=True, eq=False, repr=False)
class BeyondAccuracy:
    """What `describe_recommendations` found; its lists are those of the users who have a target, as in `evaluate`.

    Attributes
    ----------
    name : str
        Of the model.
    k : int
        Length of the lists.
    metrics : dict of str to float
        novelty@k, gini@k, coverage@k, genre_diversity@k and calibration@k, with the formulas of
        `aerec.metrics.beyond`; NaN where the data has no genres.
    n_measured : dict of str to int
        Over how many users each of these is taken; the rest have too few items with genres.
    by_activity : pandas.DataFrame
        A row per third of the users by the length of their history (low, middle, high): shortest and longest history,
        n_users, and their mean recall@k. Users with histories of equal length stay together; a third that is left
        empty by that has no row.
    by_popularity : pandas.DataFrame
        A row per group of items that holds a third of the training ratings (head, middle, tail): n_items, share_shown
        (of all that is recommended), n_users (who have a target in the group) and their mean recall@k of those
        targets alone: hits in the group / min(k, targets in the group).
    n_users : int
        Users evaluated.
    n_left_out : int
        Users of the holdout without a relevant item, who count nowhere.
    """

    name: str
    k: int
    metrics: dict[str, float]
    n_measured: dict[str, int]
    by_activity: pd.DataFrame
    by_popularity: pd.DataFrame
    n_users: int
    n_left_out: int

    def __getitem__(self, metric: str) -> float:
        return self.metrics[metric]

    def to_dict(self) -> dict[str, Any]:
        """Return everything in a form that JSON can hold (None for what is not defined)."""
        return {
            "name": self.name,
            "k": self.k,
            "n_users": self.n_users,
            "n_left_out": self.n_left_out,
            "metrics": {
                name: {"value": value if value == value else None, "n_users": self.n_measured[name]}
                for name, value in self.metrics.items()
            },
            "by_activity": _records(self.by_activity),
            "by_popularity": _records(self.by_popularity),
        }

    def __repr__(self) -> str:
        left_out = f", {self.n_left_out:,} without a relevant item left out" if self.n_left_out else ""
        lines = [f"{self.name}, beyond accuracy: {self.n_users:,} users{left_out}"]
        width = max(map(len, self.metrics))
        for metric, value in self.metrics.items():
            shown = f"{value:.4f}" if value == value else "     –"
            measured = self.n_measured[metric]
            of = f" ({measured:,} users)" if measured != self.n_users else ""
            lines.append(f"  {metric:<{width}}  {shown}  {MEANINGS[metric.partition('@')[0]]}{of}")
        for title, frame in (
            ("by length of the history", self.by_activity),
            ("by popularity of the target items, a third of the training ratings each", self.by_popularity),
        ):
            table = frame.rename_axis(None).to_string(float_format="{:.4f}".format, na_rep="–")
            lines += [f"  {title}", *(f"    {line}" for line in table.splitlines())]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        frames = (pd.Series(self.metrics, name="value").to_frame(), self.by_activity, self.by_popularity)
        tables = "".join(frame.to_html(float_format="{:.4f}".format) for frame in frames)
        return f"<p>{escape(self.name)}: {self.n_users:,} users, {self.n_left_out:,} left out</p>{tables}"


def describe_recommendations(
    model: Recommender, holdout: Holdout | tuple[Any, Any], train: Any, k: int = 20, *, name: str | None = None
) -> BeyondAccuracy:
    """Describe the lists of k that a fitted model recommends: how novel, diverse and calibrated, for whom, of what.

    Users are ranked in blocks; the users × items matrix is never made. Items of the history (and of
    ``holdout.exclude``) are left out of the lists. Users without a relevant item are left out and counted.

    Parameters
    ----------
    model : Recommender
        Fitted.
    holdout : Holdout, or (history, target)
        The two as Interactions, or as matrices of shape (n_users, n_items). Genres are those of the history, else
        those of `train`.
    train : Interactions or matrix of shape (n_training_users, n_items)
        What the model was trained on: it says how popular items are. Users without a rating do not count.
    k : int, default 20
    name : str, optional
        How the result calls the model; by default its class.

    Returns
    -------
    BeyondAccuracy

    Raises
    ------
    DataError
        If no user has a relevant item, `train` holds no ratings, or the columns of matrices do not fit.
    ValueError
        If `k` is below 1.

    References
    ----------
    Castells, Hurley, Vargas (2022). Novelty and diversity in recommender systems. Recommender Systems Handbook.

    Examples
    --------
    >>> from aerec.baselines import Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.evaluation import describe_recommendations
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample"))
    >>> measured = describe_recommendations(Popularity().fit(split.train), split.test, split.train, k=10)
    >>> list(measured.metrics)
    ['novelty@10', 'gini@10', 'coverage@10', 'genre_diversity@10', 'calibration@10']
    >>> measured.by_popularity["share_shown"].round(2).tolist()  # it shows what is popular
    [1.0, 0.0, 0.0]
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    holdout, by_id = align_holdout(model, holdout)
    rated = _training_ratings(train, holdout.history.items, getattr(model, "items_", None))
    evaluated = np.flatnonzero(np.diff(holdout.target.matrix.indptr))
    if evaluated.size == 0:
        raise DataError(f"none of the {holdout.n_users:,} users has a held-out item: there is nothing to measure")
    history = holdout.history if by_id else holdout.history.matrix
    ranking = model.rank(history, k, exclude=holdout.exclude, allow_items=holdout.candidates)[0][evaluated]
    seen, target = (take_rows(part.matrix, evaluated) for part in (holdout.history, holdout.target))
    n_items = target.shape[1]
    counts = np.bincount(rated.matrix.indices, minlength=n_items)
    genres = _genre_matrix(holdout.history.item_genres, rated.item_genres, n_items)
    per_user = {
        "novelty": novelty_at_k(ranking, counts, int(np.count_nonzero(np.diff(rated.matrix.indptr)))),
        "genre_diversity": genre_diversity_at_k(ranking, genres),
        "calibration": calibration_at_k(ranking, seen, genres),
    }
    exposed, n_rankable = _among_candidates(ranking, holdout, model.n_features_in_)
    of_all = {"gini": gini_at_k(exposed, n_rankable), "coverage": coverage(exposed, n_rankable)}
    means = {metric: _mean(values) for metric, values in per_user.items()} | of_all
    measured = {metric: int(np.count_nonzero(~np.isnan(values))) for metric, values in per_user.items()}
    return BeyondAccuracy(
        name or type(model).__name__,
        k,
        {f"{metric}@{k}": means[metric] for metric in MEANINGS},
        {f"{metric}@{k}": measured.get(metric, len(evaluated)) for metric in MEANINGS},
        _by_activity(ranking, seen, target, k),
        _by_popularity(ranking, counts, target, k),
        len(evaluated),
        holdout.n_users - len(evaluated),
    )


# ---------------------------------------------------------------------- what it is measured on


def _among_candidates(ranking: NDArray[Any], holdout: Holdout, n_items: int) -> tuple[NDArray[Any], int]:
    """Return the lists as places among the items that may be ranked, and how many these are."""
    if holdout.candidates is None:
        return ranking, n_items
    places = np.full(n_items + 1, -1)  # the last is that of −1
    places[holdout.history.items.get_indexer(holdout.candidates)] = np.arange(len(holdout.candidates))
    return places[ranking], len(holdout.candidates)


def _training_ratings(train: Any, items: pd.Index[Any], known: pd.Index[Any] | None) -> Interactions:
    """Return the training data over the columns `items`; a matrix has those of the model, whose ids are `known`."""
    if not isinstance(train, Interactions):
        columns = items if known is None else known
        matrix = canonical_csr(train)
        if matrix.shape[1] != len(columns):
            raise DataError(
                f"train has {matrix.shape[1]} columns, the model {len(columns)} items; pass what it was trained on"
            )
        train = Interactions.from_matrix(matrix, None, columns)
    if train.n_ratings == 0:
        raise DataError("train holds no ratings, so no item is popular or novel; pass what the model was trained on")
    refuse_other_kind(items, train.items, "items of the holdout")
    rated: Interactions = train.with_items(items)
    if rated.n_ratings == 0:
        raise DataError(
            f"train holds none of the items of the holdout: it has items such as {examples(train.items)}, the holdout "
            f"such as {examples(items)}"
        )
    return rated


def _genre_matrix(first: pd.Series[Any] | None, second: pd.Series[Any] | None, n_items: int) -> CSR:
    """Return which item has which genre, by the first of two sources that knows; shape (n_items, n_genres)."""
    each: pd.Series[Any] = pd.Series(dtype=object, index=pd.RangeIndex(0))
    for source in (first, second):
        if source is not None:
            exploded = source.reset_index(drop=True).explode().dropna()
            each = pd.concat([each, exploded[~exploded.index.isin(each.index)]])
    codes, names = pd.factorize(each)
    return canonical_csr(sp.coo_array((np.ones(len(each)), (each.index, codes)), shape=(n_items, len(names))))


# ---------------------------------------------------------------------- recall by group


def _by_activity(ranking: NDArray[np.int64], seen: CSR, target: CSR, k: int) -> pd.DataFrame:
    lengths = np.diff(seen.indptr).astype(np.int64)
    recall = measure_hits("recall", find_hits(ranking, target), np.diff(target.indptr))
    frame = pd.DataFrame({"activity": activity_groups(lengths), "length": lengths, "recall": recall})
    grouped = frame.groupby("activity")
    length = grouped["length"]
    columns = {"shortest": length.min(), "longest": length.max(), "n_users": length.size()}
    groups = pd.DataFrame({**columns, f"recall@{k}": grouped["recall"].mean()})
    return groups.rename(index=dict(enumerate(_ACTIVITY)))


def _by_popularity(ranking: NDArray[np.int64], counts: NDArray[Any], target: CSR, k: int) -> pd.DataFrame:
    groups = popularity_groups(counts)
    shown = groups[ranking[ranking >= 0]]
    rows = {}
    for group, label in enumerate(_POPULARITY):
        among = groups == group
        part, n_items = keep_values(target, among[target.indices]), int(np.count_nonzero(among))
        recall = measure_hits("recall", find_hits(ranking, part), np.diff(part.indptr))
        share = float(np.mean(shown == group)) if shown.size else float("nan")
        rows[label] = (n_items, share, int(np.count_nonzero(~np.isnan(recall))), _mean(recall))
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["n_items", "share_shown", "n_users", f"recall@{k}"])
    return frame.rename_axis("popularity")


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    named = frame.reset_index()
    names = [str(name) for name in named.columns]
    return [
        {name: value if value == value else None for name, value in zip(names, row, strict=True)}
        for row in named.itertuples(index=False)
    ]
