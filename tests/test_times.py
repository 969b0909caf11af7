"""times: what is read from a column of dates comes back as it went in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.errors import DataError


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
