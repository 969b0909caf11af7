"""Recommender: what every model and baseline of aerec is."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from typing_extensions import Self

from aerec.dimensions import Space
from aerec.errors import DataError, TrainingError, warn_caller
from aerec.holdout import Holdout, as_interactions, given_validation
from aerec.id_kinds import check_storable
from aerec.ids import as_ids
from aerec.interactions import Interactions
from aerec.parameters import (
    Constraint,
    RealNumber,
    changed_choice,
    check_parameters,
    copied_parameters,
    fields_of,
    is_choice,
)
from aerec.rating_weights import weighted_counts
from aerec.recommender.codes import describe_unit, explain_units
from aerec.recommender.health import warn_of_one_list
from aerec.recommender.id_matching import History, IdMatching, check_n
from aerec.recommender.new_history import RatingScale, are_lists, histories_of
from aerec.recommender.new_items import NewItems
from aerec.recommender.saving import decode_array, encode_array, write_model
from aerec.recommender.scorer import (
    ModelScorer,
    Scorer,
    SimilarityScorer,
    UserBlock,
    VectorScorer,
    check_k,
    cosines,
    score_blocks,
)
from aerec.recommender.similar import most_similar
from aerec.sparse import CSR, column_counts
from aerec.system.memory import require_memory
from aerec.tables import as_frame_of, check_frame_kind

__all__ = [
    "History",
    "Recommender",
    "item_popularity",
    "knows_users",
    "with_new_items",
]


_TAKE_WEIGHTS = (
    "ALS, BiasedMF, BiasBaseline, Popularity, ItemKNN, PureSVD, SLIM, EASE, EDLAE, LowRankEDLAE, SparseEASE, AutoRec, "
    "and autoencoders such as MultVAE"
)


class Recommender(BaseEstimator, ABC):  # type: ignore[misc]
    """Base of all recommenders: a scikit-learn estimator from interactions to scores of items.

    A subclass writes `_fit` and `_score`, and the names of its learned arrays in `_learned`; the rest is here.

    Attributes
    ----------
    n_features_in_ : int
        Number of items.
    items_ : pandas.Index or None
        Raw ids of the items, where fitted on an `Interactions`.
    users_ : pandas.Index or None
        Raw ids of the users of the training data, in models that learn something of each user.
    popularity_ : ndarray of shape (n_items,), float32
        Share of the training users who rated each item (with weights: their sum by the number of users), in models
        that rank by it for an empty history.
    scorer_ : aerec.recommender.scorer.Scorer
        What the model has learned, as a function from a `UserBlock` to scores.
    ids_ : aerec.recommender.id_matching.IdMatching
        What the model knows of ids.
    """

    _learned: ClassVar[tuple[str, ...]] = ()
    """Names of the fitted arrays (dense or CSR) that `save` writes; those that are None are left out."""
    _knows_users: ClassVar[bool] = False
    """Whether the model learns something of each single user and so has to recognise them by id."""
    _goes_by_time: ClassVar[bool] = False
    """Whether the order of a history makes a difference, which ratings held out at random cannot show."""
    _item_rows: ClassVar[tuple[str, ...]] = ()
    """Names of the fitted arrays with a row an item that `add_items` makes rows for."""
    _takes_weights: ClassVar[bool] = False
    """Whether `_fit` reads the weights of ratings; `fit` refuses them otherwise."""
    _watches_cost: ClassVar[bool] = False
    """Whether validation data may be a matrix without targets, whose cost is watched."""
    _personal: ClassVar[bool] = True
    """Whether its lists are to depend on the user; not so of popularity, and of what predicts ratings."""
    _popularity_for_empty: ClassVar[bool] = False
    """Whether a new user with an empty history is ranked by popularity, because `_score` would give all zeros."""
    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {}
    search_space: ClassVar[Space | None] = None
    """What a search over hyper-parameters chooses from by default; None where there is no default."""

    n_features_in_: int
    items_: pd.Index[Any] | None
    users_: pd.Index[Any] | None
    popularity_: NDArray[np.float32]
    _columns_in: pd.Index[Any] | None = None
    """Columns of the frame that it was fitted on, where it was one."""
    _scale: RatingScale | None = None
    """What the values of the training data mean; None where they had no ids, or an older version saved the model."""
    _fitted_with: dict[str, Any]
    """The parameters of the last fit: `set_params` may have changed them since, what was learned is of these."""

    # ------------------------------------------------------------------ what a subclass writes

    @abstractmethod
    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        """Learn from `train`; set the learned attributes."""

    def _score(self, history: CSR, known_users: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score all items for a block of users.

        Parameters
        ----------
        history : csr_array of shape (n, n_items)
        known_users : ndarray of int64, shape (n,)
            Row of each user in the training data, −1 for a new user.

        Returns
        -------
        ndarray of shape (n, n_items), float32, finite
        """
        return self._make_scorer().score(UserBlock(history, known_users))

    # ------------------------------------------------------------------ what a user calls

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyper-parameters; with `deep`, also the fields of each choice, such as ``noise__scale``."""
        params: dict[str, Any] = super().get_params(deep)
        return params | fields_of(params) if deep else params

    def set_params(self, **params: Any) -> Self:
        """Set hyper-parameters; a field of a choice as ``noise__scale=0.2``, so that a grid can search over it.

        They count from the next fit on: a fitted model scores with those that it was fitted with, also where they act
        when it scores (the neighbours of `UserKNN`, the regularisation of a fold-in).

        Raises
        ------
        ValueError
            If there is no such hyper-parameter or field, or a field is out of its range.
        """
        own: dict[str, Any] = {}
        changes: dict[str, dict[str, Any]] = {}  # they come last: the choice itself may be set in the same call
        for key, value in params.items():
            name, _, field = key.partition("__")
            choice = params.get(name, getattr(self, name, None))
            if field and is_choice(choice):
                changes.setdefault(name, {})[field] = value
            elif field and hasattr(self, name) and not hasattr(choice, "set_params"):
                raise ValueError(f"{key}: {name} is {choice!r}, which has no {field!r}; set {name} too")
            else:
                own[key] = value
        super().set_params(**own)
        for name, values in changes.items():
            setattr(self, name, changed_choice(getattr(self, name), values))
        return self

    def fit(self, train: History, y: Any = None, *, validation: Any = None) -> Self:
        """Learn from the ratings `train`.

        Parameters
        ----------
        train : Interactions or matrix of shape (n_users, n_items)
        y : optional
            Ignored, as scikit-learn's pipelines expect; but a Holdout or a pair (history, target) is taken for
            `validation`.
        validation : Holdout or (history, target), optional
            Watched by models that learn in epochs, for early stopping; the others ignore it.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If `train` holds no ratings, ids that cannot be saved, or weights, in a model that cannot use them.
        TrainingError
            If what was learned is not finite.
        ValueError
            If a hyper-parameter is out of its range. After any of these the model is as it was.
        """
        return self._fit_copy(train, y, validation)

    @property
    def scorer_(self) -> Scorer:
        """What the model has learned, as a function from a `UserBlock` to scores.

        It goes by the parameters of the fit, whatever `set_params` has changed since.
        """
        check_is_fitted(self)
        return self._scorer()

    def _scorer(self) -> Scorer:
        """Return `scorer_` of a model that is known to be fitted."""
        fitted = self._as_fitted()
        writes_score = type(self)._score is not Recommender._score
        return fitted._score_scorer() if writes_score else fitted._make_scorer()

    @property
    def rating_scale_(self) -> RatingScale:
        """What the values of the training data mean: how a rating of someone new is read."""
        check_is_fitted(self)
        return self._scale or RatingScale.unknown()

    def block_of(
        self,
        history: History,
        exclude_seen: bool = False,
        *,
        exclude: History | None = None,
        allow_items: ArrayLike | None = None,
        block_items: ArrayLike | None = None,
    ) -> UserBlock:
        """Return the users of a history in the form that `scorer_` reads: matched by id, over the model's items.

        What is to be left out when they are ranked is said as in `rank`.
        """
        history, rejected = self._read(history)
        ids = self.ids_
        users = ids.match(history)
        left_out = [] if rejected is None else [rejected]
        if exclude_seen:
            left_out.append(users.history)
        if exclude is not None:
            left_out.append(self.block_of(exclude).history)
            if left_out[-1].shape[0] != users.n_users:
                raise DataError(f"exclude has {left_out[-1].shape[0]} users, the history {users.n_users}")
        given = allow_items is not None or block_items is not None
        barred = ids.barred(allow_items, block_items, history) if given else None
        return replace(users, left_out=left_out, barred=barred)

    def score_items(self, history: History) -> NDArray[np.float32]:
        """Score every item for every user; higher is better.

        Parameters
        ----------
        history : Interactions, dict, or matrix of shape (n_users, n_items)
            The ratings of each user, who need not have been in the training data. Items of an `Interactions` or of a
            dict ``{user: [item, …]}`` are matched by raw id; those that the model does not know are left out with a
            warning.

        Returns
        -------
        ndarray of shape (n_users, n_items), float32

        Raises
        ------
        InsufficientMemoryError
            If that array does not fit into memory; `recommend` and `rank` work in blocks and do not need it.
        """
        users = self.block_of(history)
        n_users, n_items = users.n_users, self.n_features_in_
        require_memory(
            4 * n_users * n_items,
            f"a score for each of {n_users:,} users and {n_items:,} items",
            "use recommend or rank",
        )
        scorer, scores = self.scorer_, np.empty((n_users, n_items), dtype=np.float32)
        for rows in score_blocks(n_users, n_items):
            scores[rows] = scorer.score(users.take(rows))
        return scores

    def rank(
        self,
        history: History,
        k: int = 10,
        exclude_seen: bool = True,
        *,
        exclude: History | None = None,
        allow_items: ArrayLike | None = None,
        block_items: ArrayLike | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the `k` best items of each user as arrays of column numbers and scores.

        Users are scored in blocks: memory does not grow with users × items. Of equal scores the lower column comes
        first. Where a user has fewer than `k` candidates, the rest is index −1 and score −∞.

        Parameters
        ----------
        history : Interactions, dict, or matrix of shape (n_users, n_items)
            A dict ``{user: [item, …]}`` or ``{user: {item: rating}}`` is read as the training data was: where that was
            made likes by `Interactions.binarize`, ratings from its threshold on are likes, and items rated lower are
            left out.
        k : int, default 10
        exclude_seen : bool, default True
            Leave out the items of the history.
        exclude : Interactions or matrix of shape (n_users, n_items), optional
            More items to leave out, user by user.
        allow_items, block_items : array-like, optional
            Items to choose from, and items never to show: raw ids for an `Interactions` or a dict, else column
            numbers. Those that the model does not know are left out with a warning.

        Returns
        -------
        indices : ndarray of int64, shape (n_users, k)
        scores : ndarray of float32, shape (n_users, k)
        """
        k = check_k(k)
        users = self.block_of(history, exclude_seen, exclude=exclude, allow_items=allow_items, block_items=block_items)
        return self._scorer().rank(users, k)

    @overload
    def recommend(
        self,
        history: Interactions | Mapping[Any, Any],
        k: int = 10,
        exclude_seen: bool = True,
        *,
        users: Any = None,
        allow_items: ArrayLike | None = None,
        block_items: ArrayLike | None = None,
        steer: Mapping[int, float] | None = None,
        as_frame: Literal["pandas"] = "pandas",
    ) -> pd.DataFrame: ...

    @overload
    def recommend(
        self,
        history: Interactions | Mapping[Any, Any],
        k: int = 10,
        exclude_seen: bool = True,
        *,
        users: Any = None,
        allow_items: ArrayLike | None = None,
        block_items: ArrayLike | None = None,
        steer: Mapping[int, float] | None = None,
        as_frame: str,
    ) -> Any: ...

    @overload
    def recommend(
        self,
        history: Any,
        k: int = 10,
        exclude_seen: bool = True,
        *,
        users: Any = None,
        allow_items: ArrayLike | None = None,
        block_items: ArrayLike | None = None,
        steer: Mapping[int, float] | None = None,
        as_frame: str = "pandas",
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...

    def recommend(
        self,
        history: History,
        k: int = 10,
        exclude_seen: bool = True,
        *,
        users: Any = None,
        allow_items: ArrayLike | None = None,
        block_items: ArrayLike | None = None,
        steer: Mapping[int, float] | None = None,
        as_frame: str = "pandas",
    ) -> Any:
        """Recommend the `k` best items to each user of `history`.

        Parameters
        ----------
        history : Interactions, dict, or matrix of shape (n_users, n_items)
            ``recommend(data)`` for the users of the data, ``recommend({"anna": ["SKU_1", "SKU_2"]})`` or
            ``recommend({"anna": {"SKU_1": 5, "SKU_2": 2}})`` for someone new.
        k, exclude_seen, allow_items, block_items
            As in `rank`.
        users : array-like or single id, optional
            Some of the users of an `Interactions` or a dict: raw ids, in the order wanted.
        steer : mapping of int to float, optional
            Units to turn up or down, as in `steer`.
        as_frame : {"pandas", "polars", "arrow"}, default "pandas"
            Of which library the frame is; the others need pyarrow.

        Returns
        -------
        pandas.DataFrame, or as `as_frame` says
            For an `Interactions` or a dict: columns user, item (raw ids), rank (from 1) and score, users in the order
            of the history. A user with fewer than `k` candidates has fewer rows.
        (indices, scores)
            For a matrix: the arrays of `rank`, filled up with −1 and −∞.

        Raises
        ------
        DataError
            If a user is not in `history`, or `history` is none of these.

        Warns
        -----
        UserWarning
            If users get nothing because their histories hold all items.

        Examples
        --------
        >>> from aerec.datasets import load_dataset
        >>> from aerec.models import EASE
        >>> data = load_dataset("sample").binarize(4.0)
        >>> model = EASE(l2=200.0).fit(data)
        >>> model.recommend(data, k=2, users=[7])[["user", "rank"]]
           user  rank
        0     7     1
        1     7     2
        >>> len(model.recommend({"anna": [3, 7, 10], "ben": {3: 5.0, 7: 1.0}}, k=4))
        8
        """
        check_frame_kind(as_frame)
        history = history if users is None else _some_users(history, users)
        if isinstance(history, Interactions | Mapping):
            k = check_k(k)
            check_is_fitted(self)
            k = min(k, self.n_features_in_)  # a frame is not filled up: "all of them" may be any large number
        model = self if steer is None else self.steer(steer)
        indices, scores = model.rank(history, k, exclude_seen, allow_items=allow_items, block_items=block_items)
        empty = int(np.count_nonzero(indices[:, :1] < 0))
        if empty and exclude_seen and allow_items is None and block_items is None:
            warn_caller(
                f"nothing is left to recommend to {empty:,} of {len(indices):,} users: their histories hold all items; "
                "exclude_seen=False ranks these too"
            )
        if not (isinstance(history, Interactions) or are_lists(history)):
            return indices, scores
        rows, places = np.nonzero(indices >= 0)
        ids = history.users if isinstance(history, Interactions) else pd.Index(list(history), tupleize_cols=False)
        columns = {
            "user": ids.take(rows),
            "item": self.ids_.item_ids(history).take(indices[rows, places]),
            "rank": places + 1,
            "score": scores[rows, places],
        }
        return as_frame_of(pd.DataFrame(columns), as_frame)

    def steer(self, weights: Mapping[int, float]) -> Self:
        """Return this model with some units of its code turned up or down for every user: of a `SparseCode` only.

        Raises
        ------
        ValueError
            If the model has no units to steer.
        """
        raise ValueError(f"steer: {type(self).__name__} has no units to steer; SparseCode has")

    def similar_items(self, items: Any, k: int = 10, *, as_frame: str = "pandas") -> Any:
        """Return the `k` items that are most alike to each of `items`.

        Item-item models (EASE, SLIM, ItemKNN …) give the row of their weights, what a rating of the item adds to the
        score of each other one. Models with a vector for each item give the cosine of the vectors. Items that share
        nothing with one, where a model stores no such weight or number, are not in its list.

        Parameters
        ----------
        items : array-like or single id
            Raw ids, or column numbers where the model was fitted on a matrix.
        k : int, default 10
        as_frame : {"pandas", "polars", "arrow"}, default "pandas"

        Returns
        -------
        pandas.DataFrame, or as `as_frame` says
            Columns item, similar, rank (from 1) and score, the most alike first.

        Raises
        ------
        DataError
            If an item is not known.
        ValueError
            If the model has neither item-item weights nor vectors of items.
        """
        k = check_k(k)
        check_frame_kind(as_frame)
        scorer = self.scorer_
        if not isinstance(scorer, SimilarityScorer):
            raise ValueError(
                f"{type(self).__name__} has neither vectors of items nor item-item weights, so that it cannot say what "
                'is alike; recommend({"anyone": [item]}) says what it shows to those who like an item'
            )
        columns = self.ids_.columns_of(items)
        frame = most_similar(scorer.similarities, columns, self.ids_.known_items, k, self.n_features_in_, "item")
        return as_frame_of(frame, as_frame)

    def similar_users(self, history: History, users: Any, k: int = 10, *, as_frame: str = "pandas") -> Any:
        """Return the `k` users of `history` that are most alike to each of `users`, by the cosine of their vectors.

        Parameters
        ----------
        history : Interactions or dict
            Among whom to look. They need not have been in the training data.
        users : array-like or single id
            Raw ids of some of them.
        k : int, default 10
        as_frame : {"pandas", "polars", "arrow"}, default "pandas"

        Returns
        -------
        pandas.DataFrame, or as `as_frame` says
            Columns user, similar, rank (from 1) and score, the most alike first.

        Raises
        ------
        DataError
            If a user is not in `history`.
        ValueError
            If the model has no vectors of users.
        """
        k = check_k(k)
        check_frame_kind(as_frame)
        scorer = self.scorer_
        if not isinstance(scorer, VectorScorer):
            raise ValueError(f"{type(self).__name__} has no vectors of users, so that it cannot say who is alike")
        known = self._read(history)[0]
        if not isinstance(known, Interactions):
            raise DataError("similar_users finds users by id: expected an Interactions, or {user: [item, …]}")
        rows = known.users.get_indexer(known.select_users(users).users)
        vectors = scorer.query_vectors(self.ids_.match(known))
        vectors = vectors[
            :, np.ptp(vectors, axis=0) > 0
        ]  # a column that is the same for all, such as the 1 of a bias, says nothing
        frame = most_similar(lambda some: cosines(vectors, some), rows, known.users, k, len(vectors), "user")
        return as_frame_of(frame, as_frame)

    def explain(self, history: History, item: Any, n: int | None = None) -> pd.DataFrame:
        """Say which items of one user's history speak for recommending `item`.

        The contribution of a history item is how much the score of `item` falls when it is taken out of the history;
        linear models give the exact terms of their sum instead, and a `Blend` the weighted sum of what its models say.

        Parameters
        ----------
        history : Interactions or matrix of shape (1, n_items)
        item : raw id, or column number for a matrix
        n : int, optional
            Only the `n` largest contributions.

        Returns
        -------
        pandas.DataFrame
            Columns item and contribution, the largest first.
        """
        check_n(n)
        history = self._read(history)[0]
        user = self.ids_.match(history)
        column = self.ids_.column_for_one(item, history)
        terms = self.scorer_.contributions(user, np.array([column]))[:, 0]
        order = np.lexsort((user.history.indices, -terms))[:n]
        seen = user.history.indices[order]
        return pd.DataFrame({"item": self.ids_.item_ids(history).take(seen), "contribution": terms[order]})

    def describe_code(self, unit: int, n: int = 10, activation: float = 1.0) -> pd.DataFrame:
        """Return the items that a unit of the code stands for: those whose scores rise most when it alone is active.

        For autoencoders of users, and `SparseCode`.

        Parameters
        ----------
        unit : int
            From 0.
        n : int, default 10
            Number of items.
        activation : float, default 1.0
            The value of the unit. What a unit stands for when it is negative is asked for with −1.

        Returns
        -------
        pandas.DataFrame
            Columns item (raw id, or column number for a model fitted on a matrix) and weight, the largest first:
            decode(activation · unit vector) − decode(0); of a `SparseCode` decode(c + activation · D_unit) − decode(c).
            For one hidden layer and an activation of 1 that is the unit's column of the output weights.

        Raises
        ------
        DataError
            If the model has no code of a user.
        ValueError
            If there is no such unit.
        """
        return describe_unit(self.scorer_, self.items_, unit, n, activation)

    def explain_code(self, history: History, item: Any, n: int | None = None) -> pd.DataFrame:
        """Say which units of one user's code speak for recommending `item`; `explain` says which items of the history.

        The contribution of a unit is how much the score of `item` falls when that unit is set to 0. With one hidden
        layer the contributions and the output bias sum to the score.

        Parameters
        ----------
        history : Interactions or matrix of shape (1, n_items)
        item : raw id, or column number for a matrix
        n : int, optional
            Only the `n` largest contributions.

        Returns
        -------
        pandas.DataFrame
            Columns unit, activation and contribution, the largest first; units that are 0 are left out.
        """
        history = self._read(history)[0]
        column = self.ids_.column_for_one(item, history)
        return explain_units(self.scorer_, self.ids_.match(history), column, n)

    def add_items(self, data: Interactions, items: Any = None, *, l2: float = 3.0) -> Self:
        r"""Add items that nobody has rated, by what their features have in common with those of rated items.

        Whatever the model has learned of an item (a column and a row of weights, a vector, a bias) is regressed on the
        features of the rated items, and predicted for the new ones: for the columns of weights B,

        .. math:: b_{new} = \bar b + (B - \bar b) F (F^\top F + \lambda I)^{-1} f_{new}

        with features of length 1, less their mean. Scores of the other items do not change (in a `Blend`, only their
        scale). `recommend` offers the new items from then on; `similar_items`, `explain` and `save` know them, and a
        history may hold them.

        Item-item models, `PureSVD`, `BPR`, `LowRankEDLAE`, `SparseELSA` and autoencoders with a row an item can, as can
        a `RecencyWeighted`, `SparseCode` or `Blend` of them. When the new items have ratings, fit again.

        Parameters
        ----------
        data : Interactions
            What the model was fitted on, with `item_features` of these items and of the new ones:
            ``train.with_items(train.items.union(new)).with_item_features(...)``.
        items : array-like, optional
            Raw ids of the new items; by default those that nobody has rated in `data`. Those without features are left
            out, with a warning.
        l2 : float > 0, default 3.0
            λ.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If the data have no features, or the model none of the rated items.
        ValueError
            If the model has nothing that could be predicted from features.

        References
        ----------
        Gantner, Drumond, Freudenthaler, Rendle, Schmidt-Thieme (2010). Learning attribute-to-feature mappings for
        cold-start recommendations. ICDM.

        Examples
        --------
        >>> import pandas as pd
        >>> from aerec.datasets import load_dataset
        >>> from aerec.models import EASE
        >>> likes = load_dataset("sample").binarize(4.0)
        >>> model = EASE(l2=50.0).fit(likes)
        >>> genres = pd.concat([likes.item_genres, pd.Series({9001: ("Western",)})])
        >>> model.add_items(likes.with_items(likes.items.append(pd.Index([9001]))).with_item_features(genres))
        EASE(l2=50.0)
        >>> len(model.recommend(likes, k=1, users=[7], allow_items=[9001]))
        1
        """
        check_is_fitted(self)
        if not isinstance(data, Interactions) or self.items_ is None:
            raise DataError("add_items goes by raw ids of items: fit on an Interactions, and give it one with features")
        if not RealNumber(above=0).accepts(l2):
            raise ValueError(f"l2 must be {RealNumber(above=0)}, got {l2!r}")
        self.__dict__ = self._with_new_items(NewItems.of(self.items_, data, items, float(l2))).__dict__
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model into the folder `path` (JSON + safetensors), atomically."""
        check_is_fitted(self)
        write_model(self, path)

    # ------------------------------------------------------------------ hooks with a default

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")  # scikit-learn would look at the name of every attribute

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _make_scorer(self) -> Scorer:
        """Return the scorer of the fitted model: asked of models that do not write `_score`."""
        raise NotImplementedError(f"{type(self).__name__} has to write _score, or _make_scorer")

    def _used(self, name: str) -> Any:
        """Return a parameter as it was when the model was fitted; a subclass need not name all in its `__init__`."""
        return self._fitted_with[name] if name in self._fitted_with else getattr(self, name)

    def _as_fitted(self) -> Self:
        """Return this model, or where a parameter is another than in the fit, a copy with those of the fit."""
        fitted_with = getattr(self, "_fitted_with", {})
        if all(_is_same(getattr(self, name), value) for name, value in fitted_with.items()):
            return self
        fitted = copy.copy(self)
        fitted.__dict__.update(fitted_with)
        return fitted

    def _score_scorer(self) -> Scorer:
        return ModelScorer(self._score, self.n_features_in_, self._popularity)

    def _add_learned(self, added: NewItems) -> None:
        """Give what was learned rows of new items, in new arrays."""
        if not self._item_rows:
            raise ValueError(
                f"{type(self).__name__} cannot take new items by features: take an item-item model such as EASE, a "
                "model of vectors such as PureSVD, or an autoencoder such as MultVAE"
            )
        for name in self._item_rows:
            if (rows := getattr(self, name)) is not None:
                setattr(self, name, added.rows(rows))

    def _with_new_items(self, added: NewItems) -> Self:
        """Return a copy with more items."""
        check_storable(added.items, "item")
        changed = copy.copy(self)
        changed._add_learned(added)
        changed.items_, changed.n_features_in_ = added.items, len(added.items)
        if self._popularity_for_empty:
            changed.popularity_ = np.pad(self.popularity_, (0, len(added.items) - self.n_features_in_))
        changed._check_learned()
        return changed

    def _take_in(self, train: History) -> Any:
        """Check training data, remember its ids, and return what `_fit` reads."""
        data = train if isinstance(train, Interactions) else Interactions.from_matrix(train)
        self._columns_in = train.columns if isinstance(train, pd.DataFrame) else None
        self._remember_ids(data, from_matrix=data is not train)
        if self._popularity_for_empty:
            self.popularity_ = item_popularity(data.matrix, data.weights)
        return data

    def _remember_ids(self, data: Interactions, *, from_matrix: bool) -> None:
        values = data.matrix.data
        if values.size == 0:
            raise DataError(f"{type(self).__name__} has nothing to learn from: {data} holds no ratings")
        self.n_features_in_ = data.matrix.shape[1]
        self.items_ = None if from_matrix else data.items
        self.users_ = data.users if self._knows_users and not from_matrix else None
        self._scale = RatingScale(float(values.min()), float(values.max()), data.threshold)
        for index, name in ((self.items_, "item"), (self.users_, "user")):
            if index is not None:
                check_storable(index, name)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the learned state: what JSON can hold, and arrays."""
        arrays: dict[str, NDArray[Any]] = {}
        names = [name for name in self._saved_names() if getattr(self, name) is not None]
        for name in names:
            arrays |= encode_array(getattr(self, name), name)
        return {"arrays": names}, arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `_state` gave."""
        names = self._saved_names()
        if unknown := sorted(set(header["arrays"]) - set(names)):
            raise ValueError(f"it holds {', '.join(unknown)}, which this version does not know")
        for name in names:
            array = decode_array(tensors, name)
            if array is None and name in header["arrays"]:
                raise KeyError(name)
            setattr(self, name, array)

    # ------------------------------------------------------------------ shared

    def _read(self, history: History) -> tuple[History, CSR | None]:
        """Return a history of any kind as an Interactions or a matrix, and the items that were rated too low."""
        check_is_fitted(self)
        if isinstance(history, Interactions) or not are_lists(history):
            return history, None
        lists = histories_of(history, self.ids_.known_items, self.rating_scale_)
        return lists.seen, lists.rejected

    def _fit_copy(self, train: History, y: Any, validation: Any, **options: Any) -> Self:
        """Train a copy of this model and become it: a fit that fails leaves the model as it was.

        What a training that diverged had learned before is taken over all the same.
        """
        check_parameters(self)
        self._check_weights(train)
        learner = copy.copy(self)
        learner._fitted_with = copied_parameters(self)
        data = learner._take_in(train)
        try:
            held_out = None if y is None and validation is None else learner._validation_data(y, validation)
            learner._fit(data, held_out, **options)
            learner._check_learned()
            if isinstance(held_out, Holdout):
                history, exclude = held_out.history, held_out.exclude
                if learner.items_ is not None:
                    history = history.with_items(learner.items_)
                    exclude = None if exclude is None else exclude.with_items(learner.items_)
                warn_of_one_list(learner, learner.block_of(history, exclude=exclude))
        except TrainingError as error:
            if error.records:
                self.__dict__ = learner.__dict__
            raise
        self.__dict__ = learner.__dict__
        return self

    def _check_weights(self, train: History) -> None:
        """Refuse weights that would be ignored."""
        if isinstance(train, Interactions) and train.weights is not None and not self._takes_weights:
            raise DataError(
                f"{type(self).__name__} cannot use the weights of ratings; {_TAKE_WEIGHTS} can: choose one of them, or "
                "leave the weights out with train.with_weights(None)"
            )

    def _weights_of(self, X: History) -> NDArray[np.float32] | None:
        """Return the weights of ratings over the model's items, aligned with ``block_of(X).history``."""
        if not isinstance(X, Interactions) or X.weights is None:
            return None
        return (X if self.items_ is None else X.with_items(self.items_)).weights

    def _check_learned(self) -> None:
        """Refuse learned values that are no finite numbers."""
        for name, values in self._learned_values().items():
            values = values if isinstance(values, np.ndarray) else values.data
            if values.dtype.kind == "f" and not np.isfinite([values.min(initial=0), values.max(initial=0)]).all():
                raise TrainingError(
                    f"{type(self).__name__} did not learn finite numbers ({name} holds NaN or infinite values): there "
                    "may be too few ratings for it, or ratings that are too large; scale them, or fit fewer parameters"
                )

    def _learned_values(self) -> dict[str, NDArray[Any] | CSR]:
        """Return all arrays that were learned, by name."""
        values = {name: getattr(self, name) for name in self._saved_names()}
        return {name: value for name, value in values.items() if value is not None}

    def _validation_data(self, y: Any, validation: Any) -> Any:
        """Return the validation data among the arguments of `fit`: a matrix where its cost is watched, or a Holdout.

        Its columns are those of the model, followed by items that the model does not know.
        """
        given = given_validation(y, validation)
        if isinstance(given, tuple):
            for part in given:
                self.ids_.check_columns(part)
            if self.items_ is not None and not all(isinstance(part, Interactions) for part in given):
                raise DataError("the training data has ids, the validation data have none: give Interactions")
            history, target = map(as_interactions, given)
            given = Holdout(history, target)
        if isinstance(given, Holdout):
            return self.ids_.aligned(given)
        return given if self._watches_cost else None

    @property
    def ids_(self) -> IdMatching:
        """What the model knows of ids: its items are columns."""
        return IdMatching(type(self).__name__, self.n_features_in_, self.items_, self.users_, self._columns_in)

    @property
    def _popularity(self) -> NDArray[np.float32] | None:
        return self.popularity_ if self._popularity_for_empty else None

    def _saved_names(self) -> tuple[str, ...]:
        return (*self._learned, "popularity_") if self._popularity_for_empty else self._learned


def _is_same(value: Any, before: Any) -> bool:
    """Whether a hyper-parameter surely is what it was: for a list or a model the answer is no."""
    return value is before or (
        isinstance(value, bool | int | float | str) and type(value) is type(before) and value == before
    )


def _some_users(history: History, users: Any) -> History:
    """Return some of the users of an Interactions or a dict."""
    if isinstance(history, Interactions):
        return history.select_users(users)
    if not are_lists(history):
        raise DataError(
            "users= picks users by id from an Interactions or a dict {user: [item, …]}; take rows of a matrix yourself"
        )
    wanted = as_ids(users).tolist()
    if unknown := [user for user in wanted if user not in history]:
        raise DataError(f"unknown user {unknown[0]!r}: not among the {len(history):,} users of the dict")
    return {user: history[user] for user in wanted}


def item_popularity(matrix: CSR, weights: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return the share of the users (rows) who rated each item (column), or Σw / n_users; shape (n_items,)."""
    counts = column_counts(matrix) if weights is None else weighted_counts(matrix, weights)
    return (counts / matrix.shape[0]).astype(np.float32)


def knows_users(model: Recommender) -> bool:
    """Whether a model learns something of each single user, and so does better on users it was trained on."""
    return bool(model._knows_users)


def goes_by_time(model: Recommender) -> bool:
    """Whether the order of a history makes a difference to a model."""
    return model._goes_by_time


def with_new_items(model: Recommender, added: NewItems) -> Recommender:
    """Return a copy of a fitted model with more items, for models that are made of others."""
    return model._with_new_items(added)
