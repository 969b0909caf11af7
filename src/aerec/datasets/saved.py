"""Interactions in a folder, as a run keeps them: JSON and safetensors, or the name of the store that they are."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.datasets.store.folder import is_store, open_store, store_of
from aerec.errors import ModelFileError
from aerec.files.storage import (
    read_folder,
    read_header,
    write_folder,
    write_header,
)
from aerec.ids import without_points
from aerec.interactions import Interactions
from aerec.sparse import CSR
from aerec.stored_ids import check_offsets, decode_index, encode_index


def save_interactions(data: Interactions, path: str | os.PathLike[str], name: str = "interactions") -> None:
    """Write `data` as ``<path>/<name>.json`` and a safetensors file, atomically.

    Parameters
    ----------
    data : Interactions
    path : path-like
        A folder, made where absent.
    name : str, default "interactions"
        So that a folder can hold several.

    Raises
    ------
    DataError
        If ids are neither all numbers nor all text.

    Notes
    -----
    Of data that is all of a store only the place and the fingerprint of the store are written, with weights and
    features of items: it has to stay there.
    """
    notes_and_threshold: dict[str, Any] = {"notes": list(data.notes), "threshold": data.threshold}
    if (stored := store_of(data)) is not None:
        header = {"store": str(stored[0]), "fingerprint": stored[1], **notes_and_threshold}
        if beside := _encode_features(data) | _encode_weights(data):
            write_folder(path, name, header, beside)
        else:
            Path(path).mkdir(parents=True, exist_ok=True)
            write_header(path, name, header)
        return
    tensors: dict[str, NDArray[Any]] = {
        "data": data.matrix.data,
        "indices": data.matrix.indices,
        "indptr": data.matrix.indptr,
        **encode_index(data.users, "users"),
        **encode_index(data.items, "items"),
    }
    if data.timestamps is not None:
        tensors["timestamps"] = data.timestamps
    if data.item_names is not None:
        tensors |= encode_index(pd.Index([str(name) for name in data.item_names], dtype=object), "item_names")
    if data.item_genres is not None:
        tensors |= _encode_genres(data.item_genres)
    tensors |= _encode_features(data) | _encode_weights(data)
    header = {
        "n_users": data.shape[0],
        "n_items": data.shape[1],
        "timestamp_dtype": data.timestamp_dtype,
        **notes_and_threshold,
    }
    write_folder(path, name, header, tensors)


def load_interactions(path: str | os.PathLike[str], name: str = "interactions") -> Interactions:
    """Read what `save_interactions` wrote.

    Raises
    ------
    FileNotFoundError
        If there is nothing of that name in `path`.
    ModelFileError
        If it is damaged, altered, or of a newer format.
    """
    header = read_header(path, name)
    tensors: dict[str, NDArray[Any]] = {}
    if "store" not in header or "tensors" in header:
        header, tensors = read_folder(path, name)
    stored = _load_from_store(header, Path(path) / f"{name}.json") if "store" in header else None
    try:
        notes, threshold = tuple(map(str, header.get("notes", ()))), header.get("threshold")
        threshold = None if threshold is None else float(threshold)
        if stored is not None:
            features, feature_names = _decode_features(tensors, stored.shape[1])
            known: Any = {"notes": notes, "threshold": threshold, "weights": tensors.get("weights")}
            return replace(stored, item_features=features, feature_names=feature_names, **known)
        users, items = decode_index(tensors, "users"), decode_index(tensors, "items")
        matrix: CSR = sp.csr_array(
            (tensors["data"], tensors["indices"], tensors["indptr"]), shape=(header["n_users"], header["n_items"])
        )
        matrix.check_format()
        if users is None or items is None:
            raise KeyError("ids")
        users, items = without_points(users, "user"), without_points(items, "item")  # an older version kept 1.0, 2.0
        names = decode_index(tensors, "item_names")
        return Interactions(
            matrix,
            users,
            items,
            tensors.get("timestamps"),
            None if names is None else pd.Series(names.to_numpy(), index=items, name="title"),
            _decode_genres(tensors, items),
            header.get("timestamp_dtype"),
            *_decode_features(tensors, len(items)),
            notes,
            threshold,
            tensors.get("weights"),
        )
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise ModelFileError(f"{Path(path) / name}.json does not hold interactions ({error}); write it again") from None


def _load_from_store(header: Mapping[str, Any], source: Path) -> Interactions:
    place = Path(header["store"])
    if not is_store(place):
        raise FileNotFoundError(f"{source} names the store {place}, which is not there; put it back, or train again")
    data = open_store(place)
    if (store := store_of(data)) is None or store[1] != header["fingerprint"]:
        raise ModelFileError(f"the store {place} is not the one that {source} names any more; train again")
    return data


def _encode_genres(genres: pd.Series[Any]) -> dict[str, NDArray[Any]]:
    """Store the genres of each item as codes into the list of all genres, with offsets."""
    codes, names = pd.factorize(np.array([genre for each in genres for genre in each], dtype=object))
    return {
        **encode_index(pd.Index(names, dtype=object), "genres"),
        "genre_codes": codes.astype(np.int32),
        "genre_offsets": np.cumsum([0, *(len(each) for each in genres)]),
    }


def _encode_weights(data: Interactions) -> dict[str, NDArray[Any]]:
    return {} if data.weights is None else {"weights": data.weights}


def _encode_features(data: Interactions) -> dict[str, NDArray[Any]]:
    if data.item_features is None:
        return {}
    parts = {f"features.{part}": getattr(data.item_features, part) for part in ("data", "indices", "indptr")}
    return parts | encode_index(data.feature_names, "features")


def _decode_features(tensors: Mapping[str, NDArray[Any]], n_items: int) -> tuple[CSR | None, pd.Index[Any] | None]:
    names = decode_index(tensors, "features")
    if names is None:
        return None, None
    arrays = (tensors["features.data"], tensors["features.indices"], tensors["features.indptr"])
    features: CSR = sp.csr_array(arrays, shape=(n_items, len(names)))
    features.check_format()
    return features, names


def _decode_genres(tensors: Mapping[str, NDArray[Any]], items: pd.Index[Any]) -> pd.Series[Any] | None:
    names = decode_index(tensors, "genres")
    if names is None:
        return None
    flat, offsets = names.to_numpy()[tensors["genre_codes"]], tensors["genre_offsets"]
    check_offsets(offsets, len(flat), "genres")
    genres = np.empty(len(items), dtype=object)
    genres[:] = [tuple(flat[begin:end]) for begin, end in itertools.pairwise(offsets)]
    return pd.Series(genres, index=items, name="genres")
