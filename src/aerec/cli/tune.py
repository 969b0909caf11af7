"""`aerec tune`: search for the hyper-parameters that do best on validation data."""

from __future__ import annotations

import inspect
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aerec.cli.options import (
    NOTHING_SAID,
    DataArgument,
    Json,
    MinPerItem,
    MinPerUser,
    ModelName,
    Quiet,
    Reading,
    SplitKind,
    Threshold,
    reads_ratings,
)
from aerec.cli.output import print_json, print_note, print_table
from aerec.cli.train import train
from aerec.errors import DataError, warn_caller
from aerec.files.atomic import check_writable

if TYPE_CHECKING:
    from aerec.dimensions import Space
    from aerec.recommender.base import Recommender
    from aerec.tuning.search import TuningResult


@reads_ratings()
def tune(
    data: DataArgument = None,
    model: ModelName = "mult-vae",
    trials: Annotated[int, typer.Option(min=1, help="Settings to try, those in --storage included.")] = 20,
    out: Annotated[Path, typer.Option(help="The folder for best.json and trials.csv.")] = Path("tune"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a search that is in the folder.")] = False,
    storage: Annotated[
        Path | None, typer.Option(help="An SQLite file that keeps the trials, from which a search goes on.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Measured on validation data; by default ndcg@100, or rmse.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="A hyper-parameter that stays as it is, such as epochs=50; repeatable."),
    ] = None,
    spaces: Annotated[
        list[str] | None,
        typer.Option(
            "--space",
            help="What a hyper-parameter may be: l2=10:20000, activation=tanh|relu; else the usual; repeatable.",
        ),
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Begin no further trial after this many seconds.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the search, the model and the split.")] = 0,
    reading: Reading = NOTHING_SAID,
    split: SplitKind = None,
    threshold: Threshold = 4.0,
    min_per_user: MinPerUser = 5,
    min_per_item: MinPerItem = 1,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Search for the hyper-parameters that do best on validation data; test data is not looked at.

    Ends with the line of `aerec train` that trains and measures the best model on the same split.
    """
    from aerec.cli.data import Preprocessing, choose_split, threshold_for
    from aerec.cli.settings import build_model
    from aerec.cli.space import format_dimension
    from aerec.cli.stopping import when_stopped
    from aerec.metrics import parse_metric
    from aerec.registry import get_model_class
    from aerec.runs.folder import whole
    from aerec.tuning.search import tune as search
    from aerec.tuning.studies import import_optuna

    if not data:
        raise ValueError("say what to tune on: aerec tune DATA, such as sample or ratings.csv")
    import_optuna()
    chosen = get_model_class(model)
    recommender = build_model(chosen, settings or [], seed=seed)
    if metric is not None:
        parse_metric(metric)
    space = _search_space(chosen, model, settings or [], spaces or [])
    goes_on_from = storage is not None and storage.exists()  # the new result holds the trials in it, too
    _check_folder(out, overwrite or goes_on_from)
    prepared = Preprocessing(threshold_for(chosen, threshold), min_per_user, min_per_item, reading).load(
        data, progress=not quiet
    )
    parts = prepared.parts
    plan = choose_split(split, parts, recommender, seed)
    divided = plan.apply(parts)
    if divided is None:
        raise ValueError("tuning needs held-out data; choose another --split than none")
    if not json:
        print_note(str(prepared.kept))
    goes_on = "with --storage FILE a search that is stopped can go on"
    if storage is not None:
        goes_on = f"the same command goes on from the trials in {storage}"
    with when_stopped(lambda: goes_on):
        result = search(
            recommender,
            divided,
            space,
            trials,
            metric=metric,
            seed=seed,
            timeout=timeout,
            storage=storage,
            progress=not quiet if quiet or json else 1,  # 1: outside a terminal a line a trial
        )
    result.save(out)
    for edge in result.edges:
        warn_caller(f"{edge}: --space {format_dimension(edge.name, edge.wider)}")
    words = {
        "--seed": seed,
        "--split": split,
        "--threshold": threshold,
        "--min-per-user": min_per_user,
        "--min-per-item": min_per_item,
        **{f"--{name.replace('_', '-')}": value for name, value in reading.describe().items()},
    }
    line = _train_line(data, model, words, result.best_model)
    if json:
        print_json(_machine_readable(result, data, model, str(plan), str(out), line))
    else:
        _tell(result, str(whole(parts)), model, str(plan), out, line)


def _search_space(kind: type[Recommender], model: str, settings: list[str], spaces: list[str]) -> Space:
    """Return what is searched: what the model has by default, and what is asked for, without what is set."""
    from aerec.cli.space import parse_dimension
    from aerec.tuning.search import default_space

    fixed = [setting.partition("=")[0] for setting in settings]
    usual_space = default_space(kind)
    searched = dict(parse_dimension(text, usual_space) for text in spaces)
    if twice := [name for name in searched if name in fixed]:
        raise ValueError(f"{twice[0]} is given by --set and by --space; leave one of them out")
    space = {name: dimension for name, dimension in {**usual_space, **searched}.items() if name not in fixed}
    if not space:
        raise ValueError(f"{model} has nothing to tune" + (f" beside {', '.join(fixed)}" if fixed else ""))
    return space


def _check_folder(out: Path, overwrite: bool) -> None:
    """Refuse, before anything takes long, a folder that cannot be written, or holds what is not to be lost."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; a search is saved as a folder, give another path")
    if (out / "best.json").exists() and not overwrite:
        raise DataError(f"{out} holds a search already; give another folder (--out), or overwrite it (--overwrite)")
    check_writable(out.resolve() / "best.json", out)


def _train_line(data: list[str], model: str, words: dict[str, Any], best: Recommender) -> str:
    """Return the command that trains `best` on the same data and split; what `aerec train` takes anyway is left out."""
    from aerec.cli.settings import settings_of

    usual = inspect.signature(train).parameters
    line = ["aerec", "train", *data, "--model", model]
    for word, value in words.items():
        if value != usual[word.lstrip("-").replace("-", "_")].default:
            line += [word] if value is True else [word, str(value)]
    for setting in settings_of(best):
        line += ["--set", setting]
    return shlex.join(line)


def _machine_readable(
    result: TuningResult, data: list[str], model: str, plan: str, out: str, line: str
) -> dict[str, Any]:
    from aerec.recommender.saving import encode_parameter

    rows = [
        {name: None if value != value else value for name, value in row.items()}
        for row in result.trials.astype(object).to_dict(orient="records")
    ]
    for row in rows:
        row.update({name: encode_parameter(row[name]) for name in result.best_params})
    return {
        "data": data[0] if len(data) == 1 else data,
        "split": plan,
        "model": model,
        "metric": result.metric,
        "best_value": result.best_value,
        "best_params": {name: encode_parameter(value) for name, value in result.best_params.items()},
        "edges": [{"name": edge.name, "end": edge.end, "wider": edge.wider.ends()} for edge in result.edges],
        "trials": rows,
        "out": out,
        "train": line,
    }


def _tell(result: TuningResult, content: str, model: str, plan: str, out: Path, line: str) -> None:
    from aerec.cli.settings import format_setting

    texts = result.trials.copy()
    for name in result.best_params:
        if texts[name].dtype == object:
            texts[name] = [format_setting(name, value).partition("=")[2] for value in texts[name]]
    states = result.trials["state"].value_counts()
    counts = ", ".join(f"{states[state]} {state}" for state in ("complete", "pruned", "failed") if state in states)
    print_note(content)
    print_table(texts)
    print_note(f"{model}: {len(texts)} trials ({counts}); split: {plan}")
    print_note(f"best {result.metric} on validation data: {result.best_value:.4f} with")
    for name, value in result.best_params.items():
        print_note(f"  {format_setting(name, value)}")
    print_note(f"saved as {out}; next, to train it and measure it on test data:")
    print_note(line)
