"""`aerec train`: from a data set to a run folder with a trained model."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aerec.cli.options import (
    NOTHING_SAID,
    DataArgument,
    Json,
    Metrics,
    MinPerItem,
    MinPerUser,
    ModelName,
    Quiet,
    Reading,
    Settings,
    SplitKind,
    Threshold,
    Track,
    reads_ratings,
)
from aerec.cli.output import print_json, print_note
from aerec.errors import DataError

if TYPE_CHECKING:
    from aerec.cli.configuration import Configuration
    from aerec.cli.data import Prepared
    from aerec.evaluation import Report
    from aerec.interactions import Interactions
    from aerec.recommender.base import Recommender
    from aerec.runs.folder import SplitPlan
    from aerec.splitting import Split
    from aerec.training.distributed import Ranks

HISTORY = "history.jsonl"
"""One line per epoch: in OUT.checkpoint during the training, then in OUT."""


@reads_ratings()
def train(
    context: typer.Context,
    data: DataArgument = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file with all of this, such as config.toml of a run; options override.")
    ] = None,
    model: ModelName = "mult-vae",
    out: Annotated[Path, typer.Option(help="The run folder to write.")] = Path("run"),
    settings: Settings = None,
    epochs: Annotated[int | None, typer.Option(help="Short for --set epochs=…")] = None,
    device: Annotated[str | None, typer.Option(help="Short for --set device=…")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the model and the split.")] = 0,
    reading: Reading = NOTHING_SAID,
    split: SplitKind = None,
    threshold: Threshold = 4.0,
    min_per_user: MinPerUser = 5,
    min_per_item: MinPerItem = 1,
    metrics: Metrics = None,
    track: Track = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that is in the folder.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was interrupted, or for more --epochs.")
    ] = False,
    warm_from: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Begin with what this run has learned, on its data that has grown, or on other DATA; everything else "
            "is as in the run unless told otherwise.",
        ),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train a model, measure it on held-out data and save both as a run folder.

    Models that learn in epochs keep their state in OUT.checkpoint, and in OUT/checkpoint when the run is saved: the
    same command with --resume goes on from it and ends where the uninterrupted training would have ended, also that of
    more --epochs.

    On several processes: torchrun --nproc-per-node N -m aerec train …, see the documentation on scaling.
    """
    from sklearn.utils.validation import has_fit_parameter

    from aerec.cli.configuration import describe_run
    from aerec.cli.data import choose_split, chosen_metrics
    from aerec.cli.ranks import join_ranks, restarts
    from aerec.cli.settings import build_model
    from aerec.cli.stopping import when_stopped
    from aerec.cli.track import build_tracker
    from aerec.cli.warm_start import FormerRun
    from aerec.evaluation import evaluate
    from aerec.registry import get_model_class
    from aerec.runs.folder import check_run_path, kept_state, whole, write_run
    from aerec.tracking import JSONLines

    configuration = _configured(context, data, config, warm_from)
    name, source = configuration.model or model, configuration.data["source"]
    chosen = get_model_class(name)
    short = [f"{word}={value}" for word, value in (("epochs", epochs), ("device", device)) if value is not None]
    recommender = build_model(
        chosen,
        [*short, *(settings or [])],
        configuration.parameters,
        seed=None if "seed" in configuration.parameters else configuration.seed,
        progress=False if quiet else None,
    )
    names = chosen_metrics(None if configuration.metrics is None else ",".join(configuration.metrics), recommender)
    former = None if configuration.warm_from is None else FormerRun.open(configuration.warm_from, recommender)
    if former is not None and resume:
        raise ValueError("--resume goes on with a training, --warm-from begins one: give one of them")
    out = out.expanduser()
    finished = kept_state(out) if resume else None
    check_run_path(out, overwrite or finished is not None)
    ranks = join_ranks(context, recommender)
    alone = ranks is None or ranks.is_first
    resume = resume or restarts() > 0
    checkpoint = None
    if former is None:
        checkpoint = _checkpoint_path(recommender, out, finished, resume=resume, overwrite=overwrite, clean=alone)
    if ranks is not None:
        ranks.wait()
    trackers = [build_tracker(tracker_text, out, checkpoint) for tracker_text in track or [] if alone]
    prepared = _prepared(configuration, chosen, progress=alone and not quiet, advise=alone)
    parts, preparation = prepared.parts, prepared.rules
    plan = configuration.plan(choose_split(configuration.split, parts, recommender, configuration.seed or 0))
    parts = parts if former is None else former.divisible(parts, plan)
    divided = _divided(plan, parts)
    described = describe_run(
        source, preparation.describe(), plan, name, recommender, names, warm_from=configuration.warm_from
    )
    if alone and not json:
        print_note(str(prepared.kept))
    if former is not None:
        if divided is not None:
            former.warn_of_trained(divided.test.target)
        recommender = former.model(recommender.get_params(deep=False))
    done_before = _epochs_in(checkpoint)
    started = time.perf_counter()
    seen = (whole(parts), None) if divided is None else (divided.train, divided.validation)
    callbacks = [*([] if checkpoint is None else [JSONLines(checkpoint / HISTORY)]), *trackers] if alone else []
    with when_stopped(lambda: _how_to_go_on(checkpoint)):
        options = {"warm_start": former is not None, "checkpoint": checkpoint, "callbacks": callbacks}
        recommender.fit(*seen, **(options if has_fit_parameter(recommender, "checkpoint") else {}))
    seconds = time.perf_counter() - started
    if not alone:
        return
    if done_before and len(recommender.history_) == done_before and not json:
        print_note(
            f"nothing was left to train after {done_before} epochs; for more: --epochs, or where patience ended the "
            "training, --set patience=none"
        )
    report = (
        None if divided is None else evaluate(recommender, divided.test, names, name=name, propensities=divided.train)
    )
    for tracker in trackers:
        tracker.measured({} if report is None else report.mean, recommender)
    content = str(whole(parts))
    about_data = {"source": source, "content": content, "kept": prepared.kept.describe(), **preparation.describe()}
    description = {
        "data": about_data,
        **_about_training(name, recommender, seconds, ranks, report),
        **({} if former is None else {"warm_from": former.describe(whole(parts))}),
    }
    state = checkpoint if _holds_state(checkpoint) else None
    files = {"config.toml": described, **_history_in(checkpoint)}
    write_run(out, recommender, parts, plan, description, overwrite or finished is not None, files, state)
    if checkpoint is not None and checkpoint.parent != out:
        shutil.rmtree(checkpoint, ignore_errors=True)
    if json:
        print_json({"run": str(out), "split": str(plan), **description})
    else:
        if former is not None:
            items = description["warm_from"]["items"]
            print_note(f"began with {configuration.warm_from}: {items['known']:,} items known, {items['new']:,} new")
        _tell(name, content, str(plan), seconds, recommender, report, out)


def _configured(
    context: typer.Context, data: list[str] | None, config: Path | None, warm_from: Path | None
) -> Configuration:
    """Return what the file and the options ask for."""
    from aerec.cli.configuration import Configuration, override, read_configuration
    from aerec.runs.folder import read_run

    if not data and config is None and warm_from is None:
        raise typer.BadParameter("name the data to train on, or give --config FILE", ctx=context, param_hint="DATA")
    if config is None and warm_from is not None:
        config = read_run(warm_from).path / "config.toml"
    configuration = read_configuration(config) if config is not None else Configuration()
    source = context.get_parameter_source
    return override(configuration, context.params, lambda word: getattr(source(word), "name", "DEFAULT") != "DEFAULT")


def _prepared(configuration: Configuration, kind: type[Recommender], *, progress: bool, advise: bool) -> Prepared:
    """Return the data as the configuration prepares them; a model that predicts ratings needs no threshold."""
    from aerec.cli.data import preprocessing_of, threshold_for

    preparation = preprocessing_of(configuration.data)
    preparation = replace(preparation, threshold=threshold_for(kind, preparation.threshold))
    return preparation.load(configuration.data["source"], progress=progress, advise=advise)


def _divided(plan: SplitPlan, parts: dict[str, Interactions]) -> Split | None:
    """Return the split, where the plan holds anything out."""
    from aerec.cli.data import divide

    divided = divide(plan, parts)
    if divided is not None and divided.test.target.n_ratings == 0:
        raise DataError(
            f"{plan} holds nothing out, as of users with one rating each: there is nothing to measure; "
            "--split none trains on all of it"
        )
    return divided


def _about_training(
    name: str, recommender: Recommender, seconds: float, ranks: Ranks | None, report: Report | None
) -> dict[str, Any]:
    """Return what the run says of the model, and of how it was trained and measured."""
    from aerec.recommender.saving import encode_parameter
    from aerec.system.environment import describe_machine, package_versions

    parameters = {key: encode_parameter(value) for key, value in recommender.get_params(deep=False).items()}
    return {
        "model": {"name": name, "parameters": parameters},
        "fit_seconds": round(seconds, 3),
        "processes": 1 if ranks is None else ranks.size,
        "report": None if report is None else report.to_dict(),
        "machine": describe_machine(),
        "versions": package_versions(),
    }


def _holds_state(checkpoint: Path | None) -> bool:
    return checkpoint is not None and (checkpoint / "checkpoint.json").exists()


def _history_in(checkpoint: Path | None) -> dict[str, str]:
    """Return the file of the epochs, if there is one, for the run."""
    path = None if checkpoint is None else checkpoint / HISTORY
    return {HISTORY: path.read_text(encoding="utf-8")} if path is not None and path.exists() else {}


def _how_to_go_on(checkpoint: Path | None) -> str | None:
    if not _holds_state(checkpoint):
        return None
    return f"the same command with --resume goes on from the last epoch, which is kept in {checkpoint}"


def _epochs_in(checkpoint: Path | None) -> int:
    """Return how many epochs a checkpoint holds."""
    from aerec.files.storage import read_header

    if checkpoint is None or not _holds_state(checkpoint):
        return 0
    return len(read_header(checkpoint, "checkpoint")["records"])


def _checkpoint_path(
    model: Recommender, out: Path, finished: Path | None, *, resume: bool, overwrite: bool, clean: bool
) -> Path | None:
    """Return where the state of the training is kept; None for models that do not learn in epochs.

    `finished` is the state of a run that is to be trained longer: an interrupted training comes before it. Only with
    `clean` a state that is not to be gone on with is removed.
    """
    from sklearn.utils.validation import has_fit_parameter

    from aerec.training.checkpoint import refuse_in_use

    if not has_fit_parameter(model, "checkpoint"):
        if resume:
            raise ValueError(
                f"{type(model).__name__} does not learn in epochs and keeps no state to go on from: leave out --resume"
            )
        return None
    checkpoint = out.with_name(f"{out.name}.checkpoint")
    if finished is not None and not checkpoint.exists():
        return finished
    if checkpoint.exists() and not resume:
        if clean:
            refuse_in_use(checkpoint)
        if not overwrite:
            raise DataError(
                f"{checkpoint} holds a training that was interrupted: go on with --resume, or anew with --overwrite"
            )
        if clean:
            shutil.rmtree(checkpoint)
    return checkpoint


def _tell(
    model: str, content: str, plan: str, seconds: float, recommender: Recommender, report: Report | None, out: Path
) -> None:
    history: Any = getattr(recommender, "history_", None)
    epochs = "" if history is None else f", {len(history)} epochs"
    print_note(content)
    print_note(f"{model} trained in {seconds:.1f} s{epochs}; split: {plan}")
    print_note("nothing was held out: not measured" if report is None else str(report))
    print_note(f"saved as {out}; next: aerec recommend {out} --user … -k 10")
