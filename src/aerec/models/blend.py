"""Blend: the weighted sum of the scores of several models, the weights chosen on validation data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from aerec.dimensions import Space, Whole
from aerec.interactions import Interactions
from aerec.metrics import DEBIASED, measure_users, parse_metric
from aerec.models.edlae import EDLAE
from aerec.models.elsa import ELSA
from aerec.parameters import Constraint, WholeNumber
from aerec.recommender.base import Recommender, with_new_items
from aerec.recommender.new_items import NewItems
from aerec.recommender.saving import restore_part, state_of_parts
from aerec.recommender.scorer import Scorer, SimilarityScorer, UserBlock, score_blocks
from aerec.sparse import row_ids, take_rows
from aerec.splitting import Holdout
from aerec.topk import top_k

_USERS = 5_000  # users with a target taken evenly from the validation holdout: enough to choose a few weights
_BLOCK_BYTES = 16 * 2**20  # scores of all models held at once


class Blend(Recommender):
    r"""Weighted sum of the scores of several models, each standardised user by user.

    .. math:: s_{ui} = \sum_m w_m \frac{s^{(m)}_{ui} - \operatorname{mean}_j s^{(m)}_{uj}}{\operatorname{std}_j
              s^{(m)}_{uj}}, \qquad w_m \ge 0, \quad \sum_m w_m = 1

    Models that make different mistakes, such as a linear and a deep one, often rank better together. With a validation
    holdout the weights are chosen by ensemble selection: starting from nothing, the model whose scores raise the
    metric most is added again and again, `steps` times, and the best sum on the way is kept; of more than 5,000 users
    that many are looked at. Every model is fitted on
    the same data, those that learn in epochs with the same validation holdout.

    Parameters
    ----------
    models : sequence of Recommender, optional
        Unfitted; they are cloned. By default `EDLAE` and `ELSA` as they are.
    weights : sequence of float, optional
        One per model, not negative, not all 0. By default they are chosen on validation data, and equal without it.
    steps : int, default 20
        Additions of the selection: weights are multiples of about 1/`steps`.
    validation_metric : str, default "ndcg@100"
        What the weights are chosen by.

    Attributes
    ----------
    models_ : list of Recommender
        The fitted models.
    weights_ : ndarray of shape (n_models,), float64
        They sum to 1.

    Notes
    -----
    `explain` sums what the models say, w · contribution / std, with mean and std as the whole history has them.
    `similar_items` sums how alike items are, w · (similarity − mean) / std over the items, of the models that
    can say it; what shares nothing counts as 0, and is left out where all say so. Nothing is steered: units are those
    of one model, and what they add is scaled with all its scores. Steer a `SparseCode` alone.

    The weights are chosen on the data that early stopping has looked at as well; report the blend on other data.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew, Ksikes (2004). Ensemble selection from libraries of models. ICML.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import EASE, Blend
    >>> from aerec.baselines import PureSVD
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample").binarize(4.0))
    >>> model = Blend([EASE(l2=50.0), PureSVD(n_factors=16)]).fit(split.train, split.validation)
    >>> float(model.weights_.sum())
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "models": [list, tuple, None],
        "weights": [list, tuple, np.ndarray, None],
        "steps": [WholeNumber(1)],
        "validation_metric": [str],
    }

    _learned: ClassVar[tuple[str, ...]] = ("weights_",)
    _takes_weights = True  # where its models do

    models_: list[Recommender]
    weights_: NDArray[np.float64]

    search_space: ClassVar[Space] = {"steps": Whole(5, 40)}

    def __init__(
        self,
        models: Sequence[Recommender] | None = None,
        weights: Sequence[float] | None = None,
        steps: int = 20,
        validation_metric: str = "ndcg@100",
    ) -> None:
        self.models = models
        self.weights = weights
        self.steps = steps
        self.validation_metric = validation_metric

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        given = self._given_weights()
        metric, k = parse_metric(self.validation_metric)
        if k == 0 or metric == "coverage" or metric in DEBIASED:
            raise ValueError(
                f"validation_metric of a Blend is one of rankings, such as 'ndcg@100', got {self.validation_metric!r}"
            )
        data = train if self.items_ is not None else train.matrix
        self.models_ = [clone(model).fit(data, validation=validation) for model in self._unfitted()]
        self.users_ = next((model.users_ for model in self.models_ if model.users_ is not None), None)
        if given is not None:
            self.weights_ = given / given.sum()
        elif validation is None or len(self.models_) == 1:
            self.weights_ = np.full(len(self.models_), 1 / len(self.models_))
        else:
            self.weights_ = self._select(validation, metric, k)

    def _make_scorer(self) -> Scorer:
        parts = [(part, weight) for part, weight in zip(self._parts(), self.weights_, strict=True) if weight > 0]
        alike = any(isinstance(part.scorer, SimilarityScorer) for part, _ in parts)
        return (_SimilarBlendScorer if alike else _BlendScorer)(parts)

    def _parts(self) -> list[BlendPart]:
        """Return the scorers of the models."""
        return [BlendPart(model.scorer_, model.users_ is not None) for model in self.models_]

    def _select(self, validation: Holdout, metric: str, k: int) -> NDArray[np.float64]:
        """Add one model at a time to the sum, each time the one that raises the metric most."""
        chosen = np.zeros(len(self.models_))
        best, best_value = chosen, -np.inf
        for _ in range(int(self.steps)):
            candidates = chosen + np.eye(len(self.models_))
            values = self._measure(candidates, validation, metric, k)
            chosen = candidates[int(np.argmax(values))]
            if values.max() > best_value:
                best, best_value = chosen, float(values.max())
        weights: NDArray[np.float64] = best / best.sum()
        return weights

    def _measure(
        self, candidates: NDArray[np.float64], validation: Holdout, metric: str, k: int
    ) -> NDArray[np.float64]:
        """Return the sum of the metric over users for each row of weights; scores of one block are held at once."""
        limits: Any = {"exclude": validation.exclude, "allow_items": validation.candidates}
        everybody, target = self.block_of(validation.history, True, **limits), validation.target.matrix
        parts, users = self._parts(), np.flatnonzero(np.diff(target.indptr))
        if len(users) > _USERS:
            users = users[np.linspace(0, len(users) - 1, _USERS).astype(np.int64)]
        totals = np.zeros(len(candidates))
        for some in score_blocks(len(users), len(self.models_) * self.n_features_in_, _BLOCK_BYTES):
            rows = users[some]
            block = everybody.take(rows)
            scores = np.stack([_standardised(part.score(block)) for part in parts])
            for matrix in block.left_out:
                scores[:, row_ids(matrix), matrix.indices] = -np.inf
            if block.barred is not None:
                scores[..., block.barred] = -np.inf
            wanted = take_rows(target, rows)
            for at, weights in enumerate(candidates):
                used = np.flatnonzero(weights)
                ranking, _ = top_k(np.tensordot(weights[used].astype(np.float32), scores[used], axes=1), k)
                totals[at] += np.nansum(measure_users(metric, ranking, wanted))
        return totals

    def _unfitted(self) -> Sequence[Recommender]:
        return [EDLAE(), ELSA()] if self.models is None else list(self.models)

    def _given_weights(self) -> NDArray[np.float64] | None:
        models = self._unfitted()
        if not models or not all(isinstance(model, Recommender) for model in models):
            raise ValueError(f"models is a list of at least one recommender, such as [EASE(), MultVAE()], got {models}")
        if self.weights is None:
            return None
        weights = np.asarray(self.weights, dtype=np.float64)
        if weights.shape != (len(models),):
            raise ValueError(f"weights has {weights.size} numbers for {len(models)} models; give one to each")
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
            raise ValueError(f"weights are numbers of at least 0, not all of them 0; got {list(self.weights)}")
        return weights

    def _add_learned(self, added: NewItems) -> None:
        self.models_ = [with_new_items(model, added) for model in self.models_]

    # ------------------------------------------------------------------ saving

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, tensors = super()._state()
        headers, arrays = state_of_parts({str(number): model for number, model in enumerate(self.models_)})
        know_users = [model.users_ is not None for model in self.models_]
        return {**header, "models": [*headers.values()], "know_users": know_users}, tensors | arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        self.models_ = [clone(model) for model in self._unfitted()]
        parts = zip(self.models_, header["models"], header["know_users"], strict=True)
        for number, (model, part, knows_users) in enumerate(parts):
            restore_part(self, str(number), model, part, tensors, knows_users=knows_users)


@dataclass(frozen=True)
class BlendPart:
    """The scorer of one model of a blend; one that does not tell users apart is not told who they are."""

    scorer: Scorer
    knows_users: bool

    def score(self, block: UserBlock) -> NDArray[np.float32]:
        """Score a block of users."""
        return self.scorer.score(self._told(block))

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much each item of the history of one user adds to the scores of `columns`."""
        return self.scorer.contributions(self._told(block), columns)

    def _told(self, block: UserBlock) -> UserBlock:
        return block if self.knows_users else block.anonymous()


class _BlendScorer(Scorer):
    """The weighted sum of standardised scores."""

    def __init__(self, parts: Sequence[tuple[BlendPart, float]]) -> None:
        super().__init__(parts[0][0].scorer.n_items)
        self._parts = [(part, np.float32(weight)) for part, weight in parts]

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        total = np.zeros((block.n_users, self.n_items), dtype=np.float32)
        for part, weight in self._parts:
            total += weight * _standardised(part.score(block))
        return total

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the weighted sum of what the models say, each in units of the spread of the user's scores by it."""
        terms = np.zeros((block.history.nnz, len(columns)))
        for part, weight in self._parts:
            if (spread := float(part.score(block).std())) > 0:
                terms += weight / spread * part.contributions(block, columns)
        return terms


class _SimilarBlendScorer(_BlendScorer):
    """One with models that know how alike items are."""

    def similarities(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the weighted sum of the standardised similarities, −∞ where no model sees anything in common."""
        total = np.zeros((len(columns), self.n_items), dtype=np.float32)
        shared = np.zeros(total.shape, dtype=bool)
        own = np.arange(len(columns)), columns
        for part, weight in self._parts:
            if isinstance(part.scorer, SimilarityScorer):
                values = np.array(part.scorer.similarities(columns), dtype=np.float32)
                shared |= values > -np.inf
                values[values == -np.inf] = 0
                values[own] = (values.sum(axis=1) - values[own]) / max(self.n_items - 1, 1)  # the mean of the others
                total += weight * _standardised(values)
        total[~shared] = -np.inf
        return total


def _standardised(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale scores to mean 0 and standard deviation 1 over the items of each user; to 0 where all are equal."""
    scores -= scores.mean(axis=1, keepdims=True)
    spread = scores.std(axis=1, keepdims=True)
    scaled: NDArray[np.float32] = np.divide(scores, spread, out=np.zeros_like(scores), where=spread > 0)
    return scaled
