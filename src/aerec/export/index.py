"""Item vectors in an index of usearch, for the best items of a user without scoring all of them."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np

from aerec._version import __version__
from aerec.export.target import check_file
from aerec.export.vectors import item_vectors
from aerec.files.atomic import atomic_write
from aerec.recommender.base import Recommender
from aerec.system.extras import import_extra


def export_index(model: Recommender, path: str | os.PathLike[str], *, threads: int = 1) -> None:
    """Write the item vectors of a fitted model as an index of usearch, searched by inner product.

    Beside the file stands another with ``.json`` at the end of its name: the model, the number of dimensions, the
    checksum of the index, and ``items``, the raw ids in the order of the keys 0, 1, 2, … of the index. The vector to
    search with comes from `query_vectors`. The mean of all vectors is taken off each: products are the scores up to a
    number per user.

    Parameters
    ----------
    model : Recommender
        One that has vectors, see `item_vectors`.
    path : path-like
        The file; what is there is replaced when the new one is whole.
    threads : int, default 1
        More are faster; the index then differs a little each time.

    Raises
    ------
    ValueError
        If the model has no item vectors.
    DataError
        If the file cannot be written.
    MissingExtraError
        If usearch is not installed.

    References
    ----------
    Malkov, Yashunin (2020). Efficient and robust approximate nearest neighbor search using hierarchical navigable
    small world graphs. IEEE TPAMI 42.

    Examples
    --------
    >>> import tempfile
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import ELSA
    >>> model = ELSA(n_factors=4, epochs=2, progress=False).fit(load_dataset("sample"))
    >>> export_index(model, f"{tempfile.mkdtemp()}/items.usearch")
    """
    target = check_file(path)
    vectors = item_vectors(model)
    # What all items have in common, such as a large negative bias, changes no order of items but leads a search astray.
    vectors = vectors - vectors.mean(axis=0)
    usearch = import_extra("usearch.index", "this export")
    # Twice usearch's usual effort: item vectors differ much in length, and hubs of the graph hide the others.
    index = usearch.Index(ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=32, expansion_add=256)
    index.add(np.arange(len(vectors), dtype=np.uint64), vectors, threads=threads)
    payload = bytes(index.save())
    content = {
        "aerec_version": __version__,
        "model": type(model).__name__,
        "metric": "inner product",
        "n_dimensions": vectors.shape[1],
        "sha256": hashlib.sha256(payload).hexdigest(),
        "items": model.ids_.known_items.tolist(),
    }
    with atomic_write(target, "wb") as stream:
        stream.write(payload)
    with atomic_write(target.with_name(f"{target.name}.json")) as stream:
        json.dump(content, stream, ensure_ascii=False)
