"""Calibration beside Steck's formula written out, user by user and rank by rank."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerec import Interactions
from aerec.errors import DataError
from aerec.metrics import calibration_at_k
from aerec.reranking import Calibration, base

N_ITEMS = 12


def mean_shares(items, genres):
    each = [genres[item] / genres[item].sum() for item in items if genres[item].any()]
    return np.mean(each, axis=0) if each else None


def divergence(p, q, alpha):
    q = (1 - alpha) * (0 if q is None else q) + alpha * p
    return sum(float(a * np.log(a / b)) for a, b in zip(p, q, strict=True) if a > 0)


def check_by_formula(found, items, scores, liked, genres, trade_off, alpha):
    """Each item of the list of one user is the best of those that were left."""
    shown = [(item, score) for item, score in zip(items, scores, strict=True) if item >= 0]
    low, high = min((s for _, s in shown), default=0), max((s for _, s in shown), default=0)
    left = {item: (score - low) / (high - low) if high > low else 0.0 for item, score in shown}
    p, chosen = mean_shares(liked, genres), [item for item in found if item >= 0]
    assert len(chosen) == min(len(found), len(left))
    for at, item in enumerate(chosen):
        worth = {}
        for one, relevance in left.items():
            worth[one] = (1 - trade_off) * relevance
            if p is not None:
                worth[one] -= trade_off * divergence(p, mean_shares([*chosen[:at], one], genres), alpha)
        assert worth[item] >= max(worth.values()) - 1e-6
        del left[item]


def generated(seed, n_users, described=0.9):
    rng = np.random.default_rng(seed)
    matrix = rng.random((n_users, N_ITEMS)) < 0.3
    matrix[n_users // 2 :: 4] = False  # users without a history
    genres = (rng.random((N_ITEMS, 5)) < 0.4) * (rng.random((N_ITEMS, 1)) < described)
    indices = np.stack([rng.permutation(N_ITEMS)[:9] for _ in range(n_users)])
    scores = -np.sort(-rng.normal(size=(n_users, 9)).astype(np.float32), axis=1)
    indices[-1, 4:], scores[-1, 4:] = -1, -np.inf
    return Interactions.from_matrix(matrix.astype(np.float32)), genres, indices, scores


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 5),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]),
    st.sampled_from([0.01, 0.3]),
)
@settings(deadline=None)
def test_lists_are_those_of_the_formula(seed, n_users, k, trade_off, alpha):
    data, genres, indices, scores = generated(seed, n_users)
    found, _ = Calibration(trade_off, alpha).rerank((indices, scores), data, k, features=genres)
    matrix = data.matrix.toarray()
    assert found.shape == (n_users, k)
    for user, row in enumerate(found.tolist()):
        liked = np.flatnonzero(matrix[user])
        check_by_formula(row, indices[user], scores[user], liked, genres.astype(float), trade_off, alpha)


def test_blocks_of_users_make_no_difference(monkeypatch):
    data, genres, indices, scores = generated(1, 50)
    whole, _ = Calibration(0.7).rerank((indices, scores), data, 5, features=genres)
    monkeypatch.setattr(base, "_BLOCK_BYTES", 8 * 200)
    parts, _ = Calibration(0.7).rerank((indices, scores), data, 5, features=genres)
    assert whole.tolist() == parts.tolist()


def test_the_more_it_weighs_the_closer_are_the_genres_to_those_of_the_history():
    data, genres, indices, scores = generated(2, 60, described=1.0)
    of_model, *calibrated = (
        Calibration(trade_off).rerank((indices, scores), data, 4, features=genres)[0] for trade_off in (0.0, 0.5, 1.0)
    )
    assert of_model.tolist() == indices[:, :4].tolist()
    far = [np.nanmean(calibration_at_k(one, data, genres)) for one in (of_model, *calibrated)]
    assert far == sorted(far, reverse=True)
    assert far[-1] < far[0] / 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Calibration(1.5), "trade_off must be from 0 to 1, got 1.5"),
        (lambda: Calibration(alpha=0.0), "alpha must be between 0 and 1, got 0.0"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_vectors_with_signs_are_no_genres():
    data, genres, indices, scores = generated(3, 4)
    with pytest.raises(DataError, match="none may be negative"):
        Calibration().rerank((indices, scores), data, features=genres - 0.5)
