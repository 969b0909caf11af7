"""UserKNN: what users with a like history have rated."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aerec.closed_form.neighbours import RowIndex
from aerec.dimensions import Choice, Number, Space, Whole
from aerec.interactions import Interactions
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.recommender.base import Recommender
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.sparse import CSR
from aerec.splitting import Holdout


class UserKNN(Recommender):
    r"""User-based neighbours: score of j = Σ over the `k` training users v nearest to the history of sim(u, v) · x_vj.

    .. math:: \operatorname{sim}(u, v) = \frac{x_u \cdot x_v}{\|x_u\| \|x_v\| + s} \;\text{(cosine)}, \qquad
              \frac{|u \cap v|}{|u \cup v| + s} \;\text{(jaccard)}

    The training matrix is kept (sparse); a new user is compared to it like any other. A training user, recognised by
    id, is not a neighbour of his own. An empty history is ranked by popularity.

    Parameters
    ----------
    k : int, default 100
        Neighbours that count.
    shrinkage : float ≥ 0, default 10.0
        s, in the unit of x · x (for implicit feedback: items).
    similarity : {"cosine", "jaccard"}, default "cosine"
        "jaccard" finds the neighbours by which items were rated; their ratings count in the score as they are.

    Attributes
    ----------
    ratings_ : csr_array of shape (n_users, n_items), float32
        The training data.

    References
    ----------
    Resnick et al. (1994). GroupLens: an open architecture for collaborative filtering of netnews. CSCW.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import UserKNN
    >>> model = UserKNN(k=1, shrinkage=0.0).fit(csr_array([[1, 1, 0], [0, 1, 1]]))
    >>> model.score_items(csr_array([[1, 0, 0]])).round(2)
    array([[0.71, 0.71, 0.  ]], dtype=float32)
    """

    _learned = ("ratings_",)
    _knows_users = True
    _popularity_for_empty = True
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "k": [WholeNumber(1)],
        "shrinkage": [RealNumber(at_least=0)],
        "similarity": [OneOf(("cosine", "jaccard"))],
    }

    _index: tuple[CSR, str, RowIndex] | None = None

    search_space: ClassVar[Space] = {
        "k": Whole(10, 500, log=True),
        "shrinkage": Number(0.0, 300.0),
        "similarity": Choice(("cosine", "jaccard")),
    }

    def __init__(self, k: int = 100, shrinkage: float = 10.0, similarity: str = "cosine") -> None:
        self.k = k
        self.shrinkage = shrinkage
        self.similarity = similarity

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        self.ratings_ = train.matrix

    def _make_scorer(self) -> Scorer:
        return _NeighbourScorer(self._training_rows(), self.ratings_, self.k, self.shrinkage, self._popularity)

    def _training_rows(self) -> RowIndex:
        """Return the training data prepared for comparisons, which is made once."""
        made_of = self.ratings_, self.similarity
        if self._index is None or self._index[0] is not made_of[0] or self._index[1] != made_of[1]:
            self._index = (*made_of, RowIndex(*made_of))
        return self._index[2]


class _NeighbourScorer(Scorer):
    """Scores by the ratings of the nearest users."""

    def __init__(
        self, users: RowIndex, ratings: CSR, k: int, shrinkage: float, popularity: NDArray[np.float32] | None
    ) -> None:
        super().__init__(ratings.shape[1], popularity)
        self._users, self._ratings, self._k, self._shrinkage = users, ratings, k, shrinkage

    def _scores(self, block: UserBlock) -> NDArray[np.float32]:
        neighbours = self._users.nearest(block.history, self._k, self._shrinkage, exclude=block.known_users)
        return (neighbours @ self._ratings).toarray()

    def contributions(self, block: UserBlock, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how much a score falls when an item is left out of the history: the neighbours may be others."""
        ratings, wanted = self._ratings[:, columns].astype(np.float64), (self._k, self._shrinkage)
        whole = self._users.nearest(block.history, *wanted, exclude=block.known_users) @ ratings
        without = self._users.nearest_without_each(block.history, *wanted, exclude=int(block.known_users[0])) @ ratings
        return whole.toarray() - without.toarray()
