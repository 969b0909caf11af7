"""`aerec benchmark`: several models on the same split, in one table."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Annotated, Any

import pandas as pd
import typer

from aerec.cli.data import MinPerItem, MinPerUser, Preprocessing, SplitKind, Threshold, choose_split, knows_users, rates
from aerec.cli.options import Json, Quiet, build_model, parse_list
from aerec.cli.output import print_json, print_note, print_table, report_row
from aerec.cli.train import chosen_metrics
from aerec.environment import describe_machine, package_versions
from aerec.evaluation import Report, compare, evaluate
from aerec.evaluation.significance import leaders
from aerec.memory import peak_memory
from aerec.registry import get_model_class
from aerec.runs import SplitPlan

__all__ = ["benchmark"]

_ALPHA = 0.05  # p-values from here on are no evidence that a model is worse than the best
_DEFAULT = "popularity,item-knn,ease,mult-dae,mult-vae"


def benchmark(
    data: Annotated[str, typer.Argument(help="A name of `aerec datasets`, or a path to ratings.")] = "sample",
    models: Annotated[str, typer.Option(help="Names of models, separated by commas.")] = _DEFAULT,
    metrics: Annotated[str | None, typer.Option(help="Separated by commas.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="A hyper-parameter for those models that have it; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the models and the split.")] = 0,
    split: SplitKind = None,
    threshold: Threshold = 4.0,
    min_per_user: MinPerUser = 5,
    min_per_item: MinPerItem = 1,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train models on the same split and compare them: quality with 95 % intervals, fit seconds, peak memory.

    Each model is fitted with its default parameters in a process of its own; nothing is tuned. A star marks the best
    of each metric and the models that are not significantly worse.
    """
    names = list(dict.fromkeys(parse_list(models)))
    if not names:
        raise ValueError("--models is empty; name at least one, such as ease")
    classes = {name: get_model_class(name) for name in names}
    if len({rates(one) for one in classes.values()}) > 1:
        raise ValueError("models that predict ratings and models that rank cannot be compared in one table")
    found = [_known(one, settings or []) for one in classes.values()]
    if unused := [one for one in settings or [] if not any(one in known for known in found)]:
        raise ValueError(f"--set {unused[0]}: none of the models has that parameter")
    recommenders = [
        build_model(one, known, seed=seed, progress=False) for one, known in zip(classes.values(), found, strict=True)
    ]
    threshold_used = None if rates(next(iter(classes.values()))) else threshold
    preprocessing = Preprocessing(threshold_used, min_per_user, min_per_item)
    parts = preprocessing.load(data, progress=not quiet)
    deciding = next((one for one in recommenders if knows_users(one)), recommenders[0])
    plan = choose_split(split, parts, deciding, seed)
    if plan.kind == "none":
        raise ValueError("a benchmark needs held-out data; choose another --split than none")
    measured = chosen_metrics(metrics, recommenders[0])
    reports: list[Report] = []
    costs: list[dict[str, Any]] = []
    for name, recommender in zip(names, recommenders, strict=True):
        task = (name, recommender, data, preprocessing, plan, measured)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            report, seconds, peak = pool.submit(_fit, *task).result()
        reports.append(report)
        costs.append({"fit_seconds": round(seconds, 2), "peak_mb": peak and round(peak / 1e6)})
    several = len(reports) > 1
    differences = compare(reports) if several and not reports[0].per_user.empty else pd.DataFrame()
    best = leaders(reports, differences, _ALPHA) if several else {}
    if json:
        print_json(
            {
                "data": data,
                "split": str(plan),
                "seed": seed,
                "n_users": reports[0].n_users,
                "n_left_out": reports[0].n_left_out,
                "models": [{**report.to_dict(), **cost} for report, cost in zip(reports, costs, strict=True)],
                "differences": differences.to_dict(orient="records"),
                "best": best,
                "best_alpha": _ALPHA,
                "machine": describe_machine(),
                "versions": package_versions(),
            }
        )
        return
    print_table(pd.DataFrame([_row(*one, best) for one in zip(reports, costs, strict=True)]))
    parameters = ", ".join(["default parameters", *(settings or [])])
    if several:
        print_note(
            "* the best of its column, and those not significantly worse: paired t-test over users against the best, "
            f"Holm-corrected for all pairs and metrics, p ≥ {_ALPHA:g}; of coverage the best only"
        )
    print_note(
        f"{data}, {plan}; {reports[0].n_users:,} test users ({reports[0].n_left_out:,} left out); seed {seed}; "
        f"{parameters}, not tuned; peak memory is of the whole process"
    )
    print_note(", ".join(f"{package} {number}" for package, number in package_versions(("torch", "numpy")).items()))


def _row(report: Report, cost: dict[str, Any], best: dict[str, list[str]]) -> dict[str, Any]:
    marked = {metric for metric, names in best.items() if report.name in names} if best else None
    return {
        "model": report.name,
        **report_row(report, marked),
        "fit s": cost["fit_seconds"],
        "peak MB": cost["peak_mb"],
    }


def _fit(
    name: str, recommender: Any, data: str, preprocessing: Preprocessing, plan: SplitPlan, metrics: Iterable[str]
) -> tuple[Report, float, int | None]:
    split = plan.apply(preprocessing.load(data, progress=False))
    assert split is not None
    started = time.perf_counter()
    recommender.fit(split.train, split.validation)
    seconds = time.perf_counter() - started
    return evaluate(recommender, split.test, tuple(metrics), name=name), seconds, peak_memory()


def _known(model: Any, settings: list[str]) -> list[str]:
    return [one for one in settings if one.partition("=")[0] in model().get_params(deep=False)]
