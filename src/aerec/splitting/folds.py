"""KFold: cross-validation over users or over ratings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aerec.drawing import draw_ratings
from aerec.errors import DataError
from aerec.holdout import Holdout, Split, as_interactions, weak_split
from aerec.interactions import Interactions
from aerec.parameters import check_fraction, check_whole


@dataclass(frozen=True)
class KFold:
    """Divide users or ratings into folds at random; each of them is the test data once, the others train.

    By users, a model sees a part of each held-out user's ratings, as in `StrongGeneralization`. By ratings, the history
    is the training data, as in `RandomHoldout`. The sizes of folds differ by one at most. No rating is left out.

    Parameters
    ----------
    n_splits : int, default 5
    by : {"users", "ratings"}, default "users"
    seed : int, default 0
    fold_in : float in (0, 1), default 0.8
        Share of a held-out user's ratings that goes to the history; by users only.
    validation_fraction : float in [0, 1), default 0.0
        Share of what is not in the fold that is for validation; 0 for none.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import KFold
    >>> [split.test.n_users for split in KFold(n_splits=3).splits(load_dataset("sample"))]
    [334, 333, 333]
    """

    n_splits: int = 5
    by: Literal["users", "ratings"] = "users"
    seed: int = 0
    fold_in: float = 0.8
    validation_fraction: float = 0.0

    def __post_init__(self) -> None:
        check_whole("n_splits", self.n_splits, 2)
        check_whole("seed", self.seed, 0)
        if self.by not in ("users", "ratings"):
            raise ValueError(f"by must be 'users' or 'ratings', got {self.by!r}")
        check_fraction("fold_in", self.fold_in)
        check_fraction("validation_fraction", self.validation_fraction, zero=True)

    def splits(self, interactions: Interactions | Any) -> Iterator[Split]:
        """Yield a split for each fold of `interactions`, or of a matrix of shape (n_users, n_items).

        Raises
        ------
        DataError
            If there are fewer users, or ratings, than folds, or nothing is left to train on beside the validation data.
        """
        data = as_interactions(interactions)
        n = data.shape[0] if self.by == "users" else data.n_ratings
        if n < self.n_splits:
            raise DataError(f"{n:,} {self.by} are too few for {self.n_splits} folds; choose a smaller n_splits")
        fold_of = np.random.default_rng(self.seed).permutation(n) % self.n_splits
        split = self._split_users if self.by == "users" else self._split_ratings
        return (split(data, fold_of == fold, np.random.default_rng([self.seed, fold])) for fold in range(self.n_splits))

    def _split_users(self, data: Interactions, test: NDArray[np.bool_], rng: np.random.Generator) -> Split:
        def hold_out(rows: NDArray[np.int64]) -> Holdout:
            users = data.take_users(np.sort(rows))
            target = draw_ratings(users, 1 - self.fold_in, rng, per_user=True)
            return Holdout(users.keep(~target), users.keep(target))

        held_out, others = hold_out(np.flatnonzero(test)), rng.permutation(np.flatnonzero(~test))
        n_validation = max(1, round(self.validation_fraction * len(others))) if self.validation_fraction else 0
        self._check_rest(n_validation, len(others))
        validation = hold_out(others[:n_validation]) if n_validation else None
        return Split(data.take_users(np.sort(others[n_validation:])), validation, held_out)

    def _split_ratings(self, data: Interactions, test: NDArray[np.bool_], rng: np.random.Generator) -> Split:
        rest, held_out = data.keep(~test), data.keep(test)
        if not self.validation_fraction:
            return weak_split(rest, held_out)
        chosen = draw_ratings(rest, self.validation_fraction, rng, per_user=False)
        self._check_rest(int(chosen.sum()), len(chosen))
        return weak_split(rest.keep(~chosen), rest.keep(chosen), held_out)

    def _check_rest(self, n_validation: int, n: int) -> None:
        if n_validation >= n:
            raise DataError(f"validation takes all {n:,} {self.by} outside a fold: there is nothing to train on")
