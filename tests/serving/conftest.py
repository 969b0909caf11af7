"""Small runs on generated films, written once, and clients that talk to the application without a socket."""

import contextlib
import shutil
import socket
import threading

import pytest

from aerec.datasets import generate_interactions
from aerec.models import EASE
from aerec.runs.folder import SplitPlan, write_run
from aerec.serving import Engine

pytest.importorskip("fastapi", reason="serving needs the extra serve")
pytest.importorskip("uvicorn", reason="serving needs the extra serve")
from fastapi.testclient import TestClient

from aerec.serving.app import create_app
from aerec.serving.connections import make_server
from aerec.serving.settings import Settings


def _save(path, model, data, threshold=None, overwrite=False):
    write_run(path, model, {"all": data}, SplitPlan("none"), {"data": {"threshold": threshold}}, overwrite=overwrite)
    return path


@pytest.fixture(scope="session")
def save_run():
    """Write a run folder of a fitted model and its data."""
    return _save


@pytest.fixture(scope="session")
def films():
    """Ratings from 1 to 5 with titles and genres."""
    return generate_interactions(150, 60, 2600, seed=3)


@pytest.fixture(scope="session")
def likes(films):
    return films.binarize(4.0)


@pytest.fixture(scope="session")
def run_path(likes, tmp_path_factory):
    """A run of EASE; not to be changed."""
    return _save(tmp_path_factory.mktemp("runs") / "ease", EASE(l2=20.0).fit(likes), likes, threshold=4.0)


@pytest.fixture
def own_run(run_path, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(run_path, tmp_path / "own")


@pytest.fixture(scope="session")
def engine(run_path):
    return Engine(run_path)


@pytest.fixture
def serve(run_path):
    """Make a client of an application with other options; closed at the end of the test."""
    clients = []

    def make(run=run_path, token=None, compare=None, **settings):
        chosen = Settings(**{"threads": 1, "reload_seconds": 0, **settings})
        client = TestClient(create_app(run, compare=compare, token=token, settings=chosen))
        clients.append(client)
        return client.__enter__()

    yield make
    for client in clients:
        client.__exit__(None, None, None)


@contextlib.contextmanager
def _serving(run, settings=None, **options):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = create_app(run, settings=settings or Settings(threads=1, reload_seconds=0), **options)
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(scope="session")
def serving():
    """Serve a run in a thread, on a port of its own, as a context that gives the address."""
    return _serving


@pytest.fixture(scope="session")
def client(run_path):
    with TestClient(create_app(run_path, settings=Settings(threads=1, reload_seconds=0))) as one:
        yield one


@pytest.fixture
def refused():
    """The one line of an answer that is a refusal, in the one shape that they have."""

    def line(answer, status):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json()) == ["error"]
        text = answer.json()["error"]
        assert text
        assert "\n" not in text
        assert len(text) < 400
        for leak in ("Traceback", "aerec/", ".py", "site-packages", "/tmp"):
            assert leak not in text
        return text

    return line
