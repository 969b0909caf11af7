"""What SparseCode learns, against its formulas in numpy."""

import numpy as np
import pytest
import torch

from aerec.network import code_learner
from aerec.network.code_learner import CodeLearner


def best_of(activations, k):
    code = np.zeros_like(activations)
    best = np.argsort(-activations, axis=1)[:, :k]
    np.put_along_axis(code, best, np.take_along_axis(activations, best, axis=1), axis=1)
    return code


def test_the_cost_of_a_batch():
    """The error, and that of d/2 of the dead units in giving it back."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(30, 4)).astype(np.float32)
    learner = CodeLearner(torch.as_tensor(z), n_units=10, n_active=3, selection="top_k", seed=0)
    learner._idle[4:] = 30
    W, b, D, c = (parameter.numpy().astype(np.float64) for parameter in learner.parameters)
    activations = (z - c) @ W.T + b
    dead = np.where(np.arange(10) >= 4, activations, -np.inf)
    residual = z - c - best_of(activations, 3) @ D
    rest = residual - best_of(dead, 2) @ D
    error, auxiliary = learner._cost(torch.as_tensor(z))
    assert float(error) == pytest.approx(np.square(residual).sum(axis=1).mean(), rel=1e-5)
    assert float(auxiliary) == pytest.approx(np.square(rest).sum(axis=1).mean(), rel=1e-5)
    active = np.flatnonzero(best_of(activations, 3).any(axis=0))
    assert set(np.flatnonzero(learner._idle == 0)) == set(active)


def test_batch_top_k_keeps_the_best_of_a_batch():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(30, 4)).astype(np.float32)
    learner = CodeLearner(torch.as_tensor(z), n_units=10, n_active=3, selection="batch_top_k", seed=0)
    W, b, D, c = (parameter.numpy().astype(np.float64) for parameter in learner.parameters)
    activations = (z - c) @ W.T + b
    some, bar = activations[:20], np.sort(activations[:20].ravel())[-60]
    residual = z[:20] - c - np.where(some >= bar, some, 0) @ D
    error, auxiliary = learner._cost(torch.as_tensor(z[:20]))
    assert float(error) == pytest.approx(np.square(residual).sum(axis=1).mean(), rel=1e-5)
    assert float(auxiliary) == 0
    first, second = np.sort(activations[:20].ravel()), np.sort(activations[20:].ravel())
    expected = np.mean([first[-60], first[-61], second[-30], second[-31]])
    np.testing.assert_allclose(learner.threshold(20), np.full(10, expected), rtol=1e-5)


def test_the_straight_through_gradients_of_jump_relu():
    """−θ/ε · K((a − θ)/ε) of the output and −1/ε · K((a − θ)/ε) of the number of active units."""
    activations = torch.tensor([[0.9, 1.1, 3.0], [1.0, -1.0, 0.2]], requires_grad=True)
    theta = torch.tensor([1.05, 1.0, 0.1], requires_grad=True)
    output, n_active = code_learner._Jump.apply(activations, theta, 0.4)
    np.testing.assert_allclose(output.detach(), [[0, 1.1, 3.0], [0, 0, 0.2]])
    assert float(n_active.detach()) == 1.5
    weights = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    ((output * weights).sum() + 7 * n_active).backward()
    near = np.array([[1, 1, 0], [1, 0, 1]]) / 0.4
    np.testing.assert_allclose(activations.grad, [[0, 2, 3], [0, 0, 6]])
    expected = -(near * (weights.numpy() * theta.detach().numpy() + 7 / 2)).sum(axis=0)
    np.testing.assert_allclose(theta.grad, expected, rtol=1e-6)


def test_every_second_epoch_reads_other_codes():
    """Where the others are the same, so is what is learned."""
    z = torch.as_tensor(np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32))
    learned = []
    for other in (None, lambda: z, lambda: 0.5 * z):
        learner = CodeLearner(z, n_units=10, n_active=3, selection="top_k", seed=0)
        learner.train(4, 8, 0.01, lambda epoch, cost: None, other)
        learned.append(learner.parameters[0].detach().numpy())
    np.testing.assert_array_equal(learned[0], learned[1])
    assert np.abs(learned[0] - learned[2]).max() > 1e-4
