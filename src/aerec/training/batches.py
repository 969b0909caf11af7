"""Rows of a matrix on the device, and batches of them: sparse rows stay sparse, dense ones dense.

A batch is what the network and its losses read; both kinds answer the same questions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from aerec.mapped import blocks, is_mapped, release
from aerec.noise import GaussianNoise, Noise
from aerec.sparse import CSR, row_ids, take_rows

__all__ = [
    "Batch",
    "DenseBatch",
    "DenseRows",
    "MappedRows",
    "RowRange",
    "Rows",
    "SparseBatch",
    "SparseRows",
    "shuffled",
    "sparse_rows",
]

_RUN = 1024  # consecutive rows of a mapped matrix that are read together, so that a disk is not asked row by row
_KEPT = 1 << 25  # values of a mapped matrix that stay resident after they were read
_RUNS = 64  # runs whose rows are shuffled among each other


@dataclass(frozen=True)
class SparseBatch:
    """Rows of a sparse matrix: the stored `values` of row i are ``values[starts[i]:starts[i + 1]]``.

    `targets`, aligned with the values, are what the "observed" likelihood wants to see in their places; by default the
    values themselves.
    """

    starts: Tensor
    columns: Tensor
    values: Tensor
    n_columns: int
    row_numbers: Tensor
    targets: Tensor | None = None
    _pattern: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)  # found out so far, shared
    _sums: tuple[Tensor, Tensor] | None = field(default=None, repr=False, compare=False)  # totals, squares if known

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.starts) - 1

    @property
    def wanted(self) -> Tensor:
        """The targets where there are any, else the values."""
        return self.values if self.targets is None else self.targets

    @property
    def rows(self) -> Tensor:
        """The row, counted within the batch, of each stored value."""
        return self._found("rows", self._find_rows)  # type: ignore[no-any-return]

    @property
    def by_column(self) -> tuple[Tensor, Tensor, Tensor]:
        """The transposed pattern: where each column starts, the rows in it, and the positions of its values."""
        return self._found("by_column", self._find_columns)  # type: ignore[no-any-return]

    def _find_rows(self) -> Tensor:
        lengths = self.starts[1:] - self.starts[:-1]
        return torch.repeat_interleave(
            torch.arange(self.n_rows, device=self.starts.device), lengths, output_size=len(self.columns)
        )

    def _find_columns(self) -> tuple[Tensor, Tensor, Tensor]:
        if self.starts.device.type == "cpu":  # counting, where PyTorch sorts
            numbered = np.arange(len(self.columns)), self.columns.numpy(), self.starts.numpy()
            by_column = sp.csr_array(numbered, shape=(self.n_rows, self.n_columns)).tocsc()
            found = by_column.indptr, by_column.indices, by_column.data
            return tuple(torch.from_numpy(one.astype(np.int64, copy=False)) for one in found)  # type: ignore[return-value]
        order = torch.argsort(self.columns.int(), stable=True)
        starts = torch.zeros(self.n_columns + 1, dtype=torch.int64, device=order.device)
        starts[1:] = torch.bincount(self.columns, minlength=self.n_columns).cumsum(0)
        return starts, self.rows.index_select(0, order), order

    def _found(self, name: str, find: Callable[[], Any]) -> Any:
        if name not in self._pattern:
            self._pattern[name] = find()
        return self._pattern[name]

    def totals(self) -> Tensor:
        """Σ of each row; shape (n_rows,)."""
        return self._sum_up(self.values) if self._sums is None else self._sums[0]

    def squares(self) -> Tensor:
        """Σ of the squares of each row; shape (n_rows,)."""
        return self._sum_up(self.values.square()) if self._sums is None else self._sums[1]

    def _sum_up(self, values: Tensor) -> Tensor:
        return torch.zeros(self.n_rows, device=values.device).index_add_(0, self.rows, values)

    def dot(self, logits: Tensor, bias: Tensor | None = None) -> Tensor:
        """Σ of the stored values times the logits in their places, a scalar; `bias` is added to each row of logits."""
        chosen = logits.view(-1).index_select(0, self._flat).float()
        return torch.dot(self.values, chosen if bias is None else chosen.add_(bias.index_select(0, self.columns)))

    def subtract_from(self, dense: Tensor, scale: float | Tensor = 1.0) -> Tensor:
        """``dense − scale · x`` in place."""
        dense.view(-1).index_add_(0, self._flat, (self.values * -scale).to(dense.dtype))
        return dense

    @property
    def _flat(self) -> Tensor:
        """Where the stored values stand in the dense form, row after row."""
        return self._found("flat", lambda: self.rows * self.n_columns + self.columns)  # type: ignore[no-any-return]

    def normalized(self) -> SparseBatch:
        """Each row divided by its Euclidean length; a row without ratings stays empty."""
        lengths = self.squares().sqrt().clamp_min(torch.finfo(torch.float32).tiny)
        return self._with(self.values / lengths.index_select(0, self.rows))

    def without_zeros(self) -> SparseBatch:
        """The same rows without the stored values that are 0: masked ones cost nothing then."""
        stays = self.values != 0
        before = torch.zeros(len(stays) + 1, dtype=torch.int64, device=stays.device)
        torch.cumsum(stays, 0, out=before[1:])
        starts, kept = before.index_select(0, self.starts), stays.nonzero()[:, 0]
        columns, values = self.columns.index_select(0, kept), self.values.index_select(0, kept)
        return SparseBatch(starts, columns, values, self.n_columns, self.row_numbers)

    def corrupted(self, noise: Noise, generator: torch.Generator) -> SparseBatch:
        """Noise on the stored values; that of ``GaussianNoise(entries="all")`` is added behind the first layer."""
        if isinstance(noise, GaussianNoise) and noise.entries == "all":
            return self
        return self._with(noise.corrupt(self.values, generator))

    def _with(self, values: Tensor) -> SparseBatch:
        return replace(
            self, values=values, _sums=None
        )  # the pattern is the same: what is known of it carries over, both ways


@dataclass(frozen=True)
class DenseBatch:
    """Rows of a dense matrix."""

    values: Tensor
    row_numbers: Tensor

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.values.shape[0]

    def totals(self) -> Tensor:
        """Σ of each row; shape (n_rows,)."""
        return self.values.sum(dim=1)

    def squares(self) -> Tensor:
        """Σ of the squares of each row; shape (n_rows,)."""
        return self.values.square().sum(dim=1)

    def dot(self, logits: Tensor, bias: Tensor | None = None) -> Tensor:
        """Σ of the values times the logits, a scalar; `bias` is added to each row of logits."""
        found = torch.dot(self.values.reshape(-1), logits.reshape(-1).float())
        return found if bias is None else found + torch.dot(self.values.sum(dim=0), bias)

    def subtract_from(self, dense: Tensor, scale: float | Tensor = 1.0) -> Tensor:
        """``dense − scale · x`` in place."""
        return dense.sub_(self.values * scale)

    def normalized(self) -> DenseBatch:
        """Each row divided by its Euclidean length; a row of zeros stays so."""
        return replace(self, values=torch.nn.functional.normalize(self.values, dim=1))

    def corrupted(self, noise: Noise, generator: torch.Generator) -> DenseBatch:
        """Noise on every entry."""
        return replace(self, values=noise.corrupt(self.values, generator))


class SparseRows:
    """A CSR matrix on the device, from which batches are taken by index arithmetic.

    Parameters
    ----------
    matrix : csr_array of shape (n_rows, n_columns)
    device : torch.device
    targets : ndarray of shape (n_values,), optional
        See `SparseBatch`.
    """

    def __init__(self, matrix: CSR, device: torch.device, targets: NDArray[np.floating[Any]] | None = None) -> None:
        self.shape = matrix.shape
        self._starts = torch.as_tensor(matrix.indptr.astype(np.int64), device=device)
        self._columns = torch.as_tensor(matrix.indices.astype(np.int64), device=device)
        self._values = torch.as_tensor(matrix.data.copy(), device=device)
        rows, n_rows = row_ids(matrix), matrix.shape[0]
        sums = (np.bincount(rows, weights, n_rows) for weights in (matrix.data, np.square(matrix.data)))
        self._sums = [torch.as_tensor(one.astype(np.float32), device=device) for one in sums]
        self._targets = None if targets is None else torch.as_tensor(targets.astype(np.float32), device=device)

    def mean_wanted(self) -> float:
        """Return the mean of what the "observed" likelihood wants to see."""
        return float((self._values if self._targets is None else self._targets).double().mean())

    def largest(self) -> float:
        """Return the largest magnitude among the values; NaN where one is NaN."""
        return float(self._values.abs().max()) if self._values.numel() else 0.0

    def batch(self, rows: Tensor) -> SparseBatch:
        """Return the rows with the numbers `rows`, in that order."""
        begins = self._starts[rows]
        lengths = self._starts[rows + 1] - begins
        starts = torch.zeros(len(rows) + 1, dtype=torch.int64, device=rows.device)
        torch.cumsum(lengths, 0, out=starts[1:])
        n_values = int(starts[-1])
        offsets = torch.repeat_interleave(begins - starts[:-1], lengths, output_size=n_values)
        positions = offsets.add_(torch.arange(n_values, device=rows.device))
        targets = None if self._targets is None else self._targets.index_select(0, positions)
        columns, values = self._columns.index_select(0, positions), self._values.index_select(0, positions)
        totals, squares = (one.index_select(0, rows) for one in self._sums)
        return SparseBatch(starts, columns, values, self.shape[1], rows, targets, _sums=(totals, squares))


class MappedRows:
    """A CSR matrix that is mapped from a file: the rows of a batch are read when it is asked for.

    Parameters
    ----------
    matrix : csr_array of shape (n_rows, n_columns)
    device : torch.device
        Where batches are put.
    """

    def __init__(self, matrix: CSR, device: torch.device) -> None:
        self.shape = matrix.shape
        self._matrix, self._device = matrix, device
        self._read = 0  # values since pages were released

    def mean_wanted(self) -> float:
        """Return the mean of the values."""
        return float(sum(block.sum(dtype=np.float64) for _, block in blocks(self._matrix.data)) / self._matrix.nnz)

    def largest(self) -> float:
        """Return the largest magnitude among the values."""
        return float(max((np.abs(block).max() for _, block in blocks(self._matrix.data)), default=0.0))

    def batch(self, rows: Tensor) -> SparseBatch:
        """Return the rows with the numbers `rows`, in that order."""
        taken = take_rows(self._matrix, rows.cpu().numpy())
        self._read += taken.nnz
        if self._read > _KEPT:
            release(self._matrix.data)
            release(self._matrix.indices)
            self._read = 0
        starts, columns = (torch.from_numpy(one.astype(np.int64)) for one in (taken.indptr, taken.indices))
        starts, columns, values = (one.to(self._device) for one in (starts, columns, torch.from_numpy(taken.data)))
        return SparseBatch(starts, columns, values, self.shape[1], rows)


class DenseRows:
    """A dense matrix on the device."""

    def __init__(self, array: NDArray[np.float32], device: torch.device) -> None:
        self.shape = (array.shape[0], array.shape[1])
        self._values = torch.as_tensor(array, device=device)

    def largest(self) -> float:
        """Return the largest magnitude among the values; NaN where one is NaN."""
        return float(self._values.abs().max()) if self._values.numel() else 0.0

    def batch(self, rows: Tensor) -> DenseBatch:
        """Return the rows with the numbers `rows`, in that order."""
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


Batch: TypeAlias = SparseBatch | DenseBatch
Rows: TypeAlias = SparseRows | MappedRows | DenseRows | RowRange


def sparse_rows(
    matrix: CSR, device: torch.device, targets: NDArray[np.floating[Any]] | None = None
) -> SparseRows | MappedRows:
    """Return `SparseRows`, or `MappedRows` where the matrix is mapped from a file; see `SparseRows`."""
    return (
        MappedRows(matrix, device)
        if targets is None and is_mapped(matrix.data)
        else SparseRows(matrix, device, targets)
    )


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
