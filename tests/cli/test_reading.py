"""Files of all kinds from the command line: columns, clicks, counts, separators, no header; in [data] as well."""

import json

import numpy as np
import pandas as pd
import pytest
import tomllib

from aerec.cli import benchmark
from aerec.runs.folder import read_run

POPULAR = ["--model", "popularity", "--min-per-user", "1", "--split", "none"]


@pytest.fixture
def frame():
    """A hundred ratings, each of another pair."""
    user, item = np.divmod(np.random.default_rng(1).permutation(200)[:100], 10)
    return pd.DataFrame({"user": user, "item": item, "rating": 4 + np.arange(100) % 2, "time": 10**9 + np.arange(100)})


def pairs(run="run"):
    data = read_run(run).data
    return set(data.to_frame()[["user", "item"]].itertuples(index=False, name=None))


def expected(frame):
    return set(frame[["user", "item"]].itertuples(index=False, name=None))


def test_columns_of_any_name(aerec, frame, tmp_path):
    names = {"user": "kunde", "item": "artikel", "rating": "note", "time": "wann"}
    frame.rename(columns=names).to_csv("shop.csv", index=False)
    words = ["--user", "kunde", "--item", "artikel", "--rating", "note", "--timestamp", "wann"]
    code, _, err = aerec("train", "shop.csv", *POPULAR, *words)
    assert (code, err) == (0, "")
    assert pairs() == expected(frame)
    assert read_run("run").data.timestamps.min() == 10**9
    described = tomllib.loads((tmp_path / "run" / "config.toml").read_text())["data"]
    assert {key: described[key] for key in ("user", "item", "rating", "timestamp")} == {
        "user": "kunde",
        "item": "artikel",
        "rating": "note",
        "timestamp": "wann",
    }
    assert aerec("train", "--config", tmp_path / "run" / "config.toml", "--out", "again").code == 0
    assert pairs("again") == expected(frame)


def test_a_column_of_weights(aerec, frame, tmp_path):
    frame.assign(trust=1 + np.arange(100) / 10).to_csv("shop.csv", index=False)
    words = [*POPULAR, "--threshold", "5", "--weight", "trust"]
    assert aerec("train", "shop.csv", *words).err == ""
    liked = frame.rating == 5
    kept = read_run("run").data.to_frame().set_index(["user", "item"])["weight"]
    given = (1 + np.arange(100) / 10)[liked]
    wanted = pd.Series(given, index=pd.MultiIndex.from_frame(frame.loc[liked, ["user", "item"]])).sort_index()
    np.testing.assert_allclose(kept.sort_index(), wanted)
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text())["data"]["weight"] == "trust"
    assert aerec("train", "--config", tmp_path / "run" / "config.toml", "--out", "again").code == 0
    np.testing.assert_array_equal(read_run("again").data.weights, read_run("run").data.weights)
    frame.to_csv("more.csv", index=False)  # measured without weights
    assert aerec("evaluate", "run", "--data", "more.csv", "--split", "random").code == 0


def test_a_model_that_cannot_use_weights_says_so_in_words_of_the_shell(aerec, frame):
    frame.assign(trust=2.0).to_csv("shop.csv", index=False)
    code, _, err = aerec("train", "shop.csv", "--model", "user-knn", "--min-per-user", "1", "--weight", "trust")
    assert code == 2
    assert err.startswith("aerec: error: UserKNN cannot use the weights of ratings; ALS, BiasedMF,")
    assert err.endswith("choose one of them, or leave out --weight\n")
    code, _, err = aerec("train", "shop.csv", *POPULAR, "--weight", "faith")
    assert code == 2
    assert "no column 'faith'" in err
    assert "name it with --weight COLUMN" in err
    code, _, err = aerec("train", "sample", *POPULAR, "--weight", "faith")
    assert code == 2
    assert "no column of weights: leave out --weight" in err


def test_a_file_without_ratings_is_implicit_and_one_line_says_so(aerec, frame):
    frame[["user", "item", "time"]].to_csv("clicks.csv", index=False)
    code, _, err = aerec("train", "clicks.csv", *POPULAR)
    assert code == 0
    assert err == (
        "aerec: warning: clicks.csv has no column of ratings: every row counts as 1; name one with --rating COLUMN\n"
    )
    assert pairs() == expected(frame)
    assert aerec("train", "clicks.csv", *POPULAR, "--implicit", "--out", "quiet").err == ""


def test_clicks_whatever_their_rating(aerec, frame):
    frame.assign(rating=0.001).to_csv("clicks.csv", index=False)
    assert aerec("train", "clicks.csv", *POPULAR, "--implicit").code == 0
    assert pairs() == expected(frame)
    assert read_run("run").data.is_implicit


@pytest.mark.parametrize("mark", [";", "tab", "|"])
def test_separators(aerec, frame, mark):
    frame.to_csv("shop.txt", index=False, sep={"tab": "\t"}.get(mark, mark))
    assert aerec("train", "shop.txt", *POPULAR, "--separator", mark, "--timestamp", "time").code == 0
    assert pairs() == expected(frame)


def test_without_a_header_columns_are_numbers(aerec, frame):
    frame.to_csv("plain.csv", index=False, header=False)
    assert aerec("train", "plain.csv", *POPULAR, "--no-header").code == 0
    assert pairs() == expected(frame)
    assert read_run("run").data.timestamps is not None
    frame[["time", "item", "rating", "user"]].to_csv("other.csv", index=False, header=False)
    words = ["--no-header", "--user", "4", "--item", "2", "--rating", "3", "--timestamp", "1", "--out", "other"]
    assert aerec("train", "other.csv", *POPULAR, *words).code == 0
    assert pairs("other") == expected(frame)


def test_without_a_header_a_time_is_no_rating(aerec, frame):
    frame[["user", "item", "time"]].to_csv("clicks.csv", index=False, header=False)
    assert aerec("train", "clicks.csv", *POPULAR, "--no-header", "--implicit").err == ""
    run = read_run("run")
    assert run.data.is_implicit
    assert run.data.timestamps.min() == 10**9


def test_counts_in_a_configuration(aerec, frame, tmp_path):
    frame.assign(rating=1 + np.arange(100)).to_csv("plays.csv", index=False)
    (tmp_path / "mine.toml").write_text(
        '[data]\nsource = "plays.csv"\ncounts = true\nmin_per_user = 1\n[model]\nname = "ease"\n[split]\nkind = "none"'
    )
    assert aerec("train", "--config", "mine.toml").code == 0
    assert read_run("run").data.matrix.data.max() == pytest.approx(np.log1p(100), rel=1e-6)


def test_other_verbs_read_alike(aerec, frame, monkeypatch):
    monkeypatch.setattr(benchmark, "_in_own_process", lambda measure, *task: measure(*task))
    frame.rename(columns={"user": "kunde"}).assign(rating=1).to_csv("shop.csv", index=False)
    words = ["--user", "kunde", "--min-per-user", "2", "--split", "last", "--json"]
    found = json.loads(aerec("benchmark", "shop.csv", "--models", "popularity", *words).out)
    assert found["models"][0]["n_users"] > 5


def test_the_line_that_tune_ends_with_reads_the_same_file(aerec, frame):
    pytest.importorskip("optuna")
    frame.rename(columns={"user": "kunde"}).to_csv("shop.csv", index=False)
    words = ["--user", "kunde", "--implicit", "--model", "ease", "--trials", "1", "--min-per-user", "2"]
    code, out, _ = aerec("tune", "shop.csv", *words)
    assert code == 0
    assert " --user kunde --implicit " in out.splitlines()[-1] + " "


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ["--user", "kunde", "--rating", "stars"],
            "no column 'stars', the columns are 'kunde', 'item', 'rating'; name it with --rating",
        ),
        ([], "no column 'user', the columns are 'kunde', 'item', 'rating'; name it with --user COLUMN"),
        (["--separator", "^"], "is '^', which does not occur in it: try --separator ','"),
        (["--implicit", "--counts"], "--implicit counts every row as 1"),
        (["--user", "kunde", "--item", "kunde"], "'kunde' is read as the user, so not as the item too"),
        (["--no-header", "--user", "9"], "no column '9', the columns are '1', '2', '3'"),
    ],
)
def test_messages_name_what_can_be_typed(refused, frame, tmp_path, words, reason):
    frame[["user", "item", "rating"]].rename(columns={"user": "kunde"}).to_csv("shop.csv", index=False)
    assert reason in refused("train", "shop.csv", *words)


def test_a_file_without_a_header_is_told_the_option(refused, tmp_path):
    (tmp_path / "plain.csv").write_text("1,2,5\n1,3,4\n")
    err = refused("train", "plain.csv")
    assert "no header" in err
    assert "--no-header" in err
    assert "columns=" not in err
