"""The reference has an entry for every public name, and the site lists every page."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = [
    "baselines",
    "datasets",
    "evaluation",
    "export",
    "likelihood",
    "models",
    "noise",
    "reranking",
    "spark",
    "sparsity",
    "splitting",
    "testing",
    "tuning",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_an_entry(package):
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.md"))
    documented = {entry.rpartition(".")[2] for entry in re.findall(r"^::: ([\w.]+)", pages, flags=re.MULTILINE)}
    module = importlib.import_module(f"aerec.{package}")
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    public = set(getattr(module, "__all__", [name for name in own if not name.startswith("_")]))
    assert public
    assert public <= documented


def test_the_site_lists_every_page():
    listed = set(re.findall(r"^ +- ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    docs = ROOT / "docs"
    pages = [*docs.rglob("*.md"), *(path.with_suffix(".md") for path in docs.rglob("*.ipynb"))]
    assert listed == {path.relative_to(docs).as_posix() for path in pages}
