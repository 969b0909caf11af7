"""Importing gives what the way through memory gives, whatever the blocks; and refuses what it cannot use."""

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.datasets import import_parquet, import_ratings, load_dataset, load_parts, read_ratings
from aerec.datasets.store import filtering, importing
from aerec.datasets.store.duckdb_query import RatingsQuery
from aerec.errors import DataError

pytest.importorskip("duckdb")

SMALL = {"importing": 7, "core": 5}  # ratings at once: every kind of border falls inside of the data


@pytest.fixture(params=["one block", "many blocks"])
def blocks(request, monkeypatch):
    if request.param == "many blocks":
        monkeypatch.setattr(importing, "_BATCH", SMALL["importing"])
        monkeypatch.setattr(filtering, "_BLOCK", SMALL["core"])


def table(n=1500, *, text=False, times=True, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "user": rng.zipf(1.5, n) % 60,
            "item": rng.zipf(1.5, n) % 40,
            "rating": rng.integers(0, 6, n).astype(float),
            "timestamp": rng.integers(0, 20, n),
        }
    )
    if text:
        frame["user"] = "u" + frame["user"].astype(str)
    return frame if times else frame.drop(columns="timestamp")


def write(frame, folder):
    """As Spark writes it, with all that is to be passed over."""
    for year, part in (("2023", frame[: len(frame) // 3]), ("2024", frame[len(frame) // 3 :])):
        (folder / f"year={year}" / "_temporary").mkdir(parents=True)
        part.to_parquet(folder / f"year={year}" / "part-00000.snappy.parquet", index=False)
        (folder / f"year={year}" / "_temporary" / "part-00001.parquet").write_text("half written")
        (folder / f"year={year}" / ".part-00000.snappy.parquet.crc").write_text("checksum")
    for name in ("_SUCCESS", "_metadata", "_common_metadata", ".hidden.parquet"):
        (folder / name).write_text("")
    return folder


def through_memory(frame):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Interactions.from_frame(frame)


def assert_same(found, expected):
    assert found.users.equals(expected.users)
    assert found.items.equals(expected.items)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found.matrix, name), getattr(expected.matrix, name), err_msg=name)
    if expected.timestamps is None:
        assert found.timestamps is None
    else:
        np.testing.assert_array_equal(found.timestamps, expected.timestamps)


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("times", [False, True])
def test_import_is_from_frame_binarize_and_filter(tmp_path, blocks, text, times):
    frame = table(text=text, times=times)
    expected = through_memory(frame).binarize(3.0).filter(min_per_user=3, min_per_item=4)
    assert 0 < expected.shape[0] < frame["user"].nunique()  # the filter has something to do
    found = import_parquet(
        write(frame, tmp_path / "in"), tmp_path / "out", threshold=3.0, min_per_user=3, min_per_item=4
    )
    assert_same(found, expected)


def test_a_first_block_without_a_user_makes_none(tmp_path, monkeypatch):
    """As where the first batch of DuckDB has one row, which waits for what comes behind it."""
    whole = RatingsQuery.blocks

    def late(self, size):
        for number, block in enumerate(whole(self, size)):
            if number == 0:
                fields = {field.name: getattr(block, field.name)[:0] for field in dataclasses.fields(block)}
                yield dataclasses.replace(block, **fields)
            yield block

    monkeypatch.setattr(RatingsQuery, "blocks", late)
    frame = table()
    assert_same(import_parquet(write(frame, tmp_path / "in"), tmp_path / "out"), through_memory(frame).filter(1, 1))


def test_ratings_stay_as_they_are_without_a_threshold(tmp_path, blocks):
    frame = table()
    found = import_parquet(write(frame, tmp_path / "in"), tmp_path / "out")
    assert_same(found, through_memory(frame).filter(1, 1))


def test_of_a_repeated_pair_the_last_counts_by_time_or_else_by_row(tmp_path):
    frame = pd.DataFrame({"user": [1, 1, 1], "item": [5, 5, 5], "rating": [2.0, 3.0, 4.0], "timestamp": [9, 30, 20]})
    frame.to_parquet(tmp_path / "a.parquet")
    path = tmp_path / "a.parquet"
    said = "^2 ratings replaced by a later one of the same user and item"
    with pytest.warns(UserWarning, match=f'{said}; duplicates="first" keeps the first'):
        assert import_parquet(path, tmp_path / "timed").matrix.data.tolist() == [3.0]
    with pytest.warns(UserWarning, match=f"{said}$"):
        assert import_parquet(path, tmp_path / "untimed", timestamp=None).matrix.data.tolist() == [4.0]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_of_a_repeated_pair_the_first_may_count(tmp_path, kind):
    rows = [(1, 5, 2.0, 30), (1, 5, 3.0, 9), (1, 5, 4.0, 20), (2, 5, 1.0, 7), (2, 6, 2.0, 7), (2, 6, 3.0, 7)]
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    path = tmp_path / f"a.{kind}"
    frame.to_parquet(path) if kind == "parquet" else frame.to_csv(path, index=False)
    found = import_ratings(path, tmp_path / "out", duplicates="first")
    assert_same(found, Interactions.from_frame(frame, duplicates="first"))
    assert found.matrix.data.tolist() == [3.0, 1.0, 2.0]
    for wrong in ("sum", "any"):
        with pytest.raises(ValueError, match="duplicates"):
            import_ratings(path, tmp_path / "other", duplicates=wrong)


def test_a_threshold_applies_to_the_rating_that_counts(tmp_path):
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [5, 5, 5], "rating": [5.0, 1.0, 5.0], "timestamp": [1, 2, 1]})
    frame.to_parquet(tmp_path / "a.parquet")
    assert import_parquet(tmp_path / "a.parquet", tmp_path / "out", threshold=4.0).users.tolist() == [2]


def test_other_names_dates_and_no_ratings(tmp_path):
    frame = pd.DataFrame({"who": ["b", "a"], "what": [7, 7], "when": pd.to_datetime(["2024-01-02", "1970-01-02"])})
    frame.to_parquet(tmp_path / "a.parquet")
    found = import_parquet(tmp_path / "a.parquet", tmp_path / "out", user="who", item="what", timestamp="when")
    assert found.users.tolist() == ["a", "b"]
    assert found.timestamps.tolist() == [86_400, 1_704_153_600]
    assert found.is_implicit


@pytest.mark.parametrize("as_text", [False, True])
def test_fractions_of_a_second_decide_what_came_last(tmp_path, as_text):
    times = pd.Series(pd.to_datetime(["2024-01-01T00:00:00.75", "2024-01-01T00:00:00.25", "1969-12-31T23:59:58.5"]))
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [1, 1, 1], "rating": [5.0, 1.0, 3.0]})
    frame["timestamp"] = times.astype(str) if as_text else times
    frame.to_parquet(tmp_path / "a.parquet")
    found = import_parquet(tmp_path / "a.parquet", tmp_path / "out")
    assert found.matrix.data.tolist() == [5, 3]
    assert found.timestamps.tolist() == [1704067200.75, -1.5]


def test_everything_that_takes_a_path_takes_a_store(tmp_path):
    store = tmp_path / "store"
    made = import_parquet(write(table(), tmp_path / "in"), store)
    for opened in (read_ratings(store), load_dataset(store), load_dataset(str(store)), load_parts(store)["all"]):
        assert_same(opened, made)


def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path):
    path = write(table(), tmp_path / "in")
    import_parquet(path, tmp_path / "out")
    with pytest.raises(DataError, match="holds a store already"):
        import_parquet(path, tmp_path / "out")
    assert import_parquet(path, tmp_path / "out", threshold=5.0, overwrite=True).is_implicit
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="no store"):
        import_parquet(path, tmp_path / "other", overwrite=True)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_ids_with_a_point_are_whole_numbers(tmp_path, kind):
    frame = table()
    whole = import_parquet(write(frame, tmp_path / "whole"), tmp_path / "expected")
    pointed = frame.astype({"user": kind, "item": kind})
    with pytest.warns(UserWarning, match=r"column 'user': the ids are whole numbers with a decimal point"):
        found = import_parquet(write(pointed, tmp_path / "in"), tmp_path / "out")
    assert found.users.dtype == found.items.dtype == "int64"
    assert_same(found, whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": [1.0, 2.0**53]}, "ids must be whole numbers or text, column 'item' is DOUBLE"),
        ({"rating": [1.0, np.nan]}, "1 of 2 rows have no finite rating"),
        ({"rating": [1.0, np.inf]}, "1 of 2 rows have no finite rating"),
        ({"rating": ["good", "bad"]}, "2 of 2 rows have no finite rating"),
        ({"rating": ["1", "1_0"]}, "1 of 2 rows have no finite rating"),
        ({"rating": [1.0, 1e-46]}, "1 of 2 rows have no finite rating"),
        ({"timestamp": [1.0, np.inf]}, "1 of 2 rows have no finite timestamp"),
        ({"user": [None, "a"]}, "1 of 2 rows have no user"),
        ({"item": ["", "a"]}, "1 of 2 rows have no item"),
        ({"rating": [1.0, 2.0**24 + 2]}, r"1 of 2 rows have a rating beyond 2\^24"),
        ({"timestamp": [1_600_000_000, 1_600_000_000_000]}, "1 of 2 times are milliseconds, the others seconds"),
        ({"item": [0.5, 1.5]}, "ids must be whole numbers or text, column 'item' is DOUBLE"),
        ({"timestamp": [True, False]}, "neither numbers nor dates"),
        ({"user": None}, "no column 'user'"),
        ({"rating": [0.0, 0.0]}, "no rating of .* is left"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing_behind(tmp_path, change, message):
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [1.0, 2.0]}).assign(
        **{name: values for name, values in change.items() if values is not None}
    )
    frame.drop(columns=[name for name, values in change.items() if values is None]).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message) as caught:
        import_parquet(tmp_path / "a.parquet", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize(
    "times",
    [
        [1_600_000_000_000, 1_600_000_001_000],
        [1_600_000_000_000, 1_600_000_000_001],
        [1.6e15, 1.6e15 + 1],
        [1_600_000_000_000_000_000, 1_600_000_001_000_000_000],
        [1_600_000_000, 1_600_000_001],
        [1, 2],
    ],
)
def test_times_are_in_seconds_as_where_files_are_read(tmp_path, times):
    pd.DataFrame({"user": [1, 2], "item": [1, 2], "timestamp": times}).to_parquet(tmp_path / "a.parquet")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        read = read_ratings(tmp_path / "a.parquet", rating=None)
        found = import_parquet(tmp_path / "a.parquet", tmp_path / "out")
    assert found.timestamps.tolist() == read.timestamps.tolist()
    assert found.timestamps.dtype == read.timestamps.dtype
    assert sum("were divided by" in str(each.message) for each in said) == (2 if times[0] > 2e9 else 0)


def test_ratings_as_text_are_numbers_as_files_write_them(tmp_path):
    pd.DataFrame({"user": [1, 2], "item": [1, 2], "rating": ["1.5", " 2"]}).to_parquet(tmp_path / "a.parquet")
    assert import_parquet(tmp_path / "a.parquet", tmp_path / "out").matrix.data.tolist() == [1.5, 2.0]


def test_two_columns_of_one_name_are_refused(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.core.pa.table([[1, 2], [1, 2], [3, 4]], names=["user", "item", "user"])
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="the column 'user' stands twice"):
        import_parquet(tmp_path / "a.parquet", tmp_path / "out")


@pytest.mark.parametrize("kind", ["int64", "int32", "float64"])
def test_dates_written_as_numbers_are_dates(tmp_path, kind):
    times = [20200131, 19700102]
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "timestamp": np.array(times, kind)})
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.warns(UserWarning, match="holds dates written as numbers: 20200131 is read as 2020-01-31"):
        data = import_parquet(tmp_path / "a.parquet", tmp_path / "out", rating=None)
    assert data.timestamps.tolist() == [1580428800, 86400]


def test_an_odd_time_among_milliseconds_is_refused(tmp_path):
    times = [1_600_000_000_000, 1_600_000_000_005, 0]
    pd.DataFrame({"user": [1, 2, 3], "item": 1, "timestamp": times}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="1 of 3 times can be no milliseconds since 1970, as most are"):
        import_parquet(tmp_path / "a.parquet", tmp_path / "out", rating=None)


def test_years_are_kept_with_a_word(tmp_path):
    pd.DataFrame({"user": [1, 2], "item": [1, 2], "timestamp": [1999, 2020]}).to_parquet(tmp_path / "a.parquet")
    with pytest.warns(UserWarning, match="numbers from 1999 to 2020, which look like years"):
        assert import_parquet(tmp_path / "a.parquet", tmp_path / "out", rating=None).timestamps.tolist() == [1999, 2020]


def test_damaged_absent_and_empty_input(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="no Parquet files"):
        import_parquet(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in" / "a.parquet").write_text("PAR1 not really")
    with pytest.raises(DataError, match="cannot be imported"):
        import_parquet(tmp_path / "in", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        import_parquet(tmp_path / "nowhere", tmp_path / "out")
    table()[:0].to_parquet(tmp_path / "in" / "a.parquet")
    with pytest.raises(DataError, match="no ratings"):
        import_parquet(tmp_path / "in", tmp_path / "out")
