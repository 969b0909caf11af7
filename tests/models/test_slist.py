"""SLIST against its sources and targets written out row by row, in float64."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from aerec import Interactions, evaluate, load_model
from aerec.errors import DataError
from aerec.models import EASE, SLIST, Blend, RecencyWeighted
from aerec.models import slist as module
from aerec.splitting import LeaveLastOut


def events(n_users=40, n_items=15, seed=0, ratings=False):
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(rng.random((n_users, n_items)) < rng.uniform(0.05, 0.7, n_items))
    frame = pd.DataFrame({"user": pairs[:, 0], "item": pairs[:, 1], "timestamp": rng.permutation(len(pairs))})
    frame["rating"] = rng.integers(1, 6, len(pairs)) / 5 if ratings else 1.0
    return frame


def interactions(frame, n_items=15):
    return Interactions.from_frame(frame).with_items(pd.RangeIndex(n_items))


def rows(frame, half_life, n_items=15):
    """Return S and T: for each rating but the first of a user, what came before by age, and the rating."""
    sources, targets = [], []
    for _, history in frame.sort_values("timestamp").groupby("user"):
        x = np.zeros((len(history), n_items))
        x[np.arange(len(history)), history.item] = history.rating
        for place in range(1, len(history)):
            ages = np.arange(place)[::-1]
            sources.append(2.0 ** (-ages / half_life) @ x[:place])
            targets.append(x[place])
    return np.array(sources), np.array(targets)


def closed_form(frame, l2, half_life, share):
    X = interactions(frame).matrix.toarray().astype(np.float64)
    S, T = rows(frame, half_life)
    P = np.linalg.inv((1 - share) * X.T @ X + share * S.T @ S + l2 * np.eye(15))
    B = P @ ((1 - share) * X.T @ X + share * S.T @ T)
    return B - P * (np.diag(B) / np.diag(P)), X, S, T


@pytest.mark.parametrize("ratings", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("half_life", [1.0, 6.0])
def test_weights_are_the_closed_form(half_life, share, ratings, monkeypatch):
    monkeypatch.setattr(module, "_LEAST", 1e-12)
    frame = events(ratings=ratings)
    model = SLIST(l2=2.0, half_life=half_life, transitions=share).fit(interactions(frame))
    expected, *_ = closed_form(frame, 2.0, half_life, share)
    np.testing.assert_allclose(model.weights_, expected, atol=1e-5)
    if share == 0:
        np.testing.assert_allclose(model.weights_, EASE(l2=2.0).fit(interactions(frame)).weights_, atol=1e-5)


def test_no_weights_with_a_zero_diagonal_cost_less(monkeypatch):
    monkeypatch.setattr(module, "_LEAST", 1e-12)
    frame = events()
    B = SLIST(l2=2.0, half_life=3.0, transitions=0.6).fit(interactions(frame)).weights_.astype(np.float64)
    _, X, S, T = closed_form(frame, 2.0, 3.0, 0.6)

    def cost(B):
        return 0.4 * np.sum((X - X @ B) ** 2) + 0.6 * np.sum((T - S @ B) ** 2) + 2 * np.sum(B**2)

    rng = np.random.default_rng(1)
    for _ in range(20):
        step = 1e-2 * rng.standard_normal(B.shape)
        np.fill_diagonal(step, 0)
        assert cost(B + step) > cost(B)


@pytest.mark.parametrize("half_life", [1e15, 1e18])
def test_with_a_half_life_without_end_all_that_came_before_counts_the_same(half_life):
    frame = events()
    model = SLIST(l2=2.0, half_life=half_life, transitions=0.4).fit(interactions(frame))
    np.testing.assert_allclose(model.weights_, closed_form(frame, 2.0, half_life, 0.4)[0], atol=1e-5)


def test_pairs_far_apart_hardly_matter():
    frame = events(n_users=60)
    model = SLIST(l2=2.0, half_life=1.0, transitions=1.0).fit(interactions(frame))
    np.testing.assert_allclose(model.weights_, closed_form(frame, 2.0, 1.0, 1.0)[0], atol=0.02)


def test_a_history_is_weighted_by_its_age():
    data = interactions(events())
    model = SLIST(l2=2.0, half_life=2.0).fit(data)
    history = {"x": [3, 9, 4]}
    row = np.zeros(15)
    row[[3, 9, 4]] = 0.5, 0.5**0.5, 1
    np.testing.assert_allclose(model.score_items(history)[0], row @ model.weights_, rtol=1e-4, atol=1e-6)
    terms = model.explain({"x": [3, 9]}, 5).set_index("item")["contribution"]
    assert terms[9] == pytest.approx(model.weights_[9, 5], abs=1e-6)
    assert terms[3] == pytest.approx(0.5**0.5 * model.weights_[3, 5], abs=1e-6)


def walks(n_users=200, seed=0):
    """Return users who go round twelve items, from anywhere, and leave some out."""
    rng = np.random.default_rng(seed)
    places = [(user, (rng.integers(12) + np.flatnonzero(rng.random(8) < 0.8)) % 12) for user in range(n_users)]
    frame = pd.concat([pd.DataFrame({"user": user, "item": items}) for user, items in places])
    return Interactions.from_frame(frame.assign(timestamp=np.arange(len(frame))), rating=None)


def test_it_learns_what_comes_next_where_ease_cannot():
    split = LeaveLastOut(validation=False).split(walks())
    mean = [
        evaluate(model.fit(split.train), split.test, ("ndcg@3",)).mean["ndcg@3"]
        for model in (SLIST(l2=1.0, half_life=1.0), RecencyWeighted(EASE(l2=1.0), half_life=1.0))
    ]
    assert mean[0] > 0.8
    assert mean[0] > mean[1] + 0.05


def test_similar_items_are_those_that_follow():
    model = SLIST(l2=1.0, half_life=1.0, transitions=1.0).fit(walks())
    assert model.similar_items([3, 11], k=1)["similar"].tolist() == [4, 0]


def test_the_order_of_ratings_of_one_time_is_drawn_by_the_seed():
    frame = events()
    frame["timestamp"] //= 50
    data = interactions(frame)
    same, other = SLIST(l2=2.0).fit(data), SLIST(l2=2.0, seed=1).fit(data)
    np.testing.assert_array_equal(SLIST(l2=2.0).fit(data).weights_, same.weights_)
    assert np.abs(other.weights_ - same.weights_).max() > 1e-3


def test_data_without_times_are_refused():
    frame = events().drop(columns="timestamp")
    for data in (Interactions.from_frame(frame), Interactions.from_frame(frame).matrix):
        with pytest.raises(DataError, match="no times: give an Interactions with timestamps, or take EASE"):
            SLIST().fit(data)
    model = SLIST().fit(interactions(events()))
    with pytest.raises(DataError, match="no times"):
        model.recommend(interactions(frame))


@pytest.mark.parametrize("bad", [{"l2": 0.0}, {"half_life": 0.0}, {"transitions": 1.5}, {"seed": -1}])
def test_parameters_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        SLIST(**bad).fit(interactions(events()))


def test_it_keeps_the_contract_of_a_model_that_needs_times(tmp_path):
    data = interactions(events())
    model = SLIST(l2=2.0).fit(data)
    scores = model.score_items(data)
    assert scores.shape == data.shape
    assert np.isfinite(scores).all()
    alone = [model.score_items(data.select_users([user])) for user in data.users]
    np.testing.assert_allclose(np.concatenate(alone), scores, rtol=1e-4, atol=1e-6)
    lists = model.recommend(data, k=5)
    seen = set(data.to_frame()[["user", "item"]].itertuples(index=False, name=None))
    assert not seen & set(lists[["user", "item"]].itertuples(index=False, name=None))
    assert model.recommend({"nobody": []}, k=2)["item"].tolist() == np.argsort(-model.popularity_)[:2].tolist()
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score_items(data), scores)
    assert loaded.get_params() == model.get_params()


def test_it_blends_and_takes_new_items():
    data = interactions(events())
    both = Blend([SLIST(l2=2.0), EASE(l2=2.0)], weights=[1, 0]).fit(data)
    np.testing.assert_array_equal(both.rank(data, 5)[0], SLIST(l2=2.0).fit(data).rank(data, 5)[0])
    features = sp.csr_array(np.random.default_rng(0).random((17, 4)))
    wide = data.with_items(pd.RangeIndex(17)).with_item_features(features)
    model = SLIST(l2=2.0).fit(data).add_items(wide)
    assert model.score_items({"x": [3, 16]}).shape == (1, 17)
