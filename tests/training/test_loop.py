"""The loop: scripted early stopping, failures and what they leave, the history."""

import re

import numpy as np
import pandas as pd
import pytest
import small_training
import torch
from small_training import network, same, sparse_rows, state, trainer

from aerec.errors import TrainingError
from aerec.likelihood import LIKELIHOODS
from aerec.training.callbacks import Validator
from aerec.training.loop import train
from aerec.training.trainer import Trainer

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
    monkeypatch.setattr(small_training, "Trainer", Poisoned)
    with pytest.raises(TrainingError, match=rf"epoch 4, batch 1 of 3: .*those of epoch {kept}, are kept") as raised:
        run(net, values, patience=None)
    assert same(state(net), state(expected))
    assert [record["epoch"] for record in raised.value.records] == [1, 2, 3]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_metric_that_is_no_number_stops_training(value):
    with pytest.raises(TrainingError, match=r"script on the validation data became (nan|inf) after epoch 3.*epoch 2"):
        run(network(), [1.0, 2.0, value, 3.0])


# ---------------------------------------------------------------------- epochs and early stopping


def run(net, values=None, *, higher_is_better=True, epochs=8, patience=2, **changes):
    """Train with a validator that reads its values from a list; return the history and the state of each epoch."""
    states, script = [], iter([] if values is None else values)

    def measure():
        states.append(state(net))
        return next(script)

    records = []
    validator = None if values is None else Validator("script", measure, higher_is_better)
    train(trainer(net, **changes), sparse_rows(), epochs, records, model=net, validator=validator, patience=patience)
    return pd.DataFrame(records), states


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
