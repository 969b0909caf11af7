"""`aerec report`: what was measured as one HTML page, from runs or from the results of a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aerec.cli.options import Json, Metrics, PlotFolder
from aerec.cli.output import print_json, print_note
from aerec.errors import DataError

if TYPE_CHECKING:
    from aerec.runs.folder import Run


def check_report_options(report: Path | None, plots: Path | None) -> None:
    """Refuse paths that cannot be written, and a missing matplotlib, before anything takes long."""
    if report is not None:
        from aerec.reporting.page import check_report_path

        check_report_path(report, plots)
    elif plots is not None:
        raise ValueError("--plots are the pictures of a report; give --report report.html as well")


def report(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Run folders of `aerec train` on the same split, or a file of `aerec benchmark --json`."),
    ],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    plots: PlotFolder = None,
    metrics: Metrics = None,
    json: Json = False,
) -> None:
    """Write one HTML page that needs no network: quality, learning curves, groups, codes, recommendations.

    Runs are measured again on their test data; a file of results is shown as it is.
    """
    from aerec.reporting import read_results, write_report
    from aerec.reporting.page import check_report_path

    check_report_path(out, plots)
    if any(source.suffix == ".json" for source in sources):
        if len(sources) > 1 or metrics is not None:
            raise ValueError("a file of results stands alone and is shown as it is; leave out other sources, --metrics")
        results = read_results(sources[0])
    else:
        results = _measure(sources, metrics)
    write_report(results, out, plots=plots)
    if json:
        print_json(results)
    else:
        print_note(f"report in {out}" + ("" if plots is None else f", pictures in {plots}"))


def _measure(paths: list[Path], metrics: str | None) -> dict[str, Any]:
    """Measure the models of runs on the test data that they share."""
    from aerec.cli.data import chosen_metrics, listed
    from aerec.evaluation import evaluate
    from aerec.reporting import describe_model, gather_results
    from aerec.runs.folder import read_run

    runs = [read_run(path) for path in dict.fromkeys(paths)]
    first = runs[0]
    split = first.split
    if split is None:
        raise DataError(f"{first.path} was trained without test data (split: {first.plan}): nothing to report on")
    for other in runs[1:]:
        if different := _differs(first, other):
            raise DataError(
                f"{first.path} and {other.path} cannot stand on one page: their {different} differ; "
                "train both on the same files with the same options but --model, and name the --split"
            )
    names = [str(run.description["model"]["name"]) for run in runs]
    if len(set(names)) < len(names):
        names = [str(run.path) for run in runs]
    chosen = chosen_metrics(metrics, first.model)
    reports = [
        evaluate(run.model, split.test, chosen, name=name, propensities=split.train)
        for run, name in zip(runs, names, strict=True)
    ]
    more = [
        {
            "fit_seconds": run.description.get("fit_seconds"),
            "peak_mb": None,
            "details": describe_model(run.model, split, name=name),
        }
        for run, name in zip(runs, names, strict=True)
    ]
    return gather_results(
        reports,
        more,
        data=" and ".join(listed(first.description["data"]["source"])),
        split=str(first.plan),
        seed=first.plan.parameters.get("seed"),
        machine=first.description.get("machine"),
        versions=first.description.get("versions"),
    )


def _differs(first: Run, other: Run) -> str | None:
    """Return what keeps two runs from being compared; None where nothing does."""
    from aerec.recommender.rating import PredictsRatings

    if first.description["data"] != other.description["data"]:
        return "data"
    if first.plan != other.plan or first.description["parts"] != other.description["parts"]:
        return "splits"
    if isinstance(first.model, PredictsRatings) != isinstance(other.model, PredictsRatings):
        return "kinds (one predicts ratings, one ranks)"
    return None
