"""Where to compute and how precisely, with the hardware made up."""

import pytest
import torch

from aerec.network import device as rooms
from aerec.network.device import cpu_has_tiles, resolve_device, torch_threads_for, use_bfloat16


def hardware(monkeypatch, *, cuda):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)  # which makes no difference


@pytest.mark.parametrize(("cuda", "expected"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_cuda_else_the_cpu(monkeypatch, cuda, expected):
    hardware(monkeypatch, cuda=cuda)
    assert resolve_device("auto") == torch.device(expected)


def test_a_named_device_is_taken_whatever_else_there_is(monkeypatch):
    hardware(monkeypatch, cuda=True)
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["abacus", "", "cpu:x", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_by_name_in_one_line(name):
    with pytest.raises(ValueError, match=r"device '.*' cannot be used \(.+\); 'auto' takes the best") as caught:
        resolve_device(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_a_precision_that_is_named_is_taken_on_every_device(device):
    assert use_bfloat16("bf16", torch.device(device)) is True
    assert use_bfloat16("float32", torch.device(device)) is False


@pytest.mark.parametrize("has", [True, False])
def test_auto_precision_asks_the_hardware(monkeypatch, has):
    monkeypatch.setattr(rooms, "_cpu_supports", lambda question: has)
    assert use_bfloat16("auto", torch.device("cpu")) is has
    monkeypatch.setattr(rooms, "_cpu_supports", lambda question: not has)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has)
    assert use_bfloat16("auto", torch.device("cuda")) is has


def test_auto_precision_is_float32_on_mps(monkeypatch):
    monkeypatch.setattr(rooms, "_cpu_supports", lambda question: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert use_bfloat16("auto", torch.device("mps")) is False


@pytest.mark.parametrize(("says", "expected"), [(lambda: True, True), (lambda: False, False), (None, False)])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda: use_bfloat16("auto", torch.device("cpu")), "_is_avx512_bf16_supported"),
        (cpu_has_tiles, "_is_amx_tile_supported"),
    ],
)
def test_a_pytorch_that_cannot_tell_counts_as_without(monkeypatch, ours, theirs, says, expected):
    if says is None:
        monkeypatch.delattr(torch.cpu, theirs, raising=False)
    else:
        monkeypatch.setattr(torch.cpu, theirs, says, raising=False)
    rooms._cpu_supports.cache_clear()
    assert ours() is expected
    rooms._cpu_supports.cache_clear()


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
