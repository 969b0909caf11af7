"""Figures of matplotlib as files, and as SVG inside a page, where colours and fonts are those of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

from aerec.display.notebook import Html
from aerec.display.plotting import INK, LINE, SERIES, SOFT, import_matplotlib
from aerec.files.atomic import atomic_write
from aerec.reporting.pictures import Picture

_DOTS_PER_INCH = 200
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
VARIABLES = {INK: "text", SOFT: "soft", LINE: "line"} | {colour: f"series-{n}" for n, colour in enumerate(SERIES)}
"""Colour in a figure → the variable of CSS that stands for it on the page."""


@contextmanager
def matplotlib_style() -> Iterator[None]:
    """Draw with the defaults of matplotlib, whatever the user has set; afterwards all is as before.

    Texts are never read as formulas, because names of models and metrics may hold any sign.
    """
    matplotlib = import_matplotlib("matplotlib")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "aerec", "text.parse_math": False})
        yield


def inline_svg(picture: Picture) -> Html:
    """Return the figure as an ``<svg>`` element that screen readers read as its description."""
    text = _svg(picture.figure, transparent=True)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", text, flags=re.S)
    text = re.sub(r"""('[^']*', )*'DejaVu Sans'[^;"]*""", "var(--font)", text)
    text = re.sub(r'\b(id="|xlink:href="#|url\(#)', rf"\g<1>{picture.name}-", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    start = f'<svg role="img" aria-label="{escape(picture.alt)}"'
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return Html(text.replace("<svg", start, 1).strip())


def save_picture(picture: Picture, folder: Path) -> None:
    """Write the figure with its heading as PNG and SVG into `folder`, each file whole or not at all."""
    picture.figure.suptitle(picture.heading, fontsize=11, color=INK)
    with atomic_write(folder / f"{picture.name}.png", "wb") as stream:
        picture.figure.savefig(stream, format="png", dpi=_DOTS_PER_INCH, facecolor="white")
    with atomic_write(folder / f"{picture.name}.svg") as stream:
        stream.write(_svg(picture.figure, facecolor="white"))


def _svg(figure: Any, **options: Any) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata=_NO_METADATA, **options)
    return stream.getvalue().decode()
