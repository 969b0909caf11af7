"""Where to compute and how precisely, with the hardware made up."""

import pytest
import torch

from aerec.network import device as rooms
from aerec.network.device import resolve_device, use_bfloat16


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
    monkeypatch.setattr(rooms, "_cpu_has_bfloat16", lambda: has)
    assert use_bfloat16("auto", torch.device("cpu")) is has
    monkeypatch.setattr(rooms, "_cpu_has_bfloat16", lambda: not has)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has)
    assert use_bfloat16("auto", torch.device("cuda")) is has


def test_auto_precision_is_float32_on_mps(monkeypatch):
    monkeypatch.setattr(rooms, "_cpu_has_bfloat16", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert use_bfloat16("auto", torch.device("mps")) is False


@pytest.mark.parametrize(("says", "expected"), [(lambda: True, True), (lambda: False, False), (None, False)])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("_cpu_has_bfloat16", "_is_avx512_bf16_supported"), ("cpu_has_tiles", "_is_amx_tile_supported")],
)
def test_a_pytorch_that_cannot_tell_counts_as_without(monkeypatch, ours, theirs, says, expected):
    if says is None:
        monkeypatch.delattr(torch.cpu, theirs, raising=False)
    else:
        monkeypatch.setattr(torch.cpu, theirs, says, raising=False)
    rooms._cpu_supports.cache_clear()
    assert getattr(rooms, ours)() is expected
    rooms._cpu_supports.cache_clear()
