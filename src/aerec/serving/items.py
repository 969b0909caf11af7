"""The items of a run as people see them: ids, titles, genres, years, and which of them a request asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.ids import id_from_text
from aerec.interactions import Interactions
from aerec.serving.problems import RequestError, shown
from aerec.serving.search import TitleIndex

_SHARE, _LIFT = 0.4, 1.5  # a genre is common from this share on, and from this multiple of its share in the catalogue

_SAFE = 2**53 - 1  # JavaScript, and other readers of JSON, round whole numbers beyond

RawId = int | str
"""A raw id in JSON: see `json_ids`."""


@dataclass(frozen=True)
class Filters:
    """Which items may be recommended; None: all.

    Parameters
    ----------
    genres : sequence of str, optional
        Items with at least one of them, in small or capital letters.
    year_from, year_to : int, optional
        Items whose title names a year from here to there.
    allow, block : sequence of raw ids, optional
        Items to choose from, and items never to show. Those that the model has not met are passed over.
    """

    genres: Sequence[str] | None = None
    year_from: int | None = None
    year_to: int | None = None
    allow: Sequence[RawId] | None = None
    block: Sequence[RawId] | None = None


class Catalogue:
    """The items that a model knows, in the order of its columns.

    Parameters
    ----------
    items : pandas.Index
        The raw id of each column.
    data : Interactions
        Where titles, genres and popularity come from.

    Attributes
    ----------
    ids, titles, genres : list
        Of each column: raw id as JSON has it (see `json_ids`), title (the id where there is none), tuple of genres.
    has_titles : bool
        Whether any item has a title.
    years : ndarray of int64
        0 where a title names no year.
    genre_names : list of str
        All genres, sorted.
    well_known : ndarray of bool
        The items with at least as many ratings as half of the others.
    index : TitleIndex
    """

    def __init__(self, items: pd.Index[Any], data: Interactions) -> None:
        self._items = items
        self.ids = json_ids(items)
        self._column: dict[Any, int] = dict(zip(items.tolist(), range(len(items)), strict=True))
        at = data.items.get_indexer(items)
        names = [""] * len(items) if data.item_names is None else _taken(data.item_names, at, "")
        self.titles = [str(name) or str(item) for name, item in zip(names, self.ids, strict=True)]
        self.has_titles = any(map(str, names))
        empty: list[Any] = [()] * len(items)
        self.genres: list[tuple[str, ...]] = empty if data.item_genres is None else _taken(data.item_genres, at, ())
        self.years = np.array([_year(title) for title in self.titles], dtype=np.int64)
        self.genre_names = sorted({genre for each in self.genres for genre in each})
        self._with_genre = {
            genre.casefold(): np.array([genre in each for each in self.genres], dtype=bool)
            for genre in self.genre_names
        }
        self._genre_shares = np.array([self._with_genre[genre.casefold()].mean() for genre in self.genre_names])
        counts = np.append(np.bincount(data.matrix.indices, minlength=data.shape[1]), 0)
        self.well_known: NDArray[np.bool_] = counts[at] >= np.median(counts[at])
        keys = [str(item) for item in self.ids] if self.has_titles and items.dtype.kind == "O" else None
        self.index = TitleIndex(self.titles, counts[at].astype(np.float64), keys)

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, item: RawId, status: int = 422) -> int:
        """Return the column of a raw id, given as it is or as text; a RequestError says that it is unknown."""
        column = self._find(item)
        if column is None:
            such_as = ", ".join(map(shown, self.ids[:2]))
            raise RequestError(
                f"unknown item {shown(item)}: the model was not trained on it; there are {such_as}, …", status
            )
        return column

    def known(self, items: Iterable[RawId]) -> list[dict[str, Any]]:
        """Return what is said of those of `items` that there are, in their order."""
        columns = (self._find(item) for item in items)
        return [self.describe(column) for column in columns if column is not None]

    def _find(self, item: RawId) -> int | None:
        return self._column.get(id_from_text(str(item), self._items))

    def columns(self, items: Sequence[RawId], *, needed: bool = True) -> NDArray[np.int64]:
        """Return the columns of those raw ids that there are; a RequestError says that there are none of them."""
        columns = [column for item in items if (column := self._find(item)) is not None]
        if needed and items and not columns:
            self.column(items[0])
        return np.array(columns, dtype=np.int64)

    def unknown(self, items: Iterable[RawId]) -> list[RawId]:
        """Return those of `items` that there are not, each once."""
        return [item for item in dict.fromkeys(items) if self._find(item) is None]

    def search(self, query: str, k: int) -> list[dict[str, Any]]:
        """Return the `k` items that fit best to what was typed; the one with exactly that id first."""
        columns = self.index.search(query, k).tolist()
        exact = self._find(query.strip())
        if exact is not None and query.strip():
            columns = [exact, *(column for column in columns if column != exact)][:k]
        return [self.describe(column) for column in columns]

    def describe(self, column: int) -> dict[str, Any]:
        """Return what is said of an item."""
        return {
            "item": self.ids[column],
            "title": self.titles[column],
            "genres": list(self.genres[column]),
            "year": int(self.years[column]) or None,
        }

    def barred(self, filters: Filters) -> NDArray[np.bool_]:
        """Return a mask of the columns that `filters` leave out; shape (n_items,)."""
        out = np.zeros(len(self), dtype=bool)
        if filters.genres:
            out |= ~np.logical_or.reduce([self._genre(genre) for genre in filters.genres])
        if filters.year_from is not None:
            out |= self.years < max(filters.year_from, 1)
        if filters.year_to is not None:
            out |= (self.years > filters.year_to) | (self.years == 0)
        if filters.allow is not None:
            allowed = np.zeros(len(self), dtype=bool)
            allowed[self.columns(filters.allow)] = True
            out |= ~allowed
        if filters.block:
            out[self.columns(filters.block, needed=False)] = True
        return out

    def common_genres(self, columns: NDArray[np.int64], n: int = 2) -> list[str]:
        """Return the genres, at most `n`, that are much more common among `columns` than in the catalogue."""
        if not self.genre_names:
            return []
        shares = np.array([self._with_genre[genre.casefold()][columns].mean() for genre in self.genre_names])
        named = (shares >= _SHARE) & (shares >= _LIFT * self._genre_shares)
        best = np.argsort(np.where(named, -shares, 1.0), kind="stable")[: min(n, int(named.sum()))]
        return [self.genre_names[genre] for genre in best.tolist()]

    def _genre(self, name: str) -> NDArray[np.bool_]:
        has_genre = self._with_genre.get(name.casefold())
        if has_genre is None:
            known = f"there are {', '.join(self.genre_names)}" if self.genre_names else "this data set has no genres"
            raise RequestError(f"unknown genre {shown(name)}; {known}")
        return has_genre


def json_ids(ids: pd.Index[Any]) -> list[RawId]:
    """Return raw ids as JSON has them: numbers where all are whole ones that no reader rounds, else text.

    One data set has one type. Requests may give either, see `aerec.ids.id_from_text`.

    Examples
    --------
    >>> json_ids(pd.Index([5, 2**53 - 1])), json_ids(pd.Index([5, 2**53])), json_ids(pd.Index([0.5, 2.0]))
    ([5, 9007199254740991], ['5', '9007199254740992'], ['0.5', '2.0'])
    """
    values = ids.tolist()
    if ids.dtype.kind in "iu" and all(-_SAFE <= value <= _SAFE for value in values):
        return values
    return [str(value) for value in values]


def _taken(values: pd.Series[Any], at: NDArray[np.int64], missing: Any) -> list[Any]:
    every = [*values.tolist(), missing]
    return [every[position] for position in at]


def _year(title: str) -> int:
    years = re.findall(r"\((\d{4})[^()]*\)", title)
    return int(years[-1]) if years else 0
