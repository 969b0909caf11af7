"""Every kind of output on a full disk: one error that names the file, the earlier output as it was, no litter."""

import hashlib
import importlib.util
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pandas as pd
import pytest

from aerec import load_model
from aerec.cli.output import write_frame
from aerec.datasets import generate_interactions
from aerec.datasets.download import download
from aerec.datasets.saved import save_interactions
from aerec.errors import DataError
from aerec.files.atomic import temporary_prefix
from aerec.files.storage import write_header
from aerec.models import CDAE, EASE, ELSA
from aerec.runs.folder import SplitPlan, read_run, write_run
from aerec.tracking import JSONLines
from aerec.training.callbacks import Callback
from aerec.tuning.search import TuningResult

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def films():
    return generate_interactions(120, 60, 1500, seed=1)


@pytest.fixture(scope="module")
def model(films):
    return EASE().fit(films)


@pytest.fixture
def protocol(monkeypatch):
    if not BENCHMARKS.is_dir():
        pytest.skip("no benchmarks in this archive")
    monkeypatch.setattr(sys, "argv", ["benchmark"])
    specification = importlib.util.spec_from_file_location("aerec_protocol", BENCHMARKS / "protocol.py")
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "aerec_protocol", module)
    specification.loader.exec_module(module)
    return module


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def big_frame(n=3000):
    return pd.DataFrame({"user": range(n), "item": range(n), "score": [0.1 + at / 7 for at in range(n)]})


def result(n):
    return TuningResult({"l2": 1.0}, 0.5, EASE(), "ndcg@100", big_frame(n))


WRITERS = {
    "model": lambda path, size, films, model: (EASE() if size else EASE(l2=3)).fit(films).save(path / "model"),
    "interactions": lambda path, size, films, model: save_interactions(
        films if size else films.select_users(films.users[:60]), path
    ),
    "header": lambda path, size, films, model: write_header(path, "run", {"text": "x" * (5000 if size else 4500)}),
    "run": lambda path, size, films, model: write_run(
        path / "run", EASE(l2=1 + size).fit(films), {"all": films}, SplitPlan("none"), {}, overwrite=True
    ),
    "tuning": lambda path, size, films, model: result(3000 + size).save(path / "tune"),
    **{
        f"recommendations{suffix}": lambda path, size, films, model, suffix=suffix: write_frame(
            big_frame(3000 + size), path / f"out{suffix}"
        )
        for suffix in (".csv", ".json", ".jsonl", ".parquet")
    },
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("limit", [0, 4096])
def test_what_was_there_stays_and_no_litter(tmp_path, full_disk, films, model, kind, limit):
    if kind.endswith("parquet"):
        pytest.importorskip("pyarrow")
    WRITERS[kind](tmp_path, 0, films, model)
    before = contents(tmp_path)
    with full_disk(limit), pytest.raises(OSError, match=r"not written, .*: '.*'$") as raised:
        WRITERS[kind](tmp_path, 1, films, model)
    assert "\n" not in str(raised.value)
    assert ".part" not in str(raised.value)
    assert contents(tmp_path) == before
    WRITERS[kind](tmp_path, 1, films, model)  # with space again it goes on
    assert contents(tmp_path) != before


@pytest.mark.parametrize("kind", WRITERS)
def test_the_first_output_leaves_nothing(tmp_path, full_disk, films, model, kind):
    if kind.endswith("parquet"):
        pytest.importorskip("pyarrow")
    with full_disk(1000), pytest.raises(OSError, match="not written"):
        WRITERS[kind](tmp_path, 1, films, model)
    assert contents(tmp_path) == {}


def test_a_training_whose_checkpoint_cannot_be_written_goes_on_from_the_one_before(tmp_path, full_disk, films):
    def cdae(epochs=3):
        return CDAE(hidden=4, epochs=epochs, batch_size=50, progress=False)

    likes = films.binarize()
    whole = cdae().fit(likes)
    broken = cdae()
    full = full_disk(2000)

    class FillsUp(Callback):
        def epoch_done(self, record, model):
            if record["epoch"] == 3:
                full.__enter__()

    try:
        with pytest.raises(OSError, match=r"not written, .*checkpoint-\w+\.safetensors'"):
            broken.fit(likes, checkpoint=tmp_path / "kept", callbacks=[FillsUp()])
    finally:
        full.__exit__(None, None, None)
    assert len(contents(tmp_path / "kept")) == 2
    resumed = cdae().fit(likes, checkpoint=tmp_path / "kept")
    assert (resumed.score_items(likes) == whole.score_items(likes)).all()


def test_the_account_of_a_training_names_itself_and_goes_on(tmp_path, full_disk, films):
    def elsa():
        return ELSA(n_factors=4, epochs=4, batch_size=50, progress=False)

    likes, path = films.binarize(), tmp_path / "history.jsonl"
    elsa().fit(likes, callbacks=[JSONLines(path)])
    line, *_ = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    broken = elsa()
    with full_disk(int(2.5 * len(line))), pytest.raises(OSError, match=r"not written, .*history\.jsonl'"):
        broken.fit(likes, callbacks=[JSONLines(path)])
    assert path.read_bytes().startswith(line[:10])
    elsa().fit(likes, callbacks=[JSONLines(path)])
    assert [json.loads(each)["epoch"] for each in path.read_text().splitlines()] == [1, 2, 3, 4]


def test_benchmark_results(tmp_path, full_disk, protocol):
    protocol.save("speed", "Speed", "| a |", {"rows": list(range(2000))}, tmp_path)
    before = contents(tmp_path)
    with full_disk(4096), pytest.raises(OSError, match=r"not written, .*speed\.json'"):
        protocol.save("speed", "Speed", "| a |", {"rows": list(range(2001))}, tmp_path)
    after = contents(tmp_path)
    assert after[Path("speed.json")] == before[Path("speed.json")]
    assert set(after) == set(before)


# ---------------------------------------------------------------------- downloads


@pytest.fixture
def address():
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            begin = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(PAYLOAD) - 1}/{len(PAYLOAD)}")
            self.send_header("Content-Length", str(len(PAYLOAD) - begin))
            self.end_headers()
            self.wfile.write(PAYLOAD[begin:])

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/data.zip"
    server.shutdown()


PAYLOAD = bytes(range(256)) * 40
CHECKSUM = "sha256:" + hashlib.sha256(PAYLOAD).hexdigest()


def test_a_download_says_that_it_was_the_disk_at_once_and_goes_on_later(tmp_path, full_disk, address):
    target = tmp_path / "data.zip"
    given = {"progress": False, "allow_loopback": True, "pause": 100}  # a second attempt would take 100 s
    with full_disk(4096), pytest.raises(DataError, match=r"data\.zip\.part cannot be written \(.*\)"):
        download(address, target, CHECKSUM, **given)
    assert not target.exists()
    assert (tmp_path / "data.zip.part").stat().st_size <= 4096
    download(address, target, CHECKSUM, **given)
    assert target.read_bytes() == PAYLOAD
    assert [path.name for path in tmp_path.iterdir()] == ["data.zip"]


# ---------------------------------------------------------------------- killed processes


def leftover(path, process, suffix=".part"):
    prefix = temporary_prefix(path.name).rsplit("-", 1)[0]
    return path.with_name(f"{prefix}-{process}.abc{suffix}")


def test_what_killed_processes_left_is_removed_by_the_next_one(tmp_path, films, model, dead_process):
    for path in (tmp_path / "run", tmp_path / "runner"):
        for process in (dead_process, 1):
            leftover(path, process).mkdir()
    write_run(tmp_path / "run", model, {"all": films}, SplitPlan("none"), {})
    left = {path.name for path in tmp_path.iterdir()} - {"run"}
    assert left == {
        leftover(tmp_path / "run", 1).name,  # of a process that is alive
        leftover(tmp_path / "runner", 1).name,  # of another run
        leftover(tmp_path / "runner", dead_process).name,
    }


def test_so_is_what_was_left_in_the_folder_of_a_model(tmp_path, model, dead_process):
    model.save(tmp_path)
    before = contents(tmp_path)
    for name in ("model-0123456789ab.safetensors", "model.json"):
        leftover(tmp_path / name, dead_process).write_text("half")
    (tmp_path / "model-ba9876543210.safetensors").write_text("of a save that was killed before its header")
    model.save(tmp_path)
    assert contents(tmp_path) == before
    assert load_model(tmp_path).l2 == model.l2


def test_a_run_killed_between_going_and_coming_is_back_where_it_was(tmp_path, films, model, dead_process):
    run = tmp_path / "run"
    write_run(run, model, {"all": films}, SplitPlan("none"), {"mark": 1})
    before = contents(run)
    run.rename(leftover(run, dead_process, ".old"))
    leftover(run, dead_process).mkdir()
    assert read_run(run).description["mark"] == 1
    assert contents(run) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_that_another_process_is_replacing_is_left_to_it(tmp_path, films, model):
    run = tmp_path / "run"
    write_run(run, model, {"all": films}, SplitPlan("none"), {})
    run.rename(leftover(run, 1, ".old"))
    with pytest.raises(FileNotFoundError):
        read_run(run)
