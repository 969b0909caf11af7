"""RecencyWeighted: any model that folds histories in, with what is recent counting more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from typing_extensions import Self

from aerec.dimensions import Number, Space
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.models.ease import EASE
from aerec.parameters import Constraint, OneOf, RealNumber
from aerec.recommender.base import Recommender, with_new_items
from aerec.recommender.new_items import NewItems
from aerec.recommender.saving import model_state, restore_state
from aerec.recommender.scorer import RatingScorer, Scorer, UserBlock
from aerec.sparse import CSR, row_ids
from aerec.splitting import Holdout

__all__ = ["RecencyWeighted"]

_DAY = 86_400.0  # seconds
_LEAST = 1e-30  # a weight is never 0: what was seen stays seen


class RecencyWeighted(Recommender):
    r"""A model that is fitted as always, and asked with histories in which old ratings count less.

    .. math:: \tilde x_{ui} = x_{ui} \, 2^{-a_{ui} / h}

    with the age a of a rating and the half-life h. The age is counted from the newest rating of the user: in places
    from the end, or in days. Ratings of the same time are of the same age, the mean of their places. What people liked
    last says more about what they like next; evaluate with `LeaveLastOut` or `TemporalSplit`, which ask for that.

    A history needs times: an `Interactions` with timestamps (seconds, for days), or lists of items in their order, the
    last one the newest: a dict ``{user: [item, …]}``, a request to ``aerec serve``.

    Parameters
    ----------
    model : Recommender, optional
        Not fitted; `EASE` by default. Any model whose scores follow from the history, but none that predicts ratings.
    half_life : float > 0, default 5.0
        h: after this many places, or days, a rating counts half.
    unit : {"positions", "days"}, default "positions"

    Attributes
    ----------
    model_ : Recommender
        Fitted.

    References
    ----------
    Ding, Li (2005). Time weight collaborative filtering. CIKM.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import EASE, RecencyWeighted
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = RecencyWeighted(EASE(l2=50.0), half_life=5.0).fit(likes)
    >>> len(model.recommend(likes.select_users(likes.users[:1]), k=3))
    3
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "model": [Recommender, None],
        "half_life": [RealNumber(above=0)],
        "unit": [OneOf(["positions", "days"])],
    }

    _takes_weights = True  # where its model does

    search_space: ClassVar[Space] = {"half_life": Number(1.0, 200.0, log=True)}

    model_: Recommender

    def __init__(self, model: Recommender | None = None, half_life: float = 5.0, unit: str = "positions") -> None:
        self.model = model
        self.half_life = half_life
        self.unit = unit

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        self.model_ = self._unfitted().fit(train if self.items_ is not None else train.matrix, validation=validation)
        if isinstance(self.model_.scorer_, RatingScorer):
            raise ValueError(f"{type(self.model_).__name__} predicts ratings; take a model that ranks by likes")
        self.users_ = self.model_.users_

    def _unfitted(self) -> Recommender:
        return EASE() if self.model is None else clone(self.model)

    def _make_scorer(self) -> Scorer:
        return _RecencyScorer(self.model_.scorer_, self.half_life, self.unit)

    def _add_learned(self, added: NewItems) -> None:
        self.model_ = with_new_items(self.model_, added)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, tensors = super()._state()
        part, arrays = model_state(self.model_)
        return {**header, "model": part}, tensors | {f"model.{name}": array for name, array in arrays.items()}

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        self.model_ = self._unfitted()
        self.model_.n_features_in_, self.model_.items_, self.model_.users_ = (
            self.n_features_in_,
            self.items_,
            self.users_,
        )
        own = {name.removeprefix("model."): tensors[name] for name in tensors if name.startswith("model.")}
        restore_state(self.model_, header["model"], own)


class _RecencyScorer(Scorer):
    """Asks another scorer with histories weighted by their age."""

    def __init__(self, inner: Scorer, half_life: float, unit: str) -> None:
        super().__init__(inner.n_items, inner.popularity)
        self._inner, self._half_life, self._unit = inner, float(half_life), unit

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        return self.score(block)

    def score(self, block: UserBlock) -> NDArray[np.float32]:
        """Score all items for each user."""
        return self._inner.score(self._weighted(block))

    def score_at(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score the items `columns` for each user."""
        return self._inner.score_at(self._weighted(block), columns)

    def best(self, block: UserBlock, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return columns and scores of the `k` best items of each user."""
        return self._inner.best(self._weighted(block), k)

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much each item of the history adds, weighted as it is."""
        return self._inner.contributions(self._weighted(block), columns)

    def blocks(self, n_users: int) -> Iterator[NDArray[np.int64]]:
        """Give the row numbers that the other scorer likes best."""
        return self._inner.blocks(n_users)

    def prepared(self, n_users: int, k: int) -> Scorer:
        """Return the scorer over the other one, prepared."""
        return _RecencyScorer(self._inner.prepared(n_users, k), self._half_life, self._unit)

    def for_single_users(self) -> Self:
        """Return the scorer over the other one for single users."""
        return type(self)(self._inner.for_single_users(), self._half_life, self._unit)

    def _weighted(self, block: UserBlock) -> UserBlock:
        history = block.history
        weights = np.maximum(2.0 ** (-_ages(block, self._unit) / self._half_life), _LEAST).astype(np.float32)
        weighted: CSR = sp.csr_array((history.data * weights, history.indices, history.indptr), shape=history.shape)
        weighted.has_canonical_format = True
        left_out = [weighted if matrix is history else matrix for matrix in block.left_out]
        return replace(block, history=weighted, left_out=left_out)


def _ages(block: UserBlock, unit: str) -> NDArray[np.float64]:
    """Return the age of each rating of the histories of a block, aligned with their values."""
    history = block.history
    counts, rows = np.diff(history.indptr), row_ids(history)
    if block.times is None:
        if counts.max(initial=0) > 1:
            raise DataError(
                "RecencyWeighted has to know when ratings were given, and this history has no times: give an "
                "Interactions with timestamps; a matrix has none"
            )
        return np.zeros(len(rows))
    times = block.times.astype(np.float64)
    order = np.lexsort((times, rows))
    if unit == "days":
        newest = times[order][np.maximum(history.indptr[1:] - 1, 0)] if len(rows) else times
        return np.asarray((newest[rows] - times) / _DAY)
    place = (history.indptr[rows + 1] - 1 - np.arange(len(rows))).astype(np.float64)  # in the order of time
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (np.diff(times[order]) != 0) | (np.diff(rows) != 0)
    tie = np.cumsum(first) - 1
    ages = np.empty(len(rows))
    ages[order] = (np.bincount(tie, place) / np.maximum(np.bincount(tie), 1))[tie] if len(rows) else place
    return ages
