"""The optimizer of compiled kernels: its steps, its state, and trainings with and without it."""

import copy

import pytest
import torch
from torch import nn

from aerec.datasets import load_dataset
from aerec.models import CDAE, AutoRec, DenoisingAutoencoder, MultDAE, MultVAE, RecVAE, SparseAutoencoder
from aerec.native import kernels
from aerec.native.loader import describe, is_used
from aerec.network.deferred import SparseTimesDense
from aerec.network.rows import SparseRows
from aerec.noise import GaussianNoise
from aerec.training.optimizers import NativeAdam, make_optimizer

pytestmark = pytest.mark.skipif(not is_used(), reason=describe())
CPU = torch.device("cpu")
SAMPLE = load_dataset("sample").binarize(4.0)


def without_kernels(monkeypatch):
    monkeypatch.setattr(kernels, "usable", lambda *tensors: False)


def made(kind, weight, decay=0.1):
    groups = [{"params": [weight], "weight_decay": decay}]
    return kind(groups, lr=0.01, fused=True)


@pytest.mark.parametrize("shape", [(50, 3), (7,), (0, 3), ()])
def test_its_steps_and_its_state_are_those_of_adam(shape):
    generator = torch.Generator().manual_seed(0)
    start, pulls = torch.randn(shape, generator=generator), torch.randn(5, *shape, generator=generator)
    results = []
    for kind in (NativeAdam, torch.optim.Adam):
        weight, idle = nn.Parameter(start.clone()), nn.Parameter(torch.ones(2))
        optimizer = kind([{"params": [weight, idle], "weight_decay": 0.1}], lr=0.01, fused=True)
        for pull in pulls:
            weight.grad = pull.clone()
            optimizer.step()
        assert torch.equal(idle, torch.ones(2))
        results.append((weight.detach(), optimizer.state_dict()["state"][0]))
    (ours, our_state), (theirs, their_state) = results
    torch.testing.assert_close(ours, theirs)
    assert our_state.keys() == their_state.keys()
    for name, value in our_state.items():
        torch.testing.assert_close(value, their_state[name])


def test_either_goes_on_from_the_state_of_the_other():
    start, pull = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.ones(6, 4)
    results = []
    for first, second in ((NativeAdam, torch.optim.Adam), (torch.optim.Adam, NativeAdam)):
        weight = nn.Parameter(start.clone())
        optimizer = made(first, weight)
        for kind in (None, second):
            if kind is not None:
                state, optimizer = optimizer.state_dict(), made(kind, weight)
                optimizer.load_state_dict(copy.deepcopy(state))
            weight.grad = pull.clone()
            optimizer.step()
        results.append(weight.detach())
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("turned", [False, True])
def test_handed_over_gradients_count_as_the_matrices_that_they_stand_for(turned):
    generator = torch.Generator().manual_seed(0)
    batch = SparseRows(SAMPLE.matrix, CPU).batch(torch.arange(40))
    n_items = SAMPLE.matrix.shape[1]
    start, dense = torch.randn(n_items, 5, generator=generator), torch.randn(40, 5, generator=generator)
    order = batch.pattern.by_column[2]
    product = torch.from_numpy(SAMPLE.matrix[:40].T @ dense.numpy())
    half = torch.randn(n_items, 5, generator=generator)
    results = []
    for given in (True, False):
        weight = nn.Parameter(start.clone())
        optimizer = made(NativeAdam, weight)
        for which in ("product", "half", "all"):
            parts = []
            if which in ("product", "all"):
                parts.append((SparseTimesDense(batch.pattern, batch.values.index_select(0, order), dense), product))
            if which in ("half", "all"):
                parts.append((optimizer.deferred.half(weight).copy_(half) if given else None, half.bfloat16().float()))
            weight.grad = torch.ones_like(weight) if which == "all" else None
            if given:
                for gradient, _ in parts:
                    optimizer.deferred.give(weight, gradient)
            else:
                weight.grad = sum(matrix for _, matrix in parts) + (weight.grad if which == "all" else 0)
            if turned and which == "all":
                weight.data = weight.data.T.contiguous().T
            optimizer.step()
            assert torch.equal(optimizer.deferred.half(weight), weight.bfloat16())
        results.append(weight.detach())
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


def test_it_is_made_for_adam_on_a_processor_alone(monkeypatch):
    weight = nn.Parameter(torch.ones(3, 2))

    def kind(choice, **options):
        return type(make_optimizer(choice, [weight], [], learning_rate=0.1, weight_decay=0.0, device=CPU, **options))

    assert kind("adam") is NativeAdam
    assert kind(torch.optim.Adam) is NativeAdam
    assert kind("adamw") is torch.optim.AdamW
    assert kind("adam", lazy=True) is not NativeAdam
    without_kernels(monkeypatch)
    assert kind("adam") is torch.optim.Adam


MODELS = {
    "multinomial": lambda **options: MultVAE(hidden=(24, 12), **options),
    "tied": lambda **options: DenoisingAutoencoder(hidden=(24,), tied=True, **options),
    "weight decay": lambda **options: MultDAE(hidden=(24,), weight_decay=0.01, **options),
    "bernoulli, users": lambda **options: CDAE(hidden=(16,), **options),
    "observed": lambda **options: AutoRec(hidden=(16,), **options),
    "gaussian noise": lambda **options: SparseAutoencoder(hidden=(16,), noise=GaussianNoise(0.1), **options),
    "two optimizers": lambda **options: RecVAE(hidden=(24, 12), **options),
}


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("name", MODELS)
def test_a_training_costs_the_same_with_and_without(monkeypatch, name, precision):
    if name == "observed" and precision == "bf16":
        pytest.skip("its layers are float32 in any case")
    options = {"epochs": 2, "batch_size": 100, "precision": precision, "seed": 3, "device": "cpu", "progress": False}
    costs, weights = [], []
    for native in (True, False):
        if not native:
            without_kernels(monkeypatch)
        model = MODELS[name](**options).fit(SAMPLE)
        costs.append(list(model.history_["cost"]))
        weights.append([weight.copy() for weight in model.coefs_])
    assert costs[0] == pytest.approx(costs[1], rel=2e-2 if precision == "bf16" else 1e-3)
    for ours, theirs in zip(*weights, strict=True):
        distance = abs(ours - theirs).mean() / abs(theirs).mean()
        assert distance < (0.1 if precision == "bf16" else 0.02)


def test_the_same_seed_gives_the_same_bits():
    options = {"hidden": (24, 12), "epochs": 2, "precision": "bf16", "device": "cpu", "progress": False}
    first, second = (MultVAE(**options).fit(SAMPLE) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first.coefs_, second.coefs_, strict=True))


def test_it_goes_on_after_weights_were_changed_from_outside():
    options = {"hidden": (24, 12), "precision": "bf16", "device": "cpu", "progress": False, "epochs": 1}
    model = MultVAE(**options, ema_decay=0.9).fit(SAMPLE)
    for _ in range(2):  # the average stands in for the weights between epochs
        model.partial_fit(SAMPLE)
    copied = copy.deepcopy(model)
    for one in (model, copied):
        one.partial_fit(SAMPLE)
    assert all((a == b).all() for a, b in zip(model.coefs_, copied.coefs_, strict=True))
    assert model.history_["cost"].iloc[-1] < model.history_["cost"].iloc[0]
