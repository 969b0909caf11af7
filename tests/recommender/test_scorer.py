"""Scorers: one interface over all models, explanations in blocks, and what only some can do."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from aerec.baselines import ALS, BPR, NMF, BiasBaseline, BiasedMF, Popularity, PureSVD, UserKNN
from aerec.datasets import load_dataset
from aerec.models import (
    CDAE,
    EASE,
    ELSA,
    Autoencoder,
    AutoRec,
    Blend,
    KernelAutoRec,
    LowRankEDLAE,
    MultVAE,
    RatingBlend,
    RecVAE,
    SparseCode,
    SparseELSA,
)
from aerec.recommender import scorer as module
from aerec.recommender.scorer import (
    CodeScorer,
    GraphScorer,
    ModelScorer,
    RatingScorer,
    Scorer,
    UserBlock,
    VectorScorer,
)

QUICK = {"epochs": 2, "device": "cpu", "progress": False}
MODELS = {
    "ease": EASE(l2=50.0),
    "low rank": LowRankEDLAE(l2=50.0, n_factors=4, epochs=3),
    "pure svd": PureSVD(n_factors=4),
    "nmf": NMF(n_factors=4, epochs=5),
    "user knn": UserKNN(k=5),
    "biased mf": BiasedMF(n_factors=2, epochs=2),
    "elsa": ELSA(n_factors=4, **QUICK),
    "autoencoder": Autoencoder(hidden=(6, 4), activation="sigmoid", normalize=True, **QUICK),
    "cdae": CDAE(hidden=4, likelihood="gaussian", **QUICK),
    "mult vae": MultVAE(hidden=(6, 3), **QUICK),
    "rec vae": RecVAE(hidden=(6, 3), **QUICK),
    "user autorec": AutoRec(hidden=3, orientation="user", biases=True, **QUICK),
    "kernel": KernelAutoRec(hidden=3, orientation="user", biases=False, **QUICK),
    "item autorec": AutoRec(hidden=3, biases=True, **QUICK),
    "blend": Blend([EASE(l2=50.0), PureSVD(n_factors=3)]),
}


@pytest.fixture(scope="module")
def data():
    ratings = load_dataset("sample")
    return ratings.select_users(ratings.users[:80])


def part(data, n_users=5):
    return data.select_users(data.users[:n_users])


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_scorer_gives_what_its_model_gives(model, data):
    model.fit(data)
    scorer, block, columns = model.scorer_, model.block_of(part(data)), np.array([7, 3, 3])
    assert isinstance(scorer, Scorer)
    scores = scorer.score(block)
    np.testing.assert_array_equal(scores, model.score_items(part(data)))
    np.testing.assert_allclose(scorer.score_at(block, columns), scores[:, columns], rtol=1e-4, atol=1e-4)
    found, values = scorer.best(UserBlock(block.history, block.known_users, [block.history]), 4)
    expected, their_values = model.rank(part(data), 4)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(values, their_values)


ITEM_AUTOREC = AutoRec(hidden=3, biases=False, **QUICK)
EXPLAINED = {name: model for name, model in MODELS.items() if name != "blend"} | {
    "als": ALS(n_factors=4, epochs=2, l2=0.1),
    "als of stars": ALS(n_factors=4, epochs=2, alpha=20.0, l2=1e-3),
    "bpr": BPR(n_factors=4, epochs=5),
    "bias": BiasBaseline(),
    "biased mf, weighted": BiasedMF(n_factors=2, epochs=2, count_power=1.0, l2=0.01),
    "item autorec without biases": ITEM_AUTOREC,
    "item kernel": KernelAutoRec(hidden=3, **QUICK),
    "rating blend": RatingBlend([ITEM_AUTOREC, BiasedMF(n_factors=2, epochs=2)], weights=[0.7, 0.3]),
    "sparse elsa": SparseELSA(n_factors=4, n_active=2, epochs=2, progress=False),
    "user knn, jaccard": UserKNN(k=5, similarity="jaccard"),
    "sparse code": SparseCode(ELSA(n_factors=4, **QUICK), n_units=8, n_active=2, epochs=2, progress=False),
}


@pytest.mark.parametrize("model", EXPLAINED.values(), ids=EXPLAINED)
@pytest.mark.parametrize("n_items", [1, 6])
def test_contributions_are_what_a_score_loses(model, data, n_items):
    model.fit(data)
    history = data.matrix[[4]].toarray()
    history[:, np.flatnonzero(history)[n_items:]] = 0
    block, columns = UserBlock.new(sp.csr_array(history.astype(np.float32))), np.array([2, 9, 40])
    terms = model.scorer_.contributions(block, columns)
    plain = Scorer.contributions(model.scorer_, block, columns)  # leaves each item out
    assert terms.shape == (n_items, 3)
    np.testing.assert_allclose(terms, plain, rtol=1e-3, atol=2e-5 * max(1, np.abs(plain).max()))


def test_a_trained_user_of_bpr_is_not_scored_by_a_history(data):
    model = BPR(n_factors=4, epochs=5).fit(data)
    assert (model.explain(data.select_users(data.users[:1]), data.items[0])["contribution"] == 0).all()


@pytest.mark.parametrize("name", EXPLAINED)
def test_no_model_of_the_library_makes_a_history_for_each_item_left_out(name, data, monkeypatch):
    monkeypatch.setattr(module, "_without", None)  # as many histories as items are quadratic
    EXPLAINED[name].fit(data).explain(data.matrix[[4]], 2)


def test_leaving_items_out_needs_no_copies_of_a_long_history():
    n = 3000  # tiled it would be 100 MB
    scorer = ModelScorer(lambda history, known: np.tile(history.sum(axis=1)[:, None], (1, n)).astype(np.float32), n)
    block = UserBlock.new(sp.csr_array(np.ones((1, n), dtype=np.float32)))
    tracemalloc.start()
    terms = scorer.contributions(block, np.array([0]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (terms == 1).all()
    assert peak < 60e6


def test_a_history_of_twenty_thousand_items_is_explained():
    rng = np.random.default_rng(0)
    X = sp.csr_array((rng.random((4, 20_000)) < 0.5).astype(np.float32))
    model = MultVAE(hidden=(8, 4), **QUICK).fit(X)
    block = UserBlock.new(sp.csr_array(np.ones((1, 20_000), dtype=np.float32)))
    terms = model.scorer_.contributions(block, np.array([5]))
    assert terms.shape == (20_000, 1)
    assert np.isfinite(terms).all()


CAN = {
    "vectors": (VectorScorer, {"pure svd", "nmf", "biased mf", "elsa", "autoencoder", "cdae", "mult vae", "rec vae"}),
    "code": (CodeScorer, {"elsa", "autoencoder", "cdae", "mult vae", "rec vae"}),
    "graph": (GraphScorer, {"ease", "pure svd", "elsa", "autoencoder", "cdae", "mult vae", "rec vae"}),
    "ratings": (RatingScorer, {"biased mf", "item autorec"}),
}


@pytest.mark.parametrize(("protocol", "who"), CAN.values(), ids=CAN)
def test_what_a_scorer_can_do_is_asked_by_type(protocol, who, data):
    of_networks = {"user autorec", "kernel"}
    for name, model in MODELS.items():
        scorer = model.fit(data).scorer_
        assert isinstance(scorer, protocol) == (name in who or name in of_networks), name


def test_strangers_are_ranked_by_popularity_and_those_with_a_history_are_not(data):
    model, popular = EASE(l2=50.0).fit(data), Popularity().fit(data)
    empty = UserBlock.new(sp.csr_array((2, data.shape[1]), dtype=np.float32))
    assert empty.strangers.all()
    np.testing.assert_array_equal(model.scorer_.score(empty), popular.scorer_.score(empty))
    assert not UserBlock(empty.history, np.array([3, 4])).strangers.any()


def test_a_model_that_writes_a_score_is_asked_for_it(data):
    class Turned(EASE):
        def _score(self, history, known_users):
            return -super()._score(history, known_users)

    plain, turned = EASE(l2=50.0).fit(data), Turned(l2=50.0).fit(data)
    assert isinstance(turned.scorer_, ModelScorer)
    np.testing.assert_array_equal(turned.score_items(data), -plain.score_items(data))


def test_a_score_of_another_shape_is_refused(data):
    class Short(EASE):
        def _score(self, history, known_users):
            return np.ones(history.shape[1], dtype=np.float32)

    with pytest.raises(ValueError, match=r"of shape \(\d+, \d+\), got \(\d+,\)"):
        Short(l2=50.0).fit(data).recommend(data, k=2)


def test_a_block_keeps_the_times_of_the_users_that_are_taken():
    history = sp.csr_array(np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1]], dtype=np.float32))
    block = UserBlock(history, np.full(3, -1), times=np.arange(6))
    np.testing.assert_array_equal(block.take(np.array([2, 0])).times, [3, 4, 5, 0, 1])
    assert UserBlock.new(history).take(np.array([0])).times is None


def test_given_scores_are_ranked_without_what_is_left_out_or_barred():
    users = UserBlock(
        sp.csr_array(np.eye(2, 4, dtype=np.float32)),
        np.full(2, -1),
        left_out=[sp.csr_array(np.array([[1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float32))],
        barred=np.array([False, True, False, False]),
    )
    columns, scores = module.best_of(np.tile(np.array([4, 3, 2, 1], dtype=np.float32), (2, 1)), users, 3)
    np.testing.assert_array_equal(columns, [[2, 3, -1], [0, 2, -1]])
    np.testing.assert_array_equal(scores, [[2, 1, -np.inf], [4, 2, -np.inf]])


def test_nothing_is_known_of_users_without_a_history():
    nobody = UserBlock.without_history(3, 7)
    assert nobody.history.shape == (3, 7)
    assert nobody.strangers.all()


def test_a_block_says_what_is_left_out_only_if_asked(data):
    model = PureSVD(n_factors=4).fit(data)
    some = part(data)
    assert not model.block_of(some).left_out
    allowed = data.items[50:90]
    users = model.block_of(some, True, exclude=some, allow_items=allowed)
    assert users.leaves_out_history
    columns, _ = model.scorer_.rank(users, 5)
    np.testing.assert_array_equal(columns, model.rank(some, 5, exclude=some, allow_items=allowed)[0])
    assert np.isin(columns[columns >= 0], np.arange(50, 90)).all()


def test_lengths_of_lists_in_narrow_types_do_not_overflow(data):
    model = EASE(l2=50.0).fit(data)
    for k in (np.int8(30), np.uint8(30), np.int64(30)):
        np.testing.assert_array_equal(model.rank(data, k=k)[0], model.rank(data, k=30)[0])
