"""What the kernels compute, and the checks that keep them within the memory of their tensors.

Every function has a pure form elsewhere, in PyTorch, NumPy or SciPy, which is the reference: results differ from it by
rounding alone. They do not depend on the number of threads.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from aerec.native.loader import function, is_used

_PIECE_ITEMS = 256  # The largest logit of a piece is found before its items are added up: they stay in the cache
MOST_VALUES, MOST_COLUMNS = 2**31 - 1, 2**16  # that `gram` takes
_AHEAD = 4  # positions that the kernel of `gram` looks at beyond the last, as kernels.c has it
_SMALL = 2**15  # numbers that one thread is done with before others have begun
_ENDINGS = {torch.float32: "f32", torch.bfloat16: "bf16"}


class AdamOptions(NamedTuple):
    """Hyper-parameters of Adam, and the number of the step, from 1."""

    learning_rate: float
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    step: float


class _AdamNumbers(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_float) for name in ("decay", "to_mean", "keep_square", "to_square", "epsilon", "rate", "unbias")
    ]


def usable(*tensors: Tensor) -> bool:
    """Whether there are kernels for tensors like these: contiguous float32 or bfloat16 in memory of the processor.

    There are none while PyTorch traces a graph: its tensors hold no numbers then.
    """
    return (
        is_used()
        and not torch.compiler.is_compiling()
        and all(
            tensor.device.type == "cpu" and tensor.dtype in _ENDINGS and tensor.is_contiguous() for tensor in tensors
        )
    )


class Stored(NamedTuple):
    """The stored values of rows of items, item after item: where each item starts, the rows, the values."""

    starts: Tensor
    rows: Tensor
    values: Tensor


def log_sum_exp(logits: Tensor, bias: Tensor, stored: Stored) -> tuple[Tensor, Tensor]:
    """Return log Σ exp(l + b) over the items, and Σ x (l + b) over the stored values.

    Parameters
    ----------
    logits : Tensor of shape (n_items, n_rows), float32 or bfloat16
    bias : Tensor of shape (n_items,)
    stored : Stored
        x

    Returns
    -------
    log_sums : Tensor of shape (n_rows,), float32
    explained : Tensor, scalar
    """
    n_items, n_rows = logits.shape
    _check(bias, (n_items,))
    _check_csr(*stored, n_rows, n_items)
    parts, explained = bias.new_empty(-(-n_items // _PIECE_ITEMS), 2, n_rows), bias.new_empty(n_items)
    name, sizes = f"softmax_parts_{_ending(logits)}", (n_items, n_rows, _PIECE_ITEMS)
    _call(name, logits, bias, *stored, *sizes, parts, explained, work=logits.numel())
    largest, sums = parts.unbind(dim=1)
    return torch.logsumexp(largest + sums.log_(), dim=0), explained.sum()


def softmax_residuals(logits: Tensor, bias: Tensor, stored: Stored, log_sums: Tensor, scale: Tensor) -> Tensor:
    """Turn logits into exp(l + b − log Σ) · scale − x, in place; return the sum of each item over the rows.

    Parameters
    ----------
    logits, bias, stored
        As of `log_sum_exp`.
    log_sums : Tensor of shape (n_rows,)
        What it returned.
    scale : Tensor of shape (n_rows,)

    Returns
    -------
    Tensor of shape (n_items,), float32
        Of the numbers before they were rounded.
    """
    n_items, n_rows = logits.shape
    _check(bias, (n_items,))
    _check(log_sums, (n_rows,))
    _check(scale, (n_rows,))
    _check_csr(*stored, n_rows, n_items)
    sums = bias.new_empty(n_items)
    name = f"softmax_residuals_{_ending(logits)}"
    _call(name, logits, bias, *stored, n_items, n_rows, log_sums, scale, sums, work=logits.numel())
    return sums


def tanh(x: Tensor) -> Tensor:
    """Return tanh of each number, float32."""
    _check(x, x.shape)
    result = torch.empty_like(x)
    _call("tanh", x, result, x.numel(), work=x.numel())
    return result


def sparse_product(starts: Tensor, columns: Tensor, values: Tensor, dense: Tensor, product: Tensor) -> Tensor:
    """Write x·D, with x in CSR form, to `product` and return it.

    Parameters
    ----------
    starts : Tensor of int64, shape (n_rows + 1,)
    columns : Tensor of int64, shape (n_stored,)
    values : Tensor of shape (n_stored,)
    dense : Tensor of shape (n_columns, n_hidden)
    product : Tensor of shape (n_rows, n_hidden)
    """
    _check_csr(starts, columns, values, len(dense), len(product))
    _check(product, (len(product), dense.shape[1]))
    _check(dense, dense.shape)
    work = len(values) * dense.shape[1]
    _call("sparse_product", starts, columns, values, dense, *product.shape, product, work=work)
    return product


def adam(weight: Tensor, mean: Tensor, square: Tensor, gradient: Tensor, options: AdamOptions) -> None:
    """Take a step of Adam; a bfloat16 gradient becomes the new weight.

    Parameters
    ----------
    weight, mean, square : Tensor of any shape, float32
        Changed in place.
    gradient : Tensor of that shape, float32 or bfloat16
    options : AdamOptions
    """
    for tensor in (weight, mean, square):
        _check(tensor, gradient.shape)
    ending, numbers = _ending(gradient), ctypes.byref(_numbers(options))
    _call(f"adam_{ending}", weight, mean, square, gradient, weight.numel(), numbers, work=weight.numel())


def sparse_adam(
    weight: Tensor,
    mean: Tensor,
    square: Tensor,
    starts: Tensor,
    rows: Tensor,
    values: Tensor,
    dense: Tensor,
    options: AdamOptions,
) -> None:
    """Take the step of Adam whose gradient is y·D, with y in CSR form; the gradient is never held.

    Parameters
    ----------
    weight, mean, square : Tensor of shape (n_items, n_hidden), float32
        Changed in place.
    starts : Tensor of int64, shape (n_items + 1,)
    rows : Tensor of int64, shape (n_stored,)
    values : Tensor of shape (n_stored,)
    dense : Tensor of shape (n_rows, n_hidden)
    options : AdamOptions
    """
    _check_csr(starts, rows, values, len(dense), len(weight))
    _check(dense, (len(dense), weight.shape[1]))
    for tensor in (weight, mean, square):
        _check(tensor, (len(weight), dense.shape[1]))
    numbers = ctypes.byref(_numbers(options))
    _call("sparse_adam", weight, mean, square, starts, rows, values, dense, *weight.shape, numbers, work=weight.numel())


def largest(numbers: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return columns and values of the `k` largest numbers of each row, as `aerec.topk.top_k` does.

    Arrays of NumPy: for a single row, to make tensors of them would take longer than the kernel.

    Parameters
    ----------
    numbers : ndarray of shape (n_rows, n_columns), float32
        One row after the other.
    k : int
    """
    n_rows, n_columns = numbers.shape
    if not (numbers.dtype == np.float32 and numbers.flags.c_contiguous and k >= 1 and n_columns < 2**32):
        raise ValueError(f"a kernel takes float32 rows and a k above 0, got {numbers.dtype}, {numbers.strides} and {k}")
    columns, values = np.empty((n_rows, k), dtype=np.int64), np.empty((n_rows, k), dtype=np.float32)
    arrays = [ctypes.c_void_p(array.__array_interface__["data"][0]) for array in (numbers, columns, values)]
    sizes, threads = map(ctypes.c_int64, (n_rows, n_columns, k)), _threads(numbers.size)
    if function("largest")(*arrays, *sizes, ctypes.c_int64(threads)):
        raise MemoryError(f"no memory for {2 * k} numbers")
    return columns, values


class CheckedRows:
    """Rows of a sparse matrix that are checked here, once, so that kernels may read them block by block.

    Parameters
    ----------
    stored : Stored
        The columns of each row, of int32, of which none comes twice.
    n_columns : int

    Raises
    ------
    ValueError
        If a row or a column is not there.
    """

    def __init__(self, stored: Stored, n_columns: int) -> None:
        _check_csr(*stored, n_columns, len(stored.starts) - 1, torch.int32)
        self.stored, self.n_columns = stored, n_columns

    def __len__(self) -> int:
        return len(self.stored.starts) - 1


class Pairs(NamedTuple):
    """What a product p of a row and a column is ranked by: p / (r c + s), or p / (r + c − p + s) of two that add up."""

    of_rows: Tensor
    of_columns: Tensor
    shrinkage: float
    add_up: bool


def gram(rows: CheckedRows, sums: Tensor) -> None:
    """Write XᵀX, its diagonal and what is above it, of the matrix X whose rows these are.

    Parameters
    ----------
    rows : CheckedRows
        The columns of each ascend.
    sums : Tensor of shape (n_columns, n_columns)
        What is below the diagonal is left as it is.
    """
    n_columns, stored = rows.n_columns, rows.stored
    if len(stored.rows) > MOST_VALUES or n_columns > MOST_COLUMNS:
        raise ValueError(f"positions have 32 bits, columns 16: there are {len(stored.rows):,} and {n_columns:,}")
    _check(sums, (n_columns, n_columns))
    numbered = np.arange(len(stored.rows), dtype=np.int32), stored.rows.numpy(), stored.starts.numpy()
    by_column = sp.csr_array(numbered, shape=(len(rows), n_columns)).tocsc()
    positions = np.append(by_column.data, np.zeros(_AHEAD, dtype=np.int32))
    columns = stored.rows.numpy().astype(np.uint16).view(np.int16)  # not every PyTorch knows the former
    arrays = by_column.indptr.astype(np.int64), positions, by_column.indices.astype(np.int32, copy=False)
    values = None if bool((stored.values == 1).all()) else stored.values
    given = torch.from_numpy(columns), values, *map(torch.from_numpy, arrays)
    _call("gram", stored.starts, *given, n_columns, sums, work=len(stored.rows))


def largest_products(
    left: CheckedRows, right: CheckedRows, rows: range, k: int, exclude: Tensor, pairs: Pairs | None
) -> Stored:
    """Return the `k` largest values above 0 of each of some rows of left · right, sorted by column.

    Parameters
    ----------
    left, right : CheckedRows
    rows : range
        Of left, one after the other.
    k : int
    exclude : Tensor of int64, shape (n_rows,)
        A column that is left out of each row of left; −1 for none.
    pairs : Pairs, optional
        By default the products themselves.

    Returns
    -------
    Stored
        Starts, columns (int32), and values, those of scipy to the bit; of equal ones the lower columns are chosen.
    """
    n_left, n_columns = len(left), right.n_columns
    if left.n_columns != len(right):
        raise ValueError(f"rows of {left.n_columns} columns cannot be multiplied by {len(right)} rows")
    _check(exclude, (n_left,), torch.int64)
    if not (0 <= rows.start <= rows.stop <= n_left and rows.step == 1 and k >= 1 and n_columns < 2**31):
        raise ValueError(f"rows are some of {n_left} in order, and k is above 0, got {rows} and {k}")
    kind, of_rows, of_columns, shrinkage = 0, left.stored.values, right.stored.values, 0.0
    if pairs is not None:
        kind, (of_rows, of_columns, shrinkage, _) = 1 + pairs.add_up, pairs
        _check(of_rows, (n_left,))
        _check(of_columns, (n_columns,))
    n_values = len(rows) * min(k, n_columns)
    starts = exclude.new_zeros(len(rows) + 1)
    values, columns = left.stored.values.new_empty(n_values), exclude.new_empty(n_values, dtype=torch.int32)
    sizes = rows.start, rows.stop, n_columns, k
    weighed = exclude, kind, of_rows, of_columns, ctypes.byref(ctypes.c_float(shrinkage))
    given = _given(*left.stored, *right.stored, *sizes, *weighed, starts[1:], columns, values)
    if function("largest_products")(*given):
        raise MemoryError(f"no memory for {n_columns} sums")
    starts = starts.cumsum(0)
    n_values = int(starts[-1])
    return Stored(starts, columns[:n_values], values[:n_values])


def products_within(
    rows: CheckedRows, starts: Tensor, lists: Tensor, width: int, frequent: Tensor, known: Tensor
) -> Tensor:
    """Return of each list of rows the products of each two of them.

    Parameters
    ----------
    rows : CheckedRows
    starts : Tensor of int64, shape (n_lists + 1,)
        Where each list begins.
    lists : Tensor of int32
        Numbers of rows, list after list.
    width : int
        Of the longest list.
    frequent : Tensor of int32, shape (n_rows,)
        Which row of `known` is that of a frequent row; −1 for the others.
    known : Tensor of shape (n_known, n_known)
        The products of the frequent rows, which need not be found then.

    Returns
    -------
    Tensor of shape (n_lists, width, width), float32
        Those that are not known are scipy's to the bit; 0 beyond the end of a list.
    """
    n_rows, n_lists = len(rows), len(starts) - 1
    _check_places(starts, lists, n_rows, n_lists, torch.int32)
    if n_lists and int(starts.diff().max()) > width:
        raise ValueError(f"a list has {int(starts.diff().max())} rows, more than {width}")
    _check(frequent, (n_rows,), torch.int32)
    _check(known, (len(known), len(known)))
    if n_rows and int(frequent.max()) >= len(known):
        raise ValueError(f"frequent rows are numbered up to {len(known) - 1}, got {int(frequent.max())}")
    products = rows.stored.values.new_zeros(n_lists, width, width)
    given = *rows.stored, rows.n_columns, starts, lists, frequent, known, len(known), n_lists, width, products
    if function("products_within")(*_given(*given)):
        raise MemoryError(f"no memory for chains of {rows.n_columns} columns")
    return products


def _numbers(options: AdamOptions) -> _AdamNumbers:
    """Those of w − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε), as PyTorch has it."""
    first, second = options.betas
    rate = options.learning_rate / (1 - first**options.step)
    unbias = (1 - second**options.step) ** -0.5
    return _AdamNumbers(options.weight_decay, 1 - first, second, 1 - second, options.epsilon, rate, unbias)


def _call(name: str, *arguments: Any, work: int) -> None:
    """Call a kernel; `work` says whether threads pay."""
    function(name)(*_given(*arguments, _threads(work)))


def _threads(work: int) -> int:
    return 1 if work < _SMALL else torch.get_num_threads()


def _given(*arguments: Any) -> list[Any]:
    """Return the addresses of tensors, and numbers, as C takes them."""
    if elsewhere := [value.device for value in arguments if isinstance(value, Tensor) and value.device.type != "cpu"]:
        raise ValueError(f"kernels read and write the memory of the processor, got a tensor on {elsewhere[0]}")
    return [
        ctypes.c_void_p(value.data_ptr())
        if isinstance(value, Tensor)
        else ctypes.c_int64(value)
        if isinstance(value, int)
        else value
        for value in arguments
    ]


def _ending(tensor: Tensor) -> str:
    _check(tensor, tensor.shape, tensor.dtype if tensor.dtype in _ENDINGS else torch.float32)
    return _ENDINGS[tensor.dtype]


def _check(tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> None:
    if tensor.device.type != "cpu" or tensor.dtype != dtype or tensor.shape != shape or not tensor.is_contiguous():
        raise ValueError(
            f"a kernel takes a contiguous tensor of {dtype} and shape {tuple(shape)} on the CPU, got one of "
            f"{tensor.dtype}, shape {tuple(tensor.shape)} and strides {tensor.stride()} on {tensor.device}"
        )


def _check_csr(
    starts: Tensor, columns: Tensor, values: Tensor, n_columns: int, n_rows: int, dtype: torch.dtype = torch.int64
) -> None:
    _check(values, columns.shape)
    _check_places(starts, columns, n_columns, n_rows, dtype)


def _check_places(starts: Tensor, columns: Tensor, n_columns: int, n_rows: int, dtype: torch.dtype) -> None:
    _check(starts, (n_rows + 1,), torch.int64)
    _check(columns, columns.shape[:1], dtype)
    if function("check_csr")(*_given(starts, columns, int(dtype == torch.int64), n_rows, n_columns, len(columns))):
        raise ValueError(
            f"starts of rows must go up from 0 to {len(columns)}, the number of values, and columns be from 0 to "
            f"{n_columns - 1}, got {starts} and {columns}"
        )
