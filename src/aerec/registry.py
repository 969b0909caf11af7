"""All recommenders by the name that the command line knows, and the way back from a saved one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aerec.baselines import (
    ALS,
    BPR,
    BSPM,
    NMF,
    SLIM,
    BiasBaseline,
    BiasedMF,
    ItemKNN,
    Popularity,
    PureSVD,
    RP3Beta,
    UserKNN,
)
from aerec.errors import ModelFileError, names_like
from aerec.files.storage import read_folder
from aerec.models import (
    CDAE,
    EASE,
    EDLAE,
    ELSA,
    Autoencoder,
    AutoRec,
    Blend,
    DenoisingAutoencoder,
    KernelAutoRec,
    LowRankEDLAE,
    MultDAE,
    MultVAE,
    RatingBlend,
    RecVAE,
    SparseAutoencoder,
    SparseEASE,
)
from aerec.recommender.base import Recommender
from aerec.recommender.saving import read_model

__all__ = ["MODELS", "get_model_class", "load_model"]

_UNPROVEN = 1 << 24  # so many items a file may claim without an array that has as many entries

MODELS: dict[str, type[Recommender]] = {
    "popularity": Popularity,
    "item-knn": ItemKNN,
    "user-knn": UserKNN,
    "rp3-beta": RP3Beta,
    "pure-svd": PureSVD,
    "bspm": BSPM,
    "nmf": NMF,
    "slim": SLIM,
    "als": ALS,
    "bpr": BPR,
    "bias": BiasBaseline,
    "biased-mf": BiasedMF,
    "ease": EASE,
    "edlae": EDLAE,
    "low-rank-edlae": LowRankEDLAE,
    "elsa": ELSA,
    "sparse-ease": SparseEASE,
    "autoencoder": Autoencoder,
    "denoising-autoencoder": DenoisingAutoencoder,
    "sparse-autoencoder": SparseAutoencoder,
    "autorec": AutoRec,
    "kernel-autorec": KernelAutoRec,
    "cdae": CDAE,
    "mult-dae": MultDAE,
    "mult-vae": MultVAE,
    "rec-vae": RecVAE,
    "blend": Blend,
    "rating-blend": RatingBlend,
}
"""Command-line name → class; a new model is one line here."""


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
    by_class = {model.__name__: model for model in MODELS.values()}
    found = MODELS.get(name.lower(), by_class.get(name))
    if found is None:
        raise ValueError(f"unknown model {name!r}; {names_like(name, MODELS)}")
    return found


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
    known = {model.__name__: model for model in (*MODELS.values(), *models)}
    if name not in known:
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
    """Rank for somebody without and somebody with a history: arrays that do not fit each other fail here, not later."""
    n_items = model.n_features_in_
    history = np.ones(2, dtype=np.float32), np.array([0, n_items - 1]), np.array([0, 0, 2])
    model.rank(sp.csr_array(history, shape=(2, n_items)), k=1)


def _check_claims(header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Refuse sizes that nothing in the file bears out: a small file is not to make a large array."""
    borne_out = max([_UNPROVEN, *(array.size for array in tensors.values())])
    claims = [header["n_items"], *(n for name in tensors if name.endswith(".shape") for n in tensors[name].ravel())]
    for claim in claims:
        if not isinstance(claim, int | np.integer) or not 0 <= claim <= borne_out:
            raise ValueError(f"it claims a size of {claim!r}, which its arrays do not bear out")
