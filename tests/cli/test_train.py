"""`aerec train`: what the run folder holds, and every kind of bad input as one line."""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from aerec import evaluate, load_model
from aerec.datasets import read_ratings
from aerec.files.lock import Lock
from aerec.models import EASE, AutoRec
from aerec.runs.folder import read_run
from aerec.splitting import RandomHoldout, StrongGeneralization
from aerec.training.trainer import Trainer

# ---------------------------------------------------------------------- what comes out


def test_the_run_is_what_the_library_does(aerec, films_path, tmp_path):
    words = ["--model", "ease", "--set", "l2=30", "--seed", "4", "--metrics", "ndcg@10,coverage@5", "--json"]
    code, out, err = aerec("train", films_path, "--out", tmp_path / "run", *words)
    assert (code, err) == (0, "")
    told = json.loads(out)

    data = read_ratings(films_path).binarize(4.0).filter(5)
    split = StrongGeneralization(n_users=data.shape[0] // 10, seed=4).split(data)
    model = EASE(l2=30).fit(split.train)
    expected = evaluate(model, split.test, ("ndcg@10", "coverage@5"), name="ease")
    assert told["report"] == json.loads(json.dumps(expected.to_dict()))
    assert told["data"]["content"] == str(data)
    assert told["model"]["name"] == "ease"
    assert told["model"]["parameters"]["l2"] == 30
    np.testing.assert_array_equal(load_model(tmp_path / "run").weights_, model.weights_)
    run = read_run(tmp_path / "run")
    assert {key: run.description[key] for key in told if key not in ("run", "split")} == {
        key: told[key] for key in told if key not in ("run", "split")
    }
    assert told["split"] == str(run.plan)
    pd.testing.assert_frame_equal(run.data.to_frame(), data.to_frame())
    assert run.data.item_names.to_dict() == data.item_names.to_dict()


def test_the_same_words_give_the_same_model(aerec, films_path, tmp_path):
    for name in ("one", "two"):
        words = ["--model", "mult-dae", "--set", "hidden=8", "--epochs", "2", "--quiet", "--out", name]
        assert aerec("train", films_path, *words).code == 0
    names = [sorted(path.name for path in (tmp_path / name / "model").iterdir()) for name in ("one", "two")]
    assert names[0] == names[1]  # the tensor file is named by its checksum


def test_options_reach_the_model(aerec, films_path, tmp_path):
    words = ["--model", "denoising-autoencoder", "--epochs", "2", "--device", "cpu", "--seed", "8", "--out", "run"]
    settings = ["-s", "hidden=6,4", "-s", "noise=masking:0.25", "-s", "tied=true", "-s", "sparsity=none"]
    assert aerec("train", films_path, *words, *settings).code == 0
    model = load_model(tmp_path / "run")
    wanted = {"hidden": (6, 4), "tied": True, "epochs": 2, "device": "cpu", "seed": 8}
    assert {name: model.get_params()[name] for name in wanted} == wanted
    assert model.noise.p == 0.25
    assert list(pd.read_csv(tmp_path / "run" / "history.csv")["epoch"]) == [1, 2]


def test_models_of_ratings_see_the_ratings(aerec, films_path, tmp_path):
    words = ["--model", "autorec", "--set", "hidden=4", "--epochs", "2", "--json", "--out", "run"]
    told = json.loads(aerec("train", films_path, *words).out)
    assert told["data"]["threshold"] is None
    assert list(told["report"]["metrics"]) == ["rmse", "mae"]
    data = read_ratings(films_path).filter(5)
    split = RandomHoldout(seed=0).split(data)
    model = AutoRec(hidden=4, epochs=2, progress=False).fit(split.train, split.validation)
    pairs = split.test.target.to_frame()
    loaded = load_model(tmp_path / "run")
    np.testing.assert_array_equal(
        loaded.predict(pairs["user"], pairs["item"]), model.predict(pairs["user"], pairs["item"])
    )
    error = loaded.predict(pairs["user"], pairs["item"]) - pairs["rating"].to_numpy(np.float64)
    assert told["report"]["metrics"]["rmse"]["mean"] == pytest.approx(np.sqrt(np.mean(error**2)))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ([], "strong"),
        (["--model", "user-knn"], "random"),
        (["--split", "last"], "last"),
        (["--split", "temporal"], "temporal"),
    ],
)
def test_the_split_is_written_down(aerec, films_path, tmp_path, words, kind):
    code, out, err = aerec("train", films_path, "--model", "popularity", "--out", "run", *words)
    assert code == 0
    assert ("15 of 17 evaluated users have no history" in err) if kind == "temporal" else (err == "")
    assert read_run(tmp_path / "run").plan.kind == kind
    assert f"split: {kind}" in out


def test_with_nothing_held_out_all_is_learned_from_and_nothing_measured(aerec, films_path, tmp_path):
    code, out, _ = aerec("train", films_path, "--model", "popularity", "--split", "none", "--out", "run")
    assert code == 0
    assert "not measured" in out
    run = read_run(tmp_path / "run")
    assert run.description["report"] is None
    shares = np.bincount(run.data.matrix.indices, minlength=run.data.shape[1]) / run.data.shape[0]
    np.testing.assert_allclose(run.model.popularity_, shares, rtol=1e-6)


def test_a_given_split_is_kept(aerec, films, tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    turn = np.arange(films.n_ratings) % 4
    for name, part in (("train", turn > 0), ("test", turn == 0)):
        films.keep(part).to_frame().to_csv(folder / f"{name}.csv", index=False)
    assert aerec("train", folder, "--model", "popularity", "--out", tmp_path / "run").code == 0
    run = read_run(tmp_path / "run")
    assert run.plan.kind == "given"
    assert run.split.train.n_ratings == films.keep(turn > 0).binarize(4.0).n_ratings
    assert run.split.test.target.n_ratings == films.keep(turn == 0).binarize(4.0).n_ratings


def test_people_are_told_data_quality_and_the_next_step(aerec, films_path, tmp_path):
    code, out, err = aerec("train", films_path, "--model", "popularity", "--out", tmp_path / "run")
    assert (code, err) == (0, "")
    report = read_run(tmp_path / "run").description["report"]
    assert f"ndcg@100   {report['metrics']['ndcg@100']['mean']:.4f}" in out
    assert out.splitlines()[-1].startswith(f"saved as {tmp_path / 'run'}; next: aerec recommend {tmp_path / 'run'} ")


def test_an_existing_run_is_replaced_where_that_is_asked_for(aerec, refused, films_path, tmp_path):
    words = ["train", films_path, "--model", "popularity", "--out", "run"]
    assert aerec(*words).code == 0
    assert "run holds a run already; give another folder, or overwrite it (--overwrite)" in refused(*words)
    assert aerec(*words, "--seed", "7", "--overwrite").code == 0
    assert read_run(tmp_path / "run").plan.parameters["seed"] == 7


# ---------------------------------------------------------------------- ratings that cannot be used

GOOD = "user,item,rating\n" + "".join(f"{user},{item},5\n" for user in range(8) for item in range(8))
BAD_FILES = {
    "wrong delimiter": (GOOD.replace(",", "^"), "only one field"),
    "missing item column": ("user,rating\n1,5\n", "no column 'item', the columns are 'user', 'rating'"),
    "no header": ("1,2,5\n1,3,4\n", "no header"),
    "word for a rating": (GOOD + "9,1,good\n", "line 66, column 'rating': the rating 'good' is not a number"),
    "missing rating": (GOOD + "9,1,\n", "line 66, column 'rating': the rating is missing"),
    "nan": (GOOD + "9,1,nan\n", "line 66, column 'rating': the rating 'nan' is not a finite number"),
    "infinite": (GOOD + "9,1,-inf\n", "line 66, column 'rating': the rating '-inf' is not a finite number"),
    "too large": (GOOD + "9,1,1e300\n", "line 66, column 'rating': the rating '1e300' is too large"),
    "cut short": (GOOD + "9,1", "line 66: 2 fields where 3 are expected"),
    "missing id": (GOOD + ",1,4\n", "line 66, column 'user': the id is missing"),
    "empty": ("", "is empty"),
    "blank": ("\n \n", "is empty"),
    "header only": ("user,item,rating\n", "has a header and no ratings"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_used(refused, tmp_path, name):
    text, reason = BAD_FILES[name]
    path = tmp_path / "mine.csv"
    path.write_text(text)
    err = refused("train", path, "--model", "popularity", "--out", tmp_path / "run")
    assert str(path) in err
    assert reason in err


@pytest.mark.parametrize("name", ["u.data", "ratings.dat"])
def test_a_file_with_the_name_but_not_the_delimiter_of_movielens(refused, tmp_path, name):
    (tmp_path / name).write_text("1^2^5^881250949\n")
    assert f"{name} line 1: " in refused("train", tmp_path / name, "--model", "popularity")


def test_a_file_that_is_no_text(refused, tmp_path):
    (tmp_path / "mine.csv").write_bytes(bytes(range(256)))
    assert "mine.csv is not text" in refused("train", "mine.csv")


@pytest.mark.parametrize("data", ["missing.csv", "folder/missing", "./missing"])
def test_a_file_that_is_not_there(refused, data):
    assert "does not exist; check the path" in refused("train", data)


def test_an_unknown_data_set_lists_those_there_are(refused):
    assert "unknown data set 'ml-20'; did you mean ml-20m? there are sample" in refused("train", "ml-20")


def test_users_of_one_rating_are_told_apart_before_the_training(refused, tmp_path):
    (tmp_path / "ones.csv").write_text("user,item,rating\n" + "".join(f"{user},{user % 3},5\n" for user in range(30)))
    err = refused("train", "ones.csv", "--model", "popularity", "--min-per-user", "1", "--split", "strong")
    assert "there is nothing to measure; --split none trains on all of it" in err


def test_too_few_users_to_hold_any_out(refused, tmp_path):
    (tmp_path / "mine.csv").write_text("user,item,rating\n1,1,4\n2,1,5\n")
    err = refused("train", "mine.csv", "--model", "popularity", "--min-per-user", "1", "--split", "strong")
    assert "leaves none to train on" in err
    assert "(data of 2 users); --split none trains on all of it" in err


# ---------------------------------------------------------------------- options that cannot be used


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--model", "easy"], "unknown model 'easy'; did you mean ease? there are als"),
        (
            ["--model", "ease", "--set", "lambda=3"],
            "EASE has no parameter 'lambda'; there are diagonal, feature_weight, item_norm, l2, solver, user_norm",
        ),
        (["--model", "ease", "--set", "l2"], "'l2' is no setting; write name=value"),
        (["--model", "ease", "--set", "l2=-1"], "The 'l2' parameter of EASE must be a number above 0"),
        (["--model", "ease", "--set", "l2=much"], "The 'l2' parameter of EASE must be"),
        (["--set", "noise=masking:much"], "'masking:much' cannot be read; write it like masking:0.5"),
        (["--epochs", "0"], "The 'epochs' parameter of MultVAE must be"),
        (["--epochs", "1", "--device", "abacus"], "device 'abacus' cannot be used"),
        (["--seed", "-1"], "--seed"),
        (["--seed", str(2**64)], "--seed"),
        (
            ["--model", "ease", "--epochs", "3"],
            "EASE has no parameter 'epochs'; there are diagonal, feature_weight, item_norm, l2, solver, user_norm",
        ),
        (["--model", "ease", "--device", "cpu"], "EASE has no parameter 'device'"),
        (["--model", "ease", "--split", "weekly"], "unknown split 'weekly'; there are strong, random"),
        (["--model", "ease", "--split", "given"], "comes without a given split"),
        (
            ["--model", "ease", "--metrics", "recall"],
            "unknown metric 'recall'; did you mean recall@k? there are recall@k",
        ),
        (["--model", "ease", "--metrics", "recall@0"], "unknown metric 'recall@0'"),
        (["--model", "ease", "--metrics", ","], "--metrics is empty"),
        (["--model", "ease", "--metrics", "rmse"], "EASE ranks items and does not predict ratings"),
        (["--model", "ease", "--threshold", "6"], "all below --threshold 6; --threshold 4 is what 4 is of 5"),
        (["--model", "ease", "--min-per-user", "500"], "is left with --threshold 4, --min-per-user 500"),
    ],
)
def test_options_that_cannot_be_used(refused, films_path, words, reason):
    assert reason in refused("train", films_path, "--out", "run", *words)


@pytest.mark.parametrize("metrics", ["recall", "", "ndcg@10,nonsense@3"])
def test_unknown_metrics_are_refused_before_training(refused, films_path, monkeypatch, metrics):
    monkeypatch.setattr(EASE, "fit", lambda *_, **__: pytest.fail("trained for nothing"))
    refused("train", films_path, "--model", "ease", "--metrics", metrics)


def test_a_folder_that_cannot_hold_a_run_is_refused_before_reading(refused, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text.txt").write_text("years of work")
    assert "holds something other than a run" in refused("train", "missing.csv", "--out", "thesis", "--overwrite")
    assert "is a file; a run is saved as a folder" in refused("train", "missing.csv", "--out", "thesis/text.txt")


def test_a_training_that_fails_leaves_the_previous_run(aerec, refused, films_path):
    words = ["train", films_path, "--model", "ease", "--out", "run"]
    assert aerec(*words).code == 0
    refused(*words, "--overwrite", "--metrics", "rmse")


# ---------------------------------------------------------------------- interrupted


WORDS = ["--model", "mult-dae", "--set", "hidden=8", "--epochs", "6", "--quiet"]


def break_off(aerec, monkeypatch, films_path, out):
    original = Trainer.run_epoch

    def watched(trainer, *given):
        if trainer.step >= 3:
            raise KeyboardInterrupt
        return original(trainer, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", watched)
        code, _, err = aerec("train", films_path, "--out", out, *WORDS)
    assert code == 130
    assert not out.exists()
    return err


def test_an_interrupted_training_goes_on_with_resume(aerec, refused, monkeypatch, films_path, tmp_path):
    aerec("train", films_path, "--out", tmp_path / "whole", *WORDS)
    out, kept = tmp_path / "run", tmp_path / "run.checkpoint"
    err = break_off(aerec, monkeypatch, films_path, out)
    assert "aerec: stopped: the same command with --resume goes on from the last epoch, which is kept in " in err
    assert kept.is_dir()
    assert "--resume" in refused("train", films_path, "--out", out, *WORDS)
    other = ["train", films_path, "--out", out, "--resume", *WORDS, "--set", "learning_rate=0.5"]
    assert "of another training" in refused(*other)
    assert aerec("train", films_path, "--out", out, "--resume", *WORDS)[0] == 0
    assert not kept.exists()
    whole, resumed = load_model(tmp_path / "whole"), load_model(out)
    for first, second in zip(whole.coefs_, resumed.coefs_, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("model", ["ease", "blend"])
def test_what_keeps_no_state_cannot_be_resumed(refused, films_path, model):
    assert "keeps no state to go on from: leave out --resume" in refused(
        "train", films_path, "--model", model, "--resume"
    )


def test_overwrite_starts_an_interrupted_training_anew(aerec, monkeypatch, films_path, tmp_path):
    out = tmp_path / "run"
    break_off(aerec, monkeypatch, films_path, out)
    assert aerec("train", films_path, "--out", out, "--overwrite", *WORDS, "--set", "learning_rate=0.01")[0] == 0
    assert not (tmp_path / "run.checkpoint").exists()


def test_a_killed_process_is_resumed(aerec, films_path, tmp_path):
    words = ["train", str(films_path), *WORDS[:-3], "--epochs", "60", "--quiet"]
    words += ["--set", "patience=none", "--split", "none"]
    command = [sys.executable, "-m", "aerec.cli", *words, "--out", str(tmp_path / "run")]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # as this process, to the bit
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=one_thread)
    marker = tmp_path / "run.checkpoint" / "checkpoint.json"
    while process.poll() is None and not marker.exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert marker.exists()
    assert not (tmp_path / "run").exists()
    for out, more in (("run", ["--resume"]), ("whole", [])):
        assert aerec(*words, "--out", tmp_path / out, *more).code == 0
    whole, resumed = load_model(tmp_path / "whole"), load_model(tmp_path / "run")
    for first, second in zip(whole.coefs_, resumed.coefs_, strict=True):
        np.testing.assert_array_equal(first, second)


# ---------------------------------------------------------------------- trained longer


LONGER = ["--set", "hidden=8", "--quiet"]


@pytest.mark.parametrize("model", ["mult-vae", "rec-vae", "elsa", "autorec"])
def test_a_finished_run_is_trained_longer(aerec, films_path, tmp_path, model):
    words = ["train", films_path, "--model", model, "--quiet"]
    words += ["--set", "n_factors=4"] if model == "elsa" else ["--set", "hidden=8"]
    assert aerec(*words, "--out", "run", "--epochs", "2").code == 0
    assert aerec(*words, "--out", "run", "--epochs", "5", "--resume").code == 0
    assert aerec(*words, "--out", "whole", "--epochs", "5").code == 0
    names = [sorted(path.name for path in (tmp_path / name / "model").iterdir()) for name in ("run", "whole")]
    assert names[0] == names[1]  # the tensor file is named by its checksum
    epochs = [json.loads(line)["epoch"] for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3, 4, 5]
    assert read_run(tmp_path / "run").description["model"]["parameters"]["epochs"] == 5
    assert not (tmp_path / "run.checkpoint").exists()


def test_a_run_trained_longer_that_is_stopped_stays_as_it_was_and_goes_on(aerec, monkeypatch, films_path, tmp_path):
    words = ["train", films_path, "--model", "mult-dae", *LONGER]
    assert aerec(*words, "--out", "run", "--epochs", "2").code == 0
    original = Trainer.run_epoch

    def watched(trainer, *given):
        if trainer.epoch >= 4:
            raise KeyboardInterrupt
        return original(trainer, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", watched)
        code, _, err = aerec(*words, "--out", "run", "--epochs", "6", "--resume")
    assert code == 130
    assert "--resume goes on from the last epoch" in err
    assert read_run(tmp_path / "run").description["model"]["parameters"]["epochs"] == 2
    assert len(load_model(tmp_path / "run").history_) == 2
    assert aerec(*words, "--out", "run", "--epochs", "6", "--resume").code == 0
    assert aerec(*words, "--out", "whole", "--epochs", "6").code == 0
    for first, second in zip(load_model("run").coefs_, load_model("whole").coefs_, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (
            ["--set", "learning_rate_schedule=linear", "--epochs", "2"],
            ["--set", "learning_rate_schedule=linear", "--epochs", "3"],
            "epochs is 3, there 2; the linear schedule of the learning rate goes by the epochs",
        ),
        (["--epochs", "2"], ["--epochs", "3", "--seed", "5"], "seed is 5, there 0"),
        (["--epochs", "2"], ["--epochs", "3", "--set", "noise=none"], "noise is not set, there "),
        (["--epochs", "3"], ["--epochs", "2"], "holds 3 epochs, more than epochs=2"),
    ],
)
def test_a_finished_run_of_another_training_says_what_differs(aerec, refused, films_path, before, after, reason):
    words = ["train", films_path, "--model", "mult-dae", "--out", "run", *LONGER]
    assert aerec(*words, *before).code == 0
    written = read_run("run").description
    assert reason in refused(*words, *after, "--resume")
    assert "run holds a run already" in refused(*words, *after)
    assert read_run("run").description == written


def test_a_training_that_patience_ended_goes_on_with_more_of_it(aerec, films_path):
    words = ["train", films_path, "--model", "mult-dae", "--epochs", "40", "--set", "learning_rate=0.5", *LONGER]
    assert aerec(*words, "--set", "patience=1", "--out", "run").code == 0
    stopped = len(load_model("run").history_)
    assert stopped < 40
    code, out, _ = aerec(*words, "--set", "patience=1", "--out", "run", "--resume")
    assert code == 0
    assert f"nothing was left to train after {stopped} epochs; for more: --epochs, or " in out
    assert aerec(*words, "--set", "patience=none", "--out", "run", "--resume").code == 0
    assert len(load_model("run").history_) == 40


def test_a_run_without_its_state_is_not_trained_longer(aerec, refused, films_path, tmp_path):
    words = ["train", films_path, "--model", "mult-dae", "--out", "run", *LONGER]
    assert aerec(*words, "--epochs", "1").code == 0
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    assert "run holds a run already" in refused(*words, "--epochs", "2", "--resume")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
@pytest.mark.parametrize("words", [[], ["--resume"], ["--overwrite"]])
def test_a_run_that_is_being_trained_is_left_alone(aerec, refused, monkeypatch, films_path, tmp_path, words):
    out, kept = tmp_path / "run", tmp_path / "run.checkpoint"
    break_off(aerec, monkeypatch, films_path, out)
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    lock = Lock(kept)
    assert lock.acquire()
    assert "another training keeps its state in" in refused("train", films_path, "--out", out, *WORDS, *words)
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    lock.release()
    assert aerec("train", films_path, "--out", out, *WORDS, "--resume").code == 0
