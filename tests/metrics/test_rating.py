"""rmse and mae against scikit-learn, and over ratings rather than users."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import mean_absolute_error, mean_squared_error

from aerec.errors import DataError
from aerec.metrics import mae, rmse

numbers = st.floats(-100, 100, width=32)


@given(hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(1, 30)), elements=numbers))
@settings(deadline=None)
def test_they_are_those_of_scikit_learn(pair):
    actual, predicted = pair
    assert rmse(actual, predicted) == pytest.approx(mean_squared_error(actual, predicted) ** 0.5)
    assert mae(actual, predicted) == pytest.approx(mean_absolute_error(actual, predicted))
    assert rmse(actual, predicted) == rmse(predicted, actual)
    assert mae(actual, predicted) <= rmse(actual, predicted) + 1e-9


def test_worked_by_hand():
    assert rmse([5, 3, 1, 4], [4, 3, 4, 2]) == pytest.approx(((1 + 0 + 9 + 4) / 4) ** 0.5)
    assert mae([5, 3, 1, 4], [4, 3, 4, 2]) == (1 + 0 + 3 + 2) / 4
    assert rmse([2.5], [2.5]) == mae([2.5], [2.5]) == 0


def test_small_errors_in_float32_are_not_lost():
    actual = np.full(1000, 4, dtype=np.float32)
    assert rmse(actual, actual + np.float32(2**-10)) == 2**-10


@pytest.mark.parametrize("metric", [rmse, mae])
@pytest.mark.parametrize(
    ("actual", "predicted", "message"),
    [
        ([], [], "at least one"),
        ([1, 2], [1], r"\(2,\) actual and \(1,\) predicted"),
        ([[1, 2]], [1, 2], "they must pair"),
        ([1, 2, 3], [1, np.nan, np.nan], "2 of 3 ratings are NaN"),
        ([np.nan], [1], "1 of 1 ratings are NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(metric, actual, predicted, message):
    with pytest.raises(DataError, match=message):
        metric(actual, predicted)


@pytest.mark.parametrize("metric", [rmse, mae])
@pytest.mark.parametrize(
    ("actual", "predicted", "message"),
    [
        ([1.0, np.inf], [1.0, 2.0], "1 of 2 ratings are NaN or infinite"),
        ([1.0, np.inf], [1.0, np.inf], "1 of 2 ratings are NaN or infinite"),
        (["4", "5"], [4, 5], "actual ratings must be numbers"),
        ([4, 5], [4, 5j], "predicted ratings must be numbers"),
        ([4, None], [4, {}], "predicted ratings must be numbers"),
        (np.ma.masked_array([4.0, 5.0], mask=[True, False]), [4, 5], "masked"),
    ],
)
def test_what_are_no_ratings_is_refused(metric, actual, predicted, message):
    with pytest.raises(DataError, match=message):
        metric(actual, predicted)
