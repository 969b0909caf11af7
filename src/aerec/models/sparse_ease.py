"""SparseEASE: EASE with weights between near items only, for large catalogues."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from aerec.closed_form.gram import NOT_INVERTIBLE, checked_rows, gram_matrix, on_all_threads
from aerec.closed_form.item_item import ItemItemRecommender
from aerec.closed_form.neighbours import RowIndex
from aerec.closed_form.penalties import L2, used_l2
from aerec.dimensions import Number, Space, Whole
from aerec.errors import TrainingError
from aerec.interactions import Interactions
from aerec.native import kernels
from aerec.native.loader import is_used
from aerec.parameters import Constraint, WholeNumber
from aerec.rating_weights import root_weighted
from aerec.sparse import CSR, take_rows, with_values
from aerec.splitting import Holdout
from aerec.system.memory import require_memory

_POPULAR_ITEMS = 4_000  # of which the whole Gram matrix is held
_DENSE_ITEMS = 8_000  # most items for which it is without the kernel
_BLOCK_PAIRS = 16_000_000  # entries of the Gram matrices that are held at once, by all threads
_COPIES = 3  # of each: the matrix, its system and the factor


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
        grams = _Grams(by_item) if is_used() else _GramsOfBlocks(by_item)
        index = RowIndex(by_item, transposed=X)
        near = index.nearest(by_item, int(self.n_neighbors), shrinkage=0.0, exclude=np.arange(n_items))
        width = int(np.diff(near.indptr).max(initial=0)) + 1
        size, threads = grams.lists_at_once(width), torch.get_num_threads()
        require_memory(
            _COPIES * 4 * threads * size * width**2,
            f"Gram matrices of {width:,} items, {size:,} for each of {threads} threads",
            "lower n_neighbors",
        )
        weights = np.empty(near.nnz, dtype=np.float32)

        def solve(start: int) -> None:
            items = np.arange(start, min(start + size, n_items))
            block = take_rows(near, items)
            lists, there = _lists(items, block)
            weights[near.indptr[start] : near.indptr[items[-1] + 1]] = _solve(grams.of(lists, there), there, l2)

        on_all_threads(solve, range(0, n_items, size))
        self.weights_ = with_values(near, weights).T.tocsr()


def _lists(items: NDArray[np.int64], near: CSR) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return each item followed by its neighbours, and which places of the table hold one."""
    shape = (len(items), int(np.diff(near.indptr).max(initial=0)) + 1)
    there = np.arange(shape[1]) <= np.diff(near.indptr)[:, None]
    lists = np.repeat(items[:, None], shape[1], axis=1)
    lists[:, 1:][there[:, 1:]] = near.indices
    return lists, there


class _Grams:
    """G of lists of items: of popular items looked up, for the others summed by a kernel."""

    def __init__(self, by_item: CSR) -> None:
        self._items = checked_rows(by_item)
        popular = np.sort(np.argsort(-np.diff(by_item.indptr), kind="stable")[:_POPULAR_ITEMS])
        numbers = np.full(by_item.shape[0], -1, dtype=np.int32)
        numbers[popular] = np.arange(len(popular))
        self._popular = torch.from_numpy(numbers)
        self._known = torch.from_numpy(gram_matrix(take_rows(by_item, popular).T.tocsr(), advice="use ELSA"))

    def lists_at_once(self, width: int) -> int:
        """Return how many lists of `width` items are a block of one thread."""
        return max(1, _BLOCK_PAIRS // (torch.get_num_threads() * width**2))

    def of(self, lists: NDArray[np.int64], there: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return G of the items of each list; shape (n_lists, width, width)."""
        starts, items = np.append(0, np.cumsum(there.sum(axis=1))), lists[there].astype(np.int32)
        given = torch.from_numpy(starts), torch.from_numpy(items), lists.shape[1]
        return kernels.products_within(self._items, *given, self._popular, self._known).numpy()


class _GramsOfBlocks:
    """The same without a kernel: from G of all items, or of those of a block."""

    def __init__(self, by_item: CSR) -> None:
        few = by_item.shape[0] <= _DENSE_ITEMS
        self._by_item = by_item
        self._whole = gram_matrix(by_item.T.tocsr(), advice="use ELSA") if few else None

    def lists_at_once(self, width: int) -> int:
        """Return how many lists of `width` items are a block of one thread."""
        return max(1, int(np.sqrt(_BLOCK_PAIRS / torch.get_num_threads())) // width)

    def of(self, lists: NDArray[np.int64], there: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return G of the items of each list; shape (n_lists, width, width)."""
        whole = self._whole
        if whole is None:
            needed, at = np.unique(lists, return_inverse=True)
            lists = at.reshape(lists.shape)  # NumPy 1 returns them flat
            columns = take_rows(self._by_item, needed)
            whole = (columns @ columns.T).toarray()
        return whole[lists[:, :, None], lists[:, None, :]]


def _solve(grams: NDArray[np.float32], there: NDArray[np.bool_], l2: float) -> NDArray[np.float32]:
    """Weights of the neighbours of each item of a block, one after the other.

    Parameters
    ----------
    grams : ndarray of shape (n_block, 1 + n_neighbors, 1 + n_neighbors), float32
        G of each item, the first, and its neighbours; changed in place.
    there : ndarray of bool, shape (n_block, 1 + n_neighbors)
        Which of them there are.
    l2 : float
    """
    grams *= there[:, :, None] & there[:, None, :]  # no neighbour: a row of the unit matrix, answer 0
    system, wanted = grams[:, 1:, 1:], grams[:, 1:, :1]
    diagonal = np.arange(system.shape[1])
    system[:, diagonal, diagonal] += np.where(there[:, 1:], l2, 1.0).astype(np.float32)
    factor, failed = torch.linalg.cholesky_ex(torch.from_numpy(system))
    if failed.any():
        raise TrainingError(NOT_INVERTIBLE)
    solution = torch.cholesky_solve(torch.from_numpy(wanted), factor)[:, :, 0].numpy()
    return solution[there[:, 1:]]
