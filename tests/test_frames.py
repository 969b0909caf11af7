"""frames: pandas, polars and Arrow say the same, and the sort of ratings is that of a plain lexsort."""

from __future__ import annotations

import datetime
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec import Interactions
from aerec.errors import DataError
from aerec.frames import sort_ratings

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")


def from_pandas(columns):
    return pd.DataFrame(columns)


def from_polars(columns):
    return pl.DataFrame(columns)


def from_lazy(columns):
    return pl.LazyFrame(columns)


def from_arrow(columns):
    return pa.table(columns)


def from_nullable(columns):
    return pd.DataFrame(columns).convert_dtypes()


def from_arrow_backed(columns):
    return pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)


KINDS = [from_pandas, from_polars, from_lazy, from_arrow, from_nullable, from_arrow_backed]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def assert_same_bytes(one, other):
    for name in ("data", "indices", "indptr"):
        mine, theirs = getattr(one.matrix, name), getattr(other.matrix, name)
        assert mine.dtype == theirs.dtype
        assert mine.tobytes() == theirs.tobytes()
    for name in ("users", "items"):
        pd.testing.assert_index_equal(getattr(one, name), getattr(other, name), exact=True)
    assert (one.timestamps is None) == (other.timestamps is None)
    if one.timestamps is not None:
        assert one.timestamps.dtype == other.timestamps.dtype
        assert one.timestamps.tobytes() == other.timestamps.tobytes()


# ---------------------------------------------------------------------- frames of all libraries


TABLES = {
    "numbers": {"user": [3, 1, 3], "item": [10, 10, 20], "rating": [1.0, 2.5, 5.0], "timestamp": [5, 6, 7]},
    "text ids": {"user": ["ü", "a", "Z"], "item": ["007", "07", "7"], "rating": [1, 2, 3]},
    "large numbers": {"user": [2**62, 1, 2**62 + 1], "item": [1, 2, 3], "rating": [1.0, 2.0, 3.0]},
    "yes or no": {"user": [1, 2, 3], "item": [1, 2, 3], "rating": [True, True, True]},
    "decimal ratings": {
        "user": [1, 2, 3],
        "item": [1, 2, 3],
        "rating": [Decimal("4.5"), Decimal("0.1"), Decimal("5.0")],
    },
    "decimal ids": {"user": [Decimal(70), Decimal(8), Decimal(9)], "item": [1, 2, 3], "rating": [1.0, 2.0, 3.0]},
    "dates": {
        "user": [1, 1, 2],
        "item": [1, 2, 1],
        "rating": [1.0, 2.0, 3.0],
        "timestamp": [datetime.date(2024, 1, 2), datetime.date(1969, 12, 31), datetime.date(2024, 2, 29)],
    },
    "datetimes": {
        "user": [1, 1, 2],
        "item": [1, 2, 1],
        "rating": [1.0, 2.0, 3.0],
        "timestamp": [datetime.datetime(year, 1, 2, 3, 4, 5, 250000) for year in (2024, 1969, 2000)],
    },
    "ISO text": {
        "user": [1, 1],
        "item": [1, 2],
        "rating": [1.0, 2.0],
        "timestamp": ["2024-01-02", "2024-01-02T03:04:05+01:00"],
    },
}


@kinds
@pytest.mark.parametrize("table", TABLES)
def test_the_same_bytes_from_every_library(kind, table):
    expected = Interactions.from_frame(from_pandas(TABLES[table]))
    assert expected.n_ratings == len(TABLES[table]["user"])
    assert_same_bytes(Interactions.from_frame(kind(TABLES[table])), expected)


@kinds
def test_ids_with_a_point_are_whole_numbers_of_every_library(kind):
    expected = Interactions.from_frame(
        from_pandas({"user": [3, 1, 3], "item": [10, 10, 20], "rating": [1.0, 2.0, 3.0]})
    )
    given = {"user": [3.0, 1.0, 3.0], "item": [10.0, 10.0, 20.0], "rating": [1.0, 2.0, 3.0]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        found = Interactions.from_frame(kind(given))
    told = [str(one.message).partition(", as after missing values:")[0] for one in caught]
    expected_words = [f"the {name} ids are whole numbers with a decimal point" for name in ("user", "item")]
    assert told == ([] if kind is from_nullable else expected_words)  # which makes whole numbers of them itself
    assert_same_bytes(found, expected)


def test_ids_with_fractions_stay_and_ids_that_a_float_cannot_hold_are_refused():
    frame = pd.DataFrame({"user": [1.5, 2.0], "item": [1, 2], "rating": [1.0, 1.0]})
    assert Interactions.from_frame(frame).users.tolist() == [1.5, 2.0]
    large = frame.assign(user=[1.0, 2.0**53])
    with pytest.raises(DataError, match=r"the user id .*9007199254740992.* stands for several whole numbers"):
        Interactions.from_frame(large)
    with pytest.raises(DataError, match=r"the user id .* stands for several whole numbers"):
        Interactions.from_frame(frame.assign(user=[Decimal(10**30), Decimal(1)]))


ROWS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abc"), st.integers(1, 5), st.integers(0, 3)), min_size=1)


@settings(max_examples=30)
@given(ROWS, st.booleans())
def test_repeated_pairs_are_the_same_from_every_library(rows, with_time):
    columns = dict(zip(("user", "item", "rating", "timestamp"), map(list, zip(*rows, strict=True)), strict=True))
    if not with_time:
        columns.pop("timestamp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = Interactions.from_frame(from_pandas(columns))
        for kind in KINDS[1:]:
            assert_same_bytes(Interactions.from_frame(kind(columns)), expected)


def test_categories_of_every_library_become_plain_ids():
    values = ["b", "a", "b"]
    rest = {"item": [1, 1, 2], "rating": [1.0, 2.0, 3.0]}
    expected = Interactions.from_frame(pd.DataFrame({"user": values, **rest}))
    frames = [
        pd.DataFrame({"user": pd.Categorical(values, categories=["never", "b", "a"]), **rest}),
        pl.DataFrame({"user": pl.Series(values, dtype=pl.Categorical), **rest}),
        pl.DataFrame({"user": pl.Series(values, dtype=pl.Enum(["never", "b", "a"])), **rest}),
        pa.table({"user": pa.array(values).dictionary_encode(), **rest}),
        pa.table({"user": pa.chunked_array([pa.array(["b", "a"]), pa.array(["b"])]).dictionary_encode(), **rest}),
        pa.table({"user": pa.array(values).dictionary_encode(), **rest}).to_pandas(types_mapper=pd.ArrowDtype),
    ]
    for frame in frames:
        assert_same_bytes(Interactions.from_frame(frame), expected)
    numbers = pd.DataFrame({"user": pd.Categorical([30, 4, 30], categories=[4, 5, 30]), **rest})
    assert Interactions.from_frame(numbers).users.tolist() == [4, 30]
    assert Interactions.from_frame(numbers).users.dtype == np.int64


def test_categories_of_chunks_with_dictionaries_of_their_own():
    chunks = [pa.array(["b", "a"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()]
    table = pa.table({"user": pa.chunked_array(chunks), "item": [1, 1, 1, 2]})
    data = Interactions.from_frame(table, rating=None)
    assert list(data.to_frame()[["user", "item"]].itertuples(index=False, name=None)) == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
        ("c", 1),
    ]


def test_time_zones_mean_the_same_moment_in_every_library():
    moments = (
        pd.to_datetime(["2024-07-01T12:00:00.5", "2024-01-01T00:00:00.0"]).tz_localize("Europe/Berlin").as_unit("us")
    )
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 1], "rating": [1.0, 2.0], "timestamp": moments})
    data = Interactions.from_frame(frame)
    assert data.timestamps.tolist() == [1719828000.5, 1704063600.0]
    for other in (pl.from_pandas(frame), pl.from_pandas(frame).lazy(), pa.Table.from_pandas(frame)):
        assert_same_bytes(Interactions.from_frame(other), data)
        assert Interactions.from_frame(other).timestamp_dtype == data.timestamp_dtype


# ---------------------------------------------------------------------- what is refused


@kinds
@pytest.mark.parametrize("column", ["user", "item"])
def test_missing_ids_are_counted_and_the_first_is_named(kind, column):
    columns = {"user": [1, 2, 3], "item": ["a", "b", "c"], "rating": [1.0, 2.0, 3.0]}
    columns[column] = [columns[column][0], None, None]
    with pytest.raises(DataError, match=rf"row 1: column '{column}' has no id \(2 such rows; rows count from 0\)"):
        Interactions.from_frame(kind(columns))


@kinds
def test_dates_of_another_form_are_refused_with_the_call_that_converts_them(kind):
    columns = {"user": [1, 2], "item": [1, 2], "rating": [1.0, 2.0], "timestamp": ["31.12.2024", "01.01.2025"]}
    with pytest.raises(DataError, match=r"row 0: timestamp '31.12.2024' is neither .* pd.to_datetime\(column, format="):
        Interactions.from_frame(kind(columns))


@kinds
def test_missing_ratings_and_times_are_counted_and_the_first_is_named(kind):
    columns = {"user": [1, 2, 3], "item": [1, 2, 3], "rating": [1.0, None, None], "timestamp": [1, 2, None]}
    with pytest.raises(DataError, match=r"row 1: rating nan is not a finite number \(2 such rows"):
        Interactions.from_frame(kind(columns))
    columns["rating"] = [1.0, 2.0, 3.0]
    with pytest.raises(DataError, match=r"row 2: the timestamp is missing \(1 such row; rows count from 0\)"):
        Interactions.from_frame(kind(columns))


@kinds
def test_a_column_that_is_not_there_is_named_with_those_that_are(kind):
    frame = kind({"who": [1], "what": [2]})
    with pytest.raises(DataError, match=r"no column 'user' .* \['who', 'what'\]; name the column with user="):
        Interactions.from_frame(frame)
    with pytest.raises(DataError, match=r"no column 'rating' .*pass rating=None"):
        Interactions.from_frame(frame, "who", "what")
    with pytest.raises(DataError, match=r"no column 'when' in the frame"):
        Interactions.from_frame(frame, "who", "what", None, "when")
    assert Interactions.from_frame(frame, "who", "what", None).shape == (1, 1)


def test_a_column_in_the_index_is_told_from_one_that_is_missing():
    frame = pd.DataFrame({"user": [1], "item": [2]}).set_index("user")
    with pytest.raises(DataError, match=r"it is the index: df.reset_index\(\)"):
        Interactions.from_frame(frame, rating=None)


# ---------------------------------------------------------------------- the sort


def plainly_sorted(rows, cols, values, times, shape):
    """Sort by user, item, time and row; keep the last of each pair: what the counting sorts must give."""
    order = np.lexsort((cols, rows) if times is None else (times, cols, rows))
    rows, cols, values = rows[order], cols[order], values[order]
    last = np.append((rows[1:] != rows[:-1]) | (cols[1:] != cols[:-1]), True)
    keep = last & (values != 0)
    indptr = np.append(0, np.cumsum(np.bincount(rows[keep], minlength=shape[0])))
    return indptr, cols[keep], values[keep], None if times is None else times[order][keep], np.sum(~last)


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 4), min_size=1, max_size=40), st.booleans(), st.integers(4, 6))
def test_two_counting_sorts_are_a_lexsort(entries, with_time, n_rows):
    rows, cols, values, times = np.array(entries).T
    values, times = values.astype(np.float32), times / 2 if with_time else None
    found = sort_ratings(rows, cols, values, times, (n_rows, 5))
    indptr, indices, data, moments, n_repeated = plainly_sorted(rows, cols, values, times, (n_rows, 5))
    assert found.matrix.indptr.tolist() == indptr.tolist()
    assert found.matrix.indices.tolist() == indices.tolist()
    assert found.matrix.data.tolist() == data.tolist()
    assert (found.timestamps is None) or found.timestamps.tolist() == moments.tolist()
    assert found.n_repeated == n_repeated
    assert found.n_zeros == len(entries) - n_repeated - len(data)
    assert found.matrix.has_canonical_format
    assert found.matrix.indices.dtype == found.matrix.indptr.dtype == np.int32


def test_sorting_nothing_gives_an_empty_matrix():
    none = np.empty(0, np.int64)
    found = sort_ratings(none, none, none.astype(np.float32), none, (3, 0))
    assert found.matrix.shape == (3, 0)
    assert found.matrix.nnz == found.n_repeated == found.n_zeros == 0


# ---------------------------------------------------------------------- warnings


def test_warnings_point_at_the_line_of_the_caller():
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [1, 1, 1], "rating": [1.0, 2.0, 0.0]})
    with pytest.warns(UserWarning, match=r"duplicated|of 0 dropped") as caught:
        Interactions.from_frame(frame)
    assert len(caught) == 2
    assert {warning.filename for warning in caught} == {__file__}


def test_a_pivoted_frame_is_told_to_be_a_matrix():
    long = pd.DataFrame({"user": np.arange(40) % 7, "item": np.arange(40) % 20, "rating": 1.0})
    table = long.pivot_table(index="user", columns="item", values="rating")
    with pytest.raises(DataError, match=r"10, 11, …\]; a table of users and items is a matrix: .*from_matrix"):
        Interactions.from_frame(table)
    made = Interactions.from_matrix(table.fillna(0), table.index, table.columns)
    assert made.shape == (7, 20)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("timestamp", [1.0, np.inf, 3.0], "row 1: timestamp inf is not a finite number"),
        ("timestamp", [1.0, -np.inf, 3.0], "row 1: timestamp -inf is not a finite number"),
        ("timestamp", [True, False, True], "'timestamp' holds truth values, not times"),
        ("timestamp", [1j, 2j, 3j], "'timestamp' holds complex numbers, not times"),
        ("timestamp", pd.period_range("2026-01", periods=3, freq="M"), "'timestamp' holds periods, not times"),
        ("rating", pd.Series([1j, 2, 3], dtype=object), "'rating' holds complex numbers, not ratings"),
        ("rating", [1 + 1j, 2, 3], "'rating' holds complex numbers, not ratings"),
        ("rating", [1e-46, 2, 3], "1e-46 is too small for a rating"),
        ("weight", [1 + 1j, 2, 3], "'weight' holds complex numbers, not weights"),
    ],
)
def test_columns_that_would_be_read_as_something_else_are_refused(column, values, message):
    frame = pd.DataFrame({"user": [1, 2, 3], "item": [4, 5, 6], "rating": 1.0, "timestamp": 1, "weight": 1.0})
    frame[column] = values
    with pytest.raises(DataError, match=message):
        Interactions.from_frame(frame, weight="weight")


# ---------------------------------------------------------------------- columns that would be read as something else


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("timestamp", [datetime.datetime(2020, 1, 1), 5], "row 1: timestamp 5 is a number, others are not"),
        ("timestamp", ["1", "2020-01-01"], "row 0: timestamp '1' is a number, others are not"),
        ("timestamp", ["1", "2", "2020-01-01"], "row 2: timestamp '2020-01-01' is a date, others are not"),
        ("timestamp", ["2020-01-01", "now"], "row 1: timestamp 'now' is neither a number nor a date"),
        ("timestamp", ["today", "2020-01-01"], "row 0: timestamp 'today' is neither a number nor a date"),
        ("rating", [pd.NaT, 1], "row 0: rating NaT is not a number"),
        ("user", [Decimal("Infinity"), Decimal(1)], "hold inf, which is no id"),
    ],
)
def test_values_of_two_kinds_are_refused_with_the_row(column, values, message):
    frame = pd.DataFrame({"user": 1, "item": range(len(values)), "rating": 1.0})
    frame[column] = pd.Series(values, dtype=object)
    with pytest.raises(DataError, match=message):
        Interactions.from_frame(frame)


@pytest.mark.parametrize("names", [{"item": "user"}, {"timestamp": "rating"}, {"weight": "rating"}])
def test_a_column_is_one_thing_only(names):
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [3.0, 4.0]})
    with pytest.raises(DataError, match=r"is read as the (user|rating), so not as the (item|timestamp|weight) too"):
        Interactions.from_frame(frame, **names)


@pytest.mark.parametrize("name", ["clicked_at", "Clicked At", "clickedAt", "event-time", "date"])
def test_times_under_another_name_are_told(name):
    frame = pd.DataFrame({"user": ["ann"], "item": ["tea"], name: [1_700_000_000]})
    with pytest.warns(UserWarning, match=rf"column '{name}' may hold the times and is not read; timestamp='{name}'"):
        Interactions.from_frame(frame, rating=None)


def test_names_that_only_end_like_times_are_no_times():
    frame = pd.DataFrame({"user": ["ann"], "item": ["tea"], "format": ["x"], "lifetime": [1], "at_home": [True]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Interactions.from_frame(frame, rating=None)
        Interactions.from_frame(frame.assign(seen_at=3), rating=None, timestamp=None)
        Interactions.from_frame(frame.assign(date=3, timestamp=4), rating=None)


@pytest.mark.parametrize(
    "name", ["play_time", "watchTime", "Release Date", "signup_date", "birth_date", "total_run_time"]
)
def test_durations_and_dates_of_users_and_items_are_not_the_times_of_ratings(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Interactions.from_frame(pd.DataFrame({"user": ["ann"], "item": ["tea"], name: [3]}), rating=None)


def test_sums_beyond_float32_are_refused_as_sums():
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [1, 1, 2], "rating": [3e38, 3e38, 1.0]})
    with pytest.raises(DataError, match=r"ratings of a repeated pair add up to 6e\+38, more than float32"):
        Interactions.from_frame(frame, duplicates="sum")
