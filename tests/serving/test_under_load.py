"""Many clients at a time over real sockets: overload, reloads, slow clients, memory; long form: benchmarks/serving."""

import json
import socket
import threading
import time
import tracemalloc
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from aerec.models import EASE, ELSA
from aerec.serving import Catalogue
from aerec.serving.settings import Settings


def ask(address, body=None, path="v1/recommend"):
    """Return status, headers and content of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers, json.load(refusal)


def test_overload_is_shed_at_once_and_passes(serving, run_path, monkeypatch):
    go = threading.Event()
    search = Catalogue.search
    monkeypatch.setattr(Catalogue, "search", lambda *words: go.wait(30) and search(*words))
    settings = Settings(threads=1, queue=3, reload_seconds=0)
    with serving(run_path, settings=settings) as address, ThreadPoolExecutor(24) as pool:
        sent = [pool.submit(ask, address, path="v1/items?k=1") for _ in range(24)]
        deadline = time.monotonic() + 20
        while sum(one.done() for one in sent) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        shed = [one.result() for one in sent if one.done()]
        assert [status for status, _, _ in shed] == [503] * 20  # all but the one that is computed and the 3 that wait
        assert all(headers["retry-after"] == "1" and "too many" in told["error"] for _, headers, told in shed)
        assert ask(address, path="readyz")[0] == 503
        assert ask(address, path="healthz")[0] == 200
        go.set()
        assert sorted(one.result()[0] for one in sent) == [200] * 4 + [503] * 20
        assert ask(address, path="readyz")[0] == 200
        assert ask(address, path="v1/items?k=1")[0] == 200


def test_no_request_is_lost_while_newer_runs_are_taken_over(serving, likes, own_run, save_run):
    models = [EASE(l2=20.0).fit(likes), ELSA(n_factors=4, epochs=1, progress=False).fit(likes)]
    items, over = likes.items.tolist(), threading.Event()
    settings = Settings(threads=2, queue=64, reload_seconds=0.02)
    with serving(own_run, settings=settings) as address, ThreadPoolExecutor(4) as pool:

        def hammer(start):
            seen, at = [], start
            while not over.is_set():
                status, _, told = ask(address, {"history": [items[at % len(items)]], "k": 5})
                seen.append((status, told.get("model"), len(told.get("items", ()))))
                at += 1
            return seen

        sent = [pool.submit(hammer, at) for at in range(4)]
        for model in models[::-1] * 2:
            name = "ease" if isinstance(model, EASE) else "elsa"
            save_run(own_run, model, likes, threshold=4.0, overwrite=True)
            deadline = time.monotonic() + 20
            while ask(address, {"history": [], "k": 1})[2].get("model") != name and time.monotonic() < deadline:
                time.sleep(0.01)
        over.set()
        seen = [answer for one in sent for answer in one.result()]
    assert {status for status, _, _ in seen} == {200}
    assert {name for _, name, _ in seen} == {"ease", "elsa"}
    assert {found for _, _, found in seen} == {5}


@pytest.mark.parametrize("sent", [b"", b'{"history": ['])
def test_a_client_that_does_not_send_its_body_is_timed_out_and_cut_off(serving, run_path, sent):
    settings = Settings(threads=1, body_seconds=0.2, reload_seconds=0)
    with serving(run_path, settings=settings) as address:
        host, port = address.removeprefix("http://").strip("/").split(":")
        head = f"POST /v1/recommend HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        head += "Content-Length: 50\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            slow.sendall(head.encode() + sent)
            answer = b"".join(iter(lambda: slow.recv(65536), b""))  # ends: the server closes
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"took longer than 0.2 s" in answer
        assert b"connection: close" in answer
        assert ask(address, {"history": [], "k": 1})[0] == 200


def test_requests_leave_nothing_behind(client, likes):
    items = likes.items.tolist()

    def some(n):
        for at in range(n):
            body = {"history": [items[at % len(items)]], "k": 10, "explain": True}
            assert client.post("/v1/recommend", json=body).status_code == 200
            client.get(f"/v1/items/nothing{at}")  # labels of the metrics are patterns, not paths

    some(30)
    tracemalloc.start()
    try:
        some(20)
        before = tracemalloc.get_traced_memory()[0]
        some(100)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100 * 1000  # less than 1 kB a request
