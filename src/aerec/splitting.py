"""Splitters: from interactions to training data, validation and test, deterministic by seed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.errors import DataError
from aerec.holdout import Holdout, Split, check_fraction, draw_ratings, weak_split
from aerec.interactions import Interactions
from aerec.sparse import column_counts, row_ids

__all__ = ["Holdout", "LeaveLastOut", "RandomHoldout", "Split", "StrongGeneralization", "TemporalSplit"]


@dataclass(frozen=True)
class StrongGeneralization:
    """Hold whole users out: models are trained on the others, and see a part of each held-out user's ratings.

    Of a held-out user with n ratings, ⌊(1 − fold_in) · n⌋ (at least one, where n ≥ 2) drawn at random are the target,
    the rest is the history. Training data keeps all item columns.

    Parameters
    ----------
    n_users : int
        Held-out users for validation, and as many for test.
    fold_in : float in (0, 1), default 0.8
        Share of a held-out user's ratings that goes to the history.
    seed : int, default 0
    drop_unseen_items : bool, default True
        Leave ratings of items that no training user rated out of histories and targets, as the paper does: no model
        could find them.

    References
    ----------
    Liang, Krishnan, Hoffman, Jebara (2018). Variational autoencoders for collaborative filtering. WWW.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100, seed=42).split(load_dataset("sample"))
    >>> split.train.shape, split.test.history.shape
    ((800, 600), (100, 600))
    """

    n_users: int
    fold_in: float = 0.8
    seed: int = 0
    drop_unseen_items: bool = True

    def __post_init__(self) -> None:
        if self.n_users < 1:
            raise ValueError(f"n_users must be at least 1, got {self.n_users}")
        check_fraction("fold_in", self.fold_in)

    def split(self, interactions: Interactions | Any) -> Split:
        """Split `interactions`, or a matrix of shape (n_users, n_items).

        Raises
        ------
        DataError
            If fewer than 2 · n_users + 1 users are there.
        """
        interactions = _as_interactions(interactions)
        total = interactions.shape[0]
        if 2 * self.n_users >= total:
            raise DataError(
                f"holding out 2 x {self.n_users:,} users of {total:,} leaves none to train on; choose n_users of at "
                f"most {max((total - 1) // 2, 0):,}"
            )
        rng = np.random.default_rng(self.seed)
        order = rng.permutation(total)
        n = self.n_users
        validation, test, train = (np.sort(part) for part in (order[:n], order[n : 2 * n], order[2 * n :]))
        trained = interactions.take_users(train)
        seen = column_counts(trained.matrix) > 0

        def hold_out(rows: NDArray[np.int64]) -> Holdout:
            users = interactions.take_users(rows)
            if self.drop_unseen_items:
                users = users.keep(seen[users.matrix.indices])
            target = draw_ratings(users, 1 - self.fold_in, rng, per_user=True)
            return Holdout(users.keep(~target), users.keep(target))

        return Split(trained, hold_out(validation), hold_out(test))


@dataclass(frozen=True)
class RandomHoldout:
    """Hold single ratings out at random, for rating prediction or for users who are known.

    Parameters
    ----------
    fraction : float in (0, 1), default 0.1
        Share of all ratings that is for test.
    validation_fraction : float in [0, 1), default 0.1
        Share of the others that is for validation; 0 for none.
    seed : int, default 0
    per_user : bool, default False
        Draw that share of each user's ratings (rounded down, at least one of two), instead of over all ratings.

    Notes
    -----
    The test history is the training part; the validation part is in ``test.exclude``.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import RandomHoldout
    >>> data = load_dataset("sample")
    >>> split = RandomHoldout(fraction=0.2, validation_fraction=0.0, seed=1).split(data)
    >>> split.test.target.n_ratings == round(0.2 * data.n_ratings)
    True
    """

    fraction: float = 0.1
    validation_fraction: float = 0.1
    seed: int = 0
    per_user: bool = False

    def __post_init__(self) -> None:
        check_fraction("fraction", self.fraction)
        check_fraction("validation_fraction", self.validation_fraction, zero=True)

    def split(self, interactions: Interactions | Any) -> Split:
        """Split `interactions`, or a matrix of shape (n_users, n_items)."""
        interactions = _as_interactions(interactions)
        rng = np.random.default_rng(self.seed)
        test = draw_ratings(interactions, self.fraction, rng, per_user=self.per_user)
        rest, parts = interactions.keep(~test), [interactions.keep(test)]
        if self.validation_fraction:
            chosen = draw_ratings(rest, self.validation_fraction, rng, per_user=self.per_user)
            parts = [rest.keep(chosen), *parts]
            rest = rest.keep(~chosen)
        return weak_split(rest, *parts)


@dataclass(frozen=True)
class LeaveLastOut:
    """Hold out the last rating of each user for test, and the one before for validation.

    Among ratings of the same time the order is drawn at random; a warning says how many users that concerns. Users with
    one rating (two, with validation) stay in the training data whole. The test history is all that came before,
    validation included.

    Parameters
    ----------
    validation : bool, default True
    seed : int or None, default 0
        Of the order among ratings of the same time. None: the item in the higher column counts as later, as in version
        0.1. Columns are in the order of ids, which says something of an item: in MovieLens later ids are less popular.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import LeaveLastOut
    >>> split = LeaveLastOut().split(load_dataset("sample"))
    >>> int(split.test.target.matrix.sum(axis=1).astype(bool).sum()) == split.test.target.n_ratings
    True
    """

    validation: bool = True
    seed: int | None = 0

    def split(self, interactions: Interactions | Any) -> Split:
        """Split `interactions`, or a matrix of shape (n_users, n_items).

        Raises
        ------
        DataError
            If the ratings have no timestamps.
        """
        interactions = _as_interactions(interactions)
        times = _timestamps(interactions, type(self).__name__)
        matrix, n = interactions.matrix, interactions.n_ratings
        draws = np.arange(n) if self.seed is None else np.random.default_rng(self.seed).random(n)
        order = np.lexsort((draws, times, row_ids(matrix)))
        n_held_out = 2 if self.validation else 1
        users = np.flatnonzero(np.diff(matrix.indptr) > n_held_out)
        last = order[matrix.indptr[users + 1][:, None] - 1 - np.arange(n_held_out + 1)]  # of each user, latest first
        self._tell_of_ties(times[last])
        test, validation = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        test[last[:, 0]] = True
        if self.validation:
            validation[last[:, 1]] = True
        return _chronological_split(interactions, validation, test, self.validation)

    def _tell_of_ties(self, last: NDArray[Any]) -> None:
        n_tied = int(np.count_nonzero((last[:, 1:] == last[:, :-1]).any(axis=1)))
        if n_tied:
            rule = "the higher column counts as later" if self.seed is None else f"drawn by seed {self.seed}"
            warnings.warn(
                f"{n_tied:,} of {len(last):,} users made their last ratings at the same time: which is held out "
                f"is not known from the data ({rule})",
                stacklevel=3,
            )


@dataclass(frozen=True)
class TemporalSplit:
    """Cut time twice: what came first is for training, then validation, the latest for test.

    Ratings of the same timestamp are never divided: the later part takes them all. Users without a rating before the
    cut have an empty history. The test history is all that came before, validation included.

    Parameters
    ----------
    validation_fraction : float in [0, 1), default 0.1
        Share of all ratings; 0 for none.
    test_fraction : float in (0, 1), default 0.1

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import TemporalSplit
    >>> split = TemporalSplit(0.1, 0.2).split(load_dataset("sample"))
    >>> bool(split.train.timestamps.max() < split.test.target.timestamps.min())
    True
    """

    validation_fraction: float = 0.1
    test_fraction: float = 0.1

    def __post_init__(self) -> None:
        check_fraction("validation_fraction", self.validation_fraction, zero=True)
        check_fraction("test_fraction", self.test_fraction)
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction leave nothing to train on")

    def split(self, interactions: Interactions | Any) -> Split:
        """Split `interactions`, or a matrix of shape (n_users, n_items).

        Raises
        ------
        DataError
            If the ratings have no timestamps, or too few different ones.
        """
        interactions = _as_interactions(interactions)
        times = _timestamps(interactions, type(self).__name__)
        ordered = np.sort(times)
        n = len(ordered)
        if n == 0:
            raise DataError("there are no ratings to divide")
        held_out = self.validation_fraction + self.test_fraction
        begins_test = ordered[min(n - round(n * self.test_fraction), n - 1)]
        begins_validation = ordered[min(n - round(n * held_out), n - 1)] if self.validation_fraction else begins_test
        test = times >= begins_test
        validation = (times >= begins_validation) & ~test
        if (test | validation).all() or (self.validation_fraction and not validation.any()):
            raise DataError("the timestamps are too much alike to be cut in time; use RandomHoldout")
        return _chronological_split(interactions, validation, test, self.validation_fraction > 0)


def _as_interactions(data: Interactions | Any) -> Interactions:
    return data if isinstance(data, Interactions) else Interactions.from_matrix(data)


def _chronological_split(
    data: Interactions, validation: NDArray[np.bool_], test: NDArray[np.bool_], validated: bool
) -> Split:
    train = data.keep(~(test | validation))
    holdout = Holdout(train, data.keep(validation)) if validated else None
    return Split(train, holdout, Holdout(data.keep(~test), data.keep(test)))


def _timestamps(data: Interactions, splitter: str) -> NDArray[Any]:
    if data.timestamps is None:
        raise DataError(f"{splitter} needs to know when ratings were made, these have no timestamps; use RandomHoldout")
    return data.timestamps
