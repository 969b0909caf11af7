"""Kinds of ids: which meet, which are refused, and how parts are joined."""

import itertools

import numpy as np
import pandas as pd
import pytest

from aerec.errors import DataError
from aerec.id_kinds import refuse_other_kind, union_of_ids

KINDS = {
    "whole numbers": pd.Index([1, 2]),
    "numbers with fractions": pd.Index([1.5, 2.5]),
    "text": pd.Index(["1", "2"]),
    "booleans": pd.Index([True, False]),
    "tuple": pd.Index([(1, 2), (3, 4)], tupleize_cols=False),
}


@pytest.mark.parametrize(
    ("ids", "others"),
    [
        (pd.Index([1, 2], dtype="int8"), pd.Index([5], dtype="uint64")),
        (pd.Index([1, 2], dtype=object), pd.Index([5])),
        (pd.Index([2**70, np.int64(1)], dtype=object), pd.RangeIndex(3)),
        (pd.Index(["a"], dtype=object), pd.Index(["b"], dtype="string")),
        (pd.Index([1, "a"], dtype=object), pd.Index(["b"])),
        (pd.Index([1.5, 2.0]), pd.Index([2.0], dtype="float32")),
        (pd.Index([1.0, 2.0]), pd.Index([2])),
        (pd.Index([1.0, 2.0], dtype=object), pd.Index([2])),
        (pd.Index([1.5, 2.0]), pd.Index([2])),
        (pd.Index([], dtype=object), pd.Index([1])),
        (pd.to_datetime(["2001-01-01"]), pd.Index([pd.Timestamp("2002-01-01")], dtype=object)),
    ],
)
def test_ids_that_could_meet_are_not_refused(ids, others):
    refuse_other_kind(ids, others, "items")
    refuse_other_kind(others, ids, "items")


@pytest.mark.parametrize(("first", "second"), itertools.permutations(KINDS, 2))
def test_ids_of_two_kinds_are_refused_with_both_and_the_way_out(first, second):
    for ids in (KINDS[first], KINDS[first].astype(object)):
        with pytest.raises(DataError, match=f"the items are {first}, such .*, those of .* {second}, such .*astype"):
            refuse_other_kind(ids, KINDS[second], "items")


def test_parts_with_and_without_fractions_are_joined():
    union = union_of_ids([pd.Index([1.5, 2.0]), pd.Index([2, 3])], "item")
    assert union.tolist() == [1.5, 2.0, 3.0]


@pytest.mark.parametrize(
    ("first", "second", "union"),
    [
        (np.int64([-1, 2]), np.uint64([2, 3]), np.int64([-1, 2, 3])),
        (np.uint64([2**62 + 1]), np.int64([2**62]), np.int64([2**62, 2**62 + 1])),
        (np.int64([1]), np.uint64([2**63 + 1]), np.uint64([1, 2**63 + 1])),
        (np.int8([-1]), np.uint8([255]), np.int64([-1, 255])),
    ],
)
def test_whole_numbers_with_and_without_a_sign_are_joined_without_becoming_floats(first, second, union):
    joined = union_of_ids([pd.Index(first), pd.Index(second)], "item")
    assert joined.dtype == union.dtype
    assert joined.tolist() == union.tolist()


def test_whole_numbers_that_no_type_holds_are_refused():
    parts = [pd.Index(np.int64([-1, 5])), pd.Index(np.uint64([2**63]))]
    with pytest.raises(DataError, match=r"go from -1 to 9223372036854775808: no type of 64 bits.*astype\(str\)"):
        union_of_ids(parts, "item")
