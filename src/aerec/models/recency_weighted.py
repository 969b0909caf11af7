"""RecencyWeighted: any model that folds histories in, with what is recent counting more."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from typing_extensions import Self

from aerec.dimensions import Number, Space
from aerec.interactions import Interactions
from aerec.models.ease import EASE
from aerec.parameters import Constraint, OneOf, RealNumber
from aerec.recommender.base import Recommender, with_new_items
from aerec.recommender.new_items import NewItems
from aerec.recommender.recency import weighted_by_recency
from aerec.recommender.saving import restore_part, state_of_parts
from aerec.recommender.scorer import RatingScorer, Scorer
from aerec.splitting import Holdout


class RecencyWeighted(Recommender):
    r"""A model that is fitted as always, and asked with histories in which old ratings count less.

    .. math:: \tilde x_{ui} = x_{ui} \, 2^{-a_{ui} / h}

    with the age a of a rating and the half-life h. The age is counted from the newest rating of the user: in places
    from the end, or in days. Ratings of the same time are of the same age, the mean of their places. What people liked
    last says more about what they like next; evaluate with `LeaveLastOut` or `TemporalSplit`, which ask for that.

    A history needs times: an `Interactions` with timestamps (seconds, for days), or lists of items in their order, the
    last one the newest: a dict ``{user: [item, …]}``, a request to ``aerec serve``. In days, a list is of one day: all
    of its items count the same, as do those of a set.

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
    _goes_by_time = True

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
        return weighted_by_recency(self.model_.scorer_, self.half_life, self.unit)

    def steer(self, weights: Mapping[int, float]) -> Self:
        """Return this model with units of the code of its model turned up or down, as `SparseCode.steer`."""
        check_is_fitted(self)
        steered = copy.copy(self)
        steered.model_ = self.model_.steer(weights)
        return steered

    def _add_learned(self, added: NewItems) -> None:
        self.model_ = with_new_items(self.model_, added)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, tensors = super()._state()
        part, arrays = state_of_parts({"model": self.model_})
        return header | part, tensors | arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        self.model_ = self._unfitted()
        restore_part(self, "model", self.model_, header["model"], tensors)
