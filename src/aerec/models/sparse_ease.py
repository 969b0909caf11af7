"""SparseEASE: EASE with weights between near items only, for large catalogues."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from aerec.closed_form.item_item import NOT_INVERTIBLE, ItemItemRecommender, gram_matrix
from aerec.closed_form.neighbours import RowIndex
from aerec.closed_form.penalties import L2, used_l2
from aerec.dimensions import Number, Space, Whole
from aerec.errors import TrainingError
from aerec.interactions import Interactions
from aerec.parameters import Constraint, WholeNumber
from aerec.rating_weights import root_weighted
from aerec.sparse import CSR, row_ids, take_rows
from aerec.splitting import Holdout

_DENSE_ITEMS = 8_000  # most items for which the whole Gram matrix is held (256 MB)
_BLOCK_PAIRS = 16_000_000  # entries of the small Gram matrices that are solved at once


class SparseEASE(ItemItemRecommender):
    r"""`EASE` restricted to a sparse pattern: each item is reconstructed from its `n_neighbors` nearest items alone.

    .. math:: \min_B \|X - XB\|_F^2 + \lambda \|B\|_F^2 \quad\text{subject to}\quad
              B_{ij} = 0 \;\text{unless}\; i \in N(j)

    where N(j) are the items of highest cosine to j. Item by item that is a small ridge regression with an exact
    solution, :math:`B_{N,j} = (G_{NN} + \lambda I)^{-1} G_{N,j}` with G = XᵀX; a block of items is solved at once. With
    all other items as neighbours it is EASE itself.

    Memory grows with n_items · n_neighbors, time with n_items · n_neighbors³ and with the pairs of ratings of each
    user. An empty history is ranked by popularity.

    Parameters
    ----------
    l2 : float > 0 or "auto", default "auto"
        λ, as in `EASE`.
    n_neighbors : int, default 100
        Weights kept of each item.

    Attributes
    ----------
    weights_ : csr_array of shape (n_items, n_items), float32
        B; at most `n_neighbors` values in each column.

    References
    ----------
    Steck (2019). Markov random fields for collaborative filtering. NeurIPS. (The sparse approximation.)
    Spišák, Bartyzal, Hoskovec, Peška, Tůma (2023). Scalable approximate nonsymmetric autoencoder for collaborative
    filtering. RecSys. (The same aim by a sparse factorisation of the whole matrix.)

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import SparseEASE
    >>> likes = load_dataset("sample").binarize(4.0)
    >>> model = SparseEASE(l2=100.0, n_neighbors=20).fit(likes)
    >>> model.weights_.nnz <= 20 * 600
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Constraint]]] = {
        "l2": L2,
        "n_neighbors": [WholeNumber(1)],
    }

    search_space: ClassVar[Space] = {"l2": Number(10.0, 5000.0, log=True), "n_neighbors": Whole(20, 400, log=True)}

    _takes_weights = True

    def __init__(self, l2: float | str = "auto", n_neighbors: int = 100) -> None:
        self.l2 = l2
        self.n_neighbors = n_neighbors

    def _fit(self, train: Interactions, validation: Holdout | None) -> None:
        X = root_weighted(train.matrix, train.weights)
        n_items, l2 = X.shape[1], used_l2(self.l2, X)
        by_item: CSR = X.T.tocsr()
        index = RowIndex(by_item, transposed=X)
        near = index.nearest(by_item, int(self.n_neighbors), shrinkage=0.0, exclude=np.arange(n_items))
        whole = gram_matrix(X, advice="use ELSA") if n_items <= _DENSE_ITEMS else None
        widest = max(int(np.diff(near.indptr).max(initial=0)), 1)
        size = max(1, int(np.sqrt(_BLOCK_PAIRS)) // (widest + 1))
        weights = np.empty(near.nnz, dtype=np.float32)
        for start in range(0, n_items, size):
            items = np.arange(start, min(start + size, n_items))
            block = take_rows(near, items)
            if whole is None:
                needed = np.unique(np.concatenate([items, block.indices]))
                columns = take_rows(by_item, needed)
                gram = (columns @ columns.T).toarray()
            else:
                needed, gram = np.arange(n_items), whole
            solution = _solve(gram, np.searchsorted(needed, items), block, np.searchsorted(needed, block.indices), l2)
            weights[near.indptr[start] : near.indptr[items[-1] + 1]] = solution
        columns_of: CSR = sp.csr_array((weights, near.indices, near.indptr), shape=near.shape)
        self.weights_ = columns_of.T.tocsr()


def _solve(
    gram: NDArray[np.float32], items: NDArray[np.int64], block: CSR, neighbours: NDArray[np.int64], l2: float
) -> NDArray[np.float32]:
    """Weights of the neighbours of each item of a block, aligned with ``block.data``.

    Parameters
    ----------
    gram : ndarray of shape (n, n), float32
        G over the items that the block needs.
    items : ndarray of shape (n_block,)
        Where in `gram` each item of the block is.
    block : csr_array of shape (n_block, n_items)
        Its stored entries are the neighbours.
    neighbours : ndarray of shape (block.nnz,)
        Where in `gram` each of them is.
    l2 : float
    """
    rows = row_ids(block)
    places = np.arange(block.nnz) - block.indptr[rows]
    shape = (len(items), int(np.diff(block.indptr).max(initial=1)))
    at, there = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
    at[rows, places], there[rows, places] = neighbours, True
    system = gram[at[:, :, None], at[:, None, :]]
    system *= there[:, :, None] & there[:, None, :]  # no neighbour: a row of the unit matrix, answer 0
    system[:, np.arange(shape[1]), np.arange(shape[1])] += np.where(there, l2, 1.0).astype(np.float32)
    wanted = gram[at, items[:, None]] * there
    factor, failed = torch.linalg.cholesky_ex(torch.from_numpy(system))
    if failed.any():
        raise TrainingError(NOT_INVERTIBLE)
    solution = torch.cholesky_solve(torch.from_numpy(wanted[:, :, None]), factor)[:, :, 0].numpy()
    solved: NDArray[np.float32] = solution[rows, places]
    return solved
