import itertools

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax

from aerec.errors import DataError
from aerec.likelihood import LIKELIHOODS, check_values

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


def in_pieces(likelihood, logits, totals, edges):
    """The partition and the mean, computed over pieces of the items that end at `edges`."""
    mean = logits.clone()
    pieces = [mean.T[None, a:b] for a, b in itertools.pairwise((0, *edges))]
    partition, factors = likelihood.combine(torch.cat([likelihood.block(piece) for piece in pieces]), totals)
    for piece, factor in zip(pieces, [] if factors is None else factors, strict=factors is not None):
        piece.mul_(factor)
    return partition, mean


@pytest.mark.parametrize("edges", [(7,), (1, 7), (1, 2, 3, 4, 5, 6, 7)])
@pytest.mark.parametrize("name", ["multinomial", "bernoulli", "gaussian"])
def test_partition_minus_explained_plus_constant_is_the_negative_log_likelihood(name, edges):
    likelihood = LIKELIHOODS[name]
    x = COUNTS.clip(0, 1) if name == "bernoulli" else COUNTS
    explained = float((x * LOGITS).sum())
    partition, mean = in_pieces(likelihood, torch.tensor(LOGITS), torch.tensor(x.sum(axis=1)), edges)
    constant = float(likelihood.constant(torch.tensor(x).reshape(-1)))
    assert float(partition) - explained + constant == pytest.approx(negative_log(name, x, LOGITS))
    expected = {
        "multinomial": x.sum(1, keepdims=True) * softmax(LOGITS, axis=1),
        "bernoulli": expit(LOGITS),
        "gaussian": LOGITS,
    }
    assert np.allclose(mean.numpy(), expected[name])


@pytest.mark.parametrize("edges", [(3,), (1, 3), (1, 2, 3)])
def test_multinomial_survives_extreme_logits(edges):
    logits = torch.tensor([[1e4, -1e4, 0.0]])
    partition, mean = in_pieces(LIKELIHOODS["multinomial"], logits, torch.tensor([2.0]), edges)
    assert float(partition) == pytest.approx(2e4)
    assert mean.tolist() == [[2.0, 0.0, 0.0]]


def test_prior_logits_give_each_entry_the_share_of_its_column():
    sums, n_rows = np.array([0.0, 3, 8, 9]), 10
    shares = softmax(LIKELIHOODS["multinomial"].prior_logits(sums, n_rows))
    assert shares == pytest.approx((sums + 1) / (sums + 1).sum())
    assert expit(LIKELIHOODS["bernoulli"].prior_logits(sums, n_rows)) == pytest.approx((sums + 1) / (n_rows + 2))
    assert LIKELIHOODS["gaussian"].prior_logits(sums, n_rows) == pytest.approx(sums / n_rows)


def test_values_that_a_likelihood_does_not_take_are_refused():
    check_values(LIKELIHOODS["bernoulli"], np.float32([0, 1]))
    check_values(LIKELIHOODS["gaussian"], np.float32([-1e6, 1e6]))
    with pytest.raises(DataError, match=r"'bernoulli' takes values from 0 to 1, these go from 0\.5 to 3"):
        check_values(LIKELIHOODS["bernoulli"], np.float32([0.5, 3]))
