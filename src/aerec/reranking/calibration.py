"""Calibration: lists in which genres have the shares that they have in the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.canonical import canonical_csr
from aerec.errors import DataError
from aerec.parameters import is_number
from aerec.reranking.base import Lists, Reranker, check_share, pick
from aerec.reranking.features import features_of
from aerec.sparse import CSR, ones_in, row_ids, take_rows, with_values


@dataclass(frozen=True)
class Calibration(Reranker):
    r"""Choose items that are relevant and give genres the shares that they have in the user's history.

    .. math:: i_n = \arg\max_{i \notin S_{n-1}} \; (1 - \lambda) \sum_{j \in S_{n-1} \cup \{i\}} r_u(j)
              - \lambda\, \mathrm{KL}(p \,\|\, \tilde q(S_{n-1} \cup \{i\})), \quad
              \tilde q = (1 - \alpha)\, q + \alpha\, p

    with :math:`r_u` the scores of the user's candidates, scaled to the range from 0 to 1, :math:`S_{n-1}` the items
    chosen so far, p the mean over the history of p(g|i), the genres of item i scaled to sum 1 (its features where there
    are no genres), and q the same over the chosen items: the divergence is `calibration_at_k`. Items without genres
    count in neither mean. The list of a user whose history has no genres is left as it is.

    Parameters
    ----------
    trade_off : float in [0, 1], default 0.5
        λ. 0: the order of the model; 1: calibration alone.
    alpha : float in (0, 1), default 0.01
        Of the smoothing.

    References
    ----------
    Steck (2018). Calibrated recommendations. RecSys.

    Examples
    --------
    >>> from aerec.baselines import Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.reranking import Calibration
    >>> data = load_dataset("sample")
    >>> candidates = Popularity().fit(data).recommend(data, k=50)
    >>> shown = Calibration(0.8).rerank(candidates, data, k=5)
    >>> len(shown) == 5 * data.shape[0]
    True
    """

    trade_off: float = 0.5
    alpha: float = 0.01

    def __post_init__(self) -> None:
        check_share("trade_off", self.trade_off)
        if not (is_number(self.alpha) and 0 < self.alpha < 1):
            raise ValueError(f"alpha must be between 0 and 1, got {self.alpha!r}")

    def _places(self, lists: Lists, k: int, features: Any) -> NDArray[np.int64]:
        if (lists.users < 0).any():
            raise DataError("data holds no history of some of the users: calibration needs to know what each has liked")
        share = _shares(canonical_csr(features_of(lists.data, features, genres_first=True)))
        places = np.empty((len(lists.items), k), dtype=np.int64)
        for rows in lists.blocks(3 * share.shape[1] + 4 * lists.items.shape[1]):
            liked = _mean_shares(take_rows(lists.data.matrix, lists.users[rows]), share)
            gain = lists.gain(rows, 1 - self.trade_off)
            fit = _Fit(lists.items[rows], liked, share, self.alpha)
            here = np.arange(len(rows))
            for place in range(k):
                places[rows, place] = chosen = pick(gain + self.trade_off * fit.with_each())
                fit.add(chosen)
                gain[here, chosen] = -np.inf
        return places


class _Fit:
    """How well lists fit the shares `liked`: Σ p ln q̃, which is −KL(p ‖ q̃) but for a constant of each user.

    Adding an item changes q by its own genres and by the count of items, which is the same for all candidates. So the
    sum is made once for the count, and changed for each candidate at what is stored of it.
    """

    def __init__(self, items: NDArray[np.int64], liked: NDArray[np.float64], share: CSR, alpha: float) -> None:
        self._items, self._liked, self._share, self._alpha = items, liked, share, alpha
        stored = take_rows(share, np.maximum(items, 0).ravel())
        candidate = row_ids(stored)
        users = candidate // items.shape[1]
        matters = liked[users, stored.indices] > 0
        self._candidate, self._user, self._genre = candidate[matters], users[matters], stored.indices[matters]
        self._value = stored.data[matters].astype(np.float64)
        self._described = (np.diff(stored.indptr) > 0).reshape(items.shape)
        self._sums, self._counts = np.zeros(liked.shape), np.zeros((len(items), 1))

    def with_each(self) -> NDArray[np.float64]:
        """Return the fit of each list with each of its candidates added; shape (n_lists, n_candidates)."""
        smooth = self._alpha * self._liked
        step = (1 - self._alpha) / (self._counts + 1)
        base = step * self._sums + smooth
        before = base[self._user, self._genre]
        after = before + step[self._user, 0] * self._value
        gained = self._liked[self._user, self._genre] * np.log(after / before)
        sums = np.bincount(self._candidate, gained, minlength=self._items.size).reshape(self._items.shape)
        as_it_is = (1 - self._alpha) * self._sums / np.maximum(self._counts, 1) + smooth
        return np.where(self._described, self._of(base) + sums, self._of(as_it_is))

    def add(self, chosen: NDArray[np.int64]) -> None:
        """Add the chosen candidate of each list (−1: none)."""
        items = self._items[np.arange(len(chosen)), chosen]
        added = take_rows(self._share, np.maximum(items, 0)).toarray() * (chosen >= 0)[:, None]
        self._sums += added
        self._counts += added.any(axis=1, keepdims=True)

    def _of(self, mixed: NDArray[np.float64]) -> NDArray[np.float64]:
        logs = np.log(mixed, out=np.zeros_like(mixed), where=self._liked > 0)
        return np.asarray((self._liked * logs).sum(axis=1, keepdims=True))


def _shares(features: CSR) -> CSR:
    """Scale each row to sum 1."""
    if features.data.size and features.data.min() < 0:
        raise DataError("calibration takes features that are shares or memberships: none may be negative")
    rows = row_ids(features)
    sums = np.bincount(rows, features.data.astype(np.float64), minlength=features.shape[0])
    return with_values(features, features.data / sums[rows])


def _mean_shares(history: CSR, share: CSR) -> NDArray[np.float64]:
    """Return p(g|u): the mean of `share` over the items of each history that have features; 0 where none has."""
    total: NDArray[np.float64] = (ones_in(history, np.float64) @ share).toarray()
    summed = total.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(total, summed, out=np.zeros_like(total), where=summed > 0))
