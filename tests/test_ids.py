"""as_ids: whatever ids are given in, each stays what it is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerec.ids import as_ids

ids = st.one_of(st.integers(), st.text(), st.floats(allow_nan=False), st.tuples(st.integers(), st.integers()))


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
