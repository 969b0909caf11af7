"""A subclass may settle parameters of its base, so that they are no parameters of its own: each model goes on."""

import inspect

import numpy as np
import pytest
from small_models import PARTS

from aerec import load_model
from aerec.datasets import load_dataset
from aerec.registry import MODELS

QUICK = {"epochs": 2, "progress": False, "hidden": 4, "n_factors": 4, "n_units": 8, "n_active": 2, "device": "cpu"}


def settled(name):
    """Return a subclass of a model that has one parameter, which its base has not, and a model of the base like it."""
    model_class = MODELS[name]
    names = inspect.signature(model_class).parameters
    values = {name: value for name, value in QUICK.items() if name in names} | PARTS.get(name, {})

    class Settled(model_class):
        def __init__(self, extra=1):
            super().__init__(**values)
            self.extra = extra

    return Settled, model_class(**values)


@pytest.fixture(scope="module")
def ratings():
    everything = load_dataset("sample")
    return everything.select_users(everything.users[:60])


@pytest.mark.filterwarnings("ignore:.*vanished:UserWarning")
@pytest.mark.parametrize("name", MODELS)
def test_it_fits_scores_saves_and_learns_on_as_its_base_does(name, ratings, tmp_path):
    data = ratings if name == "rating-blend" else ratings.binarize(3.0)
    model_class, base = settled(name)
    model, history = model_class().fit(data), data.select_users(data.users[:5])
    base.fit(data)
    np.testing.assert_array_equal(model.score_items(history), base.score_items(history))
    model.set_params(extra=2)
    assert model.explain(history.select_users(history.users[:1]), data.items[2]).notna().all(axis=None)
    model.save(tmp_path)
    loaded = load_model(tmp_path, models=[model_class])
    assert loaded.extra == 2
    np.testing.assert_array_equal(loaded.score_items(history), base.score_items(history))
    if hasattr(model, "partial_fit"):
        for learner in (model.set_params(extra=1), loaded.set_params(extra=1), base):
            learner.partial_fit(data)
        np.testing.assert_array_equal(model.score_items(history), base.score_items(history))
