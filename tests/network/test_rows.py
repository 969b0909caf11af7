"""Rows in memory, mapped, and ranges of them: what they copy, what they read, and the order they are shuffled in."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec.canonical import canonical_csr
from aerec.network import rows as rows_of
from aerec.network.rows import DenseRows, MappedRows, RowRange, SparseRows, shuffled, sparse_rows

CPU = torch.device("cpu")


def test_rows_on_a_processor_are_the_matrix_itself_and_their_batches_copies():
    matrix = sp.csr_array(np.float32([[1, 0], [0, 2]]))
    rows = SparseRows(matrix, CPU)
    before = rows.batch(torch.tensor([1, 0]))
    matrix.data[:] = 9
    assert before.values.tolist() == [2, 1]
    assert rows.batch(torch.tensor([1, 0])).values.tolist() == [9, 9]


@pytest.mark.filterwarnings("error")
def test_a_matrix_that_may_not_be_written_is_copied_without_a_warning():
    matrix = sp.csr_array(np.float32([[1, 0], [0, 2]]))
    for array in (matrix.data, matrix.indices):
        array.flags.writeable = False
    batch = SparseRows(matrix, CPU).batch(torch.tensor([1, 0]))
    assert batch.values.tolist() == [2, 1]
    assert batch.pattern.columns.dtype == torch.int64


def mapped_matrix(folder, n_rows=300, n_columns=20):
    matrix = sp.random_array(
        (n_rows, n_columns), density=0.2, format="csr", random_state=np.random.default_rng(0), dtype=np.float32
    )
    parts = []
    for name in ("data", "indices", "indptr"):
        np.save(folder / f"{name}.npy", getattr(matrix, name))
        parts.append(np.load(folder / f"{name}.npy", mmap_mode="r"))
    return sp.csr_array(tuple(parts), shape=matrix.shape)


def test_mapped_rows_give_the_batches_of_rows_in_memory(tmp_path):
    matrix = mapped_matrix(tmp_path)
    weights = np.random.default_rng(0).random(matrix.nnz, dtype=np.float32)
    mapped, loaded = sparse_rows(matrix, CPU, weights=weights), SparseRows(matrix, CPU, weights=weights)
    assert isinstance(mapped, MappedRows)
    assert mapped.mean_wanted() == pytest.approx(loaded.mean_wanted())
    chosen = torch.tensor([7, 0, 299, 7])
    for rows, others in ((mapped, loaded), (RowRange(mapped, 100, 200), RowRange(loaded, 100, 200))):
        asked = chosen % rows.shape[0]
        one, other = rows.batch(asked), others.batch(asked)
        assert torch.equal(one.pattern.starts, other.pattern.starts)
        assert torch.equal(one.pattern.columns, other.pattern.columns)
        for name in ("values", "row_numbers", "weights"):
            assert torch.equal(getattr(one, name), getattr(other, name))
        assert torch.allclose(one.draws(), other.draws())


def test_a_few_rows_are_shuffled_alike_mapped_or_not(tmp_path):
    matrix = mapped_matrix(tmp_path)
    orders = [
        shuffled(rows, torch.Generator().manual_seed(3)) for rows in (MappedRows(matrix, CPU), SparseRows(matrix, CPU))
    ]
    assert torch.equal(*orders)


def test_many_mapped_rows_are_shuffled_in_runs_each_once(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_of, "_RUN", 7)
    monkeypatch.setattr(rows_of, "_RUNS", 4)
    order = shuffled(MappedRows(mapped_matrix(tmp_path), CPU), torch.Generator().manual_seed(3))
    assert sorted(order.tolist()) == list(range(300))
    assert order.tolist() != sorted(order.tolist())
    assert len({number // 7 for number in order[:28].tolist()}) <= 5  # four runs, one of them perhaps cut short


@pytest.mark.parametrize("kind", [SparseRows, DenseRows, MappedRows])
def test_sums_of_columns_are_those_of_the_dense_matrix(kind):
    dense = np.random.default_rng(0).poisson(0.4, (30, 8)).astype(np.float32)
    rows = kind(dense if kind is DenseRows else canonical_csr(dense), torch.device("cpu"))
    sums = rows.column_sums()
    assert sums.dtype == np.float64
    np.testing.assert_array_equal(sums, dense.sum(axis=0))
    np.testing.assert_array_equal(rows.column_counts(), np.count_nonzero(dense, axis=0))
