"""What is known of items beside their ratings, as a sparse matrix: one row an item, one named column a feature."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.canonical import LARGEST_RATING, canonical_csr
from aerec.errors import DataError, warn_caller
from aerec.ids import as_ids, examples
from aerec.sparse import CSR, row_ids, row_positions, with_values
from aerec.tables import read_columns

_COLLECTIONS = (list, tuple, set, frozenset, np.ndarray)
_NUMBERS = (int, float, Decimal, np.integer, np.floating)
_MANY = 20  # different texts in a column from which on it may be no category
_BETWEEN_TAGS = "|"
_SIGN = r"\s*[^\w\s.,+-]?\s*"  # of a currency, or %
_AMOUNT = re.compile(rf"{_SIGN}[+-]?(\d+|\d{{1,3}}(,\d{{3}})+|\d{{1,3}}(\.\d{{3}})+)([.,]\d+)?{_SIGN}")


@dataclass(frozen=True)
class ItemFeatures:
    """Features of items.

    Attributes
    ----------
    matrix : csr_array of shape (n_items, n_features), float32
    names : pandas.Index
        Of the columns, text, unique.
    """

    matrix: CSR
    names: pd.Index[Any]

    def under_names(self, names: pd.Index[Any]) -> ItemFeatures:
        """Return these items under other `names` of features: those that are not among them are left out."""
        column = names.get_indexer(self.names)
        stored = self.matrix.tocoo()
        known = column[stored.col] >= 0
        entries = stored.data[known], (stored.row[known], column[stored.col[known]])
        return ItemFeatures(sp.csr_array(sp.coo_array(entries, shape=(self.matrix.shape[0], len(names)))), names)

    def replaced_by(self, more: ItemFeatures) -> ItemFeatures:
        """Return these features and more of the same items; one of the same name is replaced."""
        others = ~self.names.isin(more.names)
        matrix = sp.hstack([self.matrix[:, np.flatnonzero(others)], more.matrix], format="csr")
        return ItemFeatures(sp.csr_array(matrix), self.names[others].append(more.names))


def features_of_items(
    features: Any,
    names: Iterable[str] | None,
    items: pd.Index[Any],
    item: str = "item",
    text: Sequence[str] = (),
    standardize: bool = True,
) -> ItemFeatures:
    """Return a frame, Series or matrix as features of `items`; as in `Interactions.with_item_features`."""
    is_frame = isinstance(features, pd.DataFrame | pd.Series) or any(
        hasattr(features, name) for name in ("__arrow_c_stream__", "collect_schema")
    )
    if not is_frame:
        if len(text):
            raise ValueError(f"text={text!r} names columns of a frame, and the features are a matrix")
        return features_of_matrix(features, names, len(items))
    if names is not None:
        raise ValueError("feature_names are those of a matrix; the features of a frame are called by its columns")
    return features_of_frame(features, items, item, text, standardize)


def features_of_matrix(matrix: Any, names: Iterable[str] | None, n_items: int) -> ItemFeatures:
    """Return a (sparse) matrix with a row an item, in their order, as features; raises DataError if it does not fit."""
    if np.ndim(matrix) != 2 and not sp.issparse(matrix):
        raise DataError(
            "features are a frame, a Series, or a matrix of shape (n_items, n_features), got "
            f"{type(matrix).__name__} of {np.ndim(matrix)} dimension(s)"
        )
    try:
        csr = canonical_csr(matrix)
    except DataError as error:
        raise DataError(f"features of items: {error}") from None
    if csr.shape[0] != n_items:
        raise DataError(
            f"the features have {csr.shape[0]:,} rows, the data {n_items:,} items: expected a row for each of "
            "data.items in that order; a frame with a column of item ids is matched by id"
        )
    known: list[str] = [f"feature {at}" for at in range(csr.shape[1])] if names is None else [*map(str, names)]
    if len(known) != csr.shape[1]:
        raise DataError(f"{len(known):,} feature names for {csr.shape[1]:,} columns: expected one for each")
    return ItemFeatures(csr, _names(known))


def features_of_frame(
    df: Any, items: pd.Index[Any], item: str, text: Sequence[str] = (), standardize: bool = True
) -> ItemFeatures:
    """Return the columns of a frame as features of `items`; parameters as in `Interactions.with_item_features`."""
    if isinstance(df, pd.Series):
        df = pd.DataFrame({item: df.index, "feature" if df.name is None else df.name: df.array})
    frame, names = read_columns(df)
    text = (text,) if isinstance(text, str) else text
    for name in (item, *text):
        if name not in names:
            cure = "; name the column of item ids with item=…" if name == item else ""
            raise DataError(f"no column {name!r} in the frame of features; its columns are {names}{cure}")
    frame = frame.loc[frame[item].notna()]
    ids = as_ids(frame[item])
    positions = items.get_indexer(ids)
    frame, known = frame.loc[positions >= 0], positions[positions >= 0]
    if len(np.unique(known)) < len(known):
        twice = items[known[pd.Index(known).duplicated()]]
        raise DataError(f"item {examples(twice, 1)} has two rows of features; join them to one, such as lists of tags")
    if len(known) == 0 and len(ids) and len(items):
        raise DataError(
            f"none of the {len(ids):,} items of the frame is among the {len(items):,} items of the data; "
            f"its ids are such as {ids[:1].tolist()[0]!r}, those of the data such as {items[:1].tolist()[0]!r}"
        )
    blocks = [
        _text(frame[name], str(name)) if name in text else _column(frame[name], str(name), standardize)
        for name in frame.columns
        if name != item
    ]
    if not blocks:
        raise DataError(f"the frame has no column beside {item!r}; expected one or more of features")
    rows: CSR = sp.csr_array(sp.hstack([block for block, _ in blocks], format="csr"), dtype=np.float32)
    row = np.full(len(items), -1, dtype=np.int64)
    row[known] = np.arange(len(known))
    features = canonical_csr(rows_or_empty(rows, row))
    if unknown := int(np.sum(positions < 0)):
        warn_caller(f"features of {unknown:,} items left out: they are not among the items of the data")
    return ItemFeatures(features, _names([name for _, names in blocks for name in names]))


def features_to_weigh(features: CSR | None, weight: float) -> CSR:
    """Return the features of training data that a model is to weigh by `weight`; without any raise DataError."""
    if features is None:
        raise DataError(
            f"feature_weight={weight:g}, and the training data have no features of items: give them some with "
            "train.with_item_features(...)"
        )
    return features


def unit_rows(features: CSR) -> CSR:
    """Return rows of Euclidean length 1, float64; a row without features stays so."""
    rows = row_ids(features)
    lengths = np.sqrt(np.bincount(rows, np.square(features.data, dtype=np.float64), features.shape[0]))
    return with_values(features, features.data / lengths[rows])


def join_features(
    parts: Sequence[ItemFeatures | None], rows: Sequence[NDArray[np.int64]], n_items: int
) -> ItemFeatures | None:
    """Return the features of several parts as those of all items together; None where no part has any.

    Parameters
    ----------
    parts : sequence of ItemFeatures or None
        Columns of one name are one feature.
    rows : sequence of ndarray of int64
        Which of all items the rows of each part are. An item that several parts describe is described by the last.
    n_items : int
        Of all items.
    """
    described = [(part, where) for part, where in zip(parts, rows, strict=True) if part is not None]
    if not described:
        return None
    names: pd.Index[Any] = pd.Index(
        [*dict.fromkeys(name for part, _ in described for name in part.names)], dtype=object
    )
    owner = np.full(n_items, -1, dtype=np.int64)
    for at, (part, where) in enumerate(described):
        owner[where[np.diff(part.matrix.indptr) > 0]] = at
    entries = []
    for at, (part, where) in enumerate(described):
        stored = part.matrix.tocoo()
        mine = owner[where][stored.row] == at
        columns = names.get_indexer(part.names)
        entries.append((stored.data[mine], where[stored.row[mine]], columns[stored.col[mine]]))
    data, row, column = (np.concatenate(arrays) for arrays in zip(*entries, strict=True))
    joined: CSR = sp.csr_array((data, (row, column)), shape=(n_items, len(names)))
    return ItemFeatures(canonical_csr(joined), names)


def rows_or_empty(matrix: CSR, rows: NDArray[Any]) -> CSR:
    """Return ``matrix[rows]``, with an empty row for each −1."""
    indptr = np.append(matrix.indptr, matrix.nnz)  # one more row, empty
    positions, starts = row_positions(indptr, np.where(rows < 0, matrix.shape[0], rows))
    result: CSR = sp.csr_array(
        (matrix.data[positions], matrix.indices[positions], starts), shape=(len(rows), matrix.shape[1])
    )
    return result


# ---------------------------------------------------------------------- one column of a frame


def _column(column: pd.Series[Any], name: str, standardize: bool) -> tuple[Any, list[str]]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    elif column.dtype == object:
        column = _typed(column)
    if column.dtype.kind == "c":
        raise DataError(f"the feature {name!r} holds complex numbers; give their parts")
    if column.dtype.kind in "mM":
        return _numbers(column.astype("int64").where(column.notna()), name, standardize)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return _numbers(column, name, standardize)
    values = list(column)
    if (odd := next((value for value in values if isinstance(value, Mapping)), None)) is not None:
        raise DataError(
            f"the feature {name!r} holds dicts, such as {odd!r}; expected one value or a list for each item"
        )
    if any(isinstance(value, str) and _BETWEEN_TAGS in value for value in values):
        values = [tags_of_text(value) if isinstance(value, str) else value for value in values]
    if not any(isinstance(value, _COLLECTIONS) for value in values):
        _warn_of_texts(values, name)
        return _one_hot([[] if pd.isna(value) else [value] for value in values], name)
    lists = [list(value) if isinstance(value, _COLLECTIONS) else [] if pd.isna(value) else [value] for value in values]
    kinds = {type(entry) for entries in lists for entry in entries} - {type(None)}
    if any(issubclass(kind, (*_COLLECTIONS, Mapping)) for kind in kinds):
        raise DataError(
            f"the feature {name!r} holds lists of lists; expected one list of tags or numbers for each item"
        )
    floats = {kind for kind in kinds if issubclass(kind, float | np.floating)}
    if (floats or not kinds) and all(
        issubclass(kind, int | np.integer) and kind is not bool for kind in kinds - floats
    ):
        return _vectors(lists, name)
    return _one_hot([[entry for entry in entries if not pd.isna(entry)] for entries in lists], name)


def tags_of_text(text: str) -> list[str]:
    """Return the tags of a text such as ``"Drama|War"``."""
    return [tag for part in text.split(_BETWEEN_TAGS) if (tag := part.strip())]


def _typed(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of objects of Python as numbers or dates, where it holds nothing else but missing values."""
    known = column[column.notna()]
    if len(known) and all(isinstance(value, _NUMBERS) and not isinstance(value, bool) for value in known):
        return column.where(column.notna(), np.nan).astype(np.float64)
    if pd.api.types.infer_dtype(known) in ("date", "datetime", "datetime64"):
        with contextlib.suppress(ValueError):  # dates that pandas cannot hold, or of several time zones
            return pd.to_datetime(column)
    return column


def _warn_of_texts(values: list[Any], name: str) -> None:
    """Warn of numbers, and where most of the items have a category of their own, which says nothing of any other."""
    texts = [value for value in values if isinstance(value, str)]
    n_different = len(set(texts))
    if texts and not all(map(str.isdigit, texts)) and all(map(_AMOUNT.fullmatch, texts)):
        warn_caller(
            f"column {name!r} holds numbers as text, such as {texts[0]!r}, each taken for a category: make them "
            "numbers to have one feature of them"
        )
    elif n_different > _MANY and 2 * n_different > len(texts):
        warn_caller(
            f"column {name!r} holds {n_different:,} different texts, each taken for a category: text=[{name!r}] counts "
            "their words"
        )


def _one_hot(lists: list[list[Hashable]], name: str) -> tuple[Any, list[str]]:
    entries = np.array([str(entry) for entries in lists for entry in entries], dtype=object)
    codes, names = pd.factorize(entries, sort=True)
    rows = np.repeat(np.arange(len(lists)), [len(entries) for entries in lists])
    block = sp.coo_array((np.ones(len(codes), np.float32), (rows, codes)), shape=(len(lists), len(names))).tocsr()
    block.data[:] = 1  # a tag that stands twice counts once
    return block, [f"{name}={value}" for value in names]


def _numbers(column: pd.Series[Any], name: str, standardize: bool) -> tuple[Any, list[str]]:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise DataError(f"the feature {name!r} of row {int(np.argmax(np.isinf(values)))} is infinite")
    known = values[~np.isnan(values)]
    if standardize and known.size:
        values = (values - known.mean()) / (known.std() or 1)
    if (most := np.nanmax(np.abs(values), initial=0)) > LARGEST_RATING:
        raise DataError(f"the feature {name!r} holds {most:g}, expected at most 2^24: leave standardize, or divide it")
    return sp.csr_array(np.nan_to_num(values)[:, None].astype(np.float32)), [name]


def _vectors(lists: list[list[Hashable]], name: str) -> tuple[Any, list[str]]:
    lengths = {len(entries) for entries in lists if entries}
    if len(lengths) > 1:
        raise DataError(f"the vectors of {name!r} have lengths from {min(lengths)} to {max(lengths)}, expected one")
    n = lengths.pop() if lengths else 0
    rows = np.array([entries or [0.0] * n for entries in lists], dtype=np.float64).reshape(len(lists), n)
    if not (finite := np.isfinite(rows).all(axis=1)).all():
        raise DataError(f"the vector {name!r} of row {int(np.argmin(finite))} holds NaN or an infinite number")
    return sp.csr_array(rows), [f"{name}[{at}]" for at in range(n)]


def _text(column: pd.Series[Any], name: str) -> tuple[Any, list[str]]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
    try:
        block = vectorizer.fit_transform(column.fillna("").astype(str))
    except ValueError:
        raise DataError(f"the column {name!r} holds no words") from None
    return sp.csr_array(block), [f"{name}:{word}" for word in vectorizer.get_feature_names_out()]


def _names(names: list[str]) -> pd.Index[Any]:
    index: pd.Index[Any] = pd.Index(names, dtype=object)
    if not index.is_unique:
        raise DataError(f"two features have the name {index[index.duplicated()][0]!r}; rename a column")
    return index
