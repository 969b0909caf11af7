"""Bootstrap over users: how far a mean would move with other users of the same kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FEW = 10  # Resampling says too little of fewer users who differ from the rest
_BLOCK = 16  # resamples drawn at once
_Z = 1.959963984540054  # 95 % of a normal distribution lie within this many standard deviations


def bootstrap_sums(values: NDArray[np.float64], n_resamples: int, seed: int) -> NDArray[np.float64]:
    """Sums of `values` over users drawn with replacement, the same users for all columns.

    Parameters
    ----------
    values : ndarray of shape (n_users, n_columns)
    n_resamples : int
    seed : int

    Returns
    -------
    ndarray of shape (n_resamples, n_columns)

    Raises
    ------
    ValueError
        If `n_resamples` is below 1.

    References
    ----------
    Efron, Tibshirani (1993). An Introduction to the Bootstrap.
    """
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples}")
    n_users = len(values)
    rng = np.random.default_rng(seed)
    sums = np.empty((n_resamples, values.shape[1]))
    counts = np.empty((_BLOCK, n_users))
    for start in range(0, n_resamples, _BLOCK):  # small blocks keep the counts in the cache
        size = min(_BLOCK, n_resamples - start)
        drawn = rng.integers(0, n_users, size=(size, n_users))
        for row, users in enumerate(drawn):
            counts[row] = np.bincount(users, minlength=n_users)
        sums[start : start + size] = counts[:size] @ values
    return sums


def percentile_interval(resampled: NDArray[np.float64]) -> tuple[float, float]:
    """Return the bounds that hold the middle 95 % of `resampled`."""
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(low), float(high)


def wilson_interval(mean: float, n_users: int) -> tuple[float, float]:
    r"""Return the 95 % score interval of a mean of values from 0 to 1.

    .. math:: \frac{m + z^2 / 2n \pm z \sqrt{m (1 - m) / n + z^2 / 4 n^2}}{1 + z^2 / n}

    It is made for values of 0 and 1. Others between them vary less, so that it is wider than need be.

    References
    ----------
    Wilson (1927). Probable inference, the law of succession, and statistical inference. JASA 22.

    Examples
    --------
    >>> from aerec.evaluation.bootstrap import wilson_interval
    >>> low, high = wilson_interval(0.0, 30)
    >>> low, round(high, 3)
    (0.0, 0.114)
    """
    spread = _Z**2 / n_users
    middle = mean + spread / 2
    half = _Z * float(np.sqrt((mean * (1 - mean) + spread / 4) / n_users))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def mean_interval(values: NDArray[np.float64], resampled: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of a metric from 0 to 1.

    That of the bootstrap; but Wilson's where fewer than `FEW` users have a value other than 0, or other than 1. With a
    hit rate of 3 % among 30 users the bootstrap's interval covers the truth in 60 % of the cases; without a hit it is
    [0, 0].

    Parameters
    ----------
    values : ndarray of shape (n_users,)
    resampled : ndarray of shape (n_resamples,)
        Means of the bootstrap.
    """
    if min(np.count_nonzero(values), np.count_nonzero(values != 1)) < FEW:
        return wilson_interval(float(values.mean()), len(values))
    return percentile_interval(resampled)


def difference_interval(difference: NDArray[np.float64], resampled: NDArray[np.float64]) -> tuple[float, float]:
    r"""Return the 95 % interval of the mean difference of two models.

    That of the bootstrap; but where fewer than `FEW` users differ, gains :math:`g` and losses :math:`h` (both from 0 to
    1, means over all users, with correlation r ≤ 0) get Wilson's interval each, and the distances to their bounds are
    squared and added, as Newcombe does for paired shares:

    .. math:: g - h - \sqrt{(g - g_l)^2 + (h_u - h)^2 - 2 r (g - g_l)(h_u - h)}

    for the lower bound, and the upper one likewise. Of metrics that leave [0, 1], such as rmse, the largest difference
    is taken for the unit.

    Parameters
    ----------
    difference : ndarray of shape (n_users,)
    resampled : ndarray of shape (n_resamples,)
        Means of the bootstrap.

    References
    ----------
    Newcombe (1998). Improved confidence intervals for the difference between binomial proportions based on paired
    data. Statistics in Medicine 17.
    """
    if np.count_nonzero(difference) >= FEW:
        return percentile_interval(resampled)
    unit = max(1.0, float(np.abs(difference).max()))
    gains, losses = np.maximum(difference, 0) / unit, np.maximum(-difference, 0) / unit
    gain, loss, n_users = float(gains.mean()), float(losses.mean()), len(difference)
    r = float(np.corrcoef(gains, losses)[0, 1]) if np.ptp(gains) > 0 and np.ptp(losses) > 0 else 0.0

    def reach(margin: float, other: float) -> float:
        return float(np.sqrt(margin**2 + other**2 - 2 * r * margin * other))

    (gain_low, gain_high), (loss_low, loss_high) = wilson_interval(gain, n_users), wilson_interval(loss, n_users)
    low = gain - loss - reach(gain - gain_low, loss_high - loss)
    high = gain - loss + reach(gain_high - gain, loss - loss_low)
    return unit * low, unit * high


class Ratios:
    """Metrics as they come in: each is f(Σ over users of a / Σ over users of b), which can be resampled."""

    def __init__(self, n_users: int) -> None:
        self._ones = np.ones(n_users)
        self._above: dict[str, NDArray[np.float64]] = {}
        self._below: dict[str, NDArray[np.float64]] = {}
        self._roots: set[str] = set()
        self._constants: dict[str, float] = {}

    def add(self, name: str, values: NDArray[np.float64]) -> None:
        """A mean over users of values from 0 to 1."""
        self.add_ratio(name, values, self._ones, root=False)

    def add_ratio(self, name: str, above: NDArray[np.float64], below: NDArray[np.float64], *, root: bool) -> None:
        """A mean over ratings, of which users have different numbers; or its square root."""
        self._above[name], self._below[name] = above, below
        if root:
            self._roots.add(name)

    def add_constant(self, name: str, value: float) -> None:
        """A number of all users together."""
        self._constants[name] = value

    def summary(
        self, names: Sequence[str], n_resamples: int, seed: int
    ) -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, NDArray[np.float64]]]:
        """Return mean, interval and per-user values of each metric, in the order of `names`."""
        mean, interval, per_user = {}, {}, {}
        resampled = [metric for metric in names if metric in self._above]
        stacked = [values for metric in resampled for values in (self._above[metric], self._below[metric])]
        sums = bootstrap_sums(np.stack(stacked, axis=1), n_resamples, seed) if stacked else None
        for name in names:
            if name in self._constants:
                mean[name], interval[name] = self._constants[name], (float("nan"), float("nan"))
                continue
            above, below = self._above[name], self._below[name]
            settle = np.sqrt if name in self._roots else np.asarray
            mean[name] = float(settle(above.sum() / below.sum()))
            per_user[name] = settle(above / below)
            assert sums is not None
            at = 2 * resampled.index(name)
            resampled_values = settle(sums[:, at] / sums[:, at + 1])
            is_mean = below is self._ones
            interval[name] = (
                mean_interval(above, resampled_values) if is_mean else percentile_interval(resampled_values)
            )
        return mean, interval, per_user
