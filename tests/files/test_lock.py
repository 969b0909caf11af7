import subprocess
import sys

import pytest

from aerec.files.lock import Lock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")


def elsewhere(path):
    """Say what a process that is killed at once finds."""
    code = (
        "import os, sys; from aerec.files.lock import Lock; "
        "lock = Lock(sys.argv[1]); print(lock.acquire(), flush=True); os._exit(1)"
    )
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def test_one_holder_at_a_time(tmp_path):
    first, second = Lock(tmp_path / "deep" / "place"), Lock(tmp_path / "deep" / "place")
    assert first.acquire()
    assert first.acquire()  # it has it
    assert not second.acquire()
    assert Lock(tmp_path / "deep" / "other").acquire()
    first.release()
    assert second.acquire()
    second.release()
    second.release()
    assert not (tmp_path / "deep" / "place.lock").exists()


def test_a_lock_goes_with_its_process(tmp_path):
    assert elsewhere(tmp_path / "place") == "True"
    assert (tmp_path / "place.lock").exists()
    assert Lock(tmp_path / "place").acquire()


def test_another_process_is_kept_out(tmp_path):
    lock = Lock(tmp_path / "place")
    assert lock.acquire()
    assert elsewhere(tmp_path / "place") == "False"
