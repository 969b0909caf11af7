"""The units of a model's code that speak for a recommendation, in titles and genres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.models.interpret import InterpretableCode
from aerec.recommender.base import Recommender
from aerec.serving.items import Catalogue
from aerec.sparse import CSR

__all__ = ["Units"]

_PER_ITEM = 3
_TITLES = 4  # that say what a unit stands for
_READ = 20  # items whose genres say it


class Units:
    """Reads the code of one user unit by unit; what each stands for is found when it is first asked for, then kept.

    Parameters
    ----------
    model : Recommender
    catalogue : Catalogue
        Of the columns of the model.
    """

    def __init__(self, model: Recommender, catalogue: Catalogue) -> None:
        has_codes = isinstance(model, InterpretableCode) and model._has_user_codes
        self._model: InterpretableCode | None = model if has_codes else None
        self._catalogue = catalogue
        self._described: dict[tuple[int, bool], dict[str, Any]] = {}

    @property
    def count(self) -> int:
        """How many units there are; 0 where the model has no code of a user."""
        return 0 if self._model is None else int(self._model.network_.architecture.hidden[-1])

    def behind(self, row: CSR, known: NDArray[np.int64], columns: list[int]) -> list[list[dict[str, Any]]] | None:
        """Return, for each of `columns`, the units that speak most for it; None where the model has no such code.

        Parameters
        ----------
        row : csr_array of shape (1, n_items)
            The history.
        known : ndarray of int64, shape (1,)
            Row of the user in the training data, −1 for a new user.
        columns : list of int

        Returns
        -------
        list of list of dict, or None
            unit, activation, weight (what the score loses without it), titles and genres (what it stands for among the
            well-known items); the heaviest first, at most three with a weight above 0.
        """
        if self._model is None:
            return None
        if not columns or row.nnz == 0:
            return [[] for _ in columns]
        code = self._model._code(row, known)[0].cpu().numpy()
        units = np.flatnonzero(code)
        terms = self._model._unit_contributions(code, units, np.array(columns, dtype=np.int64))
        order = np.argsort(-terms, axis=0, kind="stable")[:_PER_ITEM].T
        return [
            [
                self._told(int(units[one]), float(code[units[one]]), float(terms[one, at]))
                for one in best
                if terms[one, at] > 0
            ]
            for at, best in enumerate(order)
        ]

    def _told(self, unit: int, activation: float, weight: float) -> dict[str, Any]:
        stands_for = self._stands_for(unit, activation > 0)
        return {"unit": unit, "activation": activation, "weight": weight, **stands_for}

    def _stands_for(self, unit: int, positive: bool) -> dict[str, Any]:
        found = self._described.get((unit, positive))
        if found is None:
            assert self._model is not None
            weights = self._model._unit_weights(unit, 1.0 if positive else -1.0)
            weights[~self._catalogue.well_known] = -np.inf  # titles that nobody knows say nothing
            best = np.argsort(-weights, kind="stable")[:_READ]
            titles = [self._catalogue.titles[at] for at in best[:_TITLES].tolist()]
            found = self._described[unit, positive] = {"titles": titles, "genres": self._catalogue.common_genres(best)}
        return found
