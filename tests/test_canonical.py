"""The canonical CSR form, which all matrices from outside are brought into."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aerec import Interactions
from aerec.canonical import canonical_csr
from aerec.errors import DataError
from aerec.holdout import Holdout, Split
from aerec.models import EASE, MultDAE

small = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(-2, 3).map(float)
)


@given(small, st.sampled_from(["dense", "csr", "csc", "coo", "lil"]))
def test_any_format_gives_the_same_values_in_canonical_form(dense, kind):
    given_matrix = dense if kind == "dense" else sp.coo_array(dense).asformat(kind)
    csr = canonical_csr(given_matrix)
    np.testing.assert_array_equal(csr.toarray(), dense)
    assert csr.dtype == np.float32
    assert csr.has_canonical_format
    assert csr.data.all()


def test_duplicates_are_summed_zeros_dropped_and_the_given_matrix_stays_as_it_was():
    data, indices, indptr = np.array([1.0, 2.0, 0.0], np.float32), np.array([1, 1, 0]), np.array([0, 2, 3])
    messy = sp.csr_array((data, indices, indptr), shape=(2, 2))
    csr = canonical_csr(messy)
    assert csr.toarray().tolist() == [[0, 3], [0, 0]]
    assert csr.nnz == 1
    assert messy.nnz == 3
    assert messy.data.tolist() == [1, 2, 0]


def test_unsorted_matrix_of_another_type_stays_as_it_was():
    messy = sp.csr_array((np.array([1, 2]), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    assert canonical_csr(messy).toarray().tolist() == [[2, 1]]
    assert messy.indices.tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [float, pd.SparseDtype(float, 0), pd.SparseDtype(int, 0), pd.SparseDtype(float, 1)])
def test_a_frame_with_a_row_per_user_is_a_matrix(dtype):
    frame = pd.DataFrame([[0, 2, 0], [1, 0, 0]], columns=["a", "b", "c"], index=["x", "y"]).astype(dtype)
    assert canonical_csr(frame).toarray().tolist() == [[0, 2, 0], [1, 0, 0]]


def test_columns_may_have_any_name():
    df = pd.DataFrame({"train": [1, 0], "history": [2, 3]})
    np.testing.assert_array_equal(canonical_csr(df).toarray(), df)


def test_a_frame_of_sparse_columns_stays_sparse(monkeypatch):
    frame = pd.DataFrame.sparse.from_spmatrix(sp.eye_array(4))
    monkeypatch.setattr(pd.DataFrame, "__array__", None)  # what would make it dense
    assert canonical_csr(frame).nnz == 4


@pytest.mark.parametrize("names", [("user", "item"), ("userId", "movieId"), ("user_id", "item_id")])
def test_a_frame_with_a_row_per_rating_is_not_taken_for_a_matrix(names):
    frame = pd.DataFrame([[1, 7, 4.0]], columns=[*names, "rating"])
    with pytest.raises(DataError, match=r"a row per rating.*Interactions\.from_frame"):
        canonical_csr(frame)


@pytest.mark.parametrize(("inside", "kind"), [("train", Split), ("history", Holdout)])
def test_what_holds_matrices_is_not_taken_for_one(inside, kind):
    holdout = Holdout(*(Interactions.from_matrix(np.eye(3)) for _ in range(2)))
    whole = holdout if kind is Holdout else Split(holdout.history, None, holdout)
    for call in (EASE().fit, MultDAE(epochs=1).fit, EASE().fit(np.eye(3)).score_items):
        with pytest.raises(DataError, match=f"a {kind.__name__} is no matrix .*: give its .{inside}$"):
            call(whole)


def test_a_canonical_matrix_is_not_copied():
    csr = sp.csr_array(np.eye(3, dtype=np.float32))
    assert np.shares_memory(canonical_csr(csr).data, csr.data)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named_with_their_place(value):
    dense = np.zeros((3, 4))
    dense[2, 1] = value
    with pytest.raises(DataError, match="row 2, column 1"):
        canonical_csr(dense)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((2, 2, 2)), [["a"]], None])
def test_what_is_no_matrix_of_numbers_is_refused(wrong):
    with pytest.raises(DataError):
        canonical_csr(wrong)


def test_a_value_that_is_not_finite_is_found_in_any_block(monkeypatch):
    monkeypatch.setattr("aerec.files.memmap._BLOCK", 2)
    with pytest.raises(DataError, match="holds nan at row 2, column 1"):
        canonical_csr(np.array([[1, 2, 0], [3, 0, 0], [0, np.nan, 1]]))


@pytest.mark.parametrize("kind", [sp.dok_array, sp.dok_matrix])
def test_a_zero_stored_in_a_dictionary_of_keys_is_dropped(kind):
    X = kind((2, 3), dtype=float)
    X[0, 1], X[1, 2] = 2.0, 1.0
    X._dict[(0, 0)] = 0.0
    found = canonical_csr(X)
    assert found.nnz == 2
    np.testing.assert_array_equal(found.toarray(), [[0, 2, 0], [0, 0, 1]])


# ---------------------------------------------------------------------- matrices from outside


def from_arrays(kind, data, indices, indptr, shape):
    """Return a matrix of arrays that scipy's constructor might refuse."""
    matrix = kind(shape)
    matrix.data, matrix.indices, matrix.indptr = np.asarray(data, np.float32), np.asarray(indices), np.asarray(indptr)
    return matrix


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (
            sp.csr_matrix(([1.0], [40], [0, 1]), shape=(1, 39)),
            r"row 0, column 40, outside its shape \(1, 39\).*raw ids",
        ),
        (sp.csr_array(([1.0], [39], [0, 0, 1]), shape=(2, 39)), "row 1, column 39"),
        (sp.csr_array(([1.0], [2 * 10**9], [0, 1]), shape=(1, 39)), "row 0, column 2000000000"),
        (sp.csr_array(([1.0], [10**12], [0, 1]), shape=(1, 39)), "row 0, column 1000000000000"),
        (sp.csr_array(([1.0], [-1], [0, 1]), shape=(1, 39)), "row 0, column -1"),
        (from_arrays(sp.csc_array, [1], [5], [0, 0, 1], (3, 2)), "row 5, column 1, outside"),
        (from_arrays(sp.csc_array, [1], [0], [0, 1], (3, 2)), "indptr has 2 entries, a matrix of 2 columns needs 3"),
        (sp.bsr_array((np.ones((1, 2, 3)), [2], [0, 0, 1]), shape=(4, 6)), "row 2, column 6, outside"),
        (from_arrays(sp.csr_array, [1, 1], [0, 1], [0, 2, 1, 2], (3, 2)), "indptr decreases after row 1, from 2 to 1"),
        (from_arrays(sp.csr_array, [1, 1], [0, 1], [0, 2], (3, 2)), "indptr has 2 entries, a matrix of 3 rows needs 4"),
        (from_arrays(sp.csr_array, [1, 1], [0, 1], [1, 2], (1, 2)), "indptr goes from 1 to 2"),
        (from_arrays(sp.csr_array, [1, 1], [0, 1], [0, 5], (1, 2)), "indptr goes from 0 to 5, there are 2 values"),
        (from_arrays(sp.csr_array, [1, 1], [0], [0, 1], (1, 2)), "1 indices for 2 values"),
        (from_arrays(sp.csr_array, [1], [0.5], [0, 1], (1, 2)), "indices must be one-dimensional and of whole numbers"),
        (
            from_arrays(sp.csr_array, [1], np.array([0], np.dtype(np.int32).newbyteorder()), [0, 1], (1, 2)),
            "byte order",
        ),
        (from_arrays(sp.csr_array, [1], [[0]], [0, 1], (1, 2)), "indices must be one-dimensional"),
    ],
)
def test_index_arrays_that_do_not_fit_are_refused(matrix, message):
    with pytest.raises(DataError, match=message):
        canonical_csr(matrix)


def altered(matrix, **attributes):
    for name, value in attributes.items():
        setattr(matrix, name, value)
    return matrix


def of_rows(rows, data):
    matrix = sp.lil_array((2, 3))
    matrix.rows[0], matrix.data[0] = rows, data
    return matrix


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (altered(sp.coo_array(np.eye(2)), coords=(np.array([0, 1]), np.array([0, 7]))), "row 1, column 7"),
        (altered(sp.coo_array(np.eye(2)), coords=(np.array([0, 1]), np.array([0]))), "2 rows, 1 columns, 2 values"),
        (of_rows([0, 9], [1.0, 1.0]), "row 0, column 9"),
        (of_rows([0], [1.0, 1.0]), "other lengths than its data"),
        (altered(sp.dia_array(np.eye(3)), offsets=np.array([0, 1])), "2 offsets for 1 diagonals"),
        (altered(sp.dok_array((2, 2)), _dict={(0, 5): 1.0}), "DOK"),
    ],
)
def test_other_formats_that_were_altered_are_refused(matrix, message):
    with pytest.raises(DataError, match=message):
        canonical_csr(matrix)


@pytest.mark.parametrize("name", ["has_canonical_format", "has_sorted_indices"])
def test_a_flag_that_is_not_true_is_not_believed(name):
    matrix = sp.csr_array((np.ones(3, np.float32), np.array([2, 0, 0]), np.array([0, 3])), shape=(1, 3))
    setattr(matrix, name, True)
    found = canonical_csr(matrix)
    assert found.indices.tolist() == [0, 2]
    assert found.data.tolist() == [2, 1]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int64, np.float32])
@pytest.mark.parametrize("kind", [sp.coo_matrix, sp.coo_array])
@pytest.mark.parametrize("n", [128, 256, 300, 3000])
def test_sums_of_duplicates_do_not_wrap(dtype, kind, n):
    matrix = kind((np.ones(n, dtype), (np.zeros(n, int), np.full(n, 1))), shape=(1, 2))
    blocks = sp.bsr_array((np.ones((n, 1, 1), dtype), np.full(n, 1), np.array([0, n])), shape=(1, 2))
    rows = sp.csr_array((np.ones(n, dtype), np.full(n, 1), np.array([0, n])), shape=(1, 2))
    columns = sp.csc_array((np.ones(n, dtype), np.zeros(n, int), np.array([0, 0, n])), shape=(1, 2))
    for each in (matrix, blocks, rows, columns):
        assert canonical_csr(each).toarray().tolist() == [[0, n]]


@pytest.mark.parametrize("form", ["coo", "csr", "csc", "bsr"])
def test_true_twice_is_true(form):
    twice = sp.coo_array((np.ones(3, bool), ([0, 0, 0], [1, 1, 0])), shape=(1, 2))
    if form != "coo":
        twice = getattr(sp, f"{form}_array")(sp.csr_array((np.ones(3, bool), [1, 1, 0], [0, 3]), shape=(1, 2)))
    assert canonical_csr(twice).toarray().tolist() == [[1, 1]]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, np.uint64, np.float16, np.float64, object])
def test_numbers_of_every_type_are_taken(dtype):
    dense = np.array([[0, 1, 1], [1, 0, 0]], dtype=dtype)
    given_matrices = [dense, dense.tolist()] + ([] if dtype in (object, np.float16) else [sp.csr_array(dense)])
    for matrix in given_matrices:
        found = canonical_csr(matrix)
        assert found.dtype == np.float32
        assert found.toarray().tolist() == [[0, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.array([[1, 2j]]), "Complex data not supported"),
        (sp.csr_array(np.array([[1, 2j]])), "Complex data not supported"),
        (np.ma.masked_array([[1.0, 2.0]], mask=[[True, False]]), "masked array"),
        (np.array([["1", "2"]]), "text"),
        (np.array([["1", 2]], dtype=object), "text"),
        (np.array([[{}, 2]], dtype=object), "objects"),
        (np.array([[None, 2]], dtype=object), "nan at row 0, column 0"),
        (pd.DataFrame({"a": [1, None]}, dtype="Int64"), "nan|objects"),
        (np.zeros((1, 2), "datetime64[s]"), "datetime64"),
        (sp.coo_array(np.ones(3)), r"1 dimension\(s\): \(3,\); of one user: X\.reshape\(1, -1\)"),
        (np.array([[1.0, 1e30]]), r"holds 1.*e\+30 at row 0, column 1; .* up to 2\^24"),
        (np.array([[0, 0], [0, -(2**24) - 2]]), "holds -16777218 at row 1, column 1"),
        (np.array([[0, 881250949]]), "is this a time or an id"),
        (np.array([[1e39, 0]]), r"holds 1e\+39 at row 0, column 0; ratings are finite"),
        (sp.csr_array(np.array([[0, 1e39]])), r"holds 1e\+39 at row 0, column 1; ratings are finite"),
        ([[1, 2], [3]], "expected a numeric matrix"),
        ({"a": 1}, r"0 dimension\(s\)"),
    ],
)
def test_what_would_be_misread_is_refused(matrix, message):
    with pytest.raises(DataError, match=message):
        canonical_csr(matrix)


def test_whole_numbers_up_to_two_to_the_24_stay_exact():
    assert canonical_csr(np.array([[2**24, -(2**24), 2**24 - 1]])).data.tolist() == [2**24, -(2**24), 2**24 - 1]


def test_tensors_are_read_or_refused_in_words():
    torch = pytest.importorskip("torch")
    dense = torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    assert canonical_csr(dense).toarray().tolist() == [[0, 2], [1, 0]]
    for refused in (dense.to_sparse(), dense.to_sparse_csr(), dense.requires_grad_(), dense.to(torch.bfloat16)):
        with pytest.raises(DataError, match="expected a numeric matrix, got Tensor"):
            canonical_csr(refused)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_frames_of_other_libraries_with_a_row_per_rating_are_known_too(library):
    module = pytest.importorskip(library)
    columns = {"user_id": [1], "item_id": [7], "rating": [4.0]}
    frame = module.DataFrame(columns) if library == "polars" else module.table(columns)
    with pytest.raises(DataError, match="a row per rating"):
        canonical_csr(frame)


wrong = st.one_of(st.integers(-2, 9), st.sampled_from([2**31 - 1, -(2**31), 2 * 10**9, 10**12, -(10**15)]))


@given(
    st.sampled_from([sp.csr_array, sp.csc_array, sp.csr_matrix]),
    st.lists(wrong, max_size=5),
    st.lists(st.integers(0, 5) | wrong, min_size=1, max_size=6),
    st.integers(0, 6),
)
@settings(derandomize=True, max_examples=200)
def test_any_index_arrays_are_read_as_scipy_would_or_refused(kind, indices, indptr, n_values):
    matrix = from_arrays(kind, np.ones(n_values), np.array(indices, np.int64), np.array(indptr, np.int64), (4, 4))
    try:
        found = canonical_csr(matrix)
    except DataError:
        with pytest.raises(Exception):  # noqa: B017, PT011 -- scipy has no single type for it
            matrix.check_format(full_check=True)
        return
    expected = np.zeros((4, 4))
    lines = np.repeat(np.arange(4), np.diff(indptr))
    places = np.array(indices[: len(lines)], dtype=np.int64)
    np.add.at(expected, (places, lines) if kind is sp.csc_array else (lines, places), 1.0)
    assert found.has_canonical_format
    np.testing.assert_array_equal(found.toarray(), expected)


@pytest.mark.parametrize("make", [np.array, sp.csr_array, sp.coo_array, lambda X: np.array(X, dtype=object)])
def test_a_value_that_float32_would_make_0_is_refused(make):
    with pytest.raises(DataError, match="1e-46 is too small for a rating"):
        canonical_csr(make([[1.0, 0.0], [1e-46, 2.0]]))
    assert canonical_csr(make([[1e-44, 1.0]])).nnz == 2


@pytest.mark.parametrize("kind", [np.uint8, np.uint32, np.uint64])
def test_indices_without_a_sign_are_read(kind):
    matrix = from_arrays(sp.csr_array, [1, 2], np.array([2, 0], kind), np.array([0, 1, 2], kind), (2, 3))
    np.testing.assert_array_equal(canonical_csr(matrix).toarray(), [[0, 0, 1], [2, 0, 0]])


@pytest.mark.parametrize("name", ["user", "userId", "user_id"])
def test_ids_beside_columns_of_ratings_are_not_read_as_ratings(name):
    frame = pd.DataFrame({name: [7, 8], "tea": [5.0, 0.0], "cup": [0.0, 3.0]})
    with pytest.raises(DataError, match=rf"a column '{name}' of ids .*set_index\('{name}'\)"):
        canonical_csr(frame)
    np.testing.assert_array_equal(canonical_csr(frame.set_index(name)).toarray(), [[5, 0], [0, 3]])


def test_indices_have_32_bits_where_they_fit():
    wide = sp.csr_array((np.ones(2, dtype=np.float32), np.array([0, 2]), np.array([0, 1, 2])), shape=(2, 3))
    assert wide.indices.dtype == np.int64
    found = canonical_csr(wide)
    assert found.indices.dtype == found.indptr.dtype == np.int32
    np.testing.assert_array_equal(found.toarray(), wide.toarray())
    assert wide.indices.dtype == np.int64
    wider = sp.csr_array((np.ones(1, dtype=np.float32), np.array([2**31]), np.array([0, 1])), shape=(1, 2**31 + 1))
    assert canonical_csr(wider).indices.dtype == np.int64
