"""Downloads, from a server on this machine: verified, resumed where they broke, refused where they are not safe."""

import hashlib
import http.server
import socket
import sys
import threading

import pytest

from aerec.datasets import download as download_module
from aerec.datasets.download import download, matches
from aerec.errors import DataError

CONTENT = bytes(range(256)) * 2000
CHECKSUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT at every path; `script` says what it does instead, one word a request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = []
        self.asked = []  # the Range header of each request
        self.content = CONTENT
        self.address = f"http://127.0.0.1:{self.server_port}/file.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        word = server.script.pop(0) if server.script else "serve"
        if word.isdigit():
            self.send_error(int(word))
            return
        if word.startswith("to "):
            self.send_response(302)
            self.send_header("Location", word[3:])
            self.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and word != "whole" else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if word != "lengthless":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if word == "break" else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def get(server, tmp_path):
    """Download from the server; give the file."""

    def run(checksum=CHECKSUM, **options):
        target = tmp_path / "cache" / "file.zip"
        download(server.address, target, checksum, pause=0.001, timeout=5.0, allow_loopback=True, **options)
        return target

    return run


def test_the_file_arrives_and_nothing_else(server, get):
    target = get()
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    assert server.asked == [None]


def test_md5_and_capital_letters_will_do(get):
    assert get("MD5:" + hashlib.md5(CONTENT, usedforsecurity=False).hexdigest().upper()).read_bytes() == CONTENT


def test_a_server_that_does_not_tell_the_length_will_do(server, get):
    server.script = ["lengthless"]
    assert get().read_bytes() == CONTENT


def test_a_broken_connection_is_taken_up_where_it_broke(server, get):
    server.script = ["break", "break"]
    assert get().read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert server.asked == [None, f"bytes={half}-", f"bytes={half + half // 2}-"]


def test_a_server_that_cannot_resume_starts_over(server, get):
    server.script = ["break", "whole"]
    assert get().read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_errors_of_the_server_are_tried_again(server, get):
    server.script = ["503", "500"]
    assert get().read_bytes() == CONTENT


def test_what_has_arrived_serves_the_next_call(server, get, tmp_path):
    server.script = ["break"]
    with pytest.raises(DataError, match=r"not downloaded in 1 attempts .*the connection closed after .*goes on where"):
        get(attempts=1)
    part = tmp_path / "cache" / "file.zip.part"
    assert part.read_bytes() == CONTENT[: len(CONTENT) // 2]
    assert not part.with_name("file.zip").exists()
    assert get().read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={len(CONTENT) // 2}-"
    assert not part.exists()


@pytest.mark.parametrize("left", [b"of another file", bytes(len(CONTENT)), bytes(len(CONTENT) + 9)])
def test_a_beginning_of_another_file_is_thrown_away(get, tmp_path, left):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file.zip.part").write_bytes(left)
    assert get().read_bytes() == CONTENT


def test_a_whole_part_needs_no_more_bytes(server, get, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file.zip.part").write_bytes(CONTENT)
    assert get().read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("there", [None, b"old"])
def test_a_wrong_file_is_thrown_away_and_replaces_nothing(server, get, tmp_path, there):
    target = tmp_path / "cache" / "file.zip"
    if there is not None:
        target.parent.mkdir()
        target.write_bytes(there)
    server.content = b"<html>Please log in</html>"
    with pytest.raises(DataError, match=r"does not have the checksum sha256:.*it was thrown away"):
        get()
    assert (target.read_bytes() if target.exists() else None) == there
    assert not (tmp_path / "cache" / "file.zip.part").exists()


def test_an_older_file_is_replaced(get, tmp_path):
    target = tmp_path / "cache" / "file.zip"
    target.parent.mkdir()
    target.write_bytes(b"old")
    assert get().read_bytes() == CONTENT


def test_a_missing_page_is_not_asked_for_again(server, get):
    server.script = ["404"]
    with pytest.raises(DataError, match="the server answers 404 Not Found"):
        get()
    assert len(server.asked) == 1


def test_it_gives_up_in_the_end(server, get):
    server.script = ["503"] * 9
    with pytest.raises(DataError, match=r"not downloaded in 2 attempts .*check the connection and run it again"):
        get(attempts=2)
    assert len(server.asked) == 2


def test_nobody_there_is_one_line(tmp_path):
    with socket.socket() as silent:  # has a port, and does not listen
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/file.zip"
        with pytest.raises(DataError, match=r"not downloaded in 1 attempts \(") as caught:
            download(address, tmp_path / "x", CHECKSUM, attempts=1, timeout=1.0, allow_loopback=True)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "address", ["http://example.org/a.zip", "ftp://example.org/a.zip", "file:///etc/passwd", "a.zip"]
)
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_only_https_is_downloaded(tmp_path, address, allow_loopback):
    with pytest.raises(DataError, match="refused, only https:// addresses are downloaded"):
        download(address, tmp_path / "x", CHECKSUM, allow_loopback=allow_loopback)
    assert list(tmp_path.iterdir()) == []


def test_plain_http_of_this_machine_needs_to_be_allowed(server, tmp_path):
    with pytest.raises(DataError, match="only https://"):
        download(server.address, tmp_path / "x", CHECKSUM)
    assert server.asked == []


@pytest.mark.parametrize("place", ["http://example.org/a.zip", "file:///etc/passwd", "ftp://example.org/a.zip"])
def test_redirections_may_not_leave_https(server, get, place):
    server.script = [f"to {place}"]
    with pytest.raises(DataError, match=r"refused, only https://|the server answers 302"):
        get()


def test_redirections_to_the_same_kind_are_followed(server, get):
    server.script = ["to /elsewhere.zip"]
    assert get().read_bytes() == CONTENT
    assert len(server.asked) == 2


@pytest.mark.parametrize("checksum", ["", "abc", "sha256:", "sha256:12", "sha1:" + "0" * 40, "md5:" + "g" * 32])
def test_a_checksum_that_is_none_is_refused_before_anything_is_fetched(server, get, checksum):
    with pytest.raises(DataError, match="is neither 'sha256:' with 64 nor 'md5:' with 32"):
        get(checksum)
    assert server.asked == []


def test_a_notebook_sees_how_much_has_come(server, get, monkeypatch):
    shown = []
    monkeypatch.setattr(download_module, "in_notebook", lambda: True)
    monkeypatch.setattr(download_module.NotebookBar, "update", lambda _, *values: shown.append(values))
    get(progress=True)
    assert shown[0][0] == 0
    assert shown[-1] == (len(CONTENT), len(CONTENT), "bytes")


def test_matches_compares_the_content(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(CONTENT)
    assert matches(path, CHECKSUM)
    path.write_bytes(CONTENT[:-1])
    assert not matches(path, CHECKSUM)


@pytest.mark.skipif(sys.platform == "win32", reason="locks nothing there")
def test_one_process_at_a_time_downloads_a_file(server, get, tmp_path):
    import fcntl

    (tmp_path / "cache").mkdir()
    lock = tmp_path / "cache" / "file.zip.part.lock"
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(DataError, match=r"file\.zip\.part is being downloaded by another process"):
            get()
    assert server.asked == []
    assert get().read_bytes() == CONTENT
