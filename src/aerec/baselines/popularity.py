"""Popularity: the same list for everyone."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aerec.dimensions import Space
from aerec.interactions import Interactions
from aerec.recommender.base import Recommender, item_popularity
from aerec.sparse import CSR
from aerec.splitting import Holdout


class Popularity(Recommender):
    """Score of an item = share of the training users who rated it; the same for every user.

    The least that a personalised model has to beat.

    Attributes
    ----------
    popularity_ : ndarray of shape (n_items,), float32

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import Popularity
    >>> model = Popularity().fit(csr_array([[1, 1, 0], [0, 1, 0]]))
    >>> model.score_items(csr_array([[1, 0, 0]]))
    array([[0.5, 1. , 0. ]], dtype=float32)
    """

    search_space: ClassVar[Space] = {}

    _learned = ("popularity_",)
    _takes_weights = True
    _personal = False

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        self.popularity_ = item_popularity(train.matrix, train.weights)

    def _score(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.tile(self.popularity_, (history.shape[0], 1))
