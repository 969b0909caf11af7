"""Models as ONNX graphs: from a dense batch of histories to the scores of all items."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from aerec._version import __version__
from aerec.baselines import PureSVD
from aerec.closed_form.item_item import ItemItemRecommender
from aerec.errors import DataError
from aerec.export.target import check_file
from aerec.files.atomic import atomic_write
from aerec.models import ELSA, Autoencoder, AutoRec
from aerec.models.autorec import SHRINKAGE
from aerec.network.batches import DenseBatch
from aerec.recommender.base import Recommender
from aerec.system.extras import import_extra
from aerec.system.memory import require_memory

__all__ = ["export_onnx"]

_LIMIT = 2**31 - 2**24  # bytes of parameters: a file of protobuf ends at 2 GiB


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
    items = range(model.n_features_in_) if model.items_ is None else model.items_.tolist()
    told = {"aerec_version": __version__, "model": type(model).__name__, "items": json.dumps(list(items))}
    onnx.helper.set_model_props(proto, told)
    with atomic_write(target, "wb") as stream:
        stream.write(proto.SerializeToString())


def _graph(model: Recommender) -> nn.Module:
    """Return the scores of a dense batch as a module on the CPU."""
    if isinstance(model, AutoRec):
        if model.orientation == "item":
            raise ValueError(
                "AutoRec(orientation='item') cannot be exported to ONNX: it scores a new user by solving for a row of "
                f"weights; {_those_that_can()}"
            )
        return _with_biases(_network_scores(model), model)
    if isinstance(model, Autoencoder):
        return _or_popularity(_network_scores(model, subtract=isinstance(model, ELSA)), model)
    if isinstance(model, ItemItemRecommender):
        return _or_popularity(_Linear(_dense_weights(model)), model)
    if isinstance(model, PureSVD):
        return _or_popularity(_Projected(model.item_factors_), model)
    raise ValueError(f"{type(model).__name__} cannot be exported to ONNX; {_those_that_can()}")


def _those_that_can() -> str:
    return (
        "those that can are the autoencoders, AutoRec(orientation='user'), EASE, EDLAE, SparseEASE, SLIM, ItemKNN and "
        "PureSVD"
    )


def _network_scores(model: Autoencoder, subtract: bool = False) -> nn.Module:
    network = copy.deepcopy(model.network_).cpu().requires_grad_(False)
    _check_size(sum(one.numel() for one in network.parameters()), model)
    return _NetworkScores(network, subtract)


def _dense_weights(model: ItemItemRecommender) -> NDArray[Any]:
    n_items = model.n_features_in_
    _check_size(n_items**2, model)
    if not issparse(model.weights_):
        return model.weights_
    require_memory(4 * n_items**2, f"the dense weights of {n_items:,} items", "train on fewer items")
    return model.weights_.toarray()


def _check_size(n_numbers: int, model: Recommender) -> None:
    if 4 * n_numbers > _LIMIT:
        raise DataError(
            f"this {type(model).__name__} holds {4 * n_numbers / 2**30:.1f} GiB, an ONNX file holds 2 GiB at most; "
            "train on fewer items, or with fewer units"
        )


def _or_popularity(scores: nn.Module, model: Recommender) -> nn.Module:
    return _PopularityForEmpty(scores, model.popularity_) if model._popularity_for_empty else scores


def _with_biases(scores: nn.Module, model: AutoRec) -> nn.Module:
    if model.mean_ is None or model.item_bias_ is None:
        return scores
    return _Biased(scores, float(model.mean_[0]), model.item_bias_)


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


# ---------------------------------------------------------------------- the graphs


class _NetworkScores(nn.Module):
    """Encoder and decoder; without x itself where `subtract` (ELSA)."""

    def __init__(self, network: nn.Module, subtract: bool) -> None:
        super().__init__()
        self.network: Any = network
        self.subtract = subtract

    def forward(self, history: Tensor) -> Tensor:
        code, _ = self.network.encode(DenseBatch(history, history[:, 0]), with_variance=False)
        scores: Tensor = self.network.decode(code)
        return scores - history if self.subtract else scores


class _Linear(nn.Module):
    """x · W."""

    def __init__(self, weights: NDArray[Any]) -> None:
        super().__init__()
        self.weights = _constant(weights)

    def forward(self, history: Tensor) -> Tensor:
        return history @ self.weights


class _Projected(nn.Module):
    """x · V · Vᵀ."""

    def __init__(self, factors: NDArray[Any]) -> None:
        super().__init__()
        self.factors = _constant(factors)

    def forward(self, history: Tensor) -> Tensor:
        return (history @ self.factors) @ self.factors.T


class _PopularityForEmpty(nn.Module):
    """Rows without ratings get the popularity of the items."""

    def __init__(self, scores: nn.Module, popularity: NDArray[Any]) -> None:
        super().__init__()
        self.scores = scores
        self.popularity = _constant(popularity)

    def forward(self, history: Tensor) -> Tensor:
        rated = (history != 0).any(dim=1, keepdim=True)
        return torch.where(rated, self.scores(history), self.popularity)


class _Biased(nn.Module):
    """μ + b_u + b_i added, b_u as the history shows it."""

    def __init__(self, scores: nn.Module, mean: float, item_bias: NDArray[Any]) -> None:
        super().__init__()
        self.scores = scores
        self.usual = _constant(mean + item_bias)

    def forward(self, history: Tensor) -> Tensor:
        rated = (history != 0).to(history.dtype)
        left = ((history - self.usual) * rated).sum(dim=1, keepdim=True)
        user_bias = left / (rated.sum(dim=1, keepdim=True) + SHRINKAGE)
        scores: Tensor = self.scores(history) + self.usual + user_bias
        return scores


def _constant(values: NDArray[Any]) -> nn.Parameter:
    return nn.Parameter(torch.as_tensor(values, dtype=torch.float32), requires_grad=False)
