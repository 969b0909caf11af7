"""RatingBlend: the weighted mean of the ratings that several models predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.base import clone

from aerec.dimensions import Choice, Space
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.models.autorec import AutoRec
from aerec.models.blend import Blend, BlendPart
from aerec.parameters import Constraint
from aerec.recommender.base import Recommender
from aerec.recommender.rating import PredictsRatings, RatingPredictor
from aerec.recommender.scorer import RatingScorer, Scorer, UserBlock
from aerec.splitting import Holdout, RandomHoldout

_SET_APART, _LEAST_RATINGS = 0.1, 100  # A share that sets the weights, of no fewer ratings than these


class RatingBlend(RatingPredictor, Blend):
    r"""Weighted mean of predicted ratings, :math:`\hat r_{ui} = \sum_m w_m \hat r^{(m)}_{ui}`, w ≥ 0 and Σ w = 1.

    An item AutoRec reads the ratings of an item, a user AutoRec those of a user; what each of them cannot know is much
    of what the other knows. The weights are those of least squares on validation ratings; where none are given, on a
    tenth of the ratings, which copies of the models are fitted without.

    Parameters
    ----------
    models : sequence of Recommender that predict ratings, optional
        Unfitted; they are cloned. By default an item and a user `AutoRec`.
    weights : sequence of float, optional
        One per model, not negative, not all 0. By default they are fitted to the validation ratings; without those,
        every model is fitted twice, once to find the weights.

    Attributes
    ----------
    models_ : list of Recommender
        The fitted models.
    weights_ : ndarray of shape (n_models,), float64
        They sum to 1.

    References
    ----------
    Breiman (1996). Stacked regressions. Machine Learning 24. (Weights that are not negative.)
    Sedhain, Menon, Sanner, Xie (2015). AutoRec: autoencoders meet collaborative filtering. WWW.

    Examples
    --------
    >>> from aerec.baselines import BiasBaseline
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import AutoRec, RatingBlend
    >>> ratings = load_dataset("sample")
    >>> parts = [AutoRec(hidden=16, epochs=2, progress=False), BiasBaseline()]
    >>> RatingBlend(parts, weights=[0.7, 0.3]).fit(ratings).predict([1], [1]).shape
    (1,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "models": [list, tuple, None],
        "weights": [list, tuple, np.ndarray, None],
    }

    _learned = ("weights_", "rating_range_")
    _takes_weights = True  # where its models do

    search_space: ClassVar[Space] = {"weights": Choice((None, (0.9, 0.1), (0.75, 0.25), (0.6, 0.4)))}

    def __init__(self, models: Sequence[Recommender] | None = None, weights: Sequence[float] | None = None) -> None:
        self.models = models
        self.weights = weights

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        given = self._given_weights()
        data = train if self.items_ is not None else train.matrix
        self._remember_ratings(train, from_matrix=self.items_ is None)
        models = self._unfitted()
        self.models_ = [clone(model).fit(data, validation=validation) for model in models]
        if given is None and validation is not None:
            given = _fitted_weights(self.models_, validation)
        elif given is None and train.n_ratings >= _LEAST_RATINGS:
            split = RandomHoldout(_SET_APART, validation_fraction=0.0).split(train)
            given = _fitted_weights([clone(model).fit(split.train) for model in models], split.test)
        weights = np.ones(len(models)) if given is None else given
        self.weights_ = weights / weights.sum()

    def _make_scorer(self) -> Scorer:
        return _RatingBlendScorer(self._parts(), self.weights_, self.rating_range_)

    def _unfitted(self) -> Sequence[Recommender]:
        if self.models is not None:
            return list(self.models)
        return [AutoRec(orientation=orientation, progress=False) for orientation in ("item", "user")]

    def _given_weights(self) -> NDArray[np.float64] | None:
        given = super()._given_weights()
        if lacking := [type(model).__name__ for model in self._unfitted() if not isinstance(model, PredictsRatings)]:
            raise ValueError(f"RatingBlend takes models that predict ratings; {lacking[0]} ranks items only, use Blend")
        return given


def _fitted_weights(models: Sequence[Recommender], validation: Holdout) -> NDArray[np.float64]:
    """Least squares with weights that are not negative and sum to about 1, which a heavy extra row asks for.

    As they sum to 1, a constant may be taken off all ratings: the mean, so that the unit of ratings does not count.
    """
    pairs = validation.target.to_frame()
    if pairs.empty:
        raise DataError("weights cannot be chosen: nobody has a held-out rating; give weights=")
    columns = [model.predict(pairs["user"], pairs["item"]) for model in models if isinstance(model, PredictsRatings)]
    system, wanted = np.stack(columns, axis=1).astype(np.float64), pairs["rating"].to_numpy(dtype=np.float64)
    system -= (mean := wanted.mean())
    wanted -= mean
    heavy = 100 * (np.linalg.norm(wanted) or 1.0)
    weights, _ = nnls(np.vstack([system, np.full(len(columns), heavy)]), np.append(wanted, heavy))
    return weights


class _RatingBlendScorer(Scorer):
    """The weighted mean of scores, and of predicted ratings."""

    def __init__(
        self, parts: Sequence[BlendPart], weights: NDArray[np.float64], rating_range: NDArray[np.float32]
    ) -> None:
        super().__init__(parts[0].scorer.n_items)
        self._parts, self._weights, self._range = parts, weights, rating_range

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        total = np.zeros((block.n_users, self.n_items), dtype=np.float32)
        for weight, part in zip(self._weights, self._parts, strict=True):
            total += np.float32(weight) * part.score(block)
        return total

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the weighted mean of what the models say."""
        parts = zip(self._weights, self._parts, strict=True)
        terms: NDArray[np.float64] = sum(weight * part.contributions(block, columns) for weight, part in parts)
        return terms

    def predict(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        """Predict each pair; each part within the range of the training ratings."""
        scorers = [part.scorer for part in self._parts]
        predicted = [
            np.clip(scorer.predict(users, items), *self._range)
            for scorer in scorers
            if isinstance(scorer, RatingScorer)
        ]
        return np.tensordot(self._weights, np.stack(predicted), axes=1)
