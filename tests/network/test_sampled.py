import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec.likelihood import LIKELIHOODS
from aerec.network.losses import all_entries_loss
from aerec.network.rows import SparseRows
from aerec.network.sampled import _others, sampled_loss

N_ITEMS = 60


def batch(weighted=False):
    x = np.random.default_rng(0).random((8, N_ITEMS)) < 0.03
    weights = np.linspace(0.5, 4, np.count_nonzero(x), dtype=np.float32) if weighted else None
    rows = SparseRows(sp.csr_array(x.astype(np.float32)), torch.device("cpu"), weights=weights)
    return rows.batch(torch.arange(8))


def parameters():
    made = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=made, requires_grad=True) for shape in [(8, 5), (N_ITEMS, 5), (N_ITEMS,)]]


def dense(gradients):
    return [one.to_dense().numpy() if one.is_sparse else one.numpy() for one in gradients]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["multinomial", "bernoulli", "gaussian"])
def test_with_all_items_drawn_it_is_the_full_loss_with_its_gradients(name, weighted):
    variables, generator = parameters(), torch.Generator().manual_seed(0)
    full = all_entries_loss(*variables, batch(weighted), LIKELIHOODS[name], False)
    found = sampled_loss(*variables, batch(weighted), LIKELIHOODS[name], N_ITEMS, generator)
    assert found.item() == pytest.approx(full.item(), rel=1e-5)
    pairs = zip(*(dense(torch.autograd.grad(loss, variables)) for loss in (found, full)), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("name", ["bernoulli", "gaussian"])
def test_a_sum_over_items_is_estimated_without_bias(name):
    variables, generator = [one.detach() for one in parameters()], torch.Generator().manual_seed(1)
    full = all_entries_loss(*variables, batch(), LIKELIHOODS[name], False).item()
    drawn = [sampled_loss(*variables, batch(), LIKELIHOODS[name], 8, generator).item() for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(full, abs=4 * np.std(drawn) / 20)


def test_the_partition_of_the_multinomial_is_estimated_without_bias_and_its_logarithm_consistently():
    hidden, weight, bias = (one.detach() for one in parameters())
    one_row = SparseRows(sp.csr_array(np.eye(1, N_ITEMS, dtype=np.float32)), torch.device("cpu")).batch(torch.arange(1))
    logits = (hidden[:1].double() @ weight.double().T + bias.double())[0]
    generator = torch.Generator().manual_seed(2)

    def log_sums(n_negatives, n_draws):
        drawn = [
            sampled_loss(hidden[:1], weight, bias, one_row, LIKELIHOODS["multinomial"], n_negatives, generator)
            for _ in range(n_draws)
        ]
        return np.array([float(one) + float(logits[0]) for one in drawn])  # the loss is log Z less the logit of item 0

    exact = float(torch.logsumexp(logits, 0))
    sums = np.exp(log_sums(10, 1500) - exact)
    assert sums.mean() == pytest.approx(1.0, abs=4 * sums.std() / 1500**0.5)
    far, near = (np.abs(log_sums(m, 200) - exact).mean() for m in (5, 40))
    assert near < far / 2


def test_negatives_are_distinct_never_in_the_batch_and_each_as_likely():
    own = torch.tensor([0, 3, 4, 9])
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([_others(own, 10, 3, generator) for _ in range(2000)])
    assert all(len(row.unique()) == 3 for row in drawn)
    counts = torch.bincount(drawn.reshape(-1), minlength=10)
    assert (counts[own] == 0).all()
    assert counts[[1, 2, 5, 6, 7, 8]].tolist() == pytest.approx([1000] * 6, abs=4 * (2000 * 0.25) ** 0.5)
    assert _others(own, 10, 99, generator).tolist() == [1, 2, 5, 6, 7, 8]


@pytest.mark.parametrize("name", ["multinomial", "bernoulli", "gaussian"])
def test_a_batch_without_a_rating_has_a_finite_loss_and_gradients(name):
    variables, generator = parameters(), torch.Generator().manual_seed(0)
    nothing = SparseRows(sp.csr_array((8, N_ITEMS), dtype=np.float32), torch.device("cpu")).batch(torch.arange(8))
    found = sampled_loss(*variables, nothing, LIKELIHOODS[name], 10, generator)
    for gradient in dense(torch.autograd.grad(found, variables)):
        assert np.isfinite(gradient).all()
    assert np.isfinite(found.item())
