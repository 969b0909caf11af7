"""Arrays written piece by piece are what numpy.load reads."""

import numpy as np
import numpy.lib.format
import pytest

from aerec.datasets.store.array_file import ArrayFile


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("pieces", [[], [0], [3], [2, 0, 5]])
def test_numpy_reads_the_pieces_as_one_array(tmp_path, dtype, pieces):
    rng = np.random.default_rng(0)
    parts = [(100 * rng.random(n)).astype(dtype) for n in pieces]
    with ArrayFile(tmp_path / "a.npy", dtype) as file:
        for part in parts:
            file.append(part)
    found = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.concatenate([np.empty(0, dtype), *parts]))


def test_values_take_the_type_of_the_file(tmp_path):
    with ArrayFile(tmp_path / "a.npy", np.int32) as file:
        file.append(np.array([1, 2], dtype=np.int64)[::-1])
    found = np.load(tmp_path / "a.npy")
    assert (found.tolist(), found.dtype) == ([2, 1], np.int32)


def test_the_longest_header_fits(tmp_path):
    with ArrayFile(tmp_path / "a.npy", np.float64) as file:
        file.length = 10**18  # as if so much had been written
    with (tmp_path / "a.npy").open("rb") as stream:
        assert np.lib.format.read_magic(stream) == (1, 0)
        assert np.lib.format.read_array_header_1_0(stream) == ((10**18,), False, np.dtype(np.float64))
        assert stream.tell() == 128
