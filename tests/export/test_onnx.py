"""ONNX graphs compute what the models compute, for any number of rows, and say which items their columns are."""

import functools
import json
import sys

import numpy as np
import pytest
import torch

from aerec.baselines import ALS, ItemKNN, Popularity, PureSVD
from aerec.datasets import load_dataset
from aerec.errors import DataError, MissingExtraError
from aerec.export import export_onnx
from aerec.export import onnx as module
from aerec.models import CDAE, EASE, ELSA, Autoencoder, AutoRec, MultVAE, RecVAE, SparseAutoencoder
from aerec.noise import GaussianNoise
from aerec.sparsity import TopKSparsity

onnxruntime = pytest.importorskip("onnxruntime")
QUICK = {"epochs": 2, "progress": False}
LIKES = {
    "deep tied": lambda: Autoencoder(hidden=(8, 4), tied=True, noise=GaussianNoise(), likelihood="gaussian", **QUICK),
    "tied variational": lambda: Autoencoder(hidden=4, tied=True, variational=True, normalize=True, **QUICK),
    "top-k": lambda: SparseAutoencoder(hidden=8, sparsity=TopKSparsity(3), activation="relu", **QUICK),
    "cdae": lambda: CDAE(hidden=4, **QUICK),
    "mult-vae": lambda: MultVAE(hidden=(8, 4), **QUICK),
    "rec-vae": lambda: RecVAE(hidden=(6, 3), **QUICK),
    "elsa": lambda: ELSA(n_factors=4, **QUICK),
    "ease": lambda: EASE(l2=20.0),
    "item-knn": lambda: ItemKNN(k=10),
    "pure-svd": lambda: PureSVD(n_factors=5),
}
RATINGS = {
    "autorec": lambda: AutoRec(hidden=4, orientation="user", **QUICK),
    "autorec with biases": lambda: AutoRec(hidden=4, orientation="user", biases=True, **QUICK),
}


@pytest.fixture(scope="module")
def ratings():
    data = load_dataset("sample")
    return data.select_users(data.users[:120]).filter(0, 30)


def run(path, history):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session, session.run(["scores"], {"history": history})[0]


@pytest.fixture(scope="module")
def fitted(ratings):
    """Return a function from a name to the model, and the histories that it was fitted to."""

    @functools.cache
    def fit(name):
        data = ratings if name in RATINGS else ratings.binarize(4.0)
        history = data.matrix.toarray()
        history[3] = 0  # somebody of whom nothing is known
        return {**LIKES, **RATINGS}[name]().fit(data), history

    return fit


@pytest.mark.parametrize("name", [*LIKES, *RATINGS])
def test_the_module_scores_as_the_model_does(fitted, name):
    model, history = fitted(name)
    history = history[history.any(axis=1)]  # popularity has no part in it
    with torch.no_grad():
        scores = model.scorer_.graph()(torch.from_numpy(history))
    np.testing.assert_allclose(scores, model.score_items(history), atol=1e-4)


@pytest.mark.no_cover  # what is traced is PyTorch's exporter, line by line
@pytest.mark.parametrize("name", [*LIKES, *RATINGS])
def test_the_graph_scores_as_the_model_does(fitted, tmp_path, name):
    model, history = fitted(name)
    export_onnx(model, tmp_path / "model.onnx")
    for n_rows in (1, 7, len(history)):
        session, scores = run(tmp_path / "model.onnx", history[:n_rows])
        np.testing.assert_allclose(scores, model.score_items(history[:n_rows]), atol=1e-4)
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["items"]) == model.items_.tolist()
    assert told["model"] == type(model).__name__
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_model_of_a_matrix_has_numbers_for_items(ratings, tmp_path):
    model = EASE().fit(ratings.binarize(4.0).matrix)
    export_onnx(model, tmp_path / "model.onnx")
    session, _ = run(tmp_path / "model.onnx", np.zeros((1, model.n_features_in_), dtype=np.float32))
    assert json.loads(session.get_modelmeta().custom_metadata_map["items"]) == list(range(model.n_features_in_))


@pytest.mark.parametrize(
    "make",
    [lambda: Popularity(), lambda: ALS(n_factors=2), lambda: AutoRec(hidden=2, **QUICK)],
    ids=["popularity", "als", "autorec of items"],
)
def test_models_that_cannot_name_those_that_can(ratings, tmp_path, make):
    model = make().fit(ratings)
    with pytest.raises(ValueError, match=r"cannot be exported to ONNX.*those that can are the autoencoders.*PureSVD"):
        export_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_model_beyond_the_size_of_a_file_is_refused(ratings, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LIMIT", 1000)
    with pytest.raises(DataError, match="an ONNX file holds 2 GiB at most"):
        export_onnx(EASE().fit(ratings), tmp_path / "model.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_without_the_package_the_pip_line_is_given(ratings, tmp_path, monkeypatch, package):
    model = EASE().fit(ratings)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'aerec\[export\]'"):
        export_onnx(model, tmp_path / "model.onnx")


def test_nothing_is_half_written(ratings, tmp_path, monkeypatch):
    model = EASE().fit(ratings)
    (tmp_path / "model.onnx").write_bytes(b"before")

    def fail(_):
        raise OSError("no space left on device")

    monkeypatch.setattr("aerec.files.atomic.os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        export_onnx(model, tmp_path / "model.onnx")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"model.onnx": b"before"}
