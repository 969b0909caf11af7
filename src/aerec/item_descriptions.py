"""Names and genres of items: a value for each column of a data set, and those of several data sets joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from aerec.errors import DataError
from aerec.ids import as_ids, shown

__all__ = ["aligned_descriptions", "joined_descriptions"]


def aligned_descriptions(values: Any, items: pd.Index[Any], missing: Any, what: str) -> pd.Series[Any] | None:
    """Return a value for each of the `items`, `missing` where there is none.

    Parameters
    ----------
    values : pandas.Series or mapping by item id, or None
    items : pandas.Index
    missing : Any
    what : str
        The parameter they were given for, in messages.

    Raises
    ------
    DataError
        If an item has two.
    TypeError
        If `values` is something else.
    """
    if values is None:
        return None
    if isinstance(values, Mapping):
        values = pd.Series(list(values.values()), index=as_ids(values), dtype=object)
    if not isinstance(values, pd.Series):
        raise TypeError(f"{what} is a Series indexed by item id, or a dict, got {type(values).__name__}")
    if values.index.dtype == items.dtype and values.index.equals(items):
        return values.copy(deep=False)  # a change of one does not reach the other
    if not values.index.is_unique:
        repeated = values.index[values.index.duplicated()][0]
        raise DataError(f"item {shown(repeated)} has two names or two lists of genres")
    position = values.index.get_indexer(items)
    objects = values.to_numpy(dtype=object)
    aligned = np.empty(len(items), dtype=object)
    aligned[:] = [objects[at] if at >= 0 else missing for at in position]
    return pd.Series(aligned, index=items, name=values.name)


def joined_descriptions(
    values: Sequence[pd.Series[Any] | None], items: pd.Index[Any], missing: Any
) -> pd.Series[Any] | None:
    """Return names or genres of all items: of two that an item has the later one; "" and () say nothing."""
    known = [series for series in values if series is not None]
    if not known:
        return None
    joined = np.empty(len(items), dtype=object)
    joined[:] = [missing] * len(items)
    for series in known:
        given = series.to_numpy(dtype=object)
        is_given = np.array([bool(value) for value in given], dtype=bool)
        at = items.get_indexer(series.index[is_given])
        joined[at] = given[is_given]
    return pd.Series(joined, index=items, name=known[0].name)
