"""NeuralRecommender: parameters, validation on a holdout, going on with training, saving."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from aerec import Interactions, load_model
from aerec.errors import DataError, TrainingError
from aerec.evaluation import evaluate
from aerec.holdout import Holdout, Split
from aerec.models import (
    CDAE,
    ELSA,
    Autoencoder,
    AutoRec,
    DenoisingAutoencoder,
    MultDAE,
    MultVAE,
    RecVAE,
    SparseAutoencoder,
)
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.recommender.new_history import RatingScale
from aerec.sparsity import KLSparsity, TopKSparsity


def ratings(n_users=40, n_items=15, seed=0):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((n_users, n_items)) < 0.5, rng.integers(2, 6, (n_users, n_items)), 0)
    return Interactions.from_matrix(values, [f"u{at}" for at in range(n_users)], [f"i{at}" for at in range(n_items)])


def holdout(data):
    kept = np.random.default_rng(1).random(data.n_ratings) < 0.7
    return Holdout(data.keep(kept), data.keep(~kept))


def quick(**changes):
    shared = {"hidden": 5, "epochs": 3, "batch_size": 10, "learning_rate": 1e-2, "progress": False}
    return Autoencoder(**{**shared, **changes})


def weights(model):
    return [*model.coefs_, *model.intercepts_]


def same_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


# ---------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", np.int64(5)),
        ("epochs", np.int32(2)),
        ("batch_size", np.int64(7)),
        ("learning_rate", np.float64(0.01)),
        ("weight_decay", np.float64(0.1)),
        ("kl_weight", np.float64(0.5)),
        ("kl_annealing_steps", np.int64(3)),
        ("patience", np.int64(2)),
        ("seed", np.int64(11)),
        ("variational", np.bool_(True)),
    ],
)
def test_numpy_numbers_train_as_plain_ones_do_and_are_saved(name, value, tmp_path):
    X = ratings().matrix
    plain, given = quick(**{name: value.item()}).fit(X), quick(**{name: value}).fit(X)
    assert same_weights(plain, given)
    given.save(tmp_path)
    assert getattr(load_model(tmp_path), name) == value.item()


UNUSUAL = {
    "hidden": (7, 3),
    "orientation": "user",
    "kl_weight": 0.7,
    "kl_annealing_steps": 9,
    "activation": "swish",
    "noise": GaussianNoise(0.3),
    "sparsity": TopKSparsity(2),
    "likelihood": "gaussian",
    "variational": True,
    "user_factors": True,
    "tied": True,
    "biases": "opposite",
    "normalize": "opposite",
    "initialization": "orthogonal",
    "initialization_scale": 0.4,
    "optimizer": "Adam",
    "epochs": 2,
    "batch_size": 11,
    "learning_rate": 0.02,
    "learning_rate_schedule": "linear",
    "negatives": 3,
    "feature_weight": 0.0,  # which needs features
    "ema_decay": 0.4,
    "weight_decay": 0.3,
    "patience": 4,
    "validation_metric": "recall@7",
    "device": "cpu",
    "precision": "bf16",
    "seed": 5,
    "progress": False,
}


@pytest.mark.parametrize(
    "preset", [Autoencoder, AutoRec, CDAE, DenoisingAutoencoder, MultDAE, MultVAE, SparseAutoencoder]
)
def test_every_preset_takes_each_of_its_parameters_to_the_training(preset):
    default = preset().get_params(deep=False)
    unusual = {**UNUSUAL, **{name: not default.get(name, False) for name in ("normalize", "biases")}}
    given = {name: unusual[name] for name in default}
    assert all(given[name] != default[name] for name in set(given) - {"device", "feature_weight"})
    model = preset(**given).fit(ratings())
    assert model.get_params(deep=False) == given
    trainer, architecture = model._trainer, model.network_.architecture
    for name in ("batch_size", "weight_decay", "kl_weight", "kl_annealing_steps"):
        assert getattr(trainer.options, name) == given.get(name, getattr(model, name))
    assert trainer.average.decay == given.get("ema_decay", 0.0)
    assert all(group["lr"] == 0.01 for group in trainer.optimizers[0].param_groups)
    assert trainer.half
    for name in ("hidden", "activation", "noise", "sparsity", "variational", "tied", "normalize"):
        assert getattr(architecture, name) == given.get(name, getattr(model, name))
    assert architecture.likelihood.name == given.get("likelihood", model.likelihood)
    assert len(model.history_) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("patience", 0),
        ("weight_decay", -0.1),
        ("kl_weight", -1.0),
        ("kl_annealing_steps", -1),
        ("precision", "fp8"),
        ("seed", -1),
        ("seed", 0.5),
        ("progress", "yes"),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of Autoencoder"):
        quick(**{name: value}).fit(ratings())


def test_bfloat16_products_train_to_nearly_the_same_weights():
    X = ratings().matrix
    full, half = (quick(precision=precision, epochs=5).fit(X) for precision in ("float32", "bf16"))
    assert not same_weights(full, half)
    np.testing.assert_allclose(half.history_["cost"], full.history_["cost"], rtol=2**-7)
    assert np.corrcoef(full.score_items(X).ravel(), half.score_items(X).ravel())[0, 1] > 0.99


def test_a_fit_to_a_matrix_forgets_what_the_values_of_the_last_one_meant():
    likes = ratings().binarize(4.0)
    model = quick().fit(likes)
    assert model.rating_scale_.threshold == 4.0
    assert model.fit(ratings().matrix).rating_scale_ == RatingScale.unknown()


def test_a_cost_that_explodes_stops_the_fit():
    model = quick(learning_rate=1e30, likelihood="gaussian")
    with pytest.raises(TrainingError, match=r"epoch 1, batch .*lower learning_rate=1e\+30"):
        model.fit(ratings())
    with pytest.raises(NotFittedError):
        model.score_items(ratings())


def test_a_model_whose_next_epoch_fails_keeps_its_weights_and_can_go_on():
    model, data = quick(likelihood="gaussian"), ratings()
    model.fit(data)
    before, epochs = model.score_items(data), len(model.history_)
    model.set_params(learning_rate=1e30)
    with pytest.raises(TrainingError, match=f"epoch {epochs + 1}, .*those of epoch {epochs}, are kept"):
        model.partial_fit(data)
    np.testing.assert_array_equal(model.score_items(data), before)
    assert len(model.history_) == epochs
    model.set_params(learning_rate=1e-3).partial_fit(data)
    assert len(model.history_) == epochs + 1


# ---------------------------------------------------------------------- validation


@pytest.mark.parametrize("metric", ["ndcg@5", "recall@3", "hit_rate@1"])
def test_a_ranking_metric_is_that_of_evaluate(metric):
    held = holdout(ratings())
    model = quick(validation_metric=metric, epochs=1).fit(held.history, held)
    assert model.history_[metric].item() == pytest.approx(evaluate(model, held, (metric,))[metric])


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_a_rating_metric_is_that_of_evaluate(metric):
    held = holdout(ratings())
    model = AutoRec(hidden=4, epochs=20, learning_rate=5e-2, validation_metric=metric, progress=False)
    model.fit(held.history, held)
    best = model.history_[metric].min()
    assert best == pytest.approx(evaluate(model, held, (metric,))[metric], rel=1e-5)
    assert model.history_[metric].max() > 1.01 * best


def test_items_that_are_excluded_do_not_stand_in_the_way_of_validation():
    data = ratings()
    parts = np.random.default_rng(1).integers(0, 3, data.n_ratings)
    history, target, exclude = (data.keep(parts == part) for part in range(3))
    found = []
    for held in (Holdout(history, target), Holdout(history, target, exclude)):
        model = quick(validation_metric="recall@3", epochs=1).fit(history, held)
        found.append(model.history_["recall@3"].item())
        assert found[-1] == pytest.approx(evaluate(model, held, ("recall@3",))["recall@3"])
    assert found[1] > found[0]


def test_models_that_predict_ratings_watch_the_rmse_and_the_others_a_ranking():
    held = holdout(ratings())
    assert "ndcg@100" in quick(epochs=1).fit(held.history, held).history_
    assert "ndcg@100" in quick(epochs=1, likelihood="observed").fit(held.history, held).history_
    assert "rmse" in AutoRec(hidden=3, epochs=1, progress=False).fit(held.history, held).history_


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_a_rating_metric_is_refused_where_no_ratings_are_predicted(metric):
    held = holdout(ratings())
    with pytest.raises(DataError, match=f"Autoencoder ranks items .*validation_metric='{metric}' needs"):
        quick(validation_metric=metric).fit(held.history, held)


def test_an_unknown_metric_is_refused_before_training():
    held = holdout(ratings())
    with pytest.raises(ValueError, match=r"unknown metric 'auc@7'; .*there are recall@k"):
        quick(validation_metric="auc@7").fit(held.history, held)


def test_labels_of_a_pipeline_are_no_validation_data():
    X = ratings().matrix
    assert same_weights(quick().fit(X, np.arange(40)), quick().fit(X))
    assert "validation_cost" not in quick().fit(X, np.arange(40)).history_


def test_a_matrix_is_validated_by_its_cost():
    X, other = ratings().matrix, ratings(seed=5).matrix
    model = quick(epochs=1).fit(X, validation=other)
    assert model.history_["validation_cost"].item() == pytest.approx(model.total_cost(other))


# ---------------------------------------------------------------------- going on


def test_the_history_goes_on_where_it_was():
    X = ratings().matrix
    model = quick().fit(X)
    assert model.n_iter_ == 3
    model.partial_fit(X).partial_fit(X)
    assert model.history_["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert model.n_iter_ == 5
    model.fit(X)
    assert model.history_["epoch"].tolist() == [1, 2, 3]


def test_a_loaded_model_goes_on_from_its_weights_with_a_new_optimiser(tmp_path):
    X = ratings().matrix
    model = quick(noise=None, likelihood="gaussian").fit(X)
    model.save(tmp_path)
    first, second = load_model(tmp_path), load_model(tmp_path)
    before = first.total_cost(X)
    assert before == model.total_cost(X)
    assert first.partial_fit(X).total_cost(X) < before
    assert first.history_["epoch"].tolist() == [1, 2, 3, 4]
    assert same_weights(first, second.partial_fit(X))


# ---------------------------------------------------------------------- explain


@pytest.mark.parametrize("kind", ["CDAE", "MultVAE"])
def test_explanations_are_leave_one_out_differences(kind):
    data = ratings()
    likes = data.binarize(3.0)
    model = {"CDAE": CDAE(hidden=4), "MultVAE": MultVAE(hidden=(6, 3))}[kind].set_params(epochs=3, progress=False)
    user = model.fit(likes).recommend(likes, k=1)["user"].iloc[7]
    history = likes.select_users([user])
    frame = model.explain(history, "i3")
    assert len(frame) == history.n_ratings
    full = model.score_items(history)[0, 3]
    for item, contribution in zip(frame["item"], frame["contribution"], strict=True):
        stored = history.items[history.matrix.indices] != item
        without = model.score_items(history.keep(np.asarray(stored)))[0, 3]
        assert contribution == pytest.approx(full - without, abs=1e-5)


# ---------------------------------------------------------------------- saving


@pytest.mark.parametrize(
    "choices",
    [
        {"hidden": (8, 5), "noise": MaskingNoise(0.3, rescale=False), "tied": True},
        {"hidden": (7,), "noise": GaussianNoise(0.2, entries="all"), "variational": True, "kl_weight": 0.3},
        {"noise": None, "sparsity": KLSparsity(0.1, 0.5), "activation": "sigmoid", "patience": None},
        {"sparsity": TopKSparsity(2), "user_factors": True, "normalize": True, "validation_metric": "recall@7"},
    ],
    ids=str,
)
def test_choices_weights_and_history_come_back(choices, tmp_path):
    data = ratings()
    model = quick(**choices).fit(data)
    model.save(tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.get_params() == model.get_params()
    assert loaded.network_.architecture == model.network_.architecture
    assert same_weights(loaded, model)
    pd.testing.assert_frame_equal(loaded.history_, model.history_)
    assert loaded.n_iter_ == 3
    np.testing.assert_array_equal(loaded.score_items(data), model.score_items(data))
    assert loaded.total_cost(data) == model.total_cost(data)


def test_a_history_of_epochs_with_and_without_validation_comes_back(tmp_path):
    held = holdout(ratings())
    model = quick(epochs=2).fit(held.history, held).partial_fit(held.history)
    assert model.history_["ndcg@100"].notna().tolist() == [True, True, False]
    model.save(tmp_path / "model")
    pd.testing.assert_frame_equal(load_model(tmp_path / "model").history_, model.history_)


@pytest.mark.parametrize("kind", [MultDAE, ELSA, RecVAE])
def test_a_fitted_model_holds_weights_and_moments_but_nothing_of_its_steps(kind):
    data = (np.random.default_rng(0).random((300, 1200)) < 0.05).astype(np.float32)
    width = {"n_factors": 256} if kind is ELSA else {"hidden": (256, 8)} if kind is RecVAE else {"hidden": 256}
    model = kind(**width, epochs=1, batch_size=100, progress=False).fit(data)
    assert all(one.grad is None for one in model.network_.parameters())
    scratch = model.network_.scratch
    assert not scratch._free
    assert not scratch._lent
    assert getattr(model._trainer, "_codes", None) is None
    before = model.total_cost(data)
    assert model.partial_fit(data).total_cost(data) < before  # which does not miss it


# ---------------------------------------------------------------------- fits that fail


def empty_target(data):
    return Holdout(data, data.keep(np.zeros(data.n_ratings, bool)))


@pytest.mark.parametrize("make", [quick, lambda **changes: ELSA(n_factors=4, epochs=2, progress=False, **changes)])
@pytest.mark.parametrize(
    ("changes", "arguments"),
    [
        ({"validation_metric": "ndgc@10"}, lambda data, path: {"validation": holdout(data)}),
        ({"validation_metric": "rmse"}, lambda data, path: {"validation": holdout(data)}),
        ({}, lambda data, path: {"validation": empty_target(data)}),
        ({}, lambda data, path: {"validation": data.matrix[:, :5]}),
        ({}, lambda data, path: {"validation": np.zeros((0, 15))}),
        ({}, lambda data, path: {"callbacks": [print]}),
        ({}, lambda data, path: {"checkpoint": path}),
    ],
    ids=["no metric", "not of this model", "no target", "other width", "no rows", "no callback", "other checkpoint"],
)
def test_a_fit_that_cannot_begin_leaves_the_model_as_it_was(tmp_path, make, changes, arguments):
    data, other = ratings(), ratings(30, 15, seed=5)
    make().fit(other, checkpoint=tmp_path / "kept")
    model = make(**changes)
    with pytest.raises((ValueError, TypeError)):
        model.fit(data, **arguments(data, tmp_path / "kept"))
    with pytest.raises(NotFittedError):
        model.score_items(data)
    model.set_params(validation_metric=None).fit(other)
    before = model.score_items(other), len(model.history_), model.users_, model.items_
    model.set_params(**changes)
    with pytest.raises((ValueError, TypeError)):
        model.fit(data, **arguments(data, tmp_path / "kept"))
    np.testing.assert_array_equal(model.score_items(other), before[0])
    assert (len(model.history_), model.users_, model.items_) == before[1:]
    model.set_params(validation_metric=None).partial_fit(other)  # and its optimiser is the one that it had


def test_weights_that_exploded_in_the_last_step_of_an_epoch_are_not_kept():
    data = ratings(40, 15)
    model = quick(batch_size=40, learning_rate=1e30, likelihood="gaussian", epochs=5)  # one step an epoch
    with pytest.raises(TrainingError, match=r"epoch 2, batch 1 of 1: .*nothing was learned"):
        model.fit(data)
    with pytest.raises(NotFittedError):
        model.score_items(data)


def test_validation_may_be_a_pair_and_is_no_split():
    held = holdout(ratings())
    as_pair, as_holdout = (quick().fit(held.history, one) for one in ((held.history, held.target), held))
    assert as_pair.history_["ndcg@100"].tolist() == as_holdout.history_["ndcg@100"].tolist()
    matrices = (held.history.matrix, held.target.matrix)
    of_matrices = quick().fit(matrices[0], matrices)
    assert of_matrices.history_["ndcg@100"].tolist() == as_holdout.history_["ndcg@100"].tolist()
    with pytest.raises(DataError, match="data have none: give Interactions"):
        quick().fit(held.history, matrices)
    with pytest.raises(TypeError, match=r"give split\.validation"):
        quick().fit(held.history, Split(held.history, held, held))


def test_the_cost_of_no_rows_is_no_number():
    model = quick().fit(ratings())
    with pytest.raises(DataError, match="a mean over rows, and there are none"):
        model.total_cost(ratings().matrix[:0])


# ---------------------------------------------------------------------- parameters set after the fit


@pytest.mark.parametrize(
    "changes",
    [{"activation": "relu"}, {"hidden": (7, 3)}, {"normalize": True}, {"likelihood": "gaussian"}, {"progress": True}],
)
def test_a_saved_model_is_what_it_was_whatever_was_set_after_the_fit(tmp_path, changes):
    data = ratings().binarize(3.0)
    model = quick().fit(data)
    model.set_params(**changes).save(tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.score_items(data), model.score_items(data))
    np.testing.assert_array_equal(loaded.reconstruct(data), model.reconstruct(data))
    assert loaded.get_params() == model.get_params()
    loaded.save(tmp_path / "again")
    np.testing.assert_array_equal(load_model(tmp_path / "again").score_items(data), model.score_items(data))


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize(
    ("changes", "column"),
    [({"learning_rate": 1e-9}, None), ({"weight_decay": 0.5}, "weight_decay"), ({"batch_size": 40}, None)],
)
def test_partial_fit_follows_what_was_set_since(tmp_path, loaded, changes, column):
    data = ratings()
    model = quick(epochs=1).fit(data)
    if loaded:
        model.save(tmp_path)
        model = load_model(tmp_path)
    before = weights(model)
    model.set_params(**changes).partial_fit(data)
    moved = max(np.abs(a - b).max() for a, b in zip(weights(model), before, strict=True))
    if "learning_rate" in changes:
        assert moved < 1e-7
    else:
        assert moved > 1e-3
    if "batch_size" in changes:  # one step of Adam moves nothing by much more than the rate
        assert moved < 0.05
    if column:
        assert model.history_[column].tolist()[0] == 0 < model.history_[column].tolist()[1]


@pytest.mark.parametrize("changes", [{"hidden": 4}, {"activation": "relu"}, {"noise": None}, {"normalize": True}])
def test_partial_fit_refuses_what_would_be_another_network(changes):
    data = ratings()
    model = quick().fit(data)
    before = model.score_items(data)
    name = next(iter(changes))
    with pytest.raises(ValueError, match=f"^{name}=.* was made with .*: set it back"):
        model.set_params(**changes).partial_fit(data)
    np.testing.assert_array_equal(model.score_items(data), before)
    model.set_params(**{name: getattr(quick(), name)}).partial_fit(data)


def test_weights_that_were_bad_before_are_not_called_good():
    data = ratings()
    model = quick(batch_size=40, likelihood="gaussian", epochs=1).fit(data)
    model.set_params(learning_rate=1e20).partial_fit(data)  # one step: its outcome is seen with the next
    with pytest.raises(TrainingError, match="the weights were bad already before this call: fit anew"):
        model.partial_fit(data)
