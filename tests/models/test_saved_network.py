"""Weights of networks as tensors, and networks that claim to be larger than what was saved."""

import numpy as np
import pytest
import torch

from aerec.likelihood import LIKELIHOODS
from aerec.models.saved_network import network_tensors, restored_network
from aerec.network.network import Architecture, Network


def built(n_inputs=30, seed=0, **choices):
    architecture = Architecture(
        n_inputs=n_inputs, hidden=(4,), activation="tanh", likelihood=LIKELIHOODS["gaussian"], **choices
    )
    return Network(architecture, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("choices", [{}, {"variational": True}, {"tied": True}, {"n_users": 7}], ids=str)
def test_weights_come_back(choices):
    network = built(**choices)
    tensors = network_tensors(network)
    assert all(name.startswith("network.") for name in tensors)
    restored = restored_network(lambda: built(seed=1, **choices), {**tensors, "items.ids": np.arange(30)})
    for name, value in network.state_dict().items():
        assert torch.equal(restored.state_dict()[name], value), name


def test_a_small_file_cannot_claim_a_large_network():
    with pytest.raises(ValueError, match="describe a larger network than the one that is saved"):
        restored_network(lambda: built(n_inputs=1_000_000), network_tensors(built()))


def test_weights_of_another_shape_are_refused():
    with pytest.raises(RuntimeError, match="size mismatch"):
        restored_network(lambda: built(n_inputs=31), network_tensors(built()))


def test_a_restored_network_has_memory_of_its_own():
    tensors = network_tensors(built())
    restored = restored_network(lambda: built(seed=1), tensors)
    tensors["network.encoder_biases.0"][:] = 9
    assert not (restored.encoder_biases[0] == 9).any()
