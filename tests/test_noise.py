import numpy as np
import pytest
import torch

from aerec.noise import GaussianNoise, MaskingNoise


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_masking_drops_the_share_p_and_keeps_the_mean():
    values = torch.ones(200_000)
    found = MaskingNoise(0.3).corrupt(values, generator())
    assert (found == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert found.mean().item() == pytest.approx(1.0, abs=0.01)
    assert found.unique().tolist() == pytest.approx([0.0, 1 / 0.7])


def test_masking_without_rescaling_leaves_values_as_they_are():
    values = torch.arange(1.0, 1001.0)
    found = MaskingNoise(0.5, rescale=False).corrupt(values, generator())
    kept = found != 0
    assert 0 < kept.sum() < 1000
    assert torch.equal(found[kept], values[kept])


def test_noise_is_drawn_anew_and_repeats_with_the_seed():
    values, drawn = torch.ones(100), generator(7)
    first, second = MaskingNoise(0.5).corrupt(values, drawn), MaskingNoise(0.5).corrupt(values, drawn)
    assert not torch.equal(first, second)
    assert torch.equal(first, MaskingNoise(0.5).corrupt(values, generator(7)))


def test_gaussian_noise_has_the_scale_asked_for():
    found = GaussianNoise(0.25).corrupt(torch.full((200_000,), 3.0), generator())
    assert found.mean().item() == pytest.approx(3.0, abs=0.005)
    assert found.std().item() == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize("shape", [(40, 6), (5, 8)])
def test_noise_on_all_entries_has_the_covariance_of_dense_noise(shape):
    weight = torch.randn(shape, generator=generator(3))
    drawn = GaussianNoise(0.5, entries="all").preactivation_noise(weight, 400_000, generator(4))
    expected = 0.25 * (weight.T @ weight)
    assert np.allclose(
        np.cov(drawn.numpy(), rowvar=False), expected.numpy(), atol=0.03 * float(expected.diagonal().max())
    )
    assert drawn.mean(dim=0).abs().max() < 0.02


@pytest.mark.parametrize(
    "make", [lambda: MaskingNoise(1.0), lambda: MaskingNoise(-0.1), lambda: MaskingNoise(float("nan"))]
)
def test_masking_refuses_what_is_no_share(make):
    with pytest.raises(ValueError, match=r"in \[0, 1\)"):
        make()


def test_masking_of_nothing_holds_nothing_out():
    with pytest.raises(ValueError, match="hold_out=False"):
        MaskingNoise(0.0, hold_out=True)
    with pytest.raises(ValueError, match="hold_out is True or False, got 'no'"):
        MaskingNoise(0.5, hold_out="no")


def test_gaussian_refuses_bad_scale_and_entries():
    for scale in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a finite number of at least 0"):
            GaussianNoise(scale)
    with pytest.raises(ValueError, match="observed"):
        GaussianNoise(0.1, entries="some")


@pytest.mark.parametrize("entries", ["observed", "all"])
def test_noise_of_scale_0_changes_nothing(entries):
    values, noise = torch.randn(9, 4, generator=generator()), GaussianNoise(0.0, entries)
    assert torch.equal(noise.corrupt(values, generator()), values)
    assert not noise.preactivation_noise(values, 3, generator()).any()


@pytest.mark.parametrize("apart", [0.0, 1e-7, 1e-4])
@pytest.mark.parametrize("size", [1e-4, 1.0])
def test_noise_on_all_entries_stands_columns_that_nearly_agree(apart, size):
    weight = size * torch.randn(3000, 6, generator=generator(3))
    weight[:, 1] = weight[:, 0] + apart * size * torch.randn(3000, generator=generator(5))
    weight[:, 2] = 0  # a unit that reads nothing
    weight.requires_grad_()
    drawn = GaussianNoise(0.5, entries="all").preactivation_noise(weight, 100_000, generator(4))
    expected = 0.25 * (weight.T @ weight).detach().numpy()
    found = np.cov(drawn.detach().numpy(), rowvar=False)
    np.testing.assert_allclose(found, expected, atol=0.03 * float(np.diag(expected).max()))
    drawn.square().mean().backward()
    assert torch.isfinite(weight.grad).all()
