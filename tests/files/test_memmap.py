"""Memory-mapped arrays."""

from pathlib import Path

import numpy as np
import pytest

from aerec.files import memmap as mapped
from aerec.files.memmap import blocks, empty_like_mapped, is_mapped, mapped_file, release


def test_views_and_slices_know_their_file(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(10))
    array = np.load(tmp_path / "a.npy", mmap_mode="r")
    for view in (array, array[2:5], np.asarray(array).view(), array[::2].view(np.int64)):
        assert mapped_file(view) == tmp_path / "a.npy"
        assert is_mapped(view)
    for copy in (array + 1, np.array(array), np.arange(3)):
        assert mapped_file(np.asarray(copy).copy()) is None
        assert not is_mapped(np.asarray(copy).copy())


def test_scratch_arrays_are_mapped_and_leave_no_file(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(10))
    source = np.load(tmp_path / "a.npy", mmap_mode="r")
    scratch = empty_like_mapped(source, 1000, np.float32)
    scratch[:] = 2
    assert is_mapped(scratch)
    assert scratch.sum() == 2000
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
    assert empty_like_mapped(source, 0, np.int64).shape == (0,)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="asks Linux what is resident")
def test_what_was_gone_over_is_not_resident(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "_BLOCK", 1 << 17)
    np.save(tmp_path / "a.npy", np.arange(1 << 22))
    array = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert array.sum() == sum(range(1 << 22))
    assert resident(tmp_path / "a.npy") > 30_000
    release(array[5:])
    assert resident(tmp_path / "a.npy") == 0
    most = 0
    for begin, block in blocks(array):
        assert (block == np.arange(begin, begin + len(block))).all()
        most = max(most, resident(tmp_path / "a.npy"))
    assert 1_000 < most < 10_000  # a block is 1,024 kB; the system reads ahead
    assert resident(tmp_path / "a.npy") == 0
    assert array[-1] == (1 << 22) - 1


def resident(path):
    """Return the kB of a mapped file that count for this process."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    return sum(
        int(next(line for line in lines if line.startswith("Rss")).split()[1]) for one in lines if str(path) in one
    )


def test_what_was_written_and_released_is_still_there(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(10))
    scratch = empty_like_mapped(np.load(tmp_path / "a.npy", mmap_mode="r"), 5000, np.int64)
    scratch[:] = np.arange(5000)
    release(scratch)
    assert (scratch == np.arange(5000)).all()


def test_blocks_of_an_array_in_memory_cover_it(monkeypatch):
    monkeypatch.setattr(mapped, "_BLOCK", 3)
    found = list(blocks(np.arange(7)))
    assert [begin for begin, _ in found] == [0, 3, 6]
    assert np.concatenate([block for _, block in found]).tolist() == list(range(7))
    release(np.arange(7))
