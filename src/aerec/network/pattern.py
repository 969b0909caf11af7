"""Where a block of sparse rows holds something: the index structure, which all its values share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

__all__ = ["Pattern"]


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
