"""Interactions: a sparse user-item matrix with its ids, the one data type that travels through aerec."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from aerec.canonical import canonical_csr
from aerec.data_summary import DataSummary, warn_of_marks, why_so_few
from aerec.errors import DataError, warn_caller
from aerec.frames import Duplicates, ratings_of_frame, sort_ratings
from aerec.id_kinds import refuse_other_kind
from aerec.ids import as_ids, checked_ids, examples, places_of, shown
from aerec.item_descriptions import aligned_descriptions
from aerec.item_features import ItemFeatures, features_of_items, features_of_matrix, rows_or_empty
from aerec.joining import joined_fields
from aerec.parameters import RealNumber, check_whole
from aerec.rating_weights import checked_weights, weights_of_matrix
from aerec.sparse import CSR, column_counts, keep_values, ones_in, row_ids, row_positions, take_values
from aerec.tables import as_frame_of, check_frame_kind
from aerec.times import checked_times, dates_of_seconds

logger = logging.getLogger(__name__)

_ALIGNED = ("timestamps", "weights")  # Aligned with the stored ratings


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """Ratings of users for items: an immutable sparse matrix with the raw ids of its rows and columns.

    Parameters
    ----------
    matrix : sparse matrix of shape (n_users, n_items)
        Stored as a canonical float32 CSR array (sorted, no duplicates, no explicit zeros), read-only.
    users, items : pandas.Index
        The raw id of each row and of each column, unique. Whole numbers that are floats become int64, with a warning.
    timestamps : ndarray of shape (n_ratings,), optional
        Aligned with ``matrix.data``, numbers. With timestamps `matrix` must be in canonical form already.
    item_names, item_genres : pandas.Series or mapping, optional
        A readable name, and a tuple of genres, of each item; indexed by `items` (missing ones become "" and ()).
    timestamp_dtype : str, optional
        Where `timestamps` are seconds that were dates: their type, such as ``"datetime64[us, UTC]"``, for `to_frame`.
    item_features : sparse matrix of shape (n_items, n_features), optional
        What is known of items beside their ratings; see `with_item_features`.
    feature_names : pandas.Index, optional
        Of the columns of `item_features`, unique text.
    notes : tuple of str
        What `binarize`, `filter` and `concat` kept and left out, one line each.
    threshold : float, optional
        That of `binarize`, which made likes of ratings: a model applies it to the ratings of someone new as well.
    weights : ndarray of shape (n_ratings,), optional
        How much each rating counts in what a model learns, aligned with ``matrix.data``; see `with_weights`.

    Raises
    ------
    DataError
        If shapes do not fit, ids repeat, a value is NaN or infinite, or a weight is not above 0.

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
    item_features: CSR | None = None
    feature_names: pd.Index[Any] | None = None
    notes: tuple[str, ...] = ()
    threshold: float | None = None
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        matrix = canonical_csr(self.matrix)
        users, items = checked_ids(self.users, "user"), checked_ids(self.items, "item")
        if matrix.shape != (len(users), len(items)):
            raise DataError(f"the matrix is {matrix.shape}, but there are {len(users)} users and {len(items)} items")
        for index in (users, items):
            _ = index.is_monotonic_increasing  # sorted ids need no hash table for the uniqueness test
            if not index.is_unique:
                repeated = index[index.duplicated()][0]
                raise DataError(f"{index.name} ids must be unique, {shown(repeated)} stands twice")
        timestamps = self.timestamps
        if timestamps is not None:
            timestamps = checked_times(np.asarray(timestamps))
            if timestamps.shape != matrix.data.shape:
                raise DataError(f"{timestamps.shape} timestamps for {matrix.nnz} stored ratings: they must be aligned")
            timestamps = _read_only(timestamps)
        weights = None if self.weights is None else _read_only(checked_weights(self.weights, matrix))
        for name, aligned in (("timestamps", timestamps), ("weights", weights)):
            if aligned is not None and not _has_order_of(self.matrix, matrix):
                raise DataError(f"with {name} the matrix must be a sorted CSR matrix: its order would change")
        frozen: CSR = sp.csr_array(
            (_read_only(matrix.data), _read_only(matrix.indices), _read_only(matrix.indptr)), shape=matrix.shape
        )
        frozen.has_canonical_format = True
        names = aligned_descriptions(self.item_names, items, "", "item_names")
        genres = aligned_descriptions(self.item_genres, items, (), "item_genres")
        features = None
        if self.item_features is not None:
            features = features_of_matrix(self.item_features, self.feature_names, len(items))
        for name, value in (
            ("matrix", frozen),
            ("users", users),
            ("items", items),
            ("timestamps", timestamps),
            ("item_names", names),
            ("item_genres", genres),
            ("item_features", None if features is None else features.matrix),
            ("feature_names", None if features is None else features.names),
            ("weights", weights),
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
        weight: str | None = None,
        duplicates: Duplicates = "last",
        item_names: pd.Series[Any] | Mapping[Any, str] | None = None,
        item_genres: pd.Series[Any] | Mapping[Any, tuple[str, ...]] | None = None,
    ) -> Interactions:
        """Build from a frame with one row per rating: of pandas, polars or Arrow, with the same result.

        A pair of user and item that occurs more than once keeps its last rating by time, or the last row where there
        are no timestamps (or equal ones), unless `duplicates` says otherwise; ratings of 0 cannot be told from "not
        rated" and are dropped. Each gives one warning that says how many.

        Parameters
        ----------
        df : pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.Table, or any other Arrow stream
            All but pandas needs pyarrow (the extra `scale`).
        user, item : str
            Names of the id columns: numbers, text, or categories of them. Decimals and floats without fractions are
            read as whole numbers, floats with a warning.
        rating : str or None, default "rating"
            Name of the rating column; None for implicit feedback (every row counts as 1).
        timestamp : str or None, default "timestamp"
            Name of the time column: numbers, dates, datetimes or ISO 8601 text. Dates are stored as seconds since 1970
            (with fractions where there are any; UTC where no time zone is given), and `to_frame` gives them back as
            datetimes. The default may be absent, any other name must be there.
        weight : str, optional
            Name of a column of numbers above 0: how much each rating counts in what a model learns, see `with_weights`.
        duplicates : "last", "first" or "sum", default "last"
            "first" keeps the first: a split by time needs it, or what a user had before the cut turns up behind it.
            "sum" is for events: the ratings of a pair are added up, as are clicks, plays or amounts (with
            ``rating=None``, the rows are counted), with the time and weight of the last. `notes` say how many.
        item_names, item_genres : pandas.Series or mapping, optional
            Indexed by raw item id.

        Returns
        -------
        Interactions
            Users and items in the sorted order of their ids.

        Raises
        ------
        DataError
            If a column is missing, ids are missing or of several types, a rating is not a finite number, or a weight
            not above 0; says how many rows and names the first.
        TypeError
            If `df` is no frame.
        ValueError
            If `duplicates` is none of these.
        MissingExtraError
            If pyarrow is needed and not installed.
        """
        frame = ratings_of_frame(df, user, item, rating, timestamp, weight, duplicates)
        ratings = frame.ratings
        warn_of_marks(ratings.matrix.data)
        known: Any = {"item_names": item_names, "item_genres": item_genres}  # mappings become series
        known |= {"timestamp_dtype": frame.timestamp_dtype, "weights": ratings.weights, "notes": frame.notes}
        return cls(ratings.matrix, frame.users, frame.items, ratings.timestamps, **known)

    @classmethod
    def from_matrix(
        cls,
        matrix: Any,
        users: Iterable[Any] | None = None,
        items: Iterable[Any] | None = None,
        *,
        weights: Any = None,
    ) -> Interactions:
        """Build from a (sparse) matrix; ids default to the labels of a pandas frame, else to row and column numbers.

        `weights` is a matrix of the same shape with a number above 0 for each rating, see `with_weights`.
        """
        csr = canonical_csr(matrix)
        warn_of_marks(csr.data)
        labels: Any = (
            (matrix.index, matrix.columns) if isinstance(matrix, pd.DataFrame) else map(pd.RangeIndex, csr.shape)
        )
        rows, columns = (
            label if ids is None else pd.Index(list(ids), tupleize_cols=False)
            for label, ids in zip(labels, (users, items), strict=True)
        )
        data = cls(csr, rows, columns)
        return data if weights is None else data.with_weights(weights)

    @classmethod
    def concat(cls, parts: Iterable[Interactions], *, duplicates: Duplicates = "last") -> Interactions:
        """Join data sets, such as yesterday's ratings and today's, over the union of their users and items.

        A pair of user and item that several parts rate keeps its last rating by time, or that of the later part where
        there are no times (or equal ones). Names, genres and features are joined as well; of two descriptions of an
        item the later holds. Where some parts have weights, a rating of the others has weight 1.

        Parameters
        ----------
        parts : iterable of Interactions
            The oldest first.
        duplicates : "last", "first" or "sum", default "last"
            "first" keeps the first, "sum" adds up the ratings of a pair, as in `from_frame`.

        Returns
        -------
        Interactions
            Users and items in the sorted order of their ids, also those without a rating. Its `notes` say how many
            pairs were rated again.

        Raises
        ------
        DataError
            If the ids of two parts are of different types.
        ValueError
            If there are no parts, or `duplicates` is none of these.

        Warns
        -----
        UserWarning
            If only some of the parts have times: they are left out. If times are dates in some and numbers in others:
            the numbers are read as seconds since 1970.
            If ratings add up to 0: they are left out.

        Examples
        --------
        >>> import pandas as pd
        >>> from aerec import Interactions
        >>> old = Interactions.from_frame(pd.DataFrame({"user": ["ann"], "item": [7], "rating": [2.0]}))
        >>> new = Interactions.from_frame(pd.DataFrame({"user": ["ann", "bob"], "item": [7, 8], "rating": [5.0, 4.0]}))
        >>> Interactions.concat([old, new]).to_frame()
          user  item  rating
        0  ann     7     5.0
        1  bob     8     4.0
        """
        parts = list(parts)
        for part in parts:
            if not isinstance(part, Interactions):
                raise TypeError(f"expected a list of Interactions, got {type(part).__name__} in it")
        if not parts:
            raise ValueError("there is nothing to join: expected one Interactions or more, got an empty list")
        return cls(**joined_fields(parts, duplicates))

    # ------------------------------------------------------------------ reading them

    @property
    def shape(self) -> tuple[int, int]:
        """(n_users, n_items)."""
        return self.matrix.shape

    @property
    def n_users(self) -> int:
        """How many users there are, those without a rating included."""
        return int(self.matrix.shape[0])

    @property
    def n_items(self) -> int:
        """How many items there are, those without a rating included."""
        return int(self.matrix.shape[1])

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

    @overload
    def to_frame(self, as_frame: Literal["pandas"] = "pandas") -> pd.DataFrame: ...

    @overload
    def to_frame(self, as_frame: str) -> Any: ...

    def to_frame(self, as_frame: str = "pandas") -> Any:
        """One row per rating with raw ids: columns user, item, rating (timestamp, weight), by user and then item.

        Times that were dates are datetimes again, in their time zone, to the microsecond; ISO text becomes UTC.

        Parameters
        ----------
        as_frame : {"pandas", "polars", "arrow"}, default "pandas"
            Of which library the frame is; the others need pyarrow.
        """
        check_frame_kind(as_frame)
        columns: dict[str, Any] = {
            "user": self.users.take(row_ids(self.matrix)),
            "item": self.items.take(self.matrix.indices),
            "rating": self.matrix.data.copy(),
        }
        if self.timestamps is not None:
            dtype = self.timestamp_dtype
            columns["timestamp"] = self.timestamps.copy() if dtype is None else dates_of_seconds(self.timestamps, dtype)
        if self.weights is not None:
            columns["weight"] = self.weights.copy()
        return as_frame_of(pd.DataFrame(columns), as_frame)

    def summary(self) -> DataSummary:
        """Count and describe: ratings per user and per item, values, times, and what was left out on the way.

        Examples
        --------
        >>> from aerec.datasets import load_dataset
        >>> load_dataset("sample").binarize(4.0).summary()
        users     1,000 (2 of them without a rating)
        items     600
        ratings   32,913
        density   5.49 %
        per user  min 0, 25 % 20, median 29, 75 % 40, max 155, mean 32.91
        per item  min 4, 25 % 28, median 41, 75 % 70, max 338, mean 54.85
        values    all 1
        times     1996-01-03 19:22 to 2003-01-24 21:37
        names     of 600 items
        genres    of 600 items
        note      kept 32,913 of 60,000 ratings (≥ 4.0)
        """
        return DataSummary.of(self)

    def __repr__(self) -> str:
        data = self.matrix.data
        values = f" from {data.min():g} to {data.max():g}" if data.size and not self.is_implicit else ""
        extras = ", ".join(
            name
            for name, value in (
                ("timestamps", self.timestamps),
                ("weights", self.weights),
                ("names", self.item_names),
                ("genres", self.item_genres),
                ("features", self.item_features),
            )
            if value is not None
        )
        return (
            f"Interactions({self.shape[0]:,} users × {self.shape[1]:,} items, {self.n_ratings:,} ratings{values}, "
            f"density {100 * self.density:.3g} %{', with ' + extras if extras else ''})"
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def _noted(self, note: str) -> tuple[str, ...]:
        logger.info(note)
        return (*self.notes, note)

    # ------------------------------------------------------------------ deriving new ones

    def binarize(self, threshold: float = 4.0) -> Interactions:
        """Keep the ratings at or above `threshold` as 1; users and items stay, even those left without a rating.

        What was kept stands in `notes`, and so in `summary`.

        Warns
        -----
        UserWarning
            If fewer than a third of the ratings are kept; says so if they look like counts.

        Raises
        ------
        ValueError
            If `threshold` is not a finite number.
        """
        if not RealNumber().accepts(threshold):
            raise ValueError(f"threshold must be a finite number, got {threshold!r}")
        likes = self.keep(self.matrix.data >= np.float64(threshold))
        note = f"kept {likes.n_ratings:,} of {self.n_ratings:,} ratings (≥ {float(threshold)})"
        if 3 * likes.n_ratings < self.n_ratings:
            warn_caller(f"{note}: {why_so_few(self.matrix.data, threshold)}")
        return replace(likes, matrix=ones_in(likes.matrix), notes=self._noted(note), threshold=float(threshold))

    def filter(self, min_per_user: int = 5, min_per_item: int = 1) -> Interactions:
        """Drop users and items with fewer ratings than asked for, repeatedly until both conditions hold.

        What was kept stands in `notes`, and so in `summary`. A UserWarning says if that is less than half of the
        ratings.

        Raises
        ------
        ValueError
            If `min_per_user` or `min_per_item` is not a whole number of at least 0.
        """
        for name, least in (("min_per_user", min_per_user), ("min_per_item", min_per_item)):
            check_whole(name, least, 0)
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
        rest = self.keep(alive).take_users(np.flatnonzero(users)).with_items(self.items[items])
        note = (
            f"kept {rest.shape[0]:,} of {self.shape[0]:,} users (≥ {min_per_user} ratings), {rest.shape[1]:,} of "
            f"{self.shape[1]:,} items (≥ {min_per_item}), {rest.n_ratings:,} of {self.n_ratings:,} ratings"
        )
        if 2 * rest.n_ratings < self.n_ratings:
            warn_caller(f"{note}: that is less than half; ask for fewer ratings per user or item")
        return replace(rest, notes=self._noted(note))

    def with_weights(self, weights: Any) -> Interactions:
        r"""Return the same ratings with other weights.

        A rating of weight w counts as w ratings would: its term in what a model minimises is multiplied by w. Pairs
        without a rating keep weight 1. What that means in each model stands in the guide to weights; a model that
        cannot use weights refuses them. Histories, targets and metrics are read without them.

        Parameters
        ----------
        weights : array-like of shape (n_ratings,), matrix of shape (n_users, n_items), or None
            Finite numbers above 0: aligned with ``matrix.data``, or at the places of the ratings. None takes them away.

        Raises
        ------
        DataError
            If there is not exactly one weight for each rating, or one is not above 0.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from aerec import Interactions
        >>> data = Interactions.from_frame(pd.DataFrame({"user": [1, 1, 2], "item": [7, 8, 8]}), rating=None)
        >>> of_user = np.array([1.0, 0.5])  # the second one counts half
        >>> data.with_weights(np.repeat(of_user, np.diff(data.matrix.indptr))).to_frame()
           user  item  rating  weight
        0     1     7     1.0     1.0
        1     1     8     1.0     1.0
        2     2     8     1.0     0.5
        """
        if weights is None:
            return replace(self, weights=None)
        if sp.issparse(weights) or getattr(weights, "ndim", 1) == 2:
            weights = weights_of_matrix(weights, self.matrix)
        return replace(self, weights=weights)

    def values_as_weights(self) -> Interactions:
        """Return every rating as 1, with what it was as its weight: counts, or what `aerec.datasets.combine` adds up.

        Raises
        ------
        DataError
            If a value is not above 0, or there are weights already.

        Examples
        --------
        >>> from scipy.sparse import csr_array
        >>> from aerec import Interactions
        >>> plays = Interactions.from_matrix(csr_array([[3, 0], [1, 8]]))
        >>> plays.values_as_weights().to_frame()
           user  item  rating  weight
        0     0     0     1.0     3.0
        1     1     0     1.0     1.0
        2     1     1     1.0     8.0
        """
        if self.weights is not None:
            raise DataError("these ratings have weights already: take them away first, with_weights(None)")
        return replace(self, matrix=ones_in(self.matrix), weights=self.matrix.data)

    def with_item_features(
        self,
        features: Any,
        feature_names: Iterable[str] | None = None,
        *,
        item: str = "item",
        text: Sequence[str] = (),
        standardize: bool = True,
    ) -> Interactions:
        """Return the same ratings with features of the items, joined to the features that are there already.

        Parameters
        ----------
        features : frame, Series, (sparse) matrix of shape (n_items, n_features), or None
            A matrix has a row for each of `items`, in their order: embeddings, say. A frame of pandas, polars or Arrow
            has a column of item ids and is matched by id, as is a Series indexed by item id. Its other columns become
            features by what they hold:

            - text, categories, booleans: one feature for each value, ``"brand=Acme"``, 1 where it holds;
            - lists of text or of whole numbers alone, or text with ``|`` between them (tags): one feature for each,
              ``"tags=tea"``, 1 where it holds;
            - numbers, dates and durations: one feature, ``"price"``; a missing one is 0, after `standardize` the mean;
            - lists of numbers, not all of them whole (embeddings): one feature for each position, ``"embedding[0]"``.

            None takes all features away.
        feature_names : iterable of str, optional
            Of the columns of a matrix; by default "feature 0", "feature 1" …
        item : str, default "item"
            Name of the column of item ids.
        text : sequence of str, optional
            Columns that are texts: one feature for each word, ``"description:kettle"``, weighted by scikit-learn's
            `TfidfVectorizer`, ``(1 + log tf) · idf``, rows of length 1.
        standardize : bool, default True
            Whether numbers are moved and scaled to mean 0 and variance 1 over the items that have them.

        Returns
        -------
        Interactions
            With `item_features` (CSR, float32) and `feature_names`. Items without a description have an empty row. To
            describe items that nobody has rated, add them first: ``data.with_items(data.items.union(new_items))``.

        Raises
        ------
        DataError
            If the rows of a matrix are not those of the items, an item stands twice in a frame, or no item of the
            frame is known.

        Warns
        -----
        UserWarning
            If the frame describes items that are not there, which are left out; says how many.

        Examples
        --------
        >>> import pandas as pd
        >>> from aerec import Interactions
        >>> data = Interactions.from_frame(pd.DataFrame({"user": [1, 1, 2], "item": [7, 8, 8]}), rating=None)
        >>> described = data.with_item_features(
        ...     pd.DataFrame({"item": [8, 7], "tags": [["tea", "green"], ["tea"]], "price": [9.0, 5.0]})
        ... )
        >>> described.feature_names.tolist()
        ['tags=green', 'tags=tea', 'price']
        >>> described.item_features.toarray()
        array([[ 0.,  1., -1.],
               [ 1.,  1.,  1.]], dtype=float32)
        """
        if features is None:
            return replace(self, item_features=None, feature_names=None)
        described = features_of_items(features, feature_names, self.items, item, text, standardize)
        if self.item_features is not None and self.feature_names is not None:
            described = ItemFeatures(self.item_features, self.feature_names).replaced_by(described)
        return replace(self, item_features=described.matrix, feature_names=described.names)

    def select_users(self, ids: ArrayLike | pd.Index[Any]) -> Interactions:
        """Return the rows of the users `ids`, in that order; a DataError names the first id that is not known."""
        wanted = as_ids(ids)
        rows = places_of(wanted, self.users)
        if (rows < 0).any():
            raise DataError(
                f"unknown user {shown(wanted[int(np.argmax(rows < 0))])}: not among the {len(self.users):,} users, "
                f"such as {examples(self.users, 2)} "
                f"({np.count_nonzero(rows < 0):,} of {len(wanted):,} asked for are unknown)"
            )
        return self.take_users(rows)

    def with_items(self, items: Any) -> Interactions:
        """Return the same users over the columns `items`, ids; ratings of other items are left out.

        Ids of another type, which could not meet, are refused with a DataError, as are ids that stand twice.
        """
        items = _distinct(items, "item")
        if self.items.equals(items):
            return self
        refuse_other_kind(items, self.items, "items asked for", "these ratings")
        column = items.get_indexer(self.items)
        known = column[self.matrix.indices] >= 0
        moved = sort_ratings(
            row_ids(self.matrix)[known],
            column[self.matrix.indices[known]],
            self.matrix.data[known],
            None if self.timestamps is None else self.timestamps[known],
            (self.shape[0], len(items)),
            None if self.weights is None else self.weights[known],
        )
        features = self.item_features
        if features is not None:
            features = rows_or_empty(features, self.items.get_indexer(items))
        aligned: Any = {"timestamps": moved.timestamps, "weights": moved.weights}
        return replace(self, matrix=moved.matrix, items=items, item_features=features, **aligned)

    def with_users(self, users: Any) -> Interactions:
        """Return the rows of `users`, ids, in that order; users that are not known here get an empty row.

        Ids of another type, which could not meet, are refused with a DataError, as are ids that stand twice.
        """
        users = _distinct(users, "user")
        if self.users.equals(users):
            return self
        refuse_other_kind(users, self.users, "users asked for", "these ratings")
        rows = self.users.get_indexer(users)
        indptr = np.append(self.matrix.indptr, self.matrix.nnz)  # one more row, empty, stands for every unknown user
        positions, starts = row_positions(indptr, np.where(rows < 0, self.shape[0], rows))
        matrix: CSR = sp.csr_array(
            (self.matrix.data[positions], self.matrix.indices[positions], starts), shape=(len(users), self.shape[1])
        )
        return replace(self, matrix=matrix, users=users, **self._aligned(positions))

    def keep(self, stored: NDArray[np.bool_]) -> Interactions:
        """Return the stored ratings where the mask `stored`, aligned with ``matrix.data``, is true."""
        stored = np.asarray(stored)
        if stored.dtype != bool or stored.shape != self.matrix.data.shape:
            raise ValueError(
                f"expected a mask of {self.n_ratings:,} booleans, one a stored rating, got {stored.dtype} of shape "
                f"{stored.shape}"
            )
        return replace(self, matrix=keep_values(self.matrix, stored), **self._aligned(stored))

    def take_users(self, rows: NDArray[Any]) -> Interactions:
        """Return the users with the row numbers `rows`, in that order; of mapped ratings the result is mapped too."""
        aligned = {name: array for name in _ALIGNED if (array := getattr(self, name)) is not None}
        arrays = (self.matrix.data, self.matrix.indices, *aligned.values())
        (data, indices, *others), starts = take_values(arrays, self.matrix.indptr, rows)
        starts = starts.astype(self.matrix.indptr.dtype)  # scipy copies index arrays of different widths
        matrix: CSR = sp.csr_array((data, indices, starts), shape=(len(rows), self.shape[1]))
        taken: Any = dict(zip(aligned, others, strict=True))
        return replace(self, matrix=matrix, users=self.users.take(rows), **taken)

    def _aligned(self, stored: NDArray[Any]) -> dict[str, Any]:
        """Return what is aligned with the stored ratings, of some of them."""
        return {name: array[stored] for name in _ALIGNED if (array := getattr(self, name)) is not None}


def _distinct(ids: Any, what: str) -> pd.Index[Any]:
    """Return ids as an index, a list of whole numbers as one of them; refuse those that stand twice."""
    index: pd.Index[Any] = ids if isinstance(ids, pd.Index) else as_ids(ids).infer_objects()
    if not index.is_unique:
        raise DataError(f"{what} {examples(index[index.duplicated()], 1)} stands twice among those asked for")
    return index


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _has_order_of(given: Any, canonical: CSR) -> bool:
    """Whether the values stand in canonical order, whatever the flags of the matrix say."""
    if getattr(given, "format", None) != "csr" or len(given.indices) != len(canonical.indices):
        return False
    return given.indices is canonical.indices or np.array_equal(given.indices, canonical.indices)
