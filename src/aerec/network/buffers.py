"""Buffers that one training step leaves to the next."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Scratch"]

_WORTH = 2**20  # bytes; smaller tensors cost less to allocate than to keep


class Scratch:
    """Large tensors lent out and given back, so that their memory is not asked of the system again at every step.

    Fresh memory comes as zeroed pages, which for an items × hidden matrix take longer to fault in than Adam takes to
    update it. What is not given back is not missed: it is freed as any tensor is.
    """

    def __init__(self) -> None:
        self._free: list[Tensor] = []
        self._lent: set[int] = set()

    def take(self, *shape: int, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return an uninitialised tensor of this shape, on the device of `like` and, without `dtype`, of its type."""
        dtype = like.dtype if dtype is None else dtype
        size = torch.Size(shape).numel()
        n_bytes = size * dtype.itemsize
        if n_bytes < _WORTH:
            return torch.empty(shape, dtype=dtype, device=like.device)
        fitting = [at for at, free in enumerate(self._free) if n_bytes <= len(free) and free.device == like.device]
        if fitting:
            memory = self._free.pop(min(fitting, key=lambda at: len(self._free[at])))
        else:
            memory = torch.empty(n_bytes, dtype=torch.uint8, device=like.device)
        self._lent.add(memory.data_ptr())
        return memory[:n_bytes].view(dtype).view(shape)

    def give(self, *tensors: Tensor | None) -> None:
        """Take back what `take` lent, which must not be used afterwards; other tensors are left alone."""
        for tensor in tensors:
            if tensor is None or tensor.is_sparse or tensor.data_ptr() not in self._lent:
                continue
            self._lent.remove(tensor.data_ptr())
            memory = torch.empty(0, dtype=torch.uint8, device=tensor.device)
            self._free.append(memory.set_(tensor.untyped_storage()))

    def clear(self) -> None:
        """Forget all of it; what is still lent is not taken back."""
        self._free.clear()
        self._lent.clear()
