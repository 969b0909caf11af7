"""KernelAutoRec: the kernel, the network and its gradients against float64 NumPy, and what it comes from."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import aerec
from aerec.interactions import Interactions
from aerec.models import AutoRec, KernelAutoRec
from aerec.network.rows import SparseRows
from aerec.splitting import RandomHoldout


def ratings(n_users=80, n_items=50, seed=0):
    rng = np.random.default_rng(seed)
    full = 3.2 + 0.8 * rng.normal(size=(n_users, 2)) @ rng.normal(size=(2, n_items)) + 0.5 * rng.normal(size=n_items)
    full = np.clip(np.rint(full), 1, 5)
    return Interactions.from_matrix(sp.csr_array(full * (rng.random(full.shape) < 0.35)))


QUICK = {"epochs": 2, "batch_size": 20, "progress": False, "device": "cpu"}


def kernel(rows, columns):
    distance = np.linalg.norm(rows[:, None, :] - columns[None, :, :], axis=2)
    return np.maximum(0.0, 1 - distance**2)


def parts(model):
    """W, b, p and q of every layer in float64; the output weight as it is kept, one row per output."""
    net = model.network_
    groups = net.weights(), net.biases(), net.row_places, net.column_places
    return [[one.detach().numpy().astype(np.float64) for one in group] for group in groups]


def forward(x, weights, biases, rows, columns):
    """The formula of the paper: every layer multiplies by W ∘ K."""
    layers = [w * kernel(p, q) for w, p, q in zip(weights, rows, columns, strict=True)]
    layers[-1] = layers[-1].T
    for layer, bias in zip(layers[:-1], biases[:-1], strict=True):
        x = np.tanh(x @ layer + bias)
    return x @ layers[-1] + biases[-1]


@pytest.mark.parametrize("hidden", [7, (8, 6)])
@pytest.mark.parametrize("orientation", ["item", "user"])
def test_the_prediction_is_the_formula(hidden, orientation):
    data = ratings()
    model = KernelAutoRec(hidden, orientation=orientation, biases=False, kernel_spread=0.4, **QUICK).fit(data)
    R = data.matrix.toarray().astype(np.float64)
    expected = forward(R.T if orientation == "item" else R, *parts(model))
    np.testing.assert_allclose(model.reconstruct(data), expected, rtol=1e-4, atol=1e-4)
    expected = expected.T if orientation == "item" else expected
    users, items = [3, 50, 79], [0, 17, 49]
    np.testing.assert_allclose(model.predict(users, items), np.clip(expected[users, items], 1, 5), atol=1e-4)
    np.testing.assert_allclose(model.score_items(data), expected, rtol=1e-3, atol=1e-3)
    assert [one.shape for one in model.coefs_] == [one.shape for one in coefs_by_hand(model)]
    for found, wanted in zip(model.coefs_, coefs_by_hand(model), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def coefs_by_hand(model):
    weights, _, rows, columns = parts(model)
    layers = [w * kernel(p, q) for w, p, q in zip(weights, rows, columns, strict=True)]
    return [*layers[:-1], layers[-1].T]


def test_places_further_apart_than_1_are_not_connected():
    model = KernelAutoRec(6, kernel_dims=2, kernel_spread=1.0, **QUICK).fit(ratings())
    weights, _, rows, columns = parts(model)
    far = np.linalg.norm(rows[0][:, None] - columns[0][None], axis=2) > 1.001
    assert 0.3 < far.mean() < 1
    assert (model.coefs_[0][far] == 0).all()
    assert (weights[0][far] != 0).any()


def test_gradients_are_those_of_finite_differences():
    data = ratings(12, 9)
    l2 = 0.01
    model = KernelAutoRec(
        (4, 3), kernel_l2=l2, kernel_spread=0.4, noise=None, biases=False, orientation="user", **QUICK
    ).fit(data)
    net = model.network_
    net.encoder_weights[0].data.mul_(0.1)  # where tanh is saturated, float32 gradients are mostly rounding
    net.zero_grad()
    batch = SparseRows(data.matrix, torch.device("cpu")).batch(torch.arange(12))
    cost, _ = net.cost(batch, noise_from=torch.Generator().manual_seed(0))
    cost.total(0.0).backward()
    R = data.matrix.toarray().astype(np.float64)

    def by_hand(weights, biases, rows, columns):
        error = np.where(R != 0, R - forward(R, weights, biases, rows, columns), 0.0)
        kernels = [kernel(p, q) for p, q in zip(rows, columns, strict=True)]
        return 0.5 * (error**2).sum() / 12 + 0.5 * l2 * sum((one**2).sum() for one in kernels)

    learned = parts(model)
    assert float(cost.total(0.0).detach()) == pytest.approx(by_hand(*learned), rel=1e-5)
    groups = net.weights(), net.biases(), net.row_places, net.column_places
    rng = np.random.default_rng(1)
    for group, arrays in zip(groups, learned, strict=True):
        for parameter, array in zip(group, arrays, strict=True):
            direction = rng.normal(size=array.shape)
            values = []
            for step in (1e-5, -1e-5):
                array += step * direction
                values.append(by_hand(*learned))
                array -= step * direction
            slope = (parameter.grad.numpy() * direction).sum()
            assert slope == pytest.approx((values[0] - values[1]) / 2e-5, rel=2e-3, abs=1e-4)


def test_the_penalty_of_the_kernels_draws_places_apart():
    def mean_kernel(l2):
        model = KernelAutoRec(8, kernel_l2=l2, kernel_spread=0.1, seed=3, **{**QUICK, "epochs": 20}).fit(ratings())
        return float(model.network_.kernel(0).detach().mean()), float(model.history_["sparsity"].iloc[0])

    (free, nothing), (held, something) = mean_kernel(0.0), mean_kernel(0.05)
    assert held < 0.8 * free
    assert nothing == 0
    assert something > 0


def test_with_all_places_at_one_point_it_is_autorec():
    shared = {"noise": None, "biases": True, "activation": "tanh", "epochs": 1, "batch_size": 20, "progress": False}
    data = ratings()
    model = KernelAutoRec(7, kernel_spread=1e-6, learning_rate=1e-9, learning_rate_schedule="constant", **shared)
    plain = AutoRec(7, learning_rate=1e-9, **shared)  # the initial weights are drawn alike, and hardly move
    np.testing.assert_allclose(model.fit(data).score_items(data), plain.fit(data).score_items(data), atol=1e-5)


def test_it_learns_what_biases_do_not_know():
    split = RandomHoldout(0.2, validation_fraction=0.0, seed=0).split(ratings(100, 60))
    model = KernelAutoRec(20, noise=None, weight_decay=0.05, learning_rate=1e-2, **{**QUICK, "epochs": 40}).fit(
        split.train
    )
    pairs = split.test.target.to_frame()
    error = pairs["rating"] - model.predict(pairs["user"], pairs["item"])
    biases = model._biases()
    users, items = (split.train.users.get_indexer(pairs["user"]), split.train.items.get_indexer(pairs["item"]))
    rest = pairs["rating"] - np.clip(biases.at(users, items), 1, 5)
    assert np.sqrt(np.mean(error**2)) < 0.9 * np.sqrt(np.mean(rest**2))


def test_saved_and_loaded_it_predicts_the_same(tmp_path):
    data = ratings()
    model = KernelAutoRec((6, 5), kernel_spread=0.3, **QUICK).fit(data)
    model.save(tmp_path / "model")
    again = aerec.load_model(tmp_path / "model")
    pairs = data.to_frame()
    np.testing.assert_array_equal(
        again.predict(pairs["user"], pairs["item"]), model.predict(pairs["user"], pairs["item"])
    )
    np.testing.assert_array_equal(again.score_items(data), model.score_items(data))
    assert again.network_.kernel(0).shape == (80, 6)


@pytest.mark.parametrize("wrong", [{"kernel_dims": 0}, {"kernel_l2": -1.0}, {"kernel_spread": 0.0}])
def test_values_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        KernelAutoRec(**wrong, **QUICK).fit(ratings())
