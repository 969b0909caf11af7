"""Types of ids and units of times, whatever file they come from."""

import numpy as np
import pandas as pd
import pytest

from aerec.datasets.readers.values import (
    as_shown,
    distinct_ids,
    plain_ids,
    plain_times,
    refuse_row,
    text_ids,
    text_times,
)
from aerec.errors import DataError

NOW = 1_700_000_000


def ids_of(values, dtype=None):
    series = pd.Series(values, dtype=dtype)
    return plain_ids(series, "f.csv", refuse_row("f.csv", "user", series))


@pytest.mark.parametrize("dtype", ["int8", "uint32", "int64"])
def test_whole_numbers_become_64_bits(dtype):
    assert ids_of([3, 1], dtype).dtype == "int64"


def test_numbers_beyond_63_bits_and_text_stay_what_they_are():
    assert ids_of([2**63, 1], "uint64").tolist() == [2**63, 1]
    assert ids_of(["007", "7"], object).tolist() == ["007", "7"]
    assert ids_of([0.5, 1.0]).tolist() == [0.5, 1.0]


@pytest.mark.parametrize("dtype", [object, "str"])
def test_ids_with_blanks_around_them_are_one_in_the_order_they_come(dtype):
    ids = distinct_ids(pd.Series(["b", " a", "b ", "a"], dtype=dtype))
    assert ids.tolist() == ["b", "a", "b", "a"]
    assert ids.cat.categories.tolist() == ["b", "a"]


def test_what_is_odd_among_ids_is_counted_by_rows():
    ids = distinct_ids(pd.Series(["1"] * 300 + ["x", "2", "x"]))
    with pytest.warns(UserWarning, match="2 of 303 are not written as whole numbers in the digits 0 to 9: 'x'"):
        assert text_ids(ids, "f.csv", refuse_row("f.csv", "user", ids)).tolist()[-3:] == ["x", "2", "x"]
    missing = distinct_ids(pd.Series(["1", "1", "NA"]))
    with pytest.raises(DataError, match="row 2, column 'user': 'NA' stands where an id is missing"):
        text_ids(missing, "f.csv", refuse_row("f.csv", "user", missing))


def test_whole_numbers_with_a_point_lose_it_with_a_warning():
    with pytest.warns(UserWarning, match=r"f\.csv: the ids are whole numbers with a decimal point; 1\.0 is read as 1"):
        assert ids_of([1.0, 2.0]).dtype == "int64"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.nan], "row 1, column 'user': the id is missing"),
        (["a", ""], "row 1, column 'user': the id is missing"),
        ([np.inf, 1.0], "row 0, column 'user': inf is no id"),
        ([1.0, 2.0**53], "row 1, column 'user': the id 9007199254740992.0 is a float that stands for several"),
    ],
)
def test_ids_that_are_none_are_named_with_their_row(values, message):
    with pytest.raises(DataError, match=message):
        ids_of(values)


def times_of(values, dtype=None):
    series = pd.Series(values, dtype=dtype)
    return plain_times(series, "f.csv", refuse_row("f.csv", "time", series))


@pytest.mark.parametrize(("unit", "factor"), [("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)])
def test_other_units_become_seconds(unit, factor):
    with pytest.warns(UserWarning, match=rf"the times are {unit} since 1970 and were divided by"):
        whole = times_of([NOW * factor, (NOW + 5) * factor])
    assert whole.tolist() == [NOW, NOW + 5]
    assert whole.dtype.kind == "i"
    with pytest.warns(UserWarning, match=unit):
        assert times_of([NOW * factor + factor // 2]).tolist() == [NOW + 0.5]


@pytest.mark.parametrize("values", [[0, 5], [NOW], [1e-3, NOW]])
def test_seconds_may_be_any_number(values):
    assert times_of(values).tolist() == values


def test_units_that_are_mixed_are_refused_at_the_rarer_one():
    with pytest.raises(DataError, match=r"row 2, column 'time': .*of another unit.*seconds and milliseconds are mixed"):
        times_of([NOW, NOW + 1, NOW * 1000])


def test_an_odd_one_among_times_of_another_unit_is_refused():
    with pytest.raises(DataError, match=r"row 1, column 'time': the timestamp 0 can be no milliseconds since 1970"):
        times_of([NOW * 1000, 0, NOW * 1000 + 5])


@pytest.mark.parametrize("values", [[20200131], [202001311200, 199912312359]])
def test_dates_written_as_numbers_are_left_to_others(values):
    assert times_of(values).tolist() == values


def test_a_time_that_is_no_number_is_refused():
    with pytest.raises(DataError, match=r"row 1, column 'time': the timestamp nan is not a finite number"):
        times_of([1.0, np.nan])


def test_text_and_dates_are_left_to_others():
    dates = pd.Series(pd.to_datetime(["2020-01-01"]))
    assert plain_times(dates, "f", refuse_row("f", "time", dates)) is dates


def test_values_in_messages_are_short_and_plain():
    assert as_shown("a" * 61) == "a" * 59 + "…"
    assert as_shown("a" * 60) == "a" * 60
    assert type(as_shown(np.int64(3))) is int


def test_whole_numbers_of_which_some_have_a_point_are_one_kind():
    def read(values):
        series = pd.Series(values, dtype=object)
        refuse = refuse_row("f.csv", "user", series)
        return plain_ids(text_ids(distinct_ids(series), "f.csv", refuse), "f.csv", refuse)

    with pytest.warns(UserWarning, match="whole numbers with a decimal point; 1.0 is read as 1"):
        assert read(["123", "123.0", "7.0", "8"]).tolist() == [123, 123, 7, 8]
    with pytest.raises(DataError, match="'nan' stands where an id is missing"):
        read(["123.0", "nan", "124.0"])
    with pytest.warns(UserWarning, match=r"1\.0 is read as 1"):
        assert read(["9007199254740993.0", "1"]).tolist() == [9007199254740993, 1]  # no float holds it
    with pytest.warns(UserWarning, match="'9223372036854775808' is beyond 64 bits"):
        assert read(["9223372036854775808", "1.0"]).tolist() == ["9223372036854775808", "1.0"]


def test_numbers_and_dates_of_one_column_are_mixed():
    column = pd.Series(["1700000000", "2024-01-02", "1700000001"])
    with pytest.raises(DataError, match="'2024-01-02' is among others of another kind: numbers and dates are mixed"):
        text_times(column, refuse_row("f.csv", "timestamp", column))
