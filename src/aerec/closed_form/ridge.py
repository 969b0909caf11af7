"""Ridge regressions of every item on the others, exact and in closed form; see `updates` for their exact updates."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from typing_extensions import Self

from aerec.closed_form.gram import gram_matrix, invert_gram, scale_symmetric
from aerec.closed_form.item_item import ItemItemRecommender
from aerec.closed_form.penalties import used_l2
from aerec.closed_form.updates import change_users, inverse_of_weights, summed_weights, update_inverse
from aerec.closed_form.user_side import MixedItems, UserSideScorer, inverse_diagonal, user_kernel
from aerec.errors import DataError
from aerec.id_kinds import refuse_other_kind
from aerec.interactions import Interactions
from aerec.item_features import features_to_weigh
from aerec.parameters import Constraint, OneOf
from aerec.rating_weights import root_weighted, weighted_counts
from aerec.recommender.base import History
from aerec.recommender.new_items import NewItems
from aerec.recommender.scorer import Scorer
from aerec.sparse import CSR, column_counts, row_sums, scaled, squares, with_values
from aerec.splitting import Holdout

_MANY_ITEMS = 8_000  # With this many items "auto" looks at the side of the users: weights of 256 MB

_Over: TypeAlias = tuple[CSR, NDArray[np.float64]]  # histories, and the sum of the weights of each item

SOLVER: list[Constraint] = [OneOf(["auto", "items", "users"])]
"""From which side the regression is solved."""


class RidgeRecommender(ItemItemRecommender):
    r"""Base of `EASE` and `EDLAE`: score = x · B with the ridge regression B of every item on all others.

    .. math:: B = N^{\alpha} \Big(I - P \cdot \operatorname{diagMat}(\gamma)\Big) N^{-\alpha},
              \qquad P = (X^\top D^{-\beta} X + \Lambda)^{-1}, \quad \gamma_j = \max(\Lambda_{jj}, (1 - \xi) / P_{jj})

    with the numbers of ratings of the items, N, and of the users, D. It is what `partial_fit` and `replace_users` need
    that the diagonal of P is kept: together with B it is P. From the side of the users, P follows from the ratings and
    :math:`K = (I + X \Lambda^{-1} X^\top)^{-1}`, see `user_kernel`.

    Attributes
    ----------
    weights_ : ndarray of shape (n_items, n_items), float32
        B. From the side of the users it is made anew whenever it is asked for.
    ratings_ : csr_array of shape (n_items, n_users), float32, or None
        From the side of the users, Xᵀ of the training data.
    kernel_ : ndarray of shape (n_users, n_users), float32, or None
        From the side of the users, K.
    l2_ : float
        The penalty that was used.
    inverse_diagonal_, ridge_ : ndarray of shape (n_items,), float32
        The diagonals of P and of Λ.
    item_counts_ : ndarray of shape (n_items,), int64
        N, the number of users who rated each item.
    n_users_ : ndarray of shape (1,), int64
        How many users it has learned from.
    """

    _learned: ClassVar[tuple[str, ...]] = (
        *("weights_", "ratings_", "kernel_", "mixed_columns_", "mixed_shares_"),
        *("inverse_diagonal_", "ridge_", "item_counts_", "n_users_"),
    )
    _takes_weights = True

    solver: str
    l2: float | str
    item_norm: float
    user_norm: float
    diagonal: float
    feature_weight: float

    ratings_: CSR | None = None
    kernel_: NDArray[np.float32] | None = None
    mixed_columns_: NDArray[np.int64] | None = None
    mixed_shares_: NDArray[np.float32] | None = None
    l2_: float
    inverse_diagonal_: NDArray[np.float32]
    ridge_: NDArray[np.float32]
    item_counts_: NDArray[np.int64]
    n_users_: NDArray[np.int64]

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        X = self._weighted(root_weighted(train.matrix, train.weights))
        self.l2_ = used_l2(self.l2, X)
        counts, n_users = column_counts(X), train.shape[0]
        rows = self._with_features(X, train)
        if self._by_users(*rows.shape):
            self._learn_by_users(rows.T.tocsr(), counts, n_users)
            return
        advice = "use ELSA, or keep fewer items: filter(min_per_item=...)"
        if 2 * rows.shape[0] <= rows.shape[1]:
            advice = 'take solver="users", ' + advice
        gram = gram_matrix(rows, advice=advice, upper=True)
        ridge = (self._dropped() * np.diagonal(gram) + self.l2_).astype(np.float32)
        diagonal = invert_gram(gram, ridge)
        self._learn_from(gram, diagonal, ridge, counts, n_users)

    def partial_fit(self, X: History, y: Any = None) -> Self:
        """Learn from more users, as if they had been in the training data; on a model that is not fitted, `fit`.

        The result is that of a fit on all users together, up to rounding, with the penalty `l2_` of the first fit. Of
        the earlier users only the weights are needed. Unknown items of an `Interactions` are added to the catalogue,
        behind those that are there.

        What `add_items` made of items that nobody has rated is lost: call it again.

        Without dropout, of fewer users than half of the items, it takes n_items² · n_users operations; otherwise about
        as many as two fits, and no data of earlier users. Another matrix of the size of the weights is held meanwhile.
        From the side of the users, which holds the ratings, it is a fit of all of them.

        Parameters
        ----------
        X : Interactions or matrix of shape (n_users, n_items)
            Users that the model has not learned from yet.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If the model was saved by version 0.1, which did not keep what is needed, or has a `feature_weight`.
        """
        if not hasattr(self, "n_users_"):
            return self.fit(X)
        return self._change(None, X)

    def replace_users(self, old: History, new: History | None = None) -> Self:
        """Forget the histories `old` of users, and learn `new` ones in their place; see `partial_fit`.

        Without `new` the users leave: what remains is, up to rounding, a model that has never seen them.

        Give each user once. From the side of the users a history that is not there is always refused. Weights alone
        show it only where what is left could be of no users at all: some item with less than no ratings or more than
        there are users, or a Gram matrix with a negative eigenvalue.

        Parameters
        ----------
        old : Interactions or matrix of shape (n_users, n_items)
            Histories that the model has learned from, exactly as they were.
        new : Interactions or matrix of shape (m_users, n_items), optional
            What comes in their place, of the same users or others.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If `old` cannot have been among what was learned.
        """
        check_is_fitted(self)
        return self._change(old, new)

    @property
    def weights_(self) -> NDArray[np.float32]:
        """B; from the side of the users made anew whenever it is asked for."""
        if self.kernel_ is not None:
            return self._user_side().weights()
        if "weights_" not in self.__dict__:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet, and has no weights_")
        held: NDArray[np.float32] = self.__dict__["weights_"]
        return held

    @weights_.setter
    def weights_(self, weights: NDArray[np.float32] | CSR) -> None:
        self.__dict__["weights_"] = weights

    def _make_scorer(self) -> Scorer:
        return super()._make_scorer() if self.kernel_ is None else self._user_side()

    def _saved_names(self) -> tuple[str, ...]:
        return tuple(name for name in super()._saved_names() if name != "weights_" or self.kernel_ is None)

    def _add_learned(self, added: NewItems) -> None:
        if self.ratings_ is None:
            super()._add_learned(added)
        else:
            mixed = MixedItems.of(added, self.ratings_.shape[0], self._mixed())
            self.mixed_columns_, self.mixed_shares_ = mixed.columns, mixed.shares
        if self._of_version_01():
            return
        n_more = len(added.items) - self.n_features_in_
        self.inverse_diagonal_ = np.pad(self.inverse_diagonal_, (0, n_more), constant_values=1 / np.float32(self.l2_))
        self.ridge_ = np.pad(self.ridge_, (0, n_more), constant_values=np.float32(self.l2_))
        self.item_counts_ = np.pad(self.item_counts_, (0, n_more))

    # ------------------------------------------------------------------ what differs between EASE and EDLAE

    def _dropped(self) -> float:
        """Return p / (1 − p), by which the diagonal of XᵀX is added to Λ."""
        return 0.0

    # ------------------------------------------------------------------ fit and update

    def _weighted(self, X: CSR) -> CSR:
        """Return D^(−β/2) X."""
        if self._used("user_norm") == 0:
            return X
        lengths = np.maximum(np.diff(X.indptr), 1).astype(np.float64) ** (-float(self._used("user_norm")) / 2)
        return scaled(X, lengths, np.ones(X.shape[1]))

    def _with_features(self, X: CSR, train: Interactions) -> CSR:
        """Return the rows of X, followed by those of √w · Fᵀ: XᵀX of the result is XᵀX + w FFᵀ."""
        weight = float(self._used("feature_weight"))
        if weight == 0:
            return X
        features: CSR = features_to_weigh(train.item_features, weight).T.tocsr()
        values = (features.data * math.sqrt(weight)).astype(np.float32)
        stacked: CSR = sp.vstack([X, with_values(features, values)], format="csr")
        return stacked

    def _learn_from(
        self,
        inverse: NDArray[np.float32],
        inverse_diagonal: NDArray[np.float32],
        ridge: NDArray[np.float32],
        counts: NDArray[np.int64],
        n_users: int,
    ) -> None:
        """Set the learned attributes; the upper triangle of P becomes the weights."""
        left, right, diagonal = self._scales(inverse_diagonal, ridge, counts)
        scale_symmetric(inverse, left, right, diagonal)
        self.weights_, self.inverse_diagonal_, self.ridge_ = inverse, inverse_diagonal, ridge
        self.item_counts_, self.n_users_ = counts, np.array([n_users])
        self.ratings_ = self.kernel_ = self.mixed_columns_ = self.mixed_shares_ = None

    def _by_users(self, n_rows: int, n_items: int) -> bool:
        """Say whether to learn from the side of the users, here the rows of all that is regressed on."""
        if self._used("solver") == "auto":
            return n_items >= _MANY_ITEMS and 2 * n_rows <= n_items
        return bool(self._used("solver") == "users")

    def _learn_by_users(self, ratings: CSR, counts: NDArray[np.int64], n_users: int) -> None:
        """Set the learned attributes from Xᵀ."""
        self.ridge_ = (self._dropped() * row_sums(ratings, squares) + self.l2_).astype(np.float32)
        self.ratings_, self.item_counts_, self.n_users_ = ratings, counts, np.array([n_users])
        advice = 'take solver="items", or ELSA' if 2 * ratings.shape[0] <= ratings.shape[1] else "use ELSA"
        self.kernel_ = user_kernel(ratings, self.ridge_, advice)
        self.inverse_diagonal_ = inverse_diagonal(ratings, self.kernel_, self.ridge_)
        self.mixed_columns_ = self.mixed_shares_ = None
        self.__dict__.pop("weights_", None)

    def _user_side(self) -> UserSideScorer:
        """Return the scorer from the side of the users."""
        assert self.ratings_ is not None
        assert self.kernel_ is not None
        n = self.ratings_.shape[0]  # `add_items` may have made more
        inverse, ridge = self.inverse_diagonal_[:n], self.ridge_[:n]
        left, right, diagonal = self._scales(inverse, ridge, self.item_counts_[:n])
        own = (-left * right * (1 / ridge - inverse)).astype(np.float32)
        return UserSideScorer(
            self.ratings_, self.kernel_, left / ridge, -right / ridge, diagonal - own, self._mixed(), self._popularity
        )

    def _of_version_01(self) -> bool:
        """Say whether version 0.1 saved it, with nothing but the weights."""
        values: Any = self.inverse_diagonal_
        return values is None

    def _mixed(self) -> MixedItems | None:
        """Return the items that `add_items` has made, from the side of the users."""
        if self.mixed_columns_ is None or self.mixed_shares_ is None:
            return None
        return MixedItems(self.n_features_in_, self.mixed_columns_, self.mixed_shares_)

    def _scales(
        self, inverse_diagonal: NDArray[np.float32], ridge: NDArray[np.float32], counts: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return the factors of the rows and columns of P that make the weights, and the diagonal of these."""
        most = float(self._used("diagonal"))
        bound = np.float32(1 - most) / inverse_diagonal
        held = (bound >= ridge) | (most == 0)
        left = (np.maximum(counts, 1) ** float(self._used("item_norm"))).astype(np.float32)
        right = -np.maximum(ridge, bound) / left
        return left, right, np.where(held, np.float32(most), 1 - inverse_diagonal * ridge).astype(np.float32)

    def _change(self, old: History | None, new: History | None) -> Self:
        """Take `old` users out and `new` ones in."""
        if self._of_version_01():
            raise DataError(
                f"this {type(self).__name__} was saved by version 0.1, which cannot be updated: fit it anew"
            )
        if self._used("feature_weight") > 0:
            raise DataError(
                "a model with feature_weight cannot be updated: fit it anew on all data with their features"
            )
        items, (gone, less), (come, more) = self._over_all_items(old, new)
        n_items = gone.shape[1]
        n_more = n_items - self.n_features_in_
        counts = np.pad(self.item_counts_, (0, n_more)) - column_counts(gone) + column_counts(come)
        n_known = int(self.n_users_[0])
        n_users = n_known - gone.shape[0] + come.shape[0]
        if counts.min() < 0 or counts.sum() == 0 or n_users < 1 or counts.max() > n_users:
            raise DataError(
                "old holds more ratings, or users, than the model has learned, or has left already: give histories "
                "exactly as they were, and once"
            )
        learner = copy.copy(self)
        gone, come = self._weighted(gone), self._weighted(come)
        if self.ratings_ is not None:
            learner._learn_by_users(change_users(self.ratings_, gone, come), counts, n_users)
        else:
            inverse = learner._inverse(n_items)
            ridge = np.pad(self.ridge_, (0, n_more), constant_values=self.l2_)
            ridge = update_inverse(inverse, gone, come, ridge, self._dropped())
            learner._learn_from(inverse, np.diagonal(inverse).copy(), ridge, counts, n_users)
        learner.n_features_in_, learner.items_ = n_items, items
        weights = np.pad(summed_weights(self.popularity_, n_known, self.item_counts_), (0, n_more)) - less + more
        learner.popularity_ = (np.where(counts > 0, weights, 0) / n_users).astype(np.float32)
        learner._check_learned()
        self.__dict__ = learner.__dict__
        return self

    def _over_all_items(self, old: History | None, new: History | None) -> tuple[pd.Index[Any] | None, _Over, _Over]:
        """Return the items of the model and of `new`, and both histories over them."""
        items = self.items_
        if items is not None and isinstance(new, Interactions):
            refuse_other_kind(new.items, items, "items of the new users")
            more = new.items[items.get_indexer(new.items) < 0]
            items = items.append(more) if len(more) else items
        return items, self._over(items, old), self._over(items, new)

    def _over(self, items: pd.Index[Any] | None, history: History | None) -> _Over:
        """Return a history over `items`, nobody's where there is none, and the sums of its weights."""
        n_items = self.n_features_in_ if items is None else len(items)
        matrix: CSR = sp.csr_array(np.zeros((0, n_items), np.float32))
        weights: NDArray[np.float32] | None = None
        if items is not None and isinstance(history, Interactions):
            aligned = history.with_items(items)
            matrix, weights = aligned.matrix, aligned.weights
            if matrix.nnz < history.n_ratings:
                raise DataError("old holds ratings of items that the model does not know: it cannot forget them")
        elif history is not None:
            matrix, weights = self.block_of(history).history, self._weights_of(history)
        wide: CSR = sp.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], n_items))
        return root_weighted(wide, weights), weighted_counts(wide, weights)

    def _inverse(self, n_items: int) -> NDArray[np.float32]:
        """Return P, made of the weights and the diagonal that was kept, over the items known and new ones."""
        left, right, _ = self._scales(self.inverse_diagonal_, self.ridge_, self.item_counts_)
        inverse = inverse_of_weights(self.weights_, left, right, n_items)
        unrated = np.flatnonzero(self.item_counts_ == 0)  # `add_items` has made weights of theirs
        inverse[unrated] = inverse[:, unrated] = 0
        n_more = n_items - self.n_features_in_
        np.fill_diagonal(inverse, np.pad(self.inverse_diagonal_, (0, n_more), constant_values=1 / np.float32(self.l2_)))
        return inverse

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, arrays = super()._state()
        return {**header, "l2": self.l2_}, arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        self.l2_ = float(header.get("l2", 0.0) or self._used("l2"))
