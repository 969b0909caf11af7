"""`aerec benchmark`: several models on the same split, in one table."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aerec.cli.options import (
    NOTHING_SAID,
    DataArgument,
    Json,
    Metrics,
    MinPerItem,
    MinPerUser,
    PlotFolder,
    Quiet,
    Reading,
    ReportPath,
    SplitKind,
    Threshold,
    parse_list,
    reads_ratings,
)
from aerec.cli.output import print_json, print_note, print_table, report_row
from aerec.cli.report import check_report_options
from aerec.cli.wording import warn_in_one_line
from aerec.errors import TrainingError

if TYPE_CHECKING:
    from aerec.cli.data import Preprocessing
    from aerec.evaluation import Report
    from aerec.recommender.base import Recommender
    from aerec.runs.folder import SplitPlan

_DEFAULT = "popularity,item-knn,ease,mult-dae,mult-vae"


@reads_ratings()
def benchmark(
    data: DataArgument = None,
    models: Annotated[str, typer.Option(help="Names of models, separated by commas.")] = _DEFAULT,
    metrics: Metrics = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="A hyper-parameter for those models that have it; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the models and the split.")] = 0,
    reading: Reading = NOTHING_SAID,
    split: SplitKind = None,
    folds: Annotated[
        int | None,
        typer.Option(help="Cross-validate: test each user (or rating, or stretch of time; see --split) in one fold."),
    ] = None,
    threshold: Threshold = 4.0,
    min_per_user: MinPerUser = 5,
    min_per_item: MinPerItem = 1,
    report: ReportPath = None,
    plots: PlotFolder = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train models on the same split and compare them: quality with 95 % intervals, fit seconds, peak memory.

    Without DATA it is the sample. Each model is fitted with its default parameters in a process of its own; nothing is
    tuned. A star marks the best of each metric and the models that are not significantly worse. --report writes all of
    it, with pictures, as one HTML page.
    """
    from aerec.cli.data import Preprocessing, choose_split, chosen_metrics, threshold_for
    from aerec.cli.folds import choose_folds, print_folds, validate
    from aerec.recommender.base import knows_users
    from aerec.reporting import gather_results, write_report
    from aerec.runs.folder import whole

    check_report_options(report, plots)
    if folds is not None and report is not None:
        raise ValueError("--report is of one split; leave out --folds")
    recommenders = _recommenders(models, settings or [], seed)
    names = list(recommenders)
    deciding = next((model for model in recommenders.values() if knows_users(model)), recommenders[names[0]])
    threshold_used = threshold_for(type(deciding), threshold)
    preprocessing = Preprocessing(threshold_used, min_per_user, min_per_item, reading)
    sources = data or ["sample"]
    joined = " and ".join(sources)
    prepared = preprocessing.load(sources, progress=not quiet)
    parts = prepared.parts if folds is None else {"all": whole(prepared.parts)}
    plan = choose_split(split, parts, deciding, seed)
    if plan.kind == "none":
        raise ValueError("a benchmark needs held-out data; choose another --split than none")
    measured = chosen_metrics(metrics, recommenders[names[0]])
    if not json:
        print_note(str(prepared.kept))
    if folds is not None:
        splitter = choose_folds(folds, plan.kind, seed)
        tasks = [(name, model, sources, preprocessing, splitter, measured) for name, model in recommenders.items()]
        parameters = ", ".join(["default parameters", *(settings or [])])
        folded = [_in_own_process(validate, *task) for task in tasks]
        print_folds(folded, data=joined, splitter=splitter, seed=seed, parameters=parameters, json=json)
        return
    reports: list[Report] = []
    costs: list[dict[str, Any]] = []
    for name, recommender in recommenders.items():
        task = (name, recommender, sources, preprocessing, plan, measured, json or report is not None)
        measured_report, seconds, peak, details = _in_own_process(_fit, *task)
        reports.append(measured_report)
        cost = {"fit_seconds": round(seconds, 2), "peak_mb": peak and round(peak / 1e6)}
        costs.append(cost if details is None else {**cost, "details": details})
    results = gather_results(reports, costs, data=joined, split=str(plan), seed=seed)
    if report is not None:
        write_report(results, report, plots=plots)
    if json:
        print_json(results)
        return
    _print_results(reports, costs, results, f"{joined}, {plan}", seed, ["default parameters", *(settings or [])])
    if report is not None:
        print_note(f"report in {report}" + ("" if plots is None else f", pictures in {plots}"))


def _recommenders(models: str, settings: list[str], seed: int) -> dict[str, Recommender]:
    """Return the models by name, each with those of the settings that it has."""
    from aerec.cli.data import rates
    from aerec.cli.settings import build_model
    from aerec.registry import get_model_class

    classes = {name: get_model_class(name) for name in parse_list(models)}
    if not classes:
        raise ValueError("--models is empty; name at least one, such as ease")
    if len({rates(kind) for kind in classes.values()}) > 1:
        raise ValueError("models that predict ratings and models that rank cannot be compared in one table")
    own_settings = {name: _known(kind, settings) for name, kind in classes.items()}
    if unused := [setting for setting in settings if not any(setting in own for own in own_settings.values())]:
        raise ValueError(f"--set {unused[0]}: none of the models has that parameter")
    return {name: build_model(kind, own_settings[name], seed=seed, progress=False) for name, kind in classes.items()}


def _print_results(
    reports: list[Report],
    costs: list[dict[str, Any]],
    results: dict[str, Any],
    source: str,
    seed: int,
    parameters: list[str],
) -> None:
    """Print the table, and below it how it was made."""
    import pandas as pd

    from aerec.system.environment import package_versions

    rows = [_row(report, cost, results["best"]) for report, cost in zip(reports, costs, strict=True)]
    print_table(pd.DataFrame(rows))
    if len(reports) > 1:
        print_note(
            "* the best of its column, and those not significantly worse: paired t-test over users against the best, "
            f"Holm-corrected for all pairs and metrics, p ≥ {results['best_alpha']:g}; of coverage the best only"
        )
    print_note(
        f"{source}; {reports[0].n_users:,} test users ({reports[0].n_left_out:,} left out); seed {seed}; "
        f"{', '.join(parameters)}, not tuned; peak memory is of the whole process"
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


def _in_own_process(measure: Callable[..., Any], name: str, *task: Any) -> Any:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=warn_in_one_line) as pool:
        try:
            return pool.submit(measure, name, *task).result()
        except BrokenProcessPool:
            raise TrainingError(
                f"the process that trained {name} was killed, for want of memory most likely; leave {name} out, "
                "or take a smaller one with --set"
            ) from None


def _fit(
    name: str,
    recommender: Any,
    data: list[str],
    preprocessing: Preprocessing,
    plan: SplitPlan,
    metrics: Iterable[str],
    detailed: bool,
) -> tuple[Report, float, int | None, dict[str, Any] | None]:
    from aerec.evaluation import evaluate
    from aerec.reporting import describe_model
    from aerec.system.memory import peak_memory

    split = plan.apply(preprocessing.load(data, progress=False, advise=False).parts)
    assert split is not None
    started = time.perf_counter()
    recommender.fit(split.train, split.validation)
    seconds = time.perf_counter() - started
    report, peak = evaluate(recommender, split.test, tuple(metrics), name=name, propensities=split.train), peak_memory()
    return report, seconds, peak, describe_model(recommender, split, name=name) if detailed else None


def _known(model: Any, settings: list[str]) -> list[str]:
    """Return the settings of what a model has itself; ``model__l2=100`` is one of its ``model``."""
    own = model().get_params(deep=False)
    return [setting for setting in settings if setting.partition("=")[0].partition("__")[0] in own]
