"""Memory-mapped arrays."""

import numpy as np

from aerec.mapped import empty_like_mapped, is_mapped, mapped_file


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
