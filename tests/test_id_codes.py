"""Ids of a column: which are one, which are told, which are refused."""

from __future__ import annotations

import warnings
from decimal import Decimal

import pandas as pd
import pytest

from aerec import Interactions
from aerec.errors import DataError


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, "a"], r"several types: 1 is int, 'a' in row 1 is str; .* df\['user'\].astype\(str\)"),
        (["a", "b", 3.5], "'a' is str, 3.5 in row 2 is float"),
        ([[1], [2]], "holds values of type list; ids are numbers or text"),
        ([{"a": 1}, {}], "holds values of type dict"),
    ],
)
def test_ids_of_several_types_are_refused(ids, message):
    frame = pd.DataFrame({"user": pd.Series(ids, dtype=object), "item": range(len(ids))})
    with pytest.raises(DataError, match=message):
        Interactions.from_frame(frame, rating=None)


def test_objects_of_one_type_are_ids_of_that_type():
    for ids in ([3, 1], ["b", "a"], [(1, 2), (0, 9)]):
        plain = pd.Index(sorted(ids), tupleize_cols=False)
        frame = pd.DataFrame({"user": pd.Series(ids, dtype=object), "item": [1, 1]})
        pd.testing.assert_index_equal(Interactions.from_frame(frame, rating=None).users, plain, check_names=False)


def test_decimals_of_many_digits_are_the_ids_that_they_are():
    ids = [Decimal("90071992547409931.0"), Decimal("90071992547409933.0")]
    data = Interactions.from_frame(pd.DataFrame({"user": ids, "item": [1, 2]}), rating=None)
    assert data.users.tolist() == [90071992547409931, 90071992547409933]


@pytest.mark.parametrize("ids", [["ann", "ann "], ["\tbob", "ann"], [" ", "ann"]])
def test_blanks_around_ids_are_told(ids):
    with pytest.warns(UserWarning, match=r"column 'user' holds ids with blanks around them, such as '"):
        data = Interactions.from_frame(pd.DataFrame({"user": ids, "item": ["a b", "a b"]}), rating=None)
    assert data.users.tolist() == sorted(ids)


def test_ids_that_differ_in_the_spelling_of_an_accent_are_told():
    composed, apart = "Zo\u00eb", "Zoe\u0308"
    with pytest.warns(UserWarning, match=rf"column 'user' holds 1 ids in two spellings .* such as '{composed}'"):
        Interactions.from_frame(pd.DataFrame({"user": [composed, apart], "item": ["a", "b"]}), rating=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Interactions.from_frame(pd.DataFrame({"user": [apart, "ann"], "item": ["a", "b"]}), rating=None)


@pytest.mark.parametrize("other", ["007", "7.0", "07.00"])
def test_numbers_in_two_spellings_are_told(other):
    frame = pd.DataFrame({"user": ["7", other, "a7", "10"], "item": ["a", "b", "a", "0"]})
    first, second = sorted(["7", other])
    with pytest.warns(
        UserWarning, match=f"column 'user' holds 1 number in two spellings, such as '{first}' and '{second}'"
    ):
        assert Interactions.from_frame(frame, rating=None).n_users == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Interactions.from_frame(frame.assign(user=[other, "8", "0", "00a"]), rating=None)


def test_blanks_of_a_category_that_nobody_has_are_not_told():
    users = pd.Categorical(["ann", "bob"], categories=["ann", "bob", "eve "])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Interactions.from_frame(pd.DataFrame({"user": users, "item": [1, 2]}), rating=None)


def test_an_id_may_hold_a_nul():
    data = Interactions.from_frame(pd.DataFrame({"user": ["a\0 b", "a"], "item": [1, 2]}), rating=None)
    assert data.users.tolist() == ["a", "a\0 b"]
