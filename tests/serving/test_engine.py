"""A loaded run answers what the library answers."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.baselines import BiasedMF, ItemKNN, Popularity, UserKNN
from aerec.models import CDAE, EASE, ELSA, MultDAE
from aerec.serving import Engine, Filters
from aerec.serving.problems import RequestError

MODELS = [
    EASE(l2=20.0),
    ELSA(n_factors=8, epochs=2, progress=False),
    MultDAE(hidden=8, epochs=2, progress=False),
    CDAE(hidden=8, epochs=2, progress=False),
    ItemKNN(k=10),
    UserKNN(k=10),
    Popularity(),
]


def a_history(data, columns):
    matrix = np.zeros((1, data.shape[1]), dtype=np.float32)
    matrix[0, columns] = 1
    return Interactions(matrix, pd.Index([10**6]), data.items, item_names=data.item_names)


def told(frame):
    return frame["item"].tolist(), frame["score"].tolist()


def answered(items):
    return [one["item"] for one in items], pytest.approx([one["score"] for one in items], abs=1e-5)


@pytest.mark.parametrize("model", MODELS, ids=lambda one: type(one).__name__)
def test_recommendations_and_reasons_are_those_of_the_library(model, likes, save_run, tmp_path):
    model.fit(likes)
    engine = Engine(save_run(tmp_path / "run", model, likes, threshold=4.0))
    history = a_history(likes, [3, 8, 21])
    liked = [(int(likes.items[at]), None) for at in (21, 3, 8)]
    found = engine.recommend(liked, k=7, explain=True)
    assert told(model.recommend(history, k=7)) == answered(found)
    for one in found:
        terms = model.explain(history, one["item"], 3)
        terms = terms[terms["contribution"] > 1e-6]
        because = [reason for reason in one["because"] if reason["weight"] > 1e-6]
        assert [reason["item"] for reason in because] == terms["item"].tolist()
        assert [reason["weight"] for reason in because] == pytest.approx(terms["contribution"].tolist(), abs=1e-5)
        assert [reason["title"] for reason in because] == [likes.item_names[item] for item in terms["item"]]
    user = likes.users[5]
    assert told(model.recommend(likes.select_users([user]), k=6)) == answered(engine.recommend_to(int(user), k=6))
    by_text = engine.recommend_to(str(user), k=6, explain=True)
    assert [one["item"] for one in by_text] == [one["item"] for one in engine.recommend_to(user, k=6)]
    assert len(engine.recommend([], k=3, explain=True)) == 3
    similar = engine.similar(int(likes.items[3]), k=5)
    assert all(one["score"] > 0 and one["item"] != likes.items[3] for one in similar)
    assert bool(similar) == (not isinstance(model, Popularity))  # to which all items are alike


def test_filters_and_what_has_been_seen(engine, likes):
    ids = likes.items.tolist()
    every = engine.recommend([(ids[0], None), (ids[1], 1.0)], k=100)
    assert {one["item"] for one in every} == set(ids[2:])
    genre = every[0]["genres"][0]
    some = engine.recommend([(ids[0], None)], 100, Filters(genres=[genre], block=[every[0]["item"]]))
    assert some
    assert all(genre in one["genres"] and one["item"] != every[0]["item"] for one in some)
    assert [one["because"] for one in some] == [None] * len(some)
    assert engine.recommend([(ids[0], None)], 5, Filters(allow=[ids[0]])) == []


def test_a_model_of_likes_reads_ratings_by_the_threshold(engine, likes):
    ids = likes.items[:3].tolist()
    liked = engine.recommend([(ids[0], None), (ids[1], 4.0), (ids[2], 3.9)], 10, explain=True)
    assert liked == engine.recommend([(ids[0], 5.0), (ids[1], None), (ids[2], 0.0)], 10, explain=True)
    named = {reason["item"] for one in liked for reason in one["because"]}
    assert named <= set(ids[:2])
    assert ids[2] not in {one["item"] for one in liked}
    assert engine.describe() == {
        "name": "ease",
        "n_items": likes.shape[1],
        "n_users": likes.shape[0],
        "likes": True,
        "threshold": 4.0,
        "rating_range": None,
        "stars": None,
        "n_code": None,
        "steerable": False,
    }


def test_a_model_of_ratings_reads_them_as_they_are(films, save_run, tmp_path):
    model = BiasedMF(n_factors=4, epochs=2).fit(films)
    engine = Engine(save_run(tmp_path / "run", model, films))
    assert engine.describe()["stars"] == [1, 2, 3, 4, 5]
    assert engine.describe()["rating_range"] == [1.0, 5.0]
    ids = films.items[:2].tolist()
    row = np.zeros((1, films.shape[1]), dtype=np.float32)
    row[0, :2] = 2, 5
    history = Interactions(row, [10**6], films.items)
    assert told(model.recommend(history, k=4)) == answered(engine.recommend([(ids[1], None), (ids[0], 2.0)], 4))
    with pytest.raises(RequestError, match="rating 7 is outside of the scale of this model, 1 to 5"):
        engine.recommend([(ids[0], 7.0)])


def test_an_item_twice_and_unknown_users_are_refused(engine, likes):
    item = int(likes.items[0])
    with pytest.raises(RequestError, match=f"history names item {item} twice"):
        engine.recommend([(item, None), (item, 2.0)])
    for user in ("nobody", 10**30, "-5", "9" * 18):
        with pytest.raises(RequestError, match="unknown user") as raised:
            engine.recommend_to(user)
        assert raised.value.status == 404


def test_explanations_are_for_histories_up_to_the_length_of_a_request(engine, likes, monkeypatch):
    user = int(likes.users[0])
    monkeypatch.setattr("aerec.serving.engine.MAX_HISTORY", 2)
    with pytest.raises(RequestError, match=f"user {user} has .* items, explain is for at most 2: ask without it"):
        engine.recommend_to(user, explain=True)
    assert engine.recommend_to(user, 1)


def test_ids_of_text(save_run, tmp_path):
    data = Interactions(np.eye(3) + np.eye(3, k=1), list("abc"), ["x/1", "2", "é"])
    engine = Engine(save_run(tmp_path / "run", EASE(l2=1.0).fit(data), data))
    assert {one["item"] for one in engine.recommend([("x/1", None)])} == {"2", "é"}
    assert {one["item"] for one in engine.recommend([(2, None)])} == {"x/1", "é"}
    assert engine.recommend_to("a")[0]["item"] == "é"


def test_many_threads_get_what_one_gets(likes, save_run, tmp_path):
    model = MultDAE(hidden=16, epochs=1, progress=False).fit(likes)
    engine = Engine(save_run(tmp_path / "run", model, likes))
    histories = [[(int(likes.items[at]), None), (int(likes.items[at + 1]), None)] for at in range(50)]
    alone = [engine.recommend(one, 5, explain=True) for one in histories]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda one: engine.recommend(one, 5, explain=True), histories)) == alone
