"""SLIM: sparse non-negative item-item weights by elastic net."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

from aerec.closed_form.item_item import ItemItemRecommender
from aerec.closed_form.penalties import L2, automatic_l1, used_l2
from aerec.dimensions import Number, Space
from aerec.errors import TrainingError
from aerec.interactions import Interactions
from aerec.parameters import Constraint, OneOf, RealNumber, WholeNumber
from aerec.rating_weights import root_weighted
from aerec.sparse import CSR, narrow
from aerec.splitting import Holdout
from aerec.system.environment import cpu_cores
from aerec.system.threads import one_blas_thread

_ITEMS_PER_TASK = 64
_FEWEST = 32  # weights that may enter at once


class SLIM(ItemItemRecommender):
    r"""Sparse linear method: score = x · W, each column of W an elastic net of one item on the others.

    .. math:: \min_W \tfrac12 \|X - XW\|_F^2 + \tfrac{\lambda_2}{2} \|W\|_F^2 + \lambda_1 \|W\|_1
              \quad\text{subject to}\quad W \ge 0,\ \operatorname{diag}(W) = 0

    With G = XᵀX, column j is a quadratic programme, :math:`\min_{w \ge 0} \tfrac12 w^T (G + \lambda_2 I) w -
    (G_j - \lambda_1)^T w`, of which few weights are not 0. An active-set method finds them: weights whose gradient is
    negative enter, the equations of those that are in are solved exactly, and those that would be negative leave.
    Columns are independent of each other. G is kept sparse: what it takes grows with the pairs of items that somebody
    has rated both. An empty history is ranked by popularity.

    Parameters
    ----------
    l1 : float ≥ 0 or "auto", default "auto"
        λ₁; the larger, the fewer weights. In the unit of x · x, so larger for more users: "auto" takes 0.7 % of what
        `l2` takes there, and what users who have nearly everything add to a pair of items. Two items that fewer
        than λ₁ users have in common say nothing of each other.
    l2 : float > 0 or "auto", default "auto"
        λ₂. "auto" takes the penalty of `EASE`.
    epochs : int, default 100
        Most rounds in which weights of a column may enter; a handful is enough.
    tol : float > 0, default 1e-5
        A weight enters where its gradient is below −`tol` times the squared norm of the column's item.

    Attributes
    ----------
    weights_ : csr_array of shape (n_items, n_items), float32
        W.
    n_unconverged_ : int
        Columns that used up their epochs.

    Raises
    ------
    TrainingError
        In `fit`, if `l2` is so small against the ratings that the equations of a column cannot be solved.

    References
    ----------
    Ning, Karypis (2011). SLIM: sparse linear methods for top-N recommender systems. ICDM.
    Lawson, Hanson (1974). Solving least squares problems, chapter 23. Prentice-Hall.
    Bro, De Jong (1997). A fast non-negativity-constrained least squares algorithm. Journal of Chemometrics 11.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import SLIM
    >>> X = csr_array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> SLIM(l1=0.2, l2=1.0).fit(X).weights_.toarray().round(2)
    array([[0.  , 0.45, 0.  ],
           [0.45, 0.  , 0.2 ],
           [0.  , 0.4 , 0.  ]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "l1": [RealNumber(at_least=0), OneOf(["auto"])],
        "l2": L2,
        "epochs": [WholeNumber(1)],
        "tol": [RealNumber(above=0)],
    }

    search_space: ClassVar[Space] = {"l1": Number(0.1, 30.0, log=True), "l2": Number(3.0, 1000.0, log=True)}

    _takes_weights = True

    def __init__(
        self, l1: float | str = "auto", l2: float | str = "auto", epochs: int = 100, tol: float = 1e-5
    ) -> None:
        self.l1 = l1
        self.l2 = l2
        self.epochs = epochs
        self.tol = tol

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        X = root_weighted(train.matrix, train.weights).astype(np.float64)
        gram: CSR = (X.T @ X).tocsr()
        l1 = automatic_l1(train.matrix) if isinstance(self.l1, str) else float(self.l1)
        penalties = l1, used_l2(self.l2, train.matrix)
        n_items = X.shape[1]
        tasks = [range(at, min(at + _ITEMS_PER_TASK, n_items)) for at in range(0, n_items, _ITEMS_PER_TASK)]
        with ThreadPoolExecutor(cpu_cores()) as pool, one_blas_thread():
            solved = list(pool.map(lambda items: [self._column(gram, item, *penalties) for item in items], tasks))
        columns = [column for task in solved for column in task]
        rows, values = [column[0] for column in columns], [column[1] for column in columns]
        indptr = np.concatenate([[0], np.cumsum([len(of_column) for of_column in rows])])
        by_column: Any = sp.csc_array((np.concatenate(values), np.concatenate(rows), indptr), shape=(n_items, n_items))
        self.weights_ = narrow(by_column.tocsr().astype(np.float32))
        self.n_unconverged_ = sum(not converged for _, _, converged in columns)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, arrays = super()._state()
        return {**header, "n_unconverged": self.n_unconverged_}, arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        self.n_unconverged_ = int(header["n_unconverged"])

    def _column(
        self, gram: CSR, item: int, l1: float, l2: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], bool]:
        """Return the items whose weights are not 0 in a column of W, their weights, and whether it has converged."""
        pull = gram[[item]].toarray()[0] - l1
        least = self.tol * gram[item, item]
        pull[item] = -np.inf  # the item does not explain itself
        free, weights = np.zeros(0, dtype=np.int64), np.zeros(0)
        slope, alone = pull, False
        for _ in range(self.epochs):
            entering = np.flatnonzero(slope > least)
            if not len(entering):
                return free, weights, True
            most = 1 if alone else max(_FEWEST, len(free) // 2)
            if len(entering) > most:
                entering = entering[np.argpartition(-slope[entering], most)[:most]]
            both = np.concatenate([free, entering])
            rows = gram[both]
            positive, weights = _nonnegative(
                rows[:, both].toarray() + l2 * np.eye(len(both)),
                pull[both],
                np.concatenate([weights, np.zeros(len(entering))]),
            )
            alone = len(entering) > 1 and bool(
                (positive < len(free)).all()
            )  # none has stayed: one by one, progress is certain
            free = both[positive]
            slope = pull - rows[positive].T @ weights
            slope[free] = 0.0
        return free, weights, not (slope > least).any()


def _nonnegative(
    A: NDArray[np.float64], b: NDArray[np.float64], start: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Go down from `start` ≥ 0 towards min ½ xᵀAx − bᵀx; numbers that would become negative stay 0 from there on.

    Returns
    -------
    positive : ndarray of int64
        Which numbers are positive.
    x : ndarray of float64
        Their values: of these alone, the minimum.
    """
    positive, x = np.arange(len(b)), start
    while len(positive):
        _, best, failed = dposv(A[np.ix_(positive, positive)], b[positive], lower=1)
        if failed:
            raise TrainingError("the equations of items that are nearly alike have no stable solution: raise l2")
        negative = best <= 0
        if not negative.any():
            return positive, best
        way = x - best
        share = min(1.0, (x[negative] / np.maximum(way[negative], 1e-300)).min())  # of the way that all can go
        x = x - share * way
        out = negative & (x <= 1e-12 * x.max())
        positive, x = positive[~out], x[~out]
    return positive, x
