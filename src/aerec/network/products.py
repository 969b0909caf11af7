"""The matrix products of the network, and the memory that the large ones are written to.

Sparse batches times dense matrices, dense products at stored entries only, and the layers between first and last, with
bfloat16 factors where asked for.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.multiprocessing.reductions import StorageWeakRef

from aerec.native import kernels
from aerec.network.batches import Batch, DenseBatch, Pattern, SparseBatch
from aerec.network.deferred import Deferred, SparseTimesDense

_WORTH = 2**20  # bytes; smaller tensors cost less to allocate than to keep
_MANY_LENT = 64  # from which on those that were never given back are forgotten


class Scratch:
    """Large tensors lent out and given back, so that their memory is not asked of the system again at every step.

    Fresh memory comes as zeroed pages, which for an items × hidden matrix take longer to fault in than Adam takes to
    update it. What is not given back is not missed: it is freed as any tensor is.

    Attributes
    ----------
    deferred : Deferred or None
        Takes gradients of the weights that it names, while a trainer computes a cost.
    """

    def __init__(self) -> None:
        self.deferred: Deferred | None = None
        self._free: list[Tensor] = []
        # By address. Once lent memory is freed, an unrelated tensor may lie there: then the reference has expired.
        self._lent: dict[int, StorageWeakRef] = {}

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
        if len(self._lent) > _MANY_LENT:
            self._lent = {address: lent for address, lent in self._lent.items() if _is_alive(lent)}
        self._lent[memory.data_ptr()] = StorageWeakRef(memory.untyped_storage())  # type: ignore[no-untyped-call]
        return memory[:n_bytes].view(dtype).view(shape)

    def give(self, *tensors: Tensor | None) -> None:
        """Take back what `take` lent, which must not be used afterwards; other tensors are left alone."""
        for tensor in tensors:
            if tensor is None or tensor.is_sparse:
                continue
            lent = self._lent.pop(tensor.data_ptr(), None)
            if lent is None or not _is_alive(lent):
                continue
            memory = torch.empty(0, dtype=torch.uint8, device=tensor.device)
            self._free.append(memory.set_(tensor.untyped_storage()))

    def deferred_of(self, weight: Tensor) -> Deferred | None:
        """Return what takes the gradient of this weight, if anything does."""
        return self.deferred if self.deferred is not None and self.deferred.takes(weight) else None

    def clear(self) -> None:
        """Forget all of it; what is still lent is not taken back."""
        self._free.clear()
        self._lent.clear()


def _is_alive(storage: StorageWeakRef) -> bool:
    return not storage.expired()  # type: ignore[no-untyped-call]


def first_layer(batch: Batch, weight: Tensor, scratch: Scratch | None = None, *, lazy: bool = False) -> Tensor:
    """Return x·W: for a sparse row the sum of the rows of W at its items, weighted by its values.

    Parameters
    ----------
    batch : Batch of shape (n_rows, n_items)
    weight : Tensor of shape (n_items, n_hidden)
    scratch : Scratch, optional
        Lends the memory of the gradient.
    lazy : bool, default False
        Whether the gradient is sparse, with the rows of the batch's items only.

    Returns
    -------
    Tensor of shape (n_rows, n_hidden)
    """
    if isinstance(batch, DenseBatch):
        return batch.values @ weight
    if lazy:
        own, places = torch.unique(batch.pattern.columns, return_inverse=True)
        batch = replace(batch, pattern=batch.pattern.renumbered(places, len(own)))
        weight = torch.nn.functional.embedding(own, weight, sparse=True)
    product: Tensor = _SparseProduct.apply(weight, batch, scratch or Scratch())  # type: ignore[no-untyped-call]
    return product


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, batch: SparseBatch, scratch: Scratch) -> Tensor:
        ctx.batch, ctx.scratch = batch, scratch
        ctx.weight, ctx.deferred = weight, scratch.deferred_of(weight)
        return scatter_rows(batch.pattern, batch.values, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, None]:
        batch = ctx.batch
        values = batch.values.index_select(0, batch.pattern.by_column[2])
        if ctx.deferred is None:
            return gather_rows(batch.pattern, values, gradient, ctx.scratch), None, None
        ctx.deferred.give(ctx.weight, SparseTimesDense(batch.pattern, values, gradient.contiguous()))
        return None, None, None


def affine(x: Tensor, weight: Tensor, bias: Tensor, half: bool, plus: Tensor | None = None) -> Tensor:
    """Return x·W + b, plus another matrix; with `half` of bfloat16 factors, the sum in float32."""
    if half:
        product: Tensor = _HalfAffine.apply(x, weight, bias, plus)  # type: ignore[no-untyped-call]
        return product
    return torch.addmm(bias if plus is None else bias + plus, x, weight)


class _HalfAffine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, plus: Tensor | None) -> Tensor:
        ctx.factors = x, weight = x.bfloat16(), weight.bfloat16()
        product = (x @ weight).float().add_(bias)
        return product if plus is None else product.add_(plus)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), half = ctx.factors, gradient.bfloat16()
        for_x, for_weight, for_bias, for_plus = ctx.needs_input_grad
        return (
            (half @ weight.T).float() if for_x else None,
            (x.T @ half).float() if for_weight else None,
            gradient.sum(dim=0) if for_bias else None,
            gradient if for_plus else None,
        )


def tanh(x: Tensor) -> Tensor:
    """Return tanh of each number."""
    if not kernels.usable(x):
        return torch.tanh(x)
    result: Tensor = _Tanh.apply(x)  # type: ignore[no-untyped-call]
    return result


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        result = kernels.tanh(x)
        ctx.save_for_backward(result)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        to_x: Tensor = torch.ops.aten.tanh_backward(gradient, *ctx.saved_tensors)
        return to_x


def scatter_rows(pattern: Pattern, values: Tensor, weight: Tensor) -> Tensor:
    """Return x·W: for each row Σ over its stored entries of `values` times the rows of `weight` at their columns.

    Parameters
    ----------
    pattern : Pattern of shape (n_rows, n_items)
        That of x.
    values : Tensor of shape (n_values,)
    weight : Tensor of shape (n_items, n_hidden)

    Returns
    -------
    Tensor of shape (n_rows, n_hidden)
    """
    if weight.device.type == "cpu":  # in a half to all of the time of a product of CSR, for one row in a third
        return torch.nn.functional.embedding_bag(
            pattern.columns, weight, pattern.starts, mode="sum", per_sample_weights=values, include_last_offset=True
        )
    product = weight.new_empty(pattern.n_rows, weight.shape[1])
    x = _csr(pattern.starts, pattern.columns, values, (pattern.n_rows, pattern.n_columns))
    return torch.addmm(product, x, weight, beta=0.0, out=product)  # `x @ weight` writes the zeros it adds to first


def gather_rows(pattern: Pattern, values: Tensor, dense: Tensor, scratch: Scratch) -> Tensor:
    """Return xᵀ·D: for each column Σ over its stored entries of `values` times the rows of `dense` at their rows.

    Parameters
    ----------
    pattern : Pattern of shape (n_rows, n_items)
        That of x.
    values : Tensor of shape (n_values,)
        Column after column: in the order of ``pattern.by_column``.
    dense : Tensor of shape (n_rows, n_hidden)
    scratch : Scratch
        Lends the memory of the product.

    Returns
    -------
    Tensor of shape (n_items, n_hidden)
    """
    starts, rows, _ = pattern.by_column
    product = scratch.take(pattern.n_columns, dense.shape[1], like=dense)
    if kernels.usable(dense, values):
        return kernels.sparse_product(starts, rows, values, dense, product)
    transposed = _csr(starts, rows, values, (pattern.n_columns, pattern.n_rows))
    return torch.addmm(product, transposed, dense, beta=0.0, out=product)


def observed_logits(hidden: Tensor, weight: Tensor, bias: Tensor, pattern: Pattern) -> Tensor:
    """Return l = hidden·Wᵀ + b at the places of `pattern` only, aligned with its columns."""
    products = sampled_products(pattern.starts, pattern.columns, hidden, weight)
    return products.add_(bias.index_select(0, pattern.columns))


def observed_logits_by_column(hidden: Tensor, weight: Tensor, bias: Tensor, pattern: Pattern) -> Tensor:
    """Return the same in the order of ``pattern.by_column``: in large batches faster, as a row of W is read once."""
    starts, rows, order = pattern.by_column
    products = sampled_products(starts, rows, weight, hidden)
    return products.add_(bias.index_select(0, pattern.columns.index_select(0, order)))


def sampled_products(starts: Tensor, columns: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Return left·rightᵀ at the entries of a CSR pattern."""
    zeros = _csr(starts, columns, left.new_zeros(len(columns)), (len(left), len(right)))
    products: Tensor = torch.sparse.sampled_addmm(zeros, left, right.T, beta=0.0).values()
    return products


def _csr(starts: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)


with warnings.catch_warnings():  # PyTorch says once per process that its CSR tensors are "in beta state": not news
    warnings.simplefilter("ignore", UserWarning)
    _csr(torch.zeros(2, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), torch.zeros(0), (1, 1))
