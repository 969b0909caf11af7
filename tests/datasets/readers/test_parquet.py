"""Ratings in Parquet files."""

import contextlib
import sys
import uuid

import pandas as pd
import pytest

from aerec.datasets import read_parts, read_ratings
from aerec.errors import DataError, MissingExtraError

FRAME = pd.DataFrame(
    {"userId": ["b", "a"], "movieId": [7, 9], "rating": [4.5, 2.0], "timestamp": [20, 10], "x": [0, 0]}
)


@pytest.fixture
def write(tmp_path):
    pytest.importorskip("pyarrow", reason="reading Parquet needs the extra aerec[scale]")

    def to(name, frame):
        frame.to_parquet(tmp_path / name)
        return tmp_path / name

    return to


def rows(data):
    return list(data.to_frame().itertuples(index=False, name=None))


def test_the_usual_names_are_known(write):
    assert rows(read_ratings(write("mine.parquet", FRAME))) == [("a", 9, 2.0, 10), ("b", 7, 4.5, 20)]


def test_what_was_the_index_of_a_frame_is_a_column_of_its_file(write):
    frame = pd.DataFrame({"user": ["b", "a"], "item": [1, 2], "rating": [4.0, 5.0]})
    assert list(read_ratings(write("own.parquet", frame.set_index("user"))).users) == ["a", "b"]


def test_columns_are_named(write):
    path = write("mine.pq", FRAME.rename(columns={"userId": "who", "rating": "stars"}))
    assert rows(read_ratings(path, user="who", rating="stars", timestamp=None)) == [("a", 9, 2.0), ("b", 7, 4.5)]


def test_dates_become_seconds(write):
    frame = FRAME.assign(timestamp=pd.to_datetime(["1970-01-02", "1970-01-01"]))
    assert read_ratings(write("mine.parquet", frame)).timestamps.tolist() == [0, 86400]


@pytest.mark.parametrize(
    ("times", "seconds"),
    [(["20200131", "19700102"], [86400, 1580428800]), (["1600000000000", "1600000001000"], [1600000001, 1600000000])],
)
def test_times_that_are_text_are_read_as_numbers_are(write, times, seconds):
    with pytest.warns(UserWarning, match="dates written as numbers|divided by 1,000"):
        assert read_ratings(write("mine.parquet", FRAME.assign(timestamp=times))).timestamps.tolist() == seconds


def test_parts_may_be_parquet(write, tmp_path):
    write("train.parquet", FRAME.iloc[:1])
    write("test.parquet", FRAME.iloc[1:])
    assert rows(read_parts(tmp_path)["test"]) == [("a", 9, 2.0, 10)]


def test_a_column_of_weights_is_read_and_parts_are_joined_with_theirs(write, tmp_path):
    frame = FRAME.assign(x=[0.5, 3.0])
    write("train.parquet", frame.iloc[:1])
    write("test.parquet", frame.iloc[1:])
    assert rows(read_ratings(tmp_path, weight="x")) == [("a", 9, 2.0, 10, 3.0), ("b", 7, 4.5, 20, 0.5)]
    with pytest.raises(DataError, match="weight 0 is not above 0"):
        read_ratings(write("mine.parquet", FRAME), weight="x")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.drop(columns="movieId"), "no column 'item', the columns are 'userId', 'rating', 'timestamp', 'x'"),
        (FRAME.iloc[:0], "has columns and no ratings"),
        (FRAME.iloc[:0].astype(object), "has columns and no ratings"),  # all of them null
        (FRAME.assign(userId=[None, None]), "row 0, column 'userId': the id is missing"),
        (FRAME.assign(movieId=[None, None]), "row 0, column 'movieId': the id is missing"),
        (FRAME.assign(rating=[None, None]), "row 0: rating nan is not a finite number"),
        (FRAME.assign(timestamp=[None, None]), "row 0: the timestamp is missing"),
        (FRAME.assign(rating=[1.0, None]), "row 1: rating nan is not a finite number"),
        (FRAME.assign(rating=["good", "1"]), "row 0: rating 'good' is not a number"),
        (FRAME.assign(userId=["a", None]), "row 1, column 'userId': the id is missing"),
        (FRAME.assign(userId=["a", ""]), "row 1, column 'userId': the id is missing"),
        (FRAME.assign(movieId=[1.0, float("inf")]), "row 1, column 'movieId': inf is no id"),
        (
            FRAME.assign(movieId=[1.0, 2.0**53]),
            "row 1, column 'movieId': the id 9007199254740992.0 is a float that stand",
        ),
        (FRAME.assign(timestamp=[1.0, float("inf")]), "row 1, column 'timestamp': the timestamp inf is not a finite"),
        (
            FRAME.assign(userId=pd.to_datetime(["2020-01-01"] * 2)),
            "the column 'userId' holds timestamp.* ids",
        ),
        (FRAME.assign(userId=[b"a", b"b"]), "the column 'userId' holds binary, expected ids"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(write, frame, message):
    path = write("mine.parquet", frame)
    with pytest.raises(DataError, match=rf"mine\.parquet: {message}|mine\.parquet {message}") as caught:
        read_ratings(path)
    assert "\n" not in str(caught.value)


WHOLE = ["int8", "uint8", "int32", "int64", "uint64", "float32", "float64"]


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_numbers_of_every_type_are_the_same_ids(write, kind):
    path = write("mine.parquet", FRAME.assign(userId=[3, 2]).astype({"userId": kind}))
    with pytest.warns(UserWarning, match="decimal point") if kind.startswith("float") else contextlib.nullcontext():
        data = read_ratings(path)
    assert data.users.dtype == "int64"
    assert rows(data) == [(2, 9, 2.0, 10), (3, 7, 4.5, 20)]


def test_numbers_beyond_64_bits_of_one_sign_and_decimals_and_uuids_are_ids(write):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = write("mine.parquet", FRAME)

    def users(values):
        table = pyarrow.table({"user": values, "item": [1, 2]})
        parquet.write_table(table, path)
        return read_ratings(path, rating=None).users

    assert users(pyarrow.array([2**63 + 3, 2**63 + 1], pyarrow.uint64())).tolist() == [2**63 + 1, 2**63 + 3]
    assert users(pyarrow.array([7, 5]).cast(pyarrow.decimal128(38, 0))).tolist() == [5, 7]
    assert users(pyarrow.array([1.5, 2.0])).tolist() == [1.5, 2.0]
    assert users(pyarrow.array(["b", "a"]).dictionary_encode()).tolist() == ["a", "b"]
    if hasattr(pyarrow, "uuid"):
        ids = [uuid.UUID(int=2), uuid.UUID(int=1)]
        assert users(pyarrow.array([one.bytes for one in ids], pyarrow.uuid())).tolist() == sorted(map(str, ids))


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_every_encoding_of_text_is_read(write, encoding, version):
    frame = pd.DataFrame({"user": [f"user {at % 70}" for at in range(3000)], "item": [f"{at}é" for at in range(3000)]})
    path = write("plain.parquet", frame)
    expected = rows(read_ratings(path, rating=None))
    chosen = {"column_encoding": dict.fromkeys(frame, encoding), "use_dictionary": False}
    frame.to_parquet(path, data_page_version=version, **chosen)
    assert rows(read_ratings(path, rating=None)) == expected


def test_dictionaries_with_a_repeated_entry_and_several_row_groups_are_read(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="reading Parquet needs the extra aerec[scale]")
    parquet = pytest.importorskip("pyarrow.parquet")
    users = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0, 1, 2, 1]), pyarrow.array(["b", "a", "b"]))
    items = pyarrow.array(["x", "y", "z", "x"]).dictionary_encode()
    path = tmp_path / "coded.parquet"
    parquet.write_table(pyarrow.table({"user": users, "item": items}), path, row_group_size=2)
    assert rows(read_ratings(path, rating=None)) == [("a", "x", 1.0), ("a", "y", 1.0), ("b", "x", 1.0), ("b", "z", 1.0)]


def test_what_duckdb_writes_is_read_in_both_versions(tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="needs the extra aerec[scale]")
    for version in ("V1", "V2"):
        path = tmp_path / f"{version}.parquet"
        query = "SELECT 'u' || (i % 90) AS user, 'number ' || i AS item FROM range(3000) AS t(i)"
        try:
            duckdb.sql(f"COPY ({query}) TO '{path}' (FORMAT parquet, PARQUET_VERSION {version})")
        except duckdb.Error:
            pytest.skip("this DuckDB knows no PARQUET_VERSION")
        assert read_ratings(path, rating=None).shape == (90, 3000)


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "dictionary"])
def test_a_bomb_is_refused_in_every_encoding_before_it_takes_memory(write, encoding):
    frame = pd.DataFrame({"user": ["x" * 1_000_000] * 300, "item": range(300)})
    chosen = {} if encoding == "dictionary" else {"column_encoding": {"user": encoding}, "use_dictionary": False}
    path = write("bomb.parquet", FRAME)
    frame.to_parquet(path, compression="zstd", **chosen)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="refused as a decompression bomb"):
        read_ratings(path, rating=None)


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    pytest.importorskip("pyarrow", reason="reading Parquet needs the extra aerec[scale]")
    path = tmp_path / "mine.parquet"
    path.write_text("user,item,rating\n1,2,3\n")
    with pytest.raises(DataError, match=r"mine\.parquet is not a Parquet file, or it is damaged"):
        read_ratings(path)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "mine.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match=r"mine\.parquet: .*pip install 'aerec\[scale\]'"):
        read_ratings(path)


def test_a_column_of_truth_values_is_named_where_there_is_no_rating(write):
    path = write("likes.parquet", pd.DataFrame({"user": [1, 1], "item": [2, 3], "liked": [True, False]}))
    with pytest.warns(UserWarning, match="the column 'liked' says yes and no"):
        read_ratings(path)
