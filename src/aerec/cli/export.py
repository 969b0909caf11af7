"""`aerec export`: a trained model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aerec.cli.options import Json
from aerec.cli.output import print_json, print_note

_FORMATS = ("onnx", "usearch")


def export(
    run: Annotated[Path, typer.Argument(help="A run folder of `aerec train`, or a folder of `save`.")],
    out: Annotated[Path, typer.Option(help="The file to write; one that is there is replaced.")],
    kind: Annotated[
        str, typer.Option("--format", help="onnx: from histories to scores; usearch: an index of item vectors.")
    ],
    json: Json = False,
) -> None:
    """Write a trained model as an ONNX graph, or its item vectors as an index of usearch."""
    from aerec.export import export_index, export_onnx
    from aerec.registry import load_model

    if kind not in _FORMATS:
        raise ValueError(f"unknown format {kind!r}; there are {', '.join(_FORMATS)}")
    model = load_model(run)
    (export_onnx if kind == "onnx" else export_index)(model, out)
    if json:
        described = {"model": type(model).__name__, "n_items": int(model.n_features_in_)}
        print_json({"out": str(out), "format": kind, **described})
        return
    print_note(f"{type(model).__name__} of {model.n_features_in_:,} items saved as {out}")
