"""Codes, reconstructions and the cost of many rows: the formulas in NumPy, in blocks of any size."""

import numpy as np
import pytest
import torch

from aerec.canonical import canonical_csr
from aerec.errors import DataError
from aerec.likelihood import LIKELIHOODS
from aerec.network import coding
from aerec.network.network import Architecture, Network
from aerec.network.rows import DenseRows, SparseRows
from aerec.sparsity import L1Sparsity

CPU = torch.device("cpu")
X = (np.random.default_rng(0).random((10, 8)) < 0.4).astype(np.float32)
NEW = np.full(10, -1)


def network(likelihood="bernoulli", **choices):
    architecture = Architecture(
        n_inputs=8, hidden=(3,), activation="tanh", likelihood=LIKELIHOODS[likelihood], **choices
    )
    net = Network(architecture, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for number, bias in enumerate(net.biases()):
            bias.copy_(torch.linspace(-0.5, 0.3, len(bias)) + number)
    return net


def weights(net):
    return [value.detach().numpy().astype(float) for value in (*net.encoder_weights, *net.decoder_weights)]


@pytest.mark.parametrize("block", [1, 3, 1024])
@pytest.mark.parametrize("rows", [DenseRows(X, CPU), SparseRows(canonical_csr(X), CPU)], ids=["dense", "sparse"])
def test_codes_and_reconstructions_are_those_of_the_formulas(monkeypatch, rows, block):
    monkeypatch.setattr(coding, "_BLOCK_ROWS", block)
    net = network()
    (W, V), (b, c) = weights(net), (bias.detach().numpy() for bias in net.biases())
    code = np.tanh(X @ W + b)
    np.testing.assert_allclose(coding.encoded(net, rows, NEW), code, atol=1e-6)
    shares = 1 / (1 + np.exp(-(code @ V.T + c)))
    np.testing.assert_allclose(coding.reconstructed(net, rows, NEW), shares, atol=1e-6)
    np.testing.assert_allclose(coding.decoded(net, torch.tensor(code[:2]).float()), shares[:2], atol=1e-6)


@pytest.mark.parametrize("block", [3, 1024])
def test_the_cost_adds_likelihood_penalty_and_weighted_divergence(monkeypatch, block):
    monkeypatch.setattr(coding, "_BLOCK_ROWS", block)
    sparsity = L1Sparsity(0.2)
    net = network("gaussian", variational=True, sparsity=sparsity)
    torch.nn.init.normal_(net.encoder_weights[0], std=0.3, generator=torch.Generator().manual_seed(0))
    (W, V), (b, c) = weights(net), (bias.detach().numpy() for bias in net.biases())
    mean, log_variance = np.split(X @ W + b, 2, axis=1)
    likelihood = 0.5 * np.square(X - mean @ V.T - c).sum(axis=1)
    divergence = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1)
    expected = (likelihood + 0.2 * np.abs(mean).sum(axis=1) + 0.7 * divergence).mean()
    assert coding.mean_cost(net, DenseRows(X, CPU), NEW, sparsity, 0.7) == pytest.approx(expected, rel=1e-5)


def test_only_known_users_have_their_vector_added():
    net = network(n_users=2)
    with torch.no_grad():
        net.user_factors[1] = 1.0
    rows, known = DenseRows(X, CPU), np.where(np.arange(10) == 4, 1, -1)
    changed = coding.encoded(net, rows, known) != coding.encoded(net, rows, NEW)
    assert changed.any(axis=1).nonzero()[0].tolist() == [4]


def test_the_cost_of_no_rows_is_refused():
    with pytest.raises(DataError, match="there are none"):
        coding.mean_cost(network(), DenseRows(X[:0], CPU), NEW[:0], None, 1.0)
