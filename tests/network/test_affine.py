"""x·W + b and its gradients, with factors of either precision."""

import numpy as np
import torch

from aerec.network.affine import affine


def test_what_affine_adds_gets_its_gradient_in_both_precisions():
    random = torch.Generator().manual_seed(0)
    given = [torch.randn(*shape, generator=random) for shape in ((40, 8), (8, 6), (6,), (40, 6))]
    x, weight, bias, plus = (one.double().numpy() for one in given)
    factor = np.random.default_rng(0).normal(size=(40, 6))
    gradients = factor @ weight.T, x.T @ factor, factor.sum(axis=0), factor
    for half, close in ((False, 1e-6), (True, 2**-7)):  # bfloat16 keeps 8 bits
        leaves = [one.clone().requires_grad_() for one in given]
        found = affine(leaves[0], leaves[1], leaves[2], half, leaves[3])
        found.backward(torch.from_numpy(factor).float())
        wanted = x @ weight + bias + plus, *gradients
        for ours, exact in zip((found.detach(), *(one.grad for one in leaves)), wanted, strict=True):
            assert np.linalg.norm(ours.numpy() - exact) < close * np.linalg.norm(exact)
