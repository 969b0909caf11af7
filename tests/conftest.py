"""One thread a test process: small products gain nothing from more, and workers side by side would fight for cores."""

import contextlib
import os

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
# A busy machine is no failure, and the suite draws the same examples every time: `make fuzz` is where they are random.
settings.register_profile("aerec", deadline=None, derandomize="AEREC_FUZZ_EXAMPLES" not in os.environ)
settings.load_profile("aerec")


@pytest.fixture
def full_disk():
    """Return a context in which no file may grow beyond so many bytes: every write beyond fails, as on a full disk."""
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")

    @contextlib.contextmanager
    def full(limit):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return full


@pytest.fixture
def dead_process():
    """Return the number of a process that is no more."""
    if not hasattr(os, "posix_spawn"):
        pytest.skip("needs POSIX")
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit"], {})
    os.waitpid(child, 0)
    return child
