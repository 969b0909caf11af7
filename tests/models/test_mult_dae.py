"""MultDAE: the preset of the paper, and its cost in float64 numpy."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import log_softmax

from aerec.models import MultDAE
from aerec.noise import MaskingNoise

RNG = np.random.default_rng(0)
LIKES = (RNG.random((40, 15)) < 0.3).astype(np.float32)
LIKES[5] = 0


def trained(**changes):
    return MultDAE(**{"hidden": 6, "epochs": 3, "batch_size": 10, "progress": False, "precision": "float32", **changes})


def test_the_preset_is_that_of_the_paper_but_for_its_width_and_what_it_asks_for():
    """Liang et al. 2018, section 4: one hidden layer of 200, tanh, rows of unit length, dropout of 0.5 on the input."""
    model = MultDAE()
    assert model.hidden == 400
    assert model.activation == "tanh"
    assert model.likelihood == "multinomial"
    assert model.normalize
    assert model.noise == MaskingNoise(0.5, hold_out=True)
    assert not model.variational
    assert model.sparsity is None


@pytest.mark.parametrize("values", [LIKES, LIKES * RNG.integers(1, 4, LIKES.shape)], ids=["likes", "counts"])
def test_cost_is_the_multinomial_log_likelihood_of_the_raw_row_given_the_normalised_one(values):
    X = sp.csr_array(values.astype(np.float32))
    model = trained().fit(X)
    (W, V), (b, c) = ([part.astype(float) for part in parts] for parts in (model.coefs_, model.intercepts_))
    unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-30)
    logits = np.tanh(unit @ W + b) @ V + c
    cost = -(values * log_softmax(logits, axis=1)).sum(axis=1)
    assert model.total_cost(X) == pytest.approx(cost.mean(), rel=1e-5)
    np.testing.assert_allclose(model.score_items(X), logits, atol=1e-4)
    np.testing.assert_allclose(model.reconstruct(X), np.exp(log_softmax(logits, axis=1)), atol=1e-5)


def test_the_scale_of_a_history_does_not_change_its_scores():
    model = trained().fit(LIKES)
    np.testing.assert_allclose(model.score_items(7 * LIKES), model.score_items(LIKES), atol=1e-5)
    raw = trained(normalize=False).fit(LIKES)
    assert not np.allclose(raw.score_items(7 * LIKES), raw.score_items(LIKES), atol=1e-2)


def test_a_row_without_likes_costs_nothing():
    model = trained().fit(LIKES)
    assert model.total_cost(np.zeros((2, 15), dtype=np.float32)) == pytest.approx(0, abs=1e-6)
