"""`partial_fit`: n calls learn what a fit of n epochs learns, and the history grows by one row a call."""

import numpy as np
import pandas as pd
import pytest

from aerec.datasets import load_dataset
from aerec.models import CDAE, ELSA, AutoRec, MultVAE, RecVAE

QUICK = {"epochs": 4, "batch_size": 200, "progress": False, "device": "cpu"}
MODELS = {
    "mult-vae": lambda: MultVAE(hidden=(8, 4), kl_annealing_steps=9, **QUICK),
    "cdae": lambda: CDAE(hidden=8, **QUICK),
    "rec-vae": lambda: RecVAE(hidden=(8, 4), **QUICK),
    "elsa": lambda: ELSA(n_factors=8, **QUICK),
    "autorec": lambda: AutoRec(hidden=8, **QUICK),
}


@pytest.mark.parametrize("name", MODELS)
def test_as_many_calls_as_epochs_learn_the_same_to_the_bit(name):
    data = load_dataset("sample")
    data = data if name == "autorec" else data.binarize(4.0)
    whole, stepwise = MODELS[name]().fit(data), MODELS[name]()
    for _ in range(4):
        stepwise.partial_fit(data).score_items(data)
    np.testing.assert_array_equal(stepwise.score_items(data), whole.score_items(data))
    histories = [model.history_.drop(columns="seconds") for model in (stepwise, whole)]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    assert stepwise.n_iter_ == 4


def test_a_call_does_not_copy_the_history():
    data = load_dataset("sample").binarize(4.0)
    model = CDAE(hidden=4, **QUICK).partial_fit(data)
    first = model._records[0]
    model.partial_fit(data)
    assert model._records[0] is first
    assert model.history_["epoch"].tolist() == [1, 2]
