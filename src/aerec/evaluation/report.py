"""Report: what `evaluate` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from aerec.display.notebook import html_table
from aerec.metrics.named import RATING_METRICS


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Metrics of one model on one holdout, with what is needed to compare it with others.

    Attributes
    ----------
    name : str
        Of the model.
    mean : dict of str to float
        Each metric over all evaluated users (over all ratings for rmse and mae).
    interval : dict of str to (float, float)
        95 % interval over users, of the bootstrap (Wilson's for rare hits); (nan, nan) for coverage, which is of all
        users together.
    per_user : pandas.DataFrame
        A row per evaluated user (raw id), a column per metric.
    n_users : int
        Users evaluated.
    n_left_out : int
        Users of the holdout without a relevant item (rmse and mae: without a rating), who count nowhere.

    Examples
    --------
    >>> from aerec import evaluate
    >>> from aerec.baselines import Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample"))
    >>> report = evaluate(Popularity().fit(split.train), split.test, metrics=("recall@20", "ndcg@20"))
    >>> report.n_users, 0 < report["recall@20"] < 1
    (100, True)
    """

    name: str
    mean: dict[str, float]
    interval: dict[str, tuple[float, float]]
    per_user: pd.DataFrame
    n_users: int
    n_left_out: int

    def __getitem__(self, metric: str) -> float:
        return self.mean[metric]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics, in the order they were asked for."""
        return tuple(self.mean)

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with a row per metric: mean, low, high."""
        bounds = pd.DataFrame(self.interval, index=["low", "high"]).T
        return pd.concat([pd.Series(self.mean, name="mean"), bounds], axis=1).rename_axis("metric")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the per-user values, in a form that JSON can hold (None for what is not defined)."""
        return {
            "name": self.name,
            "n_users": self.n_users,
            "n_left_out": self.n_left_out,
            "metrics": {
                name: {"mean": _number(mean), "interval": [_number(bound) for bound in self.interval[name]]}
                for name, mean in self.mean.items()
            },
        }

    def __repr__(self) -> str:
        wanted = "held-out rating" if RATING_METRICS.keys() >= self.mean.keys() else "relevant item"
        left_out = f", {self.n_left_out:,} without a {wanted} left out" if self.n_left_out else ""
        lines = [f"{self.name}: {self.n_users:,} user{'s' * (self.n_users != 1)}{left_out}"]
        width = max(map(len, self.mean))
        for metric, mean in self.mean.items():
            low, high = self.interval[metric]
            bounds = f"  [{low:.4f}, {high:.4f}]" if low == low else ""
            lines.append(f"  {metric:<{width}}  {mean:.4f}{bounds}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = []
        for metric, mean in self.mean.items():
            low, high = self.interval[metric]
            rows.append((metric, f"{mean:.4f}", f"{low:.4f} to {high:.4f}" if low == low else ""))
        title = f"{self.name}: {self.n_users:,} users, {self.n_left_out:,} left out"
        return html_table(title, ("metric", "mean", "95 % interval"), rows)


def _number(value: float) -> float | None:
    return value if value == value else None
