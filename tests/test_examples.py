"""The scripts of examples/ that need neither downloads nor minutes run as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_article_s_autoencoder_learns_and_draws_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "learned.png"
    command = [sys.executable, str(EXAMPLES / "article.py"), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    costs = [float(line.split()[-1]) for line in lines if line.startswith("epoch")]
    assert len(costs) == 20
    assert costs[-1] < 0.1 * costs[0]
    assert sum(line.startswith("total cost of 360 test digits") for line in lines) == 1
    assert picture.read_bytes().startswith(b"\x89PNG")
