"""times: what is read from a column of dates comes back as it went in."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.errors import DataError
from aerec.times import joined_times


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_datetimes_come_back_as_they_went_in(unit, zone):
    moments = pd.Series(pd.DatetimeIndex(["2024-07-01T12:00:07", "1931-01-01T00:00:00"]).as_unit(unit)).dt.tz_localize(
        zone
    )
    if unit in ("us", "ns"):
        moments += pd.Timedelta(123_457, unit="us")
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 1], "rating": np.float32([1, 2]), "timestamp": moments})
    back = Interactions.from_frame(frame).to_frame()
    pd.testing.assert_frame_equal(back, frame)
    assert Interactions.from_frame(back).timestamps.tolist() == Interactions.from_frame(frame).timestamps.tolist()


def test_dates_in_text_come_back_as_utc_datetimes_and_numbers_as_numbers():
    frame = pd.DataFrame({"user": [1], "item": [1], "rating": [1.0], "timestamp": ["2024-01-02T01:00+01:00"]})
    assert Interactions.from_frame(frame).to_frame()["timestamp"].tolist() == [pd.Timestamp("2024-01-02", tz="UTC")]
    assert Interactions.from_frame(frame.assign(timestamp=7)).to_frame()["timestamp"].tolist() == [7]


def test_durations_are_no_times():
    frame = pd.DataFrame({"user": [1], "item": [1], "timestamp": pd.to_timedelta(["1h"])})
    with pytest.raises(DataError, match="'timestamp' holds durations"):
        Interactions.from_frame(frame, rating=None)


def frame_of(times):
    return pd.DataFrame({"user": range(len(times)), "item": 1, "timestamp": times})


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ([20200131, 20191231], [1580428800, 1577750400]),
        ([20200131.0, 19700102.0], [1580428800, 86400]),
        (["20200131", "19700102"], [1580428800, 86400]),
        ([202001311200], [1580472000]),
        ([20200131120005, 19700101000007], [1580472005, 7]),
    ],
)
def test_dates_written_as_numbers_are_dates(given, seconds):
    with pytest.warns(UserWarning, match=r"holds dates written as numbers: 2020\d+ is read as 2020-01-31"):
        data = Interactions.from_frame(frame_of(given), rating=None)
    assert data.timestamps.tolist() == seconds
    assert data.to_frame()["timestamp"].tolist() == [pd.Timestamp(second, unit="s", tz="UTC") for second in seconds]


@pytest.mark.parametrize(
    "times",
    [[20200131, 20200132], [20201301], [20200131, 7], [20200131.5], [1600000000], [1, 2, 3], [1899, 7]],
)
def test_other_numbers_are_seconds_and_stay(times):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = Interactions.from_frame(frame_of(times), rating=None)
    assert data.timestamps.tolist() == times
    assert data.timestamp_dtype is None


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1999, 2020], "numbers from 1999 to 2020, which look like years"),
        ([43861.5, 44000], r"numbers from 43861.5 to 44000, which look like days .*origin=.1899-12-30"),
        ([1_600_000_000_000], "look like milliseconds since 1970; .*divide by 1,000, or give dates"),
        ([1_600_000_000_000_000], "look like microseconds since 1970"),
        ([1_600_000_000_000_000_000], "look like nanoseconds since 1970"),
    ],
)
def test_numbers_that_are_hardly_seconds_are_kept_with_a_word(times, message):
    with pytest.warns(UserWarning, match=message):
        data = Interactions.from_frame(frame_of(times), rating=None)
    assert data.timestamps.tolist() == times


def test_times_of_several_parts_are_joined_where_all_have_them():
    first, second = np.array([1, 2]), np.array([3.5])
    times, dtype = joined_times([first, second], {"datetime64[s]"})
    assert (times.tolist(), dtype) == ([1, 2, 3.5], "datetime64[s]")
    assert joined_times([first], {None})[1] is None
    assert joined_times([None, None], {None}) == (None, None)
    with pytest.warns(UserWarning, match="1 of 2 parts have none"):
        assert joined_times([first, None], {None}) == (None, None)
    with pytest.warns(UserWarning, match="read as seconds since 1970"):
        assert joined_times([first, second], {None, "datetime64[s]"})[1] == "datetime64[us, UTC]"
