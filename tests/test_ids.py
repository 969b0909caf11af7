"""as_ids: whatever ids are given in, each stays what it is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerec.errors import DataError
from aerec.ids import as_ids, checked_ids, exact_limit, id_from_text, places_of, without_points

exact_floats = st.floats(-(2.0**53), 2.0**53, exclude_min=True, exclude_max=True)
ids = st.one_of(st.integers(), st.text(), exact_floats, st.tuples(st.integers(), st.integers()))


@given(st.lists(ids))
def test_a_list_keeps_every_id_and_its_type(values):
    found = as_ids(values).tolist()
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@given(st.lists(ids, unique=True, min_size=1), st.data())
def test_ids_are_found_where_they_stand(values, data):
    known = pd.Index(values, dtype=object, tupleize_cols=False)
    wanted = data.draw(st.lists(st.integers(0, len(values) - 1)))
    assert known.get_indexer(as_ids([values[at] for at in wanted])).tolist() == wanted


@pytest.mark.parametrize("known", [pd.Index([5, 7]), pd.RangeIndex(9), pd.Index([7.0]), pd.Index(["b", "7"])])
@pytest.mark.parametrize("make", [list, tuple, set, np.array, pd.Series, pd.Index, iter, dict.fromkeys])
def test_any_container_finds_the_same(known, make):
    first = known[0]
    assert known.get_indexer(as_ids(make([first]))).tolist() == [0]


def test_a_single_id_is_one():
    assert as_ids("ann").tolist() == ["ann"]
    assert as_ids(7).tolist() == [7]
    assert as_ids(np.int64(7)).tolist() == [7]
    assert as_ids(np.array(7)).tolist() == [7]


def test_large_numbers_are_not_rounded():
    known = pd.Index(np.array([2**63 + 1, 2**63 + 3], dtype=np.uint64))
    assert known.get_indexer(as_ids([2**63 + 3, -1])).tolist() == [1, -1]


KINDS = ["int8", "int32", "int64", "uint64", "float32", "float64", "bool", "Int64", "Float64", "str"]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_every_id_is_named_by_its_text(kind, data):
    """str(id) names it, whatever the type; what names none of that type is None, and never makes a lookup fail."""
    dtype = pd.Index([0]).astype(kind).to_numpy()[:0].dtype
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = st.integers(int(limits.min), int(limits.max))
    elif dtype.kind == "f":
        limit = exact_limit(dtype)
        values = st.floats(-limit, limit, exclude_min=True, exclude_max=True, width=32)
    else:
        values = st.booleans() if dtype.kind == "b" else st.text()
    known = pd.Index(data.draw(st.lists(values, unique=True, min_size=1))).astype(kind)
    for at, one in enumerate(known):
        found = id_from_text(str(one), known)
        assert known.get_indexer(as_ids([found]))[0] == at
    other = id_from_text(data.draw(st.one_of(st.integers().map(str), st.floats().map(str), st.text())), known)
    if other is not None:
        assert known.get_indexer(pd.Index([other], dtype=known.dtype)).shape == (1,)


@pytest.mark.parametrize(
    "text", ["", " ", "x", "1_0", "１", "٣", "1e400", "nan", "inf", "0x10", "1,5", "--1", "9" * 5000]
)
@pytest.mark.parametrize("kind", ["int64", "float64"])
def test_what_is_no_number_names_none(text, kind):
    assert id_from_text(text, pd.Index([1, 10]).astype(kind)) is None


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("+7", 7), (" 7 ", 7), ("7.0", 7), ("007", 7), ("-7", -7)])
def test_numbers_are_read_as_people_write_them(text, number):
    assert id_from_text(text, pd.Index([7])) == number


def test_nineteen_digits_are_not_rounded():
    assert id_from_text("1212092628029698001", pd.Index([1])) == 1212092628029698001
    assert id_from_text(str(2**64 - 1), pd.Index([1], dtype="uint64")) == 2**64 - 1
    assert id_from_text(str(2**63), pd.Index([1])) is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_numbers_with_a_point_lose_it(dtype):
    whole = without_points(pd.Index(np.array([3, 1, -2], dtype=dtype), name="user"), "user")
    assert (whole.tolist(), whole.dtype, whole.name) == ([3, 1, -2], np.int64, "user")
    limit = exact_limit(np.dtype(dtype))
    assert without_points(pd.Index(np.array([limit - 1], dtype=dtype)), "user").tolist() == [int(limit) - 1]
    with pytest.raises(DataError, match=r"the user id .* stands for several whole numbers.*'Int64'"):
        without_points(pd.Index(np.array([1, limit], dtype=dtype)), "user")


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_an_id_that_is_no_finite_number_is_refused(odd):
    with pytest.raises(DataError, match=f"the item ids hold {odd}, which is no id"):
        without_points(pd.Index([1.0, odd]), "item")


@given(st.lists(st.integers(-(2**53) + 1, 2**53 - 1), min_size=1, unique=True))
def test_every_whole_number_below_the_limit_comes_back(numbers):
    assert without_points(pd.Index(np.array(numbers, dtype=float)), "user").tolist() == numbers


@pytest.mark.parametrize(
    "wanted",
    [
        2.0**53,
        [1, 2.0**60],
        ["a", -(2.0**53)],
        np.array([1.5, 2.0**53]),
        np.float32([2.0**24]),
        [np.float32(2.0**24)],
        pd.Series([1.0, None, 2.0**53], dtype="Float64"),
        pd.Index([2.0**53]),
    ],
)
def test_a_float_that_stands_for_several_ids_names_none(wanted):
    with pytest.raises(DataError, match="is a float that stands for several whole numbers"):
        as_ids(wanted)


def test_floats_that_are_one_number_or_none_are_taken():
    for wanted in ([2.0**53 - 1, 0.5], [np.inf, -np.inf], np.float32([2.0**24 - 1]), [2**60]):
        assert as_ids(wanted).tolist() == list(wanted)


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([10, 20, 30]),
        pd.RangeIndex(5),
        pd.Index([1.0, 20.0]),
        pd.Index(["a", "b"]),
        pd.Index(["a", "b"], dtype=object),
        pd.Index([True, False]),
        pd.to_datetime(["2020-01-01", "2021-01-01"]),
        pd.Index([1, "a", (2, 3)], dtype=object, tupleize_cols=False),
    ],
)
def test_places_are_those_that_pandas_finds(index):
    for ids in (
        [],
        [20, 10],
        [1, "a"],
        ["b", "b", "c"],
        [1.0, 2.5],
        [True],
        [2**70, 3],
        [None, "a"],
        [(2, 3)],
        list(index),
    ):
        wanted = as_ids(ids)
        expected = index.get_indexer(wanted) if len(wanted) else np.zeros(0)
        np.testing.assert_array_equal(places_of(wanted, index), expected)


def test_what_is_known_of_an_index_is_not_found_out_again():
    index = pd.Index([f"item-{number}" for number in range(1000)], name="other")
    assert index.is_unique
    checked = checked_ids(index, "item")
    assert (checked.name, index.name) == ("item", "other")
    assert checked._engine is index._engine  # pandas' hash table
    assert checked_ids(pd.MultiIndex.from_tuples([(1, 2), (3, 4)]), "item").tolist() == [(1, 2), (3, 4)]
