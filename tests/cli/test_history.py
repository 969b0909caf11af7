"""Lists of items as text: quotes, ratings behind colons, files, and what is not known."""

import pandas as pd
import pytest

from aerec.cli.history import known_items, require_items
from aerec.errors import DataError

NUMBERS = pd.Index([1, 5, 9])
TEXTS = pd.Index(["a", "b,c", 'd"e', "urn:1"])


def test_ids_are_read_as_those_of_the_data():
    assert known_items("1, 9", NUMBERS, "--allow") == [1, 9]
    assert known_items('a,"b,c","d""e"', TEXTS, "--allow") == ["a", "b,c", 'd"e']


def test_a_file_has_an_id_on_each_line(tmp_path):
    path = tmp_path / "stock.txt"
    path.write_text("﻿5\n\n  1 \n", encoding="utf-8")
    assert known_items(f"@{path}", NUMBERS, "--allow") == [5, 1]
    with pytest.raises(FileNotFoundError, match=r"--allow @.*is no file; give a file with an item id on each line"):
        known_items(f"@{path}.gone", NUMBERS, "--allow")


def test_what_is_not_known_is_left_out_with_one_warning():
    with pytest.warns(UserWarning, match=r"2 of 3 items of --block left out: '7' is not in the data") as caught:
        assert known_items("7,1,x", NUMBERS, "--block") == [1]
    assert len(caught) == 1


def test_nothing_to_choose_from_is_refused_but_nothing_to_block_is_not():
    with pytest.raises(DataError, match=r"no item of --allow is known: '7'"):
        known_items("7,8", NUMBERS, "--allow")
    with pytest.warns(UserWarning, match="2 of 2"):
        assert known_items("7,8", NUMBERS, "--block") == []


def test_an_open_quotation_mark_is_refused():
    with pytest.raises(DataError, match=r"cannot be read; write ids with , or : as"):
        known_items('"a', TEXTS, "--allow")


def test_items_that_are_asked_for_have_to_be_there():
    assert require_items(["9", "1"], NUMBERS) == [9, 1]
    with pytest.raises(DataError, match=r"unknown item 'x': not in the data of this run; items are such as 1, 5"):
        require_items(["1", "x"], NUMBERS)
