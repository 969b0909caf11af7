import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec.interactions import Interactions
from aerec.models import CDAE


def data(seed=0):
    X = (np.random.default_rng(seed).random((40, 20)) < 0.3).astype(np.float32)
    return Interactions.from_matrix(sp.csr_array(X), users=[f"u{i}" for i in range(40)])


def test_known_users_have_a_factor_and_new_ones_none():
    X = data()
    model = CDAE(hidden=6, epochs=20, batch_size=8, normalize=False, device="cpu", progress=False).fit(X)
    factors = model.network_.user_factors.detach().numpy()
    assert np.abs(factors).max() > 0
    w, b = model.coefs_, model.intercepts_
    rows = X.matrix.toarray()
    with_factor = np.tanh(rows @ w[0] + b[0] + factors) @ w[1] + b[1]
    without = np.tanh(rows @ w[0] + b[0]) @ w[1] + b[1]
    assert np.allclose(model.score_items(X), with_factor, atol=1e-4)
    assert np.allclose(model.score_items(X.matrix), without, atol=1e-4)
    strangers = Interactions.from_matrix(X.matrix, users=[f"new{i}" for i in range(40)])
    assert np.allclose(model.score_items(strangers), without, atol=1e-4)
    some = X.select_users(["u7", "u3"])
    assert np.allclose(model.score_items(some), with_factor[[7, 3]], atol=1e-4)


def test_partial_fit_wants_the_same_users():
    model = CDAE(hidden=4, epochs=1, progress=False).fit(data())
    with pytest.raises(ValueError, match="40 users"):
        model.partial_fit(data().select_users(["u1", "u2"]))


def test_users_are_divided_evenly_into_batches():
    model = CDAE(hidden=4, epochs=1, batch_size=30, progress=False).fit(data())
    assert model._trainer.step == 2
    assert [len(piece) for piece in model._trainer._pieces(torch.arange(40), 40)] == [20, 20]


def test_partial_fit_wants_the_users_in_the_same_order():
    model = CDAE(hidden=4, epochs=1, progress=False).fit(data())
    turned = data().with_users(model.users_[::-1])
    with pytest.raises(ValueError, match="same order"):
        model.partial_fit(turned)
    model.partial_fit(turned.with_users(model.users_))
