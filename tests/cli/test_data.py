"""From the words of the command line to data: in which order it is prepared, and how it is split."""

import pandas as pd
import pytest

from aerec import Interactions
from aerec.baselines import ALS, BPR, BiasBaseline, BiasedMF, Popularity, UserKNN
from aerec.cli.data import Preprocessing, choose_split, knows_users, rates, threshold_for
from aerec.errors import DataError
from aerec.models import CDAE, EASE, Autoencoder, AutoRec, MultVAE, RecencyWeighted


def write(path, rows):
    pd.DataFrame(rows, columns=["user", "item", "rating"]).to_csv(path, index=False)
    return path


def pairs(data):
    return [tuple(row) for row in data.to_frame().itertuples(index=False)]


# ---------------------------------------------------------------------- preparing


def test_ratings_below_the_threshold_go_before_users_are_counted(tmp_path):
    path = write(tmp_path / "r.csv", [(1, 7, 5), (1, 8, 4), (2, 7, 4), (2, 8, 3.5), (2, 9, 1)])
    parts = Preprocessing(4.0, min_per_user=2, min_per_item=1).load(path, progress=False).parts
    assert list(parts) == ["all"]
    assert pairs(parts["all"]) == [(1, 7, 1.0), (1, 8, 1.0)]


def test_without_a_threshold_ratings_stay_as_they_are(tmp_path):
    path = write(tmp_path / "r.csv", [(1, 7, 5), (1, 8, 2), (2, 7, 0.5)])
    parts = Preprocessing(None, min_per_user=1, min_per_item=2).load(path, progress=False).parts
    assert pairs(parts["all"]) == [(1, 7, 5.0), (2, 7, 0.5)]


def test_implicit_feedback_has_nothing_to_be_cut_off(tmp_path):
    path = write(tmp_path / "r.csv", [(1, 7, 1), (1, 8, 1)])
    assert Preprocessing(4.0, 1, 1).load(path, progress=False).parts["all"].n_ratings == 2


def test_users_and_items_of_a_given_split_are_left_alone(tmp_path):
    write(tmp_path / "train.csv", [(1, 7, 5), (2, 8, 2)])
    write(tmp_path / "test.csv", [(1, 8, 4)])
    parts = Preprocessing(4.0, min_per_user=5, min_per_item=5).load(tmp_path, progress=False).parts
    assert {name: pairs(part) for name, part in parts.items()} == {"train": [(1, 7, 1.0)], "test": [(1, 8, 1.0)]}
    assert parts["train"].shape == (2, 2)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (
            (9.0, 1, 1),
            "is left: they run from 2 to 5, all below --threshold 9; --threshold 4 is what 4 is of 5, and --implicit",
        ),
        ((None, 3, 1), "is left with --min-per-user 3, --min-per-item 1; lower them"),
        ((2.0, 1, 3), "is left with --threshold 2, --min-per-user 1, --min-per-item 3; lower them"),
    ],
)
def test_where_nothing_is_left_the_rules_are_named(tmp_path, wanted, reason):
    path = write(tmp_path / "r.csv", [(1, 7, 5), (1, 8, 2)])
    with pytest.raises(DataError, match=f"no rating of .*csv {reason}"):
        Preprocessing(*wanted).load(path, progress=False)


# ---------------------------------------------------------------------- what a model wants


@pytest.mark.parametrize("model", [BiasBaseline, BiasedMF, AutoRec])
def test_models_that_predict_want_ratings(model):
    assert rates(model)


@pytest.mark.parametrize("model", [Popularity, EASE, MultVAE, Autoencoder])
def test_models_that_rank_want_likes(model):
    assert not rates(model)


def test_a_threshold_for_a_model_that_predicts_is_told_to_be_of_no_use():
    assert threshold_for(EASE, 7.0) == 7.0
    assert threshold_for(AutoRec, 4.0) is None
    with pytest.warns(UserWarning, match=r"--threshold 7.0 is not used: AutoRec predicts ratings"):
        assert threshold_for(AutoRec, 7.0) is None


def test_some_models_know_users():
    knowing = [UserKNN(), BPR(), CDAE(), Autoencoder(user_factors=True)]
    strangers = [EASE(), MultVAE(), Autoencoder(), Popularity(), ALS()]
    assert all(map(knows_users, knowing))
    assert not any(map(knows_users, strangers))


# ---------------------------------------------------------------------- splitting


@pytest.fixture
def parts():
    rows = [(user, item, 1) for user in range(40) for item in range(3)]
    return {"all": Interactions.from_frame(pd.DataFrame(rows, columns=["user", "item", "rating"]))}


@pytest.mark.parametrize(
    ("model", "kind", "parameters"),
    [
        (EASE(), "strong", {"n_users": 4, "seed": 9}),
        (CDAE(), "random", {"seed": 9, "per_user": True}),
        (BiasBaseline(), "random", {"seed": 9, "per_user": False}),
        (RecencyWeighted(EASE()), "last", {"seed": 9}),
    ],
    ids=["new users", "known users", "ratings", "order"],
)
def test_the_split_suits_the_model(parts, model, kind, parameters):
    found = choose_split(None, parts, model, seed=9)
    assert (found.kind, found.parameters) == (kind, parameters)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("last", {"seed": 9}), ("cold-users", {"seed": 9}), ("cold-items", {"seed": 9}), ("temporal", {})],
)
def test_a_split_that_draws_is_given_the_seed(parts, kind, parameters):
    assert choose_split(kind, parts, EASE(), seed=9).parameters == parameters


def test_a_given_split_goes_before_what_suits_the_model(parts):
    given = {"train": parts["all"], "test": parts["all"]}
    for model in (EASE(), BiasBaseline()):
        assert choose_split(None, given, model, seed=0).kind == "given"


@pytest.mark.parametrize("kind", ["strong", "random", "last", "temporal", "none"])
def test_what_is_asked_for_is_taken(parts, kind):
    assert choose_split(kind, parts, EASE(), seed=0).kind == kind


def test_even_a_single_user_is_held_out(parts):
    few = {"all": parts["all"].select_users([0, 1, 2])}
    assert choose_split("strong", few, EASE(), seed=0).parameters["n_users"] == 1


def test_a_given_split_cannot_be_made_up(parts):
    with pytest.raises(ValueError, match="comes without a given split; choose one of strong, random, last, temporal"):
        choose_split("given", parts, EASE(), seed=0)


def test_an_unknown_split_lists_those_there_are(parts):
    with pytest.raises(
        ValueError, match="unknown split 'weekly'; there are strong, random, last, temporal, cold-users, cold"
    ):
        choose_split("weekly", parts, EASE(), seed=0)


def test_a_file_given_twice_is_refused():
    with pytest.raises(DataError, match="sample is given twice"):
        Preprocessing(4.0, 1, 1).load(["sample", "sample"], progress=False)
