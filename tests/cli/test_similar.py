"""`aerec similar`: what the library says is alike, with titles."""

import json

import pandas as pd
import pytest

from aerec.runs.folder import read_run


def test_as_in_the_library_with_titles(aerec, ease_run):
    run = read_run(ease_run)
    items = run.data.items[[4, 2]].tolist()
    code, out, err = aerec("similar", ease_run, *items, "-k", "3", "--json")
    assert (code, err) == (0, "")
    found = pd.DataFrame(json.loads(out))
    assert list(found.columns) == ["item", "similar", "title", "rank", "score"]
    expected = run.model.similar_items(items, 3)
    pd.testing.assert_frame_equal(found.drop(columns="title"), expected, check_dtype=False, rtol=1e-6)
    assert found["title"].tolist() == [run.data.item_names[item] for item in found["similar"]]


def test_into_a_file_and_for_people(aerec, ease_run, tmp_path):
    code, out, err = aerec("similar", ease_run, "1", "-k", "4", "--out", "alike.csv")
    assert (code, out, err) == (0, "4 similar items of 1 in alike.csv\n", "")
    assert len(pd.read_csv(tmp_path / "alike.csv")) == 4
    assert aerec("similar", ease_run, "1", "-k", "4").out.count("\n") == 5


def test_a_k_beyond_the_catalogue(aerec, ease_run):
    n_items = read_run(ease_run).data.shape[1]
    assert len(json.loads(aerec("similar", ease_run, "1", "-k", "9" * 25, "--json").out)) <= n_items - 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["99999"], "unknown item '99999': not in the data of this run; items are such as 1, 2"),
        (["tea"], "unknown item 'tea'"),
        (["1", "-k", "0"], "-k"),
        (["1", "--out", "x.xlsx"], "give one of .csv"),
        ([], "item"),
    ],
)
def test_words_that_cannot_be_used(refused, ease_run, words, reason):
    assert reason in refused("similar", ease_run, *words).replace("ITEM", "item")


def test_a_model_that_cannot_say_what_is_alike(refused, rating_run):
    assert "has neither vectors of items nor item-item weights" in refused("similar", rating_run, "1")


def test_a_run_that_is_not_there(refused):
    assert "no run in nowhere" in refused("similar", "nowhere", "1")
