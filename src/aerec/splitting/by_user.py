"""Splits of users: models are trained on some, and tested on others."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.drawing import draw_groups, draw_ratings, places_in_rows
from aerec.errors import DataError, warn_caller
from aerec.holdout import Holdout, Split, as_interactions
from aerec.interactions import Interactions
from aerec.parameters import check_fraction, check_whole
from aerec.sparse import column_counts


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
    as_published : bool, default False
        Draw with the steps and the generator of the code that came with the paper, see `liang2018`.

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
    as_published: bool = False

    def __post_init__(self) -> None:
        check_whole("n_users", self.n_users, 1)
        check_whole("seed", self.seed, 0)
        check_fraction("fold_in", self.fold_in)

    def split(self, interactions: Interactions | Any) -> Split:
        """Split `interactions`, or a matrix of shape (n_users, n_items).

        Raises
        ------
        DataError
            If fewer than 2 · n_users + 1 users are there.
        """
        interactions = as_interactions(interactions)
        total = interactions.shape[0]
        if 2 * self.n_users >= total:
            cure = f"choose n_users of at most {(total - 1) // 2:,}" if total > 2 else "it takes 3 users at least"
            raise DataError(f"holding out 2 x {self.n_users:,} users of {total:,} leaves none to train on; {cure}")
        n, rng = self.n_users, np.random.default_rng(self.seed)
        if self.as_published:
            order = np.random.RandomState(self.seed).permutation(total)
            train, validation, test = np.split(order, [total - 2 * n, total - n])
        else:
            validation, test, train = np.split(rng.permutation(total), [n, 2 * n])
        if len(train) < n:
            warn_caller(f"{n:,} users each are held out for validation and test, {len(train):,} are left to train on")
        trained = interactions.take_users(np.sort(train))
        seen = column_counts(trained.matrix) > 0

        def hold_out(rows: NDArray[np.int64]) -> Holdout:
            users = interactions.take_users(np.sort(rows))
            if self.drop_unseen_items:
                users = users.keep(seen[users.matrix.indices])
            if self.as_published:
                target = _draw_as_published(users, 1 - self.fold_in, self.seed)
            else:
                target = draw_ratings(users, 1 - self.fold_in, rng, per_user=True)
            return Holdout(users.keep(~target), users.keep(target))

        return Split(trained, hold_out(validation), hold_out(test))

    @classmethod
    def liang2018(cls, n_users: int = 10_000) -> StrongGeneralization:
        """Return the split of Liang et al. (2018), whose figures are those of most later papers.

        Of the users in ascending order of their ids, permuted by NumPy's legacy generator seeded with 98765, the last
        `n_users` are for test and those before for validation. The generator is seeded again for each of the two parts.
        Of each user with at least five ratings left, in ascending order of ids, a fifth (rounded down) is drawn without
        replacement; the others have no target, and do not count.

        Parameters
        ----------
        n_users : int, default 10,000
            10,000 for MovieLens 20M, 40,000 for Netflix, 50,000 for the Million Song Dataset.

        Notes
        -----
        MovieLens 20M is prepared by ``binarize(4.0).filter(5)``. The paper draws among a user's ratings in the order
        of the file, aerec in ascending order of item ids. In MovieLens 20M these are the same, and so are the splits,
        rating by rating. For a file in another order the users of each part are the same, the ratings drawn are not.

        Examples
        --------
        >>> from aerec.datasets import load_dataset
        >>> from aerec.splitting import StrongGeneralization
        >>> split = StrongGeneralization.liang2018(n_users=100).split(load_dataset("sample"))
        >>> split.test.history.users[:3].tolist()
        [4, 10, 12]
        """
        return cls(n_users, fold_in=0.8, seed=98765, as_published=True)


@dataclass(frozen=True)
class ColdUsers:
    """Hold users out of whom little is known: the first ratings of each are the history, all others the target.

    Models are trained on the other users. Users with no more than `n_history` ratings have no target.

    Parameters
    ----------
    fraction : float in (0, 1), default 0.1
        Share of the users that is for test; at least one.
    validation_fraction : float in [0, 1), default 0.1
        Share of the others that is for validation; 0 for none.
    n_history : int, default 5
        Ratings that a model sees of each held-out user: the first by time, or drawn at random where the ratings have
        no timestamps. 0: nothing is known of them, so that the best a model can do is the same list for all.
    seed : int, default 0

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import ColdUsers
    >>> split = ColdUsers(fraction=0.2, n_history=3).split(load_dataset("sample"))
    >>> split.test.history.shape[0], split.test.history.n_ratings
    (200, 600)
    """

    fraction: float = 0.1
    validation_fraction: float = 0.1
    n_history: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        check_fraction("fraction", self.fraction)
        check_fraction("validation_fraction", self.validation_fraction, zero=True)
        check_whole("n_history", self.n_history, 0)
        check_whole("seed", self.seed, 0)

    def split(self, interactions: Interactions | Any) -> Split:
        """Split `interactions`, or a matrix of shape (n_users, n_items).

        Raises
        ------
        DataError
            If there are too few users.
        """
        data = as_interactions(interactions)
        rng = np.random.default_rng(self.seed)
        test, validation, train = draw_groups(data.shape[0], self.fraction, self.validation_fraction, rng, "users")

        def hold_out(rows: NDArray[np.int64]) -> Holdout:
            users = data.take_users(rows)
            draws = rng.random(users.n_ratings)
            keys = (draws,) if users.timestamps is None else (users.timestamps, draws)
            first = places_in_rows(users, *keys) < self.n_history
            return Holdout(users.keep(first), users.keep(~first))

        return Split(data.take_users(train), hold_out(validation) if len(validation) else None, hold_out(test))


def _draw_as_published(data: Interactions, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Mask of the stored ratings that Liang et al. draw, user after user: one generator is used by all of them."""
    rng = np.random.RandomState(seed)
    mask = np.zeros(data.n_ratings, dtype=bool)
    for begin, end in itertools.pairwise(data.matrix.indptr.tolist()):
        n = end - begin
        if n >= 5:
            mask[begin + rng.choice(n, size=int(fraction * n + 1e-9), replace=False)] = True
    return mask
