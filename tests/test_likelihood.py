import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax

from aerec.likelihood import LIKELIHOODS

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(4, 7)) * 3
COUNTS = RNG.integers(0, 3, size=(4, 7)).astype(float)


def negative_log(name, x, logits):
    """−log p(x | logits) summed, in float64 and dense: the definitions."""
    if name == "multinomial":
        return -(x * log_softmax(logits, axis=1)).sum()
    if name == "bernoulli":
        p = expit(logits)
        return -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum()
    return 0.5 * ((x - logits) ** 2).sum()


@pytest.mark.parametrize("name", ["multinomial", "bernoulli", "gaussian"])
def test_partition_minus_explained_plus_constant_is_the_negative_log_likelihood(name):
    likelihood = LIKELIHOODS[name]
    x = COUNTS.clip(0, 1) if name == "bernoulli" else COUNTS
    logits = torch.tensor(LOGITS)
    explained = float((torch.tensor(x) * logits).sum())
    partition, mean = likelihood.partition(logits.clone(), torch.tensor(x.sum(axis=1)))
    constant = float(likelihood.constant(torch.tensor(x).reshape(-1)))
    assert float(partition) - explained + constant == pytest.approx(negative_log(name, x, LOGITS))
    expected = {
        "multinomial": x.sum(1, keepdims=True) * softmax(LOGITS, axis=1),
        "bernoulli": expit(LOGITS),
        "gaussian": LOGITS,
    }
    assert np.allclose(mean.numpy(), expected[name])


def test_multinomial_survives_extreme_logits():
    logits = torch.tensor([[1e4, -1e4, 0.0]])
    partition, mean = LIKELIHOODS["multinomial"].partition(logits.clone(), torch.tensor([2.0]))
    assert float(partition) == pytest.approx(2e4)
    assert torch.isfinite(mean).all()
