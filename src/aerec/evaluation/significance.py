"""compare: whether one model is better than another, or only lucky."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from aerec.errors import DataError
from aerec.evaluation.bootstrap import FEW, bootstrap_sums, difference_interval
from aerec.evaluation.report import Report
from aerec.ids import examples
from aerec.metrics import higher_is_better


def compare(reports: Iterable[Report], *, n_resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Compare models pairwise on the users that they share, metric by metric.

    Parameters
    ----------
    reports : iterable of Report
        At least two, of the same holdout.
    n_resamples : int, default 1000
        Of the bootstrap over users.
    seed : int, default 0

    Returns
    -------
    pandas.DataFrame
        A row per metric and pair: metric, a, b, difference (mean over users of a − b), low and high (its 95 %
        bootstrap interval; where fewer than ten users differ, one of score intervals of gains and losses), p_value
        (two-sided paired t-test; of so few users, the exact test that turns their signs), p_holm (corrected for all
        rows of the frame). For rmse and mae the difference is of the users' own values. Coverage, which is of all users
        together, is left out.

    Raises
    ------
    DataError
        If the reports are of different users or of users in another order, share no metric, or two have the same name.

    References
    ----------
    Holm (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> from aerec import compare, evaluate
    >>> from aerec.baselines import ItemKNN, Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample"))
    >>> reports = [evaluate(model.fit(split.train), split.test) for model in (ItemKNN(), Popularity())]
    >>> compare(reports)[["metric", "a", "b"]].head(1).to_numpy().tolist()
    [['recall@20', 'ItemKNN', 'Popularity']]
    """
    if not isinstance(reports, Iterable):
        raise TypeError(
            f"compare takes reports of evaluate, got a {type(reports).__name__}; what cross_validate gives has "
            "a compare of its own, with the variance of splits that share training data"
        )
    reports = list(reports)
    if odd := next((each for each in reports if not hasattr(each, "per_user")), None):
        raise TypeError(f"compare takes a list of reports of evaluate, got {type(odd).__name__} in it")
    if len(reports) < 2:
        raise DataError(f"comparing takes at least two reports, got {len(reports)}")
    first = reports[0]
    names = [report.name for report in reports]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"two reports are called {repeated}: name them, as in evaluate(…, name='{repeated} 2')")
    for other in reports[1:]:
        _check_same_users(first, other)
    metrics = [metric for metric in first.per_user.columns if all(metric in report.per_user for report in reports)]
    if not metrics:
        raise DataError("the reports have no metric in common; evaluate all with the same metrics")
    rows = []
    for metric, (a, b) in itertools.product(metrics, itertools.combinations(reports, 2)):
        difference = a.per_user[metric].to_numpy() - b.per_user[metric].to_numpy()
        resampled = bootstrap_sums(difference[:, None], n_resamples, seed)[:, 0] / len(difference)
        low, high = difference_interval(difference, resampled)
        rows.append((metric, a.name, b.name, difference.mean(), low, high, _p_value(difference)))
    frame = pd.DataFrame(rows, columns=["metric", "a", "b", "difference", "low", "high", "p_value"])
    return frame.assign(p_holm=holm(frame["p_value"].to_numpy()))


def leaders(reports: Sequence[Report], differences: pd.DataFrame | None, alpha: float = 0.05) -> dict[str, list[str]]:
    """Return for each metric the models that may be the best: the best value, and those not significantly worse.

    Parameters
    ----------
    reports : sequence of Report
        With a name each; all metrics of the first are looked at.
    differences : pandas.DataFrame or None
        What `compare` gave for them. Of a metric that it does not hold, such as coverage, only the best value counts.
    alpha : float, default 0.05
        A model is worse where the corrected p-value of its difference to the best is below.

    Returns
    -------
    dict of str to list of str
        Metric → names, in the order of the reports.

    Examples
    --------
    >>> from aerec import compare, evaluate
    >>> from aerec.baselines import ItemKNN, Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.evaluation.significance import leaders
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample"))
    >>> reports = [evaluate(model.fit(split.train), split.test, "ndcg@20") for model in (ItemKNN(), Popularity())]
    >>> leaders(reports, compare(reports))
    {'ndcg@20': ['ItemKNN']}
    """
    gaps: dict[tuple[str, str, str], tuple[float, float]] = {}
    for row in [] if differences is None else differences.to_dict(orient="records"):
        gaps[row["metric"], row["a"], row["b"]] = row["difference"], row["p_holm"]
        gaps[row["metric"], row["b"], row["a"]] = -row["difference"], row["p_holm"]
    leading: dict[str, list[str]] = {}
    for metric in reports[0].metrics:
        sign = 1.0 if higher_is_better(metric) else -1.0
        values = {report.name: sign * report[metric] for report in reports}
        best = max(values, key=lambda name: values[name])
        ahead = {name: gaps.get((metric, best, name), (sign, 0.0)) for name in values}
        leading[metric] = [
            name
            for name, (gap, p_value) in ahead.items()
            if values[name] == values[best] or p_value >= alpha or sign * gap <= 0
        ]
    return leading


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values corrected for their number by Holm's step-down method.

    Examples
    --------
    >>> import numpy as np
    >>> from aerec.evaluation.significance import holm
    >>> holm(np.array([0.01, 0.04, 0.03])).round(2)
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty_like(stepped)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def _check_same_users(first: Report, other: Report) -> None:
    users, others = first.per_user.index, other.per_user.index
    if not users.equals(others):
        shared = int(users.isin(others).sum())
        raise DataError(
            f"{first.name} and {other.name} were evaluated on different users, or in another order: of {len(users):,} "
            f"users such as {examples(users, 2)} and {len(others):,} such as {examples(others, 2)} they share "
            f"{shared:,}; evaluate both on the same holdout"
        )


def _p_value(difference: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of a paired t-test, or of all turns of the signs where few users differ."""
    differing = difference[difference != 0]
    if len(differing) < FEW:  # the t-test calls 4 wins among 30 users significant; chance gives them 1 time in 8
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(differing))))
        return float(np.mean(np.abs(signs @ np.abs(differing)) >= abs(differing.sum()) * (1 - 1e-12)))
    if np.ptp(difference) == 0:
        return 0.0
    return float(stats.ttest_1samp(difference, 0.0).pvalue)
