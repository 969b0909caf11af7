"""Batches, what the network and its losses read: sparse rows stay sparse, dense ones dense; both answer alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from aerec.noise import GaussianNoise, Noise
from aerec.sparse import CSR

__all__ = ["Batch", "DenseBatch", "SparseBatch"]


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

    @classmethod
    def of(cls, matrix: CSR, device: torch.device) -> SparseBatch:
        """Return all rows of a matrix, on the device."""
        arrays = (one if one.flags.writeable else one.copy() for one in (matrix.indptr, matrix.indices, matrix.data))
        starts, columns, values = (torch.from_numpy(one).to(device) for one in arrays)
        row_numbers = torch.arange(matrix.shape[0], device=device)
        return cls(starts.long(), columns.long(), values, matrix.shape[1], row_numbers)

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
        columns, order = torch.sort(self.columns.int(), stable=True)
        edges = torch.arange(self.n_columns + 1, dtype=torch.int32, device=columns.device)
        return torch.searchsorted(columns, edges), self.rows.index_select(0, order), order

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
        memory, places = self._places_in(logits)
        chosen = memory.index_select(0, places).float()
        return torch.dot(self.values, chosen if bias is None else chosen.add_(bias.index_select(0, self.columns)))

    def subtract_from(self, dense: Tensor, scale: float | Tensor = 1.0) -> Tensor:
        """``dense − scale · x`` in place."""
        memory, places = self._places_in(dense)
        memory.index_add_(0, places, (self.values * -scale).to(dense.dtype))
        return dense

    def _places_in(self, dense: Tensor) -> tuple[Tensor, Tensor]:
        """Return the memory of a matrix, which may be laid out by columns, and where in it the stored values are."""
        if dense.is_contiguous():
            return dense.view(-1), self.places
        return dense.T.view(-1), self._found("places_by_column", lambda: self.columns * self.n_rows + self.rows)

    @property
    def places(self) -> Tensor:
        """Where the stored values stand in the dense form, row after row."""
        return self._found("places", lambda: self.rows * self.n_columns + self.columns)  # type: ignore[no-any-return]

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


Batch: TypeAlias = SparseBatch | DenseBatch
