"""cross_validate: each fold as by hand, and a test that is not misled by overlapping training data."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aerec import evaluate
from aerec.baselines import BiasBaseline, ItemKNN, Popularity
from aerec.datasets import generate_interactions
from aerec.errors import DataError
from aerec.evaluation import cross_validate
from aerec.evaluation.cross_validation import CrossValidation, corrected_t_test
from aerec.evaluation.significance import holm
from aerec.models import EASE, MultDAE
from aerec.splitting import KFold, RandomHoldout, RollingTime, StrongGeneralization

METRICS = ("recall@5", "coverage@5")


@pytest.fixture(scope="module")
def films():
    return generate_interactions(80, 40, 900, seed=4)


def scored(**values):
    """A result of one metric: model → value of each split."""
    rows = [{"model": name, "fold": fold, "x": v} for name, each in values.items() for fold, v in enumerate(each)]
    return CrossValidation(pd.DataFrame(rows), ("x",), 0.25)


@pytest.mark.parametrize("splitter", [KFold(3), KFold(3, "ratings"), RollingTime(2)], ids=repr)
def test_each_fold_is_as_by_hand(films, splitter):
    models = {"near": ItemKNN(k=5), "far": ItemKNN(k=20), "linear": EASE()}
    result = cross_validate(models, films, splitter, METRICS)
    rows = result.scores.to_dict(orient="records")
    expected = []
    for fold, split in enumerate(splitter.splits(films)):
        for name, model in (("near", ItemKNN(k=5)), ("far", ItemKNN(k=20)), ("linear", EASE())):
            report = evaluate(model.fit(split.train), split.test, METRICS)
            counts = {"n_users": report.n_users, "n_left_out": report.n_left_out}
            expected.append({"model": name, "fold": fold, **counts, **report.mean})
    assert all(row.pop("fit_seconds") >= 0 for row in rows)
    assert rows == expected
    assert (result.models, result.metrics, result.n_splits) == (tuple(models), METRICS, fold + 1)
    assert not hasattr(models["near"], "n_features_in_")  # copies were fitted


def test_validation_data_are_for_models_that_watch_them(films):
    model = MultDAE(hidden=4, epochs=2, seed=1, progress=False)
    splitter = KFold(2, validation_fraction=0.2)
    result = cross_validate({"dae": model}, films, splitter, "recall@5")
    for value, split in zip(result.scores["recall@5"], splitter.splits(films), strict=True):
        by_hand = MultDAE(hidden=4, epochs=2, seed=1, progress=False).fit(split.train, validation=split.validation)
        assert value == evaluate(by_hand, split.test, "recall@5")["recall@5"]


def test_splits_may_come_from_several_splitters_or_be_given(films):
    splitters = [StrongGeneralization(10, seed=seed) for seed in range(3)]
    of_splitters = cross_validate([Popularity()], films, splitters, "recall@5")
    of_splits = cross_validate([Popularity()], films, (one.split(films) for one in splitters), "recall@5")
    drop = ["fit_seconds"]
    pd.testing.assert_frame_equal(of_splitters.scores.drop(columns=drop), of_splits.scores.drop(columns=drop))


def test_ratings_are_predicted_too(films):
    result = cross_validate([BiasBaseline()], films, KFold(2, "ratings"), ("rmse", "mae"))
    assert (result.scores["rmse"] > result.scores["mae"]).all()


@pytest.mark.parametrize(
    ("splitter", "share"),
    [
        (KFold(5), 1 / 4),
        (KFold(5, validation_fraction=0.3), 1 / 4),
        (KFold(4, "ratings"), 1 / 3),
        (KFold(4, "ratings", validation_fraction=0.3), 1 / 3),
        ([StrongGeneralization(10, seed=seed) for seed in range(2)], 10 / 70),
        ([RandomHoldout(0.1, 0.2, seed) for seed in range(2)], 1 / 9),
    ],
)
def test_the_share_of_the_test_data_is_counted_in_what_was_divided(films, splitter, share):
    assert cross_validate([Popularity()], films, splitter, "recall@5").test_share == pytest.approx(share, rel=0.01)


# ---------------------------------------------------------------------- the test


@given(st.lists(st.floats(-1, 1, width=16), min_size=2, max_size=12, unique=True), st.floats(0, 2))
def test_the_statistic_is_that_of_the_t_test_made_smaller(values, share):
    mean, low, high, p_value = corrected_t_test(values, share)
    n, plain = len(values), stats.ttest_1samp(values, 0.0)
    shrunk = plain.statistic / np.sqrt(1 + n * share)
    assert mean == pytest.approx(np.mean(values))
    assert p_value == pytest.approx(2 * stats.t.sf(abs(shrunk), n - 1))
    interval = plain.confidence_interval()
    assert (high - low) == pytest.approx((interval.high - interval.low) * np.sqrt(1 + n * share))
    assert (low <= 0 <= high) == (p_value >= 0.05) or p_value == pytest.approx(0.05)


@pytest.mark.parametrize(("n", "share"), [(5, 1 / 4), (10, 1 / 9), (15, 1 / 9)])
def test_of_correlated_values_without_a_difference_one_in_twenty_is_called_one(n, share):
    correlation = share / (1 + share)  # what the method takes it to be
    covariance = np.full((n, n), correlation) + np.eye(n) * (1 - correlation)
    drawn = np.random.default_rng(0).multivariate_normal(np.zeros(n), covariance, size=4000)
    corrected = np.mean([corrected_t_test(values, share)[3] < 0.05 for values in drawn])
    plain = np.mean([corrected_t_test(values, 0.0)[3] < 0.05 for values in drawn])
    assert abs(corrected - 0.05) < 4 * (0.05 * 0.95 / 4000) ** 0.5
    assert plain > 0.12


def test_models_are_compared_split_by_split():
    result = scored(a=[0.3, 0.5, 0.4], b=[0.2, 0.3, 0.3], c=[0.3, 0.5, 0.4])
    frame = result.compare().set_index(["a", "b"])
    expected = corrected_t_test([0.1, 0.2, 0.1], 0.25)
    assert frame.loc[("a", "b"), ["difference", "low", "high", "p_value"]].tolist() == pytest.approx(expected)
    assert frame.loc[("a", "c"), ["difference", "low", "high", "p_value"]].tolist() == [0, 0, 0, 1]
    assert frame["p_holm"].tolist() == holm(frame["p_value"].to_numpy()).tolist()
    means = result.to_frame().set_index("model")
    assert means.loc["a", ["mean", "low", "high"]].tolist() == pytest.approx(
        corrected_t_test([0.3, 0.5, 0.4], 0.25)[:3]
    )


def test_intervals_stay_where_the_metric_is():
    scores = scored(a=[0.99, 0.7, 0.98], b=[0.01, 0.3, 0.0])
    means = scores.to_frame().set_index("model")
    assert (means.loc["a", "high"], means.loc["b", "low"]) == (1.0, 0.0)
    assert corrected_t_test([0.99, 0.7, 0.98], 0.25)[2] > 1
    assert scores.compare().loc[0, "high"] == 1.0
    errors = dataclasses.replace(
        scores, scores=scores.scores.rename(columns={"x": "rmse"}), metrics=("rmse",)
    ).to_frame()
    assert errors["high"].max() > 1
    assert errors["low"].min() == 0


def test_a_difference_that_never_changes_is_certain():
    assert corrected_t_test([0.5, 0.5], 0.25) == (0.5, 0.5, 0.5, 0.0)
    assert corrected_t_test([0.0, 0.0], 0.25) == (0.0, 0.0, 0.0, 1.0)


def test_the_result_shows_means_and_intervals():
    result = scored(a=[0.3, 0.5, 0.4], b=[0.2, 0.3, 0.3])
    low, high = result.to_frame().loc[0, ["low", "high"]]
    title, head, first, *_ = repr(result).splitlines()
    assert first == f"a      0.4000 [{low:.4f}, {high:.4f}]"
    assert head == "model  x"
    assert title.startswith("3 splits")
    assert f"<td>0.4000 [{low:.4f}, {high:.4f}]</td>" in result._repr_html_()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda data: cross_validate([], data), ValueError, "no model to validate"),
        (
            lambda data: cross_validate([EASE(), EASE(l2=9)], data),
            ValueError,
            "several models are called EASE; give a d",
        ),
        (lambda data: cross_validate([EASE()], data, RandomHoldout()), DataError, "at least two splits, .* gave 1"),
        (lambda data: cross_validate([EASE()], data, KFold(2)).compare(), DataError, "at least two models, got 1"),
        (lambda data: corrected_t_test([0.1], 0.25), ValueError, "at least two values"),
        (lambda data: corrected_t_test([0.1, 0.2], -0.1), ValueError, "a share of at least 0, got 2 and -0.1"),
    ],
)
def test_what_cannot_be_compared_is_refused(films, call, error, message):
    with pytest.raises(error, match=message):
        call(films)


def test_one_model_may_be_given_alone(films):
    alone = cross_validate(Popularity(), films, KFold(3), metrics=("recall@5",))
    pd.testing.assert_frame_equal(
        alone.to_frame(), cross_validate([Popularity()], films, KFold(3), metrics=("recall@5",)).to_frame()
    )


@pytest.mark.parametrize("splitter", [3, "kfold", [KFold(2), 3]])
def test_what_is_no_splitter_is_refused(splitter):
    with pytest.raises(ValueError, match=r"splitter is one such as KFold\(5\)"):
        cross_validate(Popularity(), generate_interactions(30, 20, 150, seed=0), splitter=splitter)
