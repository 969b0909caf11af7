"""Connections over real sockets: half-open ones lock nobody out; errors of the protocol look like others."""

import contextlib
import json
import socket
import time
import urllib.request

import pytest

from aerec.serving.settings import Settings

pytest.importorskip("uvicorn", reason="serving needs the extra serve")
from aerec.serving import connections


def quick(**settings):
    return Settings(threads=1, reload_seconds=0, **settings)


def connect(address):
    host, port = address.removeprefix("http://").strip("/").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answer(connection):
    """Everything up to the end of the connection: status, headers as text, content."""
    data = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, head.decode().lower(), body.decode()


def ask(address, path="healthz"):
    with urllib.request.urlopen(f"{address}{path}", timeout=20) as found:
        return found.read().decode()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", b"G"])
def test_headers_that_do_not_come_end_the_connection(serving, run_path, sent):
    with serving(run_path, settings=quick(header_seconds=0.2)) as address, connect(address) as slow:
        slow.sendall(sent)
        status, headers, body = answer(slow)
        if sent:
            assert status == 408
            assert "content-type: application/json" in headers
            assert "took too long" in json.loads(body)["error"]
        else:
            assert (status, body) == (0, "")
        assert "aerec_connections_dropped_total 1" in ask(address, "metrics")


def test_headers_byte_by_byte_are_no_way_around(serving, run_path):
    with serving(run_path, settings=quick(header_seconds=0.3)) as address, connect(address) as slow:
        with contextlib.suppress(OSError):
            for letter in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10_000:
                slow.sendall(bytes([letter]))
                time.sleep(0.02)
        with contextlib.suppress(ConnectionError):
            assert answer(slow)[0] in (0, 408)
        assert '"ok"' in ask(address)


def test_a_second_request_has_its_own_time(serving, run_path):
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(run_path, settings=quick(header_seconds=0.5)) as address, connect(address) as kept:
        for _ in range(3):
            kept.sendall(request)
            data = b""
            while not data.endswith(b'"ok"}'):
                data += kept.recv(65536)
            assert b"200 OK" in data
            time.sleep(0.3)
        kept.sendall(request[:20])
        assert answer(kept)[0] == 408


def test_half_open_connections_lock_nobody_out(serving, run_path):
    with serving(run_path, settings=quick(connections=20)) as address, contextlib.ExitStack() as stack:
        half_open = [stack.enter_context(connect(address)) for _ in range(100)]
        for one in half_open:
            with contextlib.suppress(OSError):  # those whose place was taken
                one.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(5):
            assert '"ok"' in ask(address)
        text = ask(address, "metrics")
        assert int(text.split("aerec_connections_dropped_total ")[-1].split()[0]) >= 80
        assert int(text.split("\naerec_connections ")[1].split()[0]) <= 20


def test_there_are_no_more_connections_than_files_allow(monkeypatch):
    monkeypatch.setattr(connections, "_file_limit", lambda: 200)
    assert connections.Connections(quick()).limit == 100
    assert connections.Connections(quick(connections=30)).limit == 30


@pytest.mark.parametrize(
    ("request_text", "status", "part"),
    [
        ("NONSENSE\r\n\r\n", 400, "Invalid HTTP"),
        ("GET / HTTP/1.1\r\n\r\n", 400, "Invalid HTTP"),  # no Host
        ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "x" * 100_000, 400, "Invalid HTTP"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "Invalid HTTP"),
        (
            "POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            "Content-Length or Transfer-Encoding, not both",
        ),
        ("GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 403, "'evil.example'"),
    ],
)
def test_what_the_protocol_refuses_has_the_shape_of_other_refusals(serving, run_path, request_text, status, part):
    with serving(run_path, settings=quick()) as address, connect(address) as bad:
        with contextlib.suppress(ConnectionError):
            bad.sendall(request_text.encode())
        found, headers, body = answer(bad)
        assert found == status
        assert "content-type: application/json" in headers
        assert list(json.loads(body)) == ["error"]
        assert part in json.loads(body)["error"]
        assert '"ok"' in ask(address)
