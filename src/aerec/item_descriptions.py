"""Names and genres of items: a value for each column of a data set, and those of several data sets joined."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from aerec.errors import DataError
from aerec.ids import as_ids, shown

_COPIES_ON_WRITE = int(pd.__version__.partition(".")[0]) >= 3  # as pandas does from then on


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
        If an item has two, or genres that are no tuple or list.
    TypeError
        If `values` is something else.
    """
    if values is None:
        return None
    if isinstance(values, Mapping):
        values = pd.Series(list(values.values()), index=as_ids(values), dtype=object)
    if not isinstance(values, pd.Series):
        raise TypeError(f"{what} is a Series indexed by item id, or a dict, got {type(values).__name__}")
    described: pd.Series[Any] = _names(values) if missing == "" else _genres(values)
    if described.index.dtype == items.dtype and described.index.equals(items):
        return described.copy(deep=not _COPIES_ON_WRITE)  # a change of one does not reach the other
    if not described.index.is_unique:
        repeated = described.index[described.index.duplicated()][0]
        raise DataError(f"item {shown(repeated)} has two names or two lists of genres")
    position = described.index.get_indexer(items)
    objects = described.to_numpy(dtype=object)
    aligned = np.empty(len(items), dtype=object)
    aligned[:] = [objects[at] if at >= 0 else missing for at in position]
    return pd.Series(aligned, index=items, name=described.name)


def _names(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return names as text, "" where there is none: after a join of tables that is NaN."""
    missing = values.isna()
    if not missing.any() and pd.api.types.infer_dtype(values, skipna=False) in ("string", "empty"):
        return values
    names = ["" if is_missing else str(name) for name, is_missing in zip(values.tolist(), missing, strict=True)]
    return pd.Series(names, index=values.index, name=values.name, dtype=object)


def _genres(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return genres as tuples of text, () where there are none."""
    given = values.tolist()
    if set(map(type, given)) <= {tuple} and set(map(type, itertools.chain.from_iterable(given))) <= {str}:
        return values
    genres = np.empty(len(given), dtype=object)
    for at, each in enumerate(given):
        if pd.api.types.is_scalar(each) and pd.isna(each):
            genres[at] = ()
        elif isinstance(each, tuple | list | np.ndarray):
            genres[at] = tuple(map(str, each))
        else:
            raise DataError(
                f"the genres of item {shown(values.index[at])} are {each!r}, expected a tuple of them, such as "
                "('Drama', 'War'); of text such as 'Drama|War': tuple(text.split('|'))"
            )
    return pd.Series(genres, index=values.index, name=values.name)


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
