"""Batches: what the network and its losses read. Sparse rows stay sparse, dense ones dense; both answer alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from aerec.noise import GaussianNoise, MaskingNoise, Noise
from aerec.sparse import CSR

_LEFT_OUT = -1e4  # added to a logit, which float32 and bfloat16 can hold


@dataclass(frozen=True, eq=False)
class Pattern:
    """The stored places of a CSR matrix, without their values; what is derived from them is computed once.

    Parameters
    ----------
    starts : Tensor of int64, shape (n_rows + 1,)
        Row i has the stored places from ``starts[i]`` up to ``starts[i + 1]``.
    columns : Tensor of int64, shape (n_stored,)
        The column of each place.
    n_columns : int
    """

    starts: Tensor
    columns: Tensor
    n_columns: int
    known_rows: Tensor | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.starts) - 1

    @cached_property
    def rows(self) -> Tensor:
        """The row of each stored place; shape (n_stored,)."""
        if self.known_rows is not None:
            return self.known_rows
        if self.n_rows == 1:
            return torch.zeros_like(self.columns)
        numbers = torch.arange(self.n_rows, device=self.starts.device)
        return torch.repeat_interleave(numbers, self.starts.diff(), output_size=len(self.columns))

    @cached_property
    def by_column(self) -> tuple[Tensor, Tensor, Tensor]:
        """The transposed pattern: where each column starts, the rows in it, and the positions of its values."""
        if self.starts.device.type == "cpu":  # counting, where PyTorch sorts
            numbered = np.arange(len(self.columns)), self.columns.numpy(), self.starts.numpy()
            transposed = sp.csr_array(numbered, shape=(self.n_rows, self.n_columns)).tocsc()
            starts, rows, order = (
                torch.from_numpy(array.astype(np.int64, copy=False))
                for array in (transposed.indptr, transposed.indices, transposed.data)
            )
            return starts, rows, order
        columns, order = torch.sort(self.columns.int(), stable=True)
        edges = torch.arange(self.n_columns + 1, dtype=torch.int32, device=columns.device)
        return torch.searchsorted(columns, edges), self.rows.index_select(0, order), order

    @cached_property
    def places(self) -> Tensor:
        """Where the stored places stand in a dense matrix that lies row after row."""
        return self.rows * self.n_columns + self.columns

    @cached_property
    def places_by_column(self) -> Tensor:
        """Where they stand in a dense matrix that lies column after column."""
        return self.columns * self.n_rows + self.rows

    def renumbered(self, columns: Tensor, n_columns: int) -> Pattern:
        """Return the same rows with other numbers for their columns."""
        return Pattern(self.starts, columns, n_columns, self.known_rows)


@dataclass(frozen=True)
class SparseBatch:
    """Rows of a sparse matrix: the `values` that are stored in the places of a `pattern`.

    `targets`, aligned with the values, are what the "observed" likelihood wants to see in their places; by default the
    values themselves. `weights`, aligned too, multiply the terms of the loss that belong to the values; by default 1.
    `left_out` says of each value whether its place has no part in a softmax; by default all have.
    `row_numbers` are those of the rows in the matrix that the batch was taken from.
    """

    pattern: Pattern
    values: Tensor
    row_numbers: Tensor
    targets: Tensor | None = None
    weights: Tensor | None = None
    _sums: Sequence[Tensor] | None = field(default=None, repr=False, compare=False)  # totals, squares, draws if known
    left_out: Tensor | None = None

    @classmethod
    def of(cls, matrix: CSR, device: torch.device) -> SparseBatch:
        """Return all rows of a matrix, on the device."""
        parts = matrix.indptr, matrix.indices, matrix.data
        arrays = (array if array.flags.writeable else array.copy() for array in parts)
        starts, columns, values = (torch.from_numpy(array).to(device) for array in arrays)
        pattern = Pattern(starts.long(), columns.long(), matrix.shape[1])
        return cls(pattern, values, torch.arange(matrix.shape[0], device=device))

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.pattern.starts) - 1

    @property
    def wanted(self) -> Tensor:
        """The targets where there are any, else the values."""
        return self.values if self.targets is None else self.targets

    def totals(self) -> Tensor:
        """Σ of each row; shape (n_rows,)."""
        return self._sum_up(self.values) if self._sums is None else self._sums[0]

    def squares(self) -> Tensor:
        """Σ of the squares of each row; shape (n_rows,)."""
        return self._sum_up(self.values.square()) if self._sums is None else self._sums[1]

    def draws(self) -> Tensor:
        """Σ of the values of each row, each times its weight; shape (n_rows,)."""
        if self.weights is None:
            return self.totals()
        return self._sum_up(self.values * self.weights) if self._sums is None else self._sums[2]

    def counted(self) -> SparseBatch:
        """Return each value as often as it weighs, which it does: the product of both as the value, without weights."""
        assert self.weights is not None
        values = self.values * self.weights
        return replace(self, values=values, weights=None, _sums=(self.draws(), self._sum_up(values.square())))

    def _sum_up(self, values: Tensor) -> Tensor:
        return values.new_zeros(self.n_rows).index_add_(0, self.pattern.rows, values)

    def dot(self, logits: Tensor, bias: Tensor | None = None) -> Tensor:
        """Σ of the stored values times the logits in their places, a scalar; `bias` is added to each row of logits."""
        return torch.dot(self.values, self.logits_at(logits, bias))

    def logits_at(self, logits: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the logits in the places of the stored values; shape (n_stored,), float32."""
        memory, places = self._places_in(logits)
        chosen = memory.index_select(0, places).float()
        return chosen if bias is None else chosen.add_(bias.index_select(0, self.pattern.columns))

    def weigh(self, dense: Tensor) -> Tensor:
        """Multiply what stands in the places of the stored values by their weights, which are there, in place."""
        assert self.weights is not None
        memory, places = self._places_in(dense)
        more = memory.index_select(0, places).float() * (self.weights - 1)
        memory.index_add_(0, places, more.to(dense.dtype))  # which minds no place that is stored twice, as zeros may be
        return dense

    def subtract_from(self, dense: Tensor, scale: float | Tensor = 1.0) -> Tensor:
        """``dense − scale · x`` in place."""
        memory, places = self._places_in(dense)
        memory.index_add_(0, places, (self.values * -scale).to(dense.dtype))
        return dense

    def leave_out(self, logits: Tensor) -> Tensor:
        """Make the logits in the places that are `left_out` so small that their softmax is 0, in place."""
        assert self.left_out is not None
        memory, places = self._places_in(logits)
        memory.index_add_(0, places, (self.left_out * _LEFT_OUT).to(logits.dtype))
        return logits

    def _places_in(self, dense: Tensor) -> tuple[Tensor, Tensor]:
        """Return the memory of a matrix, which may be laid out by columns, and where in it the stored values are.

        Laid out by rows it may have a gap between two of them.
        """
        if dense.is_contiguous():
            return dense.view(-1), self.pattern.places
        if dense.T.is_contiguous():
            return dense.T.view(-1), self.pattern.places_by_column
        step = dense.stride(0)
        memory = dense.as_strided(((len(dense) - 1) * step + dense.shape[1],), (1,))
        return memory, self.pattern.rows * step + self.pattern.columns

    def normalized(self) -> SparseBatch:
        """Each row divided by its Euclidean length; a row without ratings stays empty."""
        lengths = self.squares().sqrt().clamp_min(torch.finfo(torch.float32).tiny)
        return replace(self, values=self.values / lengths.index_select(0, self.pattern.rows), _sums=None)

    def over(self, scale: Tensor) -> SparseBatch:
        """Each value divided by the `scale` of its column; shape (n_columns,)."""
        return replace(self, values=self.values / scale.index_select(0, self.pattern.columns), _sums=None)

    def without_zeros(self) -> SparseBatch:
        """The same rows without the stored values that are 0: masked ones cost nothing then."""
        stays = self.values != 0
        before = torch.zeros(len(stays) + 1, dtype=torch.int64, device=stays.device)
        torch.cumsum(stays, 0, out=before[1:])
        starts, positions = before.index_select(0, self.pattern.starts), stays.nonzero()[:, 0]
        columns, values = (part.index_select(0, positions) for part in (self.pattern.columns, self.values))
        return SparseBatch(Pattern(starts, columns, self.pattern.n_columns), values, self.row_numbers)

    def above(self, other: Batch) -> SparseBatch:
        """Return the rows of both, one batch below the other."""
        assert isinstance(other, SparseBatch)
        upper, lower = self.pattern, other.pattern
        pattern = Pattern(
            torch.cat([upper.starts, lower.starts[1:] + len(upper.columns)]),
            torch.cat([upper.columns, lower.columns]),
            upper.n_columns,
            torch.cat([upper.rows, lower.rows + upper.n_rows]),
        )
        values = torch.cat([self.values, other.values])
        return SparseBatch(pattern, values, torch.cat([self.row_numbers, other.row_numbers]))

    def products_with(self, other: Batch) -> Tensor:
        """Σ of each row over the products with the values of another batch of the same pattern; shape (n_rows,)."""
        return self._sum_up(self.values * other.values)

    def times(self, matrix: CSR) -> SparseBatch:
        """Return the rows times a sparse matrix, on the processor."""
        arrays = self.values.numpy(), self.pattern.columns.numpy(), self.pattern.starts.numpy()
        rows = sp.csr_array(arrays, shape=(self.n_rows, self.pattern.n_columns))
        return replace(SparseBatch.of(rows @ matrix, self.values.device), row_numbers=self.row_numbers)

    def corrupted(self, noise: Noise, generator: torch.Generator) -> SparseBatch:
        """Noise on the stored values; that of ``GaussianNoise(entries="all")`` is added behind the first layer."""
        if isinstance(noise, GaussianNoise) and noise.entries == "all":
            return self
        return replace(self, values=noise.corrupt(self.values, generator), _sums=None)

    def held_out(self, noise: MaskingNoise, generator: torch.Generator) -> tuple[SparseBatch, SparseBatch]:
        """Return what masking leaves to read, and what is asked for: what it took.

        What is read has the length of the whole row, by which `normalized` divides.
        """
        sums = self.totals(), self.squares()
        seen = noise.draw(self.values, generator)  # a value that is 0, as a standardised rating may be, is read too
        read = replace(self, values=noise.apply(self.values, seen), _sums=sums)
        weights = (~seen).to(self.values.dtype) / noise.p
        weights = weights if self.weights is None else weights * self.weights
        return read, replace(self, weights=weights, left_out=seen, _sums=None)


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

    def draws(self) -> Tensor:
        """`totals`: dense rows have no weights."""
        return self.totals()

    def squares(self) -> Tensor:
        """Σ of the squares of each row; shape (n_rows,)."""
        return self.values.square().sum(dim=1)

    def dot(self, logits: Tensor, bias: Tensor | None = None) -> Tensor:
        """Σ of the values times the logits, a scalar; `bias` is added to each row of logits."""
        product = torch.dot(self.values.reshape(-1), logits.reshape(-1).float())
        return product if bias is None else product + torch.dot(self.values.sum(dim=0), bias)

    def subtract_from(self, dense: Tensor, scale: float | Tensor = 1.0) -> Tensor:
        """``dense − scale · x`` in place."""
        return dense.sub_(self.values * scale)

    def normalized(self) -> DenseBatch:
        """Each row divided by its Euclidean length; a row of zeros stays so."""
        return replace(self, values=torch.nn.functional.normalize(self.values, dim=1))

    def over(self, scale: Tensor) -> DenseBatch:
        """Each value divided by the `scale` of its column; shape (n_columns,)."""
        return replace(self, values=self.values / scale)

    def above(self, other: Batch) -> DenseBatch:
        """Return the rows of both, one batch below the other."""
        assert isinstance(other, DenseBatch)
        return DenseBatch(torch.cat([self.values, other.values]), torch.cat([self.row_numbers, other.row_numbers]))

    def products_with(self, other: Batch) -> Tensor:
        """Σ of each row over the products with the values of another batch; shape (n_rows,)."""
        return (self.values * other.values).sum(dim=1)

    def corrupted(self, noise: Noise, generator: torch.Generator) -> DenseBatch:
        """Noise on every entry."""
        return replace(self, values=noise.corrupt(self.values, generator))


Batch: TypeAlias = SparseBatch | DenseBatch
