"""The shape of results: the smallest that pass, and the place that is named where one does not."""

import copy

import pytest

from aerec.errors import DataError
from aerec.reporting.schema import check_results

RESULTS = {
    "data": "films",
    "split": "strong",
    "n_users": 30,
    "n_left_out": 0,
    "models": [{"name": "ease", "metrics": {"ndcg@20": {"mean": 0.3, "interval": [0.2, None]}}}],
    "best": {"ndcg@20": ["ease"]},
    "machine": {"cores": 2},
    "versions": {"aerec": "0.1"},
}


def changed(path, value):
    results = copy.deepcopy(RESULTS)
    *way, last = path
    place = results
    for step in way:
        place = place[step]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return results


def test_what_may_be_absent_may_be():
    check_results(RESULTS)
    check_results(changed(["seed"], None))
    check_results(changed(["models", 0, "details"], {"history": [{"epoch": 1, "cost": 2.5}], "code": None}))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["data"], KeyError, "results has no 'data': no results of aerec benchmark --json"),
        (["n_users"], "30", "results.n_users is '30'"),
        (["models"], {}, "results.models is {}, not a list"),
        (["models"], [], "results.models is empty; a report needs at least one model"),
        (["models", 0, "metrics"], 1, r"results.models\[0\].metrics is 1, not an object"),
        (["models", 0, "metrics", "ndcg@20", "mean"], None, r"results.models\[0\].metrics.ndcg@20.mean is None"),
        (["models", 0, "details"], {"history": [{"epoch": 1}]}, r"details.history\[0\] has no 'cost'"),
        (["best", "ndcg@20"], "ease", "results.best.ndcg@20 is 'ease', not a list"),
    ],
)
def test_the_first_wrong_place_is_named(path, value, message):
    with pytest.raises(DataError, match=message):
        check_results(changed(path, value))


def test_no_object_at_all():
    for value in (None, [], "text"):
        with pytest.raises(DataError, match=r"results is .*, not an object"):
            check_results(value)


def test_models_with_other_metrics_cannot_be_compared():
    results = copy.deepcopy(RESULTS)
    results["models"].append({"name": "als", "metrics": {"recall@20": {"mean": 0.3, "interval": [None, None]}}})
    with pytest.raises(DataError, match="als has other metrics than ease; measure all alike"):
        check_results(results)
