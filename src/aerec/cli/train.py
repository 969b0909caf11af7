"""`aerec train`: from a data set to a run folder with a trained model."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from aerec.cli.data import MinPerItem, MinPerUser, Preprocessing, SplitKind, Threshold, choose_split, rates
from aerec.cli.options import Json, Quiet, build_model, parse_list
from aerec.cli.output import print_json, print_note
from aerec.environment import describe_machine, package_versions
from aerec.errors import DataError
from aerec.evaluation import Report, evaluate
from aerec.evaluation.evaluator import DEFAULT_METRICS
from aerec.metrics import parse_metric
from aerec.models import Autoencoder
from aerec.models.base import Recommender
from aerec.models.state import encode_parameter
from aerec.registry import MODELS, get_model_class
from aerec.runs import check_run_path, whole, write_run

__all__ = ["train"]


def train(
    data: Annotated[str, typer.Argument(help="A name of `aerec datasets`, or a path to ratings.")],
    model: Annotated[str, typer.Option(help=f"One of {', '.join(MODELS)}.")] = "mult-vae",
    out: Annotated[Path, typer.Option(help="The run folder to write.")] = Path("run"),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="A hyper-parameter, such as hidden=600,200 or noise=masking:0.5; repeatable."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Short for --set epochs=…")] = None,
    device: Annotated[str | None, typer.Option(help="Short for --set device=…")] = None,
    seed: Annotated[int, typer.Option(help="Of the model and the split.")] = 0,
    split: SplitKind = None,
    threshold: Threshold = 4.0,
    min_per_user: MinPerUser = 5,
    min_per_item: MinPerItem = 1,
    metrics: Annotated[str | None, typer.Option(help="Measured on test data, separated by commas.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that is in the folder.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was interrupted.")] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train a model, measure it on held-out data and save both as a run folder.

    Models that learn in epochs keep their state in OUT.checkpoint until the run is saved: the same command with
    --resume goes on from it and ends where the uninterrupted training would have ended.
    """
    chosen = get_model_class(model)
    recommender = build_model(chosen, settings or [], epochs=epochs, device=device, seed=seed, progress=not quiet)
    names = chosen_metrics(metrics, recommender)
    check_run_path(out, overwrite)
    kept = _checkpoint_path(recommender, out, resume=resume, overwrite=overwrite)
    preprocessing = Preprocessing(None if rates(chosen) else threshold, min_per_user, min_per_item)
    parts = preprocessing.load(data, progress=not quiet)
    plan = choose_split(split, parts, recommender, seed)
    divided = plan.apply(parts)
    started = time.perf_counter()
    seen = (whole(parts), None) if divided is None else (divided.train, divided.validation)
    if isinstance(recommender, Autoencoder):
        recommender.fit(*seen, checkpoint=kept)
    else:
        recommender.fit(*seen)
    seconds = time.perf_counter() - started
    report = None if divided is None else evaluate(recommender, divided.test, names, name=model)
    description = {
        "data": {"source": data, "content": str(whole(parts)), **preprocessing.describe()},
        "model": {
            "name": model,
            "parameters": {key: encode_parameter(value) for key, value in recommender.get_params(deep=False).items()},
        },
        "fit_seconds": round(seconds, 3),
        "report": None if report is None else report.to_dict(),
        "machine": describe_machine(),
        "versions": package_versions(),
    }
    write_run(out, recommender, parts, plan, description, overwrite)
    if kept is not None:
        shutil.rmtree(kept, ignore_errors=True)
    if json:
        print_json({"run": str(out), "split": str(plan), **description})
    else:
        _tell(model, str(whole(parts)), str(plan), seconds, recommender, report, out)


def _checkpoint_path(model: Recommender, out: Path, *, resume: bool, overwrite: bool) -> Path | None:
    """Return where the state of the training is kept; None for models that do not learn in epochs."""
    if not isinstance(model, Autoencoder):
        return None
    kept = out.with_name(f"{out.name}.checkpoint")
    if kept.exists() and not resume:
        if not overwrite:
            raise DataError(
                f"{kept} holds a training that was interrupted: go on with --resume, or start anew with --overwrite"
            )
        shutil.rmtree(kept)
    return kept


def chosen_metrics(text: str | None, model: Recommender) -> tuple[str, ...]:
    """Return the metrics named in `text`, checked before anything takes long, or what suits the model."""
    if text is None:
        return ("rmse", "mae") if rates(type(model)) else DEFAULT_METRICS
    names = tuple(parse_list(text))
    if not names:
        raise ValueError("--metrics is empty; name at least one, such as recall@20")
    for name in names:
        parse_metric(name)
    return names


def _tell(
    model: str, content: str, plan: str, seconds: float, recommender: Recommender, report: Report | None, out: Path
) -> None:
    history: Any = getattr(recommender, "history_", None)
    epochs = "" if history is None else f", {len(history)} epochs"
    print_note(content)
    print_note(f"{model} trained in {seconds:.1f} s{epochs}; split: {plan}")
    print_note("nothing was held out: not measured" if report is None else str(report))
    print_note(f"saved as {out}; next: aerec recommend {out} --user … -k 10")
