"""RecencyWeighted against histories that were weighted by hand."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from aerec import Interactions, load_model
from aerec.baselines import BiasedMF, ItemKNN, UserKNN
from aerec.errors import DataError
from aerec.models import EASE, Blend, MultDAE, RecencyWeighted
from aerec.recommender.new_history import RatingScale, histories_of

DAY = 86_400


def events(n_users=40, n_items=20, seed=0):
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(rng.random((n_users, n_items)) < 0.35)
    days = rng.permutation(len(pairs))
    return pd.DataFrame({"user": pairs[:, 0], "item": pairs[:, 1], "timestamp": days * DAY})


@pytest.fixture
def data():
    return Interactions.from_frame(events(), rating=None)


def weighted_by_hand(data, age, half_life):
    frame = data.to_frame()
    frame["rating"] = 2.0 ** (-age(frame) / half_life)
    return Interactions.from_frame(frame.drop(columns="timestamp")).with_items(data.items).matrix


AGES = {
    "positions": lambda frame: frame.groupby("user").timestamp.rank(ascending=False) - 1,
    "days": lambda frame: (frame.groupby("user").timestamp.transform("max") - frame.timestamp) / DAY,
}


@pytest.mark.parametrize("unit", AGES)
@pytest.mark.parametrize("model", [EASE(l2=3.0), ItemKNN(k=5), MultDAE(hidden=4, epochs=1, progress=False)], ids=str)
def test_a_history_is_weighted_by_its_age(data, model, unit):
    half_life = {"positions": 2.0, "days": 90.0}[unit]
    recent = RecencyWeighted(model, half_life, unit).fit(data)
    history = weighted_by_hand(data, AGES[unit], half_life)
    np.testing.assert_allclose(recent.score_items(data), recent.model_.score_items(history), rtol=1e-4, atol=1e-6)
    found, scores = recent.rank(data, 5)
    expected, expected_scores = recent.model_.rank(history, 5)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-4, atol=1e-6)


def test_ratings_of_the_same_time_are_of_the_same_age():
    frame = pd.DataFrame({"user": 0, "item": list("abcd"), "timestamp": [7, 7, 7, 9]})
    data = Interactions.from_frame(frame, rating=None)
    model = RecencyWeighted(EASE(l2=1.0, diagonal=1.0), half_life=1.0).fit(data)
    terms = model.explain(data, "d").set_index("item")["contribution"]
    plain = model.model_.explain(data, "d").set_index("item")["contribution"]
    np.testing.assert_allclose(terms[list("abcd")] / plain[list("abcd")], [0.25, 0.25, 0.25, 1], rtol=1e-5)


def test_a_long_half_life_changes_nothing(data):
    recent, plain = RecencyWeighted(EASE(l2=3.0), half_life=1e9).fit(data), EASE(l2=3.0).fit(data)
    np.testing.assert_allclose(recent.score_items(data), plain.score_items(data), rtol=1e-5, atol=1e-7)


def test_lists_count_in_the_order_given(data):
    model = RecencyWeighted(EASE(l2=3.0), half_life=1.0).fit(data)
    forwards, backwards = (histories_of({"x": items}, data.items, RatingScale()).seen for items in ([3, 9], [9, 3]))
    row = sp.csr_array(([0.5, 1.0], [3, 9], [0, 2]), shape=(1, 20))
    np.testing.assert_allclose(model.score_items(forwards), model.model_.score_items(row), rtol=1e-5, atol=1e-7)
    row = sp.csr_array(([1.0, 0.5], [3, 9], [0, 2]), shape=(1, 20))
    np.testing.assert_allclose(model.score_items(backwards), model.model_.score_items(row), rtol=1e-5, atol=1e-7)


def test_a_dict_of_lists_counts_in_the_order_given(data):
    model = RecencyWeighted(EASE(l2=3.0), half_life=1.0).fit(data)
    row = sp.csr_array(([0.5, 1.0], [3, 9], [0, 2]), shape=(1, 20))
    np.testing.assert_allclose(model.score_items({"x": [3, 9]}), model.model_.score_items(row), rtol=1e-5, atol=1e-7)


def test_a_history_without_times_is_refused(data):
    model = RecencyWeighted().fit(data)
    without = Interactions.from_frame(events().drop(columns="timestamp"), rating=None)
    for history in (without, data.matrix):
        with pytest.raises(DataError, match="no times: give an Interactions with timestamps"):
            model.recommend(history)
    empty_or_one = sp.csr_array(([1.0], [4], [0, 0, 1]), shape=(2, 20))
    assert model.rank(empty_or_one, 3)[0].shape == (2, 3)


def test_users_one_by_one_and_seen_items(data):
    model = RecencyWeighted(UserKNN(k=5), half_life=2.0).fit(data)
    together = model.score_items(data)
    alone = [model.score_items(data.select_users([user])) for user in data.users]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=1e-5)
    lists = model.recommend(data, k=5)
    seen = set(data.to_frame()[["user", "item"]].itertuples(index=False, name=None))
    assert not seen & set(lists[["user", "item"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("model", [None, UserKNN(k=5), Blend([EASE(), ItemKNN()])], ids=str)
def test_a_saved_model_scores_as_before(data, model, tmp_path):
    recent = RecencyWeighted(model, half_life=3.0, unit="days").fit(data)
    recent.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score_items(data), recent.score_items(data))
    assert (loaded.half_life, loaded.unit) == (3.0, "days")


def test_a_blend_of_it_knows_the_times(data):
    both = Blend([RecencyWeighted(EASE(l2=3.0), half_life=1.0), EASE(l2=3.0)], weights=[1, 0]).fit(data)
    alone = RecencyWeighted(EASE(l2=3.0), half_life=1.0).fit(data)
    np.testing.assert_array_equal(both.rank(data, 5)[0], alone.rank(data, 5)[0])


def test_what_predicts_ratings_is_refused(data):
    with pytest.raises(ValueError, match="BiasedMF predicts ratings"):
        RecencyWeighted(BiasedMF()).fit(data)


@pytest.mark.parametrize("bad", [{"half_life": 0.0}, {"unit": "weeks"}, {"model": "ease"}])
def test_parameters_out_of_range_are_refused(data, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        RecencyWeighted(**bad).fit(data)
