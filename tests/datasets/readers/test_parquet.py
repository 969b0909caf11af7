"""Ratings in Parquet files."""

import sys

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


def test_columns_are_named(write):
    path = write("mine.pq", FRAME.rename(columns={"userId": "who", "rating": "stars"}))
    assert rows(read_ratings(path, user="who", rating="stars", timestamp=None)) == [("a", 9, 2.0), ("b", 7, 4.5)]


def test_dates_become_seconds(write):
    frame = FRAME.assign(timestamp=pd.to_datetime(["1970-01-02", "1970-01-01"]))
    assert read_ratings(write("mine.parquet", frame)).timestamps.tolist() == [0, 86400]


def test_parts_may_be_parquet(write, tmp_path):
    write("train.parquet", FRAME.iloc[:1])
    write("test.parquet", FRAME.iloc[1:])
    assert rows(read_parts(tmp_path)["test"]) == [("a", 9, 2.0, 10)]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.drop(columns="movieId"), "no column 'item', the columns are 'userId', 'rating', 'timestamp', 'x'"),
        (FRAME.iloc[:0], "has columns and no ratings"),
        (FRAME.assign(rating=[1.0, None]), "row 1: rating nan is not a finite number"),
        (FRAME.assign(rating=["good", "1"]), "row 0: rating 'good' is not a number"),
        (FRAME.assign(userId=["a", None]), "row 1: column 'user' has no id"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(write, frame, message):
    path = write("mine.parquet", frame)
    with pytest.raises(DataError, match=rf"mine\.parquet: {message}|mine\.parquet {message}") as caught:
        read_ratings(path)
    assert "\n" not in str(caught.value)


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
