"""Scores as inner products: a vector per item, and one per history, for searching instead of scoring everything.

What a model adds to all items of a user alike (a user bias) is left out: it does not change the order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from aerec.baselines import ALS, BPR, NMF, BiasedMF, PureSVD
from aerec.models import ELSA, Autoencoder, AutoRec
from aerec.network.network import Network
from aerec.recommender.base import History, Recommender
from aerec.sparse import CSR

__all__ = ["item_vectors", "query_vectors"]

_Floats = NDArray[np.float32]


class _Vectors(NamedTuple):
    """How the vectors of a class of models are made."""

    items: Callable[[Any], NDArray[Any]]
    queries: Callable[[Any, History, CSR, NDArray[np.int64]], NDArray[Any]]


def item_vectors(model: Recommender) -> _Floats:
    """Return a vector v per item such that a user's items are in the order of v · q, q from `query_vectors`.

    Parameters
    ----------
    model : Recommender
        ELSA, ALS, BPR, NMF, PureSVD, BiasedMF, or any autoencoder but `AutoRec` of orientation "item": there v is a row
        of the output layer with its bias, q the last hidden layer and a 1.

    Returns
    -------
    ndarray of shape (n_items, n_dimensions), float32

    Raises
    ------
    ValueError
        If the model is none of those.
    """
    check_is_fitted(model)
    return np.ascontiguousarray(_vectors_of(model).items(model), dtype=np.float32)


def query_vectors(model: Recommender, history: History) -> _Floats:
    """Return a vector q per row of `history`; see `item_vectors`.

    The order is that of ``model.recommend(history)``, but for items of the history, which are not left out, and for an
    empty history, which says nothing and is better ranked by popularity.

    Parameters
    ----------
    model : Recommender
    history : Interactions or matrix of shape (n_users, n_items)

    Returns
    -------
    ndarray of shape (n_users, n_dimensions), float32
    """
    found = _vectors_of(model)
    matrix, known = model._history(history)
    return np.ascontiguousarray(found.queries(model, history, matrix, known), dtype=np.float32)


def _vectors_of(model: Recommender) -> _Vectors:
    kind = next((vectors for cls, vectors in _KINDS.items() if isinstance(model, cls)), None)
    if kind is _OUTPUT_LAYER and type(model.network_).decode is not Network.decode:
        kind = None
    if kind is None or (isinstance(model, AutoRec) and model.orientation == "item"):
        name = "AutoRec(orientation='item')" if isinstance(model, AutoRec) else type(model).__name__
        raise ValueError(
            f"{name} has no vectors of items to export; those that have are ELSA, ALS, BPR, NMF, PureSVD, BiasedMF, "
            "the autoencoders and AutoRec(orientation='user')"
        )
    return kind


def _with_one(vectors: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([vectors, np.ones((len(vectors), 1), dtype=vectors.dtype)], axis=1)


def _output_layer(model: Autoencoder) -> NDArray[Any]:
    weight = model.network_.output_weight.detach().cpu().numpy()
    bias = model.network_.decoder_biases[-1].detach().cpu().numpy()
    more = getattr(model, "item_bias_", None)
    return np.concatenate([weight, (bias if more is None else bias + more)[:, None]], axis=1)


def _last_hidden(model: Autoencoder, history: History, matrix: CSR, known: NDArray[np.int64]) -> NDArray[Any]:
    rows = model._rows_of(matrix)[0]
    with torch.inference_mode():
        parts = [
            model.network_.decode_hidden(model.network_.encode(batch, users, with_variance=False)[0]).cpu().numpy()
            for _, batch, users in model._blocks(rows, known)
        ]
    width = model.network_.output_weight.shape[1]
    return _with_one(np.concatenate([np.zeros((0, width), dtype=np.float32), *parts]))


_OUTPUT_LAYER = _Vectors(_output_layer, _last_hidden)
_KINDS: dict[type[Recommender], _Vectors] = {
    ELSA: _Vectors(lambda model: model.item_vectors_, lambda model, history, *_: np.asarray(model.transform(history))),
    Autoencoder: _OUTPUT_LAYER,
    PureSVD: _Vectors(lambda model: model.item_factors_, lambda model, _, matrix, __: matrix @ model.item_factors_),
    ALS: _Vectors(lambda model: model.item_factors_, lambda model, _, matrix, __: model._fold_in(matrix)),
    NMF: _Vectors(lambda model: model.item_factors_, lambda model, _, matrix, __: model._fold_in(matrix)),
    BPR: _Vectors(lambda model: model.item_factors_, lambda model, _, matrix, known: model._users(matrix, known)),
    BiasedMF: _Vectors(
        lambda model: model.item_factors_,
        lambda model, _, matrix, __: _with_one(model._solve(matrix, model.item_factors_)[:, :-1]),
    ),
}
"""The first class that a model is an instance of tells how its vectors are made."""
