import math

import pytest
import torch

from aerec.network.composite_prior import composite_kl


def log_normal(z, mean, log_variance):
    return -0.5 * (math.log(2 * math.pi) + log_variance + (z - mean).square() * torch.exp(-log_variance))


def by_autograd(drawn, mean, log_variance, former_mean, former_log_variance, weights):
    """The formula of the paper as it stands."""
    prior = torch.logsumexp(
        torch.stack(
            [
                math.log(3 / 20) + log_normal(drawn, torch.tensor(0.0), torch.tensor(0.0)),
                math.log(3 / 4) + log_normal(drawn, former_mean, former_log_variance),
                math.log(1 / 10) + log_normal(drawn, torch.tensor(0.0), torch.tensor(10.0)),
            ]
        ),
        dim=0,
    )
    return (weights[:, None] * (log_normal(drawn, mean, log_variance) - prior)).sum()


@pytest.mark.parametrize("scale", [0.3, 3.0, 40.0])  # near 0, among all three parts, and far out in the wide one
def test_value_and_gradients_are_those_of_the_formula(scale):
    random = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    former = normal(5, 4), normal(5, 4)
    weights = torch.tensor([0.0, 1.0, 2.0, 7.0, 30.0], dtype=torch.float64)
    noise = normal(5, 4)
    start = scale * normal(5, 4), normal(5, 4)
    found = []
    for formula in (composite_kl, by_autograd):
        mean, log_variance = (one.clone().requires_grad_() for one in start)
        drawn = mean + noise * torch.exp(0.5 * log_variance)
        total = 0.005 * formula(drawn, mean, log_variance, *former, weights)
        total.backward()
        found.append((total.detach(), mean.grad, log_variance.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)
