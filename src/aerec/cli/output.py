"""What verbs print: tables for people, JSON for machines, files written whole."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Container
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aerec.errors import DataError
from aerec.files.atomic import atomic_write
from aerec.system.extras import import_extra

if TYPE_CHECKING:
    import pandas as pd

    from aerec.evaluation import Report


def print_json(content: Any, *, on_one_line: bool = False) -> None:
    """Print `content` to standard output as JSON."""
    ascii_only = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") != "utf8"
    indent = None if on_one_line else 1
    text = json.dumps(content, indent=indent, allow_nan=False, ensure_ascii=ascii_only, default=_plain)
    print(text, flush=True)  # noqa: T201


def print_table(frame: pd.DataFrame) -> None:
    """Print `frame`: a table in a terminal, the same without colours elsewhere; wide cells are never cut off."""
    from pandas.api.types import is_numeric_dtype
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in frame.columns:
        number = is_numeric_dtype(frame[name])
        table.add_column(str(name), justify="right" if number else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table, soft_wrap=not console.is_terminal)


def print_note(text: str) -> None:
    """Print a line to standard output."""
    from rich.console import Console

    Console(highlight=False, emoji=False).print(text, markup=False, soft_wrap=True)


def report_row(report: Report, marked: Container[str] | None = None) -> dict[str, str]:
    """Return the metrics of a report as cells: mean and interval; those in `marked` with a star after the mean."""
    cells = {}
    for metric, mean in report.mean.items():
        low, high = report.interval[metric]
        star = "" if marked is None else "*" if metric in marked else " "
        interval = f" [{low:.4f}, {high:.4f}]" if low == low else ""
        cells[metric] = f"{mean:.4f}{star}{interval}".rstrip()
    return cells


def check_output(path: Path) -> Callable[[pd.DataFrame, Any], None]:
    """Return how a frame is written to `path`, by its suffix; called before anything takes long.

    Raises
    ------
    DataError
        If the suffix is none of .csv, .tsv, .json, .jsonl, these with .gz, and .parquet, or the folder does not exist.
    MissingExtraError
        If Parquet is asked for without pyarrow.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the path of a file")
    if not path.parent.is_dir():
        raise DataError(f"{path} cannot be written: {path.parent} is no folder")
    plain = path.name.lower().removesuffix(".gz")
    suffix, packed = Path(plain).suffix, plain != path.name.lower()
    if suffix == ".parquet" and not packed:
        import_extra("pyarrow", "writing Parquet")
        return lambda frame, stream: frame.to_parquet(stream, index=False)
    from aerec.files.spreadsheet import without_formulas

    writers: dict[str, Callable[[pd.DataFrame, Any], None]] = {
        ".csv": lambda frame, stream: without_formulas(frame).to_csv(stream, index=False),
        ".tsv": lambda frame, stream: without_formulas(frame).to_csv(stream, sep="\t", index=False),
        ".json": lambda frame, stream: frame.to_json(stream, orient="records", force_ascii=False),
        ".jsonl": lambda frame, stream: frame.to_json(stream, orient="records", lines=True, force_ascii=False),
    }
    if suffix not in writers:
        raise DataError(
            f"{path}: the suffix says the format; give one of .csv, .tsv, .json, .jsonl, also with .gz, or .parquet"
        )
    return _packed(writers[suffix]) if packed else writers[suffix]


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write `frame` to `path`, whole or not at all."""
    write = check_output(path)
    with atomic_write(path, "wb") as stream:
        write(frame, stream)


def _packed(write: Callable[[pd.DataFrame, Any], None]) -> Callable[[pd.DataFrame, Any], None]:
    def write_packed(frame: pd.DataFrame, stream: Any) -> None:
        with gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed:
            write(frame, packed)

    return write_packed


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
