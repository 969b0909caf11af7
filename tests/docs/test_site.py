"""The documentation as a site: it builds, says how each name is imported, and fits a phone."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for module in ("mkdocs", "material", "mkdocstrings_handlers.python", "latex2mathml"):
        pytest.importorskip(module, reason="the site is built with the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_site(site, request):
    """One test, so that the site is built once, whatever the number of processes."""
    check_reference(site)
    check_formulas(site)
    check_notebooks(site)
    check_screens(site, request)


def check_reference(site):
    for source in sorted((ROOT / "docs" / "reference").glob("*.md")):
        page = (site / "reference" / source.stem / "index.html").read_text(encoding="utf-8")
        names = re.findall(r"^::: ([\w.]+)$", source.read_text(encoding="utf-8"), re.MULTILINE)
        assert names
        for name in names:
            module, _, public = name.rpartition(".")
            if name != "aerec.errors":  # a module: its members are listed without it
                entry = page[page.index(f'id="{name}"') :][:2000]
                assert f"from {module} import {public}</code>" in entry, f"{name} has no import line"
        assert "doc-signature" in page, f"{source.name} has no signature"


def check_formulas(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "arithmatex" not in text, f"{page}: a formula that needs a script"
        assert not re.search(r"""<(?:script|img|iframe)[^>]+src=["']?https?:""", text), f"{page} loads from elsewhere"
        assert not re.search(r"""<link[^>]+rel=["']?stylesheet[^>]+https?:""", text), f"{page} loads from elsewhere"


def check_notebooks(site):
    notebooks = sorted((ROOT / "docs" / "cookbook").glob("*.ipynb"))
    for notebook in notebooks:
        page = (site / "cookbook" / notebook.stem / "index.html").read_text(encoding="utf-8")
        assert "notebook-output" in page
        assert (site / "cookbook" / notebook.name).is_file()


def check_screens(site, request):
    beyond_the_edge = request.getfixturevalue("beyond_the_edge")
    pages = sorted(site.rglob("index.html"))
    assert len(pages) > 40
    for width in (1280, 390):
        for page in pages:
            assert beyond_the_edge(page.as_uri(), width) == [], f"{page.relative_to(site)} at {width} pixels"
