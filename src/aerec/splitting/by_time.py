"""Splits by time: each user's last rating, one cut for all users, or a window that moves on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aerec.errors import DataError, warn_caller
from aerec.holdout import Holdout, Split, as_interactions
from aerec.interactions import Interactions
from aerec.parameters import RealNumber, check_fraction, check_whole
from aerec.sparse import row_ids

_OTHER_WINDOWS = "choose fewer windows, or windows of another length"
_SHOWN = 10  # shares that a message lists


@dataclass(frozen=True)
class LeaveLastOut:
    """Hold out the last rating of each user for test, and the one before for validation.

    Among ratings of the same time the order is drawn at random; a warning says how many users that concerns. Users with
    one rating (two, with validation) stay in the training data whole. The test history is all that came before,
    validation included. Of several events of a user and item, one was kept when the data was read: with
    ``duplicates="first"`` an item is held out where it was new, by default where it was met last.

    Parameters
    ----------
    validation : bool, default True
    seed : int or None, default 0
        Of the order among ratings of the same time. None: the item in the higher column counts as later, as in version
        0.1. Columns are in the order of ids, which says something of an item: in MovieLens later ids are less popular.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import LeaveLastOut
    >>> split = LeaveLastOut().split(load_dataset("sample"))
    >>> int(split.test.target.matrix.sum(axis=1).astype(bool).sum()) == split.test.target.n_ratings
    True
    """

    validation: bool = True
    seed: int | None = 0

    def __post_init__(self) -> None:
        if self.seed is not None:
            check_whole("seed", self.seed, 0)

    def split(self, interactions: Interactions | Any) -> Split:
        """Split `interactions`, or a matrix of shape (n_users, n_items).

        Raises
        ------
        DataError
            If the ratings have no timestamps.
        """
        interactions = as_interactions(interactions)
        times = _timestamps(interactions, type(self).__name__)
        matrix, n = interactions.matrix, interactions.n_ratings
        draws = np.arange(n) if self.seed is None else np.random.default_rng(self.seed).random(n)
        order = np.lexsort((draws, times, row_ids(matrix)))
        n_held_out = 2 if self.validation else 1
        users = np.flatnonzero(np.diff(matrix.indptr) > n_held_out)
        last = order[matrix.indptr[users + 1][:, None] - 1 - np.arange(n_held_out + 1)]  # latest first
        self._tell_of_ties(times[last])
        test, validation = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        test[last[:, 0]] = True
        if self.validation:
            validation[last[:, 1]] = True
        return _chronological_split(interactions, validation, test, self.validation)

    def _tell_of_ties(self, last: NDArray[Any]) -> None:
        n_tied = int(np.count_nonzero((last[:, 1:] == last[:, :-1]).any(axis=1)))
        if n_tied:
            rule = "the higher column counts as later" if self.seed is None else f"drawn by seed {self.seed}"
            warn_caller(
                f"{n_tied:,} of {len(last):,} users made their last ratings at the same time: which is held out "
                f"is not known from the data ({rule})"
            )


@dataclass(frozen=True)
class TemporalSplit:
    """Cut time twice: what came first is for training, then validation, the latest for test.

    Ratings of the same timestamp are never divided: the later part takes them all. Users without a rating before the
    cut have an empty history. The test history is all that came before, validation included. Of several events of a
    user and item, one was kept when the data was read: by default the last, so that what a user had before the cut may
    turn up behind it. ``duplicates="first"`` of `read_ratings` leaves it before.

    Parameters
    ----------
    validation_fraction : float in [0, 1), default 0.1
        Share of all ratings; 0 for none.
    test_fraction : float in (0, 1), default 0.1

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import TemporalSplit
    >>> split = TemporalSplit(0.1, 0.2).split(load_dataset("sample"))
    >>> bool(split.train.timestamps.max() < split.test.target.timestamps.min())
    True
    """

    validation_fraction: float = 0.1
    test_fraction: float = 0.1

    def __post_init__(self) -> None:
        check_fraction("validation_fraction", self.validation_fraction, zero=True)
        check_fraction("test_fraction", self.test_fraction)
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction and test_fraction leave nothing to train on")

    def split(self, interactions: Interactions | Any) -> Split:
        """Split `interactions`, or a matrix of shape (n_users, n_items).

        Raises
        ------
        DataError
            If the ratings have no timestamps, or too few different ones.
        """
        interactions = as_interactions(interactions)
        times = _timestamps(interactions, type(self).__name__)
        if len(times) == 0:
            raise DataError("there are no ratings to divide")
        test = _latest(times, self.test_fraction)
        held_out = _latest(times, self.validation_fraction + self.test_fraction) if self.validation_fraction else test
        validation = held_out & ~test
        if held_out.all() or (self.validation_fraction and not validation.any()):
            raise DataError(_cut_in_tie(times, held_out if held_out.all() else test, self.validation_fraction > 0))
        return _chronological_split(interactions, validation, test, self.validation_fraction > 0)


@dataclass(frozen=True)
class RollingTime:
    """Move a test window through time: each split trains on what came before its window.

    How a model would have done had it been trained again at the start of each window. Ratings of the same timestamp
    are never divided. The history is all that a model may be trained on, so users may come with an empty one.

    Parameters
    ----------
    n_splits : int, default 5
    window : float, optional
        Length of a window in the unit of the timestamps (seconds where these were dates): windows follow each other,
        the last ends with the last rating. None: the ratings, ordered by time, are cut into n_splits + 1 parts of equal
        size (but for ties); each part but the first is a window.
    train_window : float, optional
        Train on what was rated so long before the window, in the unit of the timestamps; None: on everything before.
    validation_fraction : float in [0, 1), default 0.0
        Share of the ratings before the window, the latest, that is for validation; 0 for none.

    References
    ----------
    Hyndman, Athanasopoulos (2021). Forecasting: principles and practice, 3rd edition, section 5.10.

    Examples
    --------
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import RollingTime
    >>> data = load_dataset("sample")
    >>> [round(10 * split.train.n_ratings / data.n_ratings) for split in RollingTime(n_splits=4).splits(data)]
    [2, 4, 6, 8]
    """

    n_splits: int = 5
    window: float | None = None
    train_window: float | None = None
    validation_fraction: float = 0.0

    def __post_init__(self) -> None:
        check_whole("n_splits", self.n_splits, 1)
        for name in ("window", "train_window"):
            length = getattr(self, name)
            if length is not None and not RealNumber(above=0).accepts(length):
                raise ValueError(f"{name} must be above 0 and finite, got {length!r:.60}")
        check_fraction("validation_fraction", self.validation_fraction, zero=True)

    def splits(self, interactions: Interactions | Any) -> Iterator[Split]:
        """Yield a split for each window of `interactions`, the earliest first.

        Raises
        ------
        DataError
            If the ratings have no timestamps, or there is nothing to train on before a window, or nothing in it.
        """
        data = as_interactions(interactions)
        times = _timestamps(data, type(self).__name__)
        if len(times) == 0:
            raise DataError("there are no ratings to divide")
        if self.n_splits > len(times):
            raise DataError(
                f"{len(times):,} ratings are too few for {self.n_splits} windows; choose a smaller n_splits"
            )
        if self.window is None:
            cuts = np.sort(times)[len(times) * np.arange(1, self.n_splits + 1) // (self.n_splits + 1)]
            window_of = np.searchsorted(cuts, times, side="right")  # a window begins with its first rating
        elif _reach_beyond(times, self.window, self.n_splits):
            raise DataError(f"the time before the windows holds no ratings; {_OTHER_WINDOWS}")
        else:
            cuts = times.max() - self.window * np.arange(self.n_splits, 0, -1)
            window_of = np.searchsorted(cuts, times, side="left")  # and ends with its last
        counts = np.bincount(window_of, minlength=self.n_splits + 1)
        if not counts.all():
            where = (
                f"window {int(np.argmin(counts))} of {self.n_splits}" if counts[0] else "the time before the windows"
            )
            raise DataError(f"{where} holds no ratings; {_OTHER_WINDOWS}")
        return (self._split(data, times, window_of, number, cut) for number, cut in enumerate(cuts, start=1))

    def _split(
        self, data: Interactions, times: NDArray[Any], window_of: NDArray[np.int64], number: int, cut: Any
    ) -> Split:
        before = window_of < number
        if self.train_window is not None and not _reach_beyond(times, self.train_window):
            begins = cut - self.train_window
            before &= times > begins if self.window is not None else times >= begins
        validation = np.zeros_like(before)
        if self.validation_fraction and before.any():
            validation[before] = _latest(times[before], self.validation_fraction)
        train = before & ~validation
        if not train.any():
            raise DataError(f"nothing is left to train on before window {number} of {self.n_splits}")
        trained = data.keep(train)
        holdout = Holdout(trained, data.keep(validation)) if self.validation_fraction else None
        return Split(trained, holdout, Holdout(data.keep(before), data.keep(window_of == number)))


def _reach_beyond(times: NDArray[Any], window: float, n_windows: int = 1) -> bool:
    """Whether windows that end with the last of `times` begin before the first; exact for whole numbers of any size."""
    length = window.item() if isinstance(window, np.generic) else window
    return bool(times.max().item() - n_windows * length < times.min().item())


def _latest(times: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """Mask of the latest ratings, as many as the share asks for and those of the same time as the first of them."""
    n = len(times)
    begins = np.sort(times)[min(n - round(n * share), n - 1)]
    latest: NDArray[np.bool_] = times >= begins
    return latest


def _cut_in_tie(times: NDArray[Any], latest: NDArray[np.bool_], validated: bool) -> str:
    """Say into how many ratings of one time the begin of `latest` falls, and what shares can be cut off."""
    _, counts = np.unique(times, return_counts=True)
    shares = np.floor(1e4 * np.cumsum(counts[:0:-1]) / len(times) + 1e-6) / 1e4
    if len(shares) < 1 + validated:
        return "the timestamps are too much alike to be cut in time; use RandomHoldout"
    tied = np.count_nonzero(times == times[latest].min())
    shown = [f"{share:g}" for share in shares]
    possible = ", ".join(shown if len(shown) <= _SHOWN else [*shown[: _SHOWN - 1], "…", shown[-1]])
    what = "test_fraction, alone and with validation_fraction added," if validated else "test_fraction"
    return (
        f"a cut falls into {tied:,} of {len(times):,} ratings that have the same time and stay together; {what} can be "
        f"{possible}; or use RandomHoldout"
    )


def _chronological_split(
    data: Interactions, validation: NDArray[np.bool_], test: NDArray[np.bool_], validated: bool
) -> Split:
    train = data.keep(~(test | validation))
    holdout = Holdout(train, data.keep(validation)) if validated else None
    return Split(train, holdout, Holdout(data.keep(~test), data.keep(test)))


def _timestamps(data: Interactions, splitter: str) -> NDArray[Any]:
    if data.timestamps is None:
        raise DataError(f"{splitter} needs to know when ratings were made, these have no timestamps; use RandomHoldout")
    return data.timestamps
