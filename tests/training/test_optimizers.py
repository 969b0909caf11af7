"""The optimizers against those of PyTorch."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from aerec.datasets import load_dataset
from aerec.models import Autoencoder, AutoRec, MultDAE, RecVAE
from aerec.parameters import check_parameters
from aerec.training import optimizers
from aerec.training.callbacks import Callback
from aerec.training.optimizers import SCHEDULES, BlockwiseNAdam, LazyAdam, make_optimizer


def test_with_a_gradient_in_every_row_it_is_adam():
    made = torch.Generator().manual_seed(0)
    start, pull = torch.randn(5, 3, generator=made), torch.randn(5, 3, generator=made)
    found = []
    for kind in (LazyAdam, torch.optim.Adam):
        weight = nn.Parameter(start.clone())
        optimizer = kind([{"params": [weight], "weight_decay": 0.1}], lr=0.01)
        for step in range(5):
            weight.grad = pull * (step + 1)
            optimizer.step()
        found.append(weight.detach())
    assert torch.allclose(*found, atol=1e-6)


def test_rows_without_a_gradient_stay_and_the_others_move_as_by_adam():
    weight, dense = nn.Parameter(torch.ones(4, 2)), nn.Parameter(torch.ones(4, 2))
    lazy, adam = LazyAdam([{"params": [weight]}], lr=0.1), torch.optim.Adam([dense], lr=0.1)
    for _ in range(3):
        values = torch.tensor([[1.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
        weight.grad = torch.sparse_coo_tensor([[2, 1, 2]], values, (4, 2), check_invariants=True)
        dense.grad = weight.grad.to_dense()
        lazy.step(), adam.step()
    assert torch.equal(weight[[0, 3]], torch.ones(2, 2))
    assert torch.allclose(weight[[1, 2]], dense[[1, 2]], atol=1e-6)


@pytest.mark.parametrize("shape", [(50, 3), (7,), (0, 3)])
def test_its_steps_are_those_of_nadam(monkeypatch, shape):
    monkeypatch.setattr(optimizers, "_BLOCK_BYTES", 100)  # several blocks, the last of them a rest
    made = torch.Generator().manual_seed(0)
    start, pulls = torch.randn(shape, generator=made), torch.randn(6, *shape, generator=made)
    found = []
    for kind in (BlockwiseNAdam, torch.optim.NAdam):
        weight, idle = nn.Parameter(start.clone()), nn.Parameter(torch.ones(2))
        optimizer = kind([weight, idle], lr=0.05, weight_decay=0.1)
        for pull in pulls:
            weight.grad = pull.clone()
            optimizer.step()
        assert torch.equal(idle, torch.ones(2))
        found.append((weight.detach(), *(optimizer.state[weight][name] for name in ("step", "mu_product", "exp_avg"))))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_its_state_goes_on_where_that_of_nadam_stopped():
    """A checkpoint of the one is a checkpoint of the other."""
    weights = [nn.Parameter(torch.ones(4, 2)) for _ in range(2)]
    theirs, ours = torch.optim.NAdam([weights[0]], lr=0.1), BlockwiseNAdam([weights[1]], lr=0.1)
    for weight in weights:
        weight.grad = torch.full((4, 2), 0.5)
    theirs.step()
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    weights[1].data.copy_(weights[0].data)
    theirs.step(), ours.step()
    torch.testing.assert_close(*weights)


def stepped(make, decay=0.0):
    """Take five steps on a weight, with weight decay, and a bias, without."""
    made = torch.Generator().manual_seed(0)
    weight, bias = (nn.Parameter(torch.randn(shape, generator=made)) for shape in ((5, 3), (3,)))
    optimizer = make(weight, bias, decay)
    for _ in range(5):
        weight.grad, bias.grad = torch.randn(5, 3, generator=made), torch.randn(3, generator=made)
        optimizer.step()
    return weight.detach(), bias.detach()


PLAIN = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9}),
    "adagrad": (torch.optim.Adagrad, {}),
    "RMSprop": (torch.optim.RMSprop, {}),
    "NAdam": (torch.optim.NAdam, {}),
    torch.optim.SGD: (torch.optim.SGD, {}),
}


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("choice", PLAIN)
def test_a_choice_steps_as_the_class_of_pytorch(choice, decay):
    kind, options = PLAIN[choice]

    def plain(weight, bias, decay):
        groups = [{"params": [weight], "weight_decay": decay}, {"params": [bias], "weight_decay": 0.0}]
        return kind(groups, lr=0.05, foreach=False, **options)

    def ours(weight, bias, decay):
        device = torch.device("cpu")
        return make_optimizer(choice, [weight], [bias], learning_rate=0.05, weight_decay=decay, device=device)

    for found, expected in zip(stepped(ours, decay), stepped(plain, decay), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("choice", "decay", "lazy", "message"),
    [
        ("Rprop", 0.1, False, "Rprop has no weight decay"),
        ("sgd", 0.0, True, "negatives= has sparse gradients, which need optimizer='adam'"),
    ],
)
def test_what_cannot_be_done_is_refused(choice, decay, lazy, message):
    weight, bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    given = {"learning_rate": 0.1, "weight_decay": decay, "device": torch.device("cpu"), "lazy": lazy}
    with pytest.raises(ValueError, match=message):
        make_optimizer(choice, [weight], [bias], **given)


@pytest.mark.parametrize("choice", ["adma", torch.optim.LBFGS, torch.optim.Optimizer, "lr_scheduler", nn.Linear, 1])
def test_what_is_no_optimizer_is_refused_when_the_parameters_are_checked(choice):
    message = "must be one of 'adam', 'adamw', 'sgd', 'adagrad' or a class of torch.optim that steps without a closure"
    with pytest.raises(ValueError, match=message):
        check_parameters(Autoencoder(optimizer=choice))


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_starts_at_the_full_rate_and_never_rises(name):
    factors = [SCHEDULES[name](progress) for progress in np.linspace(0, 0.99, 50)]
    assert factors[0] == 1
    assert (np.diff(factors) <= 0).all()
    assert min(factors) > 0


def test_cosine_and_linear_are_half_way_at_half_time_and_end_at_0():
    for name in ("cosine", "linear"):
        assert SCHEDULES[name](0.5) == pytest.approx(0.5)
        assert SCHEDULES[name](1.0) == pytest.approx(0.0)


class Rates(Callback):
    def __init__(self):
        self.seen = []

    def epoch_done(self, record, model):
        trainer = model._trainer
        self.seen.append({float(group["lr"]) for one in trainer.optimizers for group in one.param_groups})


@pytest.mark.parametrize("model_class", [MultDAE, RecVAE, AutoRec])
def test_every_optimizer_follows_the_schedule(model_class):
    data, rates = load_dataset("sample"), Rates()
    data = data.select_users(data.users[:300])
    model = model_class(hidden=4, epochs=4, learning_rate=0.01, learning_rate_schedule="linear", progress=False)
    model.fit(data if model_class is AutoRec else data.binarize(4.0), callbacks=[rates])
    assert [sorted(one) for one in rates.seen] == [[pytest.approx(0.01 * left)] for left in (1.0, 0.75, 0.5, 0.25)]


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="learning_rate_schedule"):
        MultDAE(learning_rate_schedule="steps", epochs=1, progress=False).fit(load_dataset("sample").binarize(4.0))
