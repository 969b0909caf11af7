"""Ranking by candidates from bfloat16 products, against ranking by float32 products."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from aerec.models import CDAE, ELSA, MultVAE
from aerec.recommender import bf16_ranking, network_scorer
from aerec.recommender.bf16_ranking import BF16Ranking, bf16_ranking_pays
from aerec.topk import top_k

QUICK = {"epochs": 2, "device": "cpu", "precision": "bf16", "progress": False}


def whole(rng, low, high, shape):
    """Whole numbers: their products are exact in float32, so that ties are ties however they are summed."""
    return torch.from_numpy(rng.integers(low, high, size=shape).astype(np.float32))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 60), st.sampled_from([0, 1000]), st.booleans())
def test_the_lists_are_those_of_float32(seed, n_items, k, offset, with_bias):
    rng = np.random.default_rng(seed)
    # bfloat16 has eight binary digits: many of these weights, and of their sums, are the same to it
    hidden, weight = whole(rng, -3, 4, (5, 3)), whole(rng, offset, offset + 300, (n_items, 3))
    bias = whole(rng, 0, 9, n_items) if with_bias else None
    k = min(k, n_items)
    left_out = [sp.csr_array((rng.random((5, n_items)) < share).astype(np.float32)) for share in (0.3, 0.1)]
    barred = rng.random(n_items) < 0.1
    scores = (hidden @ weight.T + (0 if bias is None else bias)).numpy()
    scores[(left_out[0] + left_out[1]).toarray() > 0] = -np.inf
    scores[:, barred] = -np.inf
    found, values = BF16Ranking(weight, bias, n_users=5).best(hidden, k, left_out, barred)
    expected, their_values = top_k(scores, k)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(values, their_values)


@pytest.mark.parametrize("n_users", [40, 10_000])
@pytest.mark.parametrize("rows_at_once", [7, 256])
def test_what_bfloat16_cannot_tell_apart_is_ranked_by_float32(rows_at_once, n_users, monkeypatch):
    monkeypatch.setattr(bf16_ranking, "cpu_has_tiles", lambda: True)
    monkeypatch.setattr(bf16_ranking, "_ROWS", rows_at_once)
    rng = np.random.default_rng(0)
    hidden, weight = whole(rng, 1, 3, (40, 4)), 1000 + whole(rng, 0, 2, (3000, 4))
    assert len(weight.bfloat16().unique()) == 1
    found, values = BF16Ranking(weight, None, n_users).best(hidden, 5, [], None)
    expected, their_values = top_k((hidden @ weight.T).numpy(), 5)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(values, their_values)


@pytest.mark.parametrize("model", [MultVAE(hidden=(16, 8), **QUICK), CDAE(hidden=8, **QUICK), ELSA(4, **QUICK)])
@pytest.mark.parametrize("how", [{}, {"exclude_seen": False}, {"allow_items": [*range(30)], "block_items": [4]}])
def test_a_model_ranks_alike_by_either(monkeypatch, model, how):
    X = (np.random.default_rng(2).random((60, 80)) < 0.2).astype(np.float32)
    X[7] = 0
    model.fit(X)
    monkeypatch.setattr(network_scorer, "FEWEST_USERS", 0)
    lists = {}
    for pays in (True, False):
        monkeypatch.setattr(network_scorer, "bf16_ranking_pays", lambda *_, pays=pays: pays)
        lists[pays] = model.rank(X, 6, **how)
    np.testing.assert_allclose(lists[True][1], lists[False][1], rtol=1e-4, atol=1e-6)
    assert (lists[True][0] == lists[False][0]).mean() > 0.99  # but for ties in the last digit


@pytest.mark.parametrize(("precision", "times"), [("float32", 0), ("bf16", 1)])
def test_it_is_used_where_bfloat16_is_asked_for(monkeypatch, precision, times):
    X = (np.random.default_rng(2).random((60, 80)) < 0.2).astype(np.float32)
    model = MultVAE(hidden=8, **QUICK | {"precision": precision}).fit(X)
    asked, best = [], BF16Ranking.best
    monkeypatch.setattr(network_scorer, "FEWEST_USERS", 0)
    monkeypatch.setattr(network_scorer, "bf16_ranking_pays", lambda *_: True)
    monkeypatch.setattr(BF16Ranking, "best", lambda *given: asked.append(1) or best(*given))
    model.rank(X, 3)
    assert len(asked) == times


def test_it_pays_for_many_users_a_large_product_and_short_lists():
    weight = torch.empty(20_000, 200)
    assert bf16_ranking_pays(1000, 100, weight)
    assert not bf16_ranking_pays(5, 100, weight)
    assert not bf16_ranking_pays(1000, 10_000, weight)
    assert not bf16_ranking_pays(1000, 100, weight[:1000])
