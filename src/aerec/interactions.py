"""Interactions: a sparse user-item matrix with its ids, the one data type that travels through aerec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from aerec.display.notebook import html_table
from aerec.errors import DataError, warn_caller
from aerec.frames import dates_of_seconds, ratings_of_frame, sort_ratings
from aerec.ids import as_ids
from aerec.sparse import CSR, canonical_csr, column_counts, row_ids, row_positions, take_values

__all__ = ["Interactions"]


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """Ratings of users for items: an immutable sparse matrix with the raw ids of its rows and columns.

    Parameters
    ----------
    matrix : sparse matrix of shape (n_users, n_items)
        Stored as a canonical float32 CSR array (sorted, no duplicates, no explicit zeros), read-only.
    users, items : pandas.Index
        The raw id of each row and of each column, unique.
    timestamps : ndarray of shape (n_ratings,), optional
        Aligned with ``matrix.data``, numbers. With timestamps `matrix` must be in canonical form already.
    item_names, item_genres : pandas.Series or mapping, optional
        A readable name, and a tuple of genres, of each item; indexed by `items` (missing ones become "" and ()).
    timestamp_dtype : str, optional
        Where `timestamps` are seconds that were dates: their type, such as ``"datetime64[us, UTC]"``, for `to_frame`.

    Raises
    ------
    DataError
        If shapes do not fit, ids repeat, or a value is NaN or infinite.

    Examples
    --------
    >>> import pandas as pd
    >>> from aerec import Interactions
    >>> ratings = pd.DataFrame({"user": ["ann", "ann", "bob"], "item": [7, 9, 9], "rating": [5.0, 3.0, 4.0]})
    >>> data = Interactions.from_frame(ratings)
    >>> data
    Interactions(2 users × 2 items, 3 ratings from 3 to 5, density 75 %)
    >>> data.binarize(threshold=4.0).to_frame()
      user  item  rating
    0  ann     7     1.0
    1  bob     9     1.0
    """

    matrix: CSR
    users: pd.Index[Any]
    items: pd.Index[Any]
    timestamps: NDArray[Any] | None = None
    item_names: pd.Series[Any] | None = None
    item_genres: pd.Series[Any] | None = None
    timestamp_dtype: str | None = None

    def __post_init__(self) -> None:
        matrix = canonical_csr(self.matrix)
        users, items = _index(self.users, "user"), _index(self.items, "item")
        if matrix.shape != (len(users), len(items)):
            raise DataError(f"the matrix is {matrix.shape}, but there are {len(users)} users and {len(items)} items")
        for index in (users, items):
            _ = index.is_monotonic_increasing  # asked first, it spares ascending ids the hash table of the next line
            if not index.is_unique:
                repeated = index[index.duplicated()][0]
                raise DataError(f"{index.name} ids must be unique, {_shown(repeated)} stands twice")
        timestamps = self.timestamps
        if timestamps is not None:
            timestamps = np.asarray(timestamps)
            if timestamps.shape != matrix.data.shape:
                raise DataError(f"{timestamps.shape} timestamps for {matrix.nnz} stored ratings: they must be aligned")
            if not _is_canonical(self.matrix):
                raise DataError("with timestamps the matrix must be a sorted CSR matrix: its order would change")
            timestamps = _read_only(timestamps)
        frozen: CSR = sp.csr_array(
            (_read_only(matrix.data), _read_only(matrix.indices), _read_only(matrix.indptr)), shape=matrix.shape
        )
        frozen.has_canonical_format = True
        names = _of_items(self.item_names, items, "", "item_names")
        genres = _of_items(self.item_genres, items, (), "item_genres")
        for name, value in (
            ("matrix", frozen),
            ("users", users),
            ("items", items),
            ("timestamps", timestamps),
            ("item_names", names),
            ("item_genres", genres),
        ):
            object.__setattr__(self, name, value)

    # ------------------------------------------------------------------ making them

    @classmethod
    def from_frame(
        cls,
        df: Any,
        user: str = "user",
        item: str = "item",
        rating: str | None = "rating",
        timestamp: str | None = "timestamp",
        *,
        item_names: pd.Series[Any] | Mapping[Any, str] | None = None,
        item_genres: pd.Series[Any] | Mapping[Any, tuple[str, ...]] | None = None,
    ) -> Interactions:
        """Build from a frame with one row per rating: of pandas, polars or Arrow, with the same result.

        A pair of user and item that occurs more than once keeps its last rating by time, or the last row where there
        are no timestamps (or equal ones); ratings of 0 cannot be told from "not rated" and are dropped. Each gives
        one warning that says how many.

        Parameters
        ----------
        df : pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.Table, or any other Arrow stream
            All but pandas needs pyarrow (the extra `scale`).
        user, item : str
            Names of the id columns: numbers, text, or categories of them. Decimals without fractions are read as
            whole numbers.
        rating : str or None, default "rating"
            Name of the rating column; None for implicit feedback (every row counts as 1).
        timestamp : str or None, default "timestamp"
            Name of the time column: numbers, dates, datetimes or ISO 8601 text. Dates are stored as seconds since 1970
            (with fractions where there are any; UTC where no time zone is given), and `to_frame` gives them back as
            datetimes. The default may be absent, any other name must be there.
        item_names, item_genres : pandas.Series or mapping, optional
            Indexed by raw item id.

        Returns
        -------
        Interactions
            Users and items in the sorted order of their ids.

        Raises
        ------
        DataError
            If a column is missing, ids are missing or of several types, or a rating is not a finite number; says how
            many rows and names the first.
        TypeError
            If `df` is no frame.
        MissingExtraError
            If pyarrow is needed and not installed.
        """
        frame = ratings_of_frame(df, user, item, rating, timestamp)
        ratings = frame.ratings
        if ratings.n_repeated:
            warn_caller(
                f"{ratings.n_repeated:,} duplicated (user, item) pairs: kept the last rating of each; "
                "to keep another one, drop the rest from the frame first"
            )
        if ratings.n_zeros:
            warn_caller(
                f"{ratings.n_zeros:,} ratings of 0 dropped: a sparse matrix reads 0 as 'not rated'; "
                "shift the scale (rating + 1) to keep them"
            )
        known: Any = {"item_names": item_names, "item_genres": item_genres}  # made series where they are mappings
        dtype = frame.timestamp_dtype
        return cls(ratings.matrix, frame.users, frame.items, ratings.timestamps, **known, timestamp_dtype=dtype)

    @classmethod
    def from_matrix(
        cls, matrix: Any, users: Iterable[Any] | None = None, items: Iterable[Any] | None = None
    ) -> Interactions:
        """Build from a (sparse) matrix; ids default to the row and column numbers."""
        csr = canonical_csr(matrix)
        rows, columns = (
            pd.RangeIndex(n) if ids is None else pd.Index(list(ids), tupleize_cols=False)
            for n, ids in zip(csr.shape, (users, items), strict=True)
        )
        return cls(csr, rows, columns)

    # ------------------------------------------------------------------ reading them

    @property
    def shape(self) -> tuple[int, int]:
        """(n_users, n_items)."""
        return self.matrix.shape

    @property
    def n_ratings(self) -> int:
        """How many ratings are stored."""
        return int(self.matrix.nnz)

    @property
    def density(self) -> float:
        """Share of the user-item pairs that have a rating; 0 for an empty matrix."""
        cells = self.shape[0] * self.shape[1]
        return self.n_ratings / cells if cells else 0.0

    @property
    def is_implicit(self) -> bool:
        """Whether every stored rating is the same number, so that only "interacted or not" is known."""
        data = self.matrix.data
        return bool(data.size == 0 or data.min() == data.max())

    def to_frame(self) -> pd.DataFrame:
        """One row per rating with raw ids: columns user, item, rating (and timestamp), by user and then item.

        Times that were dates are datetimes again, in their time zone, to the microsecond; ISO text becomes UTC.
        """
        columns: dict[str, Any] = {
            "user": self.users.take(row_ids(self.matrix)),
            "item": self.items.take(self.matrix.indices),
            "rating": self.matrix.data.copy(),
        }
        if self.timestamps is not None:
            dtype = self.timestamp_dtype
            columns["timestamp"] = self.timestamps.copy() if dtype is None else dates_of_seconds(self.timestamps, dtype)
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        data = self.matrix.data
        values = f" from {data.min():g} to {data.max():g}" if data.size and not self.is_implicit else ""
        extras = ", ".join(
            name
            for name, value in (
                ("timestamps", self.timestamps),
                ("names", self.item_names),
                ("genres", self.item_genres),
            )
            if value is not None
        )
        return (
            f"Interactions({self.shape[0]:,} users × {self.shape[1]:,} items, {self.n_ratings:,} ratings{values}, "
            f"density {100 * self.density:.3g} %{', with ' + extras if extras else ''})"
        )

    def _repr_html_(self) -> str:
        data = self.matrix.data
        rows = [("users", f"{self.shape[0]:,}"), ("items", f"{self.shape[1]:,}"), ("ratings", f"{self.n_ratings:,}")]
        if data.size:
            values = f"all {data[0]:g}" if self.is_implicit else f"{data.min():g} to {data.max():g}"
            rows.append(("values", values))
        rows.append(("density", f"{100 * self.density:.3g} %"))
        if self.timestamps is not None and self.timestamps.size:
            rows.append(("timestamps", f"{self.timestamps.min()} to {self.timestamps.max()}"))
        for name, known in (("names", self.item_names), ("genres", self.item_genres)):
            if known is not None:
                rows.append((name, f"of {int(known.astype(bool).sum()):,} items"))
        return html_table("Interactions", (), rows)

    # ------------------------------------------------------------------ deriving new ones

    def binarize(self, threshold: float = 4.0) -> Interactions:
        """Keep the ratings at or above `threshold` as 1; users and items stay, even those left without a rating."""
        kept = self.keep(self.matrix.data >= threshold)
        ones: CSR = sp.csr_array(
            (np.ones_like(kept.matrix.data), kept.matrix.indices, kept.matrix.indptr), shape=kept.shape
        )
        return replace(kept, matrix=ones)

    def filter(self, min_per_user: int = 5, min_per_item: int = 1) -> Interactions:
        """Drop users and items with fewer ratings than asked for, repeatedly until both conditions hold."""
        matrix = self.matrix
        if (np.diff(matrix.indptr) >= min_per_user).all() and (column_counts(matrix) >= min_per_item).all():
            return self
        users, items = np.ones(self.shape[0], bool), np.ones(self.shape[1], bool)
        rows, cols = row_ids(matrix), matrix.indices
        alive = np.ones(matrix.nnz, bool)
        while True:
            users &= np.bincount(rows[alive], minlength=len(users)) >= min_per_user
            alive &= users[rows]
            items &= np.bincount(cols[alive], minlength=len(items)) >= min_per_item
            alive_now = alive & items[cols]
            if np.array_equal(alive_now, alive):
                break
            alive = alive_now
        kept = self.keep(alive).take_users(np.flatnonzero(users))
        return kept.with_items(self.items[items])

    def select_users(self, ids: ArrayLike | pd.Index[Any]) -> Interactions:
        """Return the rows of the users `ids`, in that order; a DataError names the first id that is not known."""
        wanted = as_ids(ids)
        rows = self.users.get_indexer(wanted)
        if (rows < 0).any():
            raise DataError(
                f"unknown user {_shown(wanted[int(np.argmax(rows < 0))])}: not among the {len(self.users):,} users "
                f"({np.count_nonzero(rows < 0):,} of {len(wanted):,} asked for are unknown)"
            )
        return self.take_users(rows)

    def with_items(self, items: pd.Index[Any]) -> Interactions:
        """Return the same users over the columns `items`; ratings of other items are left out."""
        if self.items.equals(items):
            return self
        column = items.get_indexer(self.items)
        known = column[self.matrix.indices] >= 0
        moved = sort_ratings(
            row_ids(self.matrix)[known],
            column[self.matrix.indices[known]],
            self.matrix.data[known],
            None if self.timestamps is None else self.timestamps[known],
            (self.shape[0], len(items)),
        )
        return replace(self, matrix=moved.matrix, items=items, timestamps=moved.timestamps)

    def with_users(self, users: pd.Index[Any]) -> Interactions:
        """Return the rows of `users`, in that order; users that are not known here get an empty row."""
        if self.users.equals(users):
            return self
        rows = self.users.get_indexer(users)
        indptr = np.append(self.matrix.indptr, self.matrix.nnz)  # one more row, empty, stands for every unknown user
        positions, starts = row_positions(indptr, np.where(rows < 0, self.shape[0], rows))
        matrix: CSR = sp.csr_array(
            (self.matrix.data[positions], self.matrix.indices[positions], starts), shape=(len(users), self.shape[1])
        )
        times = None if self.timestamps is None else self.timestamps[positions]
        return replace(self, matrix=matrix, users=users, timestamps=times)

    def keep(self, stored: NDArray[np.bool_]) -> Interactions:
        """Return the stored ratings where the mask `stored`, aligned with ``matrix.data``, is true."""
        indptr = np.concatenate(([0], np.cumsum(stored)))[self.matrix.indptr]
        matrix: CSR = sp.csr_array((self.matrix.data[stored], self.matrix.indices[stored], indptr), shape=self.shape)
        matrix.has_canonical_format = True
        return replace(self, matrix=matrix, timestamps=None if self.timestamps is None else self.timestamps[stored])

    def take_users(self, rows: NDArray[Any]) -> Interactions:
        """Return the users with the row numbers `rows`, in that order; of mapped ratings the result is mapped too."""
        stored = (self.matrix.data, self.matrix.indices)
        arrays = stored if self.timestamps is None else (*stored, self.timestamps)
        (data, indices, *times), starts = take_values(arrays, self.matrix.indptr, rows)
        starts = starts.astype(self.matrix.indptr.dtype)  # of one width with the indices, or scipy copies them
        matrix: CSR = sp.csr_array((data, indices, starts), shape=(len(rows), self.shape[1]))
        return replace(self, matrix=matrix, users=self.users.take(rows), timestamps=times[0] if times else None)


def _index(ids: Any, name: str) -> pd.Index[Any]:
    index: pd.Index[Any] = pd.Index(ids, name=name, tupleize_cols=False)
    return index


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _is_canonical(matrix: Any) -> bool:
    return getattr(matrix, "format", None) == "csr" and bool(matrix.has_canonical_format)


def _of_items(values: Any, items: pd.Index[Any], missing: Any, what: str) -> pd.Series[Any] | None:
    if values is None:
        return None
    if isinstance(values, Mapping):
        values = pd.Series(list(values.values()), index=as_ids(values), dtype=object)
    if not isinstance(values, pd.Series):
        raise TypeError(f"{what} is a Series indexed by item id, or a dict, got {type(values).__name__}")
    if values.index.equals(items):
        return values.copy(deep=False)  # whoever changes one of them changes that one alone
    if not values.index.is_unique:
        repeated = values.index[values.index.duplicated()][0]
        raise DataError(f"item {_shown(repeated)} has two names or two lists of genres")
    position = values.index.get_indexer(items)
    found = values.to_numpy(dtype=object)
    aligned = np.empty(len(items), dtype=object)
    aligned[:] = [found[at] if at >= 0 else missing for at in position]
    return pd.Series(aligned, index=items, name=values.name)


def _shown(identifier: Any) -> str:
    return repr(identifier.item() if isinstance(identifier, np.generic) else identifier)
