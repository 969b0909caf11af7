"""Models as ONNX graphs: from a dense batch of histories to the scores of all items."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from aerec._version import __version__
from aerec.errors import DataError
from aerec.export.target import check_file
from aerec.files.atomic import atomic_write
from aerec.recommender.base import Recommender
from aerec.recommender.graphs import PopularityGraph
from aerec.recommender.scorer import GraphScorer
from aerec.system.extras import import_extra

_LIMIT = 2**31 - 2**24  # bytes of parameters; protobuf allows 2 GiB


def export_onnx(model: Recommender, path: str | os.PathLike[str]) -> None:
    """Write a fitted model as an ONNX graph that computes `score_items`.

    Its input ``history`` has shape (n_users, n_items), float32: a row per user, a column per item in the order of
    ``items_``, 0 where there is no rating. Its output ``scores`` has the same shape; the number of rows is free. Each
    row is taken for someone new: a user's own factors (CDAE) have no part in it. The metadata of the file hold the item
    ids (``items``, as JSON), the class (``model``) and the version of aerec.

    Parameters
    ----------
    model : Recommender
        Any autoencoder but `AutoRec` of orientation "item"; any model whose score is ``history @ weights_`` (EASE,
        EDLAE, SparseEASE, SLIM, ItemKNN); PureSVD.
    path : path-like
        The file; what is there is replaced when the new one is whole.

    Raises
    ------
    ValueError
        If the model is none of those.
    DataError
        If it is larger than the 2 GiB that an ONNX file can hold, or the file cannot be written.
    MissingExtraError
        If onnx or onnxscript is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from aerec.datasets import load_dataset
    >>> from aerec.models import ELSA
    >>> model = ELSA(n_factors=4, epochs=2, progress=False).fit(load_dataset("sample"))
    >>> export_onnx(model, f"{tempfile.mkdtemp()}/elsa.onnx")
    """
    target = check_file(path)
    check_is_fitted(model)
    onnx = import_extra("onnx", "this export")
    import_extra("onnxscript", "this export")
    graph = _graph(model).eval()
    with _quiet():
        program: Any = torch.onnx.export(
            graph,
            (torch.zeros(2, model.n_features_in_),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("n_users")},),
            input_names=["history"],
            output_names=["scores"],
            verbose=False,
        )
    proto = program.model_proto
    items = json.dumps(model.ids_.known_items.tolist())
    properties = {"aerec_version": __version__, "model": type(model).__name__, "items": items}
    onnx.helper.set_model_props(proto, properties)
    with atomic_write(target, "wb") as stream:
        stream.write(proto.SerializeToString())


def _graph(model: Recommender) -> nn.Module:
    """Return the scores of a dense batch as a module on the CPU."""
    scorer = model.scorer_
    if not isinstance(scorer, GraphScorer):
        raise ValueError(
            f"{model} cannot be exported to ONNX; those that can are the autoencoders, AutoRec(orientation='user'), "
            "EASE, EDLAE, SparseEASE, SLIM, ItemKNN and PureSVD"
        )
    if (n_bytes := 4 * scorer.graph_size()) > _LIMIT:
        raise DataError(
            f"this {type(model).__name__} holds {n_bytes / 2**30:.1f} GiB, an ONNX file holds 2 GiB at most; "
            "train on fewer items, or with fewer units"
        )
    popularity = model.scorer_.popularity
    return scorer.graph() if popularity is None else PopularityGraph(scorer.graph(), popularity)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what PyTorch says of packages that are not there, and of its own future."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
