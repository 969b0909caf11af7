import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import check_grad

from aerec.datasets import load_dataset
from aerec.models import EDLAE, LowRankEDLAE
from aerec.models import low_rank_edlae as module


@pytest.fixture
def likes():
    rng = np.random.default_rng(0)
    return sp.csr_array((rng.random((40, 9)) < 0.4).astype(np.float32))


@pytest.fixture(params=[8_000, 0], ids=["gram held", "products with X"])
def gram(request, likes, monkeypatch):
    monkeypatch.setattr(module, "_DENSE_ITEMS", request.param)
    return module._Gram(likes)


def dense_cost(X, B, ridge):
    X = X.toarray().astype(np.float64)
    return ((X - X @ B) ** 2).sum() + (ridge[:, None] * B**2).sum()


def weights(U, V):
    B = U @ V.T
    np.fill_diagonal(B, 0)
    return B


def test_the_cost_is_that_of_the_formula_and_has_its_gradient(likes, gram):
    rng = np.random.default_rng(1)
    ridge, start = 1 + rng.random(9), rng.normal(size=(2, 9, 3))
    value, by_u, by_v = module._cost_and_gradients(*start, gram, ridge)
    assert value == pytest.approx(dense_cost(likes, weights(*start), ridge), rel=1e-6)
    if gram._dense is not None:
        return  # its products are float32: too coarse for differences of costs

    def cost(flat):
        return dense_cost(likes, weights(*flat.reshape(start.shape)), ridge)

    error = check_grad(cost, lambda _: np.stack([by_u, by_v]).ravel(), start.ravel())
    assert error < 1e-4 * np.linalg.norm([by_u, by_v])


def test_full_rank_comes_close_to_the_closed_form(likes):
    full = EDLAE(l2=2.0, dropout=0.3).fit(likes)
    model = LowRankEDLAE(l2=2.0, dropout=0.3, n_factors=9, epochs=2000).fit(likes)
    ridge = 0.3 / 0.7 * likes.toarray().sum(axis=0) + 2
    found = dense_cost(likes, weights(model.input_factors_, model.output_factors_), ridge)
    assert found == pytest.approx(dense_cost(likes, full.weights_, ridge), rel=0.01)


def test_scores_are_the_history_times_weights_without_a_diagonal():
    likes = load_dataset("sample").binarize(4.0)
    model = LowRankEDLAE(l2=50.0, n_factors=8, epochs=3).fit(likes)
    likes = likes.filter(min_per_user=1)
    expected = likes.matrix @ weights(model.input_factors_, model.output_factors_)
    np.testing.assert_allclose(model.score_items(likes), expected, atol=1e-4)
    one = likes.select_users(likes.users[:1])
    item = likes.items[5]
    terms = model.explain(one, item)
    assert terms["contribution"].sum() == pytest.approx(model.score_items(one)[0, 5], abs=1e-5)


def test_more_factors_cost_less(likes):
    ridge = likes.toarray().sum(axis=0) + 2.0
    costs = []
    for n_factors in (1, 3, 6):
        model = LowRankEDLAE(l2=2.0, dropout=0.5, n_factors=n_factors, epochs=300).fit(likes)
        costs.append(dense_cost(likes, weights(model.input_factors_, model.output_factors_), ridge))
    assert costs[0] > costs[1] > costs[2]


def test_similar_items_have_the_largest_weights(likes):
    model = LowRankEDLAE(n_factors=3).fit(likes)
    found = model.similar_items([4], k=8).set_index("similar")["score"]
    row = model.input_factors_[4] @ model.output_factors_.T
    np.testing.assert_allclose(found.to_numpy(), np.sort(np.delete(row, 4))[::-1], rtol=1e-5)
    np.testing.assert_allclose(found.sort_index().to_numpy(), np.delete(row, 4), rtol=1e-5)
