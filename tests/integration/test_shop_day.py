"""A shop's day: a click log as an export writes it, all the way to a served model; `python FILE [ROWS]` prints it.

The log has a byte order mark, semicolons, Windows newlines, ids with leading zeros and umlauts, ISO times, and clicks
that repeat.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions, load_model
from aerec.cli import main
from aerec.datasets import read_ratings
from aerec.models import EASE
from aerec.runs.folder import read_run

NAMES = ["Kunde", "Artikel", "Zeitpunkt"]
COLUMNS = ["--user", "Kunde", "--item", "Artikel", "--timestamp", "Zeitpunkt"]


def write_log(path, n_rows, seed=0, first_day="2026-11-01"):
    """Write clicks of customers who each like a few shelves of the shop; every twentieth row is there twice."""
    rng = np.random.default_rng(seed)
    n_customers, n_articles = max(40, n_rows // 40), max(60, int(8 * np.sqrt(n_rows) / 6))
    customer = np.sort(rng.integers(0, n_customers, n_rows))
    shelf = (customer * 7 + rng.choice([0, 1, 9], n_rows, p=[0.6, 0.3, 0.1])) % 12
    article = (shelf + 12 * (rng.random(n_rows) ** 2 * (n_articles // 12)).astype(int)) % n_articles
    seconds = np.sort(rng.integers(0, 86_400, n_rows))
    times = (pd.Timestamp(first_day) + pd.to_timedelta(seconds, unit="s")).strftime("%Y-%m-%dT%H:%M:%S")
    names = [f"{n:05d}" if n % 3 else f"Größe-{n:03d}/Ä" for n in range(n_articles)]
    lines = [f"{c:06d};{names[a]};{t}" for c, a, t in zip(customer, article, times, strict=True)]
    lines += lines[::20]
    path.write_bytes(("\ufeff" + "\r\n".join(["Kunde;Artikel;Zeitpunkt", *lines]) + "\r\n").encode())
    return pd.DataFrame({"user": [f"{c:06d}" for c in customer], "item": [names[a] for a in article]})


class Shell:
    """Runs `aerec WORDS…` in this process, in the folder that it is given, and prints both sides."""

    def __init__(self, folder):
        self.folder, self.transcript = folder, []

    def __call__(self, *words, code=0):
        out, err = io.StringIO(), io.StringIO()
        before, argv = Path.cwd(), sys.argv
        os.chdir(self.folder)
        sys.argv = ["aerec", *map(str, words)]
        began = time.perf_counter()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main()
        except SystemExit as ended:
            if (ended.code or 0) != code:
                raise AssertionError(err.getvalue()) from None
        finally:
            os.chdir(before)
            sys.argv = argv
        seconds = time.perf_counter() - began
        self.transcript.append(
            f"$ aerec {shlex.join(map(str, words))}\n{err.getvalue()}{out.getvalue()}({seconds:.1f} s)\n"
        )
        return out.getvalue(), err.getvalue()


def day(folder, n_rows):
    """Live through the day; return what the shell printed and what the customers were shown."""
    shell = Shell(folder)
    clicks = write_log(folder / "klicks.csv", n_rows)
    out, err = shell("train", "klicks.csv", *COLUMNS, "--model", "ease", "--out", "run", "--quiet")
    n_pairs = len(clicks.drop_duplicates())
    assert re.search(rf"^kept (all |[\d,]+ of ){n_pairs:,} ratings", out, re.MULTILINE), out
    assert "klicks.csv has no column of ratings: every row counts as 1" in err
    shell("evaluate", "run", "--metrics", "recall@10,ndcg@10,coverage@10")
    shell("recommend", "run", "--all", "--out", "alle", "-k", "10")
    data = read_ratings(folder / "klicks.csv", user="Kunde", item="Artikel", rating=None, timestamp="Zeitpunkt")
    umlaut = next(item for item in data.items if item.startswith("Größe"))
    zeros = next(item for item in data.items if item.startswith("0"))
    new, _ = shell("recommend", "run", "--history", f"{umlaut},{zeros},Neuheit", "-k", "5", "--json")
    known, _ = shell("recommend", "run", "--user", data.users[0], "-k", "3", "--explain", "--json")
    alike, _ = shell("similar", "run", umlaut, "-k", "3", "--json")
    with contextlib.suppress(ImportError):
        import matplotlib  # noqa: F401

        shell("report", "run", "--out", "bericht.html", "--metrics", "ndcg@10")
        assert "Größe" in (folder / "bericht.html").read_text(encoding="utf-8")
    shell("train", "klicks.csv", *COLUMNS, "--model", "mult-dae", "--out", "netz", "--quiet")
    write_log(folder / "morgen.csv", n_rows // 20, seed=1, first_day="2026-11-02")
    shell("evaluate", "netz", "--data", "morgen.csv", "--split", "last", "--metrics", "hit_rate@10")
    words = ["--warm-from", "netz", "--epochs", "3", "--out", "netz-neu", "--quiet"]
    grown, _ = shell("train", "klicks.csv", "morgen.csv", *words)
    assert re.search(r"^began with netz: [\d,]+ items known, [\d,]+ new", grown, re.MULTILINE), grown
    return shell, {"new": json.loads(new), "known": json.loads(known), "alike": json.loads(alike), "clicks": clicks}


def _frames(path):
    """Read a log of the shop by three libraries."""
    import polars
    import pyarrow
    import pyarrow.csv

    text = dict.fromkeys(NAMES, pyarrow.string())
    yield pd.read_csv(path, sep=";", dtype=str)
    yield polars.read_csv(path, separator=";", infer_schema=False)
    yield pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(delimiter=";"),
        convert_options=pyarrow.csv.ConvertOptions(column_types=text),
    )


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("shop")
    return folder, *day(folder, 4000)


def test_ids_stay_as_they_are(lived):
    folder, _, _ = lived
    everybody = pd.read_parquet(folder / "alle")
    assert everybody["user"].str.fullmatch(r"\d{6}").all()
    assert everybody["item"].str.fullmatch(r"\d{5}|Größe-\d{3}/Ä").all()
    assert everybody.groupby("user").size().max() == 10


def test_nobody_is_shown_what_was_clicked(lived):
    folder, _, shown = lived
    everybody = pd.read_parquet(folder / "alle")
    clicked = set(shown["clicks"].itertuples(index=False, name=None))
    assert clicked.isdisjoint(everybody[["user", "item"]].itertuples(index=False, name=None))


def test_a_new_customer_is_shown_the_shelves_of_the_first_clicks(lived):
    folder, shell, shown = lived
    assert len(shown["new"]) == 5
    assert any("'Neuheit' is not in the data of this run" in text for text in shell.transcript)
    model = load_model(folder / "run")
    assert {one["item"] for one in shown["new"]} <= set(model.items_)
    assert [one["rank"] for one in shown["alike"]] == [1, 2, 3]
    assert all(one["because"] for one in shown["known"])


def test_the_model_is_better_than_what_is_popular(lived):
    folder, shell, _ = lived
    shell("train", "klicks.csv", *COLUMNS, "--implicit", "--model", "popularity", "--out", "beliebt")
    read = [json.loads((folder / run / "run.json").read_bytes())["report"]["metrics"] for run in ("run", "beliebt")]
    ease, popular = (metrics["ndcg@100"]["mean"] for metrics in read)
    assert ease > popular


def test_the_run_is_served_to_a_browser(lived):
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    folder, _, shown = lived
    words = [sys.executable, "-u", "-m", "aerec", "serve", str(folder / "run"), "--port", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            lines = [process.stdout.readline(), process.stdout.readline()]
            address = re.search(r"http://127\.0\.0\.1:\d+", "".join(lines))[0]
            user = urllib.parse.quote(shown["known"][0]["user"], safe="")
            with urllib.request.urlopen(f"{address}/v1/users/{user}/recommendations?k=3", timeout=30) as answer:
                served = json.load(answer)["items"]
        finally:
            process.kill()
    assert [one["item"] for one in served] == [one["item"] for one in shown["known"]]


@pytest.mark.filterwarnings("ignore:.*duplicated")
def test_polars_arrow_pandas_and_the_file_give_the_same_bytes(lived, tmp_path):
    for library in ("polars", "pyarrow.csv"):
        pytest.importorskip(library)
    folder, shell, _ = lived
    words = ["--model", "ease", "--split", "none", "--min-per-user", "1", "--out", "ganz", "--quiet"]
    shell("train", "klicks.csv", *COLUMNS, *words)
    shell("recommend", "ganz", "--out", "ganz.csv")
    expected = {path.name: path.read_bytes() for path in (folder / "ganz" / "model").iterdir()}
    for number, frame in enumerate(_frames(folder / "klicks.csv")):
        clicks = Interactions.from_frame(frame, *NAMES[:2], rating=None, timestamp=NAMES[2])
        model = EASE().fit(clicks)
        model.save(tmp_path / str(number))
        assert {path.name: path.read_bytes() for path in (tmp_path / str(number)).iterdir()} == expected
        model.recommend(clicks).to_csv(tmp_path / "liste.csv", index=False)
        assert (tmp_path / "liste.csv").read_bytes() == (folder / "ganz.csv").read_bytes()


def test_tomorrow_begins_where_today_ended(lived):
    folder, _, _ = lived
    today, tomorrow = (read_run(folder / name) for name in ("netz", "netz-neu"))
    assert tomorrow.data.n_ratings > today.data.n_ratings
    assert set(tomorrow.split.test.history.users) == set(today.split.test.history.users)  # not learned from, either day
    first = [float(run.model.history_["ndcg@100"].iloc[0]) for run in (today, tomorrow)]
    assert first[1] > first[0] + 0.1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        lived_through, _ = day(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
        print("\n".join(lived_through.transcript))  # noqa: T201
