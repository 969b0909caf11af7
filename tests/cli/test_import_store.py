"""`aerec import`, and a store all the way to recommendations."""

import json

import pandas as pd
import pytest

from aerec.datasets import open_store
from aerec.runs.folder import read_run


@pytest.fixture
def parts(films, tmp_path):
    (tmp_path / "parts").mkdir()
    frame = films.to_frame()
    for at in range(2):
        frame[at::2].to_parquet(tmp_path / "parts" / f"part-{at}.parquet")
    return tmp_path / "parts"


def test_from_parquet_to_recommendations_for_everybody(aerec, parts, films):
    code, out, _ = aerec("import", parts, "--out", "store", "--threshold", 4, "--min-per-user", 5)
    assert code == 0
    assert "next: aerec train store" in out
    assert aerec("train", "store", "--model", "ease", "--set", "l2=20", "--out", "run").code == 0
    run = read_run("run")
    expected = films.binarize(4.0).filter(5, 1)
    assert (run.data.matrix != expected.matrix).nnz == 0
    assert "store" in json.loads((run.path / "data" / "all.json").read_text())
    assert len(list((run.path / "data").iterdir())) == 1  # the ratings are not copied into the run
    for shard in ("1/2", "2/2"):
        code, out, _ = aerec("recommend", "run", "--all", "--out", "everybody", "-k", 3, "--shard", shard)
        assert code == 0
    assert "all there" in out
    assert aerec("recommend", "run", "--out", "one.parquet", "-k", 3).code == 0
    pd.testing.assert_frame_equal(pd.read_parquet("everybody/part-000000.parquet"), pd.read_parquet("one.parquet"))


def test_a_store_that_changed_or_went_is_noticed(aerec, refused, parts):
    aerec("import", parts, "--out", "store", "--threshold", 4)
    aerec("train", "store", "--model", "popularity", "--min-per-user", 1, "--out", "run")
    aerec("import", parts, "--out", "store", "--threshold", 5, "--overwrite")
    assert "is not the one that" in refused("recommend", "run", "--user", 1)


def test_what_has_to_be_copied_into_memory_is_said(aerec, parts):
    aerec("import", parts, "--out", "store")
    assert "copied into memory" in aerec("train", "store", "--model", "popularity", "--out", "run").err
    aerec("import", parts, "--out", "liked", "--threshold", 4, "--min-per-user", 5)
    assert aerec("train", "liked", "--model", "popularity", "--out", "other").err == ""


@pytest.mark.parametrize("name", ["shop.csv", "shop.csv.gz", "shop.tsv"])
def test_text_makes_the_same_store_as_parquet(aerec, parts, films, name):
    frame = films.to_frame().rename(columns={"user": "kunde", "rating": "note"})
    frame.to_csv(name, index=False, sep="\t" if name.endswith("tsv") else ",")
    words = ["--threshold", 4, "--min-per-user", 5]
    assert aerec("import", parts, "--out", "store", *words).code == 0
    code, out, err = aerec("import", name, "--out", "text", "--user", "kunde", "--rating", "note", *words)
    assert (code, err) == (0, "")
    expected, found = open_store("store"), open_store("text")
    assert out.startswith(f"kept {expected.n_ratings:,} of 2,600 ratings (≥ 4, users with ≥ 5)\n")
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())


def test_text_without_a_header(aerec, films):
    films.to_frame()[["item", "user", "rating"]].to_csv("shop.csv", index=False, header=False, sep=";")
    words = ["--no-header", "--user", "2", "--item", "1", "--separator", ";"]
    assert aerec("import", "shop.csv", "--out", "store", *words).code == 0
    assert open_store("store").to_frame()["rating"].tolist() == films.to_frame()["rating"].tolist()


def test_clicks(aerec, films):
    films.to_frame()[["user", "item"]].to_csv("clicks.csv", index=False)
    assert aerec("import", "clicks.csv", "--out", "store", "--implicit").err == ""
    assert open_store("store").is_implicit


def test_json(aerec, parts):
    found = json.loads(aerec("import", parts, "--out", "store", "--json").out)
    assert (found["n_rows"], found["n_ratings"]) == (2600, 2600)


def test_bad_input(refused, parts):
    assert "does not exist" in refused("import", "nowhere", "--out", "store")
    assert "no column 'who'" in refused("import", parts, "--out", "store", "--user", "who")
    assert "cannot be imported" in refused("import", parts, "--out", "store", "--memory-limit", "plenty")
