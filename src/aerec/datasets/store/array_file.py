"""Arrays written to ``.npy`` files piece by piece, when their length is not known before the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from typing_extensions import Self

_HEADER_BYTES = 128  # more than the header of any one-dimensional array of numbers needs; a multiple of 64


class ArrayFile:
    """A one-dimensional ``.npy`` file that grows; its header is written when it is closed.

    Parameters
    ----------
    path : pathlib.Path
    dtype : dtype
    """

    def __init__(self, path: Path, dtype: DTypeLike) -> None:
        self.path = path
        self.length = 0
        self._dtype = np.dtype(dtype)
        self._stream = path.open("wb")
        self._stream.write(bytes(_HEADER_BYTES))

    def append(self, values: NDArray[Any]) -> None:
        """Write `values` behind those that are there."""
        self._stream.write(np.ascontiguousarray(values, dtype=self._dtype).data)
        self.length += len(values)

    def close(self) -> None:
        """Write the header; the file is complete then."""
        fields = f"{{'descr': {self._dtype.str!r}, 'fortran_order': False, 'shape': ({self.length},), }}"
        text = fields.ljust(_HEADER_BYTES - 11) + "\n"
        with self._stream as stream:
            stream.seek(0)
            stream.write(b"\x93NUMPY\x01\x00" + (_HEADER_BYTES - 10).to_bytes(2, "little") + text.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
