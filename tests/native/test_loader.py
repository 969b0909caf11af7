"""Which library is loaded, and what is said where none is."""

import ctypes
import os
import shutil

import pytest

from aerec.native import build, loader

needs_compiler = pytest.mark.skipif(os.name != "posix" or shutil.which("cc") is None, reason="there is no C compiler")


@pytest.fixture
def fresh():
    """Ask anew what is there, before the test and after it."""
    for answer in (loader._loaded, loader.function, loader.is_used):
        answer.cache_clear()
    yield
    for answer in (loader._loaded, loader.function, loader.is_used):
        answer.cache_clear()


def test_it_can_be_turned_off(fresh, monkeypatch):
    monkeypatch.setenv("AEREC_NATIVE", "0")
    assert not loader.is_used()
    assert "AEREC_NATIVE=0" in loader.describe()


def test_without_a_library_it_says_how_to_get_one(fresh, monkeypatch, tmp_path):
    monkeypatch.delenv("AEREC_NATIVE", raising=False)
    monkeypatch.setattr(loader, "LIBRARY", tmp_path / "libaerec.so")
    assert not loader.is_used()
    assert "python -m aerec.native.build" in loader.describe()


def test_a_damaged_library_is_left_alone(fresh, monkeypatch, tmp_path):
    monkeypatch.delenv("AEREC_NATIVE", raising=False)
    (tmp_path / "libaerec.so").write_bytes(b"\x7fELF nothing")
    monkeypatch.setattr(loader, "LIBRARY", tmp_path / "libaerec.so")
    assert not loader.is_used()
    assert "cannot be loaded" in loader.describe()


@needs_compiler
def test_it_compiles_and_is_used_for_its_own_source_only(fresh, monkeypatch, tmp_path):
    monkeypatch.delenv("AEREC_NATIVE", raising=False)
    made = build.compile_kernels(tmp_path / "libaerec.so")
    assert [made] == list(tmp_path.iterdir())
    monkeypatch.setattr(loader, "LIBRARY", made)
    assert loader.is_used(), loader.describe()
    assert isinstance(loader.function("tanh"), ctypes._CFuncPtr)
    loader._loaded.cache_clear()
    monkeypatch.setattr(loader, "fingerprint", lambda: "another")
    assert "another version" in loader.describe()
