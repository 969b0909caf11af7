"""Requests made from the OpenAPI document, right and wrong ones: what is answered is what the document says."""

import json
import os

import pytest

pytest.importorskip("schemathesis", reason="fuzzing the API needs schemathesis: extra test")
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig

EXAMPLES = int(os.environ.get("AEREC_FUZZ_EXAMPLES", "15"))  # of each route and kind
REFUSALS = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 429, 503]  # what the service documents
ROUTES = [
    ("POST", "/v1/recommend"),
    ("GET", "/v1/users/{user}/recommendations"),
    ("GET", "/v1/items"),
    ("GET", "/v1/items/{item}"),
    ("GET", "/v1/items/{item}/similar"),
    ("GET", "/v1/models"),
    ("GET", "/v1/units"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
]


@pytest.fixture(scope="module")
def document(serving, run_path):
    load_all_checks()
    refusals = {"negative_data_rejection": {"expected-statuses": REFUSALS}}
    with serving(run_path) as address:
        yield schemathesis.openapi.from_url(
            f"{address}openapi.json", config=SchemathesisConfig.from_dict({"checks": refusals})
        )


def test_every_route_is_tried(document):
    assert {(one.ok().method.upper(), one.ok().path) for one in document.get_all_operations()} == {*ROUTES}


@pytest.mark.parametrize("kind", list(GenerationMode), ids=lambda one: one.value)
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda one: one)
def test_answers_are_those_of_the_document(document, method, path, kind):
    operation = document[path][method]
    if kind == GenerationMode.NEGATIVE and not any((operation.body, operation.query, operation.path_parameters)):
        pytest.skip("nothing to get wrong")

    @given(data=st.data())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    def ask(data):
        case = data.draw(operation.as_strategy(generation_mode=kind))
        answer = case.call()
        # ids and genres that the document cannot know of are refused, too
        case.validate_response(answer, excluded_checks=CHECKS.get_by_names(["positive_data_acceptance"]))
        assert answer.status_code < 500
        if answer.status_code >= 400:
            told = json.loads(answer.content)
            assert list(told) == ["error"]
            assert 0 < len(told["error"]) < 400
            for leak in ("Traceback", ".py", "site-packages", "/tmp"):
                assert leak not in told["error"]

    ask()


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data", "application/x-www-form-urlencoded", ""]
)
def test_other_types_of_content_are_refused(client, refused, kind):
    answer = client.post("/v1/recommend", content=b'{"history": []}', headers={"content-type": kind})
    assert "application/json" in refused(answer, 422)


def test_huge_histories_are_refused_or_answered(client, refused, likes):
    most = {"history": likes.items.tolist(), "k": 500, "explain": True}
    assert client.post("/v1/recommend", json=most).json()["items"] == []
    assert "history: " in refused(client.post("/v1/recommend", json={"history": [1] * 100_000}), 422)
    assert "larger than" in refused(client.post("/v1/recommend", json={"history": ["x" * 2000] * 1000}), 413)
