import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from aerec.baselines import BiasBaseline
from aerec.closed_form.penalties import edge_of_noise
from aerec.errors import DataError
from aerec.evaluation import evaluate
from aerec.interactions import Interactions
from aerec.models import AutoRec, KernelAutoRec
from aerec.registry import load_model
from aerec.splitting import RandomHoldout
from aerec.training.callbacks import Callback


def ratings(n_users=120, n_items=60, seed=0):
    """Ratings of rank 2 with biases, rounded to 1–5, a third of them observed."""
    rng = np.random.default_rng(seed)
    taste, trait = rng.normal(size=(n_users, 2)), rng.normal(size=(n_items, 2))
    full = 3.2 + 0.8 * taste @ trait.T + 0.5 * rng.normal(size=(n_users, 1)) + 0.5 * rng.normal(size=n_items)
    full = np.clip(np.rint(full), 1, 5)
    seen = rng.random(full.shape) < 0.35
    return Interactions.from_matrix(sp.csr_array(full * seen), users=range(1000, 1000 + n_users))


QUICK = {"hidden": 20, "epochs": 60, "batch_size": 20, "learning_rate": 3e-3, "progress": False}
PAPER = {"biases": False, "noise": None}


@pytest.mark.parametrize("orientation", ["item", "user"])
def test_predicts_held_out_ratings_better_than_item_means(orientation):
    split = RandomHoldout(0.2, validation_fraction=0.0, seed=0).split(ratings())
    model = AutoRec(orientation=orientation, weight_decay=0.05, **{**QUICK, "epochs": 80}).fit(split.train)
    pairs = split.test.target.to_frame()
    found = model.predict(pairs["user"], pairs["item"])
    train = split.train.matrix
    means = train.sum(axis=0) / np.maximum((train != 0).sum(axis=0), 1)
    baseline = np.sqrt(np.mean((pairs["rating"] - means[pairs["item"]]) ** 2))
    assert np.sqrt(np.mean((pairs["rating"] - found) ** 2)) < 0.9 * baseline
    assert found.min() >= 1
    assert found.max() <= 5


@pytest.mark.parametrize("model", [AutoRec(hidden=100), KernelAutoRec()])
def test_a_few_items_are_learned_from_beyond_their_biases_at_defaults(model):
    split = RandomHoldout(0.2, validation_fraction=0.1, seed=0).split(ratings())
    biases = evaluate(BiasBaseline().fit(split.train), split.test, "rmse", n_resamples=1)["rmse"]
    model.set_params(progress=False)
    alone = evaluate(model.fit(split.train), split.test, "rmse", n_resamples=1)["rmse"]
    validated = evaluate(model.fit(split.train, split.validation), split.test, "rmse", n_resamples=1)["rmse"]
    assert max(alone, validated) < 0.9 * biases


@pytest.mark.parametrize(("n_rows", "batch", "epochs"), [(100, 32, 140), (1600, 114, 40)])
def test_automatic_batches_and_epochs_follow_the_number_of_rows(n_rows, batch, epochs):
    assert AutoRec(weight_decay=0.5)._step_options(n_rows).batch_size == batch
    assert AutoRec(weight_decay=0.5)._epochs_without_validation(n_rows, np.ones(500, dtype=int)) == epochs
    assert AutoRec(weight_decay=0.5, batch_size=7)._step_options(n_rows).weight_decay == 0.5
    assert KernelAutoRec(weight_decay=0.5)._step_options(4 * n_rows).batch_size == min(n_rows, 512)


@pytest.mark.parametrize(("kind", "share"), [(AutoRec, 0.25), (KernelAutoRec, 1.0)])
@pytest.mark.parametrize("orientation", ["item", "user"])
def test_the_automatic_penalty_is_relative_to_the_edge_of_noise(kind, share, orientation, tmp_path):
    data = ratings()
    model = kind(hidden=5, epochs=1, orientation=orientation, progress=False).fit(data)
    biases = BiasBaseline(l2_user=5.0, l2_item=5.0).fit(data)
    pairs, (n_users, n_items) = data.to_frame(), data.shape
    left = pairs["rating"] - (biases.mean_[0] + biases.user_bias_[data.users.get_indexer(pairs["user"])])
    left -= biases.item_bias_[data.items.get_indexer(pairs["item"])]
    rows, columns = (n_items, n_users) if orientation == "item" else (n_users, n_items)
    scaled = left.to_numpy() / np.sqrt(np.square(left).mean())
    expected = max(share * edge_of_noise(scaled, rows, columns), 0.035 if kind is AutoRec else 0.0)
    assert model.weight_decay_[0] == pytest.approx(expected, rel=1e-4)
    model.fit(data)
    assert model._step_options(rows).weight_decay == model.weight_decay_[0]
    model.save(tmp_path / "m")
    assert load_model(tmp_path / "m").weight_decay_[0] == model.weight_decay_[0]
    assert model.get_params()["weight_decay"] == "auto"


@pytest.mark.parametrize("orientation", ["item", "user"])
def test_prediction_is_the_formula_of_the_paper(orientation):
    data = ratings()
    model = AutoRec(orientation=orientation, **{**QUICK, **PAPER, "epochs": 3}).fit(data)
    (v, w), (mu, b) = model.coefs_, model.intercepts_
    R = data.matrix.toarray()
    rows = R.T if orientation == "item" else R
    expected = (1 / (1 + np.exp(-(rows @ v + mu)))) @ w + b
    expected = np.clip(expected.T if orientation == "item" else expected, 1, 5)
    users, items = [1003, 1050, 1119], [0, 17, 59]
    assert np.allclose(model.predict(users, items), expected[[3, 50, 119], items], atol=1e-4)
    cost = 0.5 * ((rows - ((1 / (1 + np.exp(-(rows @ v + mu)))) @ w + b)) ** 2 * (rows != 0)).sum(axis=1).mean()
    assert model.total_cost(data) == pytest.approx(cost, rel=1e-4)


@pytest.mark.parametrize("orientation", ["item", "user"])
def test_strangers_and_unseen_items_get_finite_ratings_in_range(orientation):
    model = AutoRec(orientation=orientation, **{**QUICK, "epochs": 2}).fit(ratings())
    found = model.predict([5, 1000, 5], [0, 999, 999])
    assert np.isfinite(found).all()
    assert ((found >= 1) & (found <= 5)).all()


def test_item_orientation_folds_new_users_in_by_ridge():
    data = ratings()
    model = AutoRec(weight_decay=0.02, **QUICK, **PAPER).fit(data)
    known = model.score_items(data)
    strangers = Interactions.from_matrix(data.matrix, users=range(9000, 9120))
    folded = model.score_items(strangers)
    hidden, weight = model.hidden_rows_[:-1].astype(float), model.coefs_[1].T.astype(float)
    bias = model.intercepts_[1].astype(float)
    A = np.hstack([hidden, np.ones((60, 1))])
    prior = np.append(weight.mean(axis=0), bias.mean())
    row = data.matrix[[7]].toarray()[0]
    seen = row > 0
    l2 = max(1.0, 0.02 * 60)
    exact = prior + np.linalg.solve(A[seen].T @ A[seen] + l2 * np.eye(21), A[seen].T @ (row[seen] - A[seen] @ prior))
    assert np.allclose(folded[7], A @ exact, atol=1e-3)
    agreement = np.corrcoef(known.ravel(), folded.ravel())[0, 1]
    assert agreement > 0.8


def test_implicit_training_data_refuse_to_predict():
    model = AutoRec(**{**QUICK, "epochs": 1}).fit(ratings().binarize(1.0))
    with pytest.raises(DataError, match="implicit"):
        model.predict([1000], [0])


def test_a_second_fit_on_other_data_starts_anew():
    model = AutoRec(**{**QUICK, "epochs": 1}).fit(ratings())
    model.fit(ratings(50, 30))
    assert model.predict([1000], [0]).shape == (1,)
    assert model.users_.equals(ratings(50, 30).users)
    with pytest.raises(DataError, match="50"):
        model.transform(ratings(40, 30).matrix)


@pytest.mark.parametrize("orientation", ["item", "user"])
def test_with_biases_the_network_learns_what_they_leave_over(orientation):
    data = ratings()
    quick = {"hidden": 4, "epochs": 20, "batch_size": 8, "progress": False}
    model = AutoRec(orientation=orientation, biases=True, **quick).fit(data)
    baseline = BiasBaseline(l2_user=5.0, l2_item=5.0).fit(data)
    X = data.matrix.toarray()
    rows = X.T if orientation == "item" else X
    outputs = (model.transform(data) @ model.coefs_[1] + model.intercepts_[1]).astype(np.float64)
    user_bias, item_bias = baseline.user_bias_, baseline.item_bias_
    added = baseline.mean_ + (
        np.add.outer(item_bias, user_bias) if orientation == "item" else np.add.outer(user_bias, item_bias)
    )
    unit = np.sqrt(np.square((rows - added)[rows != 0]).mean())
    assert model.spread_[0] == pytest.approx(unit, rel=1e-5)
    network = unit * outputs
    np.testing.assert_allclose(model.generate(model.transform(data)), network, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.reconstruct(data), network + added, rtol=1e-4, atol=1e-4)
    expected = 0.5 * (np.where(rows != 0, (rows - network - added) / unit, 0) ** 2).sum(axis=1).mean()
    (v, _), (mu, _) = model.coefs_, model.intercepts_
    read = np.where(rows != 0, (rows - baseline.mean_) / unit + 4, 0)
    np.testing.assert_allclose(model.transform(data), 1 / (1 + np.exp(-(read @ v + mu))), atol=1e-4)
    assert model.total_cost(data) == pytest.approx(expected, rel=1e-4)
    pairs = data.to_frame()
    found = model.predict(pairs["user"], pairs["item"])
    whole = network + added
    u, i = data.users.get_indexer(pairs["user"]), data.items.get_indexer(pairs["item"])
    low, high = model.rating_range_
    expected = np.clip(whole[i, u] if orientation == "item" else whole[u, i], low, high)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.score_items(data), (whole.T if orientation == "item" else whole), atol=1e-3)


def test_biases_of_the_unknown_are_left_out():
    data = ratings()
    model = AutoRec(hidden=3, epochs=2, biases=True, progress=False).fit(data)
    found = model.predict([data.users[0], -1], [-1, data.items[0]])
    assert np.isfinite(found).all()
    assert model.mean_[0] == pytest.approx(data.matrix.data.mean())


def test_the_output_begins_at_the_mean_rating():
    data = ratings()
    model = AutoRec(hidden=3, epochs=1, learning_rate=1e-9, biases=False, progress=False).fit(data)
    np.testing.assert_allclose(model.intercepts_[-1], data.matrix.data.mean(), atol=1e-5)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("orientation", ["item", "user"])
def test_partial_fit_wants_the_users_in_the_same_order(orientation, biases):
    data = ratings()
    model = AutoRec(orientation=orientation, biases=biases, **{**QUICK, "epochs": 1}).fit(data)
    pairs = data.to_frame()
    before = model.predict(pairs["user"], pairs["item"])
    with pytest.raises(DataError, match="same order"):
        model.partial_fit(data.with_users(data.users[::-1]))
    for others in (data.select_users(data.users[:5]), ratings(130), ratings(130).matrix):
        with pytest.raises(DataError, match=f"row by row, for 120 users, got {others.shape[0]}"):
            model.partial_fit(others)
    np.testing.assert_array_equal(model.predict(pairs["user"], pairs["item"]), before)
    np.testing.assert_array_equal(
        model.set_params(learning_rate=1e-30).partial_fit(data).predict(pairs["user"], pairs["item"]), before
    )


def test_the_range_of_ratings_is_that_of_all_calls():
    data = ratings()
    model = AutoRec(**{**QUICK, "epochs": 1}).fit(data.keep(data.matrix.data >= 3))
    assert model.rating_range_.tolist() == [3, 5]
    model.partial_fit(data.keep(data.matrix.data <= 4))
    assert model.rating_range_.tolist() == [1, 5]
    assert model.fit(data.keep(data.matrix.data <= 4)).rating_range_.tolist() == [1, 4]


@pytest.mark.parametrize("biases", [False, True])
def test_rows_of_items_are_as_long_as_in_training(biases):
    model = AutoRec(biases=biases, **{**QUICK, "epochs": 1}).fit(ratings(40, 15).matrix)
    for call in (model.transform, model.total_cost, lambda X: model.fit(ratings(40, 15).matrix, validation=X)):
        with pytest.raises(DataError, match="trained on rows of 40 entries, these have 45"):
            call(ratings(45, 15).matrix)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("model", [AutoRec, KernelAutoRec])
def test_rows_of_items_are_read_by_the_ids_of_their_users(model, biases):
    data = ratings(40, 15)
    model = model(biases=biases, **{**QUICK, "epochs": 2}).fit(data)
    turned = data.with_users(data.users[::-1])
    for call in (model.transform, model.reconstruct, model.total_cost):
        np.testing.assert_array_equal(call(turned), call(data))
    few = data.select_users(data.users[[3, 7, 1]])
    np.testing.assert_array_equal(model.transform(few), model.transform(few.with_users(data.users)))


def test_ratings_of_strangers_are_no_part_of_the_row_of_an_item():
    data = ratings(40, 15)
    model = AutoRec(**{**QUICK, "epochs": 1}).fit(data)
    strangers = data.with_users(data.users[:10].append(pd.Index(["nobody"])))
    np.testing.assert_array_equal(model.transform(strangers), model.transform(data.select_users(data.users[:10])))
    half = Interactions.from_matrix(data.matrix, users=[*data.users[:20], *range(5000, 5020)])
    kept = data.select_users(data.users[:20]).n_ratings
    with pytest.warns(UserWarning, match=f"{data.n_ratings - kept} of {data.n_ratings} ratings left out: AutoRec"):
        model.transform(half)
    with pytest.raises(DataError, match="none of these ratings is of a user"):
        model.total_cost(Interactions.from_matrix(data.matrix, users=range(5000, 5040)))


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_a_call_that_is_refused_leaves_the_predictions_as_they_were(call):
    data = ratings(40, 15)
    model = AutoRec(**{**QUICK, "epochs": 1}).fit(data)
    pairs = data.to_frame()
    before = model.predict(pairs["user"], pairs["item"])
    with pytest.raises(DataError):
        getattr(model, call)(data.keep(np.zeros(data.n_ratings, dtype=bool)))
    np.testing.assert_array_equal(model.predict(pairs["user"], pairs["item"]), before)


def test_a_fit_that_is_interrupted_leaves_the_model_as_it_was(tmp_path):
    class Interrupt(Callback):
        def epoch_done(self, record, model):
            if record["epoch"] == 3:
                raise KeyboardInterrupt

    data = ratings(40, 15)
    model = AutoRec(**QUICK)
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, callbacks=[Interrupt()])
    with pytest.raises(NotFittedError):
        model.save(tmp_path)
    before = model.fit(data).score_items(data)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(seed=1).fit(data, callbacks=[Interrupt()])
    np.testing.assert_array_equal(model.score_items(data), before)
