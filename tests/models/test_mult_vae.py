"""MultVAE: the preset of the paper, its sampled cost in float64 numpy, and the annealing of β."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from aerec.canonical import canonical_csr
from aerec.models import MultVAE
from aerec.network.rows import SparseRows
from aerec.noise import MaskingNoise
from aerec.registry import load_model
from aerec.sparsity import KLSparsity

LIKES = (np.random.default_rng(0).random((40, 15)) < 0.3).astype(np.float32)


def quick(**changes):
    shared = {
        "hidden": (8, 3),
        "epochs": 3,
        "batch_size": 10,
        "progress": False,
        "precision": "float32",
        "device": "cpu",
    }
    return MultVAE(**{**shared, **changes})


def test_the_preset_is_that_of_the_paper():
    """Liang et al. 2018, section 4: tanh, dropout on rows of unit length, β = 0.2; but one layer, dropout 0.3."""
    model = MultVAE()
    assert model.hidden == 600
    assert model.activation == "tanh"
    assert model.likelihood == "multinomial"
    assert model.variational
    assert model.normalize
    assert model.noise == MaskingNoise(0.3)
    assert model.kl_weight == 0.2
    assert model.kl_annealing_steps > 0
    assert not model.tied


def numpy_parts(model, row):
    """Mean and log variance of the code, and the decoder, of one row in float64."""
    (W1, W2, V1, V2), (b1, b2, c1, c2) = (
        [part.astype(float) for part in parts] for parts in (model.coefs_, model.intercepts_)
    )
    statistics = np.tanh(row / np.linalg.norm(row) @ W1 + b1) @ W2 + b2
    return statistics[:3], statistics[3:], lambda z: np.tanh(z @ V1 + c1) @ V2 + c2


def test_the_cost_in_training_is_the_expectation_over_the_code():
    n = 40_000
    model = quick(noise=None, epochs=30).fit(LIKES)
    row = LIKES[0].astype(float)
    mean, log_variance, decode = numpy_parts(model, row)
    z = mean + np.exp(log_variance / 2) * np.random.default_rng(1).normal(size=(n, 3))
    losses = -(row * log_softmax(decode(z), axis=1)).sum(axis=1)
    kl = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum()
    batch = SparseRows(canonical_csr(LIKES[:1].repeat(n, axis=0)), torch.device("cpu")).batch(torch.arange(n))
    with torch.inference_mode():
        cost, _ = model.network_.cost(batch, noise_from=torch.Generator().manual_seed(2))
    error = 4 * np.sqrt(2) * losses.std() / np.sqrt(n)  # both sides are means over n draws
    at_the_mean = -(row * log_softmax(decode(mean))).sum()
    assert error < 0.2 * abs(losses.mean() - at_the_mean)
    assert cost.likelihood.item() == pytest.approx(losses.mean(), abs=error)
    assert cost.kl.item() == pytest.approx(kl, rel=1e-4)


def test_beta_rises_with_the_steps_to_its_full_weight():
    whole = {"batch_size": LIKES.shape[0], "epochs": 5}  # one step an epoch
    history = quick(kl_weight=0.4, kl_annealing_steps=3, **whole).fit(LIKES).history_
    beta = (history["cost"] - history["likelihood"]) / history["kl"]
    np.testing.assert_allclose(beta, [0.4 * min(1, step / 3) for step in range(5)], rtol=1e-6, atol=1e-9)


def test_a_larger_beta_pulls_the_code_to_the_prior():
    def divergence(beta):
        model = quick(kl_weight=beta, kl_annealing_steps=0, epochs=40, learning_rate=1e-2).fit(LIKES)
        return model.history_["kl"].iloc[-1]

    free, paper, strict = (divergence(beta) for beta in (0.0, 0.2, 5.0))
    assert free > 2 * paper > 4 * strict


def test_recommendations_come_from_the_mean_of_the_code_without_chance():
    model = quick().fit(LIKES)
    mean, _, decode = numpy_parts(model, LIKES[0].astype(float))
    np.testing.assert_allclose(model.transform(LIKES[:1])[0], mean, atol=1e-5)
    np.testing.assert_allclose(model.score_items(LIKES[:1])[0], decode(mean), atol=1e-4)


def test_a_code_without_bounds_refuses_kl_sparsity():
    with pytest.raises(ValueError, match="KLSparsity needs a code with bounds"):
        quick(sparsity=KLSparsity()).fit(LIKES)


def test_the_weight_of_the_kl_term_goes_on_where_it_was(tmp_path):
    whole = {"batch_size": LIKES.shape[0], "epochs": 3}  # one step an epoch
    model = quick(kl_weight=0.4, kl_annealing_steps=4, **whole).fit(LIKES)
    model.save(tmp_path)
    for one in (model, load_model(tmp_path)):
        last = one.partial_fit(LIKES).history_.iloc[-1]
        assert last["cost"] == pytest.approx(last["likelihood"] + 0.4 * 3 / 4 * last["kl"], rel=1e-6)
    model.fit(LIKES)  # and begins anew with a new fit
    last = model.history_.iloc[-1]
    assert last["cost"] == pytest.approx(last["likelihood"] + 0.4 * 2 / 4 * last["kl"], rel=1e-6)
