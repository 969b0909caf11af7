from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from aerec import evaluate, load_model
from aerec.baselines import ItemKNN, Popularity, PureSVD
from aerec.datasets import load_dataset
from aerec.holdout import Holdout
from aerec.models import CDAE, EASE, Blend, MultDAE, SparseEASE, blend
from aerec.splitting import RandomHoldout, StrongGeneralization


@pytest.fixture(scope="module")
def split():
    return StrongGeneralization(n_users=150, seed=3).split(load_dataset("sample").binarize(4.0))


def z(scores):
    scores = scores.astype(np.float64)
    return (scores - scores.mean(1, keepdims=True)) / scores.std(1, keepdims=True)


def test_scores_are_the_weighted_sum_of_standardised_scores(split):
    model = Blend([EASE(l2=50.0), PureSVD(n_factors=8)], weights=[3, 1]).fit(split.train)
    history = split.test.history
    parts = [EASE(l2=50.0).fit(split.train), PureSVD(n_factors=8).fit(split.train)]
    expected = 0.75 * z(parts[0].score_items(history)) + 0.25 * z(parts[1].score_items(history))
    np.testing.assert_allclose(model.score_items(history), expected, atol=2e-5)


def test_an_explanation_sums_those_of_the_models_in_units_of_their_spread(split):
    model = Blend([EASE(l2=50.0), PureSVD(n_factors=8)], weights=[3, 1]).fit(split.train)
    history = split.test.history.matrix[[0]]
    expected = 0
    for weight, part in zip([0.75, 0.25], [EASE(l2=50.0), PureSVD(n_factors=8)], strict=True):
        part.fit(split.train.matrix)
        terms = part.explain(history, 7).set_index("item")["contribution"].sort_index()
        expected += weight * terms / part.score_items(history).std()
    found = model.explain(history, 7).set_index("item")["contribution"]
    assert found.is_monotonic_decreasing
    np.testing.assert_allclose(found.sort_index(), expected, rtol=1e-4, atol=1e-7)


def test_similar_items_are_blended_as_scores_are_of_the_models_that_know_them(split):
    model = Blend([EASE(l2=50.0), PureSVD(n_factors=8), Popularity()], weights=[3, 1, 4]).fit(split.train)
    items, item = split.train.items, split.train.items[7]

    def alike(part):
        return part.similar_items(item, k=600).set_index("similar")["score"]

    of_ease, of_svd = (alike(part)[items.drop(item)].to_numpy()[None] for part in model.models_[:2])
    frame = alike(model)
    assert frame.is_monotonic_decreasing
    np.testing.assert_allclose(frame[items.drop(item)], (3 / 8 * z(of_ease) + 1 / 8 * z(of_svd))[0], atol=0.002)


def test_items_in_which_no_model_sees_anything_in_common_are_not_similar():
    X = sp.csr_array(np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0.0]]))
    model = Blend([ItemKNN(k=2, shrinkage=0.0), SparseEASE(n_neighbors=2)], weights=[1, 1]).fit(X)
    assert model.similar_items([0], k=5)["similar"].tolist() == [1]
    assert model.similar_items([4], k=5).empty


def test_a_blend_of_models_that_know_of_no_similarity_refuses():
    X = sp.csr_array(np.eye(4))
    with pytest.raises(ValueError, match="neither vectors of items"):
        Blend([Popularity()]).fit(X).similar_items([0])


def test_a_user_for_whom_all_items_are_equal_to_one_model_is_ranked_by_the_other():
    X = sp.csr_array(np.array([[1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1.0]]))

    class Indifferent(Popularity):
        def _score(self, history, known_users):
            return np.zeros(history.shape, dtype=np.float32)

    model = Blend([Indifferent(), EASE(l2=1.0)], weights=[0.5, 0.5]).fit(X)
    np.testing.assert_array_equal(model.recommend(X, k=2)[0], EASE(l2=1.0).fit(X).recommend(X, k=2)[0])


def test_selection_measures_what_evaluate_measures_and_is_no_worse_than_the_best_model(split):
    parts = [EASE(l2=50.0), PureSVD(n_factors=8), Popularity()]
    metric = "ndcg@20"
    model = Blend(parts, steps=6, validation_metric=metric).fit(split.train, split.validation)
    assert model.weights_.sum() == pytest.approx(1)
    alone = [Blend([part]).fit(split.train) for part in parts]
    best = max(evaluate(one, split.validation, metric).mean[metric] for one in alone)
    blended = evaluate(model, split.validation, metric).mean[metric]
    assert blended >= best - 1e-9
    measured = model._measure(model.weights_[None], split.validation, "ndcg", 20)[0]
    assert measured / len(evaluate(model, split.validation, metric).per_user) == pytest.approx(blended, abs=1e-6)


def test_items_to_leave_out_are_left_out_of_the_selection():
    split = RandomHoldout(0.2, validation_fraction=0.2, seed=0).split(load_dataset("sample").binarize(4.0))
    model = Blend([EASE(l2=50.0), Popularity()], steps=2, validation_metric="ndcg@10")
    model.fit(split.train, split.validation)
    expected = evaluate(model, split.validation, "ndcg@10")
    measured = model._measure(model.weights_[None], split.validation, "ndcg", 10)[0]
    assert measured / len(expected.per_user) == pytest.approx(expected.mean["ndcg@10"], abs=1e-6)


def test_of_many_users_some_are_looked_at(split, monkeypatch):
    model = Blend([EASE(l2=50.0), Popularity()], weights=[1, 1]).fit(split.train)
    monkeypatch.setattr(blend, "_USERS", 10)
    history, target = split.validation.history, split.validation.target
    some = history.users[np.linspace(0, len(history.users) - 1, 10).astype(int)]
    few = Holdout(history.select_users(some), target.select_users(some))
    measured = model._measure(np.array([[1.0, 1.0]]), split.validation, "ndcg", 20)
    assert measured[0] / 10 == pytest.approx(evaluate(model, few, "ndcg@20").mean["ndcg@20"], abs=1e-6)


def test_without_validation_the_weights_are_equal(split):
    np.testing.assert_array_equal(Blend([EASE(), Popularity()]).fit(split.train).weights_, [0.5, 0.5])


def test_the_models_given_stay_unfitted(split):
    part = EASE(l2=50.0)
    Blend([part, Popularity()]).fit(split.train)
    assert not hasattr(part, "weights_")


def test_a_blend_of_models_that_know_their_users_is_saved_with_them(split, tmp_path):
    cdae = CDAE(hidden=8, epochs=2, device="cpu", progress=False)
    model = Blend([EASE(l2=50.0), cdae], weights=[0.3, 0.7]).fit(split.train)
    known = split.train.select_users(split.train.users[:5])
    assert model.users_ is not None
    own = [EASE(l2=50.0).fit(split.train), CDAE(hidden=8, epochs=2, device="cpu", progress=False).fit(split.train)]
    expected = 0.3 * z(own[0].score_items(known)) + 0.7 * z(own[1].score_items(known))
    np.testing.assert_allclose(model.score_items(known), expected, atol=2e-5)
    model.save(tmp_path / "blend")
    loaded = load_model(tmp_path / "blend")
    np.testing.assert_array_equal(loaded.score_items(known), model.score_items(known))
    assert [type(part) for part in loaded.models] == [EASE, CDAE]
    assert loaded.models[1].hidden == 8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"models": []}, "at least one recommender"),
        ({"models": ["ease"]}, "at least one recommender"),
        ({"models": [EASE(), Popularity()], "weights": [1]}, "1 numbers for 2 models"),
        ({"models": [EASE(), Popularity()], "weights": [1, -1]}, "at least 0"),
        ({"models": [EASE(), Popularity()], "weights": [0, 0]}, "not all of them 0"),
        ({"validation_metric": "rmse"}, "one of rankings"),
    ],
)
def test_what_cannot_be_blended_is_refused(split, given, message):
    with pytest.raises(ValueError, match=message):
        Blend(**given).fit(split.train)


def test_weights_may_be_an_array(split, tmp_path):
    model = Blend([EASE(l2=10.0), PureSVD(n_factors=4)], weights=np.array([0.3, 0.1])).fit(split.train)
    np.testing.assert_allclose(model.weights_, [0.75, 0.25])
    model.save(tmp_path)
    history = split.test.history
    np.testing.assert_array_equal(load_model(tmp_path).score_items(history), model.score_items(history))


def test_a_saved_blend_is_the_fitted_one_whatever_becomes_of_the_models_it_was_given(split, tmp_path):
    part = PureSVD(n_factors=4)
    model = Blend([part, EASE(l2=10.0)], weights=[1, 1]).fit(split.train)
    part.set_params(n_factors=9).fit(split.train)
    model.save(tmp_path)
    history = split.test.history
    np.testing.assert_array_equal(load_model(tmp_path).score_items(history), model.score_items(history))
    hidden = [4]
    network = MultDAE(hidden=hidden, epochs=1, progress=False)
    model = Blend([network, EASE(l2=10.0)], weights=[1, 1]).fit(split.train)
    network.set_params(hidden=7)
    hidden[0] = 9
    model.save(tmp_path)
    np.testing.assert_array_equal(load_model(tmp_path).score_items(history), model.score_items(history))


@pytest.mark.parametrize("kind", [list, tuple])
def test_its_models_are_what_was_given_after_clone_and_set_params_and_load(split, tmp_path, kind):
    models = kind([EASE(l2=9.0), Popularity()])
    blend = Blend(models, weights=kind([1, 2]))
    assert blend.models is models
    assert blend.set_params(models=models).models is models
    blend.fit(split.train).save(tmp_path)
    assert blend.models is models
    for copied in (clone(blend), load_model(tmp_path), clone(load_model(tmp_path))):
        assert type(copied.models) is type(copied.weights) is kind
        assert repr(copied.models) == repr(models)


def test_weights_are_chosen_among_the_candidates_alone(split):
    model = Blend([EASE(l2=50.0)], weights=[1]).fit(split.train)
    holdout = replace(split.test, candidates=split.train.items[:40])
    total = model._measure(np.ones((1, 1)), holdout, "ndcg", 10)
    report = evaluate(model.models_[0], holdout, "ndcg@10")
    assert total[0] / report.n_users == pytest.approx(report.mean["ndcg@10"])
    assert total[0] != pytest.approx(model._measure(np.ones((1, 1)), split.test, "ndcg", 10)[0])
