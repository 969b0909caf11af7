"""Scores as inner products: a vector per item, and one per history, for searching instead of scoring everything.

What a model adds to all items of a user alike (a user bias) is left out: it does not change the order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aerec.recommender.base import History, Recommender
from aerec.recommender.scorer import VectorScorer


def item_vectors(model: Recommender) -> NDArray[np.float32]:
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
    return np.ascontiguousarray(_vector_scorer(model).item_vectors(), dtype=np.float32)


def query_vectors(model: Recommender, history: History) -> NDArray[np.float32]:
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
    vectors = _vector_scorer(model).query_vectors(model.block_of(history))
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _vector_scorer(model: Recommender) -> VectorScorer:
    scorer = model.scorer_
    if not isinstance(scorer, VectorScorer):
        raise ValueError(
            f"{type(model).__name__} has no vectors of items to export; those that have are ELSA, SparseELSA, ALS, "
            "BPR, NMF, PureSVD, BiasedMF, the autoencoders and AutoRec(orientation='user')"
        )
    return scorer
