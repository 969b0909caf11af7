"""Recommendations where the ratings lie in Spark: each worker loads the model once and ranks for its share of users."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from aerec.datasets.readers.columns import Columns
from aerec.errors import DataError
from aerec.interactions import Interactions
from aerec.recommender.base import Recommender
from aerec.recommender.new_history import RatingScale, known_ids
from aerec.recommender.scorer import check_k
from aerec.registry import load_model
from aerec.runs.folder import rating_scale, read_run
from aerec.system.extras import import_extra

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

_log = logging.getLogger(__name__)
_ROWS = 1 << 18  # ratings that a worker holds at a time


def recommend(
    frame: DataFrame,
    run: str | os.PathLike[str],
    k: int = 10,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = "rating",
    timestamp: str | None = "timestamp",
    exclude_seen: bool = True,
    allow_items: ArrayLike | None = None,
    block_items: ArrayLike | None = None,
) -> DataFrame:
    """Recommend the `k` best items to every user of a frame of Spark.

    Ratings are sent to workers by user, and ranked by `mapInPandas`. A worker loads the model once, for all its tasks,
    and holds some 260,000 ratings at a time, whatever the size of a partition. Nothing is computed before the result
    is asked for. The lists are those of ``model.recommend({user: {item: rating, …}, …}, k)`` in one process.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
        One rating a row: what is known of each user now. Of a pair of user and item that occurs twice the last by time
        counts, without times (or with equal ones) the highest rating.
    run : path-like
        A run folder of `aerec train`, or what `Recommender.save` wrote. Workers read it at the same path, or as a
        folder of the same name that was sent to them by ``SparkContext.addFile(run, recursive=True)``.
    k : int, default 10
    user, item : str, optional
        Names of the id columns; by default one of the usual names, as in `read_ratings`. Whole numbers, or text: items
        as in the training data.
    rating : str or None, default "rating"
        Ratings as they were before the training data was prepared: where that was made likes by a threshold, lower ones
        are left out of the history and not recommended; counts become log(1 + count). None, or where the default is
        absent: each row is a like.
    timestamp : str or None, default "timestamp"
        Numbers, dates or times; the default may be absent.
    exclude_seen, allow_items, block_items
        As in `Recommender.recommend`.

    Returns
    -------
    pyspark.sql.DataFrame
        Columns user, item (raw ids), rank (from 1) and score. A user with fewer than `k` candidates has fewer rows.

    Raises
    ------
    MissingExtraError
        If pyspark is not installed.
    TypeError
        If `frame` is none of Spark.
    DataError
        If a column is missing, or of a type that cannot be an id, a rating or a time. In the job, if an id is missing,
        or a rating is not finite or off the scale of the model.
    FileNotFoundError, ModelFileError
        If there is no run or model in `run`, or it is damaged.

    Notes
    -----
    Items that the model does not know are left out of the histories; the log of the worker says how many.

    Examples
    --------
    ::

        from pyspark.sql import SparkSession

        import aerec.spark

        ratings = SparkSession.builder.getOrCreate().read.parquet("ratings/")
        aerec.spark.recommend(ratings, "run/", k=20).write.parquet("recommendations/")
    """
    functions = import_extra("pyspark.sql.functions", "scoring in Spark")
    import_extra("pyarrow", "scoring in Spark")
    k = check_k(k)
    _check_is_of_spark(frame)
    folder, model, scale = _open(run)
    located = Columns(user, item, rating, timestamp).locate(frame.columns, "the frame")
    types = {name: field.dataType for name, field in zip(frame.columns, frame.schema.fields, strict=True)}
    columns = []
    for role, name in located.items():
        column = functions.col("`" + name.replace("`", "``") + "`")
        columns.append(_CASTS[role](column, types[name], f"the column {name!r} of the frame").alias(role))
    ratings = frame.select(*columns)
    _check_items(ratings.schema["item"].dataType, model)
    items = model.ids_.known_items
    barred = {  # unknown ids are found here, not in the job
        name: None if ids is None else items[known_ids(ids, items, name, needed=name == "allow_items")].tolist()
        for name, ids in (("allow_items", allow_items), ("block_items", block_items))
    }
    task = _Task(str(folder), _fingerprint(folder), scale, min(k, model.n_features_in_), exclude_seen, barred)
    order = [name for name in ("user", "item", "timestamp", "rating") if name in located]
    kinds = {name: ratings.schema[name].dataType.simpleString() for name in ("user", "item")}
    by_user = ratings.repartition("user").sortWithinPartitions(*order)
    return by_user.mapInPandas(task, f"user {kinds['user']}, item {kinds['item']}, rank int, score float")


@dataclass(frozen=True)
class _Task:
    """What a worker does with its ratings, sorted by user and item: it travels to the workers, the model does not."""

    folder: str
    fingerprint: str
    scale: RatingScale
    k: int
    exclude_seen: bool
    barred: dict[str, list[Any] | None]

    def __call__(self, batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Yield recommendations of users whose ratings are all there."""
        n_ratings = n_lost = 0
        for ratings in _whole_users(batches, _ROWS):
            lists, lost = self._recommend(_load(self.folder, self.fingerprint), ratings)
            n_ratings, n_lost = n_ratings + len(ratings), n_lost + lost
            yield lists
        if n_lost:
            _log.warning(f"{n_lost:,} of {n_ratings:,} ratings left out: of items that the model does not know")

    def _recommend(self, model: Recommender, ratings: pd.DataFrame) -> tuple[pd.DataFrame, int]:
        """Return the lists of some users, and how many of the ratings are of unknown items."""
        for name in ratings:
            if (missing := ratings[name].isna()).any():
                many = f"{missing.sum():,} of {len(ratings):,} rows have no {name}"
                raise DataError(f"the frame: {many}; repair or drop them: frame.dropna()")
        items = model.ids_.known_items
        users, rows = _runs(ratings["user"])
        columns = items.get_indexer(pd.Index(ratings["item"], dtype=items.dtype))
        known = columns >= 0
        known &= np.append((rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1]), True)  # the last of a pair
        values = np.full(len(ratings), self.scale.seen(None))
        if "rating" in ratings:
            values = self.scale.seen_of(ratings["rating"].to_numpy(np.float64))
        times = ratings["timestamp"].to_numpy() if "timestamp" in ratings else None
        seen = _histories(rows, columns, values, known & (values != 0), users, items, times)
        rejected = _histories(rows, columns, np.ones(len(rows)), known & (values == 0), users, items)
        indices, scores = model.rank(seen, self.k, self.exclude_seen, exclude=rejected, **self.barred)
        at, places = np.nonzero(indices >= 0)
        best = indices[at, places]
        lists = {"user": users.take(at), "item": items.take(best), "rank": places + 1, "score": scores[at, places]}
        return pd.DataFrame(lists), int(np.count_nonzero(columns < 0))


def _histories(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    values: NDArray[np.float64],
    wanted: NDArray[np.bool_],
    users: pd.Index[Any],
    items: pd.Index[Any],
    times: NDArray[Any] | None = None,
) -> Interactions:
    """Return the wanted ones of the ratings over all `users` and `items`."""
    order = np.flatnonzero(wanted)
    order = order[np.lexsort((columns[order], rows[order]))]
    starts = np.searchsorted(rows[order], np.arange(len(users) + 1))
    stored = values[order].astype(np.float32), columns[order], starts
    matrix: Any = sp.csr_array(stored, shape=(len(users), len(items)))
    matrix.has_canonical_format = True
    return Interactions(matrix, users, items, None if times is None else times[order])


def _runs(users: pd.Series[Any]) -> tuple[pd.Index[Any], NDArray[np.int64]]:
    """Return the users of ratings that are sorted by user, and the place of the user of each rating among them."""
    values = users.to_numpy()
    begins = np.append(True, values[1:] != values[:-1])
    return pd.Index(users[begins]), np.cumsum(begins) - 1


def _whole_users(batches: Iterable[pd.DataFrame], n_rows: int) -> Iterator[pd.DataFrame]:
    """Join batches that are sorted by user to frames of `n_rows` and more that divide no user."""
    pending: list[pd.DataFrame] = []
    enough = n_rows
    for batch in batches:
        pending.append(batch)
        if sum(map(len, pending)) < enough:
            continue
        table = pd.concat(pending, ignore_index=True)
        users = table["user"].to_numpy()
        others = np.flatnonzero(users != users[-1])
        cut = int(others[-1]) + 1 if others.size else 0
        if cut:
            yield table[:cut].reset_index(drop=True)
        pending = [table[cut:]]
        enough = max(n_rows, 2 * len(pending[0]))
    table = pd.concat(pending, ignore_index=True) if pending else pd.DataFrame()
    if len(table):
        yield table


# ---------------------------------------------------------------------- the model


def _open(run: str | os.PathLike[str]) -> tuple[Path, Recommender, RatingScale]:
    """Return the folder of the model, the model, and what ratings mean to it."""
    folder = Path(run).expanduser().resolve()
    if (folder / "model.json").is_file():
        model = load_model(folder)
        return folder, model, model.rating_scale_
    opened = read_run(folder)
    return folder / "model", opened.model, rating_scale(opened)


def _fingerprint(folder: Path) -> str:
    return hashlib.sha256((folder / "model.json").read_bytes()).hexdigest()


@lru_cache(maxsize=1)
def _load(folder: str, fingerprint: str) -> Recommender:
    """Return the model, which a worker keeps between its tasks."""
    place = Path(folder)
    if not place.exists():
        place = _sent(place)
    if _fingerprint(place) != fingerprint:
        raise DataError(f"{place} does not hold the model that the job was made for: call recommend again")
    return load_model(place)


def _sent(folder: Path) -> Path:
    """Return where `SparkContext.addFile` has put a folder, or the folder above it."""
    from pyspark import SparkFiles

    places = [Path(SparkFiles.get(str(name))) for name in (folder.name, Path(folder.parent.name, folder.name))]
    if there := [place for place in places if (place / "model.json").is_file()]:
        return there[0]
    raise DataError(
        f"{folder} is not there for this worker: put the run on a file system that all workers share, or send it to "
        "them by spark.sparkContext.addFile(run, recursive=True)"
    )


# ---------------------------------------------------------------------- the columns


def _check_is_of_spark(frame: Any) -> None:
    from pyspark.sql import DataFrame

    if not (isinstance(frame, DataFrame) or type(frame).__module__.startswith("pyspark.sql.connect.")):
        raise TypeError(
            f"frame is a {type(frame).__module__.partition('.')[0]} {type(frame).__name__}, not one of Spark; outside "
            "of Spark: model.recommend(Interactions.from_frame(frame), k)"
        )


def _id(column: Column, kind: DataType, what: str) -> Column:
    from pyspark.sql.types import DecimalType, IntegralType, StringType

    if isinstance(kind, StringType):
        return column
    if isinstance(kind, IntegralType) or (isinstance(kind, DecimalType) and kind.scale == 0 and kind.precision <= 18):
        return column.cast("bigint")
    raise DataError(f"{what} is {kind.simpleString()}; ids are whole numbers or text: cast it before")


def _number(column: Column, kind: DataType, what: str) -> Column:
    from pyspark.sql.types import BooleanType, NumericType

    if not isinstance(kind, NumericType | BooleanType):
        raise DataError(f"{what} is {kind.simpleString()}; ratings are numbers: cast it before, or pass rating=None")
    return column.cast("double")


def _time(column: Column, kind: DataType, what: str) -> Column:
    from pyspark.sql.types import DateType, IntegralType, NumericType, TimestampNTZType, TimestampType

    if isinstance(kind, NumericType):
        return column.cast("bigint" if isinstance(kind, IntegralType) else "double")
    if isinstance(kind, DateType | TimestampType | TimestampNTZType):
        return column.cast("timestamp").cast("double")
    raise DataError(f"{what} is {kind.simpleString()}; expected numbers or times: cast it before, or timestamp=None")


_CASTS: dict[str, Callable[[Column, DataType, str], Column]] = {
    "user": _id,
    "item": _id,
    "rating": _number,
    "timestamp": _time,
}


def _check_items(kind: DataType, model: Recommender) -> None:
    """Refuse items that are text where those of the model are numbers, or the other way round."""
    whole = model.items_ is None or model.items_.dtype.kind in "iu"
    if (kind.simpleString() == "bigint") != whole:
        here = "whole numbers" if kind.simpleString() == "bigint" else "text"
        known = "" if model.items_ is None else f", such as {model.items_[:1].tolist()[0]!r}"
        there = "whole numbers" if whole else "text"
        raise DataError(f"the items of the frame are {here}, those of the model {there}{known}: cast the column")
