"""The units behind a recommendation are those of explain_code, and say what describe_code says."""

import pytest

from aerec import Interactions
from aerec.models import AutoRec, MultVAE, SparseAutoencoder
from aerec.serving import Engine
from aerec.sparsity import TopKSparsity

SPARSE = SparseAutoencoder(hidden=24, activation="relu", sparsity=TopKSparsity(6), epochs=10, progress=False)
DEEP = MultVAE(hidden=(16, 6), epochs=3, progress=False)


@pytest.mark.parametrize("model", [SPARSE, DEEP], ids=["sparse", "deep and signed"])
def test_units_are_those_of_the_library(model, likes, save_run, tmp_path):
    model.fit(likes)
    engine = Engine(save_run(tmp_path / "run", model, likes))
    assert engine.describe()["n_code"] == (24 if model is SPARSE else 6)
    counts = likes.to_frame()["item"].value_counts().reindex(likes.items, fill_value=0)
    median = counts.median()
    user = likes.users[7]
    history = likes.select_users([user])
    found = engine.recommend_to(int(user), 5, explain=True)
    assert any(one["units"] for one in found)
    for one in found:
        wanted = model.explain_code(history, one["item"], n=3)
        wanted = wanted[wanted["contribution"] > 0]
        assert [unit["unit"] for unit in one["units"]] == wanted["unit"].tolist()
        assert [unit["weight"] for unit in one["units"]] == pytest.approx(wanted["contribution"].tolist(), abs=1e-5)
        for unit in one["units"]:
            assert unit["activation"] > 0 or model is DEEP
            sign = 1.0 if unit["activation"] > 0 else -1.0
            named = [one for one in model.describe_code(unit["unit"], 60, sign)["item"] if counts[one] >= median]
            assert unit["titles"] == [likes.item_names[item] for item in named[:4]]


def test_without_a_history_or_a_question_or_a_code_of_users_there_are_none(films, likes, save_run, tmp_path, engine):
    item = int(likes.items[0])
    assert {one["units"] for one in engine.recommend([(item, None)], 3, explain=True)} == {None}  # EASE
    coded = Engine(save_run(tmp_path / "coded", SPARSE.fit(likes), likes))
    assert [one["units"] for one in coded.recommend([], 2, explain=True)] == [[], []]
    assert [one["units"] for one in coded.recommend([(item, None)], 2)] == [None, None]
    of_items = AutoRec(hidden=4, epochs=1, progress=False).fit(films)
    by_item = Engine(save_run(tmp_path / "items", of_items, films))
    assert by_item.describe()["n_code"] is None
    assert by_item.recommend([(item, None)], 1, explain=True)[0]["units"] is None


def test_genres_are_named_that_are_more_common_than_elsewhere(likes, save_run, tmp_path):
    model = SPARSE.fit(likes)
    catalogue = Engine(save_run(tmp_path / "run", model, likes)).catalogue
    genre = catalogue.genre_names[0]
    with_it = [at for at, each in enumerate(catalogue.genres) if genre in each]
    assert catalogue.common_genres(with_it)[0] == genre
    assert catalogue.common_genres(range(len(catalogue))) == []
    bare = Interactions(likes.matrix, likes.users, likes.items)
    plain = Engine(save_run(tmp_path / "bare", model, bare)).recommend([(int(likes.items[0]), None)], 1, explain=True)
    assert all(unit["genres"] == [] for unit in plain[0]["units"])
