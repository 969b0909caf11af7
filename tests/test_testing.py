"""check_recommender: every model of the registry passes, and each kind of fault is found and named."""

from __future__ import annotations

import importlib.util
import inspect

import numpy as np
import pytest

from aerec.baselines import BiasedMF, Popularity
from aerec.models import EASE, AutoRec, RatingBlend
from aerec.registry import MODELS
from aerec.testing import check_recommender

QUICK = {"epochs": 2, "progress": False, "hidden": 6, "n_factors": 4, "l2": 5.0, "k": 5, "batch_size": 16}
NEED_IMPLICIT = {"als", "bpr"}


def quick(model_class):
    if model_class is RatingBlend:
        return RatingBlend([quick(AutoRec), quick(BiasedMF)])
    known = inspect.signature(model_class).parameters
    return model_class(**{name: value for name, value in QUICK.items() if name in known})


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_keeps_the_contract(name):
    if name in NEED_IMPLICIT and importlib.util.find_spec("implicit") is None:
        pytest.skip("needs the package implicit")
    check_recommender(quick(MODELS[name]))


class LeaksSeenItems(EASE):
    def rank(self, history, k=10, exclude_seen=True, **more):
        return super().rank(history, k, False, **more)


class ScoresNaN(Popularity):
    def _score(self, history, known_users):
        scores = super()._score(history, known_users)
        scores[np.diff(history.indptr) == 0] = np.nan
        return scores


class NormalisesTheBatch(EASE):
    def _score(self, history, known_users):
        scores = super()._score(history, known_users)
        return scores / (1 + np.abs(scores).max())


class ForgetsToSave(EASE):
    def _state(self):
        header, arrays = super()._state()
        arrays["weights_"] = arrays["weights_"].astype(np.float16).astype(np.float32)
        return header, arrays


class ChangesParameters(EASE):
    def __init__(self, l2=500.0):
        self.l2 = float(l2) + 1


class LearnsAtRandom(EASE):
    def _fit(self, train, validation):
        super()._fit(train, validation)
        self.weights_ *= np.random.default_rng().random()


class WritesIntoItsInput(EASE):
    def fit(self, train, validation=None):
        if isinstance(train, np.ndarray):
            train[train > 0] = 1
        return super().fit(train, validation)


class ReadsTheOrder(EASE):
    def score_items(self, history):
        return super().score_items(history) * np.arange(1, history.shape[0] + 1)[:, None].astype(np.float32)


class IgnoresBlocked(EASE):
    def rank(self, history, k=10, exclude_seen=True, *, block_items=None, **more):
        return super().rank(history, k, exclude_seen, **more)


class LosesTimes(EASE):
    def score_items(self, history):
        if getattr(history, "timestamps", None) is not None and history.shape[0] == 1:
            history = history.matrix * 2
        return super().score_items(history)


class RefusesEmptyHistories(EASE):
    def _score(self, history, known_users):
        if history.nnz == 0:
            raise ValueError("no history")
        return super()._score(history, known_users)


@pytest.mark.parametrize(
    ("model", "check"),
    [
        (LeaksSeenItems(), "seen items are left out"),
        (ScoresNaN(), "scores are finite numbers"),
        (NormalisesTheBatch(), "a batch of users equals one by one"),
        (ForgetsToSave(), "a saved model scores exactly as before"),
        (ChangesParameters(), "parameters are stored unchanged"),
        (LearnsAtRandom(), "a second fit gives the same scores"),
        (WritesIntoItsInput(), "fit leaves its input"),
        (ReadsTheOrder(), "the order of a history does not matter"),
        (IgnoresBlocked(), "allowed and blocked items are obeyed"),
        (RefusesEmptyHistories(), "ValueError: no history"),
        (LosesTimes(), "histories with times are scored.*users with times one by one"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, EASE | Popularity) else "",
)
def test_a_broken_model_fails_the_check_that_names_its_fault(model, check):
    with pytest.raises(AssertionError, match=f"{type(model).__name__} fails the check .*{check}"):
        check_recommender(model)


def test_the_estimator_given_is_not_fitted():
    model = Popularity()
    check_recommender(model)
    assert not hasattr(model, "popularity_")
