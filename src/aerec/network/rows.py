"""Rows of a matrix on the device, from which batches are taken by row numbers that are on the processor."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aerec.files.memmap import blocks, is_mapped, release
from aerec.network.batches import DenseBatch, Pattern, SparseBatch
from aerec.sparse import CSR, column_counts, column_sums, row_positions, row_sums, squares, take_rows, with_values

_RUN = 1024  # consecutive rows of a mapped matrix that are read together: a disk is slow row by row
_RUNS = 64  # runs whose rows are shuffled among each other
_KEPT = 1 << 25  # values of a mapped matrix that stay resident after they were read


class _MatrixRows:
    """What rows of a CSR matrix know of its columns."""

    _matrix: CSR

    def column_sums(self) -> NDArray[np.float64]:
        """Return the sum of the values of each column; shape (n_columns,)."""
        return column_sums(self._matrix)

    def column_counts(self) -> NDArray[np.int64]:
        """Return how many values each column has; shape (n_columns,)."""
        return column_counts(self._matrix)


class SparseRows(_MatrixRows):
    """A CSR matrix on the device, from which batches are taken by index arithmetic; on a CPU it is the matrix itself.

    Parameters
    ----------
    matrix : csr_array of shape (n_rows, n_columns)
    device : torch.device
    targets, weights : ndarray of shape (n_values,), optional
        See `SparseBatch`.
    """

    def __init__(
        self,
        matrix: CSR,
        device: torch.device,
        targets: NDArray[np.floating[Any]] | None = None,
        weights: NDArray[np.float32] | None = None,
    ) -> None:
        self.shape = matrix.shape
        self._matrix = matrix
        indptr = torch.from_numpy(matrix.indptr.astype(np.int64))
        self._lengths = indptr.diff()  # on the processor, so that the size of a batch needs no answer from the device
        self._starts = indptr.to(device)
        self._columns = _shared(matrix.indices).to(device)
        self._values = _shared(matrix.data).to(device)
        sums = [row_sums(matrix), row_sums(matrix, squares)]
        if weights is not None:
            sums.append(row_sums(with_values(matrix, matrix.data * weights)))
        self._sums = [torch.from_numpy(of_rows.astype(np.float32)).to(device) for of_rows in sums]
        self._targets = None if targets is None else _shared(targets.astype(np.float32, copy=False)).to(device)
        self._weights = None if weights is None else _shared(weights).to(device)

    def mean_wanted(self) -> float:
        """Return the mean of what the "observed" likelihood wants to see."""
        return float((self._values if self._targets is None else self._targets).double().mean())

    def largest(self) -> float:
        """Return the largest magnitude among the values; NaN where one is NaN."""
        return float(self._values.abs().max()) if self._values.numel() else 0.0

    def n_values(self, rows: Tensor) -> int:
        """Return how many values are stored in the rows with the numbers `rows`."""
        return int(self._lengths[rows].sum())

    def values_of_most(self, n_rows: int) -> int:
        """Return how many values all but a few batches of `n_rows` have at most: four standard deviations more."""
        lengths = self._lengths.double()
        spread = float(lengths.std(correction=0)) * n_rows**0.5
        return min(int(lengths.mean() * n_rows + 4 * spread) + 1, int(lengths.sum()))

    def batch(self, rows: Tensor) -> SparseBatch:
        """Return the rows with the numbers `rows`, in that order."""
        n_values = self.n_values(rows)
        rows = rows.to(self._starts.device)
        begins = self._starts[rows]
        lengths = self._starts[rows + 1] - begins
        starts = torch.zeros(len(rows) + 1, dtype=torch.int64, device=rows.device)
        torch.cumsum(lengths, 0, out=starts[1:])
        of_row = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), lengths, output_size=n_values)
        offsets = (begins - starts[:-1]).index_select(0, of_row)
        positions = offsets.add_(torch.arange(n_values, device=rows.device))
        targets = None if self._targets is None else self._targets.index_select(0, positions)
        weights = None if self._weights is None else self._weights.index_select(0, positions)
        sums = [of_rows.index_select(0, rows) for of_rows in self._sums]
        columns, values = self._columns.index_select(0, positions).long(), self._values.index_select(0, positions)
        pattern = Pattern(starts, columns, self.shape[1], of_row)
        return SparseBatch(pattern, values, rows, targets, weights, sums)

    def padded(self, rows: Tensor, n_values: int) -> SparseBatch:
        """Return `batch`, with as many zeros stored behind its last value as it takes to have `n_values`.

        Here `rows` is on the device, of which nothing is asked: a GPU can do this in the same way for any rows.
        """
        begins = self._starts[rows]
        lengths = self._starts[rows + 1] - begins
        ends = torch.cumsum(lengths, 0)
        places = torch.arange(n_values, device=rows.device)
        of_row = torch.searchsorted(ends, places, right=True).clamp_max_(len(rows) - 1)
        stored = places < ends[-1]
        positions = torch.where(stored, places + (begins - ends + lengths).index_select(0, of_row), 0)
        columns = torch.where(stored, self._columns.index_select(0, positions).long(), places % self.shape[1])
        values = torch.where(stored, self._values.index_select(0, positions), 0.0)
        weights = None
        if self._weights is not None:
            weights = torch.where(stored, self._weights.index_select(0, positions), 1.0)
        sums = [of_rows.index_select(0, rows) for of_rows in self._sums]
        starts = torch.cat([torch.zeros_like(ends[:1]), ends[:-1], torch.full_like(ends[:1], n_values)])
        pattern = Pattern(starts, columns, self.shape[1], of_row)
        return SparseBatch(pattern, values, rows, None, weights, sums)


class MappedRows(_MatrixRows):
    """A CSR matrix that is mapped from a file: the rows of a batch are read when it is asked for.

    Parameters
    ----------
    matrix : csr_array of shape (n_rows, n_columns)
    device : torch.device
        Where batches are put.
    weights : ndarray of shape (n_values,), optional
        See `SparseBatch`.
    """

    def __init__(self, matrix: CSR, device: torch.device, weights: NDArray[np.float32] | None = None) -> None:
        self.shape = matrix.shape
        self._matrix, self._device, self._weights = matrix, device, weights
        self._read = 0  # values since pages were released

    def mean_wanted(self) -> float:
        """Return the mean of the values."""
        return float(sum(block.sum(dtype=np.float64) for _, block in blocks(self._matrix.data)) / self._matrix.nnz)

    def largest(self) -> float:
        """Return the largest magnitude among the values."""
        return float(max((np.abs(block).max() for _, block in blocks(self._matrix.data)), default=0.0))

    def batch(self, rows: Tensor) -> SparseBatch:
        """Return the rows with the numbers `rows`, in that order."""
        taken, weights = take_rows(self._matrix, rows.numpy()), None
        if self._weights is not None:
            positions, _ = row_positions(self._matrix.indptr, rows.numpy())
            weights = torch.from_numpy(self._weights[positions]).to(self._device)
        self._read += taken.nnz
        if self._read > _KEPT:
            release(self._matrix.data)
            release(self._matrix.indices)
            self._read = 0
        arrays = taken.indptr.astype(np.int64), taken.indices.astype(np.int64), taken.data
        starts, columns, values = (torch.from_numpy(array).to(self._device) for array in arrays)
        return SparseBatch(Pattern(starts, columns, self.shape[1]), values, rows.to(self._device), weights=weights)


class DenseRows:
    """A dense matrix on the device."""

    def __init__(self, array: NDArray[np.float32], device: torch.device) -> None:
        self.shape = (array.shape[0], array.shape[1])
        self._values = _shared(array).to(device)

    def column_sums(self) -> NDArray[np.float64]:
        """Return the sum of each column; shape (n_columns,)."""
        sums: NDArray[np.float64] = self._values.cpu().numpy().sum(axis=0, dtype=np.float64)
        return sums

    def column_counts(self) -> NDArray[np.int64]:
        """Return how many values other than 0 each column has; shape (n_columns,)."""
        counts: NDArray[np.int64] = np.count_nonzero(self._values.cpu().numpy(), axis=0)
        return counts

    def largest(self) -> float:
        """Return the largest magnitude among the values; NaN where one is NaN."""
        return float(self._values.abs().max()) if self._values.numel() else 0.0

    def batch(self, rows: Tensor) -> DenseBatch:
        """Return the rows with the numbers `rows`, in that order."""
        rows = rows.to(self._values.device)
        return DenseBatch(self._values[rows], rows)


class RowRange:
    """The rows from `begin` up to `end` of others, numbered from 0; `row_numbers` of a batch stay those of the others.

    Parameters
    ----------
    rows : SparseRows, MappedRows or DenseRows
    begin, end : int
    """

    def __init__(self, rows: SparseRows | MappedRows | DenseRows, begin: int, end: int) -> None:
        self.shape = (end - begin, rows.shape[1])
        self.rows, self._begin = rows, begin

    def largest(self) -> float:
        """Return the largest magnitude among the values of all."""
        return self.rows.largest()

    def batch(self, rows: Tensor) -> SparseBatch | DenseBatch:
        """Return the rows with the numbers `rows`, in that order."""
        return self.rows.batch(rows + self._begin)


WholeRows: TypeAlias = SparseRows | MappedRows | DenseRows
Rows: TypeAlias = WholeRows | RowRange


def _shared(array: NDArray[Any]) -> Tensor:
    """Return a tensor in the memory of the array; a copy of one that PyTorch warns of or refuses.

    That is one that may not be written, and one that is read backwards, such as ``X[:, ::-1]``.
    """
    as_it_is = array.flags.writeable and min(array.strides) >= 0
    return torch.from_numpy(array if as_it_is else array.copy())


def sparse_rows(
    matrix: CSR, device: torch.device, weights: NDArray[np.float32] | None = None
) -> SparseRows | MappedRows:
    """Return `SparseRows`, or `MappedRows` where the matrix is mapped from a file; see `SparseRows`."""
    return (MappedRows if is_mapped(matrix.data) else SparseRows)(matrix, device, weights=weights)


def shuffled(rows: Rows, generator: torch.Generator) -> Tensor:
    """Return the numbers of all `rows` in random order.

    Of a mapped matrix larger than 65,536 rows it is not any order: runs of 1,024 consecutive rows are shuffled, and
    then the rows within each 64 runs, so that a disk reads long pieces.
    """
    n = rows.shape[0]
    mapped = isinstance(rows.rows if isinstance(rows, RowRange) else rows, MappedRows)
    if not mapped or n <= _RUN * _RUNS:
        return torch.randperm(n, generator=generator)
    order = torch.empty(n, dtype=torch.int64)
    begin = 0
    for runs in torch.split(torch.randperm(-(-n // _RUN), generator=generator), _RUNS):
        together = (runs[:, None] * _RUN + torch.arange(_RUN)).reshape(-1)
        together = together[together < n]
        order[begin : begin + len(together)] = together[torch.randperm(len(together), generator=generator)]
        begin += len(together)
    return order
