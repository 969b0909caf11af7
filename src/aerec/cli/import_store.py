"""`aerec import`: from Parquet files to a store, for ratings larger than memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from aerec.cli.options import Json
from aerec.cli.output import print_json, print_note

__all__ = ["import_store"]


def import_store(
    data: Annotated[Path, typer.Argument(help="A folder of Parquet files, partitioned or not, or one file.")],
    out: Annotated[Path, typer.Option(help="The folder of the store.")],
    user: Annotated[str | None, typer.Option(help="Column of user ids; by default one of the usual names.")] = None,
    item: Annotated[str | None, typer.Option(help="Column of item ids.")] = None,
    rating: Annotated[str, typer.Option(help="Column of ratings; where it is absent each row counts as 1.")] = "rating",
    timestamp: Annotated[str, typer.Option(help="Column of times; may be absent.")] = "timestamp",
    implicit: Annotated[bool, typer.Option("--implicit", help="Each row counts as 1, whatever its rating.")] = False,
    threshold: Annotated[float | None, typer.Option(help="Ratings from here on become 1, others are left out.")] = None,
    min_per_user: Annotated[int, typer.Option(help="Leave out users with fewer ratings.")] = 1,
    min_per_item: Annotated[int, typer.Option(help="Leave out items with fewer ratings.")] = 1,
    memory_limit: Annotated[str, typer.Option(help="What DuckDB may use; beyond it sorts on disk.")] = "2GB",
    threads: Annotated[int | None, typer.Option(help="Of DuckDB.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a store that is in the folder.")] = False,
    json: Json = False,
) -> None:
    """Import Parquet files into a store, which other verbs read without loading it whole.

    Give the store to `aerec train` like any path. Binarize and filter here: done later it is done in memory.
    """
    from aerec.datasets import import_parquet

    started = time.perf_counter()
    found = import_parquet(
        data,
        out,
        user=user,
        item=item,
        rating=None if implicit else rating,
        timestamp=timestamp,
        threshold=threshold,
        min_per_user=min_per_user,
        min_per_item=min_per_item,
        memory_limit=memory_limit,
        threads=threads,
        overwrite=overwrite,
    )
    seconds = time.perf_counter() - started
    if json:
        counts = {"n_users": found.shape[0], "n_items": found.shape[1], "n_ratings": found.n_ratings}
        print_json({"store": str(out), **counts, "seconds": round(seconds, 3)})
        return
    print_note(f"{found} in {seconds:.1f} s")
    print_note(f"stored in {out}; next: aerec train {out}")
