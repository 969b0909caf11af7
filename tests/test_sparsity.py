import numpy as np
import pytest
import torch
from scipy.special import rel_entr

from aerec.sparsity import KLSparsity, L1Sparsity, TopKSparsity

CODE = torch.tensor([[0.2, -0.5, 0.9], [0.4, 0.1, -0.3]])


def penalty(sparsity, code, activation):
    return float(sparsity.cost(sparsity.statistic(code, activation) / len(code)))


def test_l1_is_the_mean_over_rows_of_the_summed_magnitudes():
    assert penalty(L1Sparsity(0.5), CODE, "tanh") == pytest.approx(0.5 * (1.6 + 0.8) / 2)


@pytest.mark.parametrize(("activation", "low", "high"), [("sigmoid", 0.0, 1.0), ("tanh", -1.0, 1.0)])
def test_kl_equals_the_relative_entropy_of_bernoullis(activation, low, high):
    code = torch.rand((50, 4), generator=torch.Generator().manual_seed(0), dtype=torch.float64) * (high - low) + low
    share = (code.numpy().mean(axis=0) - low) / (high - low)
    expected = 2.0 * (rel_entr(0.1, share) + rel_entr(0.9, 1 - share)).sum()
    assert penalty(KLSparsity(0.1, 2.0), code, activation) == pytest.approx(expected)


def test_kl_is_zero_where_units_are_at_the_target_and_pulls_tanh_towards_minus_one():
    sparsity = KLSparsity(0.05, 1.0)
    at_target = torch.full((3, 2), -0.9)
    assert penalty(sparsity, at_target, "tanh") == pytest.approx(0.0, abs=1e-5)
    code = torch.zeros((3, 2), requires_grad=True)
    sparsity.cost(sparsity.statistic(code, "tanh") / 3).backward()
    assert (code.grad > 0).all()  # descent lowers the activation


def test_kl_refuses_an_unbounded_code():
    KLSparsity().check_activation("sigmoid")
    with pytest.raises(ValueError, match=r"sigmoid.*tanh.*relu"):
        KLSparsity().check_activation("relu")


def test_top_k_keeps_the_largest_magnitudes_with_their_sign():
    found = TopKSparsity(2).apply(CODE)
    assert np.array_equal(found.numpy(), np.float32([[0, -0.5, 0.9], [0.4, 0, -0.3]]))
    assert torch.equal(TopKSparsity(5).apply(CODE), CODE)


@pytest.mark.parametrize(
    "make",
    [
        lambda: L1Sparsity(-1),
        lambda: KLSparsity(0.0),
        lambda: KLSparsity(-0.9),
        lambda: KLSparsity(0.1, -1),
        lambda: TopKSparsity(0),
        lambda: TopKSparsity(2.0),
        lambda: TopKSparsity(True),
    ],
)
def test_bad_choices_are_refused_by_name(make):
    with pytest.raises(ValueError, match="Sparsity"):
        make()
