"""SparseAutoencoder: codes as sparse as they were asked to be, and their cost in float64 numpy."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from aerec.models import SparseAutoencoder
from aerec.noise import MaskingNoise
from aerec.sparsity import KLSparsity, L1Sparsity, TopKSparsity

LIKES = (np.random.default_rng(0).random((60, 20)) < 0.3).astype(np.float32)


def quick(**changes):
    shared = {
        "hidden": 10,
        "epochs": 3,
        "batch_size": 20,
        "normalize": False,
        "progress": False,
        "precision": "float32",
    }
    return SparseAutoencoder(**{**shared, **changes})


def code_and_logits(model, activation, keep=None):
    (W, V), (b, c) = ([part.astype(float) for part in parts] for parts in (model.coefs_, model.intercepts_))
    code = activation(LIKES @ W + b)
    if keep is not None:
        smallest = np.sort(np.abs(code), axis=1)[:, [-keep]]
        code = np.where(np.abs(code) >= smallest, code, 0)
    return code, code @ V + c


def test_the_preset_is_that_of_the_lecture():
    """Ng 2011: sigmoid units, mean activation held at 0.05 by a KL penalty, and for measurements no noise."""
    model = SparseAutoencoder()
    assert model.activation == "sigmoid"
    assert model.sparsity == KLSparsity(target=0.05, weight=0.1)
    assert not model.variational


@pytest.mark.parametrize(
    ("likelihood", "noise"),
    [("multinomial", MaskingNoise(0.5, hold_out=True)), ("gaussian", None)],
)
def test_likes_are_held_out_and_measurements_are_not(likelihood, noise):
    fitted = quick(likelihood=likelihood, epochs=1).fit(LIKES)
    assert (fitted.noise, fitted.network_.architecture.noise) == ("auto", noise)
    assert quick(noise=None, epochs=1).fit(LIKES).network_.architecture.noise is None


@pytest.mark.parametrize(("activation", "low", "high"), [("sigmoid", 0, 1), ("tanh", -1, 1)])
def test_a_heavy_kl_penalty_holds_every_unit_at_the_target(activation, low, high):
    model = quick(
        activation=activation,
        sparsity=KLSparsity(0.2, 1000.0),
        noise=None,
        epochs=300,
        learning_rate=2e-2,
        batch_size=60,
    )
    mean = model.fit(LIKES).transform(LIKES).mean(axis=0)
    np.testing.assert_allclose((mean - low) / (high - low), 0.2, atol=0.02)
    assert model.transform(LIKES).std(axis=0).max() > 0.02  # the mean is held, not every row


def test_top_k_reads_and_pays_for_the_k_largest_units_alone():
    model = quick(activation="tanh", sparsity=TopKSparsity(3)).fit(LIKES)
    code, logits = code_and_logits(model, np.tanh, keep=3)
    assert (np.count_nonzero(code, axis=1) == 3).all()
    np.testing.assert_allclose(model.transform(LIKES), code, atol=1e-5)
    np.testing.assert_allclose(model.score_items(LIKES), logits, atol=1e-5)
    cost = -(LIKES * log_softmax(logits, axis=1)).sum(axis=1).mean()
    assert model.total_cost(LIKES) == pytest.approx(cost, rel=1e-5)
    assert (model.history_["sparsity"] == 0).all()


def test_l1_pays_the_magnitudes_of_the_code():
    model = quick(activation="tanh", sparsity=L1Sparsity(0.7)).fit(LIKES)
    code, logits = code_and_logits(model, np.tanh)
    cost = -(LIKES * log_softmax(logits, axis=1)).sum(axis=1) + 0.7 * np.abs(code).sum(axis=1)
    assert model.total_cost(LIKES) == pytest.approx(cost.mean(), rel=1e-5)
    assert model.history_["sparsity"].iloc[-1] > 0


def test_the_kl_penalty_in_the_history_is_that_of_the_batches():
    whole = quick(noise=None, sparsity=KLSparsity(0.1, 2.0), batch_size=60, epochs=1, learning_rate=1e-30).fit(LIKES)
    code, _ = code_and_logits(whole, expit)
    mean = code.mean(axis=0)
    kl = 2.0 * (0.1 * np.log(0.1 / mean) + 0.9 * np.log(0.9 / (1 - mean))).sum()
    assert whole.history_["sparsity"].item() == pytest.approx(kl, rel=1e-5)
