"""Compiling the kernels, and what is said where that fails."""

import os
import shutil
import subprocess
import sys

import pytest

from aerec.native import build


@pytest.mark.skipif(os.name != "posix" or shutil.which("false") is None, reason="needs the program false")
def test_a_compiler_that_fails_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "false")
    with pytest.raises(build.CompileError, match="false failed"):
        build.compile_kernels(tmp_path / "libaerec.so")
    assert not list(tmp_path.iterdir())


def test_no_compiler_is_one_line(tmp_path):
    program = shutil.which(sys.executable)
    command = [program, "-m", "aerec.native.build"]
    done = subprocess.run(
        command, env={**os.environ, "PATH": str(tmp_path), "CC": ""}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("not compiled: there is no C compiler")
    assert done.stderr.count("\n") == 1


def test_only_the_source_tells_versions_apart(monkeypatch, tmp_path):
    first = build.fingerprint()
    assert first == build.fingerprint()
    other = tmp_path / "kernels.c"
    other.write_bytes(build.SOURCE.read_bytes() + b"\n")
    monkeypatch.setattr(build, "SOURCE", other)
    assert build.fingerprint() != first
