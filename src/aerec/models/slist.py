"""SLIST: EASE that also learns which items follow which (Choi et al. 2021)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aerec.closed_form.gram import gram_matrix, invert_gram, scale_symmetric
from aerec.closed_form.item_item import ItemItemRecommender, ItemItemScorer
from aerec.closed_form.penalties import L2, used_l2
from aerec.dimensions import Number, Space
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.parameters import Constraint, RealNumber, WholeNumber
from aerec.recommender.recency import weighted_by_recency
from aerec.recommender.scorer import Scorer
from aerec.sparse import CSR, row_ids
from aerec.splitting import Holdout
from aerec.system.memory import require_memory

_LEAST = 0.01  # pairs of items further apart than weigh that much are left out
_ADVICE = "keep fewer items: filter(min_per_item=...)"


class SLIST(ItemItemRecommender):
    r"""Linear model of what is liked together and of what is liked next: score = x̃ · B, x̃ the history by its age.

    .. math:: \min_B \; (1 - \tau) \|X - XB\|_F^2 + \tau \|T - SB\|_F^2 + \lambda \|B\|_F^2
              \quad\text{subject to}\quad \operatorname{diag}(B) = 0

    X holds the histories as `EASE` reads them. S and T have a row for each rating but the first of a user: T the item
    rated, S what the user had rated before, in which a rating counts :math:`\gamma^{a}`, with its age a in places and
    :math:`\gamma = 2^{-1/h}`: 1 for the last one, γ for the one before. A history x̃ that is asked for recommendations
    is weighted in the same way. In closed form,

    .. math:: B = P M - P \cdot \operatorname{diagMat}(\operatorname{diag}(PM) \oslash \operatorname{diag}(P)), \quad
              P = ((1 - \tau) X^\top X + \tau S^\top S + \lambda I)^{-1}, \quad
              M = (1 - \tau) X^\top X + \tau S^\top T

    S is never made. SᵀT and SᵀS are sums over pairs of ratings of a user, an earlier j and a later k:

    .. math:: S^\top T = \sum_{j < k} \gamma^{k-j-1} x_j x_k^\top, \qquad
              S^\top S = \sum_{j \le k} \gamma^{k-j} \frac{1 - \gamma^{2 n_k}}{1 - \gamma^2} x_j x_k^\top
              \;\text{ and its mirror image}

    with the number n of ratings after k. Pairs so far apart that they weigh less than a hundredth are left out. Time
    grows with n_ratings · h and n_items³, memory with n_items². An empty history is ranked by popularity.

    Training data and histories need times: an `Interactions` with timestamps, or lists of items in their order, the
    last one the newest. Evaluate with `LeaveLastOut` or `TemporalSplit`.

    Parameters
    ----------
    l2 : float > 0 or "auto", default "auto"
        λ, as in `EASE`.
    half_life : float > 0, default 4.0
        h: after this many places a rating counts half.
    transitions : float in [0, 1], default 0.5
        τ: with 0 it is `EASE`, asked with weighted histories; with 1 only order teaches.
    seed : int, default 0
        Of the order among training ratings of the same time.

    Attributes
    ----------
    weights_ : ndarray of shape (n_items, n_items), float32
        B; ``weights_[i, j]`` is what the newest history item i adds to the score of item j. Zero diagonal.
    l2_ : float
        The λ that was used.

    References
    ----------
    Choi, Kim, Lee, Shim, Lee (2021). Session-aware linear item-item models for session-based recommendation. WWW.
    (SLIST, of SLIS, τ = 0, and SLIT, τ = 1. There a session is cut once at each place, into all that came before and
    all that came after; here each rating alone is what comes after.)
    Park, Yun, Kim, Lee (2025). Temporal linear item-item model for sequential recommendation. WSDM. (TALE: one target
    at a time.)

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec import Interactions
    >>> from aerec.models import SLIST
    >>> walks = pd.DataFrame({"user": [1, 1, 1, 2, 2, 2, 3, 3], "item": [*"abcabcbc"], "timestamp": range(8)})
    >>> model = SLIST(l2=0.1, transitions=1.0).fit(Interactions.from_frame(walks, rating=None))
    >>> model.recommend({"new": ["b"]}, k=1)["item"].tolist()
    ['c']
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "l2": L2,
        "half_life": [RealNumber(above=0)],
        "transitions": [RealNumber(at_least=0, at_most=1)],
        "seed": [WholeNumber(0)],
    }

    _goes_by_time = True

    search_space: ClassVar[Space] = {
        "l2": Number(5.0, 10_000.0, log=True),
        "half_life": Number(1.0, 100.0, log=True),
        "transitions": Number(0.0, 1.0),
    }

    l2_: float
    weights_: NDArray[np.float32]

    def __init__(
        self, l2: float | str = "auto", half_life: float = 4.0, transitions: float = 0.5, seed: int = 0
    ) -> None:
        self.l2 = l2
        self.half_life = half_life
        self.transitions = transitions
        self.seed = seed

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        if train.timestamps is None:
            raise DataError(
                "SLIST learns from the order of the ratings, and the training data have no times: give an Interactions "
                "with timestamps, or take EASE"
            )
        share, self.l2_ = float(self.transitions), used_l2(self.l2, train.matrix)
        n = train.shape[1]
        require_memory(4 * 4 * n**2, f"three item-item matrices of {n:,} x {n:,}", _ADVICE)
        targets = gram_matrix(train.matrix, _ADVICE)
        targets *= 1 - share
        inverse = targets.copy()
        together, following = _ordered_pairs(train.matrix, train.timestamps, float(self.half_life), int(self.seed))
        inverse += np.float32(share) * together
        targets += np.float32(share) * following
        del together, following
        diagonal = invert_gram(inverse, self.l2_)
        ones = np.ones(n, dtype=np.float32)
        scale_symmetric(inverse, ones, ones, diagonal)
        weights = inverse @ targets
        weights -= inverse * (np.diagonal(weights) / diagonal)
        np.fill_diagonal(weights, 0)
        self.weights_ = weights

    def _make_scorer(self) -> Scorer:
        return weighted_by_recency(ItemItemScorer(self.weights_, self._popularity), float(self._used("half_life")))


def _ordered_pairs(
    matrix: CSR, times: NDArray[Any], half_life: float, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return SᵀS and SᵀT; shapes (n_items, n_items)."""
    n = matrix.shape[1]
    users = row_ids(matrix)
    order = np.lexsort((np.random.default_rng(seed).random(matrix.nnz), times, users))
    items, values = matrix.indices[order].astype(np.int64), matrix.data[order]
    decay = 2.0 ** (-1 / half_life)
    n_after = matrix.indptr[users + 1] - 1 - np.arange(matrix.nnz)
    rate = -2 * math.log(2) / half_life  # of a rating in the sources of all later ones, 2^(−2/h) from one to the next
    seen_again = (np.expm1(rate * n_after) / math.expm1(rate)).astype(np.float32)
    together, following = np.zeros((2, n * n), dtype=np.float32)
    np.add.at(together, items * (n + 1), values**2 * seen_again)
    furthest = 1 + math.floor(half_life * math.log2(1 / _LEAST))
    for apart in range(1, min(furthest, int(np.diff(matrix.indptr).max())) + 1):
        earlier = np.flatnonzero(users[apart:] == users[:-apart])
        if len(earlier) == 0:
            break
        later = earlier + apart
        weight = values[earlier] * values[later] * np.float32(decay ** (apart - 1))
        np.add.at(following, items[earlier] * n + items[later], weight)
        weight *= np.float32(decay) * seen_again[later]
        np.add.at(together, items[earlier] * n + items[later], weight)
        np.add.at(together, items[later] * n + items[earlier], weight)
    return together.reshape(n, n), following.reshape(n, n)
