"""`import_parquet`: from a folder of Parquet files to a store, without ever holding the ratings in memory.

DuckDB maps the items to columns and sorts the ratings by user, item and time, on disk where memory does not do. What it
streams is deduplicated and written piece by piece; filtering then goes over the mapped arrays.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aerec.datasets.readers.columns import Columns
from aerec.datasets.readers.read import read_ratings
from aerec.datasets.store.array_file import ArrayFile
from aerec.datasets.store.duckdb_query import RatingsQuery
from aerec.datasets.store.filtering import SortedStore
from aerec.datasets.store.folder import is_store, open_store, write_store_header
from aerec.errors import DataError, warn_caller
from aerec.files.atomic import remove_leftovers, replace_folder, temporary_folder
from aerec.frames import Duplicates, advice_on_repeated, check_duplicates, note_of_repeated, warn_of_zeros
from aerec.interactions import Interactions
from aerec.system.extras import import_extra

_SUFFIXES = (".parquet", ".pq")
_BATCH = 1 << 20  # ratings streamed at once


@dataclass(frozen=True)
class _Rules:
    threshold: float | None
    min_per_user: int
    min_per_item: int
    duplicates: Duplicates


def import_parquet(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = "rating",
    timestamp: str | None = "timestamp",
    duplicates: Duplicates = "last",
    threshold: float | None = None,
    min_per_user: int = 1,
    min_per_item: int = 1,
    memory_limit: str = "2GB",
    threads: int | None = None,
    overwrite: bool = False,
) -> Interactions:
    """Turn Parquet files into a store: ratings that are mapped from disk, for data larger than memory.

    One rating of a user and item counts, see `duplicates`; ratings of 0 are dropped. Then `threshold`, then the
    smallest numbers of ratings apply, as in
    ``Interactions.from_frame(…).binarize(threshold).filter(min_per_user, min_per_item)``.

    Parameters
    ----------
    path : path-like
        A Parquet file, or a folder of them as Spark, DuckDB or Polars write it: subfolders such as ``year=2024`` are
        columns; files and folders whose names begin with "_" or "." are left out.
    out : path-like
        The folder of the store. It is there whole, or not at all.
    user, item, rating, timestamp : str or None
        Names of columns, as in `read_ratings`; without a column of ratings each row counts as 1.
    duplicates : "last" or "first", default "last"
        Which rating of a user and item counts: the last or the first by time, or row (files in the order of their
        paths) without times. A split by time needs the first.
    threshold : float, optional
        Ratings from here on become 1, the others are left out.
    min_per_user, min_per_item : int, default 1
        Users and items with fewer ratings are left out, repeatedly until both hold.
    memory_limit : str, default "2GB"
        What DuckDB may use; it sorts on disk beyond. Beside it stand some 100 MB and about 20 bytes per user and item.
    threads : int, optional
        Of DuckDB; by default one for each core.
    overwrite : bool, default False
        Replace a store that is in `out`.

    Returns
    -------
    Interactions
        As `open_store` gives it.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    DataError
        If there is no Parquet file, a column is missing, an id is missing, a rating is not a finite number, no rating
        is left, or `out` holds something else.
    MissingExtraError
        If DuckDB or pyarrow is not installed.
    """
    source = Path(path).expanduser()
    rules = _Rules(threshold, min_per_user, min_per_item, _checked(duplicates))
    columns = Columns(user, item, rating, timestamp)
    return _import(parquet_files(source), source, out, columns, rules, memory_limit, threads, overwrite)


def import_ratings(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = "rating",
    timestamp: str | None = "timestamp",
    sep: str | None = None,
    header: bool = True,
    duplicates: Duplicates = "last",
    threshold: float | None = None,
    min_per_user: int = 1,
    min_per_item: int = 1,
    memory_limit: str = "2GB",
    threads: int | None = None,
    overwrite: bool = False,
) -> Interactions:
    """Turn ratings of any layout into a store: Parquet as `import_parquet` does it, all else by `read_ratings`.

    What is not Parquet is read into memory once, to be mapped from disk from then on.

    Parameters
    ----------
    path : path-like
        As for `read_ratings`, or a folder of Parquet files.
    sep, header
        As in `read_ratings`.
    out, user, item, rating, timestamp, duplicates
        As in `import_parquet`.
    threshold, min_per_user, min_per_item, memory_limit, threads, overwrite
        As in `import_parquet`.

    Returns
    -------
    Interactions
        As `open_store` gives it.

    Raises
    ------
    FileNotFoundError, DataError, MissingExtraError
        As `read_ratings` and `import_parquet`.
    """
    source = Path(path).expanduser()
    rules = _Rules(threshold, min_per_user, min_per_item, _checked(duplicates))
    is_parquet = source.suffix in _SUFFIXES if source.is_file() else source.is_dir() and bool(_parquet_below(source))
    if is_parquet and header:
        columns = Columns(user, item, rating, timestamp)
        return _import(parquet_files(source), source, out, columns, rules, memory_limit, threads, overwrite)
    import_extra("pyarrow.parquet", "a store")
    _check_target(Path(out).expanduser().resolve(), overwrite)
    names = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    data = read_ratings(source, **names, sep=sep, header=header, duplicates=duplicates)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "ratings.parquet"
        data.to_frame().to_parquet(copy, index=False)
        return _import([copy], source, out, Columns("user", "item"), rules, memory_limit, threads, overwrite)


def _import(
    files: list[Path],
    source: Path,
    out: str | os.PathLike[str],
    columns: Columns,
    rules: _Rules,
    memory_limit: str,
    threads: int | None,
    overwrite: bool,
) -> Interactions:
    duckdb = import_extra("duckdb", "importing into a store")
    parquet = import_extra("pyarrow.parquet", f"{source}: Parquet")
    target = Path(out).expanduser().resolve()
    _check_target(target, overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target.parent, target.name)
    temporary = temporary_folder(target)
    try:
        work = temporary / "work"
        work.mkdir()
        settings = {"memory_limit": memory_limit, "temp_directory": str(work), "preserve_insertion_order": False}
        if threads is not None:
            settings["threads"] = threads
        try:
            with duckdb.connect(":memory:", config=settings) as connection:
                query = RatingsQuery(connection, files, columns, str(source), rules.duplicates)
                n_rows = query.check()
                n_items = query.write_items(work / "items.parquet")
                _stream(query, work, n_rows, rules, parquet)
        except duckdb.Error as error:
            raise DataError(f"{source} cannot be imported: {str(error).splitlines()[0]}") from None
        shape = SortedStore(work, n_items, query.has_times).write(
            temporary, rules.min_per_user, rules.min_per_item, parquet
        )
        if shape[2] == 0:
            raise DataError(f"no rating of {source} is left with {asdict(rules)}; lower these limits")
        shutil.rmtree(work)
        write_store_header(temporary, *shape, {"source": str(source), "rows": n_rows, **asdict(rules)})
        replace_folder(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return open_store(target)


def parquet_files(path: Path) -> list[Path]:
    """Return `path` itself, or the Parquet files below it in the order of their paths.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    DataError
        If there is no Parquet file.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"{path} does not exist; give a Parquet file or a folder of them")
    files = _parquet_below(path)
    if not files:
        raise DataError(f"{path} holds no Parquet files (*.parquet); other formats are read by read_ratings")
    return files


def _parquet_below(path: Path) -> list[Path]:
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix in _SUFFIXES
        and file.is_file()
        and not any(part.startswith(("_", ".")) for part in file.relative_to(path).parts)
    )


def _check_target(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if is_store(target):
        if not overwrite:
            raise DataError(f"{target} holds a store already; give another folder, or overwrite it")
    elif not target.is_dir() or any(target.iterdir()):
        raise DataError(f"{target} is there and no store; give another folder")


def _stream(query: RatingsQuery, work: Path, n_rows: int, rules: _Rules, parquet: Any) -> None:
    """Write what `query` streams, sorted by user and item: columns, values, times, and per user its id and count."""
    columns_type = np.int32 if n_rows < 2**31 else np.int64
    repeated, zeros = 0, 0
    with (
        ArrayFile(work / "indices.npy", columns_type) as columns,
        ArrayFile(work / "data.npy", np.float32) as data,
        ArrayFile(work / "timestamps.npy", query.times_type) as timestamps,
        ArrayFile(work / "counts.npy", np.int64) as counts,
        parquet.ParquetWriter(work / "users.parquet", query.users_schema) as users,
    ):
        of_last = 0  # kept ratings of the unfinished user
        begun = False
        for block in query.blocks(_BATCH):
            users.write_table(block.new_users)
            repeated += int(np.count_nonzero(~block.counts))
            keep = block.counts & (block.ratings != 0)
            zeros += int(np.count_nonzero(block.counts)) - int(np.count_nonzero(keep))
            values = block.ratings
            if rules.threshold is not None:
                keep &= values >= rules.threshold
                values = np.ones_like(values)
            columns.append(block.items[keep])
            data.append(values[keep])
            if query.has_times:
                timestamps.append(block.times[keep])
            # place 0 stands for the user who was not finished; each new user is one more place
            lengths = np.bincount(np.cumsum(block.is_new_user)[keep], minlength=1 + int(block.is_new_user.sum()))
            lengths[0] += of_last
            of_last = int(lengths[-1])
            counts.append(lengths[:-1] if begun else lengths[1:-1])  # before the first user there is none
            begun = begun or bool(block.is_new_user.any())
        counts.append(np.array([of_last]))
    if repeated:
        note = note_of_repeated(repeated, rules.duplicates)
        later = rules.duplicates == "last"
        warn_caller(advice_on_repeated(note, rated=False, timed=query.has_times) if later else note)
    warn_of_zeros(zeros, rules.duplicates)


def _checked(duplicates: Duplicates) -> Duplicates:
    check_duplicates(duplicates)
    if duplicates == "sum":
        raise ValueError('a store keeps one rating of a user and item: duplicates is "last" or "first"')
    return duplicates
