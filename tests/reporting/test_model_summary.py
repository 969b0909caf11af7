"""describe_model: its numbers are those of the library, and JSON can hold them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from aerec import evaluate
from aerec.evaluation import describe_recommendations
from aerec.metrics import calibration_at_k, genre_diversity_at_k, ndcg_at_k
from aerec.models import ELSA, MultVAE
from aerec.reporting import describe_model
from aerec.reranking import Calibration, MaximalMarginalRelevance
from aerec.reranking.features import features_of


@pytest.fixture(scope="module")
def sparse(fitted, split):
    return describe_model(fitted["sparse"], split, name="sparse")


def test_strict_json_holds_all_of_it(sparse):
    assert json.loads(json.dumps(sparse, allow_nan=False))["recall_at"] == [list(pair) for pair in sparse["recall_at"]]


def test_the_curve_is_that_of_evaluate_and_ends_with_the_catalogue(fitted, split):
    found = describe_model(fitted["ease"], split)
    depths = [k for k, _ in found["recall_at"]]
    assert depths == [1, 2, 5, 10, 20, 50]  # of 60 items
    report = evaluate(fitted["ease"], split.test, [f"recall@{k}" for k in depths])
    assert [value for _, value in found["recall_at"]] == pytest.approx(list(report.mean.values()))


def test_groups_are_those_of_describe_recommendations(fitted, split):
    found = describe_model(fitted["ease"], split)
    expected = describe_recommendations(fitted["ease"], split.test, split.train, 20)
    assert found["groups"]["metric"] == "recall@20"
    values = {row["popularity"]: row["value"] for row in found["groups"]["by_popularity"]}
    assert values == expected.by_popularity["recall@20"].to_dict()
    lengths = [(row["shortest"], row["longest"]) for row in found["groups"]["by_activity"]]
    assert lengths == list(expected.by_activity[["shortest", "longest"]].itertuples(index=False, name=None))


def test_the_code_of_top_2_of_8_units_is_at_rest_for_six_of_them(sparse):
    code = sparse["code"]
    assert (code["n_units"], code["of"]) == (8, "users")
    assert 0.75 <= code["at_rest"] <= 1  # the two that are kept may be near 0 as well
    assert 0 <= code["silent"] <= code["at_rest"]
    assert sum(code["counts"]) == round((1 - code["at_rest"]) * 8 * code["n_rows"])
    assert len(code["edges"]) == len(code["counts"]) + 1


def test_learning_and_parameters(sparse, fitted):
    assert [row["epoch"] for row in sparse["history"]] == [1, 2, 3]
    assert sparse["history"][-1]["cost"] == pytest.approx(fitted["sparse"].history_["cost"].iloc[-1])
    assert sparse["parameters"]["sparsity"] == "TopKSparsity(k=2)"
    assert "progress" not in sparse["parameters"]


def test_models_without_epochs_or_code_say_so(fitted, split):
    found = describe_model(fitted["popularity"], split)
    assert (found["history"], found["code"]) == (None, None)


@pytest.mark.parametrize("model", [MultVAE(hidden=4, epochs=1, progress=False), ELSA(4, epochs=1, progress=False)])
def test_other_autoencoders_have_codes_too(model, split):
    assert describe_model(model.fit(split.train), split)["code"]["n_units"] == 4


# ---------------------------------------------------------------------- samples


def test_samples_go_from_the_shortest_history_to_the_longest(sparse, split):
    lengths = np.diff(split.test.history.matrix.indptr)
    counts = [one["n_history"] for one in sparse["samples"]]
    assert len(counts) == 3
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (lengths.min(), lengths.max())


def test_samples_are_what_the_model_recommends_with_titles_and_hits(fitted, split):
    data = split.test.history
    for sample in describe_model(fitted["ease"], split, n_samples=2, n_items=5)["samples"]:
        user = next(one for one in data.users if str(one) == sample["user"])
        expected = fitted["ease"].recommend(data.select_users([user]), 5)
        assert [one["title"] for one in sample["recommended"]] == data.item_names[expected["item"]].tolist()
        target = split.test.target.select_users([user]).to_frame()["item"]
        assert [one["hit"] for one in sample["recommended"]] == expected["item"].isin(target).tolist()
        assert sample["n_target"] == len(target)


def test_every_model_is_shown_the_same_users(measured):
    users = [[one["user"] for one in model["details"]["samples"]] for model in measured["models"]]
    assert users[0] == users[1] == users[2]


# ---------------------------------------------------------------------- ratings


@pytest.mark.parametrize("name", ["bias", "autorec"])
def test_models_that_predict_have_errors_by_group_that_make_up_the_whole(rating_models, rating_split, name):
    model = rating_models[name]
    found = describe_model(model, rating_split)
    assert (found["recall_at"], found["beyond"]) == (None, None)
    groups = found["groups"]
    assert groups["metric"] == "rmse"
    pairs = rating_split.test.target.to_frame()
    errors = (model.predict(pairs["user"], pairs["item"]) - pairs["rating"]) ** 2
    counts = np.bincount(rating_split.train.matrix.indices, minlength=rating_split.train.shape[1])
    top = rating_split.train.items[np.argsort(-counts, kind="stable")][: groups["by_popularity"][0]["n_items"]]
    head = np.sqrt(errors[pairs["item"].isin(top)].mean())
    assert groups["by_popularity"][0]["value"] == pytest.approx(head)
    values = [row["value"] for row in groups["by_activity"]]
    assert min(values) <= np.sqrt(errors.mean()) <= max(values)


def test_the_codes_of_an_item_autoencoder_are_of_items(rating_models, rating_split):
    code = describe_model(rating_models["autorec"], rating_split)["code"]
    assert (code["of"], code["n_rows"]) == ("items", rating_split.train.shape[1])


def test_reranked_lists_begin_with_the_order_of_the_model(fitted, split):
    """What is said of each trade-off is what the library says of lists made by hand."""
    found = describe_model(fitted["ease"], split)["reranked"]
    history, target = split.test.history, split.test.target
    users = np.flatnonzero(np.diff(target.matrix.indptr))
    history, target = history.take_users(users), target.take_users(users)
    assert (found["k"], found["n_candidates"], found["n_users"]) == (10, 60, len(users))
    ranked = fitted["ease"].rank(history, 60)
    genres = features_of(history, None)
    for point in found["points"]:
        kind = {"mmr": MaximalMarginalRelevance, "calibration": Calibration}[point["reranker"]]
        lists, _ = kind(point["trade_off"]).rerank(ranked, history, 10)
        assert point["ndcg"] == pytest.approx(ndcg_at_k(lists, target, k=10).mean())
        assert point["diversity"] == pytest.approx(np.nanmean(genre_diversity_at_k(lists, genres)))
        assert point["miscalibration"] == pytest.approx(np.nanmean(calibration_at_k(lists, history, genres)))
        if point["trade_off"] == (1.0 if point["reranker"] == "mmr" else 0.0):
            assert point["ndcg"] == pytest.approx(ndcg_at_k(ranked[0][:, :10], target, k=10).mean())


def test_without_genres_or_for_ratings_nothing_is_reranked(fitted, split, rating_models, rating_split):
    parts = {name: replace(getattr(split.test, name), item_genres=None) for name in ("history", "target")}
    bare = replace(split, test=replace(split.test, **parts))
    assert describe_model(fitted["ease"], bare)["reranked"] is None
    assert describe_model(rating_models["bias"], rating_split)["reranked"] is None
