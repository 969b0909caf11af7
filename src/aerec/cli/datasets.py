"""`aerec datasets`: the catalogue."""

from __future__ import annotations

from aerec.cli.options import Json
from aerec.cli.output import print_json, print_note, print_table


def datasets(json: Json = False) -> None:
    """List the data sets that are known by name, and which are on this machine."""
    from aerec.datasets import list_datasets

    frame = list_datasets()
    if json:
        print_json(frame.to_dict(orient="records"))
        return
    print_table(frame.drop(columns=["licence", "format", "preparation"]))
    print_note(
        "Where `available` is empty: downloaded on first use, or to be put into $AEREC_DATA. Any path works as well."
    )
