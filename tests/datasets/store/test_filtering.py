"""Filtering over mapped arrays against `Interactions.filter`, whatever the block."""

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest

from aerec import Interactions
from aerec.datasets.store import filtering as core
from aerec.datasets.store.filtering import SortedStore


@pytest.mark.parametrize("block", [4, 10_000])
@pytest.mark.parametrize("limits", [(0, 0), (1, 1), (3, 2), (5, 6)])
def test_users_and_items_with_enough_ratings_stay(tmp_path, monkeypatch, block, limits):
    rng = np.random.default_rng(1)
    dense = (rng.random((50, 30)) < rng.random((50, 1)) * rng.random(30) * 0.7) * rng.integers(1, 6, (50, 30))
    data = Interactions.from_matrix(dense)
    (tmp_path / "work").mkdir()
    arrays = {"indices": data.matrix.indices, "data": data.matrix.data, "counts": np.diff(data.matrix.indptr)}
    for name, array in arrays.items():
        np.save(tmp_path / "work" / f"{name}.npy", array)
    for name, ids in (("users", data.users), ("items", data.items)):
        pd.DataFrame({"id": ids.to_numpy()}).to_parquet(tmp_path / "work" / f"{name}.parquet")
    monkeypatch.setattr(core, "_BLOCK", block)
    shape = SortedStore(tmp_path / "work", 30, has_times=False).write(tmp_path, *limits, parquet)
    expected = data.filter(*limits)
    assert shape == (*expected.shape, expected.n_ratings)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), getattr(expected.matrix, name))
    for name, ids in (("users", expected.users), ("items", expected.items)):
        assert pd.read_parquet(tmp_path / f"{name}.parquet")["id"].tolist() == ids.tolist()
