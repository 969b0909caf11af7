"""Ids as tensors come back as they were; what cannot be stored is named."""

import datetime
import uuid

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerec.errors import DataError
from aerec.id_kinds import check_storable
from aerec.stored_ids import decode_index, encode_index


@given(st.lists(st.one_of(st.text(), st.sampled_from(["", "a", "日本", "\x00"])), unique=True))
def test_text_ids_come_back(ids):
    found = decode_index(encode_index(pd.Index(ids, dtype=object), "items"), "items")
    assert list(found) == ids


@pytest.mark.parametrize("ids", [[3, -1, 2**40], [0.5, 2.0], [True, False], []])
def test_number_ids_come_back(ids):
    found = decode_index(encode_index(pd.Index(ids), "users"), "users")
    assert list(found) == ids


def test_no_ids_are_no_tensors():
    assert encode_index(None, "items") == {}
    assert decode_index({}, "items") is None


def test_ids_of_mixed_types_are_refused():
    with pytest.raises(DataError, match=r"item ids have to be numbers .* got int '1' beside text .*astype\(str\)"):
        encode_index(pd.Index([1, "a"]), "items")


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ([1, 2], "int '1' in a column of type object"),
        ([2**70], "int '1180591620717411303424'"),
        ([b"a"], "bytes"),
        ([uuid.UUID(int=7)], "UUID"),
        ([datetime.date(2020, 1, 1)], "date '2020-01-01'"),
        ([(1, 2)], "tuple"),
        ([True, "a"], "bool 'True' beside text"),
        (["a", "\ud800"], "is no valid Unicode text"),
    ],
)
def test_ids_that_cannot_be_stored_are_named(ids, kind):
    index = pd.Index(ids, dtype=object, tupleize_cols=False)
    with pytest.raises(DataError, match=kind):
        check_storable(index, "user")
    with pytest.raises(DataError, match=r"df\['user'\]\.astype"):
        encode_index(index, "users")


@pytest.mark.parametrize("kind", ["int8", "uint64", "float32", "bool", "Int64", "str", object, "string"])
def test_ids_that_can_be_stored_pass(kind):
    ids = pd.Index(["1", "0"] if kind in ("str", object, "string") else [1, 0]).astype(kind)
    check_storable(ids, "user")
    assert decode_index(encode_index(ids, "users"), "users").tolist() == ids.tolist()


def test_an_id_that_stands_twice_is_refused_where_ids_are_unique():
    for ids in (["a", "b", "a"], [1, 2, 1]):
        tensors = encode_index(pd.Index(ids), "items")
        assert len(decode_index(tensors, "items")) == 3
        with pytest.raises(ValueError, match=r"items: the id .* stands twice"):
            decode_index(tensors, "items", unique=True)
