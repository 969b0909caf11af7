"""Metrics of predicted ratings."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aerec.canonical import refuse_masked
from aerec.errors import DataError


def rmse(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Root mean squared error, √ mean (actual − predicted)², over all ratings alike.

    Parameters
    ----------
    actual, predicted : array-like of shape (n_ratings,)

    Returns
    -------
    float

    Raises
    ------
    DataError
        If they are of different length, empty, no numbers, masked, or hold NaN or infinite values.

    Examples
    --------
    >>> from aerec.evaluation import rmse
    >>> rmse([4, 2], [3, 1])
    1.0
    """
    return float(np.sqrt(np.mean(np.square(_errors(actual, predicted)))))


def mae(actual: ArrayLike, predicted: ArrayLike) -> float:
    r"""Mean absolute error, mean \|actual − predicted\|; parameters and errors as in `rmse`.

    Examples
    --------
    >>> from aerec.evaluation import mae
    >>> mae([4, 2], [3, 2])
    0.5
    """
    return float(np.mean(np.abs(_errors(actual, predicted))))


def _errors(actual: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    first, second = _ratings(actual, "actual"), _ratings(predicted, "predicted")
    if first.shape != second.shape or first.size == 0:
        raise DataError(f"{first.shape} actual and {second.shape} predicted ratings: they must pair, at least one")
    errors = first - second
    if not np.isfinite(errors).all():
        wrong = ~np.isfinite(errors)
        raise DataError(f"{np.count_nonzero(wrong):,} of {errors.size:,} ratings are NaN or infinite")
    return errors


def _ratings(values: ArrayLike, name: str) -> NDArray[np.float64]:
    refuse_masked(values)
    array = np.asarray(values)
    if array.dtype.kind not in "biufO":
        raise DataError(f"{name} ratings must be numbers, got {array.dtype}")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} ratings must be numbers: {error}") from None
