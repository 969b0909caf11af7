"""Metrics of predicted ratings."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aerec.errors import DataError

__all__ = ["mae", "rmse"]


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
        If they are of different length, empty, or hold NaN.

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
    first, second = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if first.shape != second.shape or first.size == 0:
        raise DataError(f"{first.shape} actual and {second.shape} predicted ratings: they must pair, at least one")
    errors = first - second
    if np.isnan(errors).any():
        raise DataError(f"{np.count_nonzero(np.isnan(errors)):,} of {errors.size:,} ratings are NaN")
    return errors
