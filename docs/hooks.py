"""What MkDocs does not do by itself: formulas as MathML, and the tables of benchmarks/results on their page."""

from __future__ import annotations

import html
import re
import textwrap
from pathlib import Path
from typing import Any

import griffe
from latex2mathml.converter import convert

_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_MATH_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. math:: *(?P<first>.*)\n"
    r"(?P<more>(?:(?P=indent) +\S.*\n|[ ]*\n(?=(?P=indent) +\S))*)",  # deeper lines, and blank ones before them
    re.M,
)
_MATH_ROLE = re.compile(r":math:`([^`]+)`")
_ARITHMATEX = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.S)


class MathInDocstrings(griffe.Extension):
    """Turn the ``.. math::`` blocks and ``:math:`` roles of docstrings into the formulas of Markdown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = markdown_math(obj.docstring.value)


def markdown_math(text: str) -> str:
    """Return `text` with its formulas between dollar signs."""
    text = _MATH_BLOCK.sub(_display, f"{text}\n")
    return _MATH_ROLE.sub(lambda role: f"${' '.join(role[1].split())}$", text).rstrip()


def _display(block: re.Match[str]) -> str:
    formula = f"{block['first']}\n{textwrap.dedent(block['more'])}".strip()
    return textwrap.indent(f"\n$$\n{formula}\n$$\n\n", block["indent"])


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Append every committed table to the page of benchmarks."""
    if page.file.src_uri != "benchmarks.md":
        return markdown
    tables = [path.read_text(encoding="utf-8") for path in sorted(_RESULTS.rglob("*.md"))]
    return "\n\n".join([markdown, *(re.sub("^#", "##", table, flags=re.M) for table in tables)])


def on_page_content(content: str, **_: Any) -> str:
    """Turn every formula into MathML, which browsers draw themselves: the site needs no script and no network."""
    return _ARITHMATEX.sub(_mathml, content)


def _mathml(formula: re.Match[str]) -> str:
    display = "block" if formula[2] == "[" else "inline"
    return convert(html.unescape(formula[3]).strip(), display=display)
