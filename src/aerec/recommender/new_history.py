"""Someone new becomes a history in this one place, which Python, the command line and HTTP share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.errors import DataError, warn_caller
from aerec.ids import as_ids, places_of
from aerec.interactions import Interactions
from aerec.sparse import CSR


@dataclass(frozen=True)
class RatingScale:
    """What the values that a model was trained on mean; so it sees the rating of someone new as it saw the others.

    Parameters
    ----------
    low, high : float
        The lowest and the highest value of the training data.
    threshold : float, optional
        Of `Interactions.binarize`: ratings from here on were likes, the others were left out. Without one, every
        rating above 0 is a like.
    counts : bool
        Whether values are log(1 + count).

    Examples
    --------
    >>> from aerec.recommender.new_history import RatingScale
    >>> likes, stars = RatingScale(1.0, 1.0, threshold=4), RatingScale(1.0, 5.0)
    >>> [likes.seen(5), likes.seen(1), likes.seen(None)]
    [1.0, 0.0, 1.0]
    >>> [stars.seen(3.5), stars.seen(None)]
    [3.5, 5.0]
    """

    low: float = 1.0
    high: float = 1.0
    threshold: float | None = None
    counts: bool = False

    @classmethod
    def of(cls, data: Interactions, threshold: float | None = None, counts: bool = False) -> RatingScale:
        """Return the scale of training data."""
        values = data.matrix.data
        if values.size == 0:
            return cls(threshold=threshold, counts=counts)
        return cls(float(values.min()), float(values.max()), threshold, counts)

    @classmethod
    def unknown(cls) -> RatingScale:
        """Return the scale of a model that was saved without one: a like is 1, ratings are taken as they are."""
        return cls(-math.inf, math.inf)

    @property
    def likes(self) -> bool:
        """Whether the model learned from likes alone, so that a rating only says whether it is one."""
        return self.low == self.high and not self.counts

    def seen(self, rating: float | None) -> float:
        """Return what the model sees of a rating; 0: nothing.

        Parameters
        ----------
        rating : float or None
            None: liked, or rated highest; of counts, counted once.

        Raises
        ------
        DataError
            If it is not a finite number, or outside of the scale.
        """
        if rating is None:
            return math.log1p(1) if self.counts else self.high if math.isfinite(self.high) else 1.0
        return float(self.seen_of(np.array([rating], dtype=np.float64))[0])

    def seen_of(self, ratings: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the model sees of each of `ratings`; 0: nothing.

        Raises
        ------
        DataError
            If one is not a finite number, or outside of the scale; names the first.
        """
        _refuse(ratings, ~np.isfinite(ratings), "the rating {:g} is not a finite number")
        if self.counts:
            _refuse(ratings, ratings < 0, "{:g} is no count; this model learned from counts")
            return np.log1p(ratings)
        if self.likes:
            likes = ratings > min(0.0, self.low - 1) if self.threshold is None else ratings >= self.threshold
            return np.where(likes, self.high, 0.0)
        scale = f"{self.low:g} to {self.high:g}"
        outside = (ratings < self.low) | (ratings > self.high)
        _refuse(ratings, outside, f"rating {{:g}} is outside of the scale of this model, {scale}")
        return ratings


def _refuse(ratings: NDArray[np.float64], bad: NDArray[np.bool_], message: str) -> None:
    if bad.any():
        raise DataError(message.format(ratings[int(np.argmax(bad))]))


@dataclass(frozen=True)
class NewHistories:
    """Users of whom nothing but lists of items is known.

    Attributes
    ----------
    seen : Interactions
        What the model sees of each user, in the order given. Its timestamps are the places in the lists.
    rejected : csr_array of shape (n_users, n_items)
        Items that were rated below the threshold: the model does not see them, and they are not recommended.
    unknown : list
        Ids that are not among the items, each once.
    """

    seen: Interactions
    rejected: CSR
    unknown: list[Any]


def histories_of(given: Mapping[Any, Any], items: pd.Index[Any], scale: RatingScale) -> NewHistories:
    """Return what people have liked or rated as histories.

    Parameters
    ----------
    given : mapping of user to items
        Of each user an iterable of item ids, the likes, or a mapping from item id to rating (None: a like). An item
        that a list names twice counts once. A set has no order: its items are in one place.
    items : pandas.Index
        The items that the model knows.
    scale : RatingScale
        Of the training data.

    Raises
    ------
    DataError
        If a rating does not fit the scale, or items are given and none of them is known.

    Warns
    -----
    UserWarning
        If items are not known: they are left out.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec.recommender.new_history import RatingScale, histories_of
    >>> given = {"anna": ["tea", "cup"], "ben": {"cup": 5, "pot": 1}}
    >>> histories = histories_of(given, pd.Index(["cup", "pot", "tea"]), RatingScale(1, 1, threshold=4))
    >>> histories.seen.matrix.toarray()
    array([[1., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    >>> histories.rejected.toarray()
    array([[0., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    entries = [(row, *entry) for row, history in enumerate(given.values()) for entry in _entries(history)]
    ids = as_ids([item for _, item, _ in entries])
    columns = places_of(ids, items)
    unknown = [*dict.fromkeys(ids[columns < 0])]
    if unknown and len(unknown) == len(set(ids)):
        raise DataError(f"no item of the history is known: {_such_as(unknown[0], items)}")
    if unknown:
        many = f"{len(unknown):,} items" if len(unknown) > 1 else "1 item"
        warn_caller(f"{many} left out of the history: {_such_as(unknown[0], items)}")
    rows = np.array([row for row, _, _ in entries], dtype=np.int64)[columns >= 0]
    values = [scale.seen(rating) for (_, _, rating), column in zip(entries, columns, strict=True) if column >= 0]
    shape = (len(given), len(items))
    users: pd.Index[Any] = pd.Index(list(given), tupleize_cols=False)
    seen, rejected, places = _matrices(rows, columns[columns >= 0], np.array(values, dtype=np.float32), shape)
    unordered = np.array([isinstance(history, Set) for history in given.values()], dtype=bool)
    places[np.repeat(unordered, np.diff(seen.indptr))] = 0
    return NewHistories(Interactions(seen, users, items, places), rejected, unknown)


def are_lists(history: Any) -> TypeGuard[Mapping[Any, Any]]:
    """Whether `history` maps users to items; SciPy's DOK matrices are dicts, too, and hold something else."""
    return isinstance(history, Mapping) and not sp.issparse(history)


def known_ids(ids: Any, items: pd.Index[Any], what: str, *, needed: bool = False) -> NDArray[np.int64]:
    """Return the columns of those of `ids` that are among `items`; one warning says how many are not.

    Parameters
    ----------
    ids : array-like
    items : pandas.Index
    what : str
        How the caller calls them, for the warning.
    needed : bool, default False
        Whether to raise a DataError if there are ids and none of them is known.
    """
    wanted = as_ids(ids)
    columns = places_of(wanted, items)
    if (columns < 0).any():
        first = wanted[columns < 0].tolist()[0]
        if needed and (columns < 0).all():
            raise DataError(f"no item of {what} is known: {_such_as(first, items)}")
        warn_caller(
            f"{np.count_nonzero(columns < 0):,} of {len(wanted):,} items of {what} left out: {_such_as(first, items)}"
        )
    return columns[columns >= 0]


def refuse_lists(history: Any) -> None:
    """Refuse what is neither users nor a matrix of them, and say what is understood."""
    if isinstance(history, list | tuple):
        is_matrix = len(history) > 0 and all(isinstance(row, list | tuple | np.ndarray) for row in history)
    else:
        is_matrix = not (np.isscalar(history) or isinstance(history, set | frozenset))
        is_matrix = is_matrix and getattr(history, "ndim", 2) == 2
    if is_matrix:
        return
    article = "an" if type(history).__name__ == "ndarray" else "a"
    row = "; reshape(1, -1) makes one row a matrix" if getattr(history, "ndim", 2) == 1 else ""
    raise DataError(
        f"{article} {type(history).__name__} does not say whose history it is; expected an Interactions "
        "(of some of its users: data.select_users(ids)), "
        '{"anna": ["item", "item"]}, {"anna": {"item": rating}}, or a matrix of shape (n_users, n_items)' + row
    )


def _such_as(unknown: Any, items: pd.Index[Any]) -> str:
    """Say of an unknown item what known ones look like."""
    known = items[:1].tolist()
    hint = f"; known ones are such as {known[0]!r}" if known else ""
    other = f", of type {type(known[0]).__name__}" if known and type(known[0]) is not type(unknown) else ""
    return f"the model was not trained on item {unknown!r}{hint}{other}"


def _entries(history: Any) -> list[tuple[Any, float | None]]:
    """Return items with their ratings; None for a like."""
    if isinstance(history, Mapping):
        return [(item, None if rating is None else _number(rating, item)) for item, rating in history.items()]
    try:
        if isinstance(history, Iterable):  # text is a single id
            return [(item, None) for item in dict.fromkeys(as_ids(history))]
    except TypeError as error:  # an id that is a list
        raise DataError(f"an id of the history of a user is no id: {error}") from None
    raise TypeError(
        f"the history of a user is a list of items or a dict from item to rating, got {type(history).__name__}"
    )


def _number(rating: Any, item: Any) -> float:
    if isinstance(rating, str | bytes | bool | np.bool_):  # float("1_0") is 10
        raise DataError(f"the rating {rating!r} of item {item!r} is not a number; None is a like")
    try:
        return float(rating)
    except (TypeError, ValueError):
        raise DataError(f"the rating {rating!r} of item {item!r} is not a number; None is a like") from None


def _matrices(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float32], shape: tuple[int, int]
) -> tuple[CSR, CSR, NDArray[np.int64]]:
    """Return what is seen, what is rejected, and the places in the lists of what is seen."""
    order = np.lexsort((columns, rows))
    seen = order[values[order] != 0]
    starts = np.searchsorted(rows, np.arange(shape[0] + 1))
    places = seen - starts[rows[seen]]
    matrix: CSR = sp.csr_array((values[seen], columns[seen], _indptr(rows[seen], shape[0])), shape=shape)
    matrix.has_canonical_format = True
    out = order[values[order] == 0]
    ones = np.ones(len(out), dtype=np.float32)
    rejected: CSR = sp.csr_array((ones, columns[out], _indptr(rows[out], shape[0])), shape=shape)
    return matrix, rejected, places


def _indptr(rows: NDArray[np.int64], n_rows: int) -> NDArray[np.int64]:
    return np.searchsorted(rows, np.arange(n_rows + 1)).astype(np.int64)
