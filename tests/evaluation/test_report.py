"""Report: the same numbers as a frame, as JSON and for people."""

import dataclasses
import json
import math

import pandas as pd
import pytest

from aerec.evaluation import Report


def report(**changes):
    parts = {
        "name": "EASE",
        "mean": {"recall@20": 0.5, "coverage@5": 0.25},
        "interval": {"recall@20": (0.375, 0.625), "coverage@5": (math.nan, math.nan)},
        "per_user": pd.DataFrame({"recall@20": [0.25, 0.75]}, index=pd.Index(["ann", "bob"], name="user")),
        "n_users": 2,
        "n_left_out": 3,
    }
    return Report(**(parts | changes))


def test_a_metric_is_asked_for_by_name():
    assert report()["recall@20"] == 0.5
    assert report().metrics == ("recall@20", "coverage@5")
    with pytest.raises(KeyError, match="ndcg@7"):
        report()["ndcg@7"]


def test_the_frame_has_a_row_per_metric():
    frame = report().to_frame()
    assert frame.index.tolist() == ["recall@20", "coverage@5"]
    assert frame.index.name == "metric"
    assert frame.columns.tolist() == ["mean", "low", "high"]
    assert frame.loc["recall@20"].tolist() == [0.5, 0.375, 0.625]
    assert frame.loc["coverage@5", "mean"] == 0.25
    assert frame.loc["coverage@5", ["low", "high"]].isna().all()


def test_strict_json_can_hold_it():
    written = json.loads(json.dumps(report().to_dict(), allow_nan=False))
    assert written == {
        "name": "EASE",
        "n_users": 2,
        "n_left_out": 3,
        "metrics": {
            "recall@20": {"mean": 0.5, "interval": [0.375, 0.625]},
            "coverage@5": {"mean": 0.25, "interval": [None, None]},
        },
    }


def test_the_repr_of_a_report_on_ratings_speaks_of_ratings():
    ratings = dataclasses.replace(report(), mean={"rmse": 1.0}, interval={"rmse": (0.9, 1.1)})
    assert repr(ratings).splitlines()[0] == "EASE: 2 users, 3 without a held-out rating left out"


def test_the_repr_says_who_was_left_out_and_shows_only_intervals_there_are():
    assert repr(report()).splitlines() == [
        "EASE: 2 users, 3 without a relevant item left out",
        "  recall@20   0.5000  [0.3750, 0.6250]",
        "  coverage@5  0.2500",
    ]
    assert repr(report(n_left_out=0, n_users=1234)).splitlines()[0] == "EASE: 1,234 users"


def test_a_notebook_shows_a_table():
    shown = report()._repr_html_()
    assert "EASE: 2 users, 3 left out" in shown
    assert all(part in shown for part in ("<table", "recall@20", "0.5000", "0.3750 to 0.6250"))
    assert "nan" not in shown


def test_the_name_of_a_model_is_only_text_in_a_notebook():
    assert "<caption>&lt;b&gt;: 2 users" in report(name="<b>")._repr_html_()


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        report().n_users = 5
