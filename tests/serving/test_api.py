"""The API as a client sees it."""

import json
from dataclasses import replace

import pytest

from aerec.models import EASE, ELSA
from aerec.reranking import Calibration, MaximalMarginalRelevance, MinimumExposure, popularity_labels


def post(client, **body):
    return client.post("/v1/recommend", json=body)


def test_recommendations_with_reasons(client, engine, likes):
    one, two = likes.items[:2].tolist()
    answer = post(client, history=[one, {"item": two, "rating": 5}], k=3, explain=True)
    assert answer.status_code == 200
    items = engine.recommend([(one, None), (two, 5.0)], 3, explain=True)
    assert answer.json() == {"model": "ease", "items": items, "unknown": []}
    assert set(answer.json()["items"][0]) == {"item", "title", "genres", "year", "score", "because", "units"}


def test_filters(client, likes):
    items = post(client, history=[], k=500).json()["items"]
    genre, year = items[0]["genres"][0], items[0]["year"]
    some = post(client, history=[], k=500, genres=[genre], year_from=year, year_to=year).json()["items"]
    assert items[0] in some
    assert all(genre in one["genres"] and one["year"] == year for one in some)
    ids = [one["item"] for one in items[:3]]
    found = post(client, history=[str(ids[0])], allow=ids, block=[ids[1]]).json()["items"]
    assert [one["item"] for one in found] == [ids[2]]


@pytest.mark.parametrize(
    ("text", "reranker"),
    [
        ("mmr:0.3", MaximalMarginalRelevance(0.3)),
        ("calibration:0.9", Calibration(0.9)),
        ("tail:0.4", MinimumExposure({"tail": 0.4})),
        ("mmr", MaximalMarginalRelevance()),
    ],
)
def test_lists_are_reranked_as_in_the_library(client, engine, likes, text, reranker):
    user = int(likes.users[5])
    data = likes.select_users([user])
    candidates = EASE(l2=20.0).fit(likes).recommend(data, k=100)
    known = popularity_labels(likes) if isinstance(reranker, MinimumExposure) else None
    expected = reranker.rerank(candidates, data, 6, features=known)["item"].tolist()
    address = f"/v1/users/{user}/recommendations"
    found = client.get(address, params={"k": 6, "rerank": text}).json()["items"]
    assert [one["item"] for one in found] == expected
    history = data.items[data.matrix.indices].tolist()
    assert [one["item"] for one in post(client, history=history, k=6, rerank=text).json()["items"]] == expected
    assert [one["item"] for one in client.get(address, params={"k": 6}).json()["items"]] != expected
    some = client.get(address, params={"k": 50, "rerank": text, "year_to": 1990, "explain": True}).json()["items"]
    assert all(one["year"] <= 1990 and one["because"] for one in some)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mrr:0.5", "rerank: unknown reranker 'mrr'"),
        ("mmr:2", "rerank: 'mmr:2': what follows the colon is a number from 0 to 1"),
        ("mmr:nan", "a number from 0 to 1"),
        ("", "rerank: unknown reranker ''"),
        ("x" * 300, "rerank: "),
    ],
)
def test_a_reranker_that_is_none_is_refused(client, refused, likes, text, message):
    address = f"/v1/users/{likes.users[0]}/recommendations"
    assert message in refused(client.get(address, params={"rerank": text}), 422)
    assert message in refused(post(client, history=[], rerank=text), 422)


def test_data_that_says_nothing_of_items_is_reranked_by_popularity_alone(save_run, serve, refused, likes, tmp_path):
    bare = replace(likes, item_genres=None)
    client = serve(save_run(tmp_path / "bare", EASE(l2=20.0).fit(bare), bare, threshold=4.0))
    assert "neither genres nor features" in refused(post(client, history=[], rerank="calibration"), 422)
    assert len(post(client, history=[], k=5, rerank="tail:0.4").json()["items"]) == 5


def test_users_items_and_search(client, engine, likes):
    user, item = int(likes.users[0]), int(likes.items[4])
    found = client.get(f"/v1/users/{user}/recommendations", params={"k": 4, "explain": True}).json()
    assert found["items"] == engine.recommend_to(user, 4, explain=True)
    genre = found["items"][0]["genres"][0]
    some = client.get(f"/v1/users/{user}/recommendations", params={"genre": [genre], "year_to": 1990}).json()["items"]
    assert all(genre in one["genres"] and one["year"] <= 1990 for one in some)
    described = client.get(f"/v1/items/{item}").json()
    assert described["title"] == likes.item_names[item]
    similar = client.get(f"/v1/items/{item}/similar", params={"k": 2}).json()
    assert (similar["item"], similar["items"]) == (described, engine.similar(item, 2))
    title = described["title"]
    typo = title[:4] + title[5:]
    assert described in client.get("/v1/items", params={"query": typo}).json()["items"]
    assert len(client.get("/v1/items", params={"k": 7}).json()["items"]) == 7


@pytest.mark.parametrize(
    ("text", "status", "part"),
    [
        ("{", 400, "not JSON"),
        ("", 422, "application/json"),
        ("[]", 422, "JSON object"),
        ("[" * 100_000, 400, ""),
        ('{"history": [1' + "0" * 5000 + "]}", 400, ""),
        ("{}", 422, "history: field required"),
        ('{"history": [], "foo": 1}', 422, "foo: there is no such field"),
        ('{"history": [], "' + "f" * 5000 + '": 1}', 422, "no such field"),
        ('{"history": [{"item": 1, "stars": 2}]}', 422, "history[0].stars: there is no such field"),
        ('{"history": [{}]}', 422, "history[0].item: field required"),
        ('{"history": [1.5]}', 422, "history[0]: an item id is a whole number or text"),
        ('{"history": [true]}', 422, "history[0]: an item id"),
        ('{"history": [null]}', 422, "history[0]: an item id"),
        ('{"history": [{"item": 1, "rating": NaN}]}', 422, "history[0].rating"),
        ('{"history": [{"item": 1, "rating": "5"}]}', 422, "history[0].rating"),
        ('{"history": [123456]}', 422, "unknown item 123456"),
        ('{"history": ["\\ud800"]}', 422, "unknown item"),
        ('{"history": ["' + "x" * 50_000 + '"]}', 422, "unknown item 'xxx"),
        ('{"history": [1' + "0" * 40 + "]}", 422, "unknown item 1000"),
        ('{"history": [], "k": 0}', 422, "k: "),
        ('{"history": [], "k": 501}', 422, "k: "),
        ('{"history": [], "k": true}', 422, "k: "),
        ('{"history": [], "genres": ["Opera"]}', 422, "unknown genre 'Opera'"),
        ('{"history": [], "year_from": -1}', 422, "year_from: "),
        ('{"history": [], "allow": [987654]}', 422, "unknown item 987654"),
        ('{"history": [], "model": "best"}', 422, "model: "),
        ('{"history": [], "model": "compare"}', 404, "--compare"),
    ],
)
def test_bad_requests_are_refused_in_one_line(client, refused, text, status, part):
    answer = client.post("/v1/recommend", content=text, headers={"content-type": "application/json"})
    assert part in refused(answer, status)


def test_lists_have_a_length(client, refused):
    assert "history: " in refused(post(client, history=[1] * 1001), 422)
    assert "block: " in refused(post(client, history=[], block=[1] * 10_001), 422)


@pytest.mark.parametrize(
    ("path", "status", "part"),
    [
        ("/v1/users/nobody/recommendations", 404, "unknown user 'nobody'"),
        ("/v1/users/1/recommendations?k=x", 422, "k: "),
        ("/v1/users/1/recommendations?model=other", 422, "model: "),
        ("/v1/items/nothing", 404, "unknown item 'nothing'"),
        ("/v1/items/a%2Fb/similar", 404, "unknown item 'a/b'"),
        ("/v1/items/%00/similar", 404, "unknown item"),
        ("/v1/items?k=100000", 422, "k: "),
        ("/v1/items?query=" + "q" * 201, 422, "query: "),
        ("/v1/items?model=compare", 404, "--compare"),
        (
            "/v1/users/1/recommendations?genres=War",
            422,
            "genres: there is no such parameter; there are explain, genre, k,",
        ),
        ("/v1/items?q=star", 422, "q: there is no such parameter; there are id, k, model, query"),
        ("/v1/models?k=1", 422, "k: there is no such parameter; there are none"),
        ("/nothing", 404, "nothing at this address"),
        ("/v1/recommend", 405, "GET is not for this address"),
        ("/page/../app.py", 404, "nothing at this address"),
        ("/page/%2e%2e/app.py", 404, "nothing at this address"),
        ("/page/", 404, "nothing at this address"),
    ],
)
def test_bad_addresses_are_refused_in_one_line(client, refused, path, status, part):
    assert part in refused(client.get(path), status)


def test_two_models(serve, likes, save_run, tmp_path, run_path):
    other = ELSA(n_factors=4, epochs=1, progress=False).fit(likes)
    client = serve(run_path, compare=save_run(tmp_path / "elsa", other, likes, threshold=4.0))
    assert [one["key"] for one in client.get("/v1/models").json()["models"]] == ["main", "compare"]
    item = int(likes.items[0])
    assert post(client, history=[item], model="compare").json()["model"] == "elsa"
    assert client.get(f"/v1/items/{item}/similar?model=compare").json()["model"] == "elsa"


def test_what_is_served(client, likes):
    found = client.get("/v1/models").json()
    assert found["models"][0]["name"] == "ease"
    assert found["genres"] == sorted({genre for each in likes.item_genres for genre in each})
    assert 1900 < found["years"][0] < found["years"][1] < 2100


def test_the_openapi_document_says_what_is_refused(client):
    found = client.get("/openapi.json").json()
    assert {*found["paths"]} == {
        "/v1/recommend",
        "/v1/users/{user}/recommendations",
        "/v1/items",
        "/v1/items/{item}",
        "/v1/items/{item}/similar",
        "/v1/models",
        "/v1/units",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    for path, methods in found["paths"].items():
        for one in methods.values():
            if path.startswith("/v1"):
                assert {"404", "422", "503"} <= {*one["responses"]}
    assert "HTTPValidationError" not in json.dumps(found["paths"]["/v1/recommend"])
    assert "securitySchemes" not in found["components"]


def test_probes(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_items_that_the_model_has_not_met_are_left_out_and_named(client, engine):
    one, two = engine.catalogue.ids[:2]
    asked = {"history": [one, "nowhere"], "allow": [two, 987654], "block": ["nothing"]}
    answer = post(client, **asked).json()
    assert answer["unknown"] == ["nowhere", 987654, "nothing"]
    assert answer["items"] == post(client, history=[one], allow=[two]).json()["items"]
