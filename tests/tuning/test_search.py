"""The search: what it finds, that it can be repeated and continued, and what it refuses before any fit."""

import dataclasses
import logging
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from aerec import evaluate
from aerec.baselines import BiasBaseline, ItemKNN, Popularity, PureSVD
from aerec.datasets import generate_interactions
from aerec.errors import DataError, InsufficientMemoryError, MissingExtraError, TrainingError
from aerec.files.storage import read_header
from aerec.models import EASE, MultDAE, RecencyWeighted
from aerec.noise import MaskingNoise
from aerec.recommender.saving import decode_parameter
from aerec.search_spaces import SPACES, Choice, Number, Whole
from aerec.splitting import LeaveLastOut, RandomHoldout, StrongGeneralization
from aerec.tuning import default_space, tune
from aerec.tuning.edges import Edge
from aerec.tuning.search import TuningResult

optuna = pytest.importorskip("optuna", reason="the search needs the package optuna")

SPACE = {"k": Whole(1, 40), "shrinkage": Number(0.1, 100.0, log=True), "similarity": Choice(["cosine", "jaccard"])}
QUICK = MultDAE(hidden=8, epochs=20, batch_size=64, progress=False)


@pytest.fixture(scope="module")
def films():
    return generate_interactions(150, 60, 2600, seed=3)


@pytest.fixture(scope="module")
def split(films):
    return StrongGeneralization(n_users=25, seed=0).split(films.binarize(4.0))


def same_but_for_time(found, expected):
    assert found.best_params == expected.best_params
    assert found.best_value == expected.best_value
    pd.testing.assert_frame_equal(found.trials.drop(columns="seconds"), expected.trials.drop(columns="seconds"))


def count(fit, fitted, stop_at=None, error=None):
    """Return `fit` that notes each call in `fitted`, and raises `error` in one of them."""

    def counted(self, *arguments):
        fitted.append(self)
        if len(fitted) == stop_at:
            raise error
        return fit(self, *arguments)

    return counted


# ---------------------------------------------------------------------- what it finds


def test_the_best_trial_is_the_one_that_measures_best_again(split):
    found = tune("item-knn", split, SPACE, trials=8)
    assert found.metric == "ndcg@100"
    assert list(found.trials.columns) == ["number", "state", "value", "seconds", "k", "shrinkage", "similarity"]
    assert found.trials["number"].tolist() == list(range(8))
    assert found.trials["state"].tolist() == ["complete"] * 8
    for row in found.trials.to_dict(orient="records"):
        model = ItemKNN(**{name: row[name] for name in SPACE}).fit(split.train)
        assert evaluate(model, split.validation, "ndcg@100")["ndcg@100"] == row["value"]
    best = found.trials.loc[found.trials["value"].idxmax()]
    assert found.best_value == best["value"]
    assert found.best_params == {name: best[name] for name in SPACE}
    assert found.best_model.get_params() == ItemKNN(**found.best_params).get_params()
    assert not hasattr(found.best_model, "weights_")


def test_the_first_trial_is_the_model_as_it_is(split):
    found = tune(ItemKNN(k=9, shrinkage=20.0), split, SPACE, trials=2)
    assert found.trials.loc[0, list(SPACE)].tolist() == [9, 20.0, "cosine"]
    model = ItemKNN(k=9, shrinkage=20.0).fit(split.train)
    assert found.trials["value"][0] == evaluate(model, split.validation, "ndcg@100")["ndcg@100"]
    assert found.trials["seconds"][0] > 0
    outside = tune(ItemKNN(k=41), split, SPACE, trials=1)
    assert outside.trials["k"][0] <= 40


def test_what_the_model_sets_itself_is_told_and_stays_to_it(split):
    found = tune(EASE, split, trials=1)
    assert found.best_params == {name: EASE().get_params()[name] for name in SPACES["ease"]}
    assert found.best_params["l2"] == "auto"
    assert found.trials["l2"].tolist() == [EASE().fit(split.train).l2_]
    untold = tune("pure-svd", split, trials=1)
    assert untold.best_params == {"n_factors": PureSVD().n_factors, "l2": "auto"}
    assert untold.trials["l2"].isna().all()
    narrower = tune(EASE, split, {"l2": Number(1.0, 2.0)}, trials=1)  # a range of one's own is kept to
    assert 1.0 <= narrower.best_params["l2"] <= 2.0
    wider = tune(EASE, split, {"l2": Number(1.0, 20_000.0, log=True)}, trials=1)
    assert wider.best_params == {"l2": "auto"}
    assert wider.best_value == found.best_value


def test_a_parameter_of_a_model_inside_is_searched(films):
    by_time = LeaveLastOut().split(films.binarize(4.0))
    result = tune(RecencyWeighted(EASE()), by_time, {"model__l2": Number(10.0, 1e4, log=True)}, trials=3)
    assert result.trials["model__l2"][0] == EASE().fit(by_time.train).l2_  # what the model sets itself
    assert result.best_params.keys() == {"model__l2"}
    assert result.best_model.model.l2 == result.best_params["model__l2"]
    with pytest.raises(ValueError, match="space: 'model__l2' does not fit"):
        tune(RecencyWeighted(EASE()), by_time, {"model__l2": Number(-1.0, 1e4)}, trials=1)


def test_models_to_choose_from_stay_as_they_are(films):
    by_time = LeaveLastOut().split(films.binarize(4.0))
    given = EASE(l2=10.0), EASE(l2=20.0)
    space = {"model": Choice(given), "model__l2": Number(50.0, 900.0)}
    result = tune(RecencyWeighted(EASE()), by_time, space, trials=3)
    assert [model.l2 for model in given] == [10.0, 20.0]
    assert result.best_model.model.l2 == result.best_params["model__l2"] >= 50


def test_a_model_inside_is_fitted_silently(films, capfd):
    by_time = LeaveLastOut().split(films.binarize(4.0))
    model = RecencyWeighted(MultDAE(hidden=2, epochs=1, progress=1))
    tune(model, by_time, {"half_life": Number(1.0, 9.0)}, trials=1)
    assert "MultDAE" not in capfd.readouterr().err


def test_the_first_trial_may_fail(split, monkeypatch):
    monkeypatch.setattr(EASE, "_fit", count(EASE._fit, [], stop_at=1, error=TrainingError("the cost became nan")))
    found = tune(EASE, split, trials=2)
    assert found.trials["state"].tolist() == ["failed", "complete"]
    assert found.trials["l2"].isna().tolist() == [True, False]


def test_the_result_prints_what_was_best():
    trials = pd.DataFrame({"state": ["complete", "failed", "complete"]})
    edges = [Edge("l2", 1999.5, "upper", Number(1.0, 2000.0), Number(1.0, 8000.0))]
    found = TuningResult({"l2": 1999.5, "solver": "dense"}, 0.25, ItemKNN(), "ndcg@100", trials, edges)
    assert repr(found).splitlines() == [
        "ItemKNN: ndcg@100 0.2500 on validation data (2 complete, 1 failed)",
        "  l2=1999.5, solver='dense'",
        "  the best l2, 1999.5, lies near the upper end of its range, 1 to 2000; a better one may lie beyond",
    ]


def test_the_estimator_stays_as_it_is_and_gives_what_is_not_searched(split):
    model = ItemKNN(k=7, similarity="jaccard")
    found = tune(model, split, {"shrinkage": Choice([1.0, 2.0])}, trials=2)
    assert model.get_params() == ItemKNN(k=7, similarity="jaccard").get_params()
    assert found.best_model.get_params(deep=False) == {**model.get_params(deep=False), **found.best_params}


def test_errors_of_ratings_are_made_small(films):
    split = RandomHoldout(seed=1).split(films)
    found = tune(BiasBaseline, split, trials=5)
    assert found.metric == "rmse"
    assert set(found.best_params) == set(SPACES["bias"])
    assert found.best_value == found.trials["value"].min() < found.trials["value"].max()


def test_the_test_part_is_not_looked_at(split):
    blind = dataclasses.replace(split, test=None)
    same_but_for_time(tune(EASE, blind, trials=3), tune(EASE, split, trials=3))


def test_choices_of_ours_come_back_as_they_are(split):
    space = {"noise": Choice([MaskingNoise(0.2), MaskingNoise(0.6)]), "hidden": Choice([(8,), (6, 4)])}
    found = tune(MultDAE(epochs=2), split, space, trials=3)
    assert set(found.trials["noise"]) <= set(space["noise"].values)
    assert found.best_params["hidden"] in space["hidden"].values
    assert found.best_model.progress is True  # only the trials themselves are silent


def test_a_setting_that_comes_up_again_is_not_fitted_again(split, monkeypatch):
    fitted = []
    monkeypatch.setattr(EASE, "_fit", count(EASE._fit, fitted))
    found = tune(EASE, split, {"l2": Choice([1.0, 50.0])}, trials=9)
    assert len(found.trials) == 9
    assert len(fitted) == 2
    assert found.trials.groupby("l2")["value"].nunique().tolist() == [1, 1]


def test_of_equal_trials_the_first_is_the_best(split):
    found = tune(ItemKNN(), split, {"k": Whole(1000, 2000)}, trials=3)  # there are fewer items than that
    assert found.trials["value"].nunique() == 1
    assert found.best_params["k"] == found.trials["k"][0]


def test_early_stopping_watches_what_is_searched_for_unless_told_otherwise(split):
    space = {"learning_rate": Number(1e-3, 1e-2)}
    assert tune(QUICK, split, space, 1).best_model.validation_metric is None  # ndcg@100 either way
    assert tune(QUICK, split, space, 1, metric="recall@5").best_model.validation_metric == "recall@5"
    told = MultDAE(**{**QUICK.get_params(deep=False), "validation_metric": "mrr@5"})
    assert tune(told, split, space, 1, metric="recall@5").best_model.validation_metric == "mrr@5"


def test_hopeless_fits_are_pruned_after_the_warm_up(split):
    space = {"learning_rate": Choice([0.003, 0.0031, 0.0032, 0.0033, 0.0034, 0.0035, 1e-9, 2e-9, 3e-9, 4e-9])}
    model = MultDAE(**{**QUICK.get_params(deep=False), "patience": None})
    found = tune(model, split, space, trials=14, seed=2)
    pruned = found.trials[found.trials["state"] == "pruned"]
    assert len(pruned) >= 1
    assert pruned["value"].isna().all()
    assert pruned["number"].min() >= 5
    assert found.best_params["learning_rate"] > 1e-3
    untold = MultDAE(**{**model.get_params(deep=False), "validation_metric": "mrr@5", "epochs": 2})
    assert set(tune(untold, split, space, trials=8).trials["state"]) == {"complete"}


# ---------------------------------------------------------------------- how often, how long


def test_the_same_seed_gives_the_same_search_and_another_one_another(split):
    found = tune("item-knn", split, SPACE, trials=13, seed=5)
    same_but_for_time(tune(ItemKNN, split, SPACE, trials=13, seed=5), found)
    assert tune(ItemKNN, split, SPACE, trials=2, seed=6).trials["shrinkage"][0] != found.trials["shrinkage"][0]


def test_after_the_timeout_no_trial_begins(split):
    assert len(tune(EASE, split, trials=50, timeout=1e-9).trials) == 1


# ---------------------------------------------------------------------- failures


@pytest.mark.parametrize("error", [TrainingError("the cost became nan"), InsufficientMemoryError("too large")])
def test_a_trial_that_fails_is_recorded_and_the_search_goes_on(split, monkeypatch, caplog, error):
    monkeypatch.setattr(EASE, "_fit", count(EASE._fit, [], stop_at=2, error=error))
    with caplog.at_level(logging.WARNING, "aerec"):
        found = tune(EASE, split, trials=4)
    assert found.trials["state"].tolist() == ["complete", "failed", "complete", "complete"]
    assert found.trials["value"].isna().tolist() == [False, True, False, False]
    assert str(error) in caplog.text


def test_all_trials_failed(split, monkeypatch):
    def fit(self, train, validation):
        raise TrainingError("the cost became inf")

    monkeypatch.setattr(EASE, "_fit", fit)
    with pytest.raises(TrainingError, match="all 3 trials failed, the last one because: the cost became inf"):
        tune(EASE, split, trials=3)


def test_a_value_that_is_no_number_is_a_failure(films, monkeypatch):
    def predict(self, users, items):
        return np.full(len(users), np.nan)

    monkeypatch.setattr(BiasBaseline, "predict", predict)
    with pytest.raises(TrainingError, match="all 2 trials failed, the last one because: rmse became nan"):
        tune(BiasBaseline, RandomHoldout().split(films), trials=2)


def test_a_fault_of_ours_is_not_dressed_up_as_a_failed_trial(split, monkeypatch):
    monkeypatch.setattr(EASE, "_fit", count(EASE._fit, [], stop_at=1, error=ZeroDivisionError))
    with pytest.raises(ZeroDivisionError):
        tune(EASE, split, trials=3)


# ---------------------------------------------------------------------- refused before any fit


@pytest.mark.parametrize(
    ("arguments", "kind", "reason"),
    [
        ({"space": {}}, ValueError, "the space of EASE is empty"),
        (
            {"space": {"k": Whole(1, 2)}},
            ValueError,
            "EASE has no parameter 'k'; there are diagonal, feature_weight, item_norm, l2, solver, user_norm",
        ),
        ({"space": {"l2": Number(0.0, 1.0)}}, ValueError, "'l2' does not fit"),
        ({"model": Popularity()}, ValueError, "the space of Popularity is empty"),
        ({"model": "easy"}, ValueError, "unknown model 'easy'"),
        ({"model": 3}, ValueError, "model is an estimator, a class or a name of aerec, got 3"),
        ({"trials": 0}, ValueError, "trials must be a whole number of at least 1, got 0"),
        ({"trials": True}, ValueError, "trials must be a whole number"),
        ({"seed": -1}, ValueError, "seed must be a whole number of at least 0, got -1"),
        ({"timeout": 0}, ValueError, "timeout is a number of seconds above 0"),
        ({"metric": "ndcg"}, ValueError, "unknown metric 'ndcg'"),
        ({"metric": "rmse"}, DataError, "EASE ranks items and cannot be tuned by rmse"),
        ({"split": "strong"}, ValueError, "split must be a Split"),
    ],
)
def test_arguments_that_make_no_sense(split, monkeypatch, arguments, kind, reason):
    monkeypatch.setattr(EASE, "_fit", lambda *_: pytest.fail("fitted for nothing"))
    with pytest.raises(kind, match=reason):
        tune(**{"model": EASE(), "split": split, **arguments})


def test_without_validation_data(films):
    with pytest.raises(DataError, match="the split has no validation data to tune on"):
        tune(EASE, LeaveLastOut(validation=False).split(films))


class Ours(EASE):
    pass


def test_a_class_of_your_own_has_the_space_of_what_it_is_derived_from(split):
    assert default_space(Ours) == SPACES["ease"]
    assert tune(Ours, split, trials=1).best_params.keys() == SPACES["ease"].keys()

    class Alone(EASE.__mro__[1]):
        def __init__(self, l2=1.0):
            self.l2 = l2

        def _fit(self, train, validation):
            pass

    with pytest.raises(ValueError, match="Alone has no default space; give one"):
        default_space(Alone)


# ---------------------------------------------------------------------- the outside


def test_a_search_is_saved_as_a_table_and_what_was_best(split, tmp_path):
    space = {"noise": Choice([MaskingNoise(0.2), None]), "hidden": Choice([(6, 4), 5])}
    found = tune(MultDAE(epochs=1, progress=False), split, space, trials=3)
    for _ in range(2):  # a second time replaces the first
        found.save(tmp_path / "deep" / "tune")
    assert sorted(path.name for path in (tmp_path / "deep" / "tune").iterdir()) == ["best.json", "trials.csv"]
    read = pd.read_csv(tmp_path / "deep" / "tune" / "trials.csv", float_precision="round_trip")
    assert read["value"].tolist() == found.trials["value"].tolist()
    best = read_header(tmp_path / "deep" / "tune", "best")
    assert (best["model"], best["metric"], best["value"]) == ("MultDAE", "ndcg@100", found.best_value)
    assert {name: decode_parameter(value) for name, value in best["params"].items()} == found.best_params


def test_a_search_is_not_saved_over_a_file(split, tmp_path):
    (tmp_path / "tune").write_text("mine")
    with pytest.raises(DataError, match="is a file; a search is saved as a folder"):
        tune(EASE, split, trials=1).save(tmp_path / "tune")
    assert (tmp_path / "tune").read_text() == "mine"


def test_nothing_is_printed_and_the_logging_of_optuna_stays_as_it_was(split, capfd, caplog):
    before = optuna.logging.get_verbosity()
    with caplog.at_level(logging.INFO, "aerec"):
        tune(EASE, split, trials=2)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before
    assert [one.getMessage().split("  ")[0] for one in caplog.records] == [
        "Tuning EASE trial 1/2",
        "Tuning EASE trial 2/2",
    ]


def test_without_optuna_the_line_that_installs_it_is_named(split, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        MissingExtraError, match=r"hyper-parameter search needs the package optuna.*pip install 'aerec\[tune\]'"
    ):
        tune(EASE, split)


def test_optuna_is_imported_only_when_a_search_begins():
    code = "import sys, aerec.tuning, aerec.cli; sys.exit('optuna' in sys.modules or 'sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
