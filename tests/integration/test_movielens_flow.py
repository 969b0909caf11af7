"""The whole trip through the command line on MovieLens 100K: a generated likeness of it, and the real one."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aerec import load_model
from aerec.cli import main
from aerec.datasets import generate_interactions
from aerec.runs.folder import read_run

N_USERS, N_FILMS, N_RATINGS = 150, 80, 3000


@pytest.fixture
def aerec(capsys, monkeypatch):
    """Run a command that has to succeed; give what it printed."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["aerec", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        unforeseen = [line for line in err.splitlines() if "raise epochs" not in line]  # three epochs are few
        assert (ended.value.code, unforeseen) == (0, [])
        return out

    return run


@pytest.fixture
def likeness(tmp_path):
    """Write generated films the way MovieLens 100K is written; give the folder and the title of each film."""
    films = generate_interactions(N_USERS, N_FILMS, N_RATINGS, seed=5)
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    ratings = films.to_frame().sample(frac=1, random_state=0).astype(int)
    ratings.to_csv(folder / "u.data", sep="\t", header=False, index=False)
    genres = sorted({genre for one in films.item_genres for genre in one})
    listed = "".join(f"{name}|{at}\n" for at, name in enumerate(["unknown", *genres]))
    (folder / "u.genre").write_text(listed + "\n")
    titles = {item: f"{title}, naïve cut" for item, title in films.item_names.items()}
    lines = []
    for item, title in titles.items():
        flags = "|".join(str(int(genre in films.item_genres[item])) for genre in genres)
        lines.append(f"{item}|{title}|01-Jan-1995||http://example.org/{item}|0|{flags}\n")
    (folder / "u.item").write_bytes("".join(lines).encode("latin-1"))
    return folder, titles


@pytest.mark.parametrize(
    "words",
    [["--model", "ease"], ["--model", "mult-vae", "--set", "hidden=16,8", "--epochs", "3"]],
    ids=["ease", "vae"],
)
def test_from_a_folder_of_ratings_to_recommendations(aerec, likeness, tmp_path, words):
    folder, titles = likeness
    run = tmp_path / "runs" / "first"
    trained = json.loads(aerec("train", folder, *words, "--threshold", "3", "--out", run, "--quiet", "--json"))

    evaluated = json.loads(aerec("evaluate", run, "--json"))
    assert evaluated["metrics"] == trained["report"]["metrics"]

    ratings = pd.read_csv(folder / "u.data", sep="\t", names=["user", "item", "rating", "time"])
    liked = ratings[ratings["rating"] >= 3].groupby("user")["item"].agg(set)
    user = liked.map(len).idxmax()
    known = pd.DataFrame(json.loads(aerec("recommend", run, "--user", user, "-k", "5", "--json")))
    assert set(known["user"]) == {user}
    assert list(known["rank"]) == [1, 2, 3, 4, 5]
    assert liked[user].isdisjoint(known["item"])
    assert list(known["title"]) == [titles[item] for item in known["item"]]

    history = ",".join(map(str, liked[user]))
    new = pd.DataFrame(json.loads(aerec("recommend", run, "--history", history, "-k", "5", "--json")))
    assert list(new["item"]) == list(known["item"])  # both models know a user by the history alone

    recs = tmp_path / "recs.parquet"
    pytest.importorskip("pyarrow")
    aerec("recommend", run, "-k", "5", "--out", recs)
    everyone = pd.read_parquet(recs)
    assert set(everyone["user"]) == set(liked[liked.map(len) >= 5].index)
    assert (everyone.groupby("user").size() == 5).all()
    assert not any(item in liked[user] for user, item in zip(everyone["user"], everyone["item"], strict=True))
    assert set(everyone["title"]) <= set(titles.values())

    data = read_run(run).data
    scores = load_model(run).score_items(data)
    rows, columns = data.users.get_indexer(everyone["user"]), data.items.get_indexer(everyone["item"])
    np.testing.assert_allclose(everyone["score"], scores[rows, columns], rtol=1e-5)
    best = np.sort(np.where(data.matrix.toarray() > 0, -np.inf, scores), axis=1)[:, ::-1][:, :5]
    np.testing.assert_allclose(everyone["score"].to_numpy().reshape(-1, 5), best, rtol=1e-5)


def test_predicting_ratings_end_to_end(aerec, likeness, tmp_path):
    folder, _ = likeness
    trained = json.loads(aerec("train", folder, "--model", "biased-mf", "--out", tmp_path / "run", "--json"))
    evaluated = json.loads(aerec("evaluate", tmp_path / "run", "--json"))
    assert evaluated["metrics"] == trained["report"]["metrics"]
    run = read_run(tmp_path / "run")
    held_out, learned = (one.matrix.data for one in (run.split.test.target, run.split.train))
    constant = float(np.sqrt(np.mean((held_out - learned.mean()) ** 2)))
    assert evaluated["metrics"]["rmse"]["mean"] < constant  # better than the mean of all ratings


@pytest.fixture(scope="module")
def movielens_100k():
    folder = Path(os.environ.get("AEREC_DATA", ""), "ml-100k")
    if not (os.environ.get("AEREC_DATA") and folder.is_dir()):
        pytest.skip("MovieLens 100K is not here: set AEREC_DATA to the folder that holds ml-100k")
    return folder


def test_on_movielens_100k_counts_fit_and_ease_beats_popularity(aerec, movielens_100k, tmp_path):
    everything = ["--threshold", "1", "--min-per-user", "1", "--split", "none"]
    read = json.loads(
        aerec("train", "ml-100k", "--model", "popularity", *everything, "--out", tmp_path / "all", "--json")
    )
    assert read["data"]["content"].startswith("Interactions(943 users × 1,682 items, 100,000 ratings")  # its README

    found = {}
    for model in ("popularity", "ease"):
        words = ["--model", model, "--metrics", "ndcg@100", "--out", tmp_path / model, "--json"]
        told = json.loads(aerec("train", movielens_100k, *words))
        found[model] = told["report"]["metrics"]["ndcg@100"]
    assert found["ease"]["mean"] > 1.2 * found["popularity"]["mean"]
    assert found["ease"]["interval"][0] > found["popularity"]["interval"][1]

    star_wars = json.loads(aerec("recommend", tmp_path / "ease", "--history", "50,172", "-k", "5", "--json"))
    assert "Return of the Jedi (1983)" in [one["title"] for one in star_wars]
