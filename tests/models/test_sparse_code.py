"""SparseCode against its formula in numpy, and what its units do to the scores."""

import importlib.util
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from aerec import Interactions, load_model
from aerec.baselines import ALS, ItemKNN, PureSVD, UserKNN
from aerec.errors import DataError
from aerec.models import ELSA, AutoRec, Blend, MultDAE, MultVAE, RecencyWeighted, RecVAE, SparseCode, sparse_code
from aerec.recommender.recency import RecencyScorer
from aerec.recommender.scorer import CodeScorer, SteerableScorer
from aerec.testing import check_recommender

QUIET = {"epochs": 3, "progress": False}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    taste = np.where(np.arange(60)[:, None] % 3 == np.arange(24) % 3, 0.5, 0.1)
    return Interactions.from_matrix(
        rng.random(taste.shape) < taste, [f"u{at}" for at in range(60)], np.arange(24) + 100
    )


@pytest.fixture(scope="module")
def svd(data):
    return SparseCode(PureSVD(n_factors=6, l2=0), n_units=20, n_active=4, batch_size=16, **QUIET).fit(data)


INNER = [
    PureSVD(n_factors=5),
    ELSA(n_factors=5, **QUIET),
    MultDAE(hidden=5, **QUIET),
    MultVAE(hidden=(8, 5), **QUIET),
    RecVAE(hidden=(8, 5), **QUIET),
    AutoRec(orientation="user", hidden=5, **QUIET),
]


def code_by_hand(model, z):
    return best_of((z - model.centre_).astype(np.float64) @ model.encoder_.T + model.encoder_bias_, model.n_active)


def best_of(activations, k):
    code = np.zeros_like(activations)
    best = np.argsort(-activations, axis=1)[:, :k]
    np.put_along_axis(code, best, np.take_along_axis(activations, best, axis=1), axis=1)
    return code


def test_the_code_is_the_formula(data, svd):
    z = data.matrix @ svd.model_.item_factors_
    code = svd.transform(data)
    assert isinstance(code, sp.csr_array)
    assert code.shape == (60, 20)
    assert code.dtype == np.float32
    np.testing.assert_array_equal(np.diff(code.indptr), 4)
    assert code.has_sorted_indices
    np.testing.assert_allclose(code.toarray(), code_by_hand(svd, z), atol=1e-5)
    z_hat = code_by_hand(svd, z) @ svd.decoder_ + svd.centre_
    seen = np.diff(data.matrix.indptr) > 0
    np.testing.assert_allclose(svd.score_items(data)[seen], (z_hat @ svd.model_.item_factors_.T)[seen], atol=1e-5)


def test_directions_have_length_1_and_activity_is_that_of_the_training_users(data, svd):
    np.testing.assert_allclose(np.linalg.norm(svd.decoder_, axis=1), 1, rtol=1e-5)
    code = svd.transform(data)[np.diff(data.matrix.indptr) > 0].tocsc()
    counts = np.diff(code.indptr)
    np.testing.assert_allclose(svd.activity_, counts / code.shape[0], rtol=1e-6)
    np.testing.assert_allclose(svd.strength_, code.sum(axis=0) / np.maximum(counts, 1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("inner", INNER, ids=lambda model: type(model).__name__)
def test_with_enough_units_the_scores_are_those_of_the_model(data, inner):
    model = SparseCode(inner, n_units=32, n_active=32, epochs=40, batch_size=8, progress=False).fit(data)
    expected, scores = model.model_.score_items(data), model.score_items(data)
    assert np.square(scores - expected).mean() < 0.001 * expected.var()


def test_training_lowers_the_error(data):
    errors = []
    for epochs in (1, 30):
        model = SparseCode(PureSVD(n_factors=6), n_units=20, n_active=4, epochs=epochs, progress=False, batch_size=16)
        errors.append(np.square(model.fit(data).score_items(data) - model.model_.score_items(data)).mean())
    assert errors[1] < errors[0] / 2


def test_every_second_epoch_reads_codes_of_a_part_of_each_history(data, monkeypatch):
    parts = []
    thinned = sparse_code.thinned
    monkeypatch.setattr(sparse_code, "thinned", lambda *given: parts.append(thinned(*given)) or parts[-1])
    inner = PureSVD(n_factors=6, l2=0)
    SparseCode(inner, n_units=20, n_active=4, epochs=5, progress=False).fit(data)
    whole = data.matrix[np.diff(data.matrix.indptr) > 0]
    assert len(parts) == 2
    for part in parts:
        history = part.history
        assert history.has_canonical_format
        assert ((history - whole).toarray() <= 0).all()
        assert 0.6 < history.nnz / whole.nnz < 0.9
    assert (parts[0].history != parts[1].history).nnz > 0


def test_numbers_that_all_codes_share_stay(data):
    rng = np.random.default_rng(1)
    codes = np.column_stack([rng.normal(size=(40, 3)), np.ones(40)]).astype(np.float32)
    model = SparseCode(n_units=12, n_active=3, batch_size=8, **QUIET)
    model._learn(codes)
    np.testing.assert_array_equal(model.decoder_[:, 3], 0)
    assert model.centre_[3] == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("selection", ["batch_top_k", "jump_relu"])
def test_what_is_above_the_threshold_is_active(data, selection):
    model = SparseCode(
        PureSVD(n_factors=6, l2=0), 20, 4, selection, epochs=60, batch_size=16, learning_rate=0.01, progress=False
    ).fit(data)
    z = data.matrix @ model.model_.item_factors_
    activations = (z - model.centre_).astype(np.float64) @ model.encoder_.T + model.encoder_bias_
    assert (model.threshold_ > 0).all()
    assert len(set(model.threshold_.tolist())) == (1 if selection == "batch_top_k" else 20)
    code = model.transform(data)
    expected = np.where(activations > model.threshold_, activations, 0)
    np.testing.assert_allclose(code.toarray(), expected, atol=1e-5)
    counts = np.diff(code.indptr)[np.diff(data.matrix.indptr) > 0]
    assert counts.std() > 0
    assert counts.mean() == pytest.approx(4, abs=0.5)
    np.testing.assert_allclose(model.activity_.sum(), counts.mean(), rtol=1e-5)
    seen = np.diff(data.matrix.indptr) > 0
    z_hat = expected @ model.decoder_ + model.centre_
    np.testing.assert_allclose(model.score_items(data)[seen], (z_hat @ model.model_.item_factors_.T)[seen], atol=1e-5)


# ---------------------------------------------------------------------- reading and steering


def test_a_unit_is_described_by_what_its_direction_adds(data, svd):
    frame = svd.describe_code(7, n=5, activation=2.0)
    weights = 2 * svd.model_.item_factors_ @ svd.decoder_[7]
    best = np.argsort(-weights)[:5]
    assert frame["item"].tolist() == (best + 100).tolist()
    np.testing.assert_allclose(frame["weight"], weights[best], rtol=1e-4, atol=1e-6)


def test_contributions_of_units_and_the_centre_sum_to_the_score(data, svd):
    user = data.select_users(["u3"])
    frame = svd.explain_code(user, 105)
    code = svd.transform(user)
    assert set(frame["unit"]) == set(code.indices)
    assert frame["contribution"].is_monotonic_decreasing
    centre = svd.centre_ @ svd.model_.item_factors_[5]
    np.testing.assert_allclose(frame["contribution"].sum() + centre, svd.score_items(user)[0, 5], rtol=1e-4)


def test_units_are_named_by_the_feature_of_their_items(data, svd):
    groups = np.arange(24) % 3
    described = data.with_item_features(sp.csr_array(np.eye(3)[groups]), ["a", "b", "c"])
    frame = svd.name_units(described, n_items=4)
    assert frame["unit"].tolist() == list(range(20))
    for unit in (0, 7, 19):
        columns = svd.describe_code(unit, n=4)["item"].to_numpy() - 100
        counts = np.bincount(groups[columns], minlength=3)
        assert frame["precision"][unit] == counts.max() / 4
        assert counts["abc".index(frame["name"][unit])] == counts.max()
        assert frame["lift"][unit] == pytest.approx(counts.max() / 4 * 3)
    backwards = described.with_items(data.items[::-1])
    assert svd.name_units(backwards, n_items=4).equals(frame)
    genres = {item: (f"g{item % 3}",) for item in data.items.tolist()}
    by_genre = svd.name_units(replace(data, item_genres=genres), n_items=4)
    of_genre = data.with_item_features(pd.DataFrame({"item": genres.keys(), "genre": [g for (g,) in genres.values()]}))
    assert by_genre.equals(svd.name_units(of_genre, n_items=4))
    with pytest.raises(DataError, match="needs features or genres of items"):
        svd.name_units(data)
    with pytest.raises(DataError, match="needs features of the 24 items of the model"):
        svd.name_units(described.with_items(data.items + 1000))
    for held_out in ([], data.items):
        with pytest.raises(ValueError, match="expected some, not all"):
            svd.name_units(described, held_out=held_out)


def test_what_is_as_common_everywhere_is_no_name(data, svd):
    everywhere = data.with_item_features(sp.csr_array(np.ones((24, 1))), ["film"])
    frame = svd.name_units(everywhere, n_items=4)
    assert frame["name"].isna().all()
    np.testing.assert_array_equal(frame[["precision", "lift"]], 1)
    columns = [svd.describe_code(unit, n=4)["item"].to_numpy() - 100 for unit in range(20)]
    only = np.zeros((24, 1))
    only[columns[7]] = 1
    frame = svd.name_units(data.with_item_features(sp.csr_array(only), ["rare"]), n_items=4)
    named = [only[of_unit].mean() > only.mean() for of_unit in columns]
    assert frame["name"].notna().tolist() == named
    assert named[7]
    assert not all(named)


def test_names_are_tried_on_items_that_had_no_part_in_them(data, svd):
    groups = np.arange(24) % 3
    described = data.with_item_features(sp.csr_array(np.eye(3)[groups]), ["a", "b", "c"])
    held_out = data.items[[1, 4, 5, 9, 13, 17, 18, 20]]
    frame = svd.name_units(described, n_items=4, held_out=held_out)
    without = svd.describe_code(7, n=24)
    seen, other = (
        without[without["item"].isin(held_out) == flag]["item"].to_numpy()[:4] - 100 for flag in (False, True)
    )
    name = "abc".index(frame["name"][7])
    assert frame["precision"][7] == np.mean(groups[seen] == name) == np.bincount(groups[seen]).max() / 4
    assert frame["held_out_precision"][7] == np.mean(groups[other] == name)
    share = np.mean(groups[data.items.get_indexer(held_out)] == name)
    assert frame["held_out_lift"][7] == pytest.approx(frame["held_out_precision"][7] / share)


def test_steering_adds_the_direction_of_the_unit(data, svd):
    steered = svd.steer({7: 2.0, 3: -1.0})
    added = (2 * svd.decoder_[7] - svd.decoder_[3]) @ svd.model_.item_factors_.T
    np.testing.assert_allclose(steered.score_items(data) - svd.score_items(data), np.tile(added, (60, 1)), atol=1e-5)
    np.testing.assert_allclose(
        (steered.transform(data) - svd.transform(data)).toarray()[:, [3, 7]], [[-1, 2]] * 60, atol=1e-5
    )
    assert svd.recommend(data, k=3).equals(svd.steer({}).recommend(data, k=3))


@pytest.mark.parametrize("inner", [MultVAE(hidden=(8, 5), **QUIET), ELSA(n_factors=5, **QUIET)], ids=str)
def test_steering_moves_the_items_of_the_unit_up(data, inner):
    model = SparseCode(inner, n_units=16, n_active=3, **QUIET).fit(data)
    unit = int(np.argmax(model.activity_))
    top = model.describe_code(unit, n=1, activation=50.0)["item"][0]
    lists = model.recommend(data, k=1, exclude_seen=False, steer={unit: 50.0 * max(1.0, np.abs(model.centre_).max())})
    assert (lists["item"] == top).mean() > 0.9
    assert lists.equals(model.steer({unit: 50.0 * max(1.0, np.abs(model.centre_).max())}).recommend(data, 1, False))


def test_someone_without_a_history_can_be_steered(svd):
    empty = sp.csr_array((1, 24))
    np.testing.assert_array_equal(svd.score_items(empty)[0], svd.model_.popularity_)
    top = svd.describe_code(2, n=1, activation=100.0)["item"][0]
    assert svd.recommend({"new": []}, k=1, steer={2: 100.0})["item"].tolist() == [top]


@pytest.mark.parametrize("bad", [{20: 1.0}, {-1: 1.0}, {"1": 1.0}, {True: 1.0}, {1: np.nan}, {1: "much"}])
def test_steering_by_what_is_no_unit_or_number_is_refused(svd, bad):
    with pytest.raises(ValueError, match="steer: "):
        svd.steer(bad)
    with pytest.raises(ValueError, match="unit must be a whole number from 0 to 19"):
        svd.describe_code(20)


# ---------------------------------------------------------------------- as an estimator


@pytest.mark.parametrize("selection", ["top_k", "batch_top_k", "jump_relu"])
def test_it_keeps_the_contract(selection):
    check_recommender(SparseCode(PureSVD(n_factors=4), n_units=12, n_active=3, selection=selection, **QUIET))


def test_new_items_by_features_where_the_model_inside_takes_them(data):
    groups = np.arange(26) % 3
    wider = data.with_items(data.items.append(pd.Index([900, 901])))
    wider = wider.with_item_features(sp.csr_array(np.eye(3)[groups]), ["a", "b", "c"])
    inner = PureSVD(n_factors=6, l2=0).fit(data)
    model = SparseCode(inner, n_units=20, n_active=4, **QUIET).fit(data)
    before = model.score_items(data)
    model.add_items(wider, l2=0.1)
    inner.add_items(wider, l2=0.1)
    np.testing.assert_array_equal(model.score_items(wider)[:, :24], before)
    np.testing.assert_array_equal(model.model_.item_factors_, inner.item_factors_)
    assert len(model.recommend(wider, k=1, users=["u3"], allow_items=[900, 901])) == 1
    assert len(model.describe_code(3, n=26)) == 26


@pytest.mark.parametrize("inner", INNER, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("selection", ["top_k", "batch_top_k", "jump_relu"])
def test_a_saved_model_scores_as_before(data, inner, selection, tmp_path):
    model = SparseCode(inner, n_units=16, n_active=3, selection=selection, **QUIET).fit(data)
    model.steer({1: 3.0}).save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.score_items(data), model.score_items(data))
    assert (loaded.transform(data) != model.transform(data)).nnz == 0
    assert loaded.describe_code(2).equals(model.describe_code(2))


@pytest.mark.skipif(importlib.util.find_spec("implicit") is None, reason="needs implicit")
def test_the_code_of_als(data):
    model = SparseCode(ALS(n_factors=4), n_units=12, n_active=3, **QUIET).fit(data)
    assert model.transform(data).shape == (60, 12)


def test_seeds(data):
    model = SparseCode(PureSVD(n_factors=6), n_units=20, n_active=4, **QUIET)
    first, again, other = (clone(model).set_params(seed=seed).fit(data) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.decoder_, again.decoder_)
    assert np.abs(first.decoder_ - other.decoder_).max() > 1e-3


def test_a_fitted_model_is_taken_as_it_is_and_a_clone_fits_anew(data):
    half = data.select_users(data.users[:30])
    inner = PureSVD(n_factors=6, l2=0).fit(half)
    factors = inner.item_factors_.copy()
    model = SparseCode(inner, n_units=20, n_active=4, **QUIET).fit(data)
    np.testing.assert_array_equal(model.model_.item_factors_, factors)
    anew = clone(model).fit(data)
    np.testing.assert_array_equal(anew.model_.item_factors_, PureSVD(n_factors=6, l2=0).fit(data).item_factors_)
    inner.fit(data)
    np.testing.assert_array_equal(model.model_.item_factors_, factors)


def test_a_model_fitted_on_other_items_is_refused(data):
    other = data.with_items(data.items[::-1])
    for given in (other, data.matrix):
        with pytest.raises(DataError, match="was fitted on other items"):
            SparseCode(PureSVD(n_factors=3).fit(data), n_units=4, n_active=2, **QUIET).fit(given)


def test_what_has_no_code_is_refused(data):
    with pytest.raises(ValueError, match="ItemKNN has no code of a user"):
        SparseCode(ItemKNN(), **QUIET).fit(data)


@pytest.mark.parametrize(
    "bad", [{"n_units": 0}, {"n_active": 9, "n_units": 8}, {"model": "elsa"}, {"learning_rate": 0}]
)
def test_parameters_out_of_range_are_refused(data, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        SparseCode(**bad, **QUIET).fit(data)


def test_inside_other_models(data):
    sparse = SparseCode(PureSVD(n_factors=4), n_units=12, n_active=3, **QUIET)
    both = Blend([sparse, ItemKNN()], weights=[1, 0]).fit(data)
    np.testing.assert_array_equal(both.rank(data, 5)[0], clone(sparse).fit(data).rank(data, 5)[0])
    with pytest.raises(ValueError, match="steer: Blend has no units to steer; SparseCode has"):
        both.recommend(data, k=5, steer={1: 2.0})
    recent = RecencyWeighted(sparse, half_life=1.0).fit(data)
    assert len(recent.recommend({"x": [101, 105]}, k=3)) == 3
    steered = RecencyScorer(recent.model_.steer({1: 2.0}).scorer_, 1.0, "positions")
    for scorer in (recent.steer({1: 2.0}).scorer_, recent.scorer_.steered({1: 2.0})):
        block = recent.block_of({"x": [101, 105]})
        np.testing.assert_array_equal(scorer.score(block), steered.score(block))
    best = recent.recommend({"x": [101, 105]}, k=3, steer={1: 2.0})
    assert best.equals(recent.steer({1: 2.0}).recommend({"x": [101, 105]}, k=3))
    row = sp.csr_array(([0.5, 1.0], ([0, 0], [1, 5])), shape=(1, 24))
    last = recent.model_.explain_code(Interactions.from_matrix(row, ["x"], data.items), 110)
    assert recent.explain_code({"x": [101, 105]}, 110).equals(last)
    assert recent.describe_code(1).equals(recent.model_.describe_code(1))
    assert isinstance(recent.scorer_, SteerableScorer)
    assert not isinstance(RecencyWeighted(ItemKNN()).fit(data).scorer_, CodeScorer)


def test_similar_items_are_those_of_the_model(data, svd):
    expected = svd.model_.similar_items([103, 110], k=4)
    assert svd.similar_items([103, 110], k=4).equals(expected)
    recent = RecencyWeighted(svd.model).fit(data)
    assert recent.similar_items([103, 110], k=4).equals(expected)
    for model in (Blend([UserKNN()]), RecencyWeighted(UserKNN())):
        with pytest.raises(ValueError, match="has neither vectors of items nor item-item weights"):
            model.fit(data).similar_items([103])


def test_weights_of_ratings_are_those_of_the_model(data):
    weighted = data.with_weights(np.where(data.matrix.indices < 12, 3.0, 1.0))
    model = SparseCode(PureSVD(n_factors=4), n_units=12, n_active=3, **QUIET)
    expected = clone(model).set_params(model=PureSVD(n_factors=4).fit(weighted)).fit(data)
    np.testing.assert_array_equal(model.fit(weighted).score_items(data), expected.score_items(data))
    assert not np.allclose(model.score_items(data), clone(model).fit(data).score_items(data))
    with pytest.raises(DataError, match="ELSA cannot use the weights"):
        SparseCode(**QUIET).fit(weighted)
