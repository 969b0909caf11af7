"""Models that predict ratings: from raw ids to numbers within the rating scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from aerec.errors import DataError, warn_caller
from aerec.id_kinds import refuse_other_kind
from aerec.ids import as_ids, examples, places_of
from aerec.interactions import Interactions
from aerec.recommender.scorer import ModelScorer, RatingScorer, Scorer
from aerec.sparse import CSR


@runtime_checkable
class PredictsRatings(Protocol):
    """A recommender that predicts ratings, fitted or not."""

    def predict(self, user_ids: ArrayLike, item_ids: ArrayLike) -> NDArray[np.float32]:
        """Predict the rating of each pair of raw ids."""


class RatingPredictor:
    """Mixin that gives a recommender `predict`; the model writes `_predict` for row and column numbers.

    Attributes
    ----------
    rating_range_ : ndarray of shape (2,)
        The lowest and the highest rating seen in training.
    """

    _personal: ClassVar[bool] = False
    items_: pd.Index[Any] | None
    users_: pd.Index[Any] | None
    n_features_in_: int
    n_users_: int
    rating_range_: NDArray[np.float32]

    def _predict(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        """Predict the rating of each pair of training row and column; −1 stands for one that was not seen."""
        raise NotImplementedError(f"{type(self).__name__} has to write _predict")

    def predict(self, user_ids: ArrayLike, item_ids: ArrayLike) -> NDArray[np.float32]:
        """Predict the rating of each pair, clipped to the range of the training ratings.

        Parameters
        ----------
        user_ids, item_ids : array-like of shape (n,)
            Raw ids where the model was fitted on an `Interactions`, else row and column numbers. Users and items that
            were not in the training data are allowed: the model falls back on what it knows of the other side.

        Returns
        -------
        ndarray of shape (n,), float32

        Raises
        ------
        DataError
            If the model was trained on implicit feedback, where every rating is 1 and none can be predicted; if ids are
            of another type than in training; or if it knows neither user nor item of any pair.

        Warns
        -----
        UserWarning
            Of how many pairs the user or the item was not in the training data.
        """
        return predict_ratings(self, user_ids, item_ids)

    def _score_scorer(self) -> Scorer:
        model: Any = self
        return _RatingModelScorer(model._score, self._predict, self.n_features_in_)

    def _remember_ratings(self, train: Interactions, *, from_matrix: bool) -> None:
        """Keep what `predict` needs of the training data."""
        data = train.matrix.data
        self.rating_range_ = np.array([data.min(), data.max()], dtype=np.float32)
        self.users_ = None if from_matrix else train.users
        self.n_users_ = train.shape[0]

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, arrays = super()._state()  # type: ignore[misc]
        return {**header, "n_training_users": self.n_users_}, arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)  # type: ignore[misc]
        self.n_users_ = int(header["n_training_users"])


def predict_ratings(model: Any, user_ids: ArrayLike, item_ids: ArrayLike) -> NDArray[np.float32]:
    """Return what `RatingPredictor.predict` does, of any model whose scorer predicts ratings."""
    check_is_fitted(model)
    low, high = model.rating_range_
    if low == high == 1:
        raise DataError(
            f"{type(model).__name__} was trained on implicit feedback (every rating is 1) and cannot predict "
            "ratings; fit it on the ratings themselves, without binarize"
        )
    known_items = model.ids_.known_items
    known_users = pd.RangeIndex(model.n_users_) if model.users_ is None else model.users_
    users, items = (
        _positions(user_ids, known_users, "users of the pairs"),
        _positions(item_ids, known_items, "items of the pairs"),
    )
    if users.shape != items.shape:
        raise DataError(f"predict takes pairs: {users.shape} users and {items.shape} items")
    is_unknown = (users < 0) | (items < 0)
    if is_unknown.any():
        at = int(np.argmax(is_unknown))
        message = (
            f"{type(model).__name__} does not know {np.count_nonzero(users < 0):,} of the users and "
            f"{np.count_nonzero(items < 0):,} of the items of {len(users):,} pairs, such as user "
            f"{examples(as_ids(user_ids)[[at]])} with item {examples(as_ids(item_ids)[[at]])}"
        )
        if ((users < 0) & (items < 0)).all():
            raise DataError(
                f"{message}: nothing can be predicted; it was trained on users such as {examples(known_users)} and "
                f"items such as {examples(known_items)}"
            )
        warn_caller(
            f"{message}: {np.count_nonzero(is_unknown):,} predictions fall back on what is known of the other side, or "
            "on the mean"
        )
    scorer: RatingScorer = model.scorer_
    predicted: NDArray[np.float32] = np.clip(scorer.predict(users, items), low, high).astype(np.float32)
    return predicted


class _RatingModelScorer(ModelScorer):
    """The scorer of a model that writes `_score` and `_predict`."""

    def __init__(
        self,
        score: Callable[[CSR, NDArray[np.int64]], NDArray[np.float32]],
        predict: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.floating[Any]]],
        n_items: int,
    ) -> None:
        super().__init__(score, n_items)
        self._predict = predict

    def predict(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        return self._predict(users, items)


def _positions(ids: ArrayLike, known: pd.Index[Any], what: str) -> NDArray[np.int64]:
    wanted = as_ids(ids)
    refuse_other_kind(wanted, known, what)
    return places_of(wanted, known)
