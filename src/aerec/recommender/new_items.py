"""Items that nobody has rated: what a model knows of the others, carried over to them by features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy import linalg

from aerec.errors import DataError, warn_caller
from aerec.id_kinds import refuse_other_kind
from aerec.ids import as_ids, examples
from aerec.interactions import Interactions
from aerec.item_features import ItemFeatures, rows_or_empty, unit_rows
from aerec.sparse import CSR, column_counts, row_ids, take_rows
from aerec.system.memory import require_memory
from aerec.topk import top_k

_ROWS = 512  # Rows of a dense matrix, or new items of a sparse one, that are worked on at once
_EXACT = 4096  # rows of a system up to which it is solved in float64; beyond, float32 takes half the time and memory


@dataclass(frozen=True, eq=False)
class NewItems:
    """The items of a model, and how those that are new are mixed of those that are known.

    Attributes
    ----------
    items : pandas.Index
        Of the model as it was, followed by those that it had not met.
    known, new : ndarray of int64
        Columns of the items that are mixed, and of those that are made.
    shares : ndarray of shape (n_new, n_known), float32
        Of each known item in each new one; each row sums to 1.
    features : ItemFeatures
        Of the new items.
    """

    items: pd.Index[Any]
    known: NDArray[np.int64]
    new: NDArray[np.int64]
    shares: NDArray[np.float32]
    features: ItemFeatures

    @classmethod
    def of(cls, model_items: pd.Index[Any], data: Interactions, items: Any, l2: float) -> NewItems:
        """Return how to make new items; parameters as in `Recommender.add_items`."""
        if data.item_features is None or data.feature_names is None:
            raise DataError("the data have no features of items: give them some with data.with_item_features(...)")
        refuse_other_kind(data.items, model_items, "items of the data")
        described, rated = np.diff(data.item_features.indptr) > 0, column_counts(data.matrix) > 0
        wanted = ~rated
        if items is not None:
            ids = as_ids(items)
            wanted = data.items.isin(ids)
            if (unknown := ids[~ids.isin(data.items)]).size:
                raise DataError(f"{unknown.size:,} items are not among those of the data, such as {examples(unknown)}")
        known = rated & described & ~wanted & data.items.isin(model_items)
        if not known.any():
            raise DataError(
                "no item with features has a rating and is known to the model: give the data that it was fitted on, "
                "with features of those items and of the new ones"
            )
        if n_bare := np.count_nonzero(wanted & ~described):
            warn_caller(f"{n_bare:,} new items are left out: they have no features")
        wanted &= described
        every = model_items.append(data.items[wanted & ~data.items.isin(model_items)])
        old, new = np.flatnonzero(known), np.flatnonzero(wanted)
        of_new = ItemFeatures(take_rows(data.item_features, new), data.feature_names)
        familiar = column_counts(take_rows(data.item_features, old)) > 0
        if n_alone := len(new) - len(np.unique(row_ids(of_new.matrix)[familiar[of_new.matrix.indices]])):
            warn_caller(f"{n_alone:,} new items have no feature that a rated item has: they get the mean of those")
        shares = ridge_shares(take_rows(data.item_features, old), of_new.matrix, l2)
        old_columns, new_columns = (every.get_indexer(data.items[rows]).astype(np.int64) for rows in (old, new))
        return cls(every, old_columns, new_columns, shares, of_new)

    def rows(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return an array with a row an item, with rows of the new items."""
        extended = np.zeros((len(self.items), *values.shape[1:]), dtype=values.dtype)
        extended[: len(values)] = values
        extended[self.new] = np.tensordot(self.shares, values[self.known], axes=1)
        return extended

    def described(self, features: CSR, of_new: CSR) -> CSR:
        """Return sparse features with a row an item, with those of the new items."""
        n_before = features.shape[0]
        row = np.append(np.arange(n_before), np.full(len(self.items) - n_before, -1))
        row[self.new] = n_before + np.arange(len(self.new))
        return rows_or_empty(sp.csr_array(sp.vstack([features, of_new], format="csr")), row)

    def square(self, weights: NDArray[np.float32] | CSR) -> NDArray[np.float32] | CSR:
        """Return item × item weights with rows and columns of the new items; these have nothing on the diagonal.

        Of sparse weights the new rows and columns keep their largest values, as many as the fullest of the others, and
        nothing between two new items.
        """
        return self._dense(weights) if isinstance(weights, np.ndarray) else self._sparse(weights)

    def _dense(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        before, after = len(weights), len(self.items)
        require_memory(4 * after**2, f"an item-item matrix of {after:,} x {after:,}", "add fewer items")
        extended = np.zeros((after, after), dtype=np.float32)
        for start in range(0, before, _ROWS):
            block = weights[start : start + _ROWS]
            here = slice(start, start + len(block))
            extended[here, :before] = block
            extended[here, self.new] = block[:, self.known] @ self.shares.T
        for start in range(0, after, _ROWS):
            some = slice(start, start + _ROWS)
            extended[self.new, some] = self.shares @ extended[self.known, some]
        extended[self.new, self.new] = 0
        return extended

    def _sparse(self, weights: CSR) -> CSR:
        n_items = len(self.items)
        rows, columns = row_ids(weights), weights.indices.astype(np.int64)
        stays = ~(np.isin(rows, self.new) | np.isin(columns, self.new))
        k = max(int(np.bincount(some).max(initial=1)) for some in (rows[stays], columns[stays]))
        parts = [(rows[stays], columns[stays], weights.data[stays])]
        columns_of: CSR = weights.T.tocsr()
        for whole, transposed in ((columns_of, True), (weights, False)):
            table = take_rows(whole, self.known)
            for start in range(0, len(self.new), _ROWS):
                mixed = np.asarray((table.T @ self.shares[start : start + _ROWS].T).T)
                size = np.abs(mixed)
                size[:, self.new[self.new < mixed.shape[1]]] = 0
                size[size == 0] = -np.inf
                best, _ = top_k(size, min(k, mixed.shape[1]))
                at, place = np.nonzero(best >= 0)
                chosen = best[at, place]
                pair = (self.new[start + at], chosen)
                parts.append((*(pair[::-1] if transposed else pair), mixed[at, chosen]))
        row, column, value = (np.concatenate([part[which] for part in parts]) for which in range(3))
        return sp.coo_array((value, (row, column)), shape=(n_items, n_items)).tocsr()


def ridge_shares(known: CSR, new: CSR, l2: float) -> NDArray[np.float32]:
    r"""Return the shares S of known items in new ones by which ridge regression on features predicts anything of them.

    .. math:: \hat Y = S Y, \qquad S = \tfrac1n 1 1^\top + F_{new} (F^\top F + \lambda I)^{-1} F^\top

    with features of length 1, less their mean over the n known items. Whatever Y holds of the known items (columns of
    weights, vectors, a bias), a new item gets the mean of it, and what its features add. The smaller one of FᵀF and FFᵀ
    is made.

    Parameters
    ----------
    known, new : csr_array of shape (n_known, n_features) and (n_new, n_features)
    l2 : float
        λ.

    Returns
    -------
    ndarray of shape (n_new, n_known), float32
        Each row sums to 1.
    """
    F, N = unit_rows(known), unit_rows(new)
    n, size = F.shape[0], min(F.shape)
    advice = "describe items by fewer features, such as embeddings of them"
    kind: Any = np.float64 if size <= _EXACT else np.float32
    needed = 3 * np.dtype(kind).itemsize * size**2 + 16 * n * N.shape[0]
    require_memory(needed, f"a regression on {F.shape[1]:,} features of {n:,} items", advice)
    F, N = F.astype(kind), N.astype(kind)
    mean = np.asarray(F.mean(axis=0)).ravel()
    if F.shape[1] <= n:
        gram = (F.T @ F).toarray() - n * np.outer(mean, mean)
        gram[np.diag_indices_from(gram)] += l2
        coefficients = linalg.solve(gram, (N.toarray() - mean).T, assume_a="pos", overwrite_a=True)
        shares = (F @ coefficients - mean @ coefficients).T
    else:
        gram, right, own = (F @ F.T).toarray(), (F @ N.T).toarray(), F @ mean
        gram += mean @ mean - own[:, None] - own
        right += mean @ mean - own[:, None] - N @ mean
        gram[np.diag_indices_from(gram)] += l2
        shares = linalg.solve(gram, right, assume_a="pos", overwrite_a=True).T
    popularity: NDArray[np.float32] = (shares + 1 / n).astype(np.float32)
    return popularity
