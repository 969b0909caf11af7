"""`aerec units`: what the units of a sparse code stand for, to steer by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aerec.cli.options import Json
from aerec.cli.output import print_json, print_table


def units(
    run: Annotated[Path, typer.Argument(help="A run folder of a sparse-code.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many, the most active first.")] = 10,
    json: Json = False,
) -> None:
    """Show the units of a sparse code: for how many users they are active, how strongly, and what they stand for.

    A weight of `aerec recommend --steer UNIT:WEIGHT` is measured by the strength.
    """
    import pandas as pd

    from aerec.recommender.scorer import SteerableScorer
    from aerec.registry import model_name
    from aerec.runs.folder import read_run
    from aerec.serving.code_units import Units
    from aerec.serving.items import Catalogue

    opened = read_run(run)
    model = opened.model
    if not isinstance(model.scorer_, SteerableScorer):
        raise ValueError(f"{run} holds {model_name(model)}, which has no units to steer; sparse-code has")
    rows = Units(model.scorer_, Catalogue(opened.items, opened.data)).most_active(k)
    if json:
        print_json(rows)
        return
    table = pd.DataFrame(rows, columns=["unit", "activity", "strength", "titles", "genres"])
    print_table(table.assign(titles=table["titles"].map("; ".join), genres=table["genres"].map(", ".join)))
