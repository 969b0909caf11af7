"""Processes that were forked from one whose numerical libraries have threads."""

import os
import subprocess
import sys

import pytest
import torch

from aerec.system.threads import torch_threads_for

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


@pytest.mark.parametrize(("work", "expected"), [(0, 1), (1 << 24, 1), (3 << 24, 3), (1 << 40, 4)])
def test_small_work_takes_few_threads_and_gives_them_back(work, expected):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with torch_threads_for(work):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_what_begins_before_another_ends_leaves_the_threads_as_they_were():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        first, second = torch_threads_for(0), torch_threads_for(0)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        assert torch.get_num_threads() == 4
        torch.set_num_threads(3)
        with torch_threads_for(0):
            pass
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fitted_models_rank_in_forked_processes():
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", FORKS], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
