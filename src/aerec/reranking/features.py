"""What is known of items, as a matrix with a row per item."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.canonical import canonical_csr
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.sparse import CSR


def features_of(data: Interactions, given: Any, *, genres_first: bool = False) -> CSR | NDArray[np.float32]:
    """Return features of the items of `data`, shape (n_items, n_features): sparse, or dense where they came so.

    Parameters
    ----------
    data : Interactions
    given : pandas.DataFrame, matrix of shape (n_items, n_features), or None
        A frame is indexed by item id; items that it lacks have no features. None: the item features of `data`, or its
        genres.
    genres_first : bool, default False
        None: the genres of `data`, or its item features.

    Raises
    ------
    DataError
        If nothing is known of the items, or a matrix does not fit.
    """
    if given is None:
        given = _known(data, genres_first)
    values: CSR | NDArray[np.float32]
    if isinstance(given, pd.DataFrame):
        if not given.index.is_unique or not given.index.isin(data.items).any():
            raise DataError("a frame of features has the item ids of data as its index, each once")
        values = given.reindex(data.items).to_numpy(np.float32, na_value=0.0)
    else:
        values = canonical_csr(given) if sp.issparse(given) else np.asarray(given, dtype=np.float32)
    if values.ndim != 2 or values.shape[0] != data.shape[1]:
        raise DataError(f"the features are {values.shape}, expected a row for each of the {data.shape[1]} items")
    if not sp.issparse(values) and not np.isfinite(values).all():
        raise DataError("the features hold NaN or infinite values; replace them")
    return values


def _known(data: Interactions, genres_first: bool) -> CSR:
    sources = [data.item_features, _genres(data)]
    known = [source for source in (reversed(sources) if genres_first else sources) if source is not None]
    if not known:
        raise DataError("nothing is known of the items: data has neither item features nor genres; give features=…")
    return known[0]


def _genres(data: Interactions) -> CSR | None:
    known = None if data.item_genres is None else data.item_genres.reset_index(drop=True).explode().dropna()
    if known is None or known.empty:
        return None
    codes, names = pd.factorize(known)
    shape = (data.shape[1], len(names))
    return canonical_csr(sp.coo_array((np.ones(len(known)), (known.index.to_numpy(), codes)), shape=shape))
