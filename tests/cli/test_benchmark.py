"""`aerec benchmark`: each model in a process of its own, all on the same split, in one table."""

import json
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pandas as pd
import pytest
import torch

from aerec import __version__, compare, evaluate
from aerec.baselines import ItemKNN, Popularity
from aerec.cli import benchmark as verb
from aerec.datasets import read_ratings
from aerec.evaluation.significance import leaders
from aerec.models import EASE
from aerec.splitting import StrongGeneralization


class InThisProcess:
    """Stands in for a pool of processes, which take seconds to start."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, function, *args):
        future = Future()
        future.set_result(function(*args))
        return future


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(verb, "ProcessPoolExecutor", InThisProcess)


@pytest.fixture
def split(films_path):
    data = read_ratings(films_path).binarize(4.0).filter(5)
    return StrongGeneralization(n_users=data.shape[0] // 10, seed=0).split(data)


def test_models_score_as_in_the_library(aerec, here, films_path, split, tmp_path):
    code, out, err = aerec("benchmark", films_path, "--models", "popularity,ease", "--set", "l2=20", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    models = {"popularity": Popularity(), "ease": EASE(l2=20)}
    reports = [evaluate(model.fit(split.train), split.test, name=name) for name, model in models.items()]
    for one, report in zip(found["models"], reports, strict=True):
        expected = json.loads(json.dumps(report.to_dict()))
        assert {key: one[key] for key in expected} == expected
    assert found["differences"] == compare(reports).to_dict(orient="records")
    assert found["split"] == f"strong (n_users={split.test.n_users}, seed=0)"
    assert found["versions"]["aerec"]
    assert found["machine"]["cores"] >= 1
    assert list(tmp_path.iterdir()) == []


def test_in_a_process_of_its_own_a_model_scores_the_same_and_nothing_is_said_again(aerec, films, split, tmp_path):
    ratings = films.to_frame()
    pd.concat([ratings, ratings[:1]]).to_csv(tmp_path / "twice.csv", index=False)
    code, out, err = aerec("benchmark", "twice.csv", "--models", "item-knn", "--metrics", "recall@10", "--json")
    said = "1 rating replaced by a later one of the same user and item; --counts adds up plays or clicks"
    cure = "--keep first keeps the first, which a split by time needs"
    assert (code, err) == (0, f"aerec: warning: {said}; {cure}\n")
    (found,) = json.loads(out)["models"]
    report = evaluate(ItemKNN().fit(split.train), split.test, "recall@10")
    assert found["metrics"]["recall@10"]["mean"] == report["recall@10"]
    assert found["fit_seconds"] >= 0
    assert found["peak_mb"] is None or found["peak_mb"] > 50  # PyTorch alone takes more


def test_the_table_has_a_line_for_each_model_and_a_star_for_the_best(aerec, here, films_path, split):
    metrics = ("ndcg@10", "mrr@5")
    code, out, err = aerec("benchmark", films_path, "--models", "popularity, item-knn", "--metrics", ",".join(metrics))
    assert (code, err) == (0, "")
    kept, heading, *lines, stars, note, versions = out.splitlines()
    assert kept == "kept 1,385 of 2,600 ratings (≥ 4) and 134 of 150 users (≥ 5 likes)"
    assert heading.split() == ["model", "ndcg@10", "mrr@5", "fit", "s", "peak", "MB"]
    models = {"popularity": Popularity(), "item-knn": ItemKNN()}
    reports = [evaluate(model.fit(split.train), split.test, metrics, name=name) for name, model in models.items()]
    best = leaders(reports, compare(reports))
    for line, report in zip(lines, reports, strict=True):
        cells = line.split()
        marked = [f"{report[one]:.4f}{'*' if report.name in best[one] else ''}" for one in metrics]
        assert (cells[0], cells[1], cells[4]) == (report.name, *marked)
    assert f"{report.n_users} test users (0 left out); seed 0; default parameters, not tuned" in note
    assert stars.startswith("* the best of its column, and those not significantly worse")
    assert "Holm" in stars
    assert "p ≥ 0.05" in stars
    assert f"aerec {__version__}, " in versions
    assert f"torch {torch.__version__}, numpy {np.__version__}" in versions


def test_machines_read_what_the_table_says(aerec, here, films_path, split):
    words = ["--models", "popularity,item-knn,ease", "--metrics", "ndcg@10,coverage@10", "--seed", "0", "--json"]
    found = json.loads(aerec("benchmark", films_path, *words).out)
    classes = {"popularity": Popularity, "item-knn": ItemKNN, "ease": EASE}
    reports = [
        evaluate(one().fit(split.train), split.test, ("ndcg@10", "coverage@10"), name=name)
        for name, one in classes.items()
    ]
    assert found["best"] == leaders(reports, compare(reports))
    assert found["best_alpha"] == 0.05
    assert (found["n_users"], found["n_left_out"], found["seed"]) == (split.test.n_users, 0, 0)
    assert {"aerec", "torch", "numpy"} <= set(found["versions"])


def test_a_model_named_twice_is_trained_once(aerec, here, films_path):
    words = ["--models", "popularity,popularity", "--metrics", "ndcg@10", "--json"]
    assert len(json.loads(aerec("benchmark", films_path, *words).out)["models"]) == 1


def test_coverage_alone_has_no_differences_but_a_best(aerec, here, films_path):
    words = ["--models", "popularity,ease", "--metrics", "coverage@10"]
    found = json.loads(aerec("benchmark", films_path, *words, "--json").out)
    assert found["differences"] == []
    assert found["best"] == {"coverage@10": ["ease"]}
    _, _, popularity, ease, *_ = aerec("benchmark", films_path, *words).out.splitlines()
    assert ("*" in popularity, "*" in ease) == (False, True)


def test_a_model_whose_process_is_killed_is_named(refused, monkeypatch, films_path):
    class Killed(InThisProcess):
        def submit(self, function, *args):
            future = Future()
            future.set_exception(BrokenProcessPool("terminated abruptly"))
            return future

    monkeypatch.setattr(verb, "ProcessPoolExecutor", Killed)
    assert "the process that trained ease was killed" in refused("benchmark", films_path, "--models", "ease")


def test_what_was_set_is_said(aerec, here, films_path):
    out = aerec("benchmark", films_path, "--models", "ease,popularity", "--set", "l2=7").out
    assert "default parameters, l2=7, not tuned" in out


def test_settings_of_a_model_inside_are_those_of_the_models_that_have_one():
    settings = ["model=elsa", "model__n_factors=8", "noise__p=0.25"]
    models = verb._recommenders("recency-weighted,mult-dae,ease", settings, 3)
    assert (models["recency-weighted"].model.n_factors, models["recency-weighted"].model.seed) == (8, 3)
    assert models["mult-dae"].noise.p == 0.25
    with pytest.raises(ValueError, match=r"--set model__l2=3: none of the models has that parameter"):
        verb._recommenders("ease", ["model__l2=3"], 3)


def test_a_single_model_has_nothing_to_be_compared_with(aerec, here, films_path):
    found = json.loads(aerec("benchmark", films_path, "--models", "popularity", "--json").out)
    assert (found["differences"], found["best"]) == ([], {})
    assert [one["name"] for one in found["models"]] == ["popularity"]
    assert "*" not in aerec("benchmark", films_path, "--models", "popularity").out


def test_models_that_predict_are_compared_by_their_errors(aerec, here, films_path):
    words = ["--models", "bias,biased-mf", "--set", "n_factors=3", "--set", "epochs=2", "--json"]
    found = json.loads(aerec("benchmark", films_path, *words).out)
    assert [list(one["metrics"]) for one in found["models"]] == [["rmse", "mae"]] * 2
    assert found["split"].startswith("random")
    rmse = {one["name"]: one["metrics"]["rmse"]["mean"] for one in found["models"]}
    assert min(rmse, key=rmse.get) in found["best"]["rmse"]


def test_one_model_that_knows_users_decides_the_split_of_all(aerec, here, films_path):
    words = ["--models", "popularity,user-knn", "--metrics", "recall@5", "--json"]
    assert json.loads(aerec("benchmark", films_path, *words).out)["split"].startswith("random")


def test_the_data_is_the_sample_where_none_is_named(aerec, here):
    found = json.loads(aerec("benchmark", "--models", "popularity", "--metrics", "recall@5", "--json").out)
    assert found["data"] == "sample"


def test_a_report_is_written_beside_the_table(aerec, here, films_path, tmp_path):
    words = ["--models", "popularity,ease", "--metrics", "ndcg@10", "--report", "page.html", "--plots", "plots"]
    code, out, err = aerec("benchmark", films_path, *words)
    assert (code, err) == (0, "")
    assert out.endswith("report in page.html, pictures in plots\n")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 models on" in page
    assert "Recommendations to a few users" in page
    assert (tmp_path / "plots" / "quality-by-time.svg").is_file()


def test_results_for_machines_make_the_same_report_later(aerec, here, films_path, tmp_path):
    words = ["--models", "ease,popularity", "--metrics", "ndcg@10", "--report", "page.html", "--json"]
    (tmp_path / "results.json").write_text(aerec("benchmark", films_path, *words).out)
    assert aerec("report", "results.json", "--out", "later.html").code == 0
    assert (tmp_path / "later.html").read_bytes() == (tmp_path / "page.html").read_bytes()


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--models", "ease,easy"], "unknown model 'easy'"),
        (["--models", ","], "--models is empty"),
        (["--models", "ease,bias"], "cannot be compared in one table"),
        (["--models", "ease", "--set", "k=3"], "--set k=3: none of the models has that parameter"),
        (["--models", "ease", "--set", "l2"], "'l2' is no setting; write name=value"),
        (["--models", "ease", "--set", "l2=0"], "The 'l2' parameter of EASE must be"),
        (["--models", "ease", "--metrics", "ndcg"], "unknown metric 'ndcg'"),
        (["--models", "ease", "--metrics", "rmse"], "does not predict ratings"),
        (["--models", "ease", "--split", "weekly"], "unknown split 'weekly'"),
        (["--models", "ease", "--split", "none"], "a benchmark needs held-out data"),
        (["--models", "ease", "--threshold", "7"], "all below --threshold 7"),
        (["--models", "ease", "--plots", "plots"], "--plots are the pictures of a report"),
        (["--models", "ease", "--report", "no/page.html"], "no is no folder; make it first"),
    ],
)
def test_words_that_cannot_be_used(refused, here, films_path, words, reason):
    assert reason in refused("benchmark", films_path, *words)


@pytest.mark.parametrize("words", [["--metrics", "ndcg"], ["--set", "k=3"], ["--split", "none"], ["--report", "."]])
def test_words_that_cannot_be_used_are_refused_before_any_model_is_trained(refused, monkeypatch, films_path, words):
    monkeypatch.setattr(verb, "ProcessPoolExecutor", lambda *_, **__: pytest.fail("trained for nothing"))
    refused("benchmark", films_path, "--models", "ease", *words)


def test_ratings_that_cannot_be_read(refused, here, tmp_path):
    assert "does not exist" in refused("benchmark", "missing.csv")
    pd.DataFrame({"user": [1], "item": [2], "rating": ["x"]}).to_csv(tmp_path / "bad.csv", index=False)
    assert "the rating 'x' is not a number" in refused("benchmark", "bad.csv")
