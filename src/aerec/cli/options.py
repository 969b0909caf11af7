"""Options that several verbs share. Whatever takes long to import is imported by a verb when it runs, not here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aerec._lazy import exported_names

_MODELS = (
    module.rpartition(".")[2].replace("_", "-")
    for room in ("aerec.baselines", "aerec.models")
    for module in exported_names(room).values()
)
_SPLITS = "strong, random, last, temporal, cold-users, cold-items"

DataArgument = Annotated[str, typer.Argument(help="A name of `aerec datasets`, or a path to ratings.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Metrics = Annotated[str | None, typer.Option(help="Measured on test data, separated by commas.")]
MinPerItem = Annotated[int, typer.Option(help="Leave out items with fewer ratings.")]
MinPerUser = Annotated[int, typer.Option(help="Leave out users with fewer ratings.")]
ModelName = Annotated[str, typer.Option(help=f"One of {', '.join(sorted(_MODELS))}.")]
NewItems = Annotated[
    Path | None,
    typer.Option(
        "--new-items",
        metavar="FILE",
        help="Also recommend the items of this table that nobody has rated, by what they have in common with rated "
        "ones: a row an item (.csv, .jsonl, .parquet) with its id, tags as a|b, categories, numbers.",
    ),
]
FeatureText = Annotated[
    list[str] | None,
    typer.Option("--text", metavar="COLUMN", help="A column of --new-items of which the words count; repeatable."),
]
PlotFolder = Annotated[
    Path | None, typer.Option("--plots", help="Also write the pictures of the report as PNG and SVG into this folder.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
ReportPath = Annotated[
    Path | None,
    typer.Option("--report", help="Also write an HTML page with tables and pictures; needs the extra report."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="A hyper-parameter, such as hidden=600,200 or noise=masking:0.5; repeatable."),
]
SplitKind = Annotated[
    str | None,
    typer.Option(
        "--split",
        help=f"How to hold data out: {_SPLITS}, given (by the publisher) or none (train on all). "
        "By default given where there is such a split, random for models that know users or predict ratings, "
        "else strong.",
    ),
]
Threshold = Annotated[
    float,
    typer.Option(
        help="Ratings from here on count as liked, the rest is left out; for models that rank explicit ratings."
    ),
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        help="tensorboard or tensorboard:FOLDER, mlflow or mlflow:URI; repeatable. By default the folder tensorboard "
        "beside OUT, and what MLflow takes.",
    ),
]

UserColumn = Annotated[
    str | None,
    typer.Option("--user", metavar="COLUMN", help="Column of user ids; by default one of the usual names."),
]
ItemColumn = Annotated[
    str | None,
    typer.Option("--item", metavar="COLUMN", help="Column of item ids; by default one of the usual names."),
]
RatingColumn = Annotated[
    str | None,
    typer.Option("--rating", metavar="COLUMN", help="Column of ratings; without one, every row counts as 1."),
]
TimestampColumn = Annotated[
    str | None,
    typer.Option("--timestamp", metavar="COLUMN", help="Column of times; may be absent. none: do without."),
]
WeightColumn = Annotated[
    str | None,
    typer.Option(
        "--weight", metavar="COLUMN", help="Column of weights: how much each rating counts; by default alike."
    ),
]
Implicit = Annotated[
    bool, typer.Option("--implicit", help="Clicks or purchases: every row counts as 1, whatever its rating.")
]
Counts = Annotated[
    bool,
    typer.Option(
        "--counts", help="Counts, such as plays: a row has the value log(1 + count). Often --implicit ranks better."
    ),
]
Separator = Annotated[
    str | None,
    typer.Option("--separator", metavar="MARK", help="What stands between fields, such as ; or tab; found by itself."),
]
NoHeader = Annotated[
    bool,
    typer.Option("--no-header", help="The first line is a rating. Columns are numbers then: 1, 2, 3, … by default."),
]


def parse_list(text: str) -> list[str]:
    """Split at commas; blanks around the parts do not count."""
    return [part.strip() for part in text.split(",") if part.strip()]
