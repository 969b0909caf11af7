"""`aerec evaluate`: a run measured again, with any metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aerec.cli.options import NOTHING_SAID, Json, Reading, reads_ratings
from aerec.cli.output import check_output, print_json, print_note, write_frame
from aerec.errors import DataError

if TYPE_CHECKING:
    from aerec.cli.data import Preprocessing
    from aerec.cli.own_data import OwnData
    from aerec.holdout import Holdout
    from aerec.runs.folder import Run


@reads_ratings("weight")
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder of `aerec train`.")],
    metrics: Annotated[
        str | None, typer.Option(help="Separated by commas: recall@20, ndcg@100, map@10, coverage@20, rmse, …")
    ] = None,
    part: Annotated[str, typer.Option(help="Of the run's own data: test or validation.")] = "test",
    data: Annotated[
        str | None,
        typer.Option(
            help="Measure on these ratings instead, such as those of other users: some of each user's are held out. "
            "Read and prepared as in the training unless told otherwise."
        ),
    ] = None,
    history: Annotated[
        str | None, typer.Option(metavar="FILE", help="Instead of --data: what the model may see of each user.")
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="FILE", help="With --history: what it has to find.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="How --data is divided: strong, random, last or temporal; by default as in the training."),
    ] = None,
    reading: Reading = NOTHING_SAID,
    threshold: Annotated[
        float | None, typer.Option(help="Ratings of --data from here on count as liked; by default as in the training.")
    ] = None,
    min_per_user: Annotated[
        int | None, typer.Option(help="Leave out users of --data with fewer ratings; by default as in the training.")
    ] = None,
    per_user: Annotated[Path | None, typer.Option(help="Also write the values of each user: .csv, .parquet, …")] = None,
    beyond: Annotated[
        bool,
        typer.Option(
            "--beyond", help="Also novelty, diversity, calibration, and recall by activity and popularity, of 20 items."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Measure the model of a run on the data that was held out from it, or on data of your own."""
    from aerec.cli.data import chosen_metrics, preprocessing_like
    from aerec.evaluation import describe_recommendations
    from aerec.evaluation import evaluate as evaluate_model
    from aerec.runs.folder import read_run

    if part not in ("test", "validation"):
        raise ValueError(f"--part is test or validation, got {part!r}")
    if per_user is not None:
        check_output(per_user)
    more = {"split": split, "threshold": threshold, "min-per-user": min_per_user, **reading.describe()}
    sources = _sources(data, history, target, [word for word, value in more.items() if value is not None])
    opened = read_run(run)
    names = chosen_metrics(metrics, opened.model)
    preparation = preprocessing_like(opened, reading, threshold, min_per_user)
    own = _own_data(opened, sources, preparation, split)
    if own is None:
        holdout, divided = _held_out(opened, part), str(opened.plan)
    else:
        holdout, divided = own.holdout, own.split
        if not json:
            print_note(str(own.kept))
    name = opened.description["model"]["name"]
    trained = opened.data if opened.split is None else opened.split.train
    report = evaluate_model(opened.model, holdout, names, name=name, propensities=trained)
    described = None
    if beyond:
        described = describe_recommendations(opened.model, holdout, trained, name=name)
    if per_user is not None:
        write_frame(report.per_user.reset_index(), per_user)
    if json:
        place = {"part": part} if own is None else {"data": sources, "kept": own.kept.describe()}
        extra = {} if described is None else {"beyond": described.to_dict()}
        print_json({"run": str(run), **place, "split": divided, **report.to_dict(), **extra})
        return
    print_note(f"{run}, {part} part of {divided}" if own is None else f"{run} on {' and '.join(sources)}, {divided}")
    print_note(str(report))
    if described is not None:
        print_note(str(described))


def _sources(data: str | None, history: str | None, target: str | None, options: list[str]) -> list[str]:
    """Return the files to measure on: none, one that is to be divided, or that of histories and that of targets."""
    if data is not None and (history is not None or target is not None):
        raise ValueError("give --data, or --history and --target")
    if history is not None and target is not None:
        if "split" in options:
            raise ValueError("--history and --target are a split already: leave out --split")
        return [history, target]
    if history is not None or target is not None:
        raise ValueError(
            "--history and --target go together: what the model may see of each user, and what it must find"
        )
    if data is None and options:
        raise ValueError(f"--{options[0].replace('_', '-')} is said of --data FILE: name the file")
    return [] if data is None else [data]


def _own_data(run: Run, sources: list[str], preparation: Preprocessing, split: str | None) -> OwnData | None:
    from aerec.cli.own_data import divided_data, given_holdout

    if not sources:
        return None
    if len(sources) == 1:
        return divided_data(run, sources[0], preparation, split)
    return given_holdout(run, sources[0], sources[1], preparation)


def _held_out(run: Run, part: str) -> Holdout:
    split = run.split
    holdout = None if split is None else split.test if part == "test" else split.validation
    if holdout is None:
        raise DataError(
            f"{run.path} was trained without {part} data (split: {run.plan}): there is nothing to measure on; "
            "--data FILE measures on ratings of your own"
        )
    return holdout
