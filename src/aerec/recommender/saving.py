"""Hyper-parameters and learned arrays in the form that files hold, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator

from aerec import noise, sparsity
from aerec.datasets.store.folder import store_of
from aerec.errors import DataError
from aerec.holdout import Holdout
from aerec.interactions import Interactions
from aerec.sparse import CSR, canonical_csr

__all__ = ["add_to_digest", "decode_array", "decode_parameter", "encode_array", "encode_parameter"]


_CHUNK = 1 << 20  # values hashed at once


def encode_parameter(value: Any) -> Any:
    """Return a hyper-parameter as JSON: plain values as they are, rows of values and choices of ours named as such."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if isinstance(value, tuple | list):
        return {"tuple": [encode_parameter(one) for one in value]}
    if type(value).__name__ in _CHOICES and dataclasses.is_dataclass(value):
        fields = {field.name: encode_parameter(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"choice": type(value).__name__, "fields": fields}
    if isinstance(value, BaseEstimator):
        inner = {name: encode_parameter(one) for name, one in value.get_params(deep=False).items()}
        return {"estimator": type(value).__name__, "parameters": inner}
    raise DataError(f"a hyper-parameter of type {type(value).__name__} cannot be saved: {value!r}")


def decode_parameter(value: Any, estimators: Mapping[str, type[Any]] | None = None) -> Any:
    """Read back what `encode_parameter` gave.

    Only the classes of aerec.noise and aerec.sparsity are made, and those named in `estimators`.
    """
    if isinstance(value, dict) and "tuple" in value:
        return tuple(decode_parameter(one, estimators) for one in value["tuple"])
    if isinstance(value, dict) and "estimator" in value:
        inner = {name: decode_parameter(one, estimators) for name, one in value["parameters"].items()}
        return (estimators or {})[value["estimator"]](**inner)
    if isinstance(value, dict):
        fields = {name: decode_parameter(one) for name, one in value["fields"].items()}
        return _CHOICES[value["choice"]](**fields)
    return value


def encode_array(value: NDArray[Any] | CSR | None, name: str) -> dict[str, NDArray[Any]]:
    """Return a learned array as tensors: a dense one as it is, a CSR one in its parts, nothing for None."""
    if value is None or isinstance(value, np.ndarray):
        return {} if value is None else {name: value}
    parts = {"data": value.data, "indices": value.indices, "indptr": value.indptr, "shape": np.array(value.shape)}
    return {f"{name}.{part}": array for part, array in parts.items()}


def decode_array(tensors: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any] | CSR | None:
    """Read back what `encode_array` gave."""
    if f"{name}.data" not in tensors:
        return tensors.get(name)
    parts = tuple(tensors[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    n_rows, n_columns = tensors[f"{name}.shape"].tolist()
    array = csr_array(parts, shape=(n_rows, n_columns))
    array.check_format()
    return array


_CHOICES: dict[str, Any] = {name: getattr(module, name) for module in (noise, sparsity) for name in module.__all__}


def add_to_digest(digest: Any, data: Any) -> None:
    """Feed training or validation data of any kind to a hashlib digest: values, shape, and ids where there are."""
    if data is None:
        return
    if isinstance(data, Holdout):
        for part in (data.history, data.target, data.exclude):
            add_to_digest(digest, part)
        if data.candidates is not None:
            digest.update(pd.util.hash_pandas_object(data.candidates, index=False).to_numpy().tobytes())
        return
    if isinstance(data, Interactions):
        if (stored := store_of(data)) is not None:
            digest.update(stored[1].encode())
            return
        for index in (data.users, data.items):
            digest.update(pd.util.hash_pandas_object(index, index=False).to_numpy().tobytes())
        data = data.matrix
    matrix = canonical_csr(data)
    for array, kind in ((matrix.data, np.float32), (matrix.indices, np.int64), (matrix.indptr, np.int64)):
        for begin in range(0, len(array), _CHUNK):
            digest.update(array[begin : begin + _CHUNK].astype(kind, copy=False).tobytes())
    digest.update(np.array(matrix.shape).tobytes())
