"""`aerec serve`: what it says, what it refuses, and a whole life of a server in a process of its own."""

import gc
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from aerec.cli import serve

pytest.importorskip("uvicorn", reason="serving needs the extra serve")
from fastapi.testclient import TestClient


def test_help(aerec):
    code, out, _ = aerec("serve", "--help")
    assert code == 0
    for option in ("--token", "--host", "--port", "--compare", "AEREC_TOKEN"):
        assert option in out


def test_no_run_is_refused(refused, tmp_path):
    assert "no run in" in refused("serve", tmp_path / "nothing")


def test_a_damaged_run_is_refused(refused, damaged_run):
    assert "checksum" in refused("serve", damaged_run("tampered"))


def test_an_empty_token_is_refused(refused, ease_run, monkeypatch):
    assert "token" in refused("serve", ease_run, "--token", " ")


def test_a_port_that_is_taken_is_refused(refused, ease_run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1 port {port}" in refused("serve", ease_run, "--port", port)


def test_without_the_extra_the_line_to_install_it_is_told(refused, ease_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert "pip install 'aerec[serve]'" in refused("serve", ease_run)


def test_the_command_line_does_not_import_the_extra():
    code = "import sys, aerec.cli, aerec.serving; sys.exit('fastapi' in sys.modules or 'uvicorn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def server(ease_run):
    """A server in a process of its own: its address, and the process."""
    words = [sys.executable, "-u", "-m", "aerec.cli", "serve", str(ease_run), "--port", "0", "--threads", "1"]
    environment = {**os.environ, "AEREC_TOKEN": "secret", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        lines = [process.stdout.readline(), process.stdout.readline()]
        found = re.search(r"http://127\.0\.0\.1:\d+", lines[-1])
        assert found, [*lines, process.stderr.read()]
        yield found[0], process
        process.kill()


@pytest.fixture
def served(monkeypatch):
    """A list that gets the application, and the ports it would be served on; nothing is served."""
    applications, level = [], logging.getLogger("aerec").level

    class Server:
        def __init__(self, app, **options):
            self.app = app

        def run(self, sockets):
            applications.append((self.app, [listening.getsockname()[1] for listening in sockets]))

    monkeypatch.setattr("aerec.serving.connections.make_server", Server)
    yield applications
    logging.getLogger("aerec").setLevel(level)
    gc.unfreeze()


def test_the_address_for_machines_and_new_items(aerec, served, ease_run, films, tmp_path):
    (tmp_path / "new.csv").write_text(f"movieId,title,genres\n901,Neu,{films.item_genres.iloc[0][0]}\n")
    words = ["--port", "0", "--json", "--new-items", tmp_path / "new.csv", "--token", "secret"]
    told = json.loads(aerec("serve", ease_run, *words).out)
    assert told["models"] == [{"name": "ease", "n_items": films.n_items + 1}]
    assert told["token"] is True
    assert told["pid"] == os.getpid()
    ((app, (port,)),) = served
    assert told["address"] == f"http://127.0.0.1:{port}/"
    client = TestClient(app, base_url=told["address"], headers={"Authorization": "Bearer secret"})
    assert client.get("/v1/items?query=neu").json()["items"][0]["item"] == 901


def ask(address, body=None, token="secret"):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
def test_a_server_answers_reloads_and_drains(server):
    address, process = server
    assert ask(f"{address}/readyz") == {"status": "ready"}
    if sys.platform == "linux":  # where all of 127.0.0.0/8 is this machine: what listens everywhere would answer
        assert not listens("127.0.0.2", int(address.rpartition(":")[2]))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(f"{address}/v1/models", token="wrong")
    item = ask(f"{address}/v1/items?k=1")["items"][0]["item"]
    assert len(ask(f"{address}/v1/recommend", {"history": [item], "k": 3})["items"]) == 3
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while reloads(address) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert reloads(address) == 1

    # a request that is half sent when SIGTERM comes is still answered
    host, port = address.removeprefix("http://").split(":")
    body = json.dumps({"history": [item], "k": 2}).encode()
    head = f"POST /v1/recommend HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer secret\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as half:
        half.sendall(head.encode() + body[:5])
        while "in_flight 2" not in metrics(address):  # this one, and the one that asks
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        while listens(host, int(port)):
            time.sleep(0.02)
        half.sendall(body[5:])
        answer = b"".join(iter(lambda: half.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["items"]) == 2
    assert process.wait(20) in (0, -signal.SIGTERM)
    assert "Traceback" not in process.stderr.read()


def listens(host, port):
    with socket.socket() as one:
        return one.connect_ex((host, port)) == 0


def metrics(address):
    request = urllib.request.Request(f"{address}/metrics", headers={"Authorization": "Bearer secret"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def reloads(address):
    found = re.search(r'aerec_reloads_total\{model="main",result="ok"\} (\d+)', metrics(address))
    return int(found[1]) if found else 0


def test_answers_are_not_held_back_until_what_was_sent_is_acknowledged():
    with serve._listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
