"""`aerec evaluate`: the same numbers again, other metrics, and the values of each user."""

import json

import numpy as np
import pandas as pd
import pytest

from aerec import evaluate
from aerec.cli.data import chosen_metrics
from aerec.evaluation import describe_recommendations
from aerec.metrics import popularity_propensities
from aerec.models import EASE
from aerec.runs.folder import read_run


def test_measuring_again_gives_what_training_gave(aerec, ease_run):
    code, out, err = aerec("evaluate", ease_run, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    description = read_run(ease_run).description
    assert {key: found[key] for key in description["report"]} == description["report"]
    assert (found["run"], found["part"]) == (str(ease_run), "test")
    assert found["split"] == str(read_run(ease_run).plan)


def test_other_metrics_in_their_order(aerec, ease_run):
    found = json.loads(aerec("evaluate", ease_run, "--metrics", "map@5, hit_rate@60,coverage@60", "--json").out)
    assert list(found["metrics"]) == ["map@5", "hit_rate@60", "coverage@60"]
    # of 60 films all those that are not in the history are ranked: every target is hit
    assert found["metrics"]["hit_rate@60"]["mean"] == 1
    assert found["metrics"]["coverage@60"]["interval"] == [None, None]


def test_metrics_corrected_for_exposure_know_the_popularity_in_training(aerec, ease_run):
    found = json.loads(aerec("evaluate", ease_run, "--metrics", "snips_recall@20,plain_recall@20", "--json").out)
    run = read_run(ease_run)
    propensities = popularity_propensities(run.split.train)
    report = evaluate(run.model, run.split.test, "snips_recall@20", propensities=propensities)
    assert found["metrics"]["snips_recall@20"]["mean"] == report["snips_recall@20"]
    assert report["snips_recall@20"] != found["metrics"]["plain_recall@20"]["mean"]


def test_validation_users_are_others(aerec, ease_run, tmp_path):
    for part in ("test", "validation"):
        assert aerec("evaluate", ease_run, "--part", part, "--per-user", f"{part}.csv").code == 0
    users = [set(pd.read_csv(tmp_path / f"{part}.csv")["user"]) for part in ("test", "validation")]
    assert users[0]
    assert users[1]
    assert users[0].isdisjoint(users[1])


@pytest.mark.parametrize("name", ["users.csv", "users.parquet"])
def test_the_values_of_each_user_average_to_the_mean(aerec, ease_run, tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    found = json.loads(aerec("evaluate", ease_run, "--per-user", name, "--json").out)
    frame = pd.read_csv(tmp_path / name) if name.endswith("csv") else pd.read_parquet(tmp_path / name)
    assert list(frame.columns) == ["user", "recall@20", "recall@50", "ndcg@100"]
    assert len(frame) == found["n_users"]
    assert set(frame["user"]) <= set(read_run(ease_run).split.test.target.users)
    for metric, value in found["metrics"].items():
        assert frame[metric].mean() == pytest.approx(value["mean"])


def test_predicted_ratings_are_measured_against_the_held_out_ones(aerec, rating_run):
    found = json.loads(aerec("evaluate", rating_run, "--json").out)
    run = read_run(rating_run)
    pairs = run.split.test.target.to_frame()
    errors = run.model.predict(pairs["user"], pairs["item"]) - pairs["rating"].to_numpy(np.float64)
    assert list(found["metrics"]) == ["rmse", "mae"]
    assert found["metrics"]["mae"]["mean"] == pytest.approx(np.abs(errors).mean())


def test_people_see_each_metric_with_its_interval(aerec, ease_run):
    code, out, err = aerec("evaluate", ease_run, "--metrics", "ndcg@10")
    assert (code, err) == (0, "")
    found = json.loads(aerec("evaluate", ease_run, "--metrics", "ndcg@10", "--json").out)["metrics"]["ndcg@10"]
    low, high = found["interval"]
    assert f"ndcg@10  {found['mean']:.4f}  [{low:.4f}, {high:.4f}]" in out


def test_beyond_accuracy_after_the_report(aerec, ease_run):
    run = read_run(ease_run)
    name = run.description["model"]["name"]
    expected = describe_recommendations(run.model, run.split.test, run.split.train, name=name)
    plain, out = (aerec("evaluate", ease_run, *more).out for more in ([], ["--beyond"]))
    assert out == f"{plain}{expected}\n"
    found = json.loads(aerec("evaluate", ease_run, "--beyond", "--json").out)
    assert found.pop("beyond") == json.loads(json.dumps(expected.to_dict()))
    assert found == json.loads(aerec("evaluate", ease_run, "--json").out)
    assert expected["calibration@20"] > 0  # the films have genres


def test_beyond_accuracy_of_validation_users_and_of_models_that_predict(aerec, ease_run, rating_run):
    found = json.loads(aerec("evaluate", ease_run, "--part", "validation", "--beyond", "--json").out)
    run = read_run(ease_run)
    expected = describe_recommendations(run.model, run.split.validation, run.split.train)
    assert found["beyond"]["metrics"]["novelty@20"]["value"] == expected["novelty@20"]
    found = json.loads(aerec("evaluate", rating_run, "--beyond", "--json").out)
    assert list(found["metrics"]) == ["rmse", "mae"]
    assert 0 < found["beyond"]["metrics"]["gini@20"]["value"] < 1


def test_what_suits_a_model_is_measured_where_nothing_is_asked_for():
    assert chosen_metrics(None, EASE()) == ("recall@20", "recall@50", "ndcg@100")
    assert chosen_metrics("mrr@3", EASE()) == ("mrr@3",)


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--part", "train"], "--part is test or validation, got 'train'"),
        (["--metrics", "accuracy"], "unknown metric 'accuracy'"),
        (["--metrics", ""], "--metrics is empty"),
        (["--metrics", "mae"], "does not predict ratings"),
        (["--per-user", "users.xlsx"], "give one of .csv, .tsv, .json, .jsonl, also with .gz, or .parquet"),
        (["--per-user", "nowhere/users.csv"], "nowhere is no folder"),
        (["--per-user", "users.csv", "--metrics", "mae"], "does not predict ratings"),
        (["--history", "a.csv"], "--history and --target go together"),
        (["--data", "a.csv", "--target", "b.csv"], "give --data, or --history and --target"),
        (["--history", "a.csv", "--target", "b.csv", "--split", "last"], "leave out --split"),
        (["--min-per-user", "3"], "--min-per-user is said of --data FILE: name the file"),
        (["--data", "sample", "--split", "none"], "does not divide the ratings of a user"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_options_that_cannot_be_used(refused, ease_run, words, reason):
    assert reason in refused("evaluate", ease_run, *words)


@pytest.mark.parametrize("part", ["test", "validation"])
def test_where_nothing_was_held_out_there_is_nothing_to_measure(aerec, refused, films_path, part):
    assert aerec("train", films_path, "--model", "popularity", "--split", "none", "--out", "run").code == 0
    assert f"run was trained without {part} data (split: none)" in refused("evaluate", "run", "--part", part)


def test_no_run(refused, tmp_path):
    assert "no run in nowhere" in refused("evaluate", "nowhere")
    (tmp_path / "file").write_text("x")
    assert "no run in file" in refused("evaluate", "file")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("truncated", "is truncated or altered"),
        ("tampered", "is truncated or altered"),
        ("newer", "written by aerec 99.0; this is aerec"),
        ("edited", "run.json was altered after it was saved"),
        ("absent", "model.json does not exist"),
        ("no data", "all.json does not exist"),
    ],
)
def test_a_damaged_run(refused, damaged_run, what, reason):
    assert reason in refused("evaluate", damaged_run(what))
