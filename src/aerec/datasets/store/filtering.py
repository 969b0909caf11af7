"""The users and items with enough ratings, found and written out over mapped arrays, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.datasets.store.array_file import ArrayFile

_BLOCK = 1 << 22  # ratings looked at at once


class SortedStore:
    """Ratings sorted by user, as `aerec.datasets.store.importing` leaves them in the folder `work`.

    Parameters
    ----------
    work : pathlib.Path
        Holds ``counts.npy`` (ratings per user), ``indices.npy``, ``data.npy``, ``timestamps.npy``, ``users.parquet``
        and ``items.parquet``.
    n_items : int
    has_times : bool
    """

    def __init__(self, work: Path, n_items: int, has_times: bool) -> None:
        self._work = work
        self._arrays = {
            name: _load(work / f"{name}.npy") for name in ("indices", "data", *(["timestamps"] if has_times else []))
        }
        counts = _load(work / "counts.npy")
        self._indptr = np.zeros(len(counts) + 1, dtype=np.int64)
        np.cumsum(counts, out=self._indptr[1:])
        self._n_items = n_items

    def write(self, target: Path, min_per_user: int, min_per_item: int, parquet: Any) -> tuple[int, int, int]:
        """Put the store's arrays and tables into the folder `target`; return users, items and ratings.

        Those files that stay as they are are moved there.
        """
        users, items = self._alive(min_per_user, min_per_item)
        kind = self._arrays["indices"].dtype
        if users.all() and items.all():
            for name in self._arrays:
                (self._work / f"{name}.npy").rename(target / f"{name}.npy")
            counts = np.diff(self._indptr)
        else:
            counts = self._write_kept(target, users, items)[users]
        for name, alive in (("users", users), ("items", items)):
            _copy_ids(self._work / f"{name}.parquet", target / f"{name}.parquet", alive, parquet)
        indptr = np.zeros(len(counts) + 1, dtype=kind)
        np.cumsum(counts, out=indptr[1:])
        with ArrayFile(target / "indptr.npy", kind) as file:
            file.append(indptr)
        return int(users.sum()), int(items.sum()), int(indptr[-1])

    def _alive(self, min_per_user: int, min_per_item: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Drop users and items with too few ratings, repeatedly until both conditions hold."""
        users, items = np.ones(len(self._indptr) - 1, bool), np.ones(self._n_items, bool)
        while True:
            of_user, of_item = np.zeros(len(users), np.int64), np.zeros(len(items), np.int64)
            for rows, values in self._blocks():
                chosen = self._chosen(rows, values, users, items)
                columns, row = self._arrays["indices"][values][chosen], self._rows(rows)[chosen]
                of_user[rows] += np.bincount(row, minlength=rows.stop - rows.start)
                of_item += np.bincount(columns, minlength=len(items))
            enough = users & (of_user >= min_per_user), items & (of_item >= min_per_item)
            if np.array_equal(enough[0], users) and np.array_equal(enough[1], items):
                return users, items
            users, items = enough

    def _write_kept(self, target: Path, users: NDArray[np.bool_], items: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Write the ratings of those users and items; return how many each user has."""
        renumbered = np.cumsum(items) - 1
        counts = np.zeros(len(users), np.int64)
        files = {name: ArrayFile(target / f"{name}.npy", array.dtype) for name, array in self._arrays.items()}
        for rows, values in self._blocks():
            chosen = self._chosen(rows, values, users, items)
            counts[rows] += np.bincount(self._rows(rows)[chosen], minlength=rows.stop - rows.start)
            for name, file in files.items():
                values_of = self._arrays[name][values][chosen]
                file.append(renumbered[values_of] if name == "indices" else values_of)
        for file in files.values():
            file.close()
        return counts

    def _blocks(self) -> Iterator[tuple[slice, slice]]:
        """Give consecutive rows with about `_BLOCK` ratings, and where these lie."""
        begin, last = 0, len(self._indptr) - 1
        while begin < last:
            wanted = int(np.searchsorted(self._indptr, self._indptr[begin] + _BLOCK, side="right")) - 1
            end = min(max(begin + 1, wanted), last)
            yield slice(begin, end), slice(int(self._indptr[begin]), int(self._indptr[end]))
            begin = end

    def _rows(self, rows: slice) -> NDArray[np.int64]:
        """The row of each rating of a block, counted from the block's first."""
        lengths = np.diff(self._indptr[rows.start : rows.stop + 1])
        return np.repeat(np.arange(len(lengths)), lengths)

    def _chosen(
        self, rows: slice, values: slice, users: NDArray[np.bool_], items: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        chosen: NDArray[np.bool_] = items[self._arrays["indices"][values]] & users[rows][self._rows(rows)]
        return chosen


def _load(path: Path) -> NDArray[Any]:
    mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped


def _copy_ids(source: Path, target: Path, alive: NDArray[np.bool_], parquet: Any) -> None:
    """Copy the ids for which `kept` is true, a row group at a time."""
    with parquet.ParquetFile(source) as file, parquet.ParquetWriter(target, file.schema_arrow) as writer:
        begin = 0
        for batch in file.iter_batches(batch_size=_BLOCK // 4, columns=["id"]):
            table = file.schema_arrow.empty_table().from_batches([batch])
            writer.write_table(table.filter(alive[begin : begin + batch.num_rows]))
            begin += batch.num_rows
