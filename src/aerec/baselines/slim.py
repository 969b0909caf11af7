"""SLIM: sparse non-negative item-item weights by elastic net."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet

from aerec.closed_form.item_item import ItemItemRecommender
from aerec.dimensions import Number, Space
from aerec.interactions import Interactions
from aerec.parameters import Constraint, RealNumber, WholeNumber
from aerec.rating_weights import root_weighted
from aerec.splitting import Holdout
from aerec.system.environment import cpu_cores

__all__ = ["SLIM"]

_ITEMS_PER_TASK = 64


class SLIM(ItemItemRecommender):
    r"""Sparse linear method: score = x · W, each column of W an elastic net of one item on the others.

    .. math:: \min_W \tfrac12 \|X - XW\|_F^2 + \tfrac{\lambda_2}{2} \|W\|_F^2 + \lambda_1 \|W\|_1
              \quad\text{subject to}\quad W \ge 0,\ \operatorname{diag}(W) = 0

    Columns are independent of each other and solved in parallel by scikit-learn's coordinate descent on the sparse
    ratings; no item-item matrix is made dense. An empty history is ranked by popularity.

    Parameters
    ----------
    l1 : float ≥ 0, default 5.0
        λ₁; the larger, the fewer weights. In the unit of x · x, so larger for more users.
    l2 : float > 0, default 100.0
        λ₂.
    epochs : int, default 100
        Most sweeps of coordinate descent over a column.
    tol : float > 0, default 1e-4
        Stop a column when its duality gap is below `tol` times the squared norm of the item.

    Attributes
    ----------
    weights_ : csr_array of shape (n_items, n_items), float32
        W.
    n_unconverged_ : int
        Columns that used up their epochs.

    References
    ----------
    Ning, Karypis (2011). SLIM: sparse linear methods for top-N recommender systems. ICDM.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from aerec.baselines import SLIM
    >>> X = csr_array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 0]])
    >>> SLIM(l1=0.1, l2=1.0).fit(X).weights_.toarray().round(2)
    array([[0.  , 0.47, 0.  ],
           [0.47, 0.  , 0.22],
           [0.  , 0.45, 0.  ]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "l1": [RealNumber(at_least=0)],
        "l2": [RealNumber(above=0)],
        "epochs": [WholeNumber(1)],
        "tol": [RealNumber(above=0)],
    }

    search_space: ClassVar[Space] = {"l1": Number(0.1, 30.0, log=True), "l2": Number(3.0, 1000.0, log=True)}

    _takes_weights = True

    def __init__(self, l1: float = 5.0, l2: float = 100.0, epochs: int = 100, tol: float = 1e-4) -> None:
        self.l1 = l1
        self.l2 = l2
        self.epochs = epochs
        self.tol = tol

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        ratings = root_weighted(train.matrix, train.weights).tocsc()
        n_items = ratings.shape[1]
        tasks = [np.arange(at, min(at + _ITEMS_PER_TASK, n_items)) for at in range(0, n_items, _ITEMS_PER_TASK)]
        with ThreadPoolExecutor(cpu_cores()) as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # counted in n_unconverged_
            solved = list(pool.map(lambda items: self._columns_of(ratings, items), tasks))
        self.weights_ = sp.hstack([weights for weights, _ in solved], format="csr", dtype=np.float32)
        self.n_unconverged_ = sum(unconverged for _, unconverged in solved)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header, arrays = super()._state()
        return {**header, "n_unconverged": self.n_unconverged_}, arrays

    def _set_state(self, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
        super()._set_state(header, tensors)
        self.n_unconverged_ = int(header["n_unconverged"])

    def _columns_of(self, ratings: sp.csc_array[Any], items: NDArray[np.int64]) -> tuple[sp.csc_array[Any], int]:
        """Solve the columns `items` of W."""
        n_users = ratings.shape[0]
        net = ElasticNet(  # it divides the squared error by n_users, so the penalties are divided too
            alpha=(self.l1 + self.l2) / n_users,
            l1_ratio=self.l1 / (self.l1 + self.l2),
            positive=True,
            fit_intercept=False,
            copy_X=False,
            max_iter=self.epochs,
            tol=self.tol,
            random_state=0,  # of no use to a solver that goes through the features in order; without, it asks NumPy's
        )
        others = sp.csc_array(  # the solver reads 32-bit indices; the values are this task's own
            (ratings.data.copy(), ratings.indices.astype(np.int32), ratings.indptr.astype(np.int32)),
            shape=ratings.shape,
        )
        columns, unconverged = [], 0
        for item in items:
            own = slice(ratings.indptr[item], ratings.indptr[item + 1])
            target = np.zeros(n_users, dtype=np.float32)
            target[ratings.indices[own]] = ratings.data[own]
            others.data[own] = 0  # the item does not explain itself
            net.fit(others, target, check_input=False)
            others.data[own] = ratings.data[own]
            columns.append(sp.csc_array(net.coef_[:, None].astype(np.float32)))
            unconverged += int(net.n_iter_ >= self.epochs)
        return sp.hstack(columns, format="csc"), unconverged
