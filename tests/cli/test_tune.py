"""`aerec tune`: a search from the command line, and the line of `aerec train` that it ends with."""

import json
import shlex
import sys

import pandas as pd
import pytest

from aerec import evaluate
from aerec.cli.settings import build_model, format_setting
from aerec.cli.space import format_dimension, parse_dimension
from aerec.datasets import read_ratings
from aerec.files.storage import read_header
from aerec.models import EASE, Autoencoder
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.recommender.saving import decode_parameter
from aerec.registry import MODELS
from aerec.runs.folder import read_run
from aerec.search_spaces import SPACES, Choice, Number, Whole
from aerec.sparsity import KLSparsity
from aerec.splitting import StrongGeneralization
from aerec.tuning.search import tune

pytest.importorskip("optuna", reason="the search needs the package optuna")

KNN = ["--model", "item-knn", "--trials", "3"]


def test_the_search_is_that_of_the_library(aerec, films_path, tmp_path):
    words = [*KNN, "--metric", "recall@10", "--seed", "2", "--set", "similarity=jaccard", "--json"]
    code, out, err = aerec("tune", films_path, *words)
    assert (code, err) == (0, "")
    found = json.loads(out)
    data = read_ratings(films_path).binarize(4.0).filter(5)
    split = StrongGeneralization(n_users=data.shape[0] // 10, seed=2).split(data)
    space = {name: one for name, one in SPACES["item-knn"].items() if name != "similarity"}
    expected = tune(MODELS["item-knn"](similarity="jaccard"), split, space, 3, metric="recall@10", seed=2)
    assert found["best_params"] == expected.best_params
    assert found["best_value"] == expected.best_value
    assert [one["value"] for one in found["trials"]] == expected.trials["value"].tolist()
    assert (found["metric"], found["model"], found["out"]) == ("recall@10", "item-knn", "tune")
    assert found["split"] == f"strong (n_users={split.test.n_users}, seed=2)"
    assert read_header(tmp_path / "tune", "best")["params"] == expected.best_params
    assert len(pd.read_csv(tmp_path / "tune" / "trials.csv")) == 3


def test_the_last_line_trains_the_best_model_on_the_same_split(aerec, films_path):
    words = ["--model", "mult-dae", "--trials", "2", "--metric", "recall@5", "--out", "best of two", "--quiet"]
    words += ["--set", "epochs=2", "--set", "noise=gaussian:0.2:all", "--seed", "4", "--min-per-user", "6"]
    code, out, err = aerec("tune", films_path, *words)
    assert (code, err) == (0, "")
    *_, note, line = out.splitlines()
    assert note.startswith("saved as best of two; next, ")
    command, *train = shlex.split(line)
    assert (command, train[:2]) == ("aerec", ["train", str(films_path)])
    assert "--threshold" not in train  # what train takes anyway
    assert aerec(*train, "--out", "run", "--quiet").code == 0
    run = read_run("run")
    best = read_header("best of two", "best")
    for name, value in best["params"].items():
        assert getattr(run.model, name) == decode_parameter(value)
    assert (run.model.epochs, run.model.noise, run.model.seed) == (2, GaussianNoise(0.2, "all"), 4)
    assert evaluate(run.model, run.split.validation, "recall@5")["recall@5"] == best["value"]


def test_several_files_are_joined(aerec, films_path, tmp_path):
    ratings = read_ratings(films_path).to_frame()
    for name, part in (("all", ratings), ("old", ratings[:1500]), ("new", ratings[1500:])):
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    whole, parts = (
        json.loads(aerec("tune", *paths, *KNN, "--overwrite", "--json", "--quiet").out)
        for paths in (["all.csv"], ["old.csv", "new.csv"])
    )
    assert parts["best_value"] == whole["best_value"]
    assert (parts["data"], parts["train"].split()[2:4]) == (["old.csv", "new.csv"], ["old.csv", "new.csv"])
    code, _, err = aerec("tune", "--model", "ease")
    assert (code, err.startswith("aerec: error: say what to tune on")) == (2, True)


def test_people_see_the_table_and_what_was_best(aerec, films_path):
    code, out, err = aerec("tune", films_path, *KNN, "--split", "last")
    assert code == 0
    assert [line.split("  ")[0] for line in err.splitlines()] == [f"Tuning ItemKNN trial {n}/3" for n in (1, 2, 3)]
    assert all("  best 0." in line for line in err.splitlines())  # no terminal is looking: a line a trial
    lines = out.splitlines()
    assert lines.pop(0).startswith("kept ")
    assert lines[0].startswith("Interactions(")
    assert lines[1].split() == ["number", "state", "value", "seconds", *SPACES["item-knn"]]
    assert [line.split()[:2] for line in lines[2:5]] == [[str(number), "complete"] for number in range(3)]
    assert lines[5] == "item-knn: 3 trials (3 complete); split: last (seed=0)"
    best = read_header("tune", "best")
    assert lines[6] == f"best ndcg@100 on validation data: {best['value']:.4f} with"
    assert lines[7:11] == [f"  {name}={value}" for name, value in best["params"].items()]
    assert lines[-1].startswith(f"aerec train {films_path} --model item-knn --split last --set k=")


def test_a_search_is_continued(aerec, films_path):
    words = ["tune", films_path, "--model", "ease", "--storage", "tune/study.db", "--json"]
    first = json.loads(aerec(*words, "--trials", "2").out)
    second = json.loads(aerec(*words, "--trials", "3").out)
    assert second["trials"][:2] == first["trials"]
    assert len(second["trials"]) == 3
    code, out, err = aerec(*words, "--trials", "3", "--metric", "recall@5")
    assert (code, out) == (2, "")
    assert err.startswith("aerec: error: tune/study.db holds a search that differs in metric; ")


def test_after_the_timeout_no_trial_begins(aerec, films_path):
    words = ["--model", "ease", "--timeout", "1e-9", "--json"]
    assert len(json.loads(aerec("tune", films_path, *words).out)["trials"]) == 1


def test_models_that_predict_are_tuned_by_their_error(aerec, films_path):
    found = json.loads(aerec("tune", films_path, "--model", "bias", "--trials", "2", "--json").out)
    assert found["metric"] == "rmse"
    assert found["split"].startswith("random")


def test_a_failed_trial_has_no_value(aerec, films_path, monkeypatch):
    fit, calls = EASE._fit, []

    def second_fails(self, *arguments):
        calls.append(self)
        if len(calls) == 2:
            raise MemoryError("too large")
        fit(self, *arguments)

    monkeypatch.setattr(EASE, "_fit", second_fails)
    found = json.loads(aerec("tune", films_path, "--model", "ease", "--trials", "3", "--json").out)
    assert [one["state"] for one in found["trials"]] == ["complete", "failed", "complete"]
    assert found["trials"][1]["value"] is None


def test_a_space_of_ones_own(aerec, films_path):
    words = ["--model", "ease", "--space", "l2=900:1000", "--trials", "4", "--json"]
    found = json.loads(aerec("tune", films_path, *words).out)
    assert all(900 <= one["l2"] <= 1000 for one in found["trials"])


def test_a_best_value_at_the_edge_is_a_warning_that_says_how_to_widen(aerec, films_path):
    words = ["--model", "item-knn", "--space", "k=1:2", "--set", "shrinkage=0", "--set", "similarity=cosine", "-q"]
    words += ["--set", "user_norm=0", "--overwrite"]
    code, _, err = aerec("tune", films_path, *words, "--trials", "6")
    assert code == 0
    assert err == (
        "aerec: warning: the best k, 2, lies near the upper end of its range, 1 to 2; a better one may lie beyond: "
        "--space k=1:20\n"
    )
    told = json.loads(aerec("tune", films_path, *words, "--trials", "6", "--json").out)
    assert told["edges"] == [{"name": "k", "end": "upper", "wider": [1, 20]}]
    assert aerec("tune", films_path, *words, "--trials", "4").err == ""  # too few to say


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("l2=10:20000", Number(10.0, 20000.0, log=True)),
        ("l2=10:20000:linear", Number(10.0, 20000.0)),
        ("k=5:50", Whole(5, 50, log=True)),
        ("shrinkage=0:30", Number(0.0, 30.0)),
        ("other=1:9", Whole(1, 9)),
        ("other=1:900", Whole(1, 900, log=True)),
        ("other=0.5:9", Number(0.5, 9.0)),
        ("noise=none|masking:0.5", Choice((None, MaskingNoise(0.5)))),
    ],
)
def test_spaces_as_text(text, dimension):
    usual = {**SPACES["item-knn"], **SPACES["ease"]}
    assert parse_dimension(text, usual) == (text.partition("=")[0], dimension)


@pytest.mark.parametrize("name", SPACES)
def test_the_usual_spaces_can_be_written_as_text(name):
    for parameter, dimension in SPACES[name].items():
        assert parse_dimension(format_dimension(parameter, dimension), SPACES[name]) == (parameter, dimension)


# ---------------------------------------------------------------------- settings as text


@pytest.mark.parametrize("name", SPACES)
def test_every_value_of_every_space_can_be_written_as_a_setting(name):
    for parameter, dimension in SPACES[name].items():
        for value in dimension.ends():
            found = getattr(build_model(MODELS[name], [format_setting(parameter, value)]), parameter)
            assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("hidden", (600,), "hidden=600,"),
        ("noise", MaskingNoise(0.3, rescale=False), "noise=masking:0.3:false"),
        ("noise", GaussianNoise(0.1), "noise=gaussian:0.1"),
        ("sparsity", KLSparsity(0.05, 3.0), "sparsity=kl:0.05:3.0"),
        ("patience", None, "patience=none"),
        ("tied", True, "tied=true"),
        ("learning_rate", 1e-5, "learning_rate=1e-05"),
        ("validation_metric", "ndcg@10", "validation_metric=ndcg@10"),
    ],
)
def test_a_setting_is_written_as_it_is_read(name, value, text):
    assert format_setting(name, value) == text
    assert getattr(build_model(Autoencoder, [text]), name) == value


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--model", "easy"], "unknown model 'easy'"),
        (["--model", "popularity"], "popularity has nothing to tune"),
        (["--model", "blend", "--set", "steps=3"], "blend has nothing to tune beside steps"),
        (["--model", "ease", "--set", "k=3"], "EASE has no parameter 'k'"),
        (["--model", "ease", "--space", "l2"], "--space 'l2' cannot be read; write name=low:high"),
        (["--model", "ease", "--space", "l2=a:b"], "--space 'l2=a:b' cannot be read"),
        (["--model", "ease", "--space", "l2=1:2:3"], "cannot be read"),
        (
            ["--model", "ease", "--space", "l2=9:1"],
            "with low < high; got (9.0, 1.0)",
        ),
        (["--model", "ease", "--space", "k=1:2"], "EASE has no parameter 'k'"),
        (["--model", "ease", "--space", "l2=-5:10"], "'l2' does not fit"),
        (["--model", "ease", "--set", "l2=3", "--space", "l2=1:2"], "l2 is given by --set and by --space"),
        (["--model", "ease", "--trials", "0"], "--trials"),
        (["--model", "ease", "--seed", "-1"], "--seed"),
        (["--model", "ease", "--timeout", "0"], "timeout is a number of seconds above 0"),
        (["--model", "ease", "--metric", "ndcg"], "unknown metric 'ndcg'"),
        (["--model", "ease", "--metric", "rmse"], "cannot be tuned by rmse"),
        (["--model", "ease", "--split", "none"], "tuning needs held-out data"),
        (["--model", "ease", "--split", "weekly"], "unknown split 'weekly'"),
        (["--model", "ease", "--threshold", "7"], "all below --threshold 7"),
        (["--model", "ease", "--storage", "."], "is a folder; storage is the path of an SQLite file"),
    ],
)
def test_words_that_cannot_be_used(refused, films_path, words, reason):
    assert reason in refused("tune", films_path, *words)


def test_a_folder_that_cannot_be_written_is_refused_before_anything_takes_long(refused, tmp_path):
    (tmp_path / "mine").write_text("not a folder")
    assert "mine is a file; a search is saved as a folder" in refused("tune", "missing.csv", "--out", "mine")
    assert "mine/deep cannot be made" in refused("tune", "missing.csv", "--out", "mine/deep")


def test_a_search_that_is_in_the_folder_is_kept(refused, aerec, films_path):
    words = ["tune", films_path, *KNN, "--quiet"]
    assert aerec(*words).code == 0
    assert "tune holds a search already; give another folder (--out), or overwrite it (--overwrite)" in refused(*words)
    assert "tune holds a search already" in refused(*words, "--storage", "new.db")
    assert aerec(*words, "--overwrite").code == 0


def test_without_optuna_the_line_that_installs_it_is_named(refused, films_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert "pip install 'aerec[tune]'" in refused("tune", films_path)
