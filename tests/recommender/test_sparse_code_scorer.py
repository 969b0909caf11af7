"""Sparse codes and back, and what is added to them."""

import numpy as np
import pytest

from aerec.recommender.sparse_code_scorer import SparseCoder, added_activations

W = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32)
D, c = 2 * W, np.array([0.5, 0], dtype=np.float32)
Z = np.array([[2.5, 1.0], [0.5, -3.0]], dtype=np.float32)


def test_the_most_active_units_are_kept_and_decoded():
    coder = SparseCoder(W, np.zeros(4, dtype=np.float32), D, c, 1, None)
    code = coder.encode(Z)
    np.testing.assert_array_equal(code.toarray(), [[2, 0, 0, 0], [0, 0, 0, 3]])
    np.testing.assert_array_equal(coder.decode(code), [[4.5, 0], [0.5, -6]])


def test_with_thresholds_what_is_above_them_is_kept():
    coder = SparseCoder(W, np.zeros(4, dtype=np.float32), D, c, 1, np.full(4, 0.9, dtype=np.float32))
    np.testing.assert_array_equal(coder.encode(Z).toarray(), [[2, 1, 0, 0], [0, 0, 0, 3]])


def test_weights_of_units_become_activations():
    np.testing.assert_array_equal(added_activations({1: 2.0, 3: -1}, 4), [0, 2, 0, -1])
    assert added_activations({}, 4) is None
    assert added_activations({2: 0.0}, 4) is None  # a slider that is back at 0
    with pytest.raises(ValueError, match="must be a finite number, at most 2\\^24 in size, got 1e"):
        added_activations({2: 1e39}, 4)
    with pytest.raises(TypeError, match="expected a dict from unit to weight"):
        added_activations([2], 4)
    with pytest.raises(ValueError, match="a unit is a whole number from 0 to 3"):
        added_activations({4: 1.0}, 4)
