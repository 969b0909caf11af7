"""What the units of a code stand for, and which of them drove a recommendation."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from aerec.models.base import History, Recommender
from aerec.training.network import Network

__all__ = ["InterpretableCode"]


class InterpretableCode(Recommender):
    """Part of the autoencoders: reads their codes unit by unit. A sparse code is the one that is worth reading."""

    network_: Network

    @abstractmethod
    def transform(self, X: History) -> NDArray[np.float32]:
        """Return the code of each row; shape (n_rows, n_code)."""

    def describe_code(self, unit: int, n: int = 10) -> pd.DataFrame:
        """Return the items that a unit of the code stands for: those whose logits rise most when it is 1.

        Parameters
        ----------
        unit : int
            From 0.
        n : int, default 10
            Number of items.

        Returns
        -------
        pandas.DataFrame
            Columns item (raw id, or column number for a model fitted on a matrix) and weight, the largest first:
            decode(unit vector) − decode(0). For one hidden layer that is the unit's column of the output weights.

        Raises
        ------
        ValueError
            If there is no such unit.
        """
        check_is_fitted(self, "network_")
        n_code = self.network_.architecture.hidden[-1]
        if not 0 <= unit < n_code:
            raise ValueError(f"unit must be from 0 to {n_code - 1}, got {unit!r}")
        codes = torch.zeros((2, n_code), device=self.network_.output_weight.device)
        codes[1, unit] = 1
        with torch.inference_mode():
            silent, active = self.network_.decode(codes)
            weights: NDArray[np.float32] = (active - silent).cpu().numpy()
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
        column = self._column_for_one(item, history)
        code = torch.as_tensor(self.transform(history), device=self.network_.output_weight.device)
        without = code.repeat(code.shape[1], 1).fill_diagonal_(0.0)
        with torch.inference_mode():
            hidden = self.network_.decode_hidden(torch.cat([code, without]))
            logits = (hidden @ self.network_.output_weight[column]).cpu().numpy()
        activation = code[0].cpu().numpy()
        units = np.flatnonzero(activation)
        terms = (logits[0] - logits[1:])[units]
        order = np.argsort(-terms, kind="stable")[:n]
        return pd.DataFrame(
            {"unit": units[order], "activation": activation[units[order]], "contribution": terms[order]}
        )
