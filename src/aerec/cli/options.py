"""Options that several verbs share. Whatever takes long to import is imported by a verb when it runs, not here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from aerec._lazy import exported_names

if TYPE_CHECKING:
    from aerec.frames import Duplicates

_MODELS = (
    module.rpartition(".")[2].replace("_", "-")
    for room in ("aerec.baselines", "aerec.models")
    for module in exported_names(room).values()
)
_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";"}
_SPLITS = "strong, random, last, temporal, cold-users, cold-items"

DataArgument = Annotated[
    list[str] | None,
    typer.Argument(help="A name of `aerec datasets`, or a path to ratings; several are joined, oldest first."),
]
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

ItemColumn = Annotated[
    str | None,
    typer.Option("--item", metavar="COLUMN", help="Column of item ids; by default one of the usual names."),
]


@dataclass(frozen=True)
class Reading:
    """What is said of a file of ratings: the fields are options of the command line, and keys of ``[data]``.

    The options are those of the verbs that `reads_ratings` decorates.
    """

    user: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of user ids; by default one of the usual names.")
    ] = None
    item: ItemColumn = None
    rating: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of ratings; without one, every row counts as 1.")
    ] = None
    timestamp: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of times; may be absent. none: do without.")
    ] = None
    weight: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of weights: how much each rating counts; by default alike."),
    ] = None
    implicit: Annotated[
        bool, typer.Option("--implicit", help="Clicks or purchases: every row counts as 1, whatever its rating.")
    ] = False
    counts: Annotated[
        bool,
        typer.Option(
            "--counts",
            help="Counts, such as plays: those of a user and item are added up and become log(1 + count). Often "
            "--implicit ranks better.",
        ),
    ] = False
    keep: Annotated[
        str,
        typer.Option(
            metavar="first|last",
            help="Which of several rows of a user and item counts: for --split temporal and last the first.",
        ),
    ] = "last"
    separator: Annotated[
        str | None,
        typer.Option(metavar="MARK", help="What stands between fields, such as ; or tab; found by itself."),
    ] = None
    no_header: Annotated[
        bool,
        typer.Option(
            "--no-header", help="The first line is a rating. Columns are numbers then: 1, 2, 3, … by default."
        ),
    ] = False

    def __post_init__(self) -> None:
        if self.implicit and (self.counts or self.rating is not None):
            other = "--counts" if self.counts else "--rating"
            raise ValueError(
                f"--implicit counts every row as 1 and {other} reads a column of numbers: give one of them"
            )
        if self.keep not in ("first", "last"):
            raise ValueError(f"--keep is first or last, got {self.keep!r}")
        if self.keep == "first" and self.counts:
            raise ValueError("--keep first takes one row of a user and item, --counts adds them up: give one of them")

    @property
    def duplicates(self) -> Duplicates:
        """What becomes of several rows of a user and item."""
        return "sum" if self.counts else "first" if self.keep == "first" else "last"

    def options(self) -> dict[str, Any]:
        """Return the parameters of `read_ratings` that say the same."""
        parameters: dict[str, Any] = {
            name: value for name in ("user", "item", "weight") if (value := getattr(self, name)) is not None
        }
        if self.implicit:
            parameters["rating"] = None
        elif self.rating is not None:
            parameters["rating"] = self.rating
        if self.timestamp is not None:
            parameters["timestamp"] = None if self.timestamp == "none" else self.timestamp
        if self.separator is not None:
            parameters["sep"] = _SEPARATORS.get(self.separator, self.separator)
        if self.duplicates != "last":
            parameters["duplicates"] = self.duplicates
        if self.no_header:
            parameters["header"] = False
        return parameters

    def describe(self) -> dict[str, Any]:
        """Return what was said, by key."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}


NOTHING_SAID = Reading()


def reads_ratings(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the options of `Reading`, but for some, which it takes as its argument `reading`."""
    options = {field.name: field.default for field in fields(Reading) if field.name not in without}

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        def with_options(**words: Any) -> None:
            reading = Reading(**{name: words.pop(name) for name in options})
            verb(**words, reading=reading)

        defaults: dict[str, Any] = {}  # in the order of the help
        for name, parameter in inspect.signature(verb).parameters.items():
            defaults |= options if name == "reading" else {name: parameter.default}
        hints = {of: get_type_hints(of, include_extras=True) for of in (Reading, verb)}
        kinds = {name: hints[Reading if name in options else verb][name] for name in defaults}
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        with_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind, default=defaults[name], annotation=kinds[name]) for name in defaults]
        )
        with_options.__name__, with_options.__doc__, with_options.__annotations__ = verb.__name__, verb.__doc__, kinds
        return with_options

    return decorate


def parse_list(text: str) -> list[str]:
    """Split at commas; blanks around the parts do not count."""
    return [part.strip() for part in text.split(",") if part.strip()]
