"""The trainer: Adam worked out by hand, batches, KL annealing, and costs that are no numbers."""

import copy
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_training import CPU, X, network, same, sparse_rows, state, trainer

from aerec.network.rows import DenseRows
from aerec.noise import MaskingNoise
from aerec.training.trainer import CostWatch, EagerSteps, likely_cause


class Recorded:
    """Rows that remember which of them were asked for."""

    def __init__(self, rows):
        self.shape, self._rows, self.asked = rows.shape, rows, []

    def batch(self, chosen):
        self.asked.append(chosen.tolist())
        return self._rows.batch(chosen)


# ---------------------------------------------------------------------- steps


@pytest.mark.parametrize("weight_decay", [0.0, 3.0])
def test_steps_are_those_of_adam_with_the_penalty_on_weights_alone(weight_decay):
    net = network()
    with torch.no_grad():
        net.decoder_biases[-1].fill_(0.5)
    rate, b1, b2, epsilon = 1e-2, 0.9, 0.999, 1e-8  # of Kingma and Ba (2015)
    w = {name: value.numpy().astype(float) for name, value in state(net).items()}
    moments = {name: [np.zeros_like(value), np.zeros_like(value)] for name, value in w.items()}
    names = ["encoder_weights.0", "encoder_biases.0", "decoder_weights.0", "decoder_biases.0"]
    assert list(w) == [names[0], names[1], names[2], names[3]]
    runs = trainer(net, batch_size=10, learning_rate=rate, weight_decay=weight_decay)
    for step in range(1, 5):
        runs.run_epoch(sparse_rows())
        W, b, V, c = (w[name] for name in names)
        h = np.tanh(X @ W + b)
        residual = (h @ V.T + c - X) / 10  # of the mean over 10 rows of ½‖x − l‖²
        inner = residual @ V * (1 - h**2)
        gradients = [X.T @ inner + weight_decay * W, inner.sum(0), residual.T @ h + weight_decay * V, residual.sum(0)]
        for name, g in zip(names, gradients, strict=True):
            m = moments[name][0] = b1 * moments[name][0] + (1 - b1) * g
            v = moments[name][1] = b2 * moments[name][1] + (1 - b2) * g**2
            w[name] = w[name] - rate * (m / (1 - b1**step)) / (np.sqrt(v / (1 - b2**step)) + epsilon)
        for name, value in state(net).items():
            np.testing.assert_allclose(value, w[name], atol=2e-5, err_msg=f"{name} after step {step}")


@pytest.mark.parametrize("likelihood", ["multinomial", "observed"])
def test_the_fused_optimiser_steps_like_the_plain_one(likelihood):
    net = network(likelihood, hidden=(5, 3), variational=True, noise=MaskingNoise(0.5))
    plain_net = copy.deepcopy(net)
    fused, plain = (trainer(one, weight_decay=0.1) for one in (net, plain_net))
    groups = [{"params": plain_net.weights(), "weight_decay": 0.1}, {"params": plain_net.biases()}]
    plain.optimizers = [torch.optim.Adam(groups, lr=1e-2, fused=False, foreach=False)]
    for _ in range(4):
        parts = [one.run_epoch(sparse_rows()) for one in (fused, plain)]
        assert parts[0] == pytest.approx(parts[1], rel=1e-4)
    for name, value in state(net).items():
        np.testing.assert_allclose(value, plain_net.state_dict()[name], atol=1e-5, err_msg=name)


def test_every_epoch_reads_every_row_once_in_another_order():
    rows = Recorded(sparse_rows())
    runs = trainer(network())
    for _ in range(2):
        runs.run_epoch(rows)
    assert [len(chosen) for chosen in rows.asked] == [4, 3, 3, 4, 3, 3]  # no small rest
    assert runs.step == 6
    first, second = (list(itertools.chain(*asked)) for asked in (rows.asked[:3], rows.asked[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert first != list(range(10))


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_the_cost_of_an_epoch_is_the_mean_over_rows_whatever_the_batches(kind):
    net = network("multinomial")
    rows = sparse_rows() if kind == "sparse" else DenseRows(X, CPU)
    whole, _ = net.cost(rows.batch(torch.arange(10)))
    parts = trainer(net, batch_size=7, learning_rate=1e-30).run_epoch(rows)
    assert parts["likelihood"] == pytest.approx(whole.likelihood.item(), rel=1e-5)


def test_parts_of_the_cost_add_up_with_the_decay_of_the_weights_after_the_epoch():
    net = network(variational=True)
    parts = trainer(net, weight_decay=0.2, kl_weight=0.3).run_epoch(sparse_rows())
    decay = 0.1 * sum(float((weight.detach().numpy().astype(float) ** 2).sum()) for weight in net.weights())
    assert parts["weight_decay"] == pytest.approx(decay, rel=1e-5)
    assert parts["cost"] == pytest.approx(parts["likelihood"] + 0.3 * parts["kl"] + decay)


def test_user_factors_are_learned_where_there_are_any():
    net = network("multinomial", n_users=10)
    trainer(net).run_epoch(sparse_rows())
    assert (net.user_factors != 0).any()
    net = network("multinomial", n_users=0)
    assert net.user_factors is None
    trainer(net).run_epoch(sparse_rows())


def test_equal_seeds_repeat_a_run_and_others_do_not():
    def after(seed):
        net = network("multinomial", noise=MaskingNoise(0.5))
        runs = trainer(net, seed=seed)
        for _ in range(2):
            runs.run_epoch(sparse_rows())
        return state(net)

    assert same(after(1), after(1))
    assert not same(after(1), after(2))


# ---------------------------------------------------------------------- KL annealing


def test_the_kl_weight_rises_linearly_from_nothing():
    runs = trainer(network("multinomial", variational=True), batch_size=10, kl_weight=0.2, kl_annealing_steps=3)
    found = []
    for _ in range(5):  # of one batch each
        parts = runs.run_epoch(sparse_rows())
        found.append((parts["cost"] - parts["likelihood"]) / parts["kl"])
    assert found == pytest.approx([0.2 * min(1, step / 3) for step in range(5)], rel=1e-6)


def test_the_cost_of_an_epoch_holds_the_kl_terms_with_the_weights_of_their_batches(monkeypatch):
    runs = trainer(network("multinomial", variational=True), kl_weight=0.7, kl_annealing_steps=4)
    asked, original = [], EagerSteps.cost_of

    def watched(self, batch, kl_weight):
        total, parts = original(self, batch, kl_weight)
        asked.append((batch.n_rows, float(total.detach())))
        return total, parts

    monkeypatch.setattr(EagerSteps, "cost_of", watched)
    for _ in range(3):  # of 4, 4 and 2 rows; the weight stops rising in the second
        asked.clear()
        parts = runs.run_epoch(sparse_rows())
        assert parts["cost"] == pytest.approx(sum(n * cost for n, cost in asked) / 10, rel=1e-6)


def test_the_first_step_has_no_kl_term_and_the_next_has():
    def after(n_steps, **changes):
        net = network("multinomial", variational=True)
        runs = trainer(net, batch_size=10, **changes)
        for _ in range(n_steps):
            runs.run_epoch(sparse_rows())
        return state(net)

    annealed, without = {"kl_weight": 5.0, "kl_annealing_steps": 2}, {"kl_weight": 0.0}
    assert same(after(1, **annealed), after(1, **without))
    assert not same(after(2, **annealed), after(2, **without))
    assert not same(after(1, **annealed), after(1, kl_weight=5.0))


# ---------------------------------------------------------------------- costs that are no numbers


def test_the_first_bad_cost_of_a_pass_is_found():
    watch = CostWatch()
    assert watch.first_bad([1.0, 3.0, float("nan"), 2.0]) == 3
    assert watch.first_bad([]) is None


def test_a_cost_a_million_times_that_of_the_first_batch_has_exploded():
    watch = CostWatch()
    assert [watch.first_bad([cost]) for cost in (2.0, 1e6, -3e6)] == [None, None, 1]


def test_an_average_comes_and_goes_with_its_decay():
    runs = trainer(network())
    runs.average.end_epoch()
    assert runs.average.total == 0
    runs.follow(replace(runs.options, ema_decay=0.5))
    runs.average.end_epoch()
    runs.follow(replace(runs.options, ema_decay=0.7))
    assert (runs.average.decay, runs.average.total) == (0.7, 1)
    runs.follow(replace(runs.options, ema_decay=0.0))
    assert (runs.average.decay, runs.average.total, runs.average.aside) == (0, 0, [])


@pytest.mark.parametrize(
    ("rows", "fresh", "said"),
    [
        (DenseRows(np.float32([[1, np.nan]]), CPU), False, "the input holds NaN or infinite values"),
        (DenseRows(np.float32([[1, -300]]), CPU), False, "values go up to 300: standardise the columns"),
        (DenseRows(np.float32([[1, 2]]), CPU), True, "the weights were no finite numbers before"),
        (sparse_rows(100 * X), False, "values go up to 100: the ratings are not scaled"),
        (sparse_rows(), False, "lower learning_rate=0.5, to 0.05 say"),
    ],
)
def test_the_likely_cause(rows, fresh, said):
    assert re.match(said, likely_cause(rows, 0.5, fresh=fresh))
