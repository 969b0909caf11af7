"""The index structure against scipy, and that what is derived from it belongs to it alone."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from aerec.network.batches import SparseBatch
from aerec.network.losses import observed_loss
from aerec.network.pattern import Pattern


def matrix():
    return sp.random_array((7, 5), density=0.4, random_state=np.random.default_rng(0), format="csr", dtype=np.float32)


def pattern_of(x):
    return Pattern(torch.from_numpy(x.indptr).long(), torch.from_numpy(x.indices).long(), x.shape[1])


def test_what_is_derived_from_a_pattern_is_what_scipy_says():
    x = matrix()
    pattern, coordinates = pattern_of(x), x.tocoo()
    assert pattern.n_rows == 7
    np.testing.assert_array_equal(pattern.rows, coordinates.row)
    np.testing.assert_array_equal(pattern.places, np.ravel_multi_index((coordinates.row, coordinates.col), (7, 5)))
    transposed = np.ravel_multi_index((coordinates.col, coordinates.row), (5, 7))
    np.testing.assert_array_equal(pattern.places_by_column, transposed)
    assert pattern.by_column is pattern.by_column


def test_a_pattern_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        pattern_of(matrix()).columns = torch.zeros(0)


def test_renumbered_columns_have_a_transpose_of_their_own():
    x = matrix()
    pattern = pattern_of(x)
    pattern.by_column, pattern.places, pattern.places_by_column, pattern.rows
    swapped = pattern.renumbered(4 - pattern.columns, 5)
    expected = sp.csr_array(x.toarray()[:, ::-1]).tocsc()
    np.testing.assert_array_equal(swapped.by_column[0], expected.indptr)
    np.testing.assert_array_equal(swapped.by_column[1], expected.indices)
    assert torch.equal(swapped.places, swapped.rows * 5 + 4 - pattern.columns)


def test_a_batch_that_takes_another_pattern_has_the_right_gradient():
    batch = SparseBatch.of(matrix(), torch.device("cpu"))
    batch.pattern.by_column
    moved = dataclasses.replace(batch, pattern=batch.pattern.renumbered(4 - batch.pattern.columns, 5))
    generator = torch.Generator().manual_seed(0)
    hidden, weight = (torch.randn(n, 3, generator=generator, requires_grad=True) for n in (7, 5))
    (found,) = torch.autograd.grad(observed_loss(hidden, weight, torch.zeros(5), moved), [weight])
    x = torch.from_numpy(matrix().toarray()).flip(1)
    dense = 0.5 * ((hidden @ weight.T - x) * (x != 0)).square().sum()
    torch.testing.assert_close(found, *torch.autograd.grad(dense, [weight]))
