"""The examples run from start to end and have something to say."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.no_cover
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(path, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_there_are_examples():
    assert len(EXAMPLES) >= 3


@pytest.mark.no_cover
def test_the_article_s_autoencoder_learns_and_draws_a_picture(monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib").use("Agg")
    script, picture = Path(__file__).parents[1] / "examples" / "article.py", tmp_path / "learned.png"
    monkeypatch.setattr(sys, "argv", [str(script), str(picture)])
    runpy.run_path(str(script), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    costs = [float(line.split()[-1]) for line in lines if line.startswith("epoch")]
    assert len(costs) == 20
    assert costs[-1] < 0.1 * costs[0]
    assert sum(line.startswith("total cost of 360 test digits") for line in lines) == 1
    assert picture.read_bytes().startswith(b"\x89PNG")
