"""Processes that were forked from one whose numerical libraries have threads."""

import os
import subprocess
import sys

import pytest

FORKS = """
import multiprocessing
import sys
from aerec.datasets import load_dataset
from aerec.models import EASE, ELSA, MultVAE

likes = load_dataset("sample").binarize(4.0)
quick = {"epochs": 1, "batch_size": 250, "progress": False, "device": "cpu"}
models = [EASE(), ELSA(n_factors=16, **quick), MultVAE(hidden=(200, 100), **quick)]
for model in models:
    model.fit(likes)

def rank(number):
    return models[number].rank(likes, 5)[0].tolist()

here = [rank(number) for number in range(3)]
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map_async(rank, range(3)).get(timeout=60) == here
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fitted_models_rank_in_forked_processes():
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", FORKS], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("given", "found"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_waiting_threads_give_way_unless_the_user_says_otherwise(given, found):
    own = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "import aerec, os, sys; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=own | given, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == [found, "False"]  # before PyTorch loads what reads it
