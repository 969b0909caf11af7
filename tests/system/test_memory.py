"""Memory: what the system's files say is read, the smaller limit counts, and what does not fit is refused."""

import os
import subprocess
import sys

import pytest

from aerec.errors import AerecError, InsufficientMemoryError
from aerec.system import memory

GIB = 2**30


@pytest.mark.parametrize(
    ("n_rows", "size", "first", "expected"),
    [(5, 2, 0, [[0, 1], [2, 3], [4]]), (5, 1, 3, [[3], [4]]), (0, 2, 0, []), (2, 9, 0, [[0, 1]])],
)
def test_blocks_hold_consecutive_rows(n_rows, size, first, expected):
    assert [rows.tolist() for rows in memory.row_blocks(n_rows, size, first)] == expected


def test_as_many_rows_as_fit_and_one_at_least():
    assert [memory.rows_within(n_bytes, row_bytes) for n_bytes, row_bytes in [(8, 4), (11, 4), (3, 4), (8, 0)]] == [
        2,
        2,
        1,
        8,
    ]


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Put text in place of the system's files; a file that is not given does not exist."""

    def write(meminfo=None, **cgroup):
        texts = {"meminfo": meminfo}
        for version in ("", "memory/"):
            texts |= {f"{version}memory.{name}": None for name in ("max", "current", "stat")}
            texts |= {f"{version}memory.{name}": None for name in ("limit_in_bytes", "usage_in_bytes")}
        texts |= {
            name.replace("v1_", "memory/memory.").replace("v2_", "memory."): text for name, text in cgroup.items()
        }
        (tmp_path / "memory").mkdir(exist_ok=True)
        for name, text in texts.items():
            (tmp_path / name).unlink(missing_ok=True)
            if text is not None:
                (tmp_path / name).write_text(f"{text}\n")
        monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
        monkeypatch.setattr(memory, "_CGROUP", tmp_path)

    return write


MEMINFO = f"MemTotal: {9 * GIB // 1024} kB\nMemFree: 5 kB\nMemAvailable:   {8 * GIB // 1024} kB\nSwapTotal: 0 kB"


def test_of_machine_and_container_the_smaller_counts(system):
    system(MEMINFO, v2_max=4 * GIB, v2_current=GIB)
    assert memory.available_memory() == 3 * GIB
    system(MEMINFO, v2_max=64 * GIB, v2_current=GIB)
    assert memory.available_memory() == 8 * GIB


def test_containers_of_the_first_version_are_read_too(system):
    system(MEMINFO, v1_limit_in_bytes=4 * GIB, v1_usage_in_bytes=3 * GIB, v1_stat=f"total_inactive_file {GIB}")
    assert memory.available_memory() == 2 * GIB
    system(MEMINFO, v1_limit_in_bytes=9223372036854771712, v1_usage_in_bytes=GIB)  # no limit
    assert memory.available_memory() == 8 * GIB


def test_file_cache_that_can_be_dropped_counts_as_free(system):
    system(MEMINFO, v2_max=4 * GIB, v2_current=3 * GIB, v2_stat=f"anon {GIB}\ninactive_file {GIB // 2}\nactive_file 7")
    assert memory.available_memory() == 1.5 * GIB
    system(MEMINFO, v2_max=4 * GIB, v2_current=5 * GIB)
    assert memory.available_memory() == 0


def test_a_container_without_a_limit_leaves_the_machine(system):
    system(MEMINFO, v2_max="max", v2_current=GIB)
    assert memory.available_memory() == 8 * GIB
    system(MEMINFO)
    assert memory.available_memory() == 8 * GIB


def test_without_meminfo_half_of_the_physical_memory_is_taken(system, monkeypatch):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(memory.os, "sysconf", pages.__getitem__)
    system()
    assert memory.available_memory() == 4096 * 1000 // 2
    system("a text of another kind")
    assert memory.available_memory() == 4096 * 1000 // 2


def test_where_nothing_is_known_nothing_is_refused(system, monkeypatch):
    def unknown(name):
        raise ValueError(name)

    monkeypatch.setattr(memory.os, "sysconf", unknown)
    system()
    assert memory.available_memory() is None
    memory.require_memory(2**80, "anything", "no advice")


def test_what_does_not_fit_is_refused_with_sizes_and_advice(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 3 * GIB)
    memory.require_memory(3 * GIB, "a block", "advice")
    with pytest.raises(InsufficientMemoryError) as refused:
        memory.require_memory(6 * GIB, "a matrix of 9 x 9", "take fewer items")
    assert str(refused.value) == "a matrix of 9 x 9 needs 6.0 GiB, 3.0 GiB are available; take fewer items"
    assert isinstance(refused.value, MemoryError)
    assert isinstance(refused.value, AerecError)


def test_a_few_bytes_are_not_asked_about(monkeypatch):
    def asked():
        raise AssertionError("the system was asked")

    monkeypatch.setattr(memory, "available_memory", asked)
    memory.require_memory(2**20, "a list", "advice")
    with pytest.raises(AssertionError, match="was asked"):
        memory.require_memory(2**30, "a list", "advice")


@pytest.mark.skipif(sys.platform != "linux", reason="the use of the address space is known on Linux only")
def test_the_limit_of_the_process_counts(system, tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    system(MEMINFO)
    pages = GIB // os.sysconf("SC_PAGE_SIZE")
    (tmp_path / "statm").write_text(f"{pages} 5 5 5 0 5 0\n")
    monkeypatch.setattr(memory, "_STATM", tmp_path / "statm")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (3 * GIB, resource.RLIM_INFINITY))
    assert memory.available_memory() == 2 * GIB
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (GIB // 2, GIB))
    assert memory.available_memory() == 0
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert memory.available_memory() == 8 * GIB


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v limits nothing elsewhere")
def test_what_does_not_fit_below_ulimit_is_refused_in_a_real_process():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32)); "
        "from aerec.system.memory import available_memory; assert 0 < available_memory() < 2**32"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("text", ["DefaultCPUAllocator: can't allocate memory: you tried", "CUDA out of memory. Tried"])
def test_what_pytorch_says_of_failed_allocations_is_known(text):
    assert memory.is_out_of_memory(RuntimeError(text))
    assert not memory.is_out_of_memory(ValueError(text))
    assert not memory.is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert memory.is_out_of_memory(MemoryError())
