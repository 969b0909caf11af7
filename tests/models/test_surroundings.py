"""A fit does not depend on what PyTorch was told before."""

import contextlib
import functools

import numpy as np
import pytest
import torch

from aerec.baselines import PureSVD
from aerec.datasets import load_dataset
from aerec.models import (
    CDAE,
    ELSA,
    AutoRec,
    KernelAutoRec,
    LowRankEDLAE,
    MultDAE,
    MultVAE,
    RecVAE,
    SparseAutoencoder,
    SparseCode,
    SparseEASE,
    SparseELSA,
)
from aerec.noise import GaussianNoise
from aerec.registry import load_model
from aerec.sparsity import KLSparsity

QUICK = {"epochs": 2, "batch_size": 200, "progress": False, "device": "cpu"}
MODELS = {
    "mult-vae": lambda: MultVAE(hidden=(8, 4), **QUICK),
    "mult-dae": lambda: MultDAE(hidden=8, negatives=50, **QUICK),
    "cdae": lambda: CDAE(hidden=8, noise=GaussianNoise(0.1, "all"), **QUICK),
    "rec-vae": lambda: RecVAE(hidden=(8, 4), **QUICK),
    "elsa": lambda: ELSA(n_factors=8, **QUICK),
    "autorec": lambda: AutoRec(hidden=8, **QUICK),
    "kernel-autorec": lambda: KernelAutoRec(hidden=8, **QUICK),
    "sparse": lambda: SparseAutoencoder(hidden=8, sparsity=KLSparsity(), **QUICK),
}


@contextlib.contextmanager
def float64():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def another_device():
    torch.set_default_device("meta")  # which holds no values
    try:
        yield
    finally:
        torch.set_default_device(None)


@functools.cache
def data_of(name):
    data = load_dataset("sample")
    data = data.select_users(data.users[:400])
    return data if "autorec" in name else data.binarize(4.0)


@functools.cache
def fitted(name):
    """Return a model that PyTorch was told nothing before; not to be changed."""
    return MODELS[name]().fit(data_of(name)).partial_fit(data_of(name))


SURROUNDINGS = [float64, torch.no_grad, torch.inference_mode, another_device]


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize("name", MODELS)
def test_a_fit_learns_the_same_whatever_pytorch_was_told(name, surroundings):
    data, plain = data_of(name), fitted(name)
    with surroundings():
        model = MODELS[name]().fit(data)
        scores = model.partial_fit(data).score_items(data)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, plain.score_items(data))
    np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize("name", ["mult-vae", "elsa", "autorec", "kernel-autorec"])
def test_a_model_is_read_and_ranks_the_same_whatever_pytorch_was_told(name, surroundings, tmp_path):
    data, model = data_of(name), fitted(name)
    model.save(tmp_path)
    with surroundings():
        items, scores = load_model(tmp_path).rank(data, 5)
    expected_items, expected_scores = model.rank(data, 5)
    np.testing.assert_array_equal(items, expected_items)
    np.testing.assert_array_equal(scores, expected_scores)


OWN_TRAINING = {
    "sparse-elsa": lambda: SparseELSA(n_factors=8, epochs=2, progress=False),
    "sparse-code": lambda: SparseCode(PureSVD(n_factors=4), n_units=16, n_active=4, epochs=2, progress=False),
    "low-rank-edlae": lambda: LowRankEDLAE(n_factors=8),
    "sparse-ease": lambda: SparseEASE(n_neighbors=8),
}


@functools.cache
def scores_of(name):
    return OWN_TRAINING[name]().fit(data_of(name)).score_items(data_of(name))


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize("name", OWN_TRAINING)
def test_so_do_models_with_a_training_of_their_own(name, surroundings):
    data, expected = data_of(name), scores_of(name)
    with surroundings():
        scores = OWN_TRAINING[name]().fit(data).score_items(data)
    np.testing.assert_array_equal(scores, expected)
