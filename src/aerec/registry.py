"""All recommenders by the name that the command line knows, and the way back from a saved one."""

from __future__ import annotations

import importlib
import os
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec._lazy import LazyMapping, exported_names
from aerec.errors import ModelFileError, names_like
from aerec.files.storage import read_folder
from aerec.recommender.base import Recommender
from aerec.recommender.saving import read_model
from aerec.recommender.scorer import UserBlock

_UNPROVEN = 1 << 24  # items that a file may claim without an array of that length

_PLACES = {
    module.rpartition(".")[2].replace("_", "-"): (module, name)
    for room in ("aerec.baselines", "aerec.models")
    for name, module in exported_names(room).items()
}

_BY_CLASS = {class_name: name for name, (_, class_name) in _PLACES.items()}


def _load(name: str) -> type[Recommender]:
    module, class_name = _PLACES[name]
    model_class: type[Recommender] = getattr(importlib.import_module(module), class_name)
    return model_class


MODELS: Mapping[str, type[Recommender]] = LazyMapping(_PLACES, _load)
"""Command-line name → class, imported when it is asked for.

The name is that of the model's file. A new model is one line in the ``__init__.pyi`` of its folder.
"""


def get_model_class(name: str) -> type[Recommender]:
    """Return the class that the command line calls `name`; its class name is understood as well.

    Raises
    ------
    ValueError
        If there is none; lists those that there are.

    Examples
    --------
    >>> from aerec.registry import get_model_class
    >>> get_model_class("item-knn")
    <class 'aerec.baselines.item_knn.ItemKNN'>
    """
    known = name.lower() if name.lower() in MODELS else _BY_CLASS.get(name)
    if known is None:
        raise ValueError(f"unknown model {name!r}; {names_like(name, MODELS)}")
    return MODELS[known]


def model_name(model: Recommender) -> str:
    """Return what the command line calls a model; the name of its class where that is none of aerec's.

    Examples
    --------
    >>> from aerec.models import EASE
    >>> model_name(EASE())
    'ease'
    """
    place = type(model).__module__, type(model).__name__
    return next((name for name, known in _PLACES.items() if known == place), type(model).__name__)


def load_model(path: str | os.PathLike[str], models: Iterable[type[Recommender]] = ()) -> Recommender:
    """Load a recommender that `Recommender.save` wrote; it scores exactly as it did then.

    Parameters
    ----------
    path : path-like
        The folder it was saved to, or the folder of a training run, which holds it as ``model/``.
    models : iterable of classes, optional
        Your own subclasses of `Recommender`, to be looked for before those of aerec.

    Returns
    -------
    Recommender

    Raises
    ------
    FileNotFoundError
        If there is no model in `path`.
    ModelFileError
        If it is damaged, written by a newer aerec, or of a class that is not known here.
    """
    folder = Path(path)
    if not (folder / "model.json").exists() and (folder / "model" / "model.json").exists():
        folder = folder / "model"
    header, tensors = read_folder(folder, "model")
    name = header.get("model")
    ours = LazyMapping(_BY_CLASS, lambda name: MODELS[_BY_CLASS[name]])
    known = ChainMap({model.__name__: model for model in models}, ours)  # type: ignore[arg-type]
    if not isinstance(name, str) or name not in known:
        raise ModelFileError(
            f"{folder} holds a {name}, which this aerec does not know; upgrade aerec, or pass the class: "
            f"load_model(path, models=[{name}])"
        )
    try:
        _check_claims(header, tensors)
        model: Recommender = read_model(known[name], header, tensors, known)
        _try_out(model)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError, OverflowError) as error:
        raise ModelFileError(
            f"{folder} does not fit the {name} of this aerec ({error}); it was saved by "
            f"{header.get('aerec_version')}: train it again, or install that version"
        ) from error
    return model


def _try_out(model: Recommender) -> None:
    """Rank for a user without and one with a history: arrays that do not fit each other fail here, not later."""
    n_items = model.n_features_in_
    history = np.ones(2, dtype=np.float32), np.array([0, n_items - 1]), np.array([0, 0, 2])
    users = UserBlock.new(sp.csr_array(history, shape=(2, n_items)))
    model.scorer_.rank(replace(users, left_out=[users.history], times=np.zeros(2)), 1)


def _check_claims(header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Refuse sizes that nothing in the file bears out, and weights that are no finite numbers.

    A small file is not to make a large array.
    """
    borne_out = max([_UNPROVEN, *(array.size for array in tensors.values())])
    claims = [header["n_items"], *(n for name in tensors if name.endswith(".shape") for n in tensors[name].ravel())]
    for claim in claims:
        if not isinstance(claim, int | np.integer) or not 0 <= claim <= borne_out:
            raise ValueError(f"it claims a size of {claim!r}, which its arrays do not bear out")
    for name, array in tensors.items():
        if array.dtype.kind == "f" and array.size and not np.isfinite([array.min(), array.max()]).all():
            raise ValueError(f"{name} holds values that are not finite")
