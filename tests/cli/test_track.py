"""`aerec train --track`: where accounts go, one line an epoch by default, and bad words."""

import json
import sys

import pandas as pd
import pytest

from aerec.cli.track import build_tracker
from aerec.training.trainer import Trainer

WORDS = ["--model", "mult-dae", "--set", "hidden=4", "--epochs", "4", "--quiet", "--out", "runs/mine"]


def epochs(path):
    return [json.loads(line)["epoch"] for line in path.read_text().splitlines()]


def test_a_line_an_epoch_is_in_the_run_by_default(aerec, films_path, tmp_path):
    assert aerec("train", films_path, *WORDS).code == 0
    run = tmp_path / "runs" / "mine"
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    pd.testing.assert_frame_equal(pd.DataFrame(rows), pd.read_csv(run / "history.csv"))


def test_the_lines_are_there_during_the_training_and_once_after_a_resumption(aerec, films_path, tmp_path, monkeypatch):
    original = Trainer.run_epoch

    def watched(trainer, *given):
        if trainer.step >= 2:
            raise KeyboardInterrupt
        return original(trainer, *given)

    (tmp_path / "runs").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", watched)
        assert aerec("train", films_path, *WORDS).code == 130
    kept = tmp_path / "runs" / "mine.checkpoint"
    done = epochs(kept / "history.jsonl")
    assert done == list(range(1, len(done) + 1))
    assert len(done) > 0
    assert aerec("train", films_path, *WORDS, "--resume").code == 0
    assert epochs(tmp_path / "runs" / "mine" / "history.jsonl") == [1, 2, 3, 4]
    assert not kept.exists()


def test_models_without_epochs_have_no_lines(aerec, films_path, tmp_path):
    assert aerec("train", films_path, "--model", "popularity", "--out", "run").code == 0
    assert not (tmp_path / "run" / "history.jsonl").exists()


@pytest.mark.parametrize(("word", "folder"), [("tensorboard", "runs/tensorboard/mine"), ("tensorboard:logs", "logs")])
def test_tensorboard_beside_the_run_or_where_it_is_wanted(aerec, films_path, tmp_path, word, folder):
    pytest.importorskip("tensorboard")
    assert aerec("train", films_path, *WORDS, "--track", word).code == 0
    assert list((tmp_path / folder).glob("events.out.*"))


def test_mlflow_gets_address_and_name(tmp_path):
    pytest.importorskip("mlflow")
    tracker = build_tracker("mlflow:http://localhost:5000", tmp_path / "mine", tmp_path / "kept")
    assert (tracker.uri, tracker.name) == ("http://localhost:5000", "mine")
    assert tracker.keep == tmp_path / "kept" / "mlflow-run"
    assert build_tracker("mlflow", tmp_path / "mine", None).uri is None


def test_an_unknown_tracker_lists_those_there_are(refused, films_path):
    assert "no tracker 'wandb'; there are tensorboard, mlflow" in refused("train", films_path, "--track", "wandb")


def test_a_missing_package_is_found_out_before_the_training(refused, films_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert "pip install 'aerec[track]'" in refused("train", films_path, *WORDS, "--track", "tensorboard")
