"""ColdItems: items that nobody has rated in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.drawing import draw_groups
from aerec.holdout import Holdout, Split, as_interactions
from aerec.interactions import Interactions
from aerec.parameters import check_fraction, check_whole
from aerec.sparse import column_counts


@dataclass(frozen=True)
class ColdItems:
    """Hold items out with all their ratings: what a model knows of them is what is known of the items themselves.

    A question for models that read features of the items. The history is the training data, the target are the ratings
    of the held-out items, and only these are ranked (``test.candidates``). Training data keeps all item columns.

    Parameters
    ----------
    fraction : float in (0, 1), default 0.1
        Share of the items with a rating that is for test; at least one.
    validation_fraction : float in [0, 1), default 0.1
        Share of the others that is for validation; 0 for none.
    seed : int, default 0

    References
    ----------
    Schein, Popescul, Ungar, Pennock (2002). Methods and metrics for cold-start recommendations. SIGIR.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import ColdItems
    >>> split = ColdItems(fraction=0.2).split(load_dataset("sample"))
    >>> bool(split.train.to_frame()["item"].isin(split.test.candidates).any())
    False
    """

    fraction: float = 0.1
    validation_fraction: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        check_fraction("fraction", self.fraction)
        check_whole("seed", self.seed, 0)
        check_fraction("validation_fraction", self.validation_fraction, zero=True)

    def split(self, interactions: Interactions | Any) -> Split:
        """Split `interactions`, or a matrix of shape (n_users, n_items).

        Raises
        ------
        DataError
            If there are too few items with a rating.
        """
        data = as_interactions(interactions)
        rng = np.random.default_rng(self.seed)
        rated = np.flatnonzero(column_counts(data.matrix))
        groups = draw_groups(len(rated), self.fraction, self.validation_fraction, rng, "items with a rating")
        test, validation, train = (rated[group] for group in groups)

        def ratings_of(columns: NDArray[np.int64]) -> Interactions:
            among = np.zeros(data.shape[1], dtype=bool)
            among[columns] = True
            return data.keep(among[data.matrix.indices])

        trained = ratings_of(train)

        def hold_out(columns: NDArray[np.int64]) -> Holdout:
            candidates: pd.Index[Any] = data.items[columns]
            return Holdout(trained, ratings_of(columns), candidates=candidates)

        return Split(trained, hold_out(validation) if len(validation) else None, hold_out(test))
