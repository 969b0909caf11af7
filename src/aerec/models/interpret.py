"""What the units of a code stand for, and which of them drove a recommendation."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from aerec.network.network import Network
from aerec.recommender.base import History, Recommender
from aerec.recommender.id_matching import check_n
from aerec.sparse import CSR

__all__ = ["InterpretableCode"]


class InterpretableCode(Recommender):
    """Part of the autoencoders: reads their codes unit by unit. A sparse code is the one that is worth reading."""

    network_: Network

    @abstractmethod
    def _codes(self, X: History) -> NDArray[np.float32]:
        """Return the code of each row; shape (n_rows, n_code)."""

    def describe_code(self, unit: int, n: int = 10, activation: float = 1.0) -> pd.DataFrame:
        """Return the items that a unit of the code stands for: those whose logits rise most when it is 1.

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
            decode(activation · unit vector) − decode(0). For one hidden layer and an activation of 1 that is the
            unit's column of the output weights.

        Raises
        ------
        ValueError
            If there is no such unit.
        """
        check_is_fitted(self, "network_")
        n_code = self.network_.architecture.hidden[-1]
        if not 0 <= unit < n_code:
            raise ValueError(f"unit must be from 0 to {n_code - 1}, got {unit!r}")
        check_n(n)
        weights = self._unit_weights(unit, activation)
        best = np.argsort(-weights, kind="stable")[:n]
        items = pd.RangeIndex(len(weights)) if self.items_ is None else self.items_
        return pd.DataFrame({"item": items.take(best), "weight": weights[best]})

    def explain_code(self, history: History, item: Any, n: int | None = None) -> pd.DataFrame:
        """Say which units of one user's code speak for recommending `item`; `explain` says which items of the history.

        The contribution of a unit is how much the logit of `item` falls when that unit is set to 0. With one hidden
        layer the contributions and the output bias sum to the logit.

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
        check_n(n)
        column = self._column_for_one(item, history)
        activation = self._codes(history)[0]
        units = np.flatnonzero(activation)
        terms = self._unit_contributions(activation, units, np.array([column]))[:, 0]
        order = np.argsort(-terms, kind="stable")[:n]
        return pd.DataFrame(
            {"unit": units[order], "activation": activation[units[order]], "contribution": terms[order]}
        )

    @property
    def _has_user_codes(self) -> bool:
        """Whether `explain_code` has an answer: the codes are those of users."""
        return True

    def _unit_weights(self, unit: int, activation: float) -> NDArray[np.float32]:
        """How much the logit of each item rises when `unit` alone has that activation; (n_items,)."""
        codes = torch.zeros((2, self.network_.architecture.hidden[-1]), device=self.network_.output_weight.device)
        codes[1, unit] = activation
        with torch.inference_mode():
            silent, active = self.network_.decode(codes)
            weights: NDArray[np.float32] = (active - silent).cpu().numpy()
        return weights

    @abstractmethod
    def _code(self, history: CSR, known_users: NDArray[np.int64]) -> torch.Tensor:
        """Return the code of each row of `history`, whose users have these rows in the training data (−1: none)."""

    def _unit_contributions(
        self, code: NDArray[np.float32], units: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """How much the logit of each of `columns` falls when each of `units` is set to 0; (n_units, n_columns)."""
        network = self.network_
        whole = torch.as_tensor(code, device=network.output_weight.device)
        codes = whole.repeat(len(units) + 1, 1)
        codes[torch.arange(len(units)) + 1, torch.as_tensor(units)] = 0.0
        with torch.inference_mode():
            weight = network.output_weight[torch.as_tensor(columns, device=whole.device)]
            logits = network.decode_hidden(codes) @ weight.T
            terms: NDArray[np.float32] = (logits[0] - logits[1:]).cpu().numpy()
        return terms
