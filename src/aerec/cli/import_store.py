"""`aerec import`: from files to a store, for ratings larger than memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from aerec.cli.options import NOTHING_SAID, Json, Reading, reads_ratings
from aerec.cli.output import print_json, print_note


@reads_ratings("counts", "weight")
def import_store(
    data: Annotated[Path, typer.Argument(help="A folder of Parquet files, partitioned or not, or any ratings.")],
    out: Annotated[Path, typer.Option(help="The folder of the store.")],
    reading: Reading = NOTHING_SAID,
    threshold: Annotated[float | None, typer.Option(help="Ratings from here on become 1, others are left out.")] = None,
    min_per_user: Annotated[int, typer.Option(help="Leave out users with fewer ratings.")] = 1,
    min_per_item: Annotated[int, typer.Option(help="Leave out items with fewer ratings.")] = 1,
    memory_limit: Annotated[str, typer.Option(help="What DuckDB may use; beyond it sorts on disk.")] = "2GB",
    threads: Annotated[int | None, typer.Option(help="Of DuckDB.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a store that is in the folder.")] = False,
    json: Json = False,
) -> None:
    """Import ratings into a store that other verbs map from disk.

    Parquet files are never loaded whole; other files are read once. Give the store to `aerec train` like any path.
    Binarize and filter here: done later it is done in memory.
    """
    from aerec.datasets import import_ratings
    from aerec.files.storage import read_header

    started = time.perf_counter()
    data_set = import_ratings(
        data,
        out,
        **reading.options(),
        threshold=threshold,
        min_per_user=min_per_user,
        min_per_item=min_per_item,
        memory_limit=memory_limit,
        threads=threads,
        overwrite=overwrite,
    )
    seconds, n_rows = time.perf_counter() - started, read_header(out, "store")["origin"]["rows"]
    if json:
        counts = {"n_users": data_set.shape[0], "n_items": data_set.shape[1], "n_ratings": data_set.n_ratings}
        print_json({"store": str(out), "n_rows": n_rows, **counts, "seconds": round(seconds, 3)})
        return
    rules = {"≥ {:g}": threshold, "users with ≥ {}": min_per_user, "items with ≥ {}": min_per_item}
    conditions = ", ".join(text.format(value) for text, value in rules.items() if value is not None and value != 1)
    print_note(f"kept {data_set.n_ratings:,} of {n_rows:,} ratings" + (f" ({conditions})" if conditions else ""))
    print_note(f"{data_set} in {seconds:.1f} s")
    print_note(f"stored in {out}; next: aerec train {out}")
