"""Results: measured, gathered, and read back from a file."""

import json

import pytest

from aerec import compare, evaluate
from aerec.errors import DataError
from aerec.evaluation.significance import leaders
from aerec.reporting import measure_models, read_results
from aerec.reporting.schema import check_results


def test_they_hold_what_the_library_says(measured, fitted, split):
    reports = [
        evaluate(model, split.test, ("recall@10", "ndcg@20", "coverage@10"), name=name)
        for name, model in fitted.items()
    ]
    differences = compare(reports)
    assert measured["differences"] == differences.to_dict(orient="records")
    assert measured["best"] == leaders(reports, differences)
    assert [one["name"] for one in measured["models"]] == list(fitted)
    assert measured["models"][1]["metrics"] == reports[1].to_dict()["metrics"]
    assert [one["fit_seconds"] for one in measured["models"]] == [0.001, 0.2, 3.0]
    assert measured["versions"]["aerec"]


def test_a_single_model_has_no_differences(fitted, split):
    found = measure_models({"ease": fitted["ease"]}, split, "ndcg@20")
    assert (found["differences"], found["best"]) == ([], {})
    check_results(found)


def test_no_model_is_refused(split):
    with pytest.raises(DataError, match="at least one model"):
        measure_models({}, split)


def test_a_file_is_read_back_as_it_was(measured, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(measured, allow_nan=False))
    assert read_results(path) == json.loads(json.dumps(measured))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"does not exist; write it with: aerec benchmark"):
        read_results(tmp_path / "no.json")


@pytest.mark.parametrize("text", ["{", "\x00\xff", "[" * 100_000])
def test_a_file_that_is_no_json(tmp_path, text):
    (tmp_path / "bad.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match="is no JSON"):
        read_results(tmp_path / "bad.json")


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ([], [], "results is"),
        (["models"], "ease", "results.models is 'ease', not a list"),
        (["models"], [], "models is empty"),
        (["best"], {"recall@10": [1]}, r"results.best.recall@10\[0\] is 1"),
        (["models", 0, "metrics", "recall@10", "mean"], "0.5", r"models\[0\].metrics.recall@10.mean is '0.5'"),
        (["models", 0, "metrics"], {}, "has other metrics than"),
        (["models", 2, "details", "code", "edges"], None, "code.edges is None, not a list"),
        (["models", 2, "details", "samples", 0, "history"], [None], r"samples\[0\].history\[0\] is None"),
    ],
)
def test_the_place_that_does_not_fit_is_named(results, place, value, said):
    if place:
        inner = results
        for one in place[:-1]:
            inner = inner[one]
        inner[place[-1]] = value
    else:
        results = value
    with pytest.raises(DataError, match=said):
        check_results(results)


@pytest.mark.parametrize("key", ["data", "models", "versions"])
def test_what_is_missing_is_named(results, key):
    del results[key]
    with pytest.raises(DataError, match=f"has no '{key}'"):
        check_results(results)
