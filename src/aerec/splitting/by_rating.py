"""RandomHoldout: single ratings held out at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aerec.drawing import draw_ratings
from aerec.holdout import Split, as_interactions, weak_split
from aerec.interactions import Interactions
from aerec.parameters import check_fraction, check_whole


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
        check_whole("seed", self.seed, 0)
        check_fraction("validation_fraction", self.validation_fraction, zero=True)

    def split(self, interactions: Interactions | Any) -> Split:
        """Split `interactions`, or a matrix of shape (n_users, n_items)."""
        interactions = as_interactions(interactions)
        rng = np.random.default_rng(self.seed)
        test = draw_ratings(interactions, self.fraction, rng, per_user=self.per_user)
        rest, parts = interactions.keep(~test), [interactions.keep(test)]
        if self.validation_fraction:
            chosen = draw_ratings(rest, self.validation_fraction, rng, per_user=self.per_user)
            parts = [rest.keep(chosen), *parts]
            rest = rest.keep(~chosen)
        return weak_split(rest, *parts)
