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


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_what_is_missing_after_a_join_of_tables_is_no_name_and_no_genre(missing):
    names = pd.Series([missing, "a", 300], index=ITEMS, dtype=object)
    assert aligned_descriptions(names, ITEMS, "", "item_names").tolist() == ["", "a", "300"]
    genres = pd.Series([missing, ("War",), ["Drama", "War"]], index=ITEMS, dtype=object)
    assert aligned_descriptions(genres, ITEMS, (), "item_genres").tolist() == [(), ("War",), ("Drama", "War")]


def test_names_of_pandas_own_text_may_be_missing():
    names = pd.Series(["a", None, "c"], index=ITEMS, dtype="string")
    assert aligned_descriptions(names, ITEMS, "", "item_names").tolist() == ["a", "", "c"]


def test_text_is_not_read_as_a_genre_for_each_letter():
    with pytest.raises(DataError, match=r"genres of item 1 are 'Drama\|War'.*split"):
        aligned_descriptions({1: "Drama|War"}, ITEMS, (), "item_genres")
