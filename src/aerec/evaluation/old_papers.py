"""Protocols that are here to compare with papers that used them, and for nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.evaluation.bootstrap import bootstrap_sums, mean_interval
from aerec.evaluation.evaluator import align_holdout
from aerec.evaluation.report import Report
from aerec.metrics.formulas import METRICS, measure_hits
from aerec.metrics.named import parse_metric
from aerec.parameters import check_whole
from aerec.recommender.base import Recommender
from aerec.recommender.scorer import score_blocks
from aerec.sparse import row_ids
from aerec.splitting import Holdout


def evaluate_on_sampled_negatives_as_in_old_papers(
    model: Recommender,
    holdout: Holdout | tuple[Any, Any],
    metrics: str | Sequence[str] = ("hit_rate@10", "ndcg@10"),
    *,
    n_negatives: int = 99,
    n_resamples: int = 1000,
    seed: int = 0,
    name: str | None = None,
) -> Report:
    """Rank each held-out item among `n_negatives` random items, as NCF and many papers after it did.

    To compare with their figures only. Such a metric is not an estimate of the one over all items, and may put models
    in another order (Krichene, Rendle 2020): an item that stands among the best 1 % by chance is almost always first
    of a hundred. Choose and report models by `evaluate`.

    Parameters
    ----------
    model : Recommender
    holdout : Holdout, or (history, target)
        As in `evaluate`; with `LeaveLastOut` it is the protocol of the papers. Each held-out item is a case of its own;
        a user's value is the mean over those of the user.
    metrics : str or sequence of str, default ("hit_rate@10", "ndcg@10")
        Of recall, plain_recall, precision, ndcg, map, mrr, hit_rate, with "@k".
    n_negatives : int, default 99
        Drawn for each held-out item without replacement, each as likely, from the items that are neither in the history
        (or in ``holdout.exclude``) nor in the target of the user.
    n_resamples, seed, name
        As in `evaluate`; the seed is that of the negatives as well.

    Returns
    -------
    Report
        Its metrics are called as here: ``"hit_rate@10 of 1 + 99"``.

    Raises
    ------
    DataError
        If nobody has a held-out item, or a user has fewer than `n_negatives` items that could be drawn.
    ValueError
        If a metric is none of those.

    References
    ----------
    He, Liao, Zhang, Nie, Hu, Chua (2017). Neural collaborative filtering. WWW.
    Krichene, Rendle (2020). On sampled metrics for item recommendation. KDD.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.evaluation import evaluate_on_sampled_negatives_as_in_old_papers
    >>> from aerec.models import EASE
    >>> from aerec.splitting import LeaveLastOut
    >>> split = LeaveLastOut(seed=0).split(load_dataset("sample").binarize(4.0).filter())
    >>> model = EASE().fit(split.train)
    >>> report = evaluate_on_sampled_negatives_as_in_old_papers(model, split.test)
    >>> list(report.mean)
    ['hit_rate@10 of 1 + 99', 'ndcg@10 of 1 + 99']
    """
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    parsed = {metric: parse_metric(metric) for metric in names}
    of_lists = [base for base in METRICS if base != "coverage"]
    if wrong := [metric for metric, (base, _) in parsed.items() if base not in of_lists]:
        known = ", ".join(f"{base}@k" for base in of_lists)
        raise ValueError(f"{wrong[0]} cannot be measured on sampled negatives; choose among {known}")
    check_whole("n_negatives", n_negatives, 1)
    holdout, by_id = align_holdout(model, holdout)
    counts = np.diff(holdout.target.matrix.indptr)
    evaluated = np.flatnonzero(counts)
    if evaluated.size == 0:
        raise DataError(f"none of the {holdout.n_users:,} users has a held-out item: there is nothing to measure")
    places = _places(model, holdout, by_id, evaluated, int(n_negatives), np.random.default_rng(seed))
    users = np.repeat(np.arange(len(evaluated)), counts[evaluated])
    per_user = {}
    for metric, (base, k) in parsed.items():
        hits = places[:, None] == np.arange(min(k, n_negatives + 1))
        values = measure_hits(base, hits, np.ones(len(places), dtype=np.int64))
        per_user[f"{metric} of 1 + {n_negatives}"] = np.bincount(users, values) / counts[evaluated]
    frame = pd.DataFrame(per_user, index=holdout.history.users.take(evaluated))
    means = bootstrap_sums(frame.to_numpy(), n_resamples, seed) / len(frame)
    interval = {
        metric: mean_interval(frame[metric].to_numpy(), means[:, at]) for at, metric in enumerate(frame.columns)
    }
    mean = {str(metric): float(value) for metric, value in frame.mean().items()}
    n_without = holdout.n_users - len(evaluated)
    return Report(name or type(model).__name__, mean, interval, frame, len(evaluated), n_without)


def _places(
    model: Recommender,
    holdout: Holdout,
    by_id: bool,
    evaluated: NDArray[np.int64],
    n_negatives: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return how many of its negatives stand before each held-out item, user after user.

    Among negatives of the same score each place is as likely. Items that the model does not know stand last.
    """
    n_known = model.n_features_in_
    parts = [holdout.history, holdout.target, *([] if holdout.exclude is None else [holdout.exclude])]
    places = []
    for block in score_blocks(len(evaluated), 4 * holdout.history.n_items):
        rows = evaluated[block]
        own = [part.take_users(rows).matrix for part in parts]
        history = holdout.history.take_users(rows)
        scores = np.full(own[0].shape, -np.inf, dtype=np.float32)
        scores[:, :n_known] = model.score_items(history if by_id else history.matrix)
        drawn_from = np.ones(scores.shape, dtype=bool)
        drawn_from[:, n_known:] = False
        for matrix in own:
            drawn_from[row_ids(matrix), matrix.indices] = False
        if (few := drawn_from.sum(axis=1) < n_negatives).any():
            user = holdout.history.users[rows[int(np.argmax(few))]]
            raise DataError(
                f"user {user} has {drawn_from[few][0].sum():,} items to draw {n_negatives} negatives from: choose fewer"
            )
        of_user, wanted = row_ids(own[1]), own[1].indices
        for cases in score_blocks(len(wanted), 4 * scores.shape[1]):
            lottery = rng.random((len(cases), scores.shape[1]), dtype=np.float32)
            lottery[~drawn_from[of_user[cases]]] = 2
            negatives = np.argpartition(lottery, n_negatives - 1, axis=1)[:, :n_negatives]
            others = scores[of_user[cases, None], negatives]
            own_scores = scores[of_user[cases], wanted[cases]][:, None]
            equal = np.count_nonzero(others == own_scores, axis=1)
            places.append(np.count_nonzero(others > own_scores, axis=1) + rng.integers(equal + 1))
    return np.concatenate(places)
