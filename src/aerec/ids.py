"""Raw ids as they are given: lists, arrays, series, single ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["as_ids"]


def as_ids(ids: Any) -> pd.Index[Any]:
    """Return `ids` as an index that holds each of them as it is.

    A list is not made an array, which would have one type for all: text of 1 and "a", a float of 2⁶³ and −1, two
    columns of two tuples.

    Parameters
    ----------
    ids : Index, Series, ndarray, any other iterable of ids, or a single id
        Text is a single id.

    Examples
    --------
    >>> from aerec.ids import as_ids
    >>> as_ids([1, "a", (2, 3)]).tolist()
    [1, 'a', (2, 3)]
    >>> as_ids("a").tolist()
    ['a']
    """
    if isinstance(ids, pd.Index):
        return ids
    if isinstance(ids, pd.Series):
        return pd.Index(ids)
    if isinstance(ids, np.ndarray | pd.api.extensions.ExtensionArray):
        return pd.Index(np.atleast_1d(ids) if isinstance(ids, np.ndarray) else ids, tupleize_cols=False)
    values = [ids] if isinstance(ids, str | bytes) or not isinstance(ids, Iterable) else list(ids)
    return pd.Index(values, dtype=object, tupleize_cols=False)
