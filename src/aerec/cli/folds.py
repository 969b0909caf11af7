"""`aerec benchmark --folds`: models on several splits, compared by a test that knows that these overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from aerec.cli.data import Preprocessing
from aerec.cli.output import print_json, print_note, print_table, report_row
from aerec.evaluation import CrossValidation, Report, cross_validate
from aerec.evaluation.significance import leaders
from aerec.runs.folder import whole
from aerec.splitting import KFold, RollingTime
from aerec.system.environment import describe_machine, package_versions
from aerec.system.memory import peak_memory

_ALPHA = 0.05
_VALIDATION = 0.1  # share of the training data, for models that stop early


def choose_folds(n_splits: int, kind: str, seed: int) -> KFold | RollingTime:
    """Return the splitter that gives `n_splits` splits of a kind: of users, of ratings or of time.

    Raises
    ------
    ValueError
        If there is no such splitter, or fewer than two splits are asked for.
    """
    if n_splits < 2:
        raise ValueError(f"--folds {n_splits}: cross-validation takes at least 2")
    if kind == "strong":
        return KFold(n_splits, "users", seed, validation_fraction=_VALIDATION)
    if kind == "random":
        return KFold(n_splits, "ratings", seed, validation_fraction=_VALIDATION)
    if kind == "temporal":
        return RollingTime(n_splits, validation_fraction=_VALIDATION)
    raise ValueError(f"--folds goes with --split strong (users), random (ratings) or temporal (time), not with {kind}")


def validate(
    name: str, recommender: Any, data: list[str], preprocessing: Preprocessing, splitter: Any, metrics: Sequence[str]
) -> tuple[CrossValidation, int | None]:
    """Cross-validate one model; return the result and the peak memory of the process."""
    ratings = whole(preprocessing.load(data, progress=False, advise=False).parts)
    return cross_validate({name: recommender}, ratings, splitter, metrics), peak_memory()


def print_folds(
    results: Sequence[tuple[CrossValidation, int | None]],
    *,
    data: str,
    splitter: Any,
    seed: int,
    parameters: str,
    json: bool,
) -> None:
    """Print the table of several models, or all that is known of them as JSON."""
    result = CrossValidation(
        pd.concat([validation.scores for validation, _ in results]), results[0][0].metrics, results[0][0].test_share
    )
    several = len(results) > 1
    differences = result.compare() if several else pd.DataFrame()
    reports = _reports(result)
    best = leaders(reports, differences, _ALPHA) if several else {}
    peaks = [None if peak is None else round(peak / 1e6) for _, peak in results]
    if json:
        print_json(
            {
                "data": data,
                "split": repr(splitter),
                "seed": seed,
                "n_splits": result.n_splits,
                "test_share": result.test_share,
                "models": [{**report.to_dict(), "peak_mb": peak} for report, peak in zip(reports, peaks, strict=True)],
                "scores": result.scores.to_dict(orient="records"),
                "differences": differences.to_dict(orient="records"),
                "best": best,
                "best_alpha": _ALPHA,
                "machine": describe_machine(),
                "versions": package_versions(),
            }
        )
        return
    seconds = result.scores.groupby("model")["fit_seconds"].mean()
    rows = []
    for report, peak in zip(reports, peaks, strict=True):
        marked = {metric for metric, names in best.items() if report.name in names} if best else None
        cost = {"fit s": round(float(seconds[report.name]), 2), "peak MB": peak}
        rows.append({"model": report.name, **report_row(report, marked), **cost})
    print_table(pd.DataFrame(rows))
    if several:
        print_note(
            "* the best of its column, and those not significantly worse: corrected resampled t-test over the "
            f"{result.n_splits} splits against the best, Holm-corrected for all pairs and metrics, p ≥ {_ALPHA:g}"
        )
    print_note(
        f"{data}, {splitter}; means and 95 % intervals over {result.n_splits} splits, which cover the choice of "
        f"training and test data; {reports[0].n_users:,} test users in all; seed {seed}; {parameters}, not tuned; "
        "fit s is the mean of a split, peak memory of the whole process"
    )
    print_note(", ".join(f"{package} {number}" for package, number in package_versions(("torch", "numpy")).items()))


def _reports(result: CrossValidation) -> list[Report]:
    """Return means and intervals over the splits, model by model; the users of all splits are counted together."""
    frame, scores = result.to_frame(), result.scores
    reports = []
    for name in result.models:
        rows = frame[frame["model"] == name]
        mean = dict(zip(rows["metric"], rows["mean"].tolist(), strict=True))
        interval = dict(zip(rows["metric"], zip(rows["low"].tolist(), rows["high"].tolist(), strict=True), strict=True))
        n_users, n_left_out = (int(scores.loc[scores["model"] == name, of].sum()) for of in ("n_users", "n_left_out"))
        reports.append(Report(name, mean, interval, pd.DataFrame(), n_users, n_left_out))
    return reports
