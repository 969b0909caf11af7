import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from aerec import Interactions
from aerec.canonical import canonical_csr
from aerec.closed_form.neighbours import RowIndex
from aerec.errors import TrainingError
from aerec.models import EASE, SparseEASE, sparse_ease


def likes(n_users=80, n_items=25, seed=0):
    rng = np.random.default_rng(seed)
    return canonical_csr(rng.random((n_users, n_items)) < rng.random(n_items) * 0.6 + 0.05)


def test_with_every_item_as_neighbour_it_is_ease():
    X = likes(n_users=400)
    both = (X.T @ X).toarray()
    assert (both > 0).all()  # every pair of items has a common user: all can be neighbours
    sparse, whole = SparseEASE(l2=5.0, n_neighbors=24).fit(X), EASE(l2=5.0).fit(X)
    np.testing.assert_allclose(sparse.weights_.toarray(), whole.weights_, atol=1e-5)


def test_each_column_is_the_ridge_regression_on_its_nearest_items():
    X = likes()
    model = SparseEASE(l2=3.0, n_neighbors=4).fit(X)
    dense, gram = model.weights_.toarray(), (X.T @ X).toarray().astype(np.float64)
    cosine = gram / np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
    np.fill_diagonal(cosine, -1)
    for item in range(25):
        near = np.argsort(-cosine[item], kind="stable")[:4]
        expected = np.zeros(25)
        expected[near] = np.linalg.solve(gram[np.ix_(near, near)] + 3.0 * np.eye(4), gram[near, item])
        np.testing.assert_allclose(dense[:, item], expected, atol=1e-5)


@pytest.mark.parametrize("pairs", [30, 200, 10_000])
@pytest.mark.parametrize("compiled", [True, False])
def test_blocks_of_any_size_and_the_part_of_the_gram_matrix_give_the_same(monkeypatch, pairs, compiled):
    X = likes()
    expected = SparseEASE(l2=3.0, n_neighbors=5).fit(X).weights_.toarray()
    monkeypatch.setattr(sparse_ease, "_DENSE_ITEMS", 0)
    if not compiled:
        monkeypatch.setattr(sparse_ease, "is_used", lambda: False)
    monkeypatch.setattr(sparse_ease, "_POPULAR_ITEMS", 6)
    monkeypatch.setattr(sparse_ease, "_BLOCK_PAIRS", pairs)
    np.testing.assert_allclose(SparseEASE(l2=3.0, n_neighbors=5).fit(X).weights_.toarray(), expected, atol=1e-6)


def test_items_without_neighbours_have_no_weights():
    X = sp.csr_array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0]])
    model = SparseEASE(l2=1.0, n_neighbors=3).fit(X)
    dense = model.weights_.toarray()
    assert dense[0, 1] == pytest.approx(2 / 3)
    assert (dense[2:] == 0).all()
    assert (dense[:, 2:] == 0).all()


def test_nearest_rows_are_at_most_k_a_row():
    rows = canonical_csr(likes().T)
    near = RowIndex(rows).nearest(rows, 3, 0.0, exclude=np.arange(25))
    assert (np.diff(near.indptr) <= 3).all()
    assert near.diagonal().sum() == 0


def test_too_small_a_penalty_is_a_training_error():
    X = Interactions.from_matrix(sp.csr_array(np.ones((6, 5), dtype=np.float32)))
    with pytest.raises(TrainingError, match="l2 is too small"):
        SparseEASE(l2=1e-12, n_neighbors=4).fit(X)


def test_a_fit_that_fails_leaves_the_model_as_it_was():
    good = Interactions.from_matrix(sp.csr_array(np.eye(5, dtype=np.float32) + np.eye(5, k=1, dtype=np.float32)))
    bad = Interactions.from_matrix(sp.csr_array(np.ones((6, 5), dtype=np.float32)), items=list("vwxyz"))
    model = SparseEASE(l2=1.0, n_neighbors=4).fit(good)
    before = model.score_items(good)
    with pytest.raises(TrainingError):
        model.set_params(l2=1e-12).fit(bad)
    assert list(model.items_) == list(good.items)
    assert np.array_equal(model.score_items(good), before)
    fresh = SparseEASE(l2=1e-12, n_neighbors=4)
    with pytest.raises(TrainingError):
        fresh.fit(bad)
    with pytest.raises(NotFittedError):
        fresh.score_items(bad)
