"""Each kernel against a few lines of PyTorch in float64, at shapes that vectors and pieces do not divide."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec.native import kernels
from aerec.native.kernels import AdamOptions, CheckedRows, Stored
from aerec.native.loader import describe, is_used

pytestmark = pytest.mark.skipif(not is_used(), reason=describe())

HALF_STEP = 2**-8  # half of what lies between neighbours in bfloat16, relative
SIZES = st.sampled_from([1, 2, 3, 15, 16, 17, 63, 64, 65, 130])
DENSITIES = st.sampled_from([0.0, 0.02, 0.3, 1.0])
SEEDS = st.integers(0, 10_000)


def drawn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def csr(seed, n_rows, n_columns, density):
    """Random rows, some of them empty: the matrix, and its arrays as a kernel takes them."""
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((n_rows, n_columns)) < density, rng.normal(size=(n_rows, n_columns)), 0)
    dense[rng.random(n_rows) < 0.2] = 0
    stored = sp.csr_array(dense.astype(np.float32))
    arrays = stored.indptr.astype(np.int64), stored.indices.astype(np.int64), stored.data
    return torch.from_numpy(dense.astype(np.float32)), tuple(map(torch.from_numpy, arrays))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@given(n_items=st.sampled_from([1, 2, 255, 256, 257, 700]), n_rows=SIZES, density=DENSITIES, seed=SEEDS)
@settings(max_examples=30)
def test_softmax_loss_and_residuals(dtype, n_items, n_rows, density, seed):
    logits, bias = (5 * drawn(seed, n_items, n_rows)).to(dtype), drawn(seed + 1, n_items)
    x, arrays = csr(seed, n_items, n_rows, density)
    scale = drawn(seed + 2, n_rows)
    exact = logits.double() + bias[:, None].double()
    log_sums, explained = kernels.log_sum_exp(logits, bias, Stored(*arrays))
    torch.testing.assert_close(log_sums.double(), torch.logsumexp(exact, 0), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(explained.double(), (exact * x).sum(), rtol=1e-4, atol=1e-3)
    sums = kernels.softmax_residuals(logits, bias, Stored(*arrays), log_sums, scale)
    means = torch.softmax(exact, 0) * scale.double()
    expected = means - x
    error = (logits.double() - expected).abs()
    rounding = HALF_STEP * (means.abs() + expected.abs()) * 1.01 if dtype == torch.bfloat16 else 0
    assert (error <= rounding + 1e-5).all()
    torch.testing.assert_close(sums.double(), expected.sum(1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_logit_that_is_no_number_is_seen(value):
    logits, bias = drawn(0, 300, 20), torch.zeros(300)
    logits[270, 3] = value
    log_sums, _ = kernels.log_sum_exp(logits, bias, Stored(*csr(0, 300, 20, 0.1)[1]))
    assert not torch.isfinite(log_sums[3])
    assert torch.isfinite(log_sums[4:]).all()


def test_logits_far_apart_neither_overflow_nor_vanish():
    logits = torch.tensor([[300.0, -300.0, 0.0], [-300.0, -301.0, 0.0]])
    nothing = Stored(torch.zeros(3, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    log_sums, _ = kernels.log_sum_exp(logits, torch.zeros(2), nothing)
    torch.testing.assert_close(log_sums, torch.logsumexp(logits, 0))
    kernels.softmax_residuals(logits, torch.zeros(2), nothing, log_sums, torch.ones(3))
    torch.testing.assert_close(logits[1], torch.sigmoid(torch.tensor([-600.0, -1.0, 0.0])))


@given(n_rows=SIZES, n_columns=SIZES, n_hidden=SIZES, density=DENSITIES, seed=SEEDS)
def test_sparse_product(n_rows, n_columns, n_hidden, density, seed):
    x, arrays = csr(seed, n_rows, n_columns, density)
    dense = drawn(seed, n_columns, n_hidden)
    product = kernels.sparse_product(*arrays, dense, torch.full((n_rows, n_hidden), torch.nan))
    torch.testing.assert_close(product.double(), x.double() @ dense.double(), rtol=1e-4, atol=1e-4)


def adam_state(seed, *shape):
    return drawn(seed, *shape), drawn(seed + 1, *shape), drawn(seed + 2, *shape).square()


def reference_step(state, gradient, options):
    """Kingma and Ba (2015), with the decay of weights in the gradient."""
    weight, mean, square = (tensor.double() for tensor in state)
    (first, second), step = options.betas, options.step
    gradient = gradient.double() + options.weight_decay * weight
    mean = first * mean + (1 - first) * gradient
    square = second * square + (1 - second) * gradient**2
    scale = (square / (1 - second**step)).sqrt() + options.epsilon
    return weight - options.learning_rate * mean / (1 - first**step) / scale, mean, square


OPTIONS = st.builds(
    AdamOptions,
    st.sampled_from([1e-3, 0.1]),
    st.sampled_from([(0.9, 0.999), (0.0, 0.5)]),
    st.just(1e-8),
    st.sampled_from([0.0, 0.01]),
    st.sampled_from([1.0, 7.0, 1e4]),
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@given(n_rows=SIZES, n_columns=SIZES, options=OPTIONS, seed=SEEDS)
def test_adam(dtype, n_rows, n_columns, options, seed):
    state, gradient = adam_state(seed, n_rows, n_columns), drawn(seed + 3, n_rows, n_columns).to(dtype)
    expected = reference_step(state, gradient, options)
    kernels.adam(*state, gradient, options)
    for ours, theirs in zip(state, expected, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-6)
    if dtype == torch.bfloat16:
        assert torch.equal(gradient, state[0].bfloat16())


@given(n_items=SIZES, n_rows=SIZES, n_hidden=SIZES, density=DENSITIES, options=OPTIONS, seed=SEEDS)
def test_adam_with_a_product_as_gradient(n_items, n_rows, n_hidden, density, options, seed):
    x, arrays = csr(seed, n_items, n_rows, density)
    dense, state = drawn(seed, n_rows, n_hidden), adam_state(seed + 1, n_items, n_hidden)
    expected = reference_step(state, x.double() @ dense.double(), options)
    kernels.sparse_adam(*state, *arrays, dense, options)
    for ours, theirs in zip(state[1:], expected[1:], strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(state[0].double(), expected[0], rtol=1e-3, atol=1e-3)


@given(st.lists(st.floats(width=32, allow_nan=True), min_size=1, max_size=40))
def test_tanh(numbers):
    x = torch.tensor(numbers)
    torch.testing.assert_close(kernels.tanh(x), torch.tanh(x), rtol=1e-6, atol=0, equal_nan=True)


@pytest.mark.parametrize("k", [1, 20, 150, 999, 1500])
@pytest.mark.parametrize("n_columns", [0, 1, 63, 64, 65, 999])
def test_largest_numbers_of_each_row(n_columns, k):
    """Normal ones, few values and so many ties, ascending and descending ones, rows of −∞."""
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((40, n_columns)).astype(np.float32)
    numbers[10:20] = rng.integers(-2, 3, numbers[10:20].shape)
    numbers[20:30].sort(axis=1)
    numbers[25:30] = numbers[25:30, ::-1]
    numbers[30:35, ::2] = -np.inf
    numbers[35:] = np.where(rng.random(numbers[35:].shape) < 0.1, np.float32(-0.0), -np.inf)
    columns, values = kernels.largest(numbers, k)
    order = np.argsort(-numbers, axis=1, kind="stable")[:, :k]
    order = np.pad(order, ((0, 0), (0, k - order.shape[1])), constant_values=-1)
    padded = np.pad(numbers, ((0, 0), (0, 1)), constant_values=-np.inf)
    best = np.take_along_axis(padded, order, axis=1)
    np.testing.assert_array_equal(values, best)
    np.testing.assert_array_equal(columns, np.where(best == -np.inf, -1, order))


@given(n_rows=SIZES, n_columns=SIZES, density=DENSITIES, seed=SEEDS, ones=st.booleans())
@settings(max_examples=40)
def test_products_of_all_columns(n_rows, n_columns, density, seed, ones):
    dense, (starts, columns, values) = csr(seed, n_rows, n_columns, density)
    if ones:
        dense, values = (dense != 0).float(), torch.ones_like(values)
    sums = torch.full((n_columns, n_columns), 7.0)
    kernels.gram(CheckedRows(Stored(starts, columns.int(), values), n_columns), sums)
    expected = (dense.double().T @ dense.double()).float()
    torch.testing.assert_close(sums.triu(), expected.triu(), rtol=1e-5, atol=1e-5)
    assert (sums.tril(-1) == torch.full_like(sums, 7.0).tril(-1)).all()


def test_products_of_more_columns_than_16_bits_number_are_refused():
    rows = CheckedRows(
        Stored(torch.zeros(1, dtype=torch.int64), torch.zeros(0, dtype=torch.int32), torch.zeros(0)), 2**16 + 1
    )
    with pytest.raises(ValueError, match="65,537"):
        kernels.gram(rows, torch.zeros(0))


@pytest.mark.parametrize(
    "numbers", [np.zeros((3, 4)), np.zeros((4, 3), dtype=np.float32).T, np.zeros((3, 8), dtype=np.float32)[:, ::2]]
)
def test_largest_numbers_are_read_as_they_lie(numbers):
    with pytest.raises(ValueError, match="float32 rows"):
        kernels.largest(numbers, 2)


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr(kernels, "_SMALL", 0)
    _, arrays = csr(0, 700, 130, 0.1)
    dense = drawn(1, 130, 65)
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            logits, bias = drawn(2, 700, 130), drawn(3, 700)
            log_sums, explained = kernels.log_sum_exp(logits, bias, Stored(*arrays))
            sums = kernels.softmax_residuals(logits, bias, Stored(*arrays), log_sums, torch.ones(130))
            state = adam_state(4, 700, 65)
            kernels.sparse_adam(*state, *arrays, dense, AdamOptions(0.1, (0.9, 0.999), 1e-8, 0.0, 1.0))
            product = kernels.sparse_product(*arrays, dense, torch.empty(700, 65))
            gram = torch.zeros(130, 130)
            kernels.gram(CheckedRows(Stored(arrays[0], arrays[1].int(), arrays[2]), 130), gram)
            largest = map(torch.from_numpy, kernels.largest(drawn(6, 700, 65).numpy(), 7))
            results.append((log_sums, explained, logits, sums, *state, product, kernels.tanh(drawn(5, 700, 65)), gram))
            results[-1] += (*largest,)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))


def test_what_does_not_fit_is_refused():
    _, (starts, columns, values) = csr(0, 6, 4, 0.5)
    dense, product = drawn(0, 4, 3), torch.empty(6, 3)
    for wrong in (
        (starts, columns + 3, values, dense, product),
        (starts, columns - 4, values, dense, product),
        (starts[:-1], columns, values, dense, product),
        (starts.flip(0), columns, values, dense, product),
        (starts + 1, columns, values, dense, product),
        (starts.int(), columns, values, dense, product),
        (starts, columns, values[1:], dense, product),
        (starts, columns, values.double(), dense, product),
        (starts, columns, values, drawn(0, 3, 4).T, product),
        (starts, columns, values, drawn(0, 4, 2), product),
        (starts, columns, values, dense.bfloat16(), product),
        (starts, columns, values, dense, product[:5]),
    ):
        with pytest.raises(ValueError, match=r"must|takes"):
            kernels.sparse_product(*wrong)
    options = AdamOptions(0.1, (0.9, 0.999), 1e-8, 0.0, 1.0)
    with pytest.raises(ValueError, match="contiguous"):
        kernels.adam(*adam_state(0, 6, 3), drawn(0, 3, 6).T, options)
    with pytest.raises(ValueError, match="shape"):
        kernels.adam(*adam_state(0, 6, 3), drawn(0, 6, 4), options)
    with pytest.raises(ValueError, match="shape"):
        kernels.log_sum_exp(drawn(0, 6, 4), drawn(0, 4), Stored(starts, columns, values))
    with pytest.raises(ValueError, match="shape"):
        kernels.log_sum_exp(drawn(0, 4, 6), drawn(0, 4), Stored(starts, columns, values))


def test_largest_products_refuse_rows_and_columns_that_are_not_there():
    arrays = (csr(seed, 5, 5, 0.5)[1] for seed in (0, 1))
    left, right = (CheckedRows(Stored(starts, columns.int(), values), 5) for starts, columns, values in arrays)
    none = torch.full((5,), -1)
    with pytest.raises(ValueError, match="rows are some of 5"):
        kernels.largest_products(left, right, range(2, 6), 3, none, None)
    with pytest.raises(ValueError, match="columns be from 0 to 3"):
        CheckedRows(right.stored, 4)
    with pytest.raises(ValueError, match="rows of 6 columns cannot be multiplied by 5 rows"):
        kernels.largest_products(CheckedRows(left.stored, 6), right, range(5), 3, none, None)
    with pytest.raises(ValueError, match="shape"):
        kernels.largest_products(left, right, range(5), 3, none[:4], None)


def test_no_kernel_writes_beyond_the_memory_of_the_processor():
    with pytest.raises(ValueError, match="kernels read and write the memory of the processor, got a tensor on meta"):
        kernels._given(torch.ones(3), 5, torch.empty(3, device="meta"))


@pytest.mark.parametrize("frequent", [[], [3, 7, 9], list(range(12))])
def test_products_within_lists_are_those_of_scipy_to_the_bit(frequent):
    dense, (starts, columns, values) = csr(0, 12, 40, 0.4)
    whole = (sp.csr_array(dense.numpy()) @ sp.csr_array(dense.numpy()).T).toarray()
    lists = [[3, 0, 7], [], [5], [11, 2, 3, 9], [9, 7, 3]]
    ends = torch.tensor([0, *(len(rows) for rows in lists)]).cumsum(0)
    rows = torch.tensor([row for rows in lists for row in rows], dtype=torch.int32)
    places = torch.full((12,), -1, dtype=torch.int32)
    places[frequent] = torch.arange(len(frequent), dtype=torch.int32)
    known = places, torch.from_numpy(whole[np.ix_(frequent, frequent)])
    checked = CheckedRows(Stored(starts, columns.int(), values), 40)
    found = kernels.products_within(checked, ends, rows, 4, *known).numpy()
    for rows, products in zip(lists, found, strict=True):
        expected = np.zeros((4, 4), dtype=np.float32)
        expected[: len(rows), : len(rows)] = whole[np.ix_(rows, rows)]
        np.testing.assert_array_equal(products, expected)


def test_products_within_lists_refuse_what_does_not_fit():
    starts, columns, values = csr(0, 6, 5, 0.5)[1]
    rows = CheckedRows(Stored(starts, columns.int(), values), 5)
    begins, lists = torch.tensor([0, 3]), torch.tensor([0, 1, 5], dtype=torch.int32)
    none, known = torch.full((6,), -1, dtype=torch.int32), torch.empty(0, 0)
    with pytest.raises(ValueError, match="more than 2"):
        kernels.products_within(rows, begins, lists, 2, none, known)
    with pytest.raises(ValueError, match="columns be from 0 to 5"):
        kernels.products_within(rows, begins, lists + 1, 3, none, known)
    with pytest.raises(ValueError, match="numbered up to -1"):
        kernels.products_within(rows, begins, lists, 3, none + 1, known)
