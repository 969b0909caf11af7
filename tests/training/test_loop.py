"""The loop: Adam worked out by hand, KL annealing, scripted early stopping, a cost that explodes."""

import copy
import itertools
import re
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from aerec.errors import TrainingError
from aerec.likelihood import LIKELIHOODS
from aerec.network.network import Architecture, Network
from aerec.network.rows import DenseRows, SparseRows
from aerec.noise import MaskingNoise
from aerec.sparse import canonical_csr
from aerec.training.callbacks import Validator
from aerec.training.loop import Training
from aerec.training.optimizers import SCHEDULES
from aerec.training.trainer import CostWatch, StepOptions, Trainer, likely_cause

CPU = torch.device("cpu")
X = (np.random.default_rng(0).random((10, 8)) < 0.4).astype(np.float32)


def network(likelihood="gaussian", **choices):
    chosen = {"hidden": (4,), "activation": "tanh", **choices}
    architecture = Architecture(n_inputs=8, likelihood=LIKELIHOODS[likelihood], **chosen)
    return Network(architecture, torch.Generator().manual_seed(0))


def trainer(net, **changes):
    of_trainer = {"device": CPU, "seed": 0}
    of_trainer |= {name: changes.pop(name) for name in ("seed", "even_batches") if name in changes}
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


class Recorded:
    """Rows that remember which of them were asked for."""

    def __init__(self, rows):
        self.shape, self._rows, self.asked = rows.shape, rows, []

    def batch(self, chosen):
        self.asked.append(chosen.tolist())
        return self._rows.batch(chosen)


def state(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


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
    plain.optimizer = torch.optim.Adam(groups, lr=1e-2, fused=False, foreach=False)
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
    assert [len(chosen) for chosen in rows.asked] == [4, 4, 2, 4, 4, 2]
    assert runs.step == 6
    first, second = (list(itertools.chain(*asked)) for asked in (rows.asked[:3], rows.asked[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert first != list(range(10))


def test_even_batches_leave_no_small_rest():
    rows = Recorded(sparse_rows())
    trainer(network(), even_batches=True).run_epoch(rows)
    assert [len(chosen) for chosen in rows.asked] == [4, 3, 3]
    assert sorted(itertools.chain(*rows.asked)) == list(range(10))


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
    asked, original = [], Trainer.cost_of

    def watched(self, batch, kind, kl_weight):
        total, parts = original(self, batch, kind, kl_weight)
        asked.append((batch.n_rows, float(total.detach())))
        return total, parts

    monkeypatch.setattr(Trainer, "cost_of", watched)
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


# ---------------------------------------------------------------------- failures


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_cost_that_explodes_stops_training_with_place_and_cure(likelihood):
    net = network(likelihood)
    with pytest.raises(TrainingError) as raised:
        run(net, learning_rate=1e30)
    assert re.fullmatch(
        r"the cost became (nan|inf|\S+e\+\d+) in epoch 1, batch [23] of 3: lower learning_rate=1e\+30, to 1e\+29 say; "
        "nothing was learned",
        str(raised.value),
    )
    assert raised.value.records == []


class Poisoned(Trainer):
    """Loses its weights in epoch `at`."""

    at = 4

    def run_epoch(self, rows, steps):
        if self.epoch == self.at:
            with torch.no_grad():
                self.network.encoder_weights[0].fill_(torch.nan)
        return super().run_epoch(rows, steps)


@pytest.mark.parametrize(("values", "kept"), [(None, 2), ([1, 5, 2], 2)])  # what followed epoch 3 was seen to be bad
def test_a_training_that_fails_keeps_the_last_good_weights(monkeypatch, values, kept):
    expected = network()
    run(expected, epochs=kept)
    net = network()
    monkeypatch.setattr(sys.modules[__name__], "Trainer", Poisoned)
    with pytest.raises(TrainingError, match=rf"epoch 4, batch 1 of 3: .*those of epoch {kept}, are kept") as raised:
        run(net, values, patience=None)
    assert same(state(net), state(expected))
    assert [record["epoch"] for record in raised.value.records] == [1, 2, 3]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_metric_that_is_no_number_stops_training(value):
    with pytest.raises(TrainingError, match=r"script on the validation data became (nan|inf) after epoch 3.*epoch 2"):
        run(network(), [1.0, 2.0, value, 3.0])


def test_off_the_cpu_a_bad_cost_is_found_at_the_end_of_the_pass():
    watch = CostWatch(torch.device("meta"))
    for cost in (1.0, 3.0, float("nan"), 2.0):
        assert watch.see(torch.tensor(cost)) is None
    assert watch.end() == 3
    assert watch.end() is None


def test_a_cost_a_million_times_that_of_the_first_batch_has_exploded():
    watch = CostWatch(CPU)
    assert [watch.see(torch.tensor(cost)) for cost in (2.0, 1e6, -3e6)] == [None, None, 3]


@pytest.mark.parametrize(
    ("rows", "fresh", "said"),
    [
        (DenseRows(np.float32([[1, np.nan]]), CPU), False, "the input holds NaN or infinite values"),
        (DenseRows(np.float32([[1, -300]]), CPU), False, "the columns are not standardised, .* up to 300: .*Scaler"),
        (DenseRows(np.float32([[1, 2]]), CPU), True, "the weights were no finite numbers before"),
        (sparse_rows(100 * X), False, "the ratings are not scaled, values go up to 100"),
        (sparse_rows(), False, "lower learning_rate=0.5, to 0.05 say"),
    ],
)
def test_the_likely_cause(rows, fresh, said):
    assert re.match(said, likely_cause(rows, 0.5, fresh=fresh))


# ---------------------------------------------------------------------- epochs and early stopping


def run(net, values=None, *, higher_is_better=True, epochs=8, patience=2, **changes):
    """Train with a validator that reads its values from a list; return the history and the state of each epoch."""
    states, script = [], iter([] if values is None else values)

    def measure():
        states.append(state(net))
        return next(script)

    training = Training(trainer(net, **changes))
    validator = None if values is None else Validator("script", measure, higher_is_better)
    training.run(sparse_rows(), epochs, model=net, validator=validator, patience=patience)
    return pd.DataFrame(training.records), states


@pytest.mark.parametrize(
    ("values", "patience", "n_epochs", "best"),
    [
        ([1, 3, 2, 2.5, 9], 2, 4, 2),  # stops after two epochs without a better value
        ([1, 3, 2, 4, 3, 3, 9], 2, 6, 4),  # a better one in time starts the count anew
        ([2, 2, 2, 9], 2, 3, 1),  # an equal one is no improvement
        ([5, 4, 9], 1, 2, 1),
        ([1, 2, 3, 4, 5, 6, 7, 8], 2, 8, 8),
        ([5, 4, 3, 2, 1, 0, -1, -2], None, 8, 1),
        ([1, 2, 5, 4, 3, 3, 3, 3], 100, 8, 3),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_training_stops_after_patience_and_restores_the_best_epoch(values, patience, n_epochs, best, sign):
    net = network()
    history, states = run(net, [sign * v for v in values], higher_is_better=sign == 1, patience=patience)
    assert history["epoch"].tolist() == list(range(1, n_epochs + 1))
    assert history["script"].tolist() == [sign * v for v in values[:n_epochs]]
    assert not same(states[0], states[-1])
    assert same(state(net), states[best - 1])


def test_without_a_validator_the_last_epoch_stays():
    net, watched = network(), network()
    history, _ = run(net, epochs=4, patience=1)
    run(watched, [1, 2, 3, 4], epochs=4)
    assert len(history) == 4
    assert same(state(net), state(watched))


def test_the_history_has_a_row_per_epoch_and_a_column_per_part():
    names = ["epoch", "likelihood", "sparsity", "kl", "weight_decay", "cost"]
    history, _ = run(network(), epochs=3)
    assert list(history.columns) == [*names, "seconds"]
    watched, _ = run(network(), [1, 2, 3], epochs=3)
    assert list(watched.columns) == [*names, "script", "seconds"]
    assert watched[names].equals(history[names])
    assert (history["seconds"] >= 0).all()
    assert history["cost"].is_monotonic_decreasing


def test_the_cost_and_the_metric_are_logged_per_epoch(caplog):
    with caplog.at_level("INFO", logger="aerec"):
        run(network(), [0.25, 0.5], epochs=2)
    messages = [record.getMessage() for record in caplog.records]
    assert [message.split("  ")[0] for message in messages] == ["Network epoch 1/2", "Network epoch 2/2"]
    assert "script 0.5" in messages[1]
