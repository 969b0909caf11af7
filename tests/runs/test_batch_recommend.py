"""Everybody's recommendations in parts: the same as in one piece, made once, and never mixed with those of others."""

import json

import numpy as np
import pandas as pd
import pytest

from aerec.baselines import ItemKNN, Popularity
from aerec.datasets import generate_interactions
from aerec.errors import DataError
from aerec.models import EASE
from aerec.runs import batch_recommend as scoring
from aerec.runs.batch_recommend import recommend_all


@pytest.fixture(scope="module")
def films():
    return generate_interactions(150, 60, 2600, seed=3)


@pytest.fixture(scope="module")
def model(films):
    return EASE(l2=20).fit(films)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("aerec.recommender.scorer._BLOCK_BYTES", 4 * 60 * 7)  # 7 users are scored at once
    monkeypatch.setattr("aerec.recommender.scorer._LEAST_ROWS", 1)


def read(folder):
    parts = sorted(folder.glob("part-*.parquet"))
    return pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)


def score(model, films, out, k=5, **choices):
    return recommend_all(model, films, out, k, **{"fingerprint": "this", "users_per_part": 20, **choices})


@pytest.mark.parametrize("n_shards", [1, 2, 3])
def test_the_parts_of_all_shards_are_what_one_process_gives(films, model, tmp_path, n_shards):
    for shard in reversed(range(n_shards)):
        result = score(model, films, tmp_path, shard=(shard, n_shards))
        assert result.complete == (shard == 0)
        assert (tmp_path / "_SUCCESS").exists() == result.complete
    whole = model.recommend(films, 5)
    whole.insert(2, "title", whole["item"].map(films.item_names))
    found = read(tmp_path)
    pd.testing.assert_frame_equal(found, whole, check_exact=True, check_dtype=False)
    assert result.n_parts == 8  # 150 users in parts of 21: three blocks of 7
    assert found["score"].dtype == np.float32


def test_a_second_run_makes_what_is_missing_and_nothing_else(films, model, tmp_path):
    score(model, films, tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "part-000002.parquet").unlink()
    (tmp_path / "_part-000004.json").unlink()
    (tmp_path / "part-000005.parquet").write_bytes(b"half")
    result = score(model, films, tmp_path)
    assert (result.written, result.kept, result.complete) == (3, 5, True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert score(model, films, tmp_path).written == 0


@pytest.mark.parametrize("change", [{"fingerprint": "other"}, {"k": 4}, {"exclude_seen": False}, {"block_items": [1]}])
def test_parts_of_another_model_or_question_are_made_anew(films, model, tmp_path, change):
    score(model, films, tmp_path)
    result = score(model, films, tmp_path, **change)
    assert (result.written, result.kept) == (8, 0)


def test_while_parts_are_made_anew_nothing_says_success(films, model, tmp_path):
    score(model, films, tmp_path)
    assert not score(model, films, tmp_path, fingerprint="other", shard=(0, 2)).complete
    assert not (tmp_path / "_SUCCESS").exists()


def test_parts_left_over_from_more_users_go(films, model, tmp_path):
    score(model, films, tmp_path)
    fewer = films.take_users(np.arange(50))
    assert score(model, fewer, tmp_path, fingerprint="fewer").n_parts == 3
    assert len(list(tmp_path.glob("*part-*"))) == 6
    assert set(read(tmp_path)["user"]) == set(fewer.users)


def test_a_part_that_is_not_whole_does_not_count(films, model, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(scoring.json, "dump", interrupted)  # after the part, before its marker
    with pytest.raises(KeyboardInterrupt):
        score(model, films, tmp_path)
    monkeypatch.undo()
    assert score(model, films, tmp_path, users_per_part=21).kept == 0


def test_memory_is_that_of_a_part(films, tmp_path, monkeypatch):
    asked = []
    model = Popularity().fit(films)
    recommend = model.recommend
    monkeypatch.setattr(
        model, "recommend", lambda data, *a, **k: asked.append(data.shape[0]) or recommend(data, *a, **k)
    )
    score(model, films, tmp_path, users_per_part=8)
    assert max(asked) == 14
    assert sum(asked) == 150


def test_models_that_know_users_know_them_in_every_part(films, tmp_path):
    model = ItemKNN(k=5).fit(films)
    score(model, films, tmp_path)
    np.testing.assert_array_equal(read(tmp_path)["item"], model.recommend(films, 5)["item"])


def test_a_folder_of_something_else_is_left_alone(films, model, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match=r"thesis\.txt"):
        score(model, films, tmp_path)
    with pytest.raises(DataError, match="is a file"):
        score(model, films, tmp_path / "thesis.txt")


def test_the_marker_says_what_the_part_is_made_of(films, model, tmp_path):
    score(model, films, tmp_path)
    marker = json.loads((tmp_path / "_part-000000.json").read_text())
    assert marker["rows"] == 21 * 5
    assert marker["bytes"] == (tmp_path / "part-000000.parquet").stat().st_size


def test_lists_have_at_least_one_item(films, model, tmp_path):
    with pytest.raises(ValueError, match="k must be a whole number of at least 1, got 0"):
        recommend_all(model, films, tmp_path / "out", k=0, fingerprint="m")
    assert not (tmp_path / "out").exists()
