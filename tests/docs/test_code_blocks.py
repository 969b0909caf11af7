"""The code blocks of README.md and docs/ do what they say: a page is run from top to bottom, as a reader would.

The Python blocks of a page share one namespace; `aerec …` lines of its console blocks go through the command line in
this process; all in one empty working folder. Where a line ends in ``# → …``, its value has to look like that. A block
that cannot run here has ``<!-- no-run: why -->`` on the line before it.
"""

import ast
import re
import shlex
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from aerec.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```$", re.M | re.S)
NO_RUN = re.compile(r"<!-- no-run: \S.{8,} -->\s*$")
EXPECTED = re.compile(r"  # → (.+)$")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    code: str
    line: int
    runs: bool


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        indent = len(match["indent"])
        code = "".join(line[indent:] or "\n" for line in match["code"].splitlines(keepends=True))
        before = text[: match.start()]
        runs = NO_RUN.search(before) is None
        assert runs or before.rstrip().endswith("-->")
        found.append(Block(match["language"], code, before.count("\n") + 2, runs))
    return found


def run_python(block, namespace, page):
    """Run statement by statement; tracebacks name the page and its line."""
    lines = block.code.splitlines()
    for node in ast.parse(block.code, str(page)).body:
        expected = EXPECTED.search(lines[node.end_lineno - 1])
        ast.increment_lineno(node, block.line - 1)
        if not isinstance(node, ast.Expr):
            exec(compile(ast.Module([node], []), page, "exec"), namespace)
            continue
        value = eval(compile(ast.Expression(node.value), page, "eval"), namespace)
        if expected:
            assert repr(value) == expected[1], f"{page.name}, line {node.end_lineno}"


def run_console(block, monkeypatch, page):
    for line in block.code.replace("\\\n", " ").splitlines():
        if not line.startswith("aerec "):
            continue
        monkeypatch.setattr(sys, "argv", shlex.split(line, comments=True))
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # put back what main() sets
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0, f"{page.name}: {line}"


@pytest.mark.no_cover
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_runs(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": page.stem}
    for block in blocks_of(page):
        if block.runs and block.language == "python":
            run_python(block, namespace, page)
        elif block.runs and block.language == "console":
            run_console(block, monkeypatch, page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_what_is_not_run_says_why():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        reasons = re.findall(r"<!-- no-run: \S.{8,} -->\n+ *```", text)
        assert text.count("<!-- no-run") == len(reasons), f"{page.name}: a no-run mark without a reason or a block"


def test_a_block_that_is_wrong_is_found(tmp_path):
    page = tmp_path / "page.md"
    wrong, skipped = "```python\nx = 2\nx + 1  # → 4\n```\n", "<!-- no-run: it would never end -->\n```python\n?\n```\n"
    page.write_text(f"text\n{wrong}{skipped}", encoding="utf-8")
    first, second = blocks_of(page)
    assert (first.line, first.runs, second.runs) == (3, True, False)
    with pytest.raises(AssertionError, match=r"page.md, line 4"):
        run_python(first, {}, page)
