"""Hyper-parameters and learned arrays in the form that files hold, and back."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator

from aerec.canonical import canonical_csr
from aerec.datasets.store.folder import store_of
from aerec.errors import DataError
from aerec.files.storage import write_folder
from aerec.holdout import Holdout
from aerec.ids import without_points
from aerec.interactions import Interactions
from aerec.parameters import copied_parameters
from aerec.recommender.new_history import RatingScale
from aerec.sparse import CSR
from aerec.stored_ids import decode_index, encode_index

_CHUNK = 1 << 20  # values hashed at once


def model_state(model: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what a model has learned: what JSON can hold, and arrays."""
    state: tuple[dict[str, Any], dict[str, NDArray[Any]]] = model._state()
    return state


def restore_state(model: Any, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Give a model, which has the parameters it was fitted with, back what `model_state` returned."""
    model._fitted_with = copied_parameters(model)
    model._set_state(header, tensors)


def state_of_parts(models: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the `model_state` of the models, by name, that a model is made of; names of arrays begin with theirs."""
    headers: dict[str, Any] = {}
    tensors: dict[str, NDArray[Any]] = {}
    for name, model in models.items():
        headers[name], arrays = model_state(model)
        tensors |= {f"{name}.{key}": array for key, array in arrays.items()}
    return headers, tensors


def restore_part(
    whole: Any,
    name: str,
    part: Any,
    header: Mapping[str, Any],
    tensors: Mapping[str, NDArray[Any]],
    *,
    knows_users: bool = True,
) -> None:
    """Give `part`, which the model `whole` is made of, back what `state_of_parts` returned under its name.

    Its items are those of the whole, and so are its users, if it knows any.
    """
    part.n_features_in_, part.items_ = whole.n_features_in_, whole.items_
    part.users_ = whole.users_ if knows_users else None
    own = f"{name}."
    restore_state(part, header, {key[len(own) :]: tensors[key] for key in tensors if key.startswith(own)})


def write_model(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted model into the folder `path`."""
    header, tensors = model_state(model)
    tensors |= encode_index(model.items_, "items") | encode_index(model.users_, "users") | _encoded_columns(model)
    parameters, fitted_with = (
        {name: encode_parameter(value, lists=True) for name, value in values.items()}
        for values in (model.get_params(deep=False), model._fitted_with)
    )
    content = {
        "model": type(model).__name__,
        "parameters": parameters,
        "fitted_with": {name: value for name, value in fitted_with.items() if value != parameters[name]},
        "n_items": int(model.n_features_in_),
        "feature_names": hasattr(model, "feature_names_in_"),
        "rating_scale": None if model._scale is None else dataclasses.asdict(model._scale),
        "state": header,
    }
    write_folder(path, "model", content, tensors)


def read_model(
    model_class: type[Any],
    header: Mapping[str, Any],
    tensors: Mapping[str, NDArray[Any]],
    known: Mapping[str, type[Any]],
) -> Any:
    """Return the model that `write_model` wrote.

    Parameters
    ----------
    model_class : type
    header, tensors
        What the files hold.
    known : mapping of str to type
        The classes that may be made of what stands in the header.
    """
    parameters, fitted_with = (
        {key: decode_parameter(value, known) for key, value in part.items()}
        for part in (header["parameters"], header.get("fitted_with", {}))
    )
    model = model_class(**{**parameters, **fitted_with})
    model.n_features_in_ = int(header["n_items"])
    items, users = (decode_index(tensors, name, unique=True) for name in ("items", "users"))
    model.items_ = None if items is None else without_points(items, "item")  # an older version kept 1.0, 2.0
    model.users_ = None if users is None else without_points(users, "user")
    model._columns_in = decode_index(tensors, "columns")
    scale = header.get("rating_scale")
    model._scale = None if scale is None else RatingScale(**scale)
    if header.get("feature_names") and model._columns_in is not None:
        model.feature_names_in_ = model._columns_in.to_numpy(dtype=object)
    if model.items_ is not None and len(model.items_) != model.n_features_in_:
        raise ValueError(f"{len(model.items_)} ids for {model.n_features_in_} items")
    restore_state(model, header["state"], tensors)
    model.set_params(**{key: parameters[key] for key in fitted_with})
    return model


def _encoded_columns(model: Any) -> dict[str, NDArray[Any]]:
    """Return the columns of the frame that it was fitted on; nothing where they are neither numbers nor text."""
    try:
        return encode_index(model._columns_in, "columns")
    except DataError:
        return {}


def encode_parameter(value: Any, *, lists: bool = False) -> Any:
    """Return a hyper-parameter as JSON: plain values as they are, rows of values and choices of ours named as such.

    With `lists`, a list is told from a tuple, so that it is read back as one.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if isinstance(value, tuple | list):
        row = [encode_parameter(inner_value, lists=lists) for inner_value in value]
        return {"list" if lists and isinstance(value, list) else "tuple": row}
    if dataclasses.is_dataclass(value) and type(value).__name__ in _choices():
        fields = {field.name: encode_parameter(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"choice": type(value).__name__, "fields": fields}
    if isinstance(value, type):  # such as an optimizer, which its name stands for
        return value.__name__ if value.__module__.startswith("torch.") else f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, BaseEstimator):
        inner = {
            name: encode_parameter(inner_value, lists=lists)
            for name, inner_value in value.get_params(deep=False).items()
        }
        return {"estimator": type(value).__name__, "parameters": inner}
    raise DataError(f"a hyper-parameter of type {type(value).__name__} cannot be saved: {value!r}")


def decode_parameter(value: Any, estimators: Mapping[str, type[Any]] | None = None) -> Any:
    """Read back what `encode_parameter` gave.

    Only the classes of aerec.noise and aerec.sparsity are made, and those named in `estimators`.
    """
    if isinstance(value, dict) and "tuple" in value:
        return tuple(decode_parameter(inner_value, estimators) for inner_value in value["tuple"])
    if isinstance(value, dict) and "list" in value:
        return [decode_parameter(inner_value, estimators) for inner_value in value["list"]]
    if isinstance(value, dict) and "estimator" in value:
        inner = {name: decode_parameter(inner_value, estimators) for name, inner_value in value["parameters"].items()}
        return (estimators or {})[value["estimator"]](**inner)
    if isinstance(value, dict):
        fields = {name: decode_parameter(inner_value) for name, inner_value in value["fields"].items()}
        return _choices()[value["choice"]](**fields)
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


@functools.cache
def _choices() -> dict[str, Any]:
    """Return the classes of aerec.noise and aerec.sparsity by name."""
    from aerec import noise, sparsity  # they need PyTorch

    return {name: getattr(module, name) for module in (noise, sparsity) for name in module.__all__}


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
        if data.weights is not None:
            digest.update(data.weights.tobytes())
        if data.item_features is not None:
            add_to_digest(digest, data.item_features)
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


def training_identity(model: Any, train: Any, validation: Any) -> dict[str, Any]:
    """Return what tells a training from others: the model, its parameters, and digests of the data."""
    parameters = {name: value for name, value in model.get_params(deep=False).items() if name != "progress"}
    encoded = {name: encode_parameter(value) for name, value in parameters.items()}
    return {"model": type(model).__name__, **encoded, "data": _digest(train), "validation data": _digest(validation)}


def _digest(data: Any) -> str:
    digest = hashlib.sha256()
    add_to_digest(digest, data)
    return digest.hexdigest()[:16]
