"""Names and genres of items, aligned and joined."""

import numpy as np
import pandas as pd
import pytest

from aerec.errors import DataError
from aerec.item_descriptions import aligned_descriptions, joined_descriptions

ITEMS = pd.Index([3, 1, 2])


def test_a_value_for_each_item_in_their_order():
    assert aligned_descriptions({1: "one", 3: "three", 9: "none"}, ITEMS, "", "item_names").tolist() == [
        "three",
        "one",
        "",
    ]
    genres = pd.Series([("Drama",)], index=[2])
    assert aligned_descriptions(genres, ITEMS, (), "item_genres").tolist() == [(), (), ("Drama",)]
    assert aligned_descriptions(None, ITEMS, "", "item_names") is None


def test_what_is_aligned_already_is_a_copy_of_its_own():
    names = pd.Series(["c", "a", "b"], index=ITEMS)
    aligned = aligned_descriptions(names, ITEMS, "", "item_names")
    names.iloc[0] = "changed"
    assert aligned.tolist() == ["c", "a", "b"]


def test_two_values_for_an_item_and_what_is_no_series_are_refused():
    with pytest.raises(DataError, match="item 1 has two names"):
        aligned_descriptions(pd.Series(["a", "b"], index=np.array([1, 1])), ITEMS, "", "item_names")
    with pytest.raises(TypeError, match="item_names is a Series"):
        aligned_descriptions(["a", "b", "c"], ITEMS, "", "item_names")


def test_of_two_descriptions_the_later_holds_unless_it_says_nothing():
    first, second = pd.Series(["a", "b"], index=[1, 2]), pd.Series(["A", ""], index=[1, 2])
    assert joined_descriptions([first, None, second], ITEMS, "").tolist() == ["", "A", "b"]
    assert joined_descriptions([None, None], ITEMS, "") is None
