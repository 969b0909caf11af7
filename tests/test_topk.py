"""top_k against a plain Python sort, ties and all."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aerec import topk
from aerec.topk import top_k, top_k_tensor

few_values = st.sampled_from([-math.inf, -1.5, -0.0, 0.0, 0.25, 1.0, 2.0**100])
scores_with_ties = hnp.arrays(
    dtype=st.sampled_from([np.float32, np.float64]),
    shape=st.tuples(st.integers(0, 5), st.integers(0, 12)),
    elements=few_values,
)


@pytest.fixture(params=["compiled", "NumPy"], autouse=True)
def way(request, monkeypatch):
    """Both ways of choosing, on float32: the kernel, where there is one, and the reference."""
    if request.param == "NumPy":
        monkeypatch.setattr(topk, "_kernels", lambda: None)
    elif topk._kernels() is None:
        pytest.skip("there are no kernels")


def slowly_sorted(scores, k):
    """Best first, of equal scores the lower column first, never −∞."""
    lists = []
    for row in scores.tolist():
        columns = sorted((at for at, value in enumerate(row) if value != -math.inf), key=lambda at: (-row[at], at))[:k]
        lists.append(columns + [-1] * (k - len(columns)))
    return np.array(lists, dtype=np.int64).reshape(len(scores), k)


@given(scores_with_ties, st.integers(1, 15))
def test_it_is_a_sort_cut_after_k(scores, k):
    before = scores.copy()
    found, values = top_k(scores, k)
    expected = slowly_sorted(scores, k)
    assert found.dtype == np.int64
    assert values.dtype == scores.dtype
    np.testing.assert_array_equal(found, expected)
    for row in range(len(scores)):
        np.testing.assert_array_equal(values[row], [scores[row, at] if at >= 0 else -math.inf for at in expected[row]])
    np.testing.assert_array_equal(scores, before)


@given(scores_with_ties, st.integers(1, 15))
def test_on_an_accelerator_it_is_the_same(scores, k):
    found, values = top_k_tensor(torch.from_numpy(scores.astype(np.float32)), k)
    for one, expected in zip((found, values), top_k(scores.astype(np.float32), k), strict=True):
        np.testing.assert_array_equal(one.numpy(), expected)


@pytest.mark.parametrize("k", [1, 10, 500, 2000])
def test_long_rows_with_many_ties(k):
    scores = np.random.default_rng(0).integers(0, 40, size=(20, 1000)).astype(np.float32)
    np.testing.assert_array_equal(top_k(scores, k)[0], slowly_sorted(scores, k))


def test_a_view_that_is_not_contiguous_is_read_right():
    scores = np.random.default_rng(0).random((8, 30)).astype(np.float32)
    np.testing.assert_array_equal(top_k(scores.T, 3)[0], slowly_sorted(scores.T, 3))
    np.testing.assert_array_equal(top_k(scores[:, ::2], 3)[0], slowly_sorted(scores[:, ::2], 3))


def test_all_equal_gives_the_first_columns():
    found, _ = top_k(np.zeros((2, 50), dtype=np.float32), 4)
    assert found.tolist() == [[0, 1, 2, 3], [0, 1, 2, 3]]


def test_plus_infinity_comes_first():
    found, values = top_k(np.array([[1.0, np.inf, -np.inf, np.inf]]), 4)
    assert found.tolist() == [[1, 3, 0, -1]]
    assert values.tolist() == [[np.inf, np.inf, 1.0, -np.inf]]


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(60, 300)), elements=few_values, fill=few_values),
    st.integers(1, 8),
    st.sampled_from([1, 1000, 2**20]),
)
def test_long_rows_of_few_values_in_blocks_of_any_size(scores, k, block_bytes):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(topk, "_BLOCK_BYTES", block_bytes)
        found, values = top_k(scores, k)
    expected = slowly_sorted(scores, k)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(values, np.where(found < 0, -np.inf, np.take_along_axis(scores, found, axis=1)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 7, 50])
def test_where_the_best_scores_stand_does_not_matter(k, dtype):
    rng = np.random.default_rng(1)
    scores = rng.standard_normal((40, 1003)).astype(dtype)
    scores[:10, ::62] += 10  # as far apart as the columns of which only the highest is looked at first
    scores[10:20, :60] += 10
    scores[20:30, -60:] += 10
    scores[30:] = np.sort(scores[30:], axis=1)
    np.testing.assert_array_equal(top_k(scores, k)[0], slowly_sorted(scores, k))


def test_rows_with_few_finite_scores_among_full_ones():
    scores = np.random.default_rng(2).standard_normal((6, 500)).astype(np.float32)
    scores[1] = -np.inf
    scores[3, 4:] = -np.inf
    scores[4, :-2] = np.finfo(np.float32).min
    np.testing.assert_array_equal(top_k(scores, 10)[0], slowly_sorted(scores, 10))


def test_a_row_with_nan_leaves_the_others_alone():
    scores = np.random.default_rng(3).standard_normal((3, 200)).astype(np.float32)
    expected = slowly_sorted(scores, 5)
    scores[1, ::3] = np.nan
    np.testing.assert_array_equal(top_k(scores, 5)[0][[0, 2]], expected[[0, 2]])
