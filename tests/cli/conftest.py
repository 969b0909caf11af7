"""The command line in this process, on generated films, and runs trained once for all tests."""

import json
import shutil
import sys
from collections import namedtuple

import pytest

from aerec.cli import main
from aerec.datasets import generate_interactions
from aerec.files import storage

Result = namedtuple("Result", "code out err")


def call(*words):
    """Run `aerec WORDS…`, return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["aerec", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return ended.value.code


def contents(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def aerec(capfd, monkeypatch, tmp_path):
    """Call the command line in an empty working folder; give exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        capfd.readouterr()
        return Result(call(*words), *capfd.readouterr())

    return run


@pytest.fixture
def refused(aerec, tmp_path):
    """Call it with bad input: exit code 2, one line that is returned, and not a file in tmp_path touched.

    What was kept of the data may have been said before.
    """

    def run(*words):
        before = contents(tmp_path)
        code, out, err = aerec(*words)
        assert code == 2
        assert out == "" or (out.startswith("kept ") and out.count("\n") == 1)
        assert err.startswith("aerec: error: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert contents(tmp_path) == before
        return err

    return run


@pytest.fixture(scope="session")
def films():
    """Ratings from 1 to 5 with times, titles and genres."""
    return generate_interactions(150, 60, 2600, seed=9)


@pytest.fixture(scope="session")
def films_path(films, tmp_path_factory):
    """The same as a folder with ratings.csv and movies.csv."""
    folder = tmp_path_factory.mktemp("films")
    names = {"user": "userId", "item": "movieId"}
    films.to_frame().rename(columns=names).to_csv(folder / "ratings.csv", index=False)
    titles = films.item_names.rename_axis("movieId").rename("title").reset_index()
    titles["genres"] = ["|".join(one) for one in films.item_genres]
    titles.to_csv(folder / "movies.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def ease_run(films_path, tmp_path_factory):
    """A run of EASE, strong split; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "ease"
    assert call("train", films_path, "--model", "ease", "--set", "l2=20", "--out", folder) == 0
    return folder


@pytest.fixture(scope="session")
def rating_run(films_path, tmp_path_factory):
    """A run of a model that predicts ratings; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "bias"
    assert call("train", films_path, "--model", "bias", "--out", folder) == 0
    return folder


@pytest.fixture(scope="session")
def code_run(films_path, tmp_path_factory):
    """A run of a sparse code, whose units can be steered; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "code"
    words = ["--set", "n_units=40", "--set", "n_active=5", "--set", "epochs=3", "--quiet", "--out", folder]
    assert call("train", films_path, "--model", "sparse-code", *words) == 0
    return folder


@pytest.fixture
def damaged_run(ease_run, tmp_path):
    """A copy of a run with one thing wrong, by the name of what is wrong."""
    folder = tmp_path / "damaged"
    shutil.copytree(ease_run, folder)

    def damage(what):
        (tensors,) = (folder / "model").glob("*.safetensors")
        if what == "truncated":
            tensors.write_bytes(tensors.read_bytes()[:-7])
        elif what == "tampered":
            payload = bytearray(tensors.read_bytes())
            payload[-1] ^= 1
            tensors.write_bytes(payload)
        elif what == "absent":
            shutil.rmtree(folder / "model")
        elif what == "newer":
            _rewrite(folder / "model" / "model.json", format_version=storage.FORMAT_VERSION + 1, aerec_version="99.0")
        elif what == "edited":
            _rewrite(folder / "run.json", fit_seconds=0.0)
        elif what == "no data":
            shutil.rmtree(folder / "data")
        return folder

    return damage


def _rewrite(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
