"""SparseELSA against its formula in numpy, and against ELSA."""

import copy

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from aerec import Interactions, load_model
from aerec.errors import InsufficientMemoryError, ModelFileError
from aerec.models import ELSA, SparseCode, SparseELSA, sparse_elsa
from aerec.network.products import Scratch
from aerec.network.rows import sparse_rows
from aerec.noise import MaskingNoise
from aerec.system import memory
from aerec.testing import check_recommender


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    taste = np.where(np.arange(80)[:, None] % 3 == np.arange(24) % 3, 0.5, 0.1)
    return Interactions.from_matrix(
        rng.random(taste.shape) < taste, [f"u{at}" for at in range(80)], np.arange(24) + 100
    )


@pytest.fixture(scope="module", params=[3, 2], ids=["columns by bits", "columns by number"])
def model(data, request):
    return SparseELSA(n_factors=16, n_active=request.param, epochs=6, batch_size=16, progress=False).fit(data)


def test_rows_have_their_share_of_entries_and_are_as_long_as_their_users_are_many(data, model):
    assert isinstance(model.factors_, sp.csr_array)
    assert model.factors_.shape == (24, 16)
    counts = np.diff(data.matrix.tocsc().indptr)
    n_entries = np.diff(model.factors_.indptr)
    np.testing.assert_array_equal(n_entries, sparse_elsa.shared_entries(counts, 0.5, model.n_active, 16))
    assert n_entries.min() < n_entries.max() or model.n_active == 2
    assert n_entries.mean() <= model.n_active
    lengths = np.sqrt(counts / (counts + 500 * data.shape[0] / data.n_ratings))
    np.testing.assert_allclose(sp.linalg.norm(model.factors_, axis=1), lengths, rtol=1e-3)
    assert (model.entries_.dtype, model.columns_.dtype, model.scales_.dtype) == (np.uint8, np.uint8, np.float16)
    assert model.entries_.nbytes == -(-n_entries.sum() // 2)
    assert model.columns_.nbytes == min(24 * 2, n_entries.sum())
    assert model.starts_.dtype == np.int32
    assert model.factors_.has_canonical_format


@pytest.mark.parametrize("n_factors", [20, 300], ids=["columns by bits", "columns by number"])
def test_entries_are_rounded_to_sevenths_and_vectors_stay_as_long(n_factors):
    vectors = np.random.default_rng(0).normal(size=(30, n_factors)).astype(np.float32)
    vectors[3] = 0
    wanted = np.arange(30) % 20 + 1
    held = sparse_elsa._largest_entries(vectors, wanted)
    assert held.by_bits == (n_factors == 20)
    kept = vectors * (np.argsort(np.argsort(-np.abs(vectors), axis=1), axis=1) < wanted[:, None])
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    numbers = np.rint(7 * kept / np.maximum(0.85 * largest, 1e-9)).clip(-7, 7)
    rows = held.rows(slice(None)).toarray()
    np.testing.assert_array_equal(np.rint(rows / np.maximum(held.steps(), 1e-9)[:, None]), numbers)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), np.linalg.norm(kept, axis=1), rtol=1e-3)
    np.testing.assert_allclose(held.squares(), np.square(rows).sum(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(held.rows([7, 2]).toarray(), rows[[7, 2]])
    joined = sparse_elsa._joined([held, held], np.array([31, 4, 59]))
    np.testing.assert_array_equal(joined.rows(slice(None)).toarray(), rows[[1, 4, 29]])


def test_scores_are_the_formula(data, model):
    A, x = model.factors_.toarray().astype(np.float64), data.matrix.toarray()
    expected = x @ (A @ A.T - np.diag(np.square(A).sum(axis=1)))
    scores = model.score_items(data)
    seen = x.any(axis=1)
    np.testing.assert_allclose(scores[seen], expected[seen], atol=1e-5)
    np.testing.assert_allclose(model.score_items(np.zeros((1, 24)))[0], model.popularity_)
    columns = np.array([5, 0])
    block = model.block_of(data.select_users(["u4"]))
    np.testing.assert_allclose(model.scorer_.score_at(block, columns), scores[[4]][:, columns], rtol=1e-6)
    np.testing.assert_allclose(
        model.scorer_.contributions(block, columns).sum(axis=0), expected[4, columns], rtol=1e-5, atol=1e-6
    )
    vectors = model.scorer_.query_vectors(block) @ model.scorer_.item_vectors().T
    np.testing.assert_allclose(vectors, x[[4]] @ A @ A.T, atol=1e-5)


def test_blocks_of_items_change_nothing(data, model, monkeypatch):
    scores = model.score_items(data)
    monkeypatch.setattr(sparse_elsa, "_ITEMS", 5)
    np.testing.assert_array_equal(model.score_items(data), scores)
    lists = model.rank(data, 4)
    monkeypatch.setattr(sparse_elsa, "_MANY", 1)
    assert len(model.scorer_.prepared(80, 4)._widened) == 5
    for one, other in zip(lists, model.rank(data, 4), strict=True):
        np.testing.assert_array_equal(one, other)


def test_new_items_by_features(data):
    wider = data.with_items(data.items.append(pd.Index([900, 901])))
    wider = wider.with_item_features(sp.csr_array(np.eye(3)[np.arange(26) % 3]), ["a", "b", "c"])
    model = SparseELSA(n_factors=16, n_active=3, epochs=6, batch_size=16, progress=False).fit(data)
    known, before = model.factors_.toarray(), model.score_items(data)
    model.add_items(wider, l2=0.01)
    A = model.factors_.toarray()
    np.testing.assert_array_equal(A[:24], known)
    np.testing.assert_array_equal(model.score_items(wider)[:, :24], before)
    mean = known[np.arange(24) % 3 == 24 % 3].mean(axis=0)
    kept = np.argsort(-np.abs(mean))[:3]
    np.testing.assert_allclose(A[24, kept], mean[kept], atol=np.abs(mean).max() / 14)
    assert np.count_nonzero(A[24]) == 3


def test_similar_items_go_by_the_cosine(model):
    A = model.factors_.toarray()
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    cosines = A @ A[4]
    cosines[4] = -np.inf
    frame = model.similar_items([104], k=24)
    assert frame["score"][0] == pytest.approx(cosines.max(), rel=1e-5)
    cosines[4] = 0
    assert set(frame["similar"]) == set(np.flatnonzero(cosines) + 100)
    assert 0 < len(frame) < 23


def test_the_cost_is_that_of_elsa(data):
    rows = sparse_rows(data.matrix, torch.device("cpu"))
    weight = torch.as_tensor(np.random.default_rng(1).normal(size=(24, 5)).astype(np.float32))
    chosen = torch.arange(80)[np.diff(data.matrix.indptr) > 0]
    A = weight.numpy() / np.linalg.norm(weight.numpy(), axis=1, keepdims=True)
    x = data.matrix.toarray()[chosen.numpy()]
    batch = rows.batch(chosen)
    for masked in (batch, batch.corrupted(MaskingNoise(0.3), torch.Generator().manual_seed(0))):
        read = np.zeros_like(x)
        read[np.repeat(np.arange(len(x)), np.count_nonzero(x, axis=1)), masked.pattern.columns] = masked.values
        assert masked is batch or not read.any(axis=1).all() or (read != x).any()
        o = read @ A @ A.T - read
        length = np.maximum(np.linalg.norm(o, axis=1), 1e-6) * np.linalg.norm(x, axis=1)
        cosine = (o * x).sum(axis=1) / length
        for user_norm in (1.0, 0.5, 0.0):
            weights = np.linalg.norm(x, axis=1) ** (2 - 2 * user_norm)
            cost = float(sparse_elsa._cost(batch, masked, weight, Scratch(), user_norm))
            assert cost == pytest.approx(float((weights * (2 - 2 * cosine)).mean()), rel=1e-4)


def test_vectors_are_as_long_as_elsa_has_them(data):
    counts = np.diff(data.matrix.tocsc().indptr)
    options = {"n_factors": 8, "n_active": 8, "epochs": 1, "progress": False}
    for shrinkage, used in ((7.0, 7.0), (0.0, 0.0)):
        lengths = np.linalg.norm(SparseELSA(**options, shrinkage=shrinkage).fit(data).factors_.toarray(), axis=1)
        expected = np.sqrt(counts / np.maximum(counts + used, 1e-9))
        np.testing.assert_allclose(lengths, expected, rtol=2e-3)


def test_entries_are_taken_away_geometrically_and_then_stay():
    wanted = np.array([16, 64, 1024])
    left = np.array([sparse_elsa.entries_left(at / 30, 1024, wanted) for at in range(31)])
    assert left[0].tolist() == [1024] * 3
    assert left[10].tolist() == [128, 256, 1024]
    assert (left[20:] == wanted).all()
    assert (np.diff(left, axis=0) <= 0).all()


def test_entries_go_where_the_ratings_are():
    counts = np.array([0, 1, 4, 100, 400])
    assert sparse_elsa.shared_entries(counts, 0.0, 7, 50).tolist() == [7] * 5
    assert sparse_elsa.shared_entries(counts, 0.5, 17, 50).tolist() == [2, 2, 5, 26, 50]
    assert sparse_elsa.shared_entries(counts, 1.0, 10, 40).tolist() == [1, 1, 1, 9, 38]
    assert sparse_elsa.shared_entries(counts, 0.5, 90, 8).tolist() == [8] * 5
    assert sparse_elsa.shared_entries(counts, 3.0, 1, 8).tolist() == [1] * 5
    assert sparse_elsa.shared_entries(counts, 1000.0, 5, 40).tolist() == [1, 1, 1, 1, 21]  # 400¹⁰⁰⁰ is no float


def test_vectors_too_short_for_scales_of_two_bytes_have_scales_of_four(data, tmp_path):
    model = SparseELSA(16, 3, epochs=1, batch_size=16, shrinkage=1e13, progress=False).fit(data)
    counts = np.diff(data.matrix.tocsc().indptr)
    assert model.scales_.dtype == np.float32
    np.testing.assert_allclose(sp.linalg.norm(model.factors_, axis=1), np.sqrt(counts / (counts + 1e13)), rtol=1e-3)
    model.save(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path).score_items(data), model.score_items(data))
    far = sparse_elsa._largest_entries(np.array([[3e6, 0], [0, 1]], dtype=np.float32), np.array([1, 1]))
    np.testing.assert_allclose(far.rows(slice(None)).toarray(), [[3e6, 0], [0, 1]])


@pytest.mark.parametrize("model", [SparseELSA(n_factors=50_000), ELSA(n_factors=50_000)])
def test_more_factors_than_the_memory_holds_are_refused(data, model, monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2**30)
    with pytest.raises(
        InsufficientMemoryError, match=r"24 vectors of 50,000 factors needs 28\.0 GiB.*smaller n_factors"
    ):
        model.set_params(progress=False).fit(data)


def test_the_learning_rate_falls_in_the_last_third():
    assert [sparse_elsa._slowed(at / 12) for at in (0, 4, 8)] == pytest.approx([1, 1, 1])
    assert [sparse_elsa._slowed(at / 12) for at in (9, 10, 11, 12)] == pytest.approx([0.75, 0.5, 0.25, 0])


def test_the_largest_entries_are_left():
    weight = torch.tensor([[3.0, -4.0, 1.0], [0.1, 0.0, -0.2]])
    assert sparse_elsa._largest(weight, torch.tensor([2, 1])).tolist() == [[1, 1, 0], [0, 0, 1]]
    weight = torch.as_tensor(np.random.default_rng(2).normal(size=(7, 33)).astype(np.float32))
    n = torch.arange(7) * 5 + 2
    for row, many, mask in zip(weight, n, sparse_elsa._largest(weight, n), strict=True):
        assert sorted(mask.nonzero().ravel().tolist()) == sorted(row.abs().topk(int(many)).indices.tolist())


def test_entries_as_large_as_the_last_stay_until_the_vectors_are_stored():
    weight = torch.tensor([[2.0, -1.0, 1.0, 0.0]])
    assert sparse_elsa._largest(weight, torch.tensor([2])).tolist() == [[1, 1, 1, 0]]
    assert sparse_elsa._largest_entries(weight.numpy(), np.array([2])).rows([0]).indices.tolist() == [0, 1]


@pytest.mark.parametrize(("n_factors", "dtype"), [(256, np.uint8), (257, np.uint16)])
def test_columns_are_as_narrow_as_the_factors_allow(n_factors, dtype):
    vectors = np.zeros((1, n_factors), dtype=np.float32)
    vectors[0, -1] = 1
    stored = sparse_elsa._largest_entries(vectors, np.array([1]))
    assert stored.columns.dtype == dtype
    assert stored.rows(slice(None)).toarray()[0].tolist() == vectors[0].tolist()


def test_it_learns(data, model):
    """Items of the same taste are more alike than others."""
    A = model.factors_.toarray()
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    similar = A @ A.T
    same = np.arange(24)[:, None] % 3 == np.arange(24) % 3
    np.fill_diagonal(similar, np.nan)
    assert np.nanmean(similar[same]) > np.nanmean(similar[~same]) + 0.2


def test_a_saved_model_scores_as_before_and_holds_no_dense_vectors(data, model, tmp_path):
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score_items(data), model.score_items(data))
    assert isinstance(loaded.factors_, sp.csr_array)
    assert all(np.asarray(array).size <= model.factors_.nnz for array in loaded._state()[1].values())


def test_entries_of_a_byte_each_as_an_earlier_version_saved_them_are_refused(model, tmp_path):
    earlier = copy.copy(model)
    earlier.entries_ = np.ones(model.starts_[-1], dtype=np.int8)
    earlier.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=r"entries_ are not two in a byte.*train it again"):
        load_model(tmp_path / "model")


def test_seeds(data):
    first, again, other = (
        SparseELSA(n_factors=8, n_active=2, epochs=2, seed=seed, progress=False).fit(data) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.factors_.toarray(), again.factors_.toarray())
    assert np.abs((first.factors_ - other.factors_).toarray()).max() > 0.01


def test_epochs_and_batches_follow_the_data(data):
    automatic, given = (
        SparseELSA(n_factors=8, n_active=2, progress=False, **sizes).fit(data)
        for sizes in ({}, {"epochs": 32, "batch_size": 32})  # 8 × 4, of 3 steps
    )
    np.testing.assert_array_equal(automatic.entries_, given.entries_)


def test_it_keeps_the_contract():
    check_recommender(SparseELSA(n_factors=8, n_active=3, epochs=2, batch_size=16, progress=False))


def test_its_code_can_be_written_sparsely(data, model):
    sparse = SparseCode(model, n_units=16, n_active=16, epochs=60, batch_size=16, progress=False).fit(data)
    expected = model.score_items(data)
    assert np.square(sparse.score_items(data) - expected).mean() < 0.01 * expected.var()


@pytest.mark.parametrize("bad", [{"n_factors": 0}, {"n_active": 0}, {"learning_rate": -1.0}])
def test_parameters_out_of_range_are_refused(data, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        SparseELSA(**bad).fit(data)
