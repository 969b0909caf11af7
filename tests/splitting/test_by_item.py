"""ColdItems: nothing of what is held out is in the training data, and only it is ranked."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_data import generated, rows

from aerec import Interactions, evaluate
from aerec.baselines import Popularity
from aerec.errors import DataError
from aerec.models import EASE, Blend, MultDAE
from aerec.splitting import ColdItems

fractions = st.integers(1, 8).map(lambda n: n / 10)
seeds = st.integers(0, 2**32 - 1)


@given(fractions, st.sampled_from([0.0, 0.1, 0.5]), seeds)
@settings(deadline=None, max_examples=40)
def test_cold_items_are_rated_by_nobody_in_training(fraction, validation_fraction, seed):
    data = generated()
    split = ColdItems(fraction, validation_fraction, seed).split(data)
    holdouts = [one for one in (split.validation, split.test) if one is not None]
    assert len(holdouts) == 1 + bool(validation_fraction)
    assert rows(split.train, *(one.target for one in holdouts)) == rows(data)
    n_test, n_items = len(split.test.candidates), data.shape[1]
    assert n_test == max(1, round(fraction * n_items))
    if validation_fraction:
        assert len(split.validation.candidates) == max(1, round(validation_fraction * (n_items - n_test)))
        assert not split.validation.candidates.isin(split.test.candidates).any()
    for holdout in holdouts:
        assert rows(holdout.history) == rows(split.train)
        assert set(holdout.target.to_frame()["item"]) == set(holdout.candidates)
        assert not set(split.train.to_frame()["item"]) & set(holdout.candidates)
    assert split.train.items.equals(data.items)


def test_items_without_a_rating_are_not_held_out():
    data = generated()
    data = data.with_items(data.items.append(pd.Index(range(900, 1000))))
    split = ColdItems(0.5).split(data)
    assert len(split.test.candidates) == 10
    assert split.test.candidates.max() < 900


def test_only_the_cold_items_are_ranked_in_an_evaluation():
    """Ranked among themselves, the cold items fill the list; among all, what is rated stands before them."""
    split = ColdItems(0.2, 0.0).split(generated())
    model = Popularity().fit(split.train)
    assert len(split.test.candidates) == 4
    assert evaluate(model, split.test, "recall@4")["recall@4"] == 1.0
    plain = evaluate(model, (split.test.history, split.test.target), "recall@4")
    assert plain["recall@4"] < 0.5


def test_models_that_watch_validation_data_rank_only_its_cold_items():
    split = ColdItems(0.1, 0.2).split(generated())
    autoencoder = MultDAE(hidden=4, epochs=3, validation_metric="recall@2", progress=False)
    autoencoder.fit(split.train, split.validation)
    watched = autoencoder.history_["recall@2"].max()
    assert watched == evaluate(autoencoder, split.validation, "recall@2")["recall@2"]
    blend = Blend([EASE(), Popularity()], validation_metric="recall@2")
    values = blend.fit(split.train, split.validation)._measure(np.eye(2), split.validation, "recall", 2)
    n_users = np.count_nonzero(np.diff(split.validation.target.matrix.indptr))
    alone = [evaluate(model, split.validation, "recall@2")["recall@2"] for model in blend.models_]
    assert values / n_users == pytest.approx(alone)


def test_something_is_left_to_train_on():
    one = Interactions.from_frame(pd.DataFrame({"user": [1], "item": [2], "rating": [1.0]}))
    with pytest.raises(DataError, match=r"holding out 1 \+ 0 of 1 .* leaves none to train on"):
        ColdItems(0.5, 0.0).split(one)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ColdItems(0.0), r"fraction must be in \(0, 1\), got 0.0"),
        (lambda: ColdItems(0.1, 1.0), r"validation_fraction must be in \[0, 1\), got 1.0"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()
