"""Items that nobody has rated, described by features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from aerec import Interactions, load_model
from aerec.baselines import ALS, BPR, ItemKNN, Popularity, PureSVD, RP3Beta
from aerec.errors import DataError
from aerec.models import (
    EASE,
    EDLAE,
    ELSA,
    AutoRec,
    Blend,
    LowRankEDLAE,
    MultVAE,
    RecencyWeighted,
    RecVAE,
    SparseCode,
    SparseEASE,
)
from aerec.recommender import new_items
from aerec.recommender.new_items import ridge_shares

N_KNOWN, N_NEW = 40, 6
NEW = [f"new {number}" for number in range(N_NEW)]
NEURAL = {"epochs": 2, "progress": False, "device": "cpu"}

MODELS = [
    EASE(l2=5.0),
    EDLAE(l2=5.0),
    SparseEASE(l2=5.0, n_neighbors=8),
    ItemKNN(k=8),
    RP3Beta(k=8),
    PureSVD(n_factors=4),
    PureSVD(n_factors=4, l2=0),
    LowRankEDLAE(n_factors=4, epochs=3),
    ELSA(n_factors=4, **NEURAL),
    MultVAE(hidden=6, **NEURAL),
    RecVAE(**NEURAL),
    RecencyWeighted(EASE(l2=5.0)),
    Blend([EASE(l2=5.0), PureSVD(n_factors=4)]),
    SparseCode(PureSVD(n_factors=4), n_units=12, n_active=4, epochs=2, progress=False),
]


def catalogue(seed: int = 0) -> tuple[Interactions, Interactions]:
    """Return likes of two tastes, and the same with new items of both tastes; features say whose taste an item is."""
    rng = np.random.default_rng(seed)
    tastes, kinds = np.arange(60) % 2, np.arange(N_KNOWN + N_NEW) % 2
    likes = rng.random((60, N_KNOWN)) < np.where(tastes[:, None] == kinds[:N_KNOWN], 0.4, 0.05)
    items = pd.Index([f"item {number}" for number in range(N_KNOWN)])
    train = Interactions.from_matrix(sp.csr_array(likes.astype(np.float32)), items=items)
    train = Interactions(train.matrix, train.users, train.items, timestamps=np.arange(train.n_ratings, dtype=float))
    features = pd.DataFrame(
        {"item": [*items, *NEW], "kind": np.where(kinds, "odd", "even"), "size": rng.normal(size=N_KNOWN + N_NEW)}
    )
    return train, train.with_items(items.append(pd.Index(NEW))).with_item_features(features)


def dense_shares(known: np.ndarray, new: np.ndarray, l2: float) -> np.ndarray:
    """Return by plain ridge regression with an intercept what each known item adds to each new one."""
    known, new = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (known, new))
    mean = known.mean(axis=0)
    centred = known - mean
    answers = np.eye(len(known))  # a target a known item
    coefficients = np.linalg.inv(centred.T @ centred + l2 * np.eye(known.shape[1])) @ centred.T @ answers
    return answers.mean(axis=0) + (new - mean) @ coefficients


@pytest.mark.parametrize("n_features", [5, 30])  # fewer and more than items
def test_the_shares_are_those_of_a_ridge_regression(n_features: int) -> None:
    rng = np.random.default_rng(0)
    known, new = rng.normal(size=(12, n_features)) + 0.5, rng.normal(size=(3, n_features))
    shares = ridge_shares(sp.csr_array(known), sp.csr_array(new), 0.7)
    np.testing.assert_allclose(shares, dense_shares(known, new, 0.7), atol=1e-6)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("n_features", [5, 30])
def test_large_systems_are_solved_in_single_precision(n_features: int, monkeypatch) -> None:
    monkeypatch.setattr(new_items, "_EXACT", 4)
    rng = np.random.default_rng(0)
    known, new = rng.normal(size=(12, n_features)) + 0.5, rng.normal(size=(3, n_features))
    shares = ridge_shares(sp.csr_array(known), sp.csr_array(new), 0.7)
    np.testing.assert_allclose(shares, dense_shares(known, new, 0.7), atol=1e-4)
    assert np.abs(shares - dense_shares(known, new, 0.7)).max() > 1e-9


def test_weights_of_new_items_are_regressed_on_features() -> None:
    train, data = catalogue()
    model = EASE(l2=5.0).fit(train)
    before = model.weights_.astype(np.float64)
    model.add_items(data, l2=2.0)
    features = data.item_features.toarray().astype(np.float64)
    shares = dense_shares(features[:N_KNOWN], features[N_KNOWN:], 2.0)
    np.testing.assert_array_equal(model.weights_[:N_KNOWN, :N_KNOWN], before.astype(np.float32))
    np.testing.assert_allclose(model.weights_[:N_KNOWN, N_KNOWN:], before @ shares.T, atol=1e-6)
    np.testing.assert_allclose(model.weights_[N_KNOWN:, :N_KNOWN], shares @ before, atol=1e-6)
    assert not np.diagonal(model.weights_).any()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_new_items_are_offered_to_those_who_like_their_kind(model, tmp_path) -> None:
    train, data = catalogue()
    known = model.fit(train).score_items(train)
    assert model.add_items(data) is model
    assert model.items_.tolist() == data.items.tolist()
    scores = model.score_items(train)
    assert scores.shape == (60, N_KNOWN + N_NEW)
    if not isinstance(model, Blend):
        np.testing.assert_allclose(scores[:, :N_KNOWN], known, atol=1e-5)
    new, tastes = scores[:, N_KNOWN:], np.arange(60) % 2
    better = [new[tastes == kind][:, kind::2].mean() > new[tastes == kind][:, 1 - kind :: 2].mean() for kind in (0, 1)]
    assert all(better) or isinstance(model, RecVAE | MultVAE)  # two epochs teach these little
    offered = model.recommend(train, k=3, allow_items=NEW)
    assert set(offered["item"]) <= set(NEW)
    assert len(offered) == 180
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_allclose(loaded.score_items(train), scores, atol=1e-6)
    assert loaded.score_items({"anna": ["item 1", "new 1"]}).shape == (1, N_KNOWN + N_NEW)


def test_items_without_ratings_in_training_are_new_too() -> None:
    train, data = catalogue()
    appended = EASE(l2=5.0).fit(train).add_items(data)
    present = EASE(l2=5.0).fit(data).add_items(data)
    np.testing.assert_allclose(present.weights_, appended.weights_, atol=1e-6)


def test_sparse_weights_stay_sparse() -> None:
    train, data = catalogue()
    model = ItemKNN(k=3).fit(train)
    before = model.weights_.toarray()
    most = max(np.count_nonzero(before, axis=axis).max() for axis in (0, 1))
    weights = model.add_items(data).weights_.toarray()
    np.testing.assert_array_equal(weights[:N_KNOWN, :N_KNOWN], before)
    assert np.count_nonzero(weights[:, N_KNOWN:], axis=0).max() <= most
    assert np.count_nonzero(weights[N_KNOWN:], axis=1).max() <= most
    np.testing.assert_array_equal(model.add_items(data).weights_.toarray(), weights)  # the same again


@pytest.mark.parametrize("kind", [EASE, EDLAE])
def test_an_update_after_new_items_is_exact(kind) -> None:
    train, data = catalogue()
    rng = np.random.default_rng(1)
    more = Interactions.from_matrix(
        sp.csr_array((rng.random((9, N_KNOWN + N_NEW)) < 0.3).astype(np.float32)),
        users=range(100, 109),
        items=data.items,
    )
    updated = kind(l2=5.0).fit(train).add_items(data).partial_fit(more)
    plain = Interactions(train.matrix, train.users, train.items).with_items(data.items)
    whole = kind(l2=5.0).fit(Interactions.concat([plain, more]).with_items(data.items))
    np.testing.assert_allclose(updated.weights_, whole.weights_, atol=1e-5)


def test_an_autoencoder_learns_on() -> None:
    train, data = catalogue()
    model = MultVAE(hidden=6, **NEURAL).fit(train).add_items(data).partial_fit(data)
    assert model.score_items(data).shape == data.shape


def test_some_items_can_be_named() -> None:
    train, data = catalogue()
    model = EASE(l2=5.0).fit(train).add_items(data, items=["new 3"])
    assert model.items_.tolist() == [*train.items, "new 3"]
    with pytest.raises(DataError, match="not among those of the data"):
        model.add_items(data, items=["nothing"])


def test_items_without_features_are_left_out() -> None:
    train, data = catalogue()
    wider = data.with_items(data.items.append(pd.Index(["bare"])))
    model = EASE(l2=5.0).fit(train)
    with pytest.warns(UserWarning, match="1 new items are left out"):
        model.add_items(wider)
    assert "bare" not in model.items_


def test_items_that_share_no_feature_with_a_rated_one_are_said() -> None:
    train, data = catalogue()
    wider = data.with_items(data.items.append(pd.Index(["odd one"])))
    strange = pd.DataFrame({"item": wider.items, "brand": [None] * (len(wider.items) - 1) + ["new brand"]})
    model = EASE(l2=5.0).fit(train)
    with pytest.warns(UserWarning, match="1 new items have no feature that a rated item has"):
        model.add_items(wider.with_item_features(strange))
    assert "odd one" in model.items_


def test_what_cannot_be_done_is_refused_and_changes_nothing() -> None:
    train, data = catalogue()
    model = EASE(l2=5.0).fit(train)
    with pytest.raises(DataError, match="no features"):
        model.add_items(train)
    with pytest.raises(ValueError, match="l2 must be a number above 0, got"):
        model.add_items(data, l2=0)
    with pytest.raises(DataError, match="fit on an Interactions"):
        EASE(l2=5.0).fit(train.matrix).add_items(data)
    with pytest.raises(DataError, match="no item with features has a rating"):
        model.add_items(data.select_users(data.users[:0]))
    assert len(model.items_) == N_KNOWN
    for other in (Popularity(), AutoRec(**NEURAL), Blend([EASE(l2=5.0), Popularity()])):
        with pytest.raises(ValueError, match="cannot take new items"):
            other.fit(train).add_items(data)
        assert len(other.items_) == N_KNOWN


def test_models_of_implicit() -> None:
    pytest.importorskip("implicit")
    train, data = catalogue()
    assert BPR(n_factors=4, epochs=2).fit(train).add_items(data).score_items(train).shape == data.shape
    with pytest.raises(ValueError, match="ALS cannot take new items"):
        ALS(n_factors=4, epochs=2).fit(train).add_items(data)
