"""describe_model: what a report shows of one model beside its metrics, as plain data that JSON can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.evaluation import describe_recommendations
from aerec.evaluation.evaluator import align_holdout
from aerec.interactions import Interactions
from aerec.metrics import calibration_at_k, genre_diversity_at_k, ndcg_at_k
from aerec.metrics.beyond import activity_groups, popularity_groups
from aerec.metrics.formulas import find_hits, measure_hits
from aerec.models import Autoencoder
from aerec.recommender.base import Recommender
from aerec.recommender.rating import PredictsRatings
from aerec.reranking import Calibration, MaximalMarginalRelevance
from aerec.reranking.features import features_of
from aerec.reranking.named import n_candidates
from aerec.sparse import row_ids, take_rows
from aerec.splitting import Holdout, Split

_DEPTHS = (1, 2, 5, 10, 20, 50, 100)
_LIST = 20  # length of the lists whose groups and novelty are described
_CODED_ROWS = 2000  # histories whose codes are looked at
_BINS = 40
_RERANKED, _RERANKED_USERS = 10, 1000  # length of the reranked lists, and users who get them
_TRADE_OFFS: tuple[tuple[str, Any, tuple[float, ...]], ...] = (  # the first of each is the order of the model
    ("mmr", MaximalMarginalRelevance, (1.0, 0.9, 0.8, 0.7, 0.5, 0.3)),
    ("calibration", Calibration, (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)),
)
_USE_POINTS = 101
_IRRELEVANT = ("progress",)  # parameters that say nothing of what is learned
_AT_REST = 0.05  # Within this share of its range an activation counts as resting


def describe_model(
    model: Recommender, split: Split, *, name: str | None = None, n_samples: int = 3, n_items: int = 10
) -> dict[str, Any]:
    """Describe a fitted model by its test data: what its curves, groups, code and recommendations look like.

    Parameters
    ----------
    model : Recommender
        Fitted on ``split.train``.
    split : Split
    name : str, optional
        By default the class of the model.
    n_samples : int, default 3
        Users whose recommendations are written out: of those with a target, spread evenly from the shortest history
        to the longest. The same for every model on the same split.
    n_items : int, default 10
        Items shown of each of their lists.

    Returns
    -------
    dict
        parameters; history (a record per epoch, or None); recall_at (pairs of k and recall@k) and beyond (see
        `BeyondAccuracy.to_dict`), both None for a model that predicts ratings; groups (metric, by_activity and
        by_popularity: recall@20, or rmse, of thirds of the users and of the ratings); reranked (k, n_candidates,
        n_users, points), None for a model that predicts ratings or where nothing is known of the items; code (of,
        n_rows, n_units, at_rest, silent, edges, counts, use), None unless it is an autoencoder; samples (user, history,
        recommended with title, score and hit). A point is a reranker with a trade_off, and the ndcg, diversity and
        miscalibration (`genre_diversity_at_k`, `calibration_at_k`) of its lists, of 1,000 users at most. at_rest is the
        mean share of the units within 5 % of the range of the activation from
        its resting point (0, for tanh also −1), silent the share that is at rest for all users. counts is the histogram
        of the activations that are not at rest; use is the share of the users for whom a unit is not at rest, as 101
        quantiles over units, the largest first.

    Examples
    --------
    >>> from aerec.baselines import Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.reporting import describe_model
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample"))
    >>> details = describe_model(Popularity().fit(split.train), split)
    >>> [k for k, _ in details["recall_at"]], details["code"]
    ([1, 2, 5, 10, 20, 50, 100], None)
    """
    holdout, _ = align_holdout(model, split.test)
    ranks = not isinstance(model, PredictsRatings)
    history = getattr(model, "history_", None)
    parameters = model.get_params(deep=False).items()
    beyond = describe_recommendations(model, split.test, split.train, _LIST, name=name).to_dict() if ranks else None
    return {
        "parameters": {key: str(value) for key, value in parameters if key not in _IRRELEVANT},
        "history": _records(history) if isinstance(history, pd.DataFrame) and len(history) else None,
        "recall_at": _recall_at(model, holdout) if ranks else None,
        "beyond": beyond,
        "groups": _errors_by_group(model, split, holdout) if beyond is None else _recall_by_group(beyond),
        "reranked": _reranked(model, holdout) if ranks else None,
        "code": _code(model, split),
        "samples": _samples(model, holdout, n_samples, n_items),
    }


def _recall_at(model: Recommender, holdout: Holdout) -> list[tuple[int, float]]:
    n_items = len(holdout.history.items)
    depths = [k for k in _DEPTHS if k <= n_items]
    ranking, _ = model.rank(holdout.history, depths[-1], exclude=holdout.exclude, allow_items=holdout.candidates)
    hits, wanted = find_hits(ranking, holdout.target.matrix), np.diff(holdout.target.matrix.indptr)
    return [(k, float(np.nanmean(measure_hits("recall", hits[:, :k], wanted)))) for k in depths]


def _recall_by_group(beyond: dict[str, Any]) -> dict[str, Any]:
    metric = f"recall@{beyond['k']}"
    details = {
        kind: [{**row, "value": row[metric]} for row in beyond[kind] if row["n_users"]]
        for kind in ("by_activity", "by_popularity")
    }
    return {"metric": metric, **details}


def _reranked(model: Recommender, holdout: Holdout) -> dict[str, Any] | None:
    """Return what diversity and calibration cost: lists of several trade-offs, chosen from the same candidates."""
    try:
        genres = features_of(holdout.history, None, genres_first=True)
    except DataError:
        return None
    users = np.flatnonzero(np.diff(holdout.target.matrix.indptr) > 0)
    users = (
        users[np.unique(np.linspace(0, len(users) - 1, _RERANKED_USERS).round().astype(int))] if len(users) else users
    )
    k, n_items = _RERANKED, len(holdout.history.items)
    if not len(users) or n_items <= k:
        return None
    seen, target = holdout.history.take_users(users), holdout.target.take_users(users)
    barred = None if holdout.exclude is None else holdout.exclude.take_users(users)
    ranked = model.rank(seen, min(n_candidates(k), n_items), exclude=barred, allow_items=holdout.candidates)
    points = []
    for name, kind, trade_offs in _TRADE_OFFS:
        for trade_off in trade_offs:
            lists, _ = kind(trade_off).rerank(ranked, seen, k, features=genres)
            values = {
                "ndcg": ndcg_at_k(lists, target, k=k),
                "diversity": genre_diversity_at_k(lists, genres),
                "miscalibration": calibration_at_k(lists, seen, genres),
            }
            means = {metric: _mean(each) for metric, each in values.items()}
            points.append({"reranker": name, "trade_off": trade_off, **means})
    return {"k": k, "n_candidates": ranked[0].shape[1], "n_users": len(users), "points": points}


def _mean(values: NDArray[Any]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _errors_by_group(model: Any, split: Split, holdout: Holdout) -> dict[str, Any]:
    """Return the rmse of held-out ratings by the activity of their users and by the popularity of their items."""
    target = holdout.target
    pairs = target.to_frame()
    errors = np.square(np.asarray(model.predict(pairs["user"], pairs["item"])) - pairs["rating"].to_numpy())
    users, items = row_ids(target.matrix), target.matrix.indices
    evaluated = np.flatnonzero(np.diff(target.matrix.indptr))
    length = np.diff(holdout.history.matrix.indptr)[evaluated]
    active = activity_groups(length)
    of_user = np.zeros(target.shape[0], dtype=np.int64)
    of_user[evaluated] = active
    train = split.train.with_items(target.items)
    popular = popularity_groups(np.bincount(train.matrix.indices, minlength=target.shape[1]))
    by_activity = [
        {
            "activity": label,
            "shortest": int(length[active == group].min()),
            "longest": int(length[active == group].max()),
            "n_users": int(np.count_nonzero(active == group)),
            "value": _root_mean(errors[of_user[users] == group]),
        }
        for group, label in enumerate(("low", "middle", "high"))
        if (active == group).any()
    ]
    by_popularity = [
        {
            "popularity": label,
            "n_items": int(np.count_nonzero(popular == group)),
            "n_users": int(np.unique(users[popular[items] == group]).size),
            "value": _root_mean(errors[popular[items] == group]),
        }
        for group, label in enumerate(("head", "middle", "tail"))
    ]
    return {"metric": "rmse", "by_activity": by_activity, "by_popularity": by_popularity}


def _root_mean(squares: NDArray[np.float64]) -> float | None:
    return float(np.sqrt(squares.mean())) if squares.size else None


def _code(model: Recommender, split: Split) -> dict[str, Any] | None:
    if not isinstance(model, Autoencoder):
        return None
    of_items = getattr(model, "orientation", "user") == "item"  # such codes are of items, read from the training data
    rows = split.train if of_items else _first_users(split.test.history)
    code = np.asarray(model.transform(rows))  # scikit-learn may have been told to make frames
    activation = "identity" if getattr(model, "variational", True) else model.activation
    at_rest = _resting(code, activation)
    counts, edges = np.histogram(code[~at_rest], _BINS)
    use = 1 - at_rest.mean(axis=0)
    return {
        "of": "items" if of_items else "users",
        "n_rows": len(code),
        "n_units": int(code.shape[1]),
        "at_rest": float(at_rest.mean()),
        "silent": float(at_rest.all(axis=0).mean()),
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "use": np.quantile(use, np.linspace(1, 0, _USE_POINTS)).tolist(),
    }


def _first_users(history: Interactions) -> Interactions:
    active = np.flatnonzero(np.diff(history.matrix.indptr))[:_CODED_ROWS]
    return history.select_users(history.users.take(active))


def _resting(code: NDArray[np.float32], activation: str) -> NDArray[np.bool_]:
    width = 2.0 if activation == "tanh" else 1.0
    at_rest: NDArray[np.bool_] = np.abs(code) < _AT_REST * width
    return at_rest | (code < -1 + _AT_REST * width) if activation == "tanh" else at_rest


def _samples(model: Recommender, holdout: Holdout, n_samples: int, n_items: int) -> list[dict[str, Any]]:
    seen, wanted = holdout.history, holdout.target
    length = np.diff(seen.matrix.indptr)
    known = np.flatnonzero((length > 0) & (np.diff(wanted.matrix.indptr) > 0))
    if known.size == 0:
        return []
    # by length, then by id: the order of the columns, which is the model's, does not decide who is shown
    known = known[np.lexsort((known, length[known]))]
    chosen = known[np.unique(np.linspace(0, len(known) - 1, n_samples).round().astype(int))]
    few = seen.select_users(seen.users.take(chosen))
    barred = None if holdout.exclude is None else holdout.exclude.select_users(few.users)
    k = min(n_items, len(seen.items))
    ranking, scores = model.rank(few, k, exclude=barred, allow_items=holdout.candidates)
    hits = find_hits(ranking, take_rows(wanted.matrix, chosen))
    titles = _titles(seen)
    samples = []
    for row, user in enumerate(few.users):
        own = take_rows(few.matrix, np.array([row]))
        best = own.indices[np.argsort(-own.data, kind="stable")]
        items = [
            {"title": titles[column], "score": float(score), "hit": bool(hit)}
            for column, score, hit in zip(ranking[row], scores[row], hits[row], strict=True)
            if column >= 0
        ]
        samples.append(
            {
                "user": str(user),
                "n_history": len(best),
                "n_target": int(np.diff(wanted.matrix.indptr)[chosen[row]]),
                "history": [titles[column] for column in best[:n_items]],
                "recommended": items,
            }
        )
    return samples


def _titles(data: Interactions) -> list[str]:
    """Return the title of each column, or its id where there is none."""
    ids = [str(identifier) for identifier in data.items]
    if data.item_names is None:
        return ids
    return [str(name) or identifier for name, identifier in zip(data.item_names, ids, strict=True)]


def _records(history: pd.DataFrame) -> list[dict[str, float | None]]:
    return [
        {str(name): None if value != value else float(value) for name, value in row.items()}
        for row in history.to_dict(orient="records")
    ]
