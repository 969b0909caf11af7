"""tables: what pandas, polars and Arrow hand over, what they are asked for, and the way back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.errors import DataError, MissingExtraError
from aerec.tables import as_frame_of, read_columns

pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")


def test_a_lazy_frame_is_asked_for_no_more_columns_than_wanted():
    lazy = pl.LazyFrame({"user": [1], "item": [2], "dear": [3]}).with_columns(
        pl.col("dear").map_batches(lambda _: pytest.fail("computed"), return_dtype=pl.Int64)
    )
    assert Interactions.from_frame(lazy, rating=None).shape == (1, 1)
    with pytest.raises(DataError, match="'user', 'item', 'dear'"):
        Interactions.from_frame(lazy, rating="stars")


def test_any_stream_of_arrow_will_do():
    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.table({"user": [1, 2], "item": [1, 1]}).__arrow_c_stream__(requested_schema)

    assert Interactions.from_frame(Stream(), rating=None).shape == (2, 1)
    assert Interactions.from_frame(pa.record_batch({"user": [1], "item": [1]}), rating=None).shape == (1, 1)


@pytest.mark.parametrize("given", [[(1, 2)], {"user": [1]}, np.eye(2), pd.Series([1, 2]), None])
def test_what_is_no_frame_is_refused(given):
    with pytest.raises(TypeError, match="expected a frame of pandas or polars or an Arrow table, got"):
        Interactions.from_frame(given)


def test_frames_without_pyarrow_name_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"reading a polars frame needs .* pip install 'aerec\[scale\]'"):
        read_columns(pl.DataFrame({"user": [1]}))


def test_a_column_that_stands_twice_is_refused():
    table = pa.Table.from_arrays([pa.array([1])] * 3, names=["user", "item", "item"])
    for frame in (pd.DataFrame([[1, 2, 3]], columns=["user", "item", "item"]), table):
        with pytest.raises(DataError, match="'item' stands twice"):
            Interactions.from_frame(frame, rating=None)


def test_frames_come_back_in_the_form_that_is_asked_for():
    pyarrow, polars = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    times = pd.to_datetime(["2026-01-05 10:00", "2026-01-06 11:30"]).tz_localize("Europe/Vienna")
    frame = pd.DataFrame({"user": ["00Ä", "b"], "item": [7, 9], "rating": [1.5, 2.0], "timestamp": times})
    data = Interactions.from_frame(frame)
    table, lazy = data.to_frame("arrow"), data.to_frame("polars")
    assert isinstance(table, pyarrow.Table)
    assert isinstance(lazy, polars.DataFrame)
    for other in (table, lazy, lazy.lazy()):
        again = Interactions.from_frame(other)
        pd.testing.assert_frame_equal(again.to_frame(), data.to_frame())
        assert again.timestamp_dtype.endswith("Europe/Vienna]")
    assert lazy.columns == ["user", "item", "rating", "timestamp"]
    assert as_frame_of(frame, "pandas") is frame
    with pytest.raises(ValueError, match="as_frame is one of 'pandas', 'polars', 'arrow', got 'numpy'"):
        data.to_frame("numpy")


def test_objects_in_polars_are_not_read_as_their_addresses():
    class Key:
        pass

    frame = pl.DataFrame({"user": pl.Series([Key(), Key()], dtype=pl.Object), "item": [1, 2]})
    with pytest.raises(DataError, match="'user' holds objects of Python, expected numbers or text"):
        Interactions.from_frame(frame, rating=None)


def test_a_column_that_arrow_does_not_know_is_refused_where_it_is_wanted_only():
    wide = pl.Series([2**100, 1], dtype=pl.Int128)
    with pytest.raises(DataError, match="cannot be read by way of Arrow"):
        Interactions.from_frame(pl.DataFrame({"user": wide, "item": [1, 2]}), rating=None)
    assert Interactions.from_frame(pl.DataFrame({"user": [1, 2], "item": [1, 2], "x": wide}), rating=None).n_users == 2


def test_a_query_of_polars_that_fails_is_one_line_that_names_its_source(tmp_path):
    text = pl.LazyFrame({"user": ["ann"], "item": [1]}).with_columns(pl.col("user").cast(pl.Int64))
    with pytest.raises(DataError, match=r"^the query of the lazy frame fails: conversion from `str` to `i64` failed"):
        read_columns(text)
    with pytest.raises(DataError, match=r"fails: unable to find column \"nope\""):
        read_columns(text.select("nope"))
    (tmp_path / "broken.parquet").write_bytes(b"no Parquet")
    with pytest.raises(DataError, match=r"the query of the lazy frame fails: .*arquet"):
        read_columns(pl.scan_parquet(tmp_path / "broken.parquet"))
    (tmp_path / "mine.csv").write_text("user,item\n1,2\nann,3\n")
    with pytest.raises(DataError, match=r"the query of the lazy frame over .*mine\.csv fails: ") as caught:
        read_columns(pl.scan_csv(tmp_path / "mine.csv", schema={"user": pl.Int64, "item": pl.Int64}))
    assert "\n" not in str(caught.value)
