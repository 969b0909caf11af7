"""README's figures are those of benchmarks/results, and its first command comes soon."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_is_that_of_the_results():
    spec = importlib.util.spec_from_file_location("readme_table", ROOT / "docs" / "readme_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.with_table(README) == README, "run python docs/readme_table.py"


def test_fewer_than_60_words_stand_before_the_first_command():
    assert len(README[: README.index("    git clone")].split()) < 60
