"""Gradients that an optimizer takes as products, and the copies that it leaves behind."""

import copy

import pytest
import torch
from torch import nn

from aerec.network.deferred import Deferred


@pytest.fixture
def weight():
    return nn.Parameter(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))


def test_it_takes_gradients_of_its_own_parameters_in_their_usual_layout(weight):
    turned = nn.Parameter(torch.zeros(3, 5).T)
    deferred = Deferred([weight, turned])
    assert deferred.takes(weight)
    assert not deferred.takes(turned)
    assert not deferred.takes(weight.detach())
    assert not deferred.takes(nn.Parameter(torch.zeros(5, 3)))


def test_a_copy_is_made_again_when_the_weight_has_changed(weight):
    deferred = Deferred([weight])
    first = deferred.half(weight)
    assert torch.equal(first, weight.bfloat16())
    first.zero_()
    assert deferred.half(weight) is first
    assert not first.any()  # it was not made again
    with torch.no_grad():
        weight.add_(1)
    assert torch.equal(deferred.half(weight), weight.bfloat16())
    weight.data = weight.data + 1
    assert torch.equal(deferred.half(weight), weight.bfloat16())


def test_a_gradient_in_the_memory_of_the_copy_spoils_it_until_it_is_noted(weight):
    deferred = Deferred([weight])
    half = deferred.half(weight)
    half.fill_(7)
    deferred.give(weight, half)
    (taken,) = deferred.taken(weight)
    assert taken is half
    assert deferred.taken(weight) == []
    assert torch.equal(deferred.half(weight), weight.bfloat16())
    half.fill_(7)
    deferred.has_copied(weight)
    assert (deferred.half(weight) == 7).all()


def test_gradients_that_nobody_took_can_be_forgotten(weight):
    deferred = Deferred([weight])
    deferred.give(weight, deferred.half(weight))
    deferred.forget()
    assert deferred.taken(weight) == []


def test_a_deep_copy_is_of_the_copied_parameters(weight):
    deferred = Deferred([weight])
    copied, other = copy.deepcopy((deferred, weight))
    assert copied.takes(other)
    assert not copied.takes(weight)
