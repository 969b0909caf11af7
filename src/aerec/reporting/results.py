"""Results: what a report is made of, in the form in which `aerec benchmark --json` writes it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from aerec.errors import DataError
from aerec.evaluation import Report, compare, evaluate
from aerec.evaluation.evaluator import DEFAULT_METRICS
from aerec.evaluation.significance import leaders
from aerec.recommender.base import Recommender
from aerec.reporting.model_summary import describe_model
from aerec.reporting.schema import check_results
from aerec.splitting import Split
from aerec.system.environment import describe_machine, package_versions

_ALPHA = 0.05  # p-values from here on are no evidence that a model is worse than the best


def measure_models(
    models: Mapping[str, Recommender],
    split: Split,
    metrics: str | Sequence[str] = DEFAULT_METRICS,
    *,
    data: str = "data",
    split_name: str = "",
    seed: int | None = None,
    fit_seconds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Evaluate, describe and compare fitted models: everything that `write_report` puts on a page.

    Parameters
    ----------
    models : mapping of str to Recommender
        Name → model, fitted on ``split.train``; all rank, or all predict ratings.
    split : Split
    metrics : str or sequence of str, default ("recall@20", "recall@50", "ndcg@100")
    data, split_name : str
        What the page calls the data set and the way it was split.
    seed : int, optional
        Of models and split.
    fit_seconds : mapping of str to float, optional
        How long the fit of each model took.

    Returns
    -------
    dict
        As `aerec benchmark --json` prints it.

    Examples
    --------
    >>> from aerec.baselines import ItemKNN, Popularity
    >>> from aerec.datasets import load_dataset
    >>> from aerec.reporting import measure_models
    >>> from aerec.splitting import StrongGeneralization
    >>> split = StrongGeneralization(n_users=100).split(load_dataset("sample"))
    >>> fitted = {"popularity": Popularity().fit(split.train), "item-knn": ItemKNN().fit(split.train)}
    >>> measure_models(fitted, split, "ndcg@20")["best"]
    {'ndcg@20': ['item-knn']}
    """
    if not models:
        raise DataError("a report needs at least one model; give name → fitted model")
    reports = [
        evaluate(model, split.test, metrics, name=name, propensities=split.train) for name, model in models.items()
    ]
    taken = fit_seconds or {}
    more = [
        {"fit_seconds": taken.get(name), "peak_mb": None, "details": describe_model(model, split, name=name)}
        for name, model in models.items()
    ]
    return gather_results(reports, more, data=data, split=split_name, seed=seed)


def gather_results(
    reports: Sequence[Report],
    more: Sequence[Mapping[str, Any]],
    *,
    data: str,
    split: str,
    seed: int | None,
    machine: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return reports of models, and what else is known of each, with their comparison, machine and versions.

    Parameters
    ----------
    reports : sequence of Report
        Of the same holdout, with a name each.
    more : sequence of mapping
        For each: fit_seconds, peak_mb and details (see `describe_model`), as far as they are known.
    data, split : str
    seed : int or None
    machine, versions : mapping, optional
        By default those of this process.

    Returns
    -------
    dict
    """
    several = len(reports) > 1
    differences = compare(reports) if several and not reports[0].per_user.empty else pd.DataFrame()
    return {
        "data": data,
        "split": split,
        "seed": seed,
        "n_users": reports[0].n_users,
        "n_left_out": reports[0].n_left_out,
        "models": [{**report.to_dict(), **known} for report, known in zip(reports, more, strict=True)],
        "differences": differences.to_dict(orient="records"),
        "best": leaders(reports, differences, _ALPHA) if several else {},
        "best_alpha": _ALPHA,
        "machine": dict(describe_machine() if machine is None else machine),
        "versions": dict(package_versions() if versions is None else versions),
    }


def read_results(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read results that `aerec benchmark --json` wrote to a file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataError
        If it holds something else.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"{source} does not exist; write it with: aerec benchmark … --json > {source.name}")
    try:
        results: dict[str, Any] = json.loads(source.read_bytes())
    except (ValueError, RecursionError):
        raise DataError(f"{source} is no JSON; write it with: aerec benchmark … --json > {source.name}") from None
    try:
        check_results(results)
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    return results
