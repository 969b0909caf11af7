"""`aerec report`: runs that share a split, or the results of a benchmark, as one page."""

import json
import shutil
import sys

import pytest

from aerec import evaluate
from aerec.runs.folder import read_run

pytest.importorskip("matplotlib")


@pytest.fixture
def popularity_run(aerec, films_path, tmp_path):
    assert aerec("train", films_path, "--model", "popularity", "--out", tmp_path / "popularity").code == 0
    return tmp_path / "popularity"


def test_runs_are_measured_on_the_test_data_they_share(aerec, ease_run, popularity_run, tmp_path):
    words = ["--metrics", "ndcg@10", "--out", "page.html", "--plots", "plots", "--json"]
    code, out, err = aerec("report", ease_run, popularity_run, *words)
    assert (code, err) == (0, "")
    found = json.loads(out)
    for one, path in zip(found["models"], (ease_run, popularity_run), strict=True):
        run = read_run(path)
        report = evaluate(run.model, run.split.test, "ndcg@10")
        assert one["metrics"]["ndcg@10"]["mean"] == report["ndcg@10"]
        assert one["fit_seconds"] == run.description["fit_seconds"]
    assert [one["name"] for one in found["models"]] == ["ease", "popularity"]
    assert found["seed"] == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"{found['models'][0]['metrics']['ndcg@10']['mean']:.4f}" in page
    assert (tmp_path / "plots" / "recall-by-k.png").is_file()


def test_one_run_is_enough_and_the_place_is_said(aerec, ease_run, tmp_path):
    assert aerec("report", ease_run).out == "report in report.html\n"
    assert (tmp_path / "report.html").is_file()


def test_two_runs_of_a_model_are_called_by_their_folders(aerec, ease_run, tmp_path):
    shutil.copytree(ease_run, tmp_path / "again")
    found = json.loads(aerec("report", ease_run, "again", "--json").out)
    assert [one["name"] for one in found["models"]] == [str(ease_run), "again"]


def test_models_that_predict_ratings_are_shown_by_their_errors(aerec, rating_run):
    found = json.loads(aerec("report", rating_run, "--json").out)
    assert list(found["models"][0]["metrics"]) == ["rmse", "mae"]


def test_results_that_were_printed_give_the_same_page(aerec, ease_run, tmp_path):
    (tmp_path / "results.json").write_text(aerec("report", ease_run, "--json").out)
    assert aerec("report", "results.json", "--out", "again.html").code == 0
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "report.html").read_bytes()


# ---------------------------------------------------------------------- bad input


def test_runs_that_cannot_stand_on_one_page(refused, aerec, films_path, ease_run, rating_run, tmp_path):
    words = ["train", films_path, "--model", "popularity", "--out"]
    assert aerec(*words, tmp_path / "seed", "--seed", "1").code == 0
    assert aerec(*words, tmp_path / "threshold", "--threshold", "3").code == 0
    assert aerec(*words, tmp_path / "none", "--split", "none").code == 0
    assert "their splits differ" in refused("report", ease_run, "seed")
    assert "their data differ" in refused("report", ease_run, "threshold")
    assert "was trained without test data" in refused("report", "none")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["missing"], "no run in missing"),
        (["missing.json"], "missing.json does not exist; write it with: aerec benchmark"),
        (["bad.json"], "bad.json is no JSON"),
        (["other.json"], "other.json: results has no 'data'"),
        (["other.json", "bad.json"], "a file of results stands alone"),
        (["other.json", "--metrics", "ndcg@5"], "a file of results stands alone"),
        (["other.json", "--out", "no/page.html"], "no is no folder; make it first"),
        (["other.json", "--plots", "bad.json"], "bad.json is a file; pictures are written into a folder"),
    ],
)
def test_words_that_cannot_be_used(refused, tmp_path, words, reason):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "other.json").write_text('{"models": []}')
    assert reason in refused("report", *words)


def test_without_matplotlib_one_line_says_what_to_install(refused, ease_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "pip install 'aerec[report]'" in refused("report", ease_run)
