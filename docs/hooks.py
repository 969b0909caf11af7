"""What MkDocs does not do by itself: formulas as MathML, results of benchmarks on their page, notebooks as pages."""

from __future__ import annotations

import html
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import griffe
from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_MATH_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. math:: *(?P<first>.*)\n"
    r"(?P<more>(?:(?P=indent) +\S.*\n|[ ]*\n(?=(?P=indent) +\S))*)",  # deeper lines, and blank ones before them
    re.M,
)
_MATH_ROLE = re.compile(r":math:`([^`]+)`")
_NOTEBOOK_LINK = re.compile(r"\]\((\w[\w-]*)\.ipynb\)")  # beside it: leads to its page
_DIRECTIVE = re.compile(r"^::: ([\w.]+)$", re.M)
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


def on_files(files: Files, *, config: Any) -> Files:
    """Add a page for each notebook; the notebook itself stays a file to download."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        notebook = json.loads(file.content_string)
        page = f"{file.src_uri.removesuffix('.ipynb')}.md"
        files.append(File.generated(config, page, content=notebook_markdown(notebook, Path(file.src_uri).name)))
    return files


def notebook_markdown(notebook: dict[str, Any], name: str) -> str:
    """Return a notebook as Markdown with its stored outputs."""
    cells = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cells.append(_NOTEBOOK_LINK.sub(r"](\1.md)", source))
        else:
            outputs = [_output(output, cell["metadata"].get("alt", "")) for output in cell["outputs"]]
            cells.append(f"```python\n{source}\n```")
            cells += [f'<div class="notebook-output">\n{output}\n</div>' for output in outputs]
    return "\n\n".join([*cells, f"[Download this notebook]({name}){{ download }}"])


def _output(output: dict[str, Any], alt: str) -> str:
    """Return an output of a cell as HTML: a table, a picture, or text."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "text/html" in data:
        return re.sub(r"<style.*?</style>\s*", "", "".join(data["text/html"]), flags=re.S)
    if "image/png" in data:
        return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    return f"<pre>{html.escape(''.join(data['text/plain']))}</pre>"


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Append every committed table to the page of benchmarks."""
    if page.file.src_uri != "benchmarks.md":
        return markdown
    tables = [path.read_text(encoding="utf-8") for path in sorted(_RESULTS.rglob("*.md"))]
    return "\n\n".join([markdown, *(re.sub("^#", "##", table, flags=re.M) for table in tables)])


def on_page_content(content: str, *, page: Any, **_: Any) -> str:
    """Say how each object of the reference is imported, and turn formulas into MathML, which needs no script."""
    for name in _DIRECTIVE.findall(page.markdown or ""):
        heading = re.compile(rf'(<h(\d) id="{re.escape(name)}".*?</h\2>)', re.S)
        module, _, public = name.rpartition(".")
        line = f'<p class="import"><code>from {module} import {public}</code></p>'
        content = heading.sub(lambda match, line=line: f"{match[1]}\n{line}", content, count=1)
    return _ARITHMATEX.sub(_mathml, content)


def _mathml(formula: re.Match[str]) -> str:
    display = "block" if formula[2] == "[" else "inline"
    return convert(html.unescape(formula[3]).strip(), display=display)
