"""DenoisingAutoencoder: masking reaches the input and not the target, with the cost that theory expects."""

import numpy as np
import pytest
import torch

from aerec.canonical import canonical_csr
from aerec.models import DenoisingAutoencoder
from aerec.network.rows import SparseRows
from aerec.noise import GaussianNoise, MaskingNoise

ROW = np.float32([[0, 2, 0, 3, 1, 0]])


def test_by_default_the_input_is_masked_and_nothing_else_is_unusual():
    model = DenoisingAutoencoder()
    assert model.noise == MaskingNoise(0.4)
    assert model.sparsity is None
    assert not model.variational
    assert not model.user_factors


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_a_linear_model_pays_for_masking_what_the_formula_says(p):
    """E ½‖x − B'x̃‖² = ½‖x − B'x‖² + p / (1 − p) · ½ Σᵢ xᵢ² ‖bᵢ‖², bᵢ the rows of B, for masking that keeps the mean."""
    n = 40_000
    model = DenoisingAutoencoder(
        hidden=4,
        activation="identity",
        likelihood="gaussian",
        noise=MaskingNoise(p),
        epochs=1,
        device="cpu",
        progress=False,
    ).fit(ROW.repeat(8, axis=0))
    W, V = (weight.astype(float) for weight in model.coefs_)
    b, c = (bias.astype(float) for bias in model.intercepts_)
    B, x = W @ V, ROW[0].astype(float)
    clean = 0.5 * ((x - (x @ B + b @ V + c)) ** 2).sum()
    extra = p / (1 - p) * 0.5 * (x**2 * (B**2).sum(axis=1)).sum()
    batch = SparseRows(canonical_csr(ROW.repeat(n, axis=0)), torch.device("cpu")).batch(torch.arange(n))
    with torch.inference_mode():
        noisy, _ = model.network_.cost(batch, noise_from=torch.Generator().manual_seed(0))
        quiet, _ = model.network_.cost(batch)
    assert quiet.likelihood.item() == pytest.approx(clean, rel=1e-4)
    assert extra > 0.05 * clean
    assert noisy.likelihood.item() == pytest.approx(clean + extra, rel=0.03)
    assert model.total_cost(ROW) == pytest.approx(clean, rel=1e-4)


def test_a_linear_model_converges_to_the_regression_that_masking_stands_for():
    """Masking is a ridge of p / (1 − p) · Gᵢᵢ on the weights of item i (Steck 2020), here with a free intercept."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.random((300, 4)) < 0.4, 2, axis=1).astype(np.float32)  # items in pairs that always go together
    p = 0.5
    A = np.hstack([X, np.ones((300, 1))]).astype(float)
    ridge = np.append(p / (1 - p) * (X**2).sum(axis=0), 0)
    expected = np.linalg.solve(A.T @ A + np.diag(ridge), A.T @ X)
    shared = {"hidden": 8, "activation": "identity", "likelihood": "gaussian", "batch_size": 50, "progress": False}
    model = DenoisingAutoencoder(noise=MaskingNoise(p), epochs=80, learning_rate=5e-3, **shared).fit(X)
    (W, V), (b, c) = ([part.astype(float) for part in parts] for parts in (model.coefs_, model.intercepts_))
    np.testing.assert_allclose(W @ V, expected[:-1], atol=0.05)
    np.testing.assert_allclose(b @ V + c, expected[-1], atol=0.05)
    assert np.diag(expected[:-1]).max() < 0.4  # far from a copy, which is what a model without noise comes to
    copy = DenoisingAutoencoder(noise=None, epochs=80, learning_rate=5e-3, **shared).fit(X)
    np.testing.assert_allclose(copy.reconstruct(X), X, atol=0.05)


@pytest.mark.parametrize("noise", [GaussianNoise(0.2), None])
def test_another_noise_or_none_can_be_chosen(noise):
    X = (np.random.default_rng(0).random((20, 8)) < 0.5).astype(np.float32)
    model = DenoisingAutoencoder(hidden=4, noise=noise, epochs=1, progress=False).fit(X)
    assert model.network_.architecture.noise == noise
