"""Token, size, time, headers, and no stack trace."""

import asyncio
import logging
import threading

import pytest

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": "Bearer secre"},
        {"authorization": "Basic secret"},
        {"authorization": "Bearer sécret".encode()},
    ],
)
def test_without_the_token_api_and_metrics_are_closed(serve, refused, headers):
    client = serve(token="secret")
    for path in ("/v1/models", "/v1/items", "/v1/nothing", "/metrics"):
        answer = client.get(path, headers=headers)
        assert "token" in refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert "token" in refused(client.post("/v1/recommend", content=b"{", headers=headers), 401)


def test_with_the_token_they_are_open_and_the_rest_always_is(serve):
    client = serve(token="secret")
    for path in ("/v1/models", "/metrics"):
        assert client.get(path, headers={"authorization": "bearer secret"}).status_code == 200
    for path in ("/", "/docs", "/page/app.js", "/openapi.json", "/healthz", "/readyz"):
        assert client.get(path).status_code == 200
    assert "HTTPBearer" in client.get("/openapi.json").json()["components"]["securitySchemes"]


def test_bodies_that_are_too_large_are_refused_with_and_without_their_length(serve, refused):
    client = serve(body_bytes=100)
    text = b'{"history": [' + b" " * 200 + b"]}"
    assert "larger than 100 bytes" in refused(client.post("/v1/recommend", content=text, headers=JSON), 413)
    parts = (text[at : at + 50] for at in range(0, len(text), 50))
    assert "larger than 100 bytes" in refused(client.post("/v1/recommend", content=parts, headers=JSON), 413)
    lying = {**JSON, "content-length": "9" * 30}
    assert "larger than 100 bytes" in refused(client.post("/v1/recommend", content=b"{}", headers=lying), 413)


def test_security_headers_and_no_cross_origin_access(client):
    for path in ("/", "/v1/models", "/nothing"):
        answer = client.get(path, headers={"origin": "https://elsewhere.example"})
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not any(name.startswith("access-control") for name in answer.headers)
    assert client.get("/v1/models").headers["cache-control"] == "no-store"
    assert client.options("/v1/models", headers={"origin": "https://elsewhere.example"}).status_code == 405


def test_what_goes_wrong_inside_is_logged_and_not_told(serve, refused, monkeypatch, caplog):
    client = serve()
    monkeypatch.setattr(client.app.state.workers, "run", None)  # 'NoneType' object is not callable
    with caplog.at_level(logging.ERROR):
        assert "internal error" in refused(client.get("/v1/items"), 500)
    assert "NoneType" in caplog.text
    assert client.get("/healthz").status_code == 200
    assert 'route="/v1/items",status="500"} 1' in client.get("/metrics").text


def test_overload_is_turned_away_and_passes(serve, refused, engine, monkeypatch):
    client, go = serve(threads=1, queue=0), threading.Event()
    catalogue = type(engine.catalogue)
    search = catalogue.search
    monkeypatch.setattr(catalogue, "search", lambda *words: go.wait() and search(*words))
    first = []
    waiting = threading.Thread(target=lambda: first.append(client.get("/v1/items").status_code))
    waiting.start()
    while not client.app.state.workers.full:
        pass
    answer = client.get("/v1/items")
    assert "too many requests" in refused(answer, 503)
    assert answer.headers["retry-after"] == "1"
    assert "too many requests" in refused(client.get("/readyz"), 503)
    assert client.get("/healthz").status_code == 200
    go.set()
    waiting.join()
    assert first == [200]
    assert client.get("/v1/items").status_code == 200
    assert "aerec_turned_away_total 1" in client.get("/metrics").text


def test_a_body_that_does_not_come_is_given_up(serve):
    app, sent = serve(body_seconds=0.01).app, []

    async def never():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    address = {"path": "/v1/recommend", "raw_path": b"/v1/recommend", "root_path": "", "query_string": b""}
    scope = {"type": "http", "http_version": "1.1", "scheme": "http", "method": "POST", **address}
    scope["headers"] = [(b"content-type", b"application/json")]
    asyncio.run(app(scope, never, send))
    assert sent[0]["status"] == 408
    assert b"took longer than 0.01 s" in sent[1]["body"]


def test_labels_are_patterns_and_known_methods(serve):
    client = serve()
    for path in (
        "/v1/items/1/similar",
        "/v1/items/2/similar",
        "/v1/items/a%2Fb",
        "/page/app.js",
        "/page/no",
        "/x",
        "/y",
    ):
        client.get(path)
    client.request("BREW", "/v1/items")
    text = client.get("/metrics").text
    routes = {
        line.split('route="')[1].split('"')[0] for line in text.splitlines() if line.startswith("aerec_requests_total")
    }
    assert routes == {"/v1/items/{item}/similar", "/v1/items/{item}", "/page", "none", "/v1/items"}
    assert 'method="OTHER"' in text
    assert "BREW" not in text


def status_for(app, host, server=("127.0.0.1", 8000)):
    """The status of a request whose connection has `server` as its own end, and that names `host`."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    address = {"path": "/v1/models", "raw_path": b"/v1/models", "root_path": "", "query_string": b""}
    scope = {"type": "http", "http_version": "1.1", "scheme": "http", "method": "GET", "server": server, **address}
    scope["headers"] = [(b"host", host.encode())] if host is not None else []
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "127.9.9.9", "app.localhost", None]
)
def test_names_of_this_machine_are_answered(serve, host):
    app = serve().app
    assert status_for(app, host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", "127.0.0.1.x"]
)
def test_a_name_that_was_pointed_at_this_machine_is_not_answered(serve, host):
    assert status_for(serve().app, host) == 403
    assert status_for(serve().app, host, ("192.168.0.5", 8000)) == 200  # open to the network: any name may be its own
    assert status_for(serve(token="secret").app, host) == 401  # a page elsewhere does not know the token
    assert status_for(serve(hosts=(host.partition(":")[0],)).app, host) == 200
