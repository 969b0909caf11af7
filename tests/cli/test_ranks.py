"""The processes of torchrun, as the verbs see them."""

import pytest

from aerec.cli.ranks import join_ranks, rank_and_size, restarts
from aerec.models import EASE, MultDAE


@pytest.fixture
def torchrun(monkeypatch):
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "3"), ("TORCHELASTIC_RESTART_COUNT", "2")):
        monkeypatch.setenv(name, value)


def test_its_environment_is_read(torchrun):
    assert rank_and_size() == (1, 3)
    assert restarts() == 2


def test_alone_without_it(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    assert rank_and_size() == (0, 1)
    assert restarts() == 0
    assert join_ranks(None, MultDAE()) is None


def test_models_without_epochs_are_refused(torchrun):
    with pytest.raises(ValueError, match="EASE is not trained on several processes"):
        join_ranks(None, EASE())


def test_recommend_takes_its_share(torchrun, aerec, ease_run):
    assert aerec("recommend", ease_run, "--all", "--out", "parts").out.startswith(
        "0 of 1 parts written"
    )  # there is one


@pytest.mark.parametrize("words", [("--all",), ("--shard", "1/2", "--out", "x"), ("--all", "--out", "x", "--user", 1)])
def test_all_goes_with_a_folder(refused, ease_run, words):
    assert "--all goes with --out" in refused("recommend", ease_run, *words)


@pytest.mark.parametrize("share", ["0/2", "3/2", "half", "1"])
def test_a_share_is_i_of_n(refused, ease_run, share):
    assert "no share" in refused("recommend", ease_run, "--all", "--out", "x", "--shard", share)
