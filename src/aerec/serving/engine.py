"""A run that answers: loaded once, never changed, asked by many threads at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.ids import id_from_text
from aerec.interactions import Interactions
from aerec.recommender.scorer import Scorer, SteerableScorer, UserBlock
from aerec.registry import model_name
from aerec.reranking import Reranker
from aerec.reranking.named import RERANKERS, known_of_items, n_candidates, parse_reranker
from aerec.runs.folder import rating_scale, read_run, users_left_out
from aerec.runs.new_items import FeatureFile
from aerec.serving.code_units import Units
from aerec.serving.items import Catalogue, Filters, RawId
from aerec.serving.problems import RequestError, shown
from aerec.sparse import CSR, narrow, take_rows
from aerec.topk import top_k

MAX_HISTORY = 1000  # items of a history, in a request and of a user whose recommendations are to be explained
_REASONS = 3
_STARS = 10  # longest scale of whole numbers that can be clicked on
_EVERYTHING = Filters()
_SOMEBODY = pd.Index([0])


class Engine:
    """A trained model with its data, ready to recommend.

    Parameters
    ----------
    path : path-like
        A run folder of `aerec train`.
    features : FeatureFile, optional
        Of items that nobody has rated: they are recommended, too.

    Attributes
    ----------
    name : str
        Of the model, as the command line calls it.
    catalogue : Catalogue
    likes : bool
        Whether the model learned from likes alone; then a rating only says whether it is one.
    threshold : float or None
        Ratings from here on are likes.
    rating_range : tuple of float
        The lowest and the highest rating of the data.

    Raises
    ------
    FileNotFoundError, ModelFileError
        If there is no run in `path`, or it is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], features: FeatureFile | None = None) -> None:
        run = read_run(path) if features is None else features.add_to(read_run(path))
        self._model, data = run.model, run.data
        self.name = model_name(self._model)
        self.catalogue = Catalogue(run.items, data)
        self._scorer = self._model.scorer_.for_single_users()
        self._units = Units(self._scorer, self.catalogue)
        histories = data.with_items(run.items)
        self._histories, self._times = histories.matrix, histories.timestamps
        self._items = histories.items
        self._of_items = {type(reranker): _known(reranker, histories) for reranker in map(parse_reranker, RERANKERS)}
        self._users: pd.Index[Any] = data.users
        trained = self._model.users_
        known = np.full(len(data.users), -1, dtype=np.int64) if trained is None else trained.get_indexer(data.users)
        self._known = known.astype(np.int64)
        self._scale, self._left_out = rating_scale(run), users_left_out(run)
        self.likes, self.threshold = self._scale.likes, self._scale.threshold
        self.rating_range = (self._scale.low, self._scale.high)
        self._users.get_indexer(self._users[:1])  # build the hash table before there are threads
        self.recommend([(item, None) for item in self.catalogue.ids[:1]], k=1, explain=True)

    # ------------------------------------------------------------------ what is asked

    def recommend(
        self,
        history: Sequence[tuple[RawId, float | None]],
        k: int = 10,
        filters: Filters = _EVERYTHING,
        explain: bool = False,
        reranker: Reranker | None = None,
        steer: Mapping[int, float] | None = None,
    ) -> list[dict[str, Any]]:
        """Recommend to a new user with this `history`.

        Parameters
        ----------
        history : sequence of (raw id, rating or None)
            Without a rating: liked, or rated highest. Ratings below `threshold` only keep an item from being shown.
            Items that the model has not met are left out.
        k : int, default 10
        filters : Filters
        explain : bool, default False
            Name the items of the history and the units of the code that speak most for each recommendation.
        reranker : Reranker, optional
            Chooses the `k` from ten times as many, and 100 at least.
        steer : mapping of int to float, optional
            What is added to units of the code, as in `SparseCode.steer`.

        Returns
        -------
        list of dict
            item, title, genres, year, score, because (None, or up to three items with their weight) and units (None,
            or up to three units of the code, see `Units.behind`), best first; fewer than `k` where no more items are
            left.

        Raises
        ------
        RequestError
            If no item is known, one stands twice, a rating is outside of the scale, the reranker wants to know of the
            items what the data does not say, or there is no such unit to steer.
        """
        unknown = set(self.catalogue.unknown(item for item, _ in history))
        history = [(item, rating) for item, rating in history if item not in unknown] or history
        columns = self.catalogue.columns([item for item, _ in history])
        if len(np.unique(columns)) < len(columns):
            first = next(place for place, column in enumerate(columns) if column in columns[:place])
            raise RequestError(f"history names item {shown(history[first][0])} twice")
        values = np.array([self._value(rating) for _, rating in history], dtype=np.float32)
        order = np.argsort(columns)
        columns, values = columns[order], values[order]
        seen = values != 0
        row = _row(columns[seen], values[seen], len(self.catalogue))
        user = replace(UserBlock.new(row), times=order[seen])
        return self._ranked(user, columns, k, filters, explain, reranker, self._steered(steer))

    def recommend_to(
        self,
        user: RawId,
        k: int = 10,
        filters: Filters = _EVERYTHING,
        explain: bool = False,
        reranker: Reranker | None = None,
        steer: Mapping[int, float] | None = None,
    ) -> list[dict[str, Any]]:
        """Recommend to a user of the data; a RequestError (404) says that there is no such user."""
        wanted = id_from_text(str(user), self._users)
        at = -1 if wanted is None else int(self._users.get_indexer(pd.Index([wanted], dtype=self._users.dtype))[0])
        if at < 0:
            hint = f"; {self._left_out}" if self._left_out else ""
            raise RequestError(f"unknown user {shown(user)}: not in the data of this run{hint}", 404)
        row = take_rows(self._histories, np.array([at]))
        if explain and row.nnz > MAX_HISTORY:
            raise RequestError(
                f"user {shown(user)} has {row.nnz:,} items, explain is for at most {MAX_HISTORY:,}: ask without it"
            )
        here = slice(self._histories.indptr[at], self._histories.indptr[at + 1])
        times = None if self._times is None else self._times[here]
        block = UserBlock(row, self._known[[at]], times=times)
        return self._ranked(block, row.indices, k, filters, explain, reranker, self._steered(steer))

    def similar(self, item: RawId, k: int = 10) -> list[dict[str, Any]]:
        """Return the items whose score rises most for a user whose history is `item` alone, and by how much."""
        column = self.catalogue.column(item, 404)
        value = np.array([self.rating_range[1]], dtype=np.float32)
        alone = UserBlock.new(_row(np.array([column]), value, len(self.catalogue)))
        rise = self._scorer.contributions(alone, np.arange(len(self.catalogue))).astype(np.float32)
        rise[:, column] = -np.inf
        rise[rise <= 0] = -np.inf
        return [self.catalogue.describe(at) | {"score": score} for at, score in _best(rise, k)]

    def units(self, k: int, units: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """Return what `units` stand for and how strong they are; by default the `k` that are active for the most users.

        Those that there are not are passed over.
        """
        if not isinstance(self._scorer, SteerableScorer):
            raise RequestError(f"{self.name} has no units to steer; sparse-code has", 404)
        if units is None:
            return self._units.most_active(k)
        return self._units.described([unit for unit in dict.fromkeys(units) if 0 <= unit < self._units.count])

    def describe(self) -> dict[str, Any]:
        """Return what a client may want to know of the model."""
        low, high = math.ceil(max(self.rating_range[0], 1)), math.floor(self.rating_range[1])
        stars = list(range(low, high + 1)) if not self.likes and 1 < high - low + 1 <= _STARS else None
        return {
            "name": self.name,
            "n_items": len(self.catalogue),
            "n_users": len(self._users),
            "likes": self.likes,
            "threshold": self.threshold,
            "rating_range": None if self.likes else list(self.rating_range),
            "stars": stars,
            "n_code": self._units.count or None,
            "steerable": isinstance(self._scorer, SteerableScorer),
        }

    # ------------------------------------------------------------------ how it is answered

    def _value(self, rating: float | None) -> float:
        """What the model sees of a rating; 0: nothing."""
        try:
            return self._scale.seen(rating)
        except DataError as error:
            raise RequestError(str(error)) from None

    def _ranked(
        self,
        user: UserBlock,
        seen: NDArray[Any],
        k: int,
        filters: Filters,
        explain: bool,
        reranker: Reranker | None,
        scorer: Scorer,
    ) -> list[dict[str, Any]]:
        barred = self.catalogue.barred(filters)
        scores = scorer.score(user)
        scores[0, seen] = -np.inf
        scores[0, barred] = -np.inf
        best = _best(scores, k) if reranker is None else self._reranked(user, scores, k, reranker)
        columns = [at for at, _ in best]
        none: list[Any] = [None] * len(best)
        reasons = self._reasons(user, columns, scorer) if explain else none
        units = (self._units.behind(user, columns, scorer) if explain else None) or none
        return [
            self.catalogue.describe(at) | {"score": score, "because": because, "units": behind}
            for (at, score), because, behind in zip(best, reasons, units, strict=True)
        ]

    def _reranked(
        self, user: UserBlock, scores: NDArray[np.float32], k: int, reranker: Reranker
    ) -> list[tuple[int, float]]:
        history = Interactions(user.history, _SOMEBODY, self._items)
        candidates = top_k(scores, min(n_candidates(k), len(self._items)))
        try:
            columns, values = reranker.rerank(candidates, history, k, features=self._known_of_items(type(reranker)))
        except DataError as error:
            raise RequestError(f"rerank: {error}") from None
        return _pairs(columns, values)

    def _known_of_items(self, kind: type[Reranker]) -> Any:
        """Return what rerankers of a kind want to know of the items; a RequestError where the data does not say it."""
        known = self._of_items[kind]
        if known is None:
            raise RequestError(
                "rerank: the data says nothing of the items, neither genres nor features; tail needs none"
            )
        return known

    def _steered(self, weights: Mapping[int, float] | None) -> Scorer:
        if not weights:
            return self._scorer
        if not isinstance(self._scorer, SteerableScorer):
            raise RequestError(f"{self.name} has no units to steer; sparse-code has")
        try:
            return self._scorer.steered(weights)
        except ValueError as error:
            raise RequestError(str(error)) from None

    def _reasons(self, user: UserBlock, columns: list[int], scorer: Scorer) -> list[list[dict[str, Any]]]:
        row = user.history
        if not columns or row.nnz == 0:
            return [[] for _ in columns]
        terms = scorer.contributions(user, np.array(columns, dtype=np.int64)).T
        at, weights = top_k(np.ascontiguousarray(terms), _REASONS)
        return [
            [
                {"item": self.catalogue.ids[column], "title": self.catalogue.titles[column], "weight": float(weight)}
                for column, weight in zip(row.indices[places[places >= 0]].tolist(), values, strict=False)
                if weight > 0
            ]
            for places, values in zip(at, weights, strict=True)
        ]


def _known(reranker: Reranker, data: Interactions) -> Any:
    try:
        return known_of_items(reranker, data)
    except DataError:
        return None


def _row(columns: NDArray[np.int64], values: NDArray[np.float32], n_items: int) -> CSR:
    row: CSR = narrow(sp.csr_array((values, columns, np.array([0, len(columns)])), shape=(1, n_items)))
    row.has_canonical_format = True
    return row


def _best(scores: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
    return _pairs(*top_k(scores, k))


def _pairs(columns: NDArray[np.int64], values: NDArray[np.float32]) -> list[tuple[int, float]]:
    return [(int(column), float(value)) for column, value in zip(columns[0], values[0], strict=True) if column >= 0]
