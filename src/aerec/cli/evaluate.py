"""`aerec evaluate`: a run measured again, with any metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aerec.cli.options import Json
from aerec.cli.output import check_output, print_json, print_note, write_frame
from aerec.errors import DataError

__all__ = ["evaluate"]


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder of `aerec train`.")],
    metrics: Annotated[
        str | None, typer.Option(help="Separated by commas: recall@20, ndcg@100, map@10, coverage@20, rmse, …")
    ] = None,
    part: Annotated[str, typer.Option(help="test or validation.")] = "test",
    per_user: Annotated[Path | None, typer.Option(help="Also write the values of each user: .csv, .parquet, …")] = None,
    beyond: Annotated[
        bool,
        typer.Option(
            "--beyond", help="Also novelty, diversity, calibration, and recall by activity and popularity, of 20 items."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Measure the model of a run on the data that was held out from it."""
    from aerec.cli.data import chosen_metrics
    from aerec.evaluation import describe_recommendations
    from aerec.evaluation import evaluate as evaluate_model
    from aerec.runs.folder import read_run

    if part not in ("test", "validation"):
        raise ValueError(f"--part is test or validation, got {part!r}")
    if per_user is not None:
        check_output(per_user)
    opened = read_run(run)
    split = opened.split
    holdout = None if split is None else split.test if part == "test" else split.validation
    if split is None or holdout is None:
        raise DataError(f"{run} was trained without {part} data (split: {opened.plan}): there is nothing to measure on")
    name = opened.description["model"]["name"]
    report = evaluate_model(opened.model, holdout, chosen_metrics(metrics, opened.model), name=name)
    described = describe_recommendations(opened.model, holdout, split.train, name=name) if beyond else None
    if per_user is not None:
        write_frame(report.per_user.reset_index(), per_user)
    if json:
        more = {} if described is None else {"beyond": described.to_dict()}
        print_json({"run": str(run), "part": part, "split": str(opened.plan), **report.to_dict(), **more})
        return
    print_note(f"{run}, {part} part of {opened.plan}")
    print_note(str(report))
    if described is not None:
        print_note(str(described))
