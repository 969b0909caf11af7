"""Callbacks: what they are told, of every model that learns in epochs, and how a training ended."""

import numpy as np
import pandas as pd
import pytest
import torch

from aerec.datasets import load_dataset
from aerec.errors import TrainingError
from aerec.models import CDAE, ELSA, AutoRec, MultDAE, MultVAE, RecVAE
from aerec.recommender.id_matching import IdMatching
from aerec.splitting import RandomHoldout
from aerec.training.callbacks import BestEpoch, Callback

QUICK = {"epochs": 3, "batch_size": 400, "progress": False, "device": "cpu"}
MODELS = {
    "mult-vae": lambda: MultVAE(hidden=4, **QUICK),
    "cdae": lambda: CDAE(hidden=4, **QUICK),
    "rec-vae": lambda: RecVAE(hidden=(4, 2), **QUICK),
    "elsa": lambda: ELSA(n_factors=4, **QUICK),
    "autorec": lambda: AutoRec(hidden=4, **QUICK),
}


class Recorder(Callback):
    def __init__(self):
        self.records, self.weights, self.ended = [], [], []

    def epoch_done(self, record, model):
        self.records.append(dict(record))
        self.weights.append(model.coefs_[0])

    def training_done(self, model, finished):
        self.ended.append(finished)


@pytest.fixture(scope="module")
def split():
    return RandomHoldout(seed=1).split(load_dataset("sample"))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_tells_its_history_row_by_row(split, name):
    told, model = Recorder(), MODELS[name]()
    parts = (split.train, split.validation)
    if name != "autorec":
        parts = (parts[0].binarize(4.0), None)
    model.fit(*parts, callbacks=[told])
    pd.testing.assert_frame_equal(pd.DataFrame(told.records), model.history_)
    assert told.ended == [True]
    assert len({weights.tobytes() for weights in told.weights}) == 3  # those of the moment


def test_a_callback_changes_nothing(split):
    plain, watched = (CDAE(hidden=4, **QUICK) for _ in range(2))
    plain.fit(split.train.binarize(4.0))
    watched.fit(split.train.binarize(4.0), callbacks=[Recorder()])
    np.testing.assert_array_equal(plain.coefs_[0], watched.coefs_[0])


def test_a_training_that_fails_is_told_as_such(split):
    told = Recorder()
    with pytest.raises(TrainingError):
        AutoRec(hidden=4, **{**QUICK, "epochs": 50}, learning_rate=1e30).fit(split.train, callbacks=[told])
    assert told.ended == [False]


def test_after_a_resumption_only_the_epochs_that_are_done_are_told(split, tmp_path):
    class Stop(Exception):
        pass

    class Stopping(Callback):
        def epoch_done(self, record, model):
            if record["epoch"] == 2:
                raise Stop

    likes = split.train.binarize(4.0)
    with pytest.raises(Stop):
        CDAE(hidden=4, **QUICK).fit(likes, checkpoint=tmp_path, callbacks=[Stopping()])
    told = Recorder()
    CDAE(hidden=4, **QUICK).fit(likes, checkpoint=tmp_path, callbacks=[told])
    assert [one["epoch"] for one in told.records] == [2, 3]  # epoch 2 had not been written


def test_what_is_no_callback_is_refused_before_training(split):
    with pytest.raises(TypeError, match=r"a callback is an aerec.training.callbacks.Callback, got <built-in function"):
        CDAE(hidden=4, **QUICK).fit(split.train.binarize(4.0), callbacks=[print])


class Scripted(Callback):
    """Writes down what it is told; stops after `epochs` epochs."""

    def __init__(self, log, name, epochs=99):
        self.log, self.name, self.left = log, name, epochs

    def training_begins(self, model):
        self.log.append((self.name, "begins"))

    def wants_to_stop(self):
        return self.left == 0

    def epoch_done(self, record, model):
        self.left -= 1
        self.log.append((self.name, record["epoch"]))

    def training_done(self, model, finished):
        self.log.append((self.name, finished))


def test_callbacks_are_told_in_their_order_and_one_can_stop_the_training(split):
    log = []
    model = CDAE(hidden=4, **QUICK)
    model.fit(split.train.binarize(4.0), callbacks=[Scripted(log, "a"), Scripted(log, "b", epochs=2)])
    told = ["begins", 1, 2, True]
    assert log == [(name, what) for what in told for name in ("a", "b")]
    assert model.n_iter_ == 2


def test_each_callback_is_told_of_the_end_also_where_another_one_fails():
    class Broken(Callback):
        def training_begins(self, model):
            raise OSError("no space")

        def training_done(self, model, finished):
            raise ValueError("broken twice")

    log, model = [], CDAE(hidden=4, **QUICK)
    with pytest.raises((OSError, ValueError)):
        model.fit(load_dataset("sample").binarize(4.0), callbacks=[Scripted(log, "a"), Broken(), Scripted(log, "b")])
    assert log == [("a", "begins"), ("a", False), ("b", False)]


def test_the_users_of_the_validation_data_are_matched_once(split, monkeypatch):
    match, calls = IdMatching.match, []
    monkeypatch.setattr(IdMatching, "match", lambda ids, history: calls.append(1) or match(ids, history))

    def matched(epochs):
        calls.clear()
        ELSA(n_factors=4, epochs=epochs, progress=False, device="cpu").fit(split.train, split.validation)
        return len(calls)

    assert matched(epochs=2) == matched(epochs=5)


@pytest.mark.parametrize(("least", "ends"), [(0, 3), (7, 7)])
def test_patience_ends_none_of_the_least_epochs(least, ends):
    best = BestEpoch(torch.nn.Linear(2, 2), "ndcg", higher_is_better=True, patience=2, least_epochs=least)
    epoch = 0
    while not best.wants_to_stop():
        epoch += 1
        best.epoch_done({"epoch": epoch, "ndcg": 0.3}, None)  # a plateau
    assert (epoch, best.kept.epoch) == (ends, 1)


def test_a_preset_that_follows_the_data_trains_as_long_as_without_validation(split):
    parts = split.train.binarize(4.0), split.validation
    model = MultDAE(hidden=4, patience=1, progress=False)
    alone = model.fit(parts[0]).n_iter_
    assert model.fit(*parts).n_iter_ >= alone > 2
    assert model.set_params(epochs=50, learning_rate=1e-9).fit(*parts).n_iter_ < alone


def test_a_metric_that_ranks_all_items_is_refused_before_the_training(split):
    model = MultDAE(hidden=4, validation_metric="auc", **QUICK)
    with pytest.raises(ValueError, match="auc ranks all items"):
        model.fit(split.train.binarize(4.0), split.test)
    assert not hasattr(model, "network_")


def test_the_best_epoch_of_another_network_is_refused():
    best = BestEpoch(torch.nn.Linear(2, 3), "ndcg@10", True, 3)
    best.epoch_done({"epoch": 1, "ndcg@10": 0.5}, None)
    with pytest.raises(ValueError, match="of another network"):
        BestEpoch(torch.nn.Linear(3, 2), "ndcg@10", True, 3).load_state_dict(best.state_dict())
