"""Maximal marginal relevance beside the formula written out, user by user and rank by rank."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec import Interactions
from aerec.metrics import genre_diversity_at_k
from aerec.reranking import MaximalMarginalRelevance, base

N_ITEMS = 12


def check_by_formula(found, items, scores, vectors, trade_off):
    """Each item of the list of one user is the best of those that were left."""
    shown = [(item, score) for item, score in zip(items, scores, strict=True) if item >= 0]
    low, high = min((s for _, s in shown), default=0), max((s for _, s in shown), default=0)
    left = {item: (score - low) / (high - low) if high > low else 0.0 for item, score in shown}
    unit = [v / np.linalg.norm(v) if v.any() else v for v in vectors]
    chosen = [item for item in found if item >= 0]
    assert len(chosen) == min(len(found), len(left))
    for at, item in enumerate(chosen):
        worth = {
            one: trade_off * relevance
            - (1 - trade_off) * max((float(unit[one] @ unit[other]) for other in chosen[:at]), default=0.0)
            for one, relevance in left.items()
        }
        assert worth[item] >= max(worth.values()) - 1e-6
        del left[item]


def candidates(rng, n_users, n):
    """Ranked lists, the last one short and the one before empty."""
    indices = np.stack([rng.permutation(N_ITEMS)[:n] for _ in range(n_users)]) if n_users else np.zeros((0, n), int)
    scores = -np.sort(-rng.integers(0, 40, (n_users, n)).astype(np.float32), axis=1)
    for user, length in ((n_users - 1, n // 2), (n_users - 2, 0)):
        if user >= 0:
            indices[user, length:], scores[user, length:] = -1, -np.inf
    return indices, scores


def data_of(n_users):
    return Interactions.from_matrix(np.ones((n_users, N_ITEMS)))


@given(st.integers(0, 2**32 - 1), st.integers(0, 5), st.integers(1, 10), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
@settings(deadline=None)
def test_lists_are_those_of_the_formula(seed, n_users, k, trade_off):
    rng = np.random.default_rng(seed)
    indices, scores = candidates(rng, n_users, 9)
    dense = rng.normal(size=(N_ITEMS, 5)) * (rng.random((N_ITEMS, 1)) < 0.9)
    few = rng.random((N_ITEMS, 6)) * (rng.random((N_ITEMS, 6)) < 0.5)
    for features, vectors in ((dense, dense), (few, few), (sp.csr_array(few), few)):
        reranker = MaximalMarginalRelevance(trade_off)
        found, kept = reranker.rerank((indices, scores), data_of(n_users), k, features=features)
        pairs = [*zip(indices.tolist(), scores.tolist(), strict=True)]
        assert found.shape == (n_users, k)
        for row, pair in zip(found.tolist(), pairs, strict=True):
            check_by_formula(row, *pair, vectors, trade_off)
        known = [dict(zip(*pair, strict=True)) | {-1: -np.inf} for pair in pairs]
        assert kept.tolist() == [[of[item] for item in row] for of, row in zip(known, found.tolist(), strict=True)]


@pytest.mark.parametrize("sparse", [False, True])
def test_blocks_of_users_make_no_difference(monkeypatch, sparse):
    rng = np.random.default_rng(0)
    indices, scores = candidates(rng, 40, 9)
    features = rng.integers(0, 2, (N_ITEMS, 6))
    features = sp.csr_array(features) if sparse else features
    whole, _ = MaximalMarginalRelevance(0.4).rerank((indices, scores), data_of(40), 5, features=features)
    monkeypatch.setattr(base, "_BLOCK_BYTES", 8 * 200)
    parts, _ = MaximalMarginalRelevance(0.4).rerank((indices, scores), data_of(40), 5, features=features)
    assert whole.tolist() == parts.tolist()


def test_the_ends_are_the_order_of_the_model_and_diversity_alone():
    rng = np.random.default_rng(1)
    indices, scores = candidates(rng, 60, 12)
    genres = rng.random((N_ITEMS, 4)) < 0.4
    genres[:, 0] |= ~genres.any(axis=1)
    of_model, *more_diverse = (
        MaximalMarginalRelevance(trade_off).rerank((indices, scores), data_of(60), 5, features=genres)[0]
        for trade_off in (1.0, 0.7, 0.3, 0.0)
    )
    assert of_model.tolist() == indices[:, :5].tolist()
    diversity = [np.nanmean(genre_diversity_at_k(one, genres)) for one in (of_model, *more_diverse)]
    assert diversity == sorted(diversity)
    assert diversity[0] < diversity[-1]


@pytest.mark.parametrize("trade_off", [-0.1, 1.1, float("nan")])
def test_a_trade_off_is_a_share(trade_off):
    with pytest.raises(ValueError, match="trade_off must be from 0 to 1"):
        MaximalMarginalRelevance(trade_off)


def test_vectors_may_come_by_item_id():
    frame = pd.DataFrame({"user": 1, "item": [*"abc"], "rating": 1.0})
    data = Interactions.from_frame(frame)
    vectors = pd.DataFrame([[0.0, 1.0], [1.0, 0.0], [1.0, 0.1]], index=["c", "b", "a"])
    shown = pd.DataFrame({"user": 1, "item": [*"abc"], "rank": [1, 2, 3], "score": [3.0, 2.9, 1.0]})
    found = MaximalMarginalRelevance(0.3).rerank(shown, data, 2, features=vectors)
    assert found["item"].tolist() == ["a", "c"]
