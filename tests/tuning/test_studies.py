"""Studies in a file: continued as if never interrupted, and refused where they are of another search."""

import dataclasses
import sqlite3

import pandas as pd
import pytest

from aerec.baselines import ItemKNN
from aerec.datasets import generate_interactions
from aerec.errors import DataError, TrainingError
from aerec.models import EASE, Blend, MultDAE
from aerec.search_spaces import Choice, Number, Whole
from aerec.splitting import StrongGeneralization
from aerec.tuning.search import tune
from aerec.tuning.studies import describe_search

optuna = pytest.importorskip("optuna", reason="the search needs the package optuna")

SPACE = {"k": Whole(1, 40), "shrinkage": Number(0.1, 100.0, log=True), "similarity": Choice(["cosine", "jaccard"])}


@pytest.fixture(scope="module")
def split():
    films = generate_interactions(150, 60, 2600, seed=3)
    return StrongGeneralization(n_users=25, seed=0).split(films.binarize(4.0))


def same_but_for_time(found, expected):
    assert found.best_params == expected.best_params
    assert found.best_value == expected.best_value
    pd.testing.assert_frame_equal(found.trials.drop(columns="seconds"), expected.trials.drop(columns="seconds"))


class Counted:
    """Stands in for `ItemKNN._fit`: counts the fits, and is interrupted in one of them."""

    def __init__(self, monkeypatch, interrupted_at=None):
        self.n, fit = 0, ItemKNN._fit

        def counted(model, *arguments):
            self.n += 1
            if self.n == interrupted_at:
                raise KeyboardInterrupt
            fit(model, *arguments)

        monkeypatch.setattr(ItemKNN, "_fit", counted)


def test_an_interrupted_search_ends_where_the_uninterrupted_one_ends(split, tmp_path, monkeypatch):
    expected = tune("item-knn", split, SPACE, trials=12, seed=1)
    options = {"trials": 12, "seed": 1, "storage": tmp_path / "new" / "study.db"}
    with monkeypatch.context() as patch:
        Counted(patch, interrupted_at=12)  # the first fit is of the model as it is, which SPACE does not hold
        with pytest.raises(KeyboardInterrupt):
            tune("item-knn", split, SPACE, **options)
    fits = Counted(monkeypatch)
    same_but_for_time(tune("item-knn", split, SPACE, **options), expected)
    assert fits.n == 2
    same_but_for_time(tune("item-knn", split, SPACE, **options), expected)
    assert fits.n == 2  # nothing left to do
    shorter = tune("item-knn", split, SPACE, **{**options, "trials": 4})
    same_but_for_time(shorter, tune("item-knn", split, SPACE, trials=4, seed=1))


def test_a_neural_search_is_continued_with_the_same_pruning(split, tmp_path):
    space = {"learning_rate": Number(1e-5, 1.0, log=True)}
    model = MultDAE(hidden=4, epochs=11, batch_size=64, patience=None, progress=False)
    expected = tune(model, split, space, trials=7)
    tune(model, split, space, trials=5, storage=tmp_path / "study.db")
    again = model.set_params(device="cpu", progress=True)  # of no influence
    same_but_for_time(tune(again, split, space, trials=7, storage=tmp_path / "study.db"), expected)
    assert "pruned" in set(expected.trials["state"])


def test_one_file_holds_searches_of_several_names(split, tmp_path):
    path = tmp_path / "study.db"
    tune(EASE, split, trials=2, storage=path, study_name="one")
    assert len(tune(ItemKNN, split, trials=1, storage=path, study_name="two").trials) == 1


@pytest.fixture(scope="module")
def stored(split, tmp_path_factory):
    """A file with a search of one trial, and what it was called with."""
    path = tmp_path_factory.mktemp("stored") / "study.db"
    arguments = {"model": EASE(), "split": split, "space": {"l2": Number(1, 2)}, "trials": 1, "storage": path}
    tune(**arguments)
    return arguments


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"model": ItemKNN(), "space": {"shrinkage": Number(1, 2)}}, "model, parameters, space"),
        ({"space": {"l2": Number(1, 3)}}, "space"),
        ({"metric": "recall@5"}, "metric"),
        ({"seed": 1}, "seed"),
        ({"split": "train"}, "data"),
        ({"split": "validation"}, "data"),
    ],
)
def test_a_file_of_another_search_is_refused(stored, other, named):
    split = stored["split"]
    if other.get("split") == "train":
        other = {"split": dataclasses.replace(split, train=split.train.select_users(split.train.users[1:]))}
    elif other.get("split") == "validation":
        other = {"split": dataclasses.replace(split, validation=split.test)}
    with pytest.raises(DataError, match=rf"study\.db holds a search that differs in {named}.*; repeat that one"):
        tune(**{**stored, **other})


def test_models_inside_are_told_apart_by_all_that_they_are_but_for_what_they_show(split):
    def described(last, **params):
        parts = [MultDAE(hidden=(600, 200, 100), batch_size=123, weight_decay=0.25, **params) for _ in range(12)]
        space = {"models": Choice([parts, [EASE()]])}
        return describe_search(Blend([*parts, EASE(l2=last)]), split, space, "ndcg@9", 0)

    assert described(1.0) == described(1.0, progress=False)
    assert described(1.0)["parameters"] != described(2.0)["parameters"]
    assert described(1.0, seed=1)["space"] != described(1.0)["space"]
    plain = describe_search(MultDAE(hidden=(6, 2)), split, {"hidden": Choice([(6, 2), 3])}, "ndcg@9", 0)
    assert (plain["parameters"]["hidden"], plain["space"]["hidden"]) == ("(6, 2)", "Choice(values=((6, 2), 3))")


def test_a_failed_trial_is_not_tried_again(split, tmp_path, monkeypatch):
    def fit(model, *_):
        raise TrainingError("the cost became nan")

    with monkeypatch.context() as patch:
        patch.setattr(EASE, "_fit", fit)
        with pytest.raises(TrainingError, match="all 2 trials failed"):
            tune(EASE, split, trials=2, storage=tmp_path / "study.db")
    found = tune(EASE, split, trials=3, storage=tmp_path / "study.db")
    assert found.trials["state"].tolist() == ["failed", "failed", "complete"]


def test_a_study_made_by_someone_else_is_refused(split, tmp_path):
    path = tmp_path / "study.db"
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="aerec")
    study.tell(study.ask(), 1.0)
    with pytest.raises(DataError, match="holds a search that differs in model"):
        tune(EASE, split, trials=1, storage=path)


def test_a_path_that_cannot_hold_a_study(split, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a data base, and longer than its first bytes")
    with pytest.raises(DataError, match=r"notes\.txt is no SQLite file and is left as it is"):
        tune(EASE, split, trials=1, storage=text)
    with pytest.raises(DataError, match="is a folder; storage is the path of an SQLite file"):
        tune(EASE, split, trials=1, storage=tmp_path)
    with pytest.raises(DataError, match=r"notes\.txt is a file"):
        tune(EASE, split, trials=1, storage=text / "study.db")
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"SQLite format 3\0" + b"?" * 200)
    with pytest.raises(DataError, match=r"damaged\.db cannot be used as storage \(.*\); give another file"):
        tune(EASE, split, trials=1, storage=damaged)
    stranger = tmp_path / "stranger.db"
    with sqlite3.connect(stranger) as connection:
        connection.execute("CREATE TABLE studies (a TEXT)")
    with pytest.raises(DataError, match=r"stranger\.db cannot be used as storage"):
        tune(EASE, split, trials=1, storage=stranger)
