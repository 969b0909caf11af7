"""The command line: `aerec datasets | train | evaluate | recommend | benchmark | doctor`, one file a verb."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer

from aerec._version import __version__
from aerec.cli import benchmark, datasets, doctor, evaluate, recommend, train
from aerec.errors import AerecError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Autoencoder recommenders: train, evaluate honestly, recommend.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _verb in (datasets, train, evaluate, recommend, benchmark, doctor):
    app.command()(getattr(_verb, _verb.__name__.rpartition(".")[2]))


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"aerec {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    warnings.showwarning = _one_line  # type: ignore[assignment]
    try:
        app(prog_name="aerec")
    except (AerecError, ValueError, OSError) as error:
        _say("error", error)
        sys.exit(2)
    except KeyboardInterrupt:
        _say("stopped", "nothing was written that is not whole")
        sys.exit(130)


def _one_line(message: Warning | str, category: type[Warning], *_: Any) -> None:
    if not issubclass(category, DeprecationWarning | FutureWarning):
        _say("warning", message)


def _say(kind: str, text: object) -> None:
    print(f"aerec: {kind}: {' '.join(str(text).split())}", file=sys.stderr)  # noqa: T201
