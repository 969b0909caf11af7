"""evaluate: a fitted model on a holdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from aerec.errors import DataError, warn_caller
from aerec.evaluation.bootstrap import Ratios
from aerec.evaluation.report import Report
from aerec.ids import examples
from aerec.interactions import Interactions
from aerec.metrics import (
    DEBIASED,
    METRICS,
    RATING_METRICS,
    find_hits,
    measure_hits,
    measure_users,
    parse_metric,
    popularity_propensities,
)
from aerec.metrics.formulas import GAINS, area_under_curve, coverage
from aerec.recommender.base import Recommender
from aerec.recommender.health import warn_of_one_list
from aerec.recommender.rating import PredictsRatings
from aerec.recommender.scorer import score_blocks
from aerec.sparse import column_counts, ones_in, row_ids, take_rows
from aerec.splitting import Holdout, Split

DEFAULT_METRICS = ("recall@20", "recall@50", "ndcg@100")


def evaluate(
    model: Recommender,
    holdout: Holdout | tuple[Any, Any],
    metrics: str | Sequence[str] = DEFAULT_METRICS,
    *,
    exclude_seen: bool = True,
    n_resamples: int = 1000,
    seed: int = 0,
    name: str | None = None,
    propensities: Interactions | pd.Series[Any] | ArrayLike | None = None,
) -> Report:
    r"""Measure how well a fitted model finds the targets of a holdout.

    Users are ranked in blocks; the users × items matrix is never made. Items of the history (and of
    ``holdout.exclude``) are left out of the ranking; where ``holdout.candidates`` are named, only these are ranked.
    Users without a relevant item are left out and counted.

    Parameters
    ----------
    model : Recommender
        Fitted. For "rmse" and "mae" one that has `predict`.
    holdout : Holdout, or (history, target)
        The two as Interactions, or as matrices of shape (n_users, n_items).
    metrics : str or sequence of str, default ("recall@20", "recall@50", "ndcg@100")
        Any of recall, plain_recall, precision, ndcg, graded_ndcg, exponential_ndcg, map, mrr, hit_rate, coverage,
        user_coverage, snips_recall, snips_ndcg with "@k"; auc; rmse; mae. recall@k divides by min(k, \|target\|),
        plain_recall@k by \|target\|.
    exclude_seen : bool, default True
        Leave the items of the history out of the ranking.
    n_resamples : int, default 1000
        Of the bootstrap over users that gives the 95 % intervals. Where fewer than ten users have a value other than 0,
        or other than 1, the interval is Wilson's.
    seed : int, default 0
        Of the bootstrap.
    name : str, optional
        How the report calls the model; by default its class.
    propensities : Interactions, Series or array-like of shape (n_items,), optional
        For snips_recall and snips_ndcg: the chance of each item to be in the target of a user to whom it is relevant,
        by item id, or in the order of the holdout's items. Of training data it is `popularity_propensities`; by default
        that of the histories of the holdout, which are the training data where no users are held out.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        If no user has a relevant item, a metric of ratings is asked of a model that does not predict them, ids are of
        another type than in training, or none of the items was in it; if there is not one propensity for each item.
    ValueError
        If a metric is unknown.
    TypeError
        If `holdout` is something else, such as a whole `Split`.

    Warns
    -----
    UserWarning
        If held-out ratings can never be found, because they are in the history too or the model was not trained on most
        of their items; if most users have no history; if the model learns something of each user and knows none of
        these; if it gives all candidates of a user the same score, as new items that it knows nothing of.

    Examples
    --------
    >>> from aerec import evaluate
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import EASE
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample"))
    >>> report = evaluate(EASE(l2=100.0).fit(split.train), split.test, metrics=["recall@20"])
    >>> list(report.per_user.columns)
    ['recall@20']
    """
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    if not names:
        raise ValueError("metrics is empty; name at least one, such as 'recall@20'")
    parsed = {metric: parse_metric(metric) for metric in names}
    given = holdout
    holdout, by_id = align_holdout(model, given)
    counts = np.diff(holdout.target.matrix.indptr)
    evaluated = np.flatnonzero(counts)
    if evaluated.size == 0:
        raise DataError(
            f"none of the {holdout.n_users:,} users has a held-out item: there is nothing to measure; "
            "to hold one out takes two ratings of a user"
        )
    _warn_of_what_cannot_be_found(model, holdout, evaluated, exclude_seen)
    table = Ratios(len(evaluated))
    rated = [metric for metric in names if metric in RATING_METRICS]
    if rated:
        if not by_id and getattr(model, "items_", None) is not None:
            raise DataError(
                f"{type(model).__name__} knows users by the ids it was fitted on, which matrices do not have: "
                "for rmse and mae give the holdout as Interactions"
            )
        errors = _errors(model, holdout)
        users = np.cumsum(counts > 0)[row_ids(holdout.target.matrix)] - 1
        for metric in rated:
            size = np.square(errors) if metric == "rmse" else np.abs(errors)
            table.add_ratio(
                metric,
                np.bincount(users, size).astype(np.float64),
                counts[evaluated].astype(np.float64),
                root=metric == "rmse",
            )
    if "auc" in names:
        table.add("auc", _auc(model, holdout, by_id, evaluated, exclude_seen))
    if ranked := [metric for metric in names if parsed[metric][1]]:
        deepest = max(parsed[metric][1] for metric in ranked)
        history = holdout.history if by_id else holdout.history.matrix
        ranked_users = model.block_of(history, exclude_seen, exclude=holdout.exclude, allow_items=holdout.candidates)
        ranking, scores = model.scorer_.rank(ranked_users, deepest)
        if holdout.candidates is not None:
            _warn_of_ties(model, scores[evaluated])
        if by_id:
            warn_of_one_list(model, ranked_users)
        graded = [metric for metric in ranked if parsed[metric][0] in GAINS]
        if graded and holdout.target.is_implicit:
            warn_caller(f"all held-out ratings are 1: {graded[0]} has no grades to count and is plain ndcg")
        n_rankable = model.n_features_in_ if holdout.candidates is None else len(holdout.candidates)
        hits = find_hits(ranking, holdout.target.matrix)[evaluated]
        for metric in ranked:
            base, k = parsed[metric]
            if base in DEBIASED:
                chances = _aligned_propensities(propensities, _items_of(given), holdout)
                values = DEBIASED[base](ranking[:, :k], holdout.target.matrix, chances)[evaluated]
                table.add_ratio(metric, values, np.ones(len(evaluated)), root=False)  # some may be above 1
            elif base == "coverage":
                table.add_constant(metric, coverage(ranking[evaluated, :k], n_rankable))
            elif base not in METRICS:
                table.add(metric, measure_users(base, ranking[:, :k], holdout.target.matrix)[evaluated])
            else:
                table.add(metric, measure_hits(base, hits[:, :k], counts[evaluated]))
    mean, interval, per_user = table.summary(names, n_resamples, seed)
    frame = pd.DataFrame(per_user, index=holdout.history.users.take(evaluated))
    return Report(name or type(model).__name__, mean, interval, frame, len(evaluated), holdout.n_users - len(evaluated))


def align_holdout(model: Recommender, holdout: Holdout | tuple[Any, Any]) -> tuple[Holdout, bool]:
    """Return the holdout with the columns of the model, so that its rankings and the target name the same items.

    Items that the model does not know follow after its own. The second value says whether the holdout came with ids;
    the columns of matrices are those of the model already.
    """
    if isinstance(holdout, Split):
        raise TypeError("a model is evaluated on a part of a split, not on all of it: give split.test")
    if not isinstance(holdout, Holdout) and not (isinstance(holdout, tuple | list) and len(holdout) == 2):
        raise TypeError(
            f"a model is evaluated on a Holdout or a pair (history, target), got {type(holdout).__name__}; "
            "Split.from_parts(train, test).test makes one of what it was trained on and what was held out"
        )
    by_id = isinstance(holdout, Holdout) or isinstance(holdout[0], Interactions)
    for part in () if isinstance(holdout, Holdout) else holdout:
        model.ids_.check_columns(part)
    items = getattr(model, "items_", None)
    if not isinstance(holdout, Holdout):
        history, target = (
            given if isinstance(given, Interactions) else Interactions.from_matrix(given, None, items)
            for given in holdout
        )
        holdout = Holdout(history, target)
    return (model.ids_.aligned(holdout) if by_id else holdout), by_id


def _items_of(holdout: Any) -> pd.Index[Any] | None:
    """Return the items of a holdout as it was given; None of matrices."""
    is_pair = isinstance(holdout, tuple | list) and len(holdout) == 2
    history = holdout[0] if is_pair else getattr(holdout, "history", None)
    return history.items if isinstance(history, Interactions) else None


def _aligned_propensities(
    given: Interactions | pd.Series[Any] | ArrayLike | None, given_items: pd.Index[Any] | None, holdout: Holdout
) -> NDArray[np.float64]:
    """Return a propensity for each column of the aligned holdout; the least for an item that has none."""
    items = holdout.history.items
    if given is None:
        return popularity_propensities(column_counts(holdout.history.matrix))
    if isinstance(given, Interactions):
        given = popularity_propensities(given)
    if not isinstance(given, pd.Series):
        columns, values = items if given_items is None else given_items, np.asarray(given, dtype=np.float64)
        if values.shape != (len(columns),):
            raise DataError(f"{values.shape} propensities for {len(columns):,} items: expected one for each")
        given = pd.Series(values, index=columns)
    if not given.index.isin(items).any():
        raise DataError("propensities are of none of the items of the holdout: both go by the same ids")
    return np.asarray(given.reindex(items).fillna(given.min()), dtype=np.float64)


def _warn_of_what_cannot_be_found(
    model: Recommender, holdout: Holdout, evaluated: NDArray[np.int64], exclude_seen: bool
) -> None:
    """Warn of targets that are left out of the ranking, of users without a history, and of strangers."""
    target = holdout.target.matrix
    is_target = ones_in(target, bool)
    left_out = [holdout.history] if exclude_seen else []
    left_out += [] if holdout.exclude is None else [holdout.exclude]
    both = sum(int(ones_in(part.matrix, bool).multiply(is_target).nnz) for part in left_out)
    if both:
        warn_caller(
            f"{both:,} of {target.nnz:,} held-out ratings are also in the history (or in exclude), which is left out "
            "of the ranking: they can never be found; hold out other ratings, or pass exclude_seen=False"
        )
    users = holdout.history.users.take(evaluated)
    known = None if model.users_ is None else model.users_
    is_known = np.zeros(len(users), dtype=bool) if known is None else users.isin(known)
    without = (np.diff(holdout.history.matrix.indptr)[evaluated] == 0) & ~is_known
    if (n_without := np.count_nonzero(without)) > len(users) / 2:
        with_history = holdout.history.users[np.flatnonzero(np.diff(holdout.history.matrix.indptr))]
        warn_caller(
            f"{n_without:,} of {len(users):,} evaluated users have no history, such as {examples(users[without])}: "
            "their lists are all the same. A split by time leaves such users; where there was none, history and target "
            f"may not go by the same ids (those with a history are such as {examples(with_history)})"
        )
    elif known is not None and not is_known.any():
        warn_caller(
            f"none of the {len(users):,} evaluated users, such as {examples(users)}, is among those that "
            f"{type(model).__name__} was trained on, such as {examples(known)}: it knows them by their history alone"
        )


def _warn_of_ties(model: Recommender, scores: NDArray[np.float32]) -> None:
    """Warn where a model tells the candidates of most users not apart, as new items that it has learned nothing of."""
    several = np.isfinite(scores).sum(axis=1) > 1
    tied = several & (np.where(np.isfinite(scores), scores, scores[:, :1]) == scores[:, :1]).all(axis=1)
    if (n_tied := np.count_nonzero(tied)) > several.sum() / 2:
        warn_caller(
            f"{type(model).__name__} gives all ranked candidates of {n_tied:,} of {len(scores):,} users the same "
            "score: it knows nothing of them, and what is measured is the order of their ids; add_items learns new "
            "items by their features"
        )


def _auc(
    model: Recommender, holdout: Holdout, by_id: bool, evaluated: NDArray[np.int64], exclude_seen: bool
) -> NDArray[np.float64]:
    """Return the area under the curve of each evaluated user, of whom all items are ranked, some users at a time."""
    history, exclude = holdout.history, holdout.exclude
    if by_id and model.items_ is not None:
        history = history.with_items(model.items_)
    values = np.empty(len(evaluated))
    for block in score_blocks(len(evaluated), 8 * model.n_features_in_):
        rows = evaluated[block]
        users = history.take_users(rows)
        ranking, scores = model.rank(
            users if by_id else users.matrix,
            model.n_features_in_,
            exclude_seen,
            exclude=None if exclude is None else exclude.take_users(rows),
            allow_items=holdout.candidates,
        )
        values[block] = area_under_curve(ranking, scores, take_rows(holdout.target.matrix, rows))
    return np.where(np.isnan(values), 1.0, values)  # nothing but relevant items: none stands above them


def _errors(model: Recommender, holdout: Holdout) -> NDArray[np.float64]:
    """Return predicted − actual of each held-out rating."""
    if not isinstance(model, PredictsRatings):
        raise DataError(
            f"{type(model).__name__} ranks items and does not predict ratings: rmse and mae need a model with predict, "
            "such as AutoRec or BiasedMF"
        )
    pairs = holdout.target.to_frame()
    predicted: NDArray[np.float64] = np.asarray(model.predict(pairs["user"], pairs["item"]), dtype=np.float64)
    actual: NDArray[np.float64] = pairs["rating"].to_numpy(np.float64)
    return np.subtract(predicted, actual)
