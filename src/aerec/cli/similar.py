"""`aerec similar`: the items that are most alike to an item."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aerec.cli.options import Json
from aerec.cli.output import check_output, print_json, print_note, print_table, write_frame


def similar(
    run: Annotated[Path, typer.Argument(help="A run folder of `aerec train`.")],
    item: Annotated[list[str], typer.Argument(help="Ids of items of the data.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Items for each.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Write to .parquet, .csv, .json or .jsonl.")] = None,
    json: Json = False,
) -> None:
    """Show the items that are most alike to an item.

    By the weights of item-item models, and the cosine of the item vectors of others.
    """
    from aerec.cli.history import require_items
    from aerec.runs.folder import read_run

    if out is not None:
        check_output(out)
    opened = read_run(run)
    data = opened.data
    frame = opened.model.similar_items(require_items(item, data.items), min(k, len(data.items)))
    if data.item_names is not None:
        frame.insert(2, "title", frame["similar"].map(data.item_names))
    if out is not None:
        write_frame(frame, out)
    if json:
        print_json(frame.to_dict(orient="records"))
    elif out is not None:
        print_note(f"{len(frame):,} similar items of {len(item):,} in {out}")
    else:
        print_table(frame)
