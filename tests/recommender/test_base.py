"""Recommender: ranking against a plain sort, blocks, ids, explanations, and what is saved."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from aerec import Interactions, evaluate
from aerec.baselines import ALS, BPR, BSPM, NMF, BiasedMF, ItemKNN, PureSVD, UserKNN
from aerec.datasets import generate_interactions, load_dataset
from aerec.errors import DataError, InsufficientMemoryError, ModelFileError, TrainingError
from aerec.files import storage
from aerec.holdout import Holdout, Split
from aerec.models import EASE, Autoencoder, AutoRec, RecencyWeighted
from aerec.recommender import scorer as blocks
from aerec.recommender.base import Recommender, item_popularity
from aerec.recommender.scorer import Scorer, UserBlock
from aerec.registry import load_model
from aerec.system import memory

N_ITEMS = 6
TABLE = np.array([[0, 1, 1, 2, 0, 3], [1, 0, 2, 2, 1, 0], [2, 2, 0, 0, 1, 1], [0, 1, 2, 0, 1, 2], [1, 1, 1, 1, 0, 1]])
TABLE = np.vstack([TABLE, [3, 0, 1, 0, 2, 0]])


class Table(Recommender):
    """score = history · TABLE: whole numbers, with many ties; remembers how many users it scored at once."""

    _learned = ("dense_", "sparse_", "absent_")

    def __init__(self, size=1):
        self.size = size

    def _fit(self, train, validation):
        self.dense_, self.sparse_, self.absent_ = TABLE.astype(np.float32), train.matrix, None
        self.validation_, self.blocks_ = validation, []

    def _score(self, history, known_users):
        if hasattr(self, "blocks_"):
            self.blocks_.append(history.shape[0])
        return history @ self.dense_


class Curved(Table):
    """A score that is no sum over the history."""

    def _score(self, history, known_users):
        return np.tanh(super()._score(history, known_users) / 5) + 0.1 * known_users[:, None].astype(np.float32)


class CurvedAndPersonal(Curved):
    _knows_users = True


class Popular(Table):
    _popularity_for_empty = True
    _knows_users = True


def train():
    values = np.array([[1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 1, 1], [0, 1, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0]])
    return Interactions.from_matrix(values, users=["ann", "bob", "cat", "dan"], items=list("abcdef"))


def slowly_ranked(history, k, exclude_seen, exclude, allowed, blocked):
    indices, values = [], []
    for row, more in zip(history, exclude, strict=True):
        scores = row @ TABLE
        candidates = [
            j
            for j in range(N_ITEMS)
            if not (exclude_seen and row[j])
            and not more[j]
            and (allowed is None or j in allowed)
            and j not in (blocked or [])
        ]
        best = sorted(candidates, key=lambda j: (-scores[j], j))[:k]
        indices.append(best + [-1] * (k - len(best)))
        values.append([scores[j] for j in best] + [-np.inf] * (k - len(best)))
    return np.array(indices), np.array(values)


columns = st.lists(st.integers(0, N_ITEMS - 1), max_size=4)


# ---------------------------------------------------------------------- rank and recommend


@settings(deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_users=st.integers(1, 5),
    k=st.integers(1, N_ITEMS + 3),
    exclude_seen=st.booleans(),
    with_exclude=st.booleans(),
    allowed=st.none() | columns,
    blocked=st.none() | columns,
)
def test_rank_is_a_sort_of_the_candidates_with_the_lower_column_first(
    seed, n_users, k, exclude_seen, with_exclude, allowed, blocked
):
    rng = np.random.default_rng(seed)
    history = rng.integers(0, 2, (n_users, N_ITEMS)) * rng.integers(1, 3, (n_users, N_ITEMS))
    history[rng.random(n_users) < 0.2] = 0  # nothing seen
    history[rng.random(n_users) < 0.2] = 1  # everything seen
    exclude = rng.integers(0, 2, history.shape) * with_exclude
    found, values = (
        Table()
        .fit(train().matrix)
        .rank(
            history,
            k,
            exclude_seen,
            exclude=exclude if with_exclude else None,
            allow_items=allowed,
            block_items=blocked,
        )
    )
    expected, scores = slowly_ranked(history, k, exclude_seen, exclude, allowed, blocked)
    assert found.dtype == np.int64
    assert values.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(values, scores)


@pytest.mark.parametrize("rows_per_block", [1, 3, 7])
@pytest.mark.parametrize("model", [Table(), Curved()], ids=["linear", "curved"])
def test_small_blocks_of_users_give_what_one_block_gives(monkeypatch, rows_per_block, model):
    rng = np.random.default_rng(0)
    history, exclude = rng.integers(0, 2, (7, N_ITEMS)), rng.integers(0, 2, (7, N_ITEMS))
    model.fit(train().matrix)

    def results():
        model.blocks_ = []
        ranked = model.rank(history, 4, exclude=exclude, block_items=[1])
        return [*ranked, model.score_items(history), model.explain(np.ones((1, N_ITEMS)), 2)["contribution"].to_numpy()]

    whole = results()
    assert model.blocks_[:2] == [7, 7]
    monkeypatch.setattr(blocks, "_LEAST_ROWS", 1)
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 4 * N_ITEMS * rows_per_block)
    parts = results()
    sizes = {1: [1] * 7, 3: [3, 3, 1], 7: [7]}[rows_per_block]
    assert model.blocks_[: 2 * len(sizes)] == sizes * 2
    for one, other in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_block_knows_its_own_users(monkeypatch):
    model = CurvedAndPersonal().fit(train())
    history = train().select_users(["dan", "ann", "cat", "bob"])
    scores, (found, values) = model.score_items(history), model.rank(history, 3)
    assert np.unique(scores[:, 3]).size == 4
    monkeypatch.setattr(blocks, "_LEAST_ROWS", 1)
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 4 * N_ITEMS)
    np.testing.assert_array_equal(model.score_items(history), scores)
    for one, other in zip(model.rank(history, 3), (found, values), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_block_too_small_for_one_user_still_takes_one(monkeypatch):
    monkeypatch.setattr(blocks, "_LEAST_ROWS", 1)
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 1)
    model = Table().fit(train().matrix)
    assert model.rank(np.eye(N_ITEMS), 2)[0].shape == (6, 2)
    assert model.blocks_ == [1] * 6


def test_no_users_at_all():
    found, values = Table().fit(train()).rank(np.zeros((0, N_ITEMS)), 3)
    assert found.shape == values.shape == (0, 3)


def test_the_frame_holds_raw_ids_in_the_order_of_the_history():
    history = Interactions.from_matrix([[0, 1, 0, 0, 0, 0], [1, 0, 1, 1, 1, 1]], ["zoe", "amy"], list("abcdef"))
    frame = Table().fit(train()).recommend(history, k=3)
    assert frame.columns.tolist() == ["user", "item", "rank", "score"]
    # zoe's scores are row b of the table, 1 0 2 2 1 0 without b itself; amy has seen all but b
    assert frame["user"].tolist() == ["zoe", "zoe", "zoe", "amy"]
    assert frame["item"].tolist() == ["c", "d", "a", "b"]
    assert frame["rank"].tolist() == [1, 2, 3, 1]
    assert frame["score"].tolist() == [2, 2, 1, 5]


def test_items_are_matched_by_id_whatever_their_order():
    model, values = Table().fit(train()), np.array([[1.0, 0, 2, 0, 0, 3]])
    turned = Interactions.from_matrix(values[:, ::-1], ["ann"], list("fedcba"))
    np.testing.assert_array_equal(model.score_items(turned), model.score_items(values))
    assert model.recommend(turned, block_items=["d"])["item"].isin(["b", "e"]).all()


def test_ratings_of_unknown_items_are_left_out_with_a_count():
    history = Interactions.from_matrix([[1, 2, 3, 0], [0, 0, 1, 1]], ["x", "y"], ["a", "?", "!", "b"])
    model = Table().fit(train())
    with pytest.warns(UserWarning, match=r"3 of 5 ratings left out of the history: Table was not trained on their"):
        scores = model.score_items(history)
    np.testing.assert_array_equal(scores, TABLE[[0, 1]])


@pytest.mark.parametrize("items", [[1, 2], [1.0, 2.0]])
def test_a_history_of_items_of_another_type_is_refused(items):
    model = Table().fit(train())
    history = Interactions.from_matrix([[1, 1]], ["x"], items)
    for ask in (model.score_items, model.rank, model.recommend):
        with pytest.raises(DataError, match=r"items of the history are .*numbers.*, such as 1.* text, such as 'a'"):
            ask(history)


def test_users_of_another_type_are_said_to_be_new_to_a_model_that_knows_users():
    data = Interactions.from_matrix(np.eye(3) + 1, [1, 2, 3], [7, 8, 9])
    model = UserKNN().fit(data)
    with pytest.warns(UserWarning, match=r"such as .0001., .0002., are all taken for new .* 1, 2, 3, of another"):
        model.recommend(Interactions.from_matrix(np.eye(2, 3), ["0001", "0002"], [7, 8, 9]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.recommend(Interactions.from_matrix(np.eye(1, 3), ["me"], [7, 8, 9]))
        model.recommend(Interactions.from_matrix(np.eye(2, 3), [1, 77], [7, 8, 9]))


def test_a_model_of_a_matrix_takes_interactions_of_the_same_width_with_their_own_ids():
    model = Table().fit(train().matrix)
    assert model.items_ is None
    history = Interactions.from_matrix([[1, 0, 0, 0, 0, 0]], ["ann"], list("uvwxyz"))
    assert model.recommend(history, k=2)["item"].tolist() == ["z", "x"]
    with pytest.raises(DataError, match="fitted on a matrix of 6 columns without item ids; the history has 2 items"):
        model.recommend(Interactions.from_matrix([[1, 1]], ["ann"], ["u", "v"]))


@pytest.mark.parametrize("k", [0, -1, 2.0, "3", True, None])
def test_k_is_a_whole_number_of_at_least_one(k):
    with pytest.raises(ValueError, match="k must be a whole number of at least 1, got"):
        Table().fit(train()).recommend(train(), k=k)


def test_k_may_be_a_numpy_number():
    assert Table().fit(train()).rank(train(), k=np.int32(2))[0].shape == (4, 2)


def test_a_frame_holds_no_more_than_all_items_however_large_k_is():
    """A list that is filled up to 10¹² places would need terabytes."""
    data = train()
    model = Table().fit(data)
    assert model.recommend(data, 10**12).equals(model.recommend(data, N_ITEMS))
    linear = EASE(l2=1.0).fit(data)
    item = data.items[0]
    assert linear.similar_items(item, 10**12).equals(linear.similar_items(item, N_ITEMS - 1))


@pytest.mark.parametrize("argument", ["allow_items", "block_items"])
def test_unknown_items_in_a_list_are_left_out_with_a_warning(argument):
    model = Table().fit(train())
    message = f"1 of 2 items of {argument} left out: the model was not trained on item 'q'; known ones are such as 'a'"
    with pytest.warns(UserWarning, match=message) as caught:
        found = model.recommend(train(), **{argument: ["a", "q"]})
    assert caught[0].filename == __file__
    pd.testing.assert_frame_equal(found, model.recommend(train(), **{argument: ["a"]}))
    with pytest.raises(DataError, match=r"no item of allow_items is known: .*item 7; known ones .*'a', of type str"):
        model.recommend(train(), allow_items=[7, 8])
    for column in (6, -1):
        with pytest.raises(DataError, match=f"unknown item {column}"):
            model.recommend(train().matrix, **{argument: [column]})


def test_an_empty_list_of_allowed_items_leaves_nothing_and_of_blocked_items_everything():
    model = Table().fit(train())
    assert len(model.recommend(train(), allow_items=[])) == 0
    assert model.recommend(train(), block_items=[]).equals(model.recommend(train()))


def test_excluded_items_are_matched_by_id_and_row():
    model, history = Table().fit(train()), train()
    exclude = Interactions.from_matrix([[0, 1], [0, 0], [1, 1], [0, 0]], history.users, ["f", "d"])
    found, _ = model.rank(history, 6, exclude=exclude)
    assert [sorted(row[row >= 0].tolist()) for row in found] == [[2, 4, 5], [1, 2, 3], [0, 2, 4], [1, 2, 3, 4, 5]]
    with pytest.raises(DataError, match="exclude has 1 users, the history 4"):
        model.rank(history, 3, exclude=np.zeros((1, N_ITEMS)))


def test_the_width_of_a_matrix_is_checked():
    with pytest.raises(DataError, match="the history has 5 columns, Table was fitted on 6 items"):
        Table().fit(train()).score_items(np.zeros((1, 5)))


@pytest.mark.parametrize("layout", ["csc", "coo", "lil", "dok", "bsr"])
def test_every_sparse_layout_is_a_matrix(layout):
    model, history = Table().fit(train()), train().matrix
    expected, got = model.recommend(history, k=3), model.recommend(history.asformat(layout), k=3)
    np.testing.assert_array_equal(got[0], expected[0])
    np.testing.assert_array_equal(model.score_items(history.asformat(layout)), model.score_items(history))


def test_rank_needs_no_memory_for_the_whole_of_the_scores(monkeypatch):
    n = 4000  # 12 bytes an entry of a list, 4 a score
    monkeypatch.setattr(memory, "_SMALL", 0)
    monkeypatch.setattr(memory, "available_memory", lambda: 60_000)
    model, history = Table().fit(train()), sp.csr_array((n, N_ITEMS), dtype=np.float32)
    with pytest.raises(InsufficientMemoryError, match=r"score for each of 4,000 users and 6 items .*use recommend"):
        model.score_items(history)
    assert model.rank(history, 1)[0].shape == (n, 1)
    with pytest.raises(InsufficientMemoryError, match="a list of 100 for 4,000 users"):
        model.rank(history, 100)


# ---------------------------------------------------------------------- fit


def test_a_model_that_is_not_fitted_says_so():
    for call in (Table().score_items, Table().recommend):
        with pytest.raises(NotFittedError):
            call(train())


@pytest.mark.parametrize("nothing", [np.zeros((3, 4)), sp.csr_array((3, 4)), np.zeros((0, 4))])
def test_there_has_to_be_something_to_learn_from(nothing):
    with pytest.raises(DataError, match="Table has nothing to learn from"):
        Table().fit(nothing)


def test_only_a_holdout_is_validation_data():
    holdout = Holdout(train(), train())
    assert Table().fit(train(), holdout).validation_ is holdout
    assert Table().fit(train(), np.ones(4)).validation_ is None


def test_validation_may_be_a_pair_but_not_a_split():
    found = Table().fit(train(), (train(), train())).validation_
    assert isinstance(found, Holdout)
    with pytest.raises(TypeError, match=r"give split\.validation"):
        Table().fit(train(), Split(train(), None, Holdout(train(), train())))


def test_a_frame_with_its_columns_in_another_order_is_refused():
    frame = pd.DataFrame(train().matrix.toarray(), columns=[3, 1, 4, 5, 9, 2])
    for model in (Table(), Autoencoder(hidden=2, epochs=1, progress=False), EASE()):
        model.fit(frame)
        for call in (model.score_items, model.recommend, *([model.transform] if hasattr(model, "transform") else [])):
            call(frame)
            with pytest.raises(DataError, match="the columns of the frame are not those"):
                call(frame[sorted(frame.columns)])
        model.fit(train()).score_items(frame)


@pytest.mark.parametrize("columns", [list("uvwxyz"), [3, 1, 4, 5, 9, 2]])
@pytest.mark.parametrize("model", [EASE(), Autoencoder(hidden=2, epochs=1, noise=None, progress=False)])
def test_the_columns_of_a_frame_are_remembered_by_a_saved_model(tmp_path, model, columns):
    frame = pd.DataFrame(train().matrix.toarray(), columns=columns)
    model.fit(frame).save(tmp_path)
    loaded = load_model(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(loaded.score_items(frame), model.score_items(frame))
        if isinstance(model, Autoencoder):
            np.testing.assert_array_equal(loaded.transform(frame), model.transform(frame))
    with pytest.raises(DataError, match="the columns of the frame are not those"):
        loaded.score_items(frame[sorted(frame.columns, reverse=True)])


def test_columns_of_validation_and_evaluation_data_are_those_of_training(tmp_path):
    frame = pd.DataFrame(train().matrix.toarray(), columns=list("uvwxyz"))
    turned = frame[frame.columns[::-1]]
    model = Autoencoder(hidden=2, epochs=1, progress=False)
    for bad in ((turned, turned), (frame, turned)):
        for call in (lambda bad=bad: model.fit(frame, bad), lambda bad=bad: Table().fit(frame, bad)):
            with pytest.raises(DataError, match="the columns of the frame are not those"):
                call()
        with pytest.raises(DataError, match="the columns of the frame are not those"):
            evaluate(EASE().fit(frame), bad)


@pytest.mark.parametrize("ids", [[1, "1", (1, 2), 2.5, "b", 7], [b"a", b"b", b"c", b"d", b"e", b"f"]])
def test_ids_that_cannot_be_saved_are_refused_by_fit(ids):
    for model in (Table(), Autoencoder(hidden=2, epochs=1, progress=False)):
        with pytest.raises(DataError, match="item ids have to be numbers of at most 64 bits or text"):
            model.fit(Interactions.from_matrix(np.eye(3, 6), items=ids))
        with pytest.raises(NotFittedError):
            model.score_items(np.eye(3, 6))


@pytest.mark.parametrize("y", [np.arange(4), np.ones((4, 2)), np.ones((4, 6)), [0, 1, 0, 1], pd.Series([0, 1, 0, 1])])
def test_the_y_of_a_pipeline_is_ignored(y):
    assert Table().fit(train(), y).validation_ is None
    model = Autoencoder(hidden=2, epochs=2, progress=False)
    assert "validation_cost" not in model.fit(train().matrix, y).history_


def test_validation_data_is_given_once_and_has_a_form():
    holdout = Holdout(train(), train())
    assert Table().fit(train(), validation=holdout).validation_ is holdout
    with pytest.raises(TypeError, match="given twice"):
        Table().fit(train(), holdout, validation=holdout)
    for wrong in (np.arange(4), "test", 3):
        with pytest.raises(TypeError, match="validation= is a Holdout, a pair"):
            Table().fit(train(), validation=wrong)


class Diverges(Table):
    def _fit(self, train, validation):
        super()._fit(train, validation)
        self.dense_ = self.dense_ * np.float32(np.nan)


def test_what_was_learned_has_to_be_finite_and_a_fit_that_fails_changes_nothing():
    model = Diverges()
    with pytest.raises(TrainingError, match="Diverges did not learn finite numbers"):
        model.fit(train())
    assert not [name for name in vars(model) if name.endswith("_")]


def test_explanations_have_at_least_a_row():
    with pytest.raises(ValueError, match="n is a number of rows to show, at least 1; got -1"):
        Table().fit(train()).explain(train().select_users(["ann"]), "c", n=-1)


def test_ids_are_remembered_where_there_are_any():
    model = Popular().fit(train())
    assert model.items_.tolist() == list("abcdef")
    assert model.users_.tolist() == ["ann", "bob", "cat", "dan"]
    assert Table().fit(train()).users_ is None  # nothing is learned of single users
    model.fit(train().matrix)
    assert model.items_ is None
    assert model.users_ is None
    assert model.n_features_in_ == 6


def test_popularity_is_the_share_of_users():
    found = item_popularity(train().matrix)
    np.testing.assert_allclose(found, [3 / 4, 2 / 4, 0, 0, 1 / 4, 2 / 4])


def test_only_new_users_with_nothing_seen_are_ranked_by_popularity():
    model = Popular().fit(train())
    history = Interactions.from_matrix(
        [[0] * 6, [0] * 6, [1, 0, 0, 0, 0, 0]], ["new", "ann", "other"], items=list("abcdef")
    )
    scores = model.score_items(history)
    np.testing.assert_array_equal(scores, [item_popularity(train().matrix), np.zeros(6), TABLE[0]])
    assert model.recommend(history, k=3)["item"].tolist()[:3] == ["a", "b", "f"]


# ---------------------------------------------------------------------- explain


@pytest.mark.parametrize("model", [Curved(), CurvedAndPersonal()], ids=["new user", "known user"])
def test_contributions_are_leave_one_out_differences_the_largest_first(model):
    model.fit(train())
    values = np.array([[2.0, 0, 1, 1, 0, 3]])
    history = Interactions.from_matrix(values, ["cat"], list("abcdef"))
    known = 2 if isinstance(model, CurvedAndPersonal) else -1
    frame = model.explain(history, "e")

    def score(row):
        return np.tanh(row @ TABLE[:, 4] / 5) + 0.1 * known

    expected = {}
    for column in np.flatnonzero(values[0]):
        without = values[0].copy()
        without[column] = 0
        expected["abcdef"[column]] = score(values[0]) - score(without)
    assert dict(zip(frame["item"], frame["contribution"], strict=True)) == pytest.approx(expected, abs=1e-6)
    assert frame["contribution"].is_monotonic_decreasing
    assert len(frame) == 4
    assert model.explain(history, "e", n=2).equals(frame.head(2))


def test_equal_contributions_come_in_the_order_of_columns():
    frame = Table().fit(train()).explain(np.array([[1, 1, 1, 1, 0, 0]]), 2)  # worth 1, 2, 0 and 2
    assert frame["item"].tolist() == [1, 3, 0, 2]
    assert frame["contribution"].tolist() == [2, 2, 1, 0]


def test_linear_terms_and_leave_one_out_differences_are_the_same_and_sum_to_the_score():
    X = (np.random.default_rng(0).random((40, 8)) < 0.4).astype(float)
    model, history = EASE(l2=3.0).fit(X), np.array([[1.0, 0, 2, 0, 1, 0, 0, 3]])
    terms = model.explain(history, 5).set_index("item")["contribution"]
    assert terms.sum() == pytest.approx(model.score_items(history)[0, 5], rel=1e-5)
    user = UserBlock.new(sp.csr_array(history.astype(np.float32)))
    left_out = Scorer.contributions(model.scorer_, user, np.array([5]))
    np.testing.assert_allclose(left_out[:, 0], terms.loc[[0, 2, 4, 7]], atol=1e-6)


def test_histories_of_one_item_and_of_none_are_explained():
    model = Curved().fit(train())
    one = model.explain(np.array([[0, 0, 0, 0, 0, 2]]), 0)
    assert one["item"].tolist() == [5]
    assert one["contribution"].item() == pytest.approx(np.tanh(6 / 5))
    none = model.explain(np.zeros((1, 6)), 0)
    assert none.columns.tolist() == ["item", "contribution"]
    assert len(none) == 0


def test_explain_takes_one_user_and_a_known_item():
    model = Table().fit(train())
    with pytest.raises(DataError, match="for the history of one user, got 4"):
        model.explain(train(), "a")
    with pytest.raises(DataError, match="unknown item 'q'"):
        model.explain(train().select_users(["ann"]), "q")


# ---------------------------------------------------------------------- saving


def test_dense_sparse_and_absent_arrays_come_back(tmp_path):
    model = Table(size=np.int64(4)).fit(train())
    model.save(tmp_path)
    loaded = load_model(tmp_path, models=[Table])
    assert loaded.size == 4
    assert type(loaded.size) is int
    np.testing.assert_array_equal(loaded.dense_, TABLE)
    assert sp.issparse(loaded.sparse_)
    assert loaded.sparse_.dtype == np.float32
    np.testing.assert_array_equal(loaded.sparse_.toarray(), train().matrix.toarray())
    assert loaded.absent_ is None
    pd.testing.assert_frame_equal(loaded.recommend(train(), k=3), model.recommend(train(), k=3))


def test_popularity_is_saved_with_the_models_that_rank_by_it(tmp_path):
    model = Popular().fit(train())
    model.save(tmp_path)
    loaded = load_model(tmp_path, models=[Popular])
    np.testing.assert_array_equal(loaded.popularity_, model.popularity_)
    pd.testing.assert_index_equal(loaded.users_, model.users_, check_names=False)


def test_a_saved_model_without_one_of_its_arrays_is_refused(tmp_path):
    Table().fit(train()).save(tmp_path)
    header, tensors = storage.read_folder(tmp_path, "model")
    kept = {name: value for name, value in header.items() if name not in {"tensors", "kind", "format_version"}}
    storage.write_folder(tmp_path, "model", kept, {name: t for name, t in tensors.items() if name != "dense_"})
    with pytest.raises(ModelFileError, match="does not fit the Table"):
        load_model(tmp_path, models=[Table])


# ---------------------------------------------------------------------- lists of items, some users


def test_a_dict_of_items_is_a_history():
    model = Table().fit(train())
    expected = model.recommend(train(), k=3)
    lists = {"ann": ["b", "a"], "bob": ("f", "e", "a"), "cat": np.array(["b", "f"]), "dan": ["a"]}
    pd.testing.assert_frame_equal(model.recommend(lists, k=3), expected, check_dtype=False)
    pd.testing.assert_frame_equal(
        model.recommend({user: dict.fromkeys(items, 1) for user, items in lists.items()}, k=3),
        expected,
        check_dtype=False,
    )
    assert np.array_equal(model.score_items(lists), model.score_items(train()))
    pd.testing.assert_frame_equal(
        model.explain({"x": ["a", "b"]}, "d"), model.explain(train().select_users(["ann"]), "d")
    )


def test_the_threshold_of_the_training_data_holds_for_a_dict_too(tmp_path):
    stars = Interactions.from_matrix([[5, 4, 1, 0], [4, 0, 0, 5.0]], users=[1, 2], items=list("wxyz"))
    model = EASE(l2=1.0).fit(stars.binarize(4.0))
    model.save(tmp_path)
    for same in (model, load_model(tmp_path)):
        liked = same.recommend({7: ["w", "x"]}, k=4)
        found = same.recommend({7: {"w": 5, "x": 4, "y": 1}}, k=4)
        assert found["item"].tolist() == ["z"]  # y was rated too low: it is neither a like nor wanted
        assert found["score"].tolist() == liked.set_index("item").loc[["z"], "score"].tolist()
    rates = EASE(l2=1.0).fit(stars)
    assert np.array_equal(rates.score_items({7: {"w": 5, "x": 2}}), rates.score_items([[5, 2, 0, 0]]))
    assert np.array_equal(rates.score_items({7: ["w"]}), rates.score_items([[5, 0, 0, 0]]))
    with pytest.raises(DataError, match="rating 9 is outside of the scale of this model, 1 to 5"):
        rates.recommend({7: {"w": 9}})


def test_a_model_that_was_fitted_on_a_matrix_takes_column_numbers():
    model = Table().fit(train().matrix)
    assert np.array_equal(model.score_items({"x": [0, 1]}), model.score_items([[1, 1, 0, 0, 0, 0]]))
    assert model.recommend({"x": [0, 1]}, k=2)["item"].isin(range(6)).all()


def test_some_users_are_picked_by_id():
    model = Table().fit(train())
    whole = model.recommend(train(), k=2)
    expected = whole[whole["user"] == "cat"].reset_index(drop=True)
    lists = {"dan": ["a"], "cat": ["b", "f"]}
    for history, users in ((train(), ["cat"]), (train(), "cat"), (lists, ["cat"]), (lists, np.array(["cat"]))):
        pd.testing.assert_frame_equal(model.recommend(history, k=2, users=users), expected, check_dtype=False)
    assert model.recommend(train(), k=1, users=["dan", "ann"])["user"].tolist() == ["dan", "ann"]
    for history in (train(), lists):
        with pytest.raises(DataError, match="unknown user 'eve': not among the"):
            model.recommend(history, users=["eve"])
    with pytest.raises(DataError, match="take rows of a matrix yourself"):
        model.recommend(train().matrix, users=[0])


@pytest.mark.parametrize(
    "history", [["a", "b"], [0, 1], "a", {"a"}, pd.Series(["a"]), pd.Index([1]), np.ones(6), (), 5]
)
def test_a_list_of_items_alone_is_told_how_to_say_whose_it_is(history):
    model = Table().fit(train())
    for call in (model.recommend, model.rank, model.score_items):
        with pytest.raises(DataError, match=r"whose history it is; expected an Interactions .*\{\"anna\": \[\"item\""):
            call(history)


def test_users_who_have_every_item_are_told_to_get_nothing():
    full = sp.csr_array(np.vstack([np.ones(N_ITEMS), np.eye(N_ITEMS)[0]]))
    model = Table().fit(train())
    with pytest.warns(UserWarning, match="nothing is left to recommend to 1 of 2 users: .*exclude_seen=False"):
        indices, _ = model.recommend(full, k=2)
    assert (indices[0] == -1).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (model.recommend(full, k=2, exclude_seen=False)[0] >= 0).all()


# ---------------------------------------------------------------------- what is alike


def cosine(one, other):
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


def test_similar_items_of_item_item_models_are_rows_of_their_weights():
    model = EASE(l2=1.0).fit(train())
    found = model.similar_items(["c", "a"], k=2)
    assert list(found.columns) == ["item", "similar", "rank", "score"]
    assert found["item"].tolist() == ["c", "c", "a", "a"]
    assert found["rank"].tolist() == [1, 2, 1, 2]
    row = model.weights_[0].copy()
    row[0] = -np.inf
    best = np.argsort(-row, kind="stable")[:2]
    assert found["similar"].tolist()[2:] == [*train().items[best]]
    assert found["score"].to_numpy()[2:] == pytest.approx(row[best])
    assert model.similar_items("a", k=99)["similar"].nunique() == 5


def test_similar_items_by_vectors_are_those_of_the_largest_cosine():
    values = np.random.default_rng(0).integers(-5, 6, (30, 8)).clip(0)
    data = Interactions.from_matrix(values, items=list("abcdefgh"))
    for model in (
        PureSVD(n_factors=3),
        Autoencoder(hidden=3, likelihood="gaussian", epochs=2, progress=False),
        BiasedMF(n_factors=2, l2=0.1, epochs=2),
    ):
        model.fit(data)
        vectors = np.asarray(model.scorer_.item_vectors())
        vectors = vectors if isinstance(model, PureSVD) else vectors[:, :-1]  # without the bias
        found = model.similar_items(["b"], k=7)
        expected = {item: cosine(vectors[1], vectors[at]) for at, item in enumerate("abcdefgh") if item != "b"}
        assert found.set_index("similar")["score"].to_dict() == pytest.approx(expected, abs=1e-5)
        assert found["score"].is_monotonic_decreasing


def test_neighbours_that_share_nothing_are_not_similar():
    model = ItemKNN(k=2).fit(Interactions.from_matrix([[1, 1, 0], [1, 1, 0], [0, 0, 1]], items=list("abc")))
    assert model.similar_items("a")["similar"].tolist() == ["b"]
    assert model.similar_items("c").empty


def test_similar_users_are_those_of_the_largest_cosine():
    data = Interactions.from_matrix(np.random.default_rng(0).random((9, 8)) < 0.5, users=list("abcdefghi"))
    model = PureSVD(n_factors=3).fit(data)
    vectors = model.scorer_.query_vectors(model.block_of(data))
    found = model.similar_users(data, ["b"], k=8)
    expected = {user: cosine(vectors[1], vectors[at]) for at, user in enumerate("abcdefghi") if user != "b"}
    assert found.set_index("similar")["score"].to_dict() == pytest.approx(expected, abs=1e-5)
    lists = {"x": [0, 1, 2], "y": [0, 1, 2], "z": [5, 6]}
    assert model.similar_users(lists, "x", k=1)["similar"].tolist() == ["y"]


def test_models_without_vectors_refuse_to_say_what_is_alike():
    model = Table().fit(train())
    with pytest.raises(ValueError, match="Table has neither vectors of items nor item-item weights"):
        model.similar_items(["a"])
    with pytest.raises(ValueError, match="Table has no vectors of users"):
        model.similar_users(train(), ["ann"])
    with pytest.raises(DataError, match="unknown item 'q'"):
        EASE().fit(train()).similar_items(["q"])
    with pytest.raises(DataError, match="similar_users finds users by id"):
        PureSVD(n_factors=2).fit(train()).similar_users(train().matrix, [0])


def test_lists_come_back_in_the_form_that_is_asked_for():
    pyarrow, polars = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    likes = load_dataset("sample").binarize(4.0)
    model = PureSVD(n_factors=4).fit(likes)
    calls = {
        "recommend": lambda **form: model.recommend(likes, k=3, users=[7, 8], **form),
        "similar_items": lambda **form: model.similar_items([3], k=3, **form),
        "similar_users": lambda **form: model.similar_users(likes, [7], k=3, **form),
    }
    for call in calls.values():
        expected = call()
        table, frame = call(as_frame="arrow"), call(as_frame="polars")
        assert isinstance(table, pyarrow.Table)
        assert isinstance(frame, polars.DataFrame)
        for other in (table, frame):
            assert {
                name: other[name].to_pylist() if other is table else other[name].to_list() for name in expected
            } == {name: expected[name].tolist() for name in expected}
        with pytest.raises(ValueError, match="as_frame is one of"):
            call(as_frame="dask")


SCORED_BY_PARAMETERS = [
    (ALS(n_factors=3), {"l2": 1e4}),
    (BPR(n_factors=3, epochs=1), {"l2": 50.0}),
    (BSPM(), {"weight": 0.9}),
    (BiasedMF(n_factors=3), {"l2": 500.0}),
    (NMF(n_factors=3), {"l2": 50.0}),
    (UserKNN(), {"k": 1}),
    (RecencyWeighted(EASE()), {"half_life": 0.1}),
    (AutoRec(hidden=3, epochs=1, progress=False), {"weight_decay": 9.0}),
]


@pytest.mark.parametrize(("model", "changes"), SCORED_BY_PARAMETERS, ids=lambda one: type(one).__name__)
def test_parameters_count_from_the_next_fit_on_also_those_that_act_when_scoring(tmp_path, model, changes):
    data = generate_interactions(60, 30, 500, seed=1)
    model = clone(model).fit(data)
    scores = model.score_items(data)
    model.set_params(**changes)
    assert {name: getattr(model, name) for name in changes} == changes
    np.testing.assert_array_equal(model.score_items(data), scores)
    model.save(tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.score_items(data), scores)
    assert {name: getattr(loaded, name) for name in changes} == changes
    for other in (model.fit(data), loaded.fit(data)):
        assert (other.score_items(data) != scores).any()
