"""What metrics are given: lists of items, scores and targets of any kind, checked and numbered."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from aerec.canonical import canonical_csr
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.sparse import CSR
from aerec.topk import top_k

Recommended: TypeAlias = ArrayLike
"""Array (n_users, n) of items: what is recommended to each user, best first, −1 for none; or float array
(n_users, n_items): scores, of which the k highest are taken (−∞: never)."""

_ROWS = (Sequence, Mapping, np.ndarray, pd.Series, pd.Index)  # no sets: they would hide a repeated id
_INT64_MAX = np.iinfo(np.int64).max
_NO_IDS = {"float", "complex", "bool", "NAType", "NaTType", "datetime64", "timedelta64"}
_NO_FLOATS = "ids are whole numbers or text: convert them with int or str"


def as_ranking(recommended: Recommended, k: int | None, n_columns: int | None = None) -> NDArray[np.int64]:
    """Return lists of `k` column numbers, filled up with −1.

    Parameters
    ----------
    recommended : array-like of shape (n_users, n)
    k : int or None
    n_columns : int, optional
        Of the target: column numbers are below it, and each user has this many scores.

    Raises
    ------
    DataError
        If these are no lists of items or scores, ids are of several types, an item comes twice, or they do not fit
        `n_columns`.
    """
    array = _as_array(recommended, k)
    if array.dtype.kind == "f":
        if n_columns is not None and array.shape[1] != n_columns:
            raise DataError(
                f"recommended holds floats, so scores, of {array.shape[1]} items, but the target has {n_columns} "
                f"columns: they must be of the same items; {_NO_FLOATS}"
            )
        return top_k(array, k or array.shape[1])[0]
    if array.dtype.kind == "O":
        raise DataError(
            f"recommended holds ids such as {_example(array)}, but the items here are columns of a matrix: give column "
            "numbers, as model.rank does, or the target as lists of ids too"
        )
    ranking = array[:, :k]
    if n_columns is not None and ranking.size and ranking.max() >= n_columns:
        raise DataError(
            f"item {ranking.max()} is recommended, but the target has {n_columns} columns: give column numbers, as "
            "model.rank does, or the target as lists of ids too"
        )
    return _padded(ranking, k)


def matrix_of(ranking: NDArray[np.int64], n_items: int) -> CSR:
    """Return lists of column numbers, filled up with −1, as a matrix of ones; rows are in list order."""
    shown = ranking >= 0
    indptr = np.concatenate(([0], np.cumsum(shown.sum(axis=1))))
    return sp.csr_array((np.ones(indptr[-1]), ranking[shown], indptr), shape=(len(ranking), n_items))


def number_ids(recommended: Recommended, target: Sequence[Any], k: int | None) -> tuple[NDArray[np.int64], CSR]:
    """Number the ids that occur, whatever their size and type; return lists and targets in these numbers.

    Parameters
    ----------
    recommended : array-like of shape (n_users, n)
    target : sequence of a list of ids, or dict of ids and ratings, for each user
    k : int or None

    Returns
    -------
    ranking : ndarray of int64, shape (n_users, k)
    relevant : csr_array of shape (n_targets, n_ids)
    """
    lengths, wanted, ratings = _target_ids(target)
    array = _as_array(recommended, k)
    if array.dtype.kind == "f":
        _check_scores(array, wanted)
        ranking, columns, n_ids = as_ranking(array, k), wanted, array.shape[1]
    else:
        shape = array[:, :k].shape
        shown = array[:, :k].ravel()
        is_none = _stands_for_none(shown)
        _check_types(shown[~is_none], wanted)
        try:
            codes, known = pd.factorize(np.concatenate([shown, wanted]))
        except TypeError as error:
            raise DataError(f"an id must be hashable: {error}") from None
        codes[: len(shown)][is_none] = -1
        ranking = _padded(codes[: len(shown)].reshape(shape).astype(np.int64), k)
        columns, n_ids = codes[len(shown) :], len(known)
    indptr = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    return ranking, canonical_csr(sp.csr_array((ratings, columns, indptr), shape=(len(lengths), n_ids)))


def refuse_mapping(lists: Any, name: str) -> None:
    """Refuse lists by user: a metric takes what was recommended and the targets in the same order of users."""
    if isinstance(lists, Mapping):
        raise DataError(
            f"{name} is a dict of users: give a list of lists, such as [{name}[user] for user in users], of the same "
            "users in the same order as the other side"
        )


def within_catalogue(ranking: NDArray[np.int64], n_items: int) -> NDArray[np.int64]:
    """Return `ranking` after checking that a catalogue of `n_items` holds its items."""
    if n_items < 1:
        raise DataError(f"n_items must be at least 1, got {n_items}")
    if ranking.size and ranking.max() >= n_items:
        raise DataError(f"item {ranking.max()} is recommended, but the catalogue has {n_items} items")
    return ranking


# ---------------------------------------------------------------------- what was recommended


def _as_array(recommended: Recommended, k: int | None) -> NDArray[Any]:
    """Return an array (n_users, n): int64 of items, float of scores, or object of ids of another type."""
    if sp.issparse(recommended) or isinstance(recommended, Interactions):
        raise DataError("recommended comes first, as an array of items or of scores; the target comes second")
    refuse_mapping(recommended, "recommended")
    if hasattr(recommended, "columns"):
        raise DataError("recommended is a frame; give an array of items, such as model.rank(history, k)[0]")
    if k is not None and (isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1):
        raise ValueError(f"k must be at least 1, got {k!r}")
    if isinstance(recommended, np.ma.MaskedArray):
        raise DataError("a masked array would lose its mask: fill it with -1, which stands for no item, or with -inf")
    array = recommended if isinstance(recommended, np.ndarray) else _of_lists(recommended)
    if array.dtype == object:
        array = _of_numbers(array.ravel().tolist()).reshape(array.shape)
    if array.ndim != 2:
        raise DataError(f"recommended must be of shape (n_users, n), got {array.shape}")
    if array.dtype.kind == "f":
        if k is None:
            raise ValueError("recommended holds scores (floats): say how many of the best count, with k")
        if np.isnan(array).any():
            raise DataError("recommended holds NaN scores")
        return array
    if array.dtype.kind not in "iuOUS":
        raise DataError(f"recommended must hold items (integers, text) or scores (floats), got {array.dtype}")
    if k is None and array.shape[1] == 0:
        raise DataError("recommended holds lists of no items: say how long they should have been, with k")
    array = _as_ids(array)
    if array.dtype == object:
        _check_types(array[~_stands_for_none(array)])
    if array.dtype == np.int64 and array.size and array.min() < -1:
        raise DataError(f"item {array.min()} is recommended: items are numbered from 0, and -1 stands for none")
    return array


def _of_lists(lists: Any) -> NDArray[Any]:
    """Return lists of one length as an array of numbers, or of objects that holds each id as it is."""
    if hasattr(lists, "__array__") and not isinstance(lists, pd.Series | pd.Index):
        return np.asarray(lists)  # a tensor
    rows: list[Any] = list(lists) if isinstance(lists, Iterable) else [None]
    if not all(_is_row(row) for row in rows):
        raise DataError("recommended must be of shape (n_users, n): a list of items for each user")
    rows = [list(row) for row in rows]
    if len({len(row) for row in rows}) > 1:
        raise DataError("recommended holds lists of different lengths; fill the short ones up with -1")
    flat = list(itertools.chain.from_iterable(rows))
    return _of_numbers(flat).reshape(len(rows), len(rows[0]) if rows else 0)


def _is_row(row: Any) -> bool:
    return isinstance(row, _ROWS) and not isinstance(row, str | bytes | np.ma.MaskedArray)


def _of_numbers(ids: list[Any]) -> NDArray[Any]:
    """Return numbers as an array of int64, or of float64 where one is a float; anything else as objects, as it is.

    NumPy would take True for 1, and 1 beside "a" for text.
    """
    for kind, dtype in ((int | np.integer, np.int64), (int | np.integer | float | np.floating, np.float64)):
        if all(isinstance(value, kind) and not isinstance(value, bool) for value in ids):
            try:
                return np.array(ids, dtype=dtype)
            except OverflowError:  # beyond 64 bits
                break
    objects = np.empty(len(ids), dtype=object)
    objects[:] = [
        value.item() if isinstance(value, np.number | np.str_ | np.bytes_ | np.bool_) else value for value in ids
    ]
    return objects


def _as_ids(array: NDArray[Any]) -> NDArray[Any]:
    """Return ids as int64 where they are whole numbers that fit, else as objects."""
    is_int = array.dtype.kind == "i" or (array.dtype.kind == "u" and array.max(initial=0) <= _INT64_MAX)
    return array.astype(np.int64 if is_int else object)


def _stands_for_none(ids: NDArray[Any]) -> NDArray[np.bool_]:
    """Say where no item is recommended: −1, and None among objects."""
    if ids.dtype != object:
        return np.asarray(ids == -1)
    nothing = [value is None or (type(value) is int and value == -1) for value in ids.ravel()]
    return np.array(nothing, dtype=bool).reshape(ids.shape)


def _padded(ranking: NDArray[np.int64], k: int | None) -> NDArray[np.int64]:
    """Refuse an item that comes twice, and fill up to a length of `k`."""
    ordered = np.sort(ranking, axis=1)
    repeated = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if repeated.any():
        raise DataError(f"row {int(np.argmax(repeated))} recommends the same item twice")
    short = 0 if k is None else k - ranking.shape[1]
    return np.pad(ranking, ((0, 0), (0, short)), constant_values=-1) if short > 0 else ranking


# ---------------------------------------------------------------------- targets as lists


def _target_ids(target: Sequence[Any]) -> tuple[list[int], NDArray[Any], NDArray[Any]]:
    """Return how many targets each user has, their ids, and their ratings."""
    rows: list[list[Any]] = []
    ratings: list[float] = []
    for number, row in enumerate(target):
        if not _is_row(row):
            raise DataError(f"row {number} of the target is {row!r:.80}: give a list of ids for each user")
        rows.append(list(row))
        ratings += row.values() if isinstance(row, Mapping) else itertools.repeat(True, len(row))
    ids = _of_numbers(list(itertools.chain.from_iterable(rows)))
    for value in () if ids.dtype == np.int64 else ids:
        if value is None or isinstance(value, float | np.floating | bool):
            raise DataError(f"the target names item {value}; {_NO_FLOATS}")
    _check_types(ids, side="the target")
    if ids.dtype == np.int64 and ids.size and ids.min() < 0:
        raise DataError(f"the target names item {ids.min()}; items are numbered from 0")
    values = np.asarray(ratings, dtype=None if ratings else bool)
    if values.dtype.kind not in "biuf":
        raise DataError(f"the ratings of the target must be numbers, got {values.dtype}")
    return [len(row) for row in rows], ids, values


def _check_types(shown: NDArray[Any], wanted: NDArray[Any] | None = None, side: str = "recommended") -> None:
    """Refuse ids of several types, among themselves or beside those of the target: numbers and text never meet."""
    examples: dict[str, Any] = {type(value).__name__: value for value in shown.ravel().tolist()[::-1]}
    if refused := examples.keys() & _NO_IDS:
        raise DataError(f"{side} holds ids of type {min(refused)}, such as {examples[min(refused)]!r}; {_NO_FLOATS}")
    if len(examples) > 1:
        types = " and ".join(f"{name}, such as {examples[name]!r}," for name in sorted(examples))
        raise DataError(f"{side} holds ids of several types, {types} which never meet; convert them with int or str")
    others = set() if wanted is None else {type(value).__name__ for value in wanted[:1].tolist()}
    if wanted is not None and others and examples and others != examples.keys():
        raise DataError(
            f"recommended holds ids of type {min(examples)}, such as {_example(shown)}, the target of type "
            f"{min(others)}, such as {_example(wanted)}: they never meet; convert one side with int or str"
        )


def _check_scores(scores: NDArray[Any], wanted: NDArray[Any]) -> None:
    """Refuse floats that are no scores of the items 0, 1, 2, … of which the target speaks."""
    n_items = scores.shape[1]
    outside = wanted[(wanted < 0) | (wanted >= n_items)] if wanted.dtype == np.int64 else wanted
    if outside.size:
        raise DataError(
            f"recommended holds floats, so scores, of the items 0 to {n_items - 1}, but the target names "
            f"{_example(outside)}; {_NO_FLOATS}"
        )
    ordered = np.sort(scores, axis=1)
    is_whole = np.isfinite(scores).all() and (np.floor(scores) == scores).all()
    if scores.size and is_whole and (ordered >= 0).all() and (ordered[:, 1:] > ordered[:, :-1]).all():
        raise DataError(
            f"recommended holds whole numbers as floats, such as {_example(scores)}: are they ids? Then convert them "
            "with int; of scores, give the target as a matrix"
        )


def _example(ids: NDArray[Any]) -> str:
    first = next((identifier for identifier in ids.ravel().tolist() if identifier is not None), None)
    return repr(first)
