"""`aerec train --warm-from`: on from another run, with data that has grown."""

import json

import numpy as np
import pandas as pd
import pytest

from aerec import load_model
from aerec.models import MultDAE
from aerec.runs.folder import read_run

MODEL = ["--model", "mult-dae", "--set", "hidden=8", "--set", "batch_size=50", "--epochs", "12", "--quiet"]


@pytest.fixture(scope="module")
def days(films, tmp_path_factory):
    """Ratings of two days as files: today's, tomorrow's, and both in one."""
    folder = tmp_path_factory.mktemp("days")
    frame = films.to_frame()
    late = frame["timestamp"] > frame["timestamp"].quantile(0.9)
    late |= frame["item"] >= frame["item"].max() - 1  # two films are new tomorrow
    again = frame[~late].iloc[:5].assign(rating=5.0, timestamp=frame["timestamp"].max() + 1)
    parts = {"today": frame[~late], "tomorrow": pd.concat([frame[late], again])}
    parts["both"] = pd.concat(parts.values())
    for name, part in parts.items():
        part.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture
def first_run(aerec, days, tmp_path):
    assert aerec("train", days / "today.csv", *MODEL, "--out", "run").code == 0
    return tmp_path / "run"


def test_it_begins_with_what_the_run_has_learned(aerec, days, first_run, tmp_path):
    words = [days / "today.csv", days / "tomorrow.csv", "--warm-from", "run", "--epochs", "3", "--quiet"]
    code, out, err = aerec("train", *words, "--out", "next", "--json")
    assert code == 0
    assert "5 ratings replaced by a later one" in err
    told, former, run = json.loads(out), read_run(first_run), read_run(tmp_path / "next")
    assert told["warm_from"] == {"run": "run", "items": {"known": former.data.n_items, "new": 2}}
    assert told["data"]["source"] == [str(days / "today.csv"), str(days / "tomorrow.csv")]
    assert run.model.get_params()["hidden"] == 8  # as in the run
    split = run.split
    assert set(split.test.history.users) == set(former.split.test.history.users)
    expected = load_model(first_run).set_params(epochs=3).fit(split.train, split.validation, warm_start=True)
    np.testing.assert_array_equal(run.model.coefs_[0], expected.coefs_[0])
    anew = MultDAE(hidden=8, batch_size=50, epochs=3, progress=False).fit(split.train, split.validation)
    assert run.model.history_["ndcg@100"][0] > anew.history_["ndcg@100"][0]
    assert f"began with run: {former.data.n_items} items known, 2 new" in aerec("train", *words, "--out", "more").out


def test_one_grown_file_and_two_files_are_the_same(aerec, days, first_run, tmp_path):
    for name, files in {"one": ["both.csv"], "two": ["today.csv", "tomorrow.csv"]}.items():
        words = [days / file for file in files]
        assert aerec("train", *words, "--warm-from", "run", "--epochs", "2", "--out", name, "--quiet").code == 0
    names = [sorted(path.name for path in (tmp_path / name / "model").iterdir()) for name in ("one", "two")]
    assert names[0] == names[1]  # the tensor file is named by its checksum


def test_its_own_configuration_repeats_it(aerec, days, first_run, tmp_path):
    words = [days / "both.csv", "--warm-from", "run", "--epochs", "2", "--quiet"]
    assert aerec("train", *words, "--out", "next").code == 0
    assert aerec("train", "--config", "next/config.toml", "--out", "again", "--quiet").code == 0
    runs = [read_run(tmp_path / name) for name in ("next", "again")]
    np.testing.assert_array_equal(*(run.model.coefs_[0] for run in runs))
    assert runs[0].description["report"] == runs[1].description["report"]


def test_the_held_out_users_are_held_out_again_and_measured(aerec, days, first_run, tmp_path):
    assert aerec("train", days / "both.csv", "--warm-from", "run", "--epochs", "2", "--out", "next", "-q").code == 0
    former, run = read_run(first_run).split, read_run(tmp_path / "next").split
    for part in ("validation", "test"):
        before, now = getattr(former, part), getattr(run, part)
        assert set(now.history.users) == set(before.history.users)
        assert 0 < now.target.n_ratings < now.history.n_ratings
        assert now.history.matrix.multiply(now.target.matrix).nnz == 0
    assert set(run.train.users).isdisjoint({*run.test.history.users, *run.validation.history.users})
    assert aerec("evaluate", "next").code == 0


def test_held_out_ratings_that_the_run_has_seen_are_said(aerec, days, first_run):
    code, _, err = aerec("train", "--warm-from", "run", "--split", "random", "--epochs", "1", "-q", "--out", "next")
    assert code == 0
    assert "held-out ratings are among those that the model was trained on" in err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--model", "ease"], "EASE cannot begin with what another run has learned"),
        (["--model", "mult-vae"], "run holds a mult-dae, which a mult-vae cannot begin with"),
        (["--resume"], "give one of them"),
        (["--set", "hidden=9"], "was made with other parameters"),
    ],
)
def test_what_cannot_go_on(aerec, first_run, tmp_path, words, reason):
    code, _, err = aerec("train", "--warm-from", "run", *words, "--out", "next", "-q")
    assert code == 2
    assert reason in err.splitlines()[-1]
    assert not (tmp_path / "next").exists()


def test_other_items(refused, aerec, days, first_run, tmp_path):
    frame = pd.read_csv(days / "today.csv")
    frame.assign(item=frame["item"] + 1000).to_csv("strange.csv", index=False)
    assert "run has learned nothing of these items" in refused(
        "train", "strange.csv", "--warm-from", "run", "--out", "x"
    )
    assert "no run in nowhere" in refused("train", "strange.csv", "--warm-from", "nowhere")


def test_files_are_joined_without_a_run_too(aerec, refused, days, tmp_path):
    files = [days / "today.csv", days / "tomorrow.csv"]
    assert aerec("train", *files, "--model", "ease", "--out", "two").code == 0
    assert aerec("train", days / "both.csv", "--model", "ease", "--out", "one").code == 0
    runs = [read_run(tmp_path / name) for name in ("one", "two")]
    pd.testing.assert_frame_equal(runs[0].data.to_frame(), runs[1].data.to_frame())
    np.testing.assert_array_equal(*(run.model.weights_ for run in runs))
    (tmp_path / "text.csv").write_text("user,item,rating,timestamp\nA1,3,5,1\nA1,7,5,2\n")
    assert (
        aerec(
            "train", days / "today.csv", "text.csv", "--model", "popularity", "--min-per-user", "1", "--out", "t"
        ).code
        == 0
    )
    data = read_run(tmp_path / "t").data
    assert "A1" in data.users
    assert set(map(type, data.users)) == {str}
    assert data.items.dtype.kind == "i"


def test_users_who_are_gone_are_counted(aerec, days, first_run, tmp_path):
    ratings = pd.read_csv(days / "both.csv")
    gone = read_run(first_run).split.train.users[:2]
    ratings[~ratings["user"].isin(gone)].to_csv(tmp_path / "left.csv", index=False)
    code, _, err = aerec("train", tmp_path / "left.csv", "--warm-from", "run", "--epochs", "1", "--quiet", "--out", "n")
    assert code == 0
    assert f"2 users of run, such as {gone[0]}, are not in these data: what was learned from them stays" in err
