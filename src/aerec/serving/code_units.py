"""The units of a model's code that speak for a recommendation, in titles and genres."""

from __future__ import annotations

from typing import Any

import numpy as np

from aerec.recommender.scorer import CodeScorer, Scorer, UserBlock
from aerec.serving.items import Catalogue

__all__ = ["Units"]

_PER_ITEM = 3
_TITLES = 4  # titles that describe a unit
_READ = 20  # items whose genres describe it


class Units:
    """Reads the code of one user unit by unit; what each stands for is found when it is first asked for, then kept.

    Parameters
    ----------
    scorer : Scorer
        Of the model.
    catalogue : Catalogue
        Of the columns of the model.
    """

    def __init__(self, scorer: Scorer, catalogue: Catalogue) -> None:
        self._scorer = scorer if isinstance(scorer, CodeScorer) else None
        self._catalogue = catalogue
        self._described: dict[tuple[int, bool], dict[str, Any]] = {}

    @property
    def count(self) -> int:
        """How many units there are; 0 where the model has no code of a user."""
        return 0 if self._scorer is None else self._scorer.code_size()

    def behind(self, user: UserBlock, columns: list[int]) -> list[list[dict[str, Any]]] | None:
        """Return, for each of `columns`, the units that speak most for it; None where the model has no such code.

        Parameters
        ----------
        user : UserBlock of one user
        columns : list of int

        Returns
        -------
        list of list of dict, or None
            unit, activation, weight (what the score loses without it), titles and genres (what it stands for among the
            well-known items); the heaviest first, at most three with a weight above 0.
        """
        if self._scorer is None:
            return None
        if not columns or user.history.nnz == 0:
            return [[] for _ in columns]
        code = self._scorer.code(user)[0]
        units = np.flatnonzero(code)
        terms = self._scorer.unit_contributions(code, units, np.array(columns, dtype=np.int64))
        order = np.argsort(-terms, axis=0, kind="stable")[:_PER_ITEM].T
        return [
            [
                self._described_unit(int(units[place]), float(code[units[place]]), float(terms[place, number]))
                for place in best
                if terms[place, number] > 0
            ]
            for number, best in enumerate(order)
        ]

    def _described_unit(self, unit: int, activation: float, weight: float) -> dict[str, Any]:
        stands_for = self._stands_for(unit, activation > 0)
        return {"unit": unit, "activation": activation, "weight": weight, **stands_for}

    def _stands_for(self, unit: int, positive: bool) -> dict[str, Any]:
        description = self._described.get((unit, positive))
        if description is None:
            assert self._scorer is not None
            weights = self._scorer.unit_weights(unit, 1.0 if positive else -1.0)
            weights[~self._catalogue.well_known] = -np.inf  # titles that nobody knows say nothing
            best = np.argsort(-weights, kind="stable")[:_READ]
            titles = [self._catalogue.titles[at] for at in best[:_TITLES].tolist()]
            description = self._described[unit, positive] = {
                "titles": titles,
                "genres": self._catalogue.common_genres(best),
            }
        return description
