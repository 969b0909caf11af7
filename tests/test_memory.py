"""Memory: what the system's files say is read, the smaller limit counts, and what does not fit is refused."""

import pytest

from aerec import memory
from aerec.errors import AerecError, InsufficientMemoryError

GIB = 2**30


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Put text in place of the system's files; a file that is not given does not exist."""

    def write(**files):
        for name in ("_MEMINFO", "_CGROUP_LIMIT", "_CGROUP_USED"):
            path = tmp_path / name
            path.unlink(missing_ok=True)
            if name in files:
                path.write_text(files[name])
            monkeypatch.setattr(memory, name, path)

    return write


MEMINFO = f"MemTotal: {9 * GIB // 1024} kB\nMemFree: 5 kB\nMemAvailable:   {8 * GIB // 1024} kB\nSwapTotal: 0 kB\n"


def test_of_machine_and_container_the_smaller_counts(system):
    system(_MEMINFO=MEMINFO, _CGROUP_LIMIT=f"{4 * GIB}\n", _CGROUP_USED=f"{GIB}\n")
    assert memory.available_memory() == 3 * GIB
    system(_MEMINFO=MEMINFO, _CGROUP_LIMIT=f"{64 * GIB}\n", _CGROUP_USED=f"{GIB}\n")
    assert memory.available_memory() == 8 * GIB


def test_a_container_without_a_limit_leaves_the_machine(system):
    system(_MEMINFO=MEMINFO, _CGROUP_LIMIT="max\n", _CGROUP_USED=f"{GIB}\n")
    assert memory.available_memory() == 8 * GIB
    system(_MEMINFO=MEMINFO)
    assert memory.available_memory() == 8 * GIB


def test_without_meminfo_half_of_the_physical_memory_is_taken(system, monkeypatch):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(memory.os, "sysconf", pages.__getitem__)
    system()
    assert memory.available_memory() == 4096 * 1000 // 2
    system(_MEMINFO="a text of another kind\n")
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
