"""The description of machine and versions: what is read from the system, and what where it tells nothing."""

import json
import os
import platform
from importlib import metadata

import pytest

import aerec
from aerec.system import environment

INTEL = (
    "processor\t: 0\nmodel name\t: Example CPU @ 3 GHz\nflags\t\t: fpu sse4_2 avx avx2 fma amx_bf16\n\nprocessor : 1\n"
)
ARM = "processor\t: 0\nFeatures\t: fp asimd sve\n"


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(environment, "_CPUINFO", path)
    monkeypatch.setattr(environment, "_sysctl", lambda *_: "")
    return path


def test_versions_are_those_installed():
    found = environment.package_versions()
    assert found["aerec"] == aerec.__version__
    assert found["python"] == platform.python_version()
    assert found["torch"] == metadata.version("torch")
    assert environment.package_versions(("numpy", "no-such-package")).keys() == {"aerec", "python", "numpy"}


def test_the_machine_is_described_in_plain_values():
    found = environment.describe_machine()
    assert list(found) == ["system", "processor", "cores", "memory", "instruction_sets"]
    assert json.loads(json.dumps(found)) == found
    assert found["processor"]
    assert 1 <= found["cores"] <= os.cpu_count()
    assert found["memory"] is None or found["memory"] > 2**20


def test_processor_and_instruction_sets_are_read(cpuinfo):
    cpuinfo.write_text(INTEL)
    assert environment.describe_machine()["processor"] == "Example CPU @ 3 GHz"
    assert environment.instruction_sets() == ["sse4_2", "avx", "avx2", "fma", "amx_bf16"]
    cpuinfo.write_text(ARM)
    assert environment.instruction_sets() == ["asimd", "sve"]


def test_where_the_system_tells_nothing_the_machine_type_is_left(cpuinfo, monkeypatch):
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert not cpuinfo.exists()
    assert environment.instruction_sets() == []
    assert environment.describe_machine()["processor"] == platform.machine()


def test_memory_that_cannot_be_found_out_is_none(monkeypatch):
    def unknown(name):
        raise ValueError(name)

    monkeypatch.setattr(environment.os, "sysconf", unknown)
    assert environment.total_memory() is None


def test_without_affinity_all_cores_count(monkeypatch):
    monkeypatch.delattr(environment.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(environment.os, "cpu_count", lambda: 7)
    assert environment.cpu_cores() == 7
