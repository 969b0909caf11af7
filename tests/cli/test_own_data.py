"""`aerec evaluate --data`: a run measured on people of one's own."""

import json

import pandas as pd
import pytest

from aerec import Interactions, evaluate
from aerec.datasets import generate_interactions
from aerec.runs.folder import read_run
from aerec.splitting import Holdout, LeaveLastOut, RandomHoldout


@pytest.fixture
def others(films, tmp_path):
    """Ratings of people whom the runs have not seen, and two films that they do not know; columns as of the run."""
    frame = (
        generate_interactions(80, 60, 1400, seed=77).to_frame().rename(columns={"user": "userId", "item": "movieId"})
    )
    known = frame[frame["movieId"].isin(films.items)].assign(userId=frame["userId"] + 5000)
    strange = pd.DataFrame({"userId": known["userId"].unique()[:6], "movieId": [9001, 9002] * 3, "rating": 5.0})
    pd.concat([known, strange.assign(timestamp=0)]).to_csv(tmp_path / "others.csv", index=False)
    return known.rename(columns={"userId": "user", "movieId": "item"})


def test_new_users_are_divided_as_those_of_the_run(aerec, ease_run, others):
    code, out, err = aerec("evaluate", ease_run, "--data", "others.csv", "--json")
    found, run = json.loads(out), read_run(ease_run)
    assert code == 0
    assert "of others.csv left out: the model does not know their 2 items, such as 9001, 9002" in err
    likes = Interactions.from_frame(others).binarize(4.0)
    counts = likes.to_frame()["user"].value_counts()
    strange = {*others["user"].unique()[:6]}
    counts = counts.add(pd.Series(1, index=list(strange)), fill_value=0)  # their film is a like, though it is left out
    likes = likes.select_users(likes.users[[counts.get(user, 0) >= 5 for user in likes.users]])
    split = RandomHoldout(0.2, 0.0, seed=0, per_user=True).split(likes.with_items(run.model.items_))
    expected = evaluate(run.model, split.test, name="ease")
    assert found["metrics"] == json.loads(json.dumps(expected.to_dict()))["metrics"]
    assert found["n_users"] == len(expected.per_user) > 20
    assert found["data"] == ["others.csv"]
    assert found["split"].startswith("random (fraction=0.2,")
    assert found["kept"]["users"]["kept"] == split.test.n_users


def test_another_way_to_divide_and_other_columns(aerec, ease_run, others, tmp_path):
    renamed = others.rename(columns={"user": "who", "item": "what", "rating": "stars", "timestamp": "when"})
    renamed.to_csv(tmp_path / "own.csv", sep=";", index=False)
    columns = ["--user", "who", "--item", "what", "--rating", "stars", "--timestamp", "when"]
    words = ["--data", "own.csv", *columns, "--split", "last", "--min-per-user", "2", "--metrics", "hit_rate@10"]
    code, out, _ = aerec("evaluate", ease_run, *words)
    assert code == 0
    assert out.startswith("kept ")
    assert f"{ease_run} on own.csv, last (seed=0, validation=False)" in out
    found = json.loads(aerec("evaluate", ease_run, *words, "--json").out)
    likes = Interactions.from_frame(others).binarize(4.0).filter(2)
    holdout = LeaveLastOut(validation=False).split(likes.with_items(read_run(ease_run).model.items_)).test
    assert (
        found["metrics"]["hit_rate@10"]["mean"]
        == evaluate(read_run(ease_run).model, holdout, "hit_rate@10").mean["hit_rate@10"]
    )


def test_files_of_histories_and_targets(aerec, ease_run, others, tmp_path):
    likes = others[others["rating"] >= 4]
    last = likes["user"] != likes["user"].shift(-1)
    again = likes[~last].iloc[:3]
    likes[~last].to_csv(tmp_path / "seen.csv", index=False)
    pd.concat([likes[last], again]).to_csv(tmp_path / "wanted.csv", index=False)
    words = ["--history", "seen.csv", "--target", "wanted.csv", "--user", "user", "--item", "item"]
    code, out, err = aerec("evaluate", ease_run, *words, "--metrics", "recall@20", "--json")
    assert code == 0
    assert f"3 of {last.sum() + 3} ratings of wanted.csv left out: seen.csv has them too" in err
    seen, wanted = (
        Interactions.from_frame(part).binarize(4.0).with_users(pd.Index(likes["user"].unique())).with_items(likes_items)
        for likes_items in [pd.Index(sorted(likes["item"].unique()))]
        for part in (likes[~last], likes[last])
    )
    expected = evaluate(read_run(ease_run).model, Holdout(seen, wanted), "recall@20")
    assert json.loads(out)["metrics"]["recall@20"]["mean"] == expected["recall@20"]


def test_what_the_model_was_trained_on_makes_figures_too_good(aerec, ease_run, films_path):
    code, _, err = aerec("evaluate", ease_run, "--data", films_path, "--metrics", "recall@20")
    assert code == 0
    assert "held-out ratings are among those that the model was trained on" in err


def test_ids_of_text_meet_a_file_of_whole_numbers(aerec, films, tmp_path):
    frame = films.to_frame()
    frame["user"] = [f"{user:03d}" if user < 100 else str(user) for user in frame["user"]]
    frame.to_csv("shop.csv", index=False)
    frame[frame["user"].astype(int) >= 100].to_csv("some.csv", index=False)  # no leading zero among them
    assert aerec("train", "shop.csv", "--model", "ease", "--out", "run").code == 0
    code, _, err = aerec("evaluate", "run", "--data", "some.csv")
    assert code == 0
    assert "trained on" in err  # that is: users and items were met


def test_ratings_for_a_run_of_clicks(aerec, refused, films_path, others):
    assert (
        aerec("train", films_path, "--implicit", "--model", "popularity", "--split", "none", "--out", "run").code == 0
    )
    words = ["evaluate", "run", "--data", "others.csv", "--rating", "rating"]
    assert "give --threshold for the ratings that are likes, or --implicit" in refused(*words)
    assert aerec(*words, "--threshold", "4").code == 0
    assert aerec("evaluate", "run", "--data", "others.csv").code == 0  # every row counts, as in the training


def test_what_counts_were_in_the_training_they_are_where_it_is_measured(aerec, films, films_path, others):
    counted = films.to_frame().rename(columns={"rating": "plays"})
    counted.to_csv("plays.csv", index=False)
    pd.read_csv("others.csv").rename(columns={"rating": "plays"}).to_csv("others.csv", index=False)
    words = ["--rating", "plays", "--counts", "--model", "ease", "--split", "none", "--out", "run"]
    assert aerec("train", "plays.csv", *words).code == 0
    told = [aerec("evaluate", "run", "--data", "others.csv", *more) for more in ([], words[2:3], words[:2], words[:3])]
    assert len({(code, out) for code, out, _ in told}) == 1
    assert aerec("evaluate", "run", "--data", "others.csv", "--implicit").out != told[0].out
