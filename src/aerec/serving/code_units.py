"""The units of a model's code that speak for a recommendation, in titles and genres."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from aerec.recommender.scorer import CodeScorer, Scorer, SteerableScorer, UserBlock
from aerec.serving.items import Catalogue

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
        self._usage = scorer.unit_usage() if isinstance(scorer, SteerableScorer) else None
        self._catalogue = catalogue
        self._described: dict[tuple[int, bool], dict[str, Any]] = {}

    @property
    def count(self) -> int:
        """How many units there are; 0 where the model has no code of a user."""
        return 0 if self._scorer is None else self._scorer.code_size()

    def most_active(self, k: int) -> list[dict[str, Any]]:
        """Describe the `k` units that are active for the most users; none of a model that cannot be steered."""
        if self._usage is None:
            return []
        activity = self._usage[0]
        best = np.argsort(-activity, kind="stable")[:k]
        return self.described(best[activity[best] > 0].tolist())

    def described(self, units: Iterable[int]) -> list[dict[str, Any]]:
        """Say of units that can be steered how active and how strong they are, and what they stand for."""
        assert self._usage is not None
        activity, strength = self._usage
        return [
            {"unit": unit, "activity": float(activity[unit]), "strength": float(strength[unit])}
            | self._stands_for(unit, positive=True)
            for unit in units
        ]

    def behind(
        self, user: UserBlock, columns: list[int], scorer: Scorer | None = None
    ) -> list[list[dict[str, Any]]] | None:
        """Return, for each of `columns`, the units that speak most for it; None where the model has no such code.

        Parameters
        ----------
        user : UserBlock of one user
        columns : list of int
        scorer : Scorer, optional
            The one that is asked, where it is steered.

        Returns
        -------
        list of list of dict, or None
            unit, strength (its mean activation where it is active; None where it cannot be steered), activation,
            weight (what the score loses without it), titles and genres (what it stands for among the well-known
            items); the heaviest first, at most three with a weight above 0.
        """
        if self._scorer is None:
            return None
        if not columns or user.history.nnz == 0:
            return [[] for _ in columns]
        coder = scorer if isinstance(scorer, CodeScorer) else self._scorer
        code = coder.code(user)[0]
        units = np.flatnonzero(code)
        terms = coder.unit_contributions(code, units, np.array(columns, dtype=np.int64))
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
        strength = None if self._usage is None else float(self._usage[1][unit])
        return {"unit": unit, "activation": activation, "weight": weight, "strength": strength, **stands_for}

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
