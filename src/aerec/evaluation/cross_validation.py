"""cross_validate: several models on several splits, and a test that knows that the splits overlap."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import clone

from aerec.display.notebook import html_table
from aerec.errors import DataError
from aerec.evaluation.evaluator import DEFAULT_METRICS, evaluate
from aerec.evaluation.significance import holm
from aerec.interactions import Interactions
from aerec.metrics import RATING_METRICS
from aerec.recommender.base import Recommender
from aerec.splitting import KFold, Split

Models: TypeAlias = Recommender | Mapping[str, Recommender] | Sequence[Recommender]


def cross_validate(
    models: Models,
    data: Interactions | Any,
    splitter: Any = KFold(),  # noqa: B008 - frozen
    metrics: str | Sequence[str] = DEFAULT_METRICS,
    *,
    exclude_seen: bool = True,
) -> CrossValidation:
    """Train and evaluate models on each of several splits.

    Parameters
    ----------
    models : Recommender, mapping of str to Recommender, or sequence of Recommender
        Names and models; of a sequence the names are the classes. A copy of each is fitted to each split, with its
        validation data where the splitter makes some.
    data : Interactions or matrix of shape (n_users, n_items)
    splitter : splitter, or iterable of splitters or of Split, default KFold()
        One that gives several splits, such as `KFold` and `RollingTime`; or several that give one each, such as
        ``[StrongGeneralization(100, seed=seed) for seed in range(10)]``.
    metrics : str or sequence of str, default ("recall@20", "recall@50", "ndcg@100")
        As for `evaluate`.
    exclude_seen : bool, default True
        As for `evaluate`.

    Returns
    -------
    CrossValidation
        The metrics of each model on each split, and their comparison.

    Raises
    ------
    DataError
        If there are fewer than two splits.
    ValueError
        If there is no model, or two have the same name.

    Examples
    --------
    >>> from aerec.baselines import ItemKNN, Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.evaluation import cross_validate
    >>> from aerec.splitting import KFold
    >>> result = cross_validate([ItemKNN(), Popularity()], load_dataset("sample"), KFold(3), "recall@20")
    >>> result.scores[["model", "fold", "n_users"]].head(2).to_numpy().tolist()
    [['ItemKNN', 0, 334], ['Popularity', 0, 334]]
    >>> result.compare()[["metric", "a", "b"]].to_numpy().tolist()
    [['recall@20', 'ItemKNN', 'Popularity']]
    """
    named = _named(models)
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    rows: list[dict[str, Any]] = []
    shares: list[float] = []
    for fold, split in enumerate(_splits(splitter, data)):
        shares.append(_test_share(split))
        for name, model in named.items():
            fitted = clone(model)
            started = time.perf_counter()
            fitted.fit(split.train, validation=split.validation)
            seconds = time.perf_counter() - started
            report = evaluate(
                fitted, split.test, names, exclude_seen=exclude_seen, n_resamples=1, propensities=split.train
            )
            known = {"n_users": report.n_users, "n_left_out": report.n_left_out, "fit_seconds": seconds}
            rows.append({"model": name, "fold": fold, **known, **report.mean})
    if len(shares) < 2:
        raise DataError(f"cross-validation takes at least two splits, {splitter} gave {len(shares)}")
    return CrossValidation(pd.DataFrame(rows), names, float(np.mean(shares)))


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """Metrics of several models on the same splits.

    Attributes
    ----------
    scores : pandas.DataFrame
        A row per split and model: model, fold (from 0), n_users (evaluated), n_left_out, fit_seconds, and a column per
        metric.
    metrics : tuple of str
    test_share : float
        Size of the test data / size of the training data (with validation), the mean over the splits: counted in users
        where the test users are not trained on, else in ratings. The tests need it.
    """

    scores: pd.DataFrame
    metrics: tuple[str, ...]
    test_share: float

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models, in the order they were given."""
        return tuple(self.scores["model"].unique())

    @property
    def n_splits(self) -> int:
        """Number of splits."""
        return int(self.scores["fold"].nunique())

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with a row per model and metric: mean over the splits, and the bounds of its 95 % interval.

        The interval is that of `corrected_t_test`: it covers the choice of training and of test data. It is cut where
        the metric has its ends: at 0, and at 1 for all but rmse and mae.
        """
        rows = []
        for name, metric in itertools.product(self.models, self.metrics):
            mean, low, high, _ = corrected_t_test(self._values(name, metric), self.test_share)
            rows.append((name, metric, mean, max(low, 0.0), min(high, _highest(metric))))
        return pd.DataFrame(rows, columns=["model", "metric", "mean", "low", "high"])

    def compare(self) -> pd.DataFrame:
        """Compare the models pairwise, metric by metric, by the corrected resampled t-test.

        Returns
        -------
        pandas.DataFrame
            A row per metric and pair, as of `aerec.compare`: metric, a, b, difference (mean over splits of a − b), low
            and high (its 95 % interval), p_value, p_holm (corrected for all rows of the frame).

        Raises
        ------
        DataError
            If there is one model only.
        """
        if len(self.models) < 2:
            raise DataError(f"comparing takes at least two models, got {len(self.models)}")
        rows = []
        for metric, (a, b) in itertools.product(self.metrics, itertools.combinations(self.models, 2)):
            differences = self._values(a, metric) - self._values(b, metric)
            mean, low, high, p_value = corrected_t_test(differences, self.test_share)
            most = _highest(metric)
            rows.append((metric, a, b, mean, max(low, -most), min(high, most), p_value))
        frame = pd.DataFrame(rows, columns=["metric", "a", "b", "difference", "low", "high", "p_value"])
        return frame.assign(p_holm=holm(frame["p_value"].to_numpy()))

    def __repr__(self) -> str:
        table = self._table()
        lines = [table.columns.tolist(), *table.itertuples(index=False, name=None)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rows = (
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )
        return "\n".join([self._title(), *rows])

    def _repr_html_(self) -> str:
        table = self._table()
        return html_table(self._title(), tuple(table.columns), list(table.itertuples(index=False, name=None)))

    def _title(self) -> str:
        return f"{self.n_splits} splits, mean [95 % interval]"

    def _table(self) -> pd.DataFrame:
        cells: dict[str, dict[str, str]] = {name: {"model": name} for name in self.models}
        for model, metric, mean, low, high in self.to_frame().itertuples(index=False, name=None):
            cells[model][metric] = f"{mean:.4f} [{low:.4f}, {high:.4f}]"
        return pd.DataFrame(list(cells.values()))

    def _values(self, model: str, metric: str) -> Any:
        return self.scores.loc[self.scores["model"] == model, metric].to_numpy(np.float64)


def corrected_t_test(values: ArrayLike, test_share: float) -> tuple[float, float, float, float]:
    r"""Test whether the mean of values measured on overlapping splits is 0: the corrected resampled t-test.

    .. math:: t = \frac{\bar d}{\sqrt{\left(\frac{1}{J} + \frac{n_\mathrm{test}}{n_\mathrm{train}}\right) s^2}}

    with J − 1 degrees of freedom; :math:`\bar d` and :math:`s^2` are mean and variance of the J values. Training data
    of different splits are mostly the same, so that the values are not independent: the plain t-test, which lacks the
    second term, finds differences where there are none. The correction rests on an approximation of the correlation,
    1 / (1 + n_train / n_test), as no unbiased estimate exists.

    Parameters
    ----------
    values : array-like of shape (n_splits,)
        Such as the differences of two models, one from each split.
    test_share : float
        n_test / n_train; 1 / (k − 1) in k-fold cross-validation.

    Returns
    -------
    mean, low, high, p_value : float
        Mean, bounds of its 95 % interval, and the two-sided p-value (1 where all values are 0).

    Raises
    ------
    ValueError
        If there are fewer than two values, or `test_share` is negative.

    References
    ----------
    Nadeau, Bengio (2003). Inference for the generalization error. Machine Learning 52(3).

    Examples
    --------
    >>> from aerec.evaluation.cross_validation import corrected_t_test
    >>> mean, low, high, p_value = corrected_t_test([0.02, 0.01, 0.03, 0.02, 0.02], test_share=0.25)
    >>> round(mean, 3), round(low, 3), round(high, 3), round(p_value, 3)
    (0.02, 0.007, 0.033, 0.014)
    """
    differences = np.asarray(values, dtype=np.float64)
    n = len(differences)
    if n < 2 or test_share < 0:
        raise ValueError(f"the test takes at least two values and a share of at least 0, got {n} and {test_share}")
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return mean, mean, mean, float(mean == 0)
    error = float(np.sqrt((1 / n + test_share) * differences.var(ddof=1)))
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    return mean, mean - reach, mean + reach, float(2 * stats.t.sf(abs(mean) / error, n - 1))


def _highest(metric: str) -> float:
    """Return what a metric can be at most."""
    return float("inf") if metric in RATING_METRICS else 1.0


def _named(models: Models) -> dict[str, Recommender]:
    if isinstance(models, Recommender):
        models = [models]
    if isinstance(models, Mapping):
        named = dict(models)
    else:
        classes = [type(model).__name__ for model in models]
        if repeated := sorted({name for name in classes if classes.count(name) > 1}):
            raise ValueError(f"several models are called {repeated[0]}; give a dict of names and models")
        named = dict(zip(classes, models, strict=True))
    if not named:
        raise ValueError("there is no model to validate; give at least one")
    return named


def _splits(splitter: Any, data: Any) -> Iterator[Split]:
    if hasattr(splitter, "splits"):
        return iter(splitter.splits(data))
    several = list(splitter) if isinstance(splitter, Iterable) and not isinstance(splitter, str) else [splitter]
    if wrong := [
        one for one in several if isinstance(one, str) or not (isinstance(one, Split) or hasattr(one, "split"))
    ]:
        raise ValueError(f"splitter is one such as KFold(5), or a list of splitters or of Split, got {wrong[0]!r}")
    return (split if isinstance(split, Split) else split.split(data) for split in several)


def _test_share(split: Split) -> float:
    """Return n_test / n_train, in users where those of the test are not trained on, else in ratings."""
    train, target = split.train, split.test.target
    counts = np.diff(train.matrix.indptr)
    trained, tested = train.users[counts > 0], target.users[np.diff(target.matrix.indptr) > 0]
    validation = None if split.validation is None else split.validation.target
    if trained.isin(tested).any():
        return target.n_ratings / (train.n_ratings + (0 if validation is None else validation.n_ratings))
    return len(tested) / (len(trained) + (0 if validation is None else validation.shape[0]))
