"""`aerec benchmark --folds`: as in the library, compared by the corrected test."""

import json
import pickle

import pytest

from aerec.baselines import ItemKNN, Popularity
from aerec.cli import benchmark as verb
from aerec.cli.folds import choose_folds
from aerec.datasets import read_ratings
from aerec.evaluation import cross_validate
from aerec.splitting import KFold, RollingTime

WORDS = ["--models", "popularity,item-knn", "--metrics", "recall@5", "--folds", "3"]


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """What would go to a process of its own is pickled for it, and done in this one."""

    def here(*work):
        measure, *task = pickle.loads(pickle.dumps(work))
        return pickle.loads(pickle.dumps(measure(*task)))

    monkeypatch.setattr(verb, "_in_own_process", here)


@pytest.fixture
def result(films_path):
    data = read_ratings(films_path).binarize(4.0).filter(5)
    models = {"popularity": Popularity(), "item-knn": ItemKNN()}
    return cross_validate(models, data, KFold(3, validation_fraction=0.1), "recall@5")


def test_machines_read_what_the_library_gives(aerec, films_path, result):
    code, out, err = aerec("benchmark", films_path, *WORDS, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["differences"] == result.compare().to_dict(orient="records")
    scores = {(row["model"], row["fold"]): row["recall@5"] for row in found["scores"]}
    assert scores == result.scores.set_index(["model", "fold"])["recall@5"].to_dict()
    means = result.to_frame().set_index("model")
    for model in found["models"]:
        expected = means.loc[model["name"]]
        assert model["metrics"]["recall@5"] == {
            "mean": expected["mean"],
            "interval": [expected["low"], expected["high"]],
        }
    assert found["test_share"] == pytest.approx(result.test_share)
    assert found["n_splits"] == 3
    assert found["best"]["recall@5"]


def test_the_table_has_a_line_for_each_model(aerec, films_path, result):
    code, out, err = aerec("benchmark", films_path, *WORDS)
    assert (code, err) == (0, "")
    means = result.to_frame().set_index("model")
    for name in ("popularity", "item-knn"):
        (line,) = (line for line in out.splitlines() if line.startswith(name))
        row = means.loc[name]
        assert f"{row['mean']:.4f}" in line
        assert f"[{row['low']:.4f}, {row['high']:.4f}]" in line
    assert "corrected resampled t-test over the 3 splits" in out
    n_users = result.scores.groupby("model")["n_users"].sum().iloc[0]
    assert f"{n_users} test users in all; seed 0; default parameters, not tuned" in out


@pytest.mark.parametrize(
    ("kind", "splitter"),
    [
        ("strong", KFold(4, "users", 7, validation_fraction=0.1)),
        ("random", KFold(4, "ratings", 7, validation_fraction=0.1)),
        ("temporal", RollingTime(4, validation_fraction=0.1)),
    ],
)
def test_the_splits_are_of_the_kind_that_was_asked_for(kind, splitter):
    assert choose_folds(4, kind, 7) == splitter


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--folds", "1"], "--folds 1: cross-validation takes at least 2"),
        (["--folds", "3", "--split", "last"], "--folds goes with --split strong (users), random (ratings) or temporal"),
        (["--folds", "3", "--report", "page.html"], "--report is of one split; leave out --folds"),
    ],
)
def test_what_makes_no_sense_is_refused(refused, films_path, words, message):
    assert message in refused("benchmark", films_path, "--models", "popularity", *words)
