"""Models that have learned little say so."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from aerec import evaluate
from aerec.baselines import ALS, BiasBaseline, BiasedMF, Popularity
from aerec.canonical import canonical_csr
from aerec.datasets import generate_interactions
from aerec.models import EASE, ELSA, DenoisingAutoencoder, MultDAE, MultVAE
from aerec.recommender.health import (
    share_of_common_lists,
    singular_values,
    warn_of_collapsed_code,
    warn_of_early_end,
    warn_of_one_list,
    warn_of_vanished_factors,
)
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.splitting import RandomHoldout

ratings = generate_interactions(300, 120, 7000, seed=3)
split = RandomHoldout(0.2, 0.1, seed=0, per_user=True).split(ratings.binarize(4.0).filter(min_per_user=5))


@pytest.fixture
def silence():
    """Make every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


class Fixed(Scorer):
    """Scores that depend on the history by a share."""

    def __init__(self, n_items, share):
        super().__init__(n_items)
        self.share = share

    def _scores(self, block):
        own = np.random.default_rng(0).random((block.n_users, self.n_items), dtype=np.float32)
        own *= np.asarray(block.history.sum(axis=1))[:, None] > 0
        return np.arange(self.n_items, dtype=np.float32) / self.n_items + self.share * own


def block(n_users, n_items):
    return UserBlock.new(canonical_csr(np.eye(n_users, n_items, dtype=np.float32)))


def test_lists_are_common_where_scores_do_not_depend_on_the_history():
    users = block(40, 100)
    assert share_of_common_lists(Fixed(100, 0.0), users) == 1
    assert share_of_common_lists(Fixed(100, 100.0), users) == pytest.approx(0.1, abs=0.05)  # 10 of 100, by chance


def test_lists_are_compared_without_what_is_left_out():
    seen = np.zeros((40, 100), dtype=np.float32)
    seen[:, 90:] = 1  # the ten best of everybody
    left_out = canonical_csr(seen)
    assert share_of_common_lists(Fixed(100, 0.0), UserBlock.new(left_out)) == 1
    users = UserBlock(left_out, np.full(40, -1), [left_out])
    assert share_of_common_lists(Fixed(100, 0.0), users) == 1


def test_lists_are_common_where_only_someone_without_a_history_gets_another():
    class Reversed(Fixed):
        def _scores(self, block):
            scores = super()._scores(block)
            return np.broadcast_to(scores if block.history.nnz else -scores, (block.n_users, 100))

    assert share_of_common_lists(Reversed(100, 0.0), block(40, 100)) == 1


def test_few_users_and_few_items_say_nothing():
    assert share_of_common_lists(Fixed(100, 0.0), block(5, 100)) == 0
    assert share_of_common_lists(Fixed(9, 0.0), block(40, 9)) == 0


class Net:
    """A model that gives everybody one list."""

    _personal, scorer_ = True, Fixed(100, 0.0)

    def get_params(self, deep):
        return {"epochs": 3}


def test_one_list_for_all_warns(monkeypatch):
    with pytest.warns(UserWarning, match=r"^Net gives nearly everybody the same list, 100 % .*_personal = False$"):
        warn_of_one_list(Net(), block(40, 100))
    monkeypatch.setattr(Net, "__module__", "aerec.models.net")
    with pytest.warns(UserWarning, match=r"^Net gives nearly everybody the same list, 100 % .* penalties may help$"):
        warn_of_one_list(Net(), block(40, 100))


def test_singular_values_are_those_of_the_product():
    rng = np.random.default_rng(0)
    users, items = rng.standard_normal((30, 4)), rng.standard_normal((20, 4))
    expected = np.linalg.svd(users @ items.T, compute_uv=False)[:4]
    np.testing.assert_allclose(singular_values(users, items), expected)


@pytest.mark.parametrize(("sizes", "n_vanished"), [([5, 0, 0, 0], 3), ([0, 0, 0, 0], 4), ([5, 1e-4, 1e-9, 0], 3)])
def test_vanished_factors_warn(sizes, n_vanished):
    with pytest.warns(UserWarning, match=f"{n_vanished} of the 4 factors of Net have vanished: do this"):
        warn_of_vanished_factors("Net", np.array(sizes, dtype=float), "do this")


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("sizes", [[5, 1, 0, 0], [1], [1, 1, 1, 1]])
def test_a_part_of_the_factors_may_vanish(sizes):
    warn_of_vanished_factors("Net", np.array(sizes, dtype=float), "do this")


@pytest.mark.usefixtures("silence")
def test_an_automatic_penalty_may_leave_few_factors():
    warn_of_vanished_factors("Net", np.array([5, 1] + [0] * 30, dtype=float), "do this", automatic=True)
    warn_of_vanished_factors("Net", np.array([5.0]), "do this", automatic=True)


def test_a_single_factor_is_too_few_for_an_automatic_penalty():
    with pytest.warns(UserWarning, match="3 of the 4 factors of Net have vanished: do this"):
        warn_of_vanished_factors("Net", np.array([5.0, 0, 0, 0]), "do this", automatic=True)


# ---------------------------------------------------------------------- models


def untrained(**more):
    return MultDAE(hidden=8, learning_rate=1e-7, epochs=2, progress=False, **more)


def test_a_network_that_ranks_by_popularity_warns_in_fit_and_in_evaluate():
    with pytest.warns(UserWarning, match="MultDAE gives nearly everybody the same list"):
        model = untrained().fit(split.train, validation=split.validation)
    with pytest.warns(UserWarning, match="MultDAE gives nearly everybody the same list") as caught:
        evaluate(model, split.test, ["ndcg@20"])
    assert caught[0].filename == __file__


@pytest.mark.usefixtures("silence")
def test_without_validation_fit_does_not_rank():
    untrained().fit(split.train)


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("model", [Popularity(), BiasBaseline(), EASE(), BiasedMF(n_factors=2)], ids=repr)
def test_models_that_do_what_they_should_are_silent(model):
    evaluate(model.fit(split.train, validation=split.validation), split.test, ["ndcg@20"])


@pytest.mark.usefixtures("silence")
def test_a_trained_network_is_silent():
    model = MultVAE(hidden=32, progress=False).fit(split.train, validation=split.validation)
    evaluate(model, split.test, ["ndcg@20"])


def test_evaluate_takes_holdouts_of_other_items_and_matrices():
    model = untrained().fit(split.train)
    fewer = split.test.history.items[::2]
    other = type(split.test)(split.test.history.with_items(fewer), split.test.target.with_items(fewer))
    with pytest.warns(UserWarning, match="gives nearly everybody the same list"):
        evaluate(model, other, ["ndcg@20"])
    evaluate(model, (split.test.history.matrix, split.test.target.matrix), ["ndcg@20"])


@pytest.mark.parametrize("model", [BiasedMF(l2=50.0), ALS(l2=5000.0)], ids=["BiasedMF", "ALS"])
def test_a_penalty_that_is_too_large_warns(model):
    if isinstance(model, ALS):
        pytest.importorskip("implicit")
    with pytest.warns(UserWarning, match=rf"factors of {type(model).__name__} have vanished: lower l2"):
        model.fit(ratings)


def test_elsa_whose_items_are_all_one_warns(monkeypatch):
    same = np.ones((120, 8), dtype=np.float32) / np.sqrt(8, dtype=np.float32)
    monkeypatch.setattr(ELSA, "item_vectors_", property(lambda _: same))
    with pytest.warns(UserWarning, match="7 of the 8 factors of ELSA have vanished: lower learning_rate"):
        ELSA(n_factors=8, epochs=1, progress=False).fit(split.train)


def test_a_collapsed_variational_code_warns():
    with pytest.warns(UserWarning, match=r"the code of MultVAE has collapsed .* lower kl_weight, which is 1000"):
        MultVAE(hidden=8, kl_weight=1000.0, kl_annealing_steps=0, epochs=10, progress=False).fit(split.train)


def test_a_best_epoch_that_is_the_last_warns():
    with pytest.warns(UserWarning, match=r"the best epoch of MultVAE .* is the last one, 4: .* raise epochs"):
        MultVAE(hidden=16, epochs=4, progress=False).fit(split.train, validation=split.validation)


@pytest.mark.usefixtures("silence")
def test_a_best_epoch_before_the_last_does_not_warn():
    model = MultDAE(hidden=64, epochs=60, patience=5, learning_rate=1e-2, progress=False)
    model.fit(split.train, validation=split.validation)
    assert model.history_["ndcg@100"].argmax() + 1 < model.n_iter_


@pytest.mark.usefixtures("silence")
def test_a_falling_learning_rate_ends_where_it_is_best():
    model = MultDAE(hidden=16, epochs=8, learning_rate=1e-2, learning_rate_schedule="cosine", progress=False)
    model.fit(split.train, validation=split.validation)


def test_an_early_end_and_a_collapsed_code_warn():
    with pytest.warns(UserWarning, match=r"best epoch of Net .* the last one, 7: .*raise epochs"):
        warn_of_early_end("Net", 7)
    with pytest.warns(UserWarning, match=r"code of Net has collapsed .*KL is 0.05 for 10 units.*which is 0.3"):
        warn_of_collapsed_code("Net", 0.05, 10, 0.3)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (np.ones(6), None),
        (np.array([3, 2, 1, 1, 0.5, 0]), None),  # the last is constant
        (
            np.array([1, 1, 1, 1, 1, 500]),
            "a varies by 1 and f by 5e\\+02: the cost is of the latter; standardise",
        ),
        (np.full(6, 20), "the size of column . is 20, outputs of a new network are of size 1; standardise"),
        (np.full(6, 0.01), "no column varies by more than 0.01, outputs"),
    ],
)
def test_columns_of_dense_data_that_are_not_scaled_are_told(scale, message):
    rng = np.random.default_rng(0)
    X = rng.choice([-1.0, 1.0], (200, 6))
    X[:100], X[100:] = 1, -1
    data = pd.DataFrame(X * scale, columns=list("abcdef"))
    model = DenoisingAutoencoder(hidden=2, likelihood="gaussian", epochs=1, progress=False)
    told = warning_of(lambda: model.fit(data))
    assert (told is None) if message is None else re.search(message, told)
    likes = DenoisingAutoencoder(hidden=2, epochs=1, progress=False)  # of counts, rare items vary least
    told = warning_of(lambda: likes.fit(np.abs(data.to_numpy()) * rng.integers(0, 2, X.shape)))
    assert "not scaled" not in (told or "")


def warning_of(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return str(caught[0].message) if caught else None
