"""A network of eight items that is trained on ten rows, for the tests of what trains it."""

import numpy as np
import torch

from aerec.canonical import canonical_csr
from aerec.likelihood import LIKELIHOODS
from aerec.network.network import Architecture, Network
from aerec.network.rows import SparseRows
from aerec.training.optimizers import SCHEDULES
from aerec.training.trainer import StepOptions, Trainer

CPU = torch.device("cpu")
X = (np.random.default_rng(0).random((10, 8)) < 0.4).astype(np.float32)


def network(likelihood="gaussian", **choices):
    chosen = {"hidden": (4,), "activation": "tanh", **choices}
    architecture = Architecture(n_inputs=8, likelihood=LIKELIHOODS[likelihood], **chosen)
    return Network(architecture, torch.Generator().manual_seed(0))


def trainer(net, **changes):
    of_trainer = {"device": CPU, "seed": changes.pop("seed", 0)}
    options = {
        "batch_size": 4,
        "learning_rate": 1e-2,
        "schedule": SCHEDULES["constant"],
        "weight_decay": 0.0,
        "kl_weight": 1.0,
        "kl_annealing_steps": 0,
    }
    return Trainer(net, StepOptions(**{**options, **changes}), **of_trainer)


def sparse_rows(x=X):
    return SparseRows(canonical_csr(x), CPU)


def state(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)
