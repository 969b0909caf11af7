"""The command line: `aerec import | train | evaluate | recommend | benchmark | report | …`, one file a verb."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand

from aerec._version import __version__
from aerec.cli import (
    benchmark,
    datasets,
    doctor,
    evaluate,
    export,
    recommend,
    report,
    serve,
    similar,
    train,
    tune,
    units,
)
from aerec.cli.import_store import import_store
from aerec.cli.stopping import stop_notes
from aerec.cli.wording import say, warn_in_one_line
from aerec.errors import AerecError
from aerec.numerals import number_from_text, whole_from_text

_READ = {int: whole_from_text, float: number_from_text}


class _Verb(TyperCommand):
    """A command that reads numbers in the digits 0 to 9 alone: typer takes 1_0 for 10."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        hints = get_type_hints(self.callback)
        for parameter in self.params:
            kinds = [hints[parameter.name], *get_args(hints[parameter.name])]  # int | None has two
            if read := next((_READ[kind] for kind in kinds if kind in _READ), None):
                process = partial(_checked, parameter, read, parameter.process_value)
                parameter.process_value = process  # type: ignore[method-assign]


def _checked(parameter: Any, read: Callable[[str], float], process: Callable[..., Any], ctx: Any, value: Any) -> Any:
    if isinstance(value, str):
        try:
            read(value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=parameter) from None
    return process(ctx, value)


app = typer.Typer(
    help="Autoencoder recommenders: train, evaluate honestly, recommend.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _verb in (datasets, train, evaluate, recommend, similar, units, benchmark, report, tune, export, serve, doctor):
    app.command(cls=_Verb)(getattr(_verb, _verb.__name__.rpartition(".")[2]))
app.command("import", cls=_Verb)(import_store)


# What typer raises for words that it cannot make sense of: a class of click, or of the copy inside newer versions.
_UsageError: Any = typer.BadParameter.__mro__[1]
_STOPPED = 130
_LESS = "keep fewer items (--min-per-item), or take smaller values of what --set can set, such as hidden or n_factors"


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(f"aerec {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def main() -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    warn_in_one_line()
    stop_notes.clear()
    try:
        code = app(prog_name="aerec", standalone_mode=False)
    except _UsageError as error:
        command = error.ctx.command_path if error.ctx else "aerec"
        say("error", f"{error.format_message().rstrip('.')}; see {command} --help")
        sys.exit(2)
    except (AerecError, ValueError, OSError) as error:
        say("error", error)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        from aerec.system.memory import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        say("error", f"there was no more memory ({_first_line(error)}); {_LESS}")
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):  # older versions of typer turn Ctrl-C into Abort, newer ones into a code
        code = _STOPPED
    if code == _STOPPED:
        say("stopped", "; ".join(stop_notes) or "no file was left half written")
    sys.exit(code or 0)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
