"""BiasedMF: the user step against dense normal equations, the training against its written cost."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aerec.baselines import BiasBaseline, BiasedMF


def dense_step(ratings, others, mean, l2, l2_bias, power):
    """Factors and bias of each row: a ridge regression of its ratings on [q, 1]."""
    found = np.zeros((len(ratings), others.shape[1]))
    for row, r in enumerate(ratings):
        rated = np.flatnonzero(r)
        if rated.size:
            design = np.column_stack([others[rated, :-1], np.ones(rated.size)])
            ridge = np.diag([*[l2] * (others.shape[1] - 1), l2_bias]) * rated.size**power
            target = r[rated] - mean - others[rated, -1]
            found[row] = np.linalg.solve(design.T @ design + ridge, design.T @ target)
    return found


def cost(ratings, model):
    P, Q = model.user_factors_, model.item_factors_
    rated = ratings != 0
    predicted = model.mean_ + P[:, -1:] + Q[:, -1] + P[:, :-1] @ Q[:, :-1].T
    penalty = []
    for V, n, of_bias in zip((P, Q), (rated.sum(axis=1), rated.sum(axis=0)), model.l2_bias_, strict=True):
        grows = n**model.count_power
        penalty.append(model.l2 * grows @ (V[:, :-1] ** 2).sum(axis=1))
        penalty.append(of_bias * (grows ** (model.l2_bias != "auto") * V[:, -1] ** 2).sum())
    return np.sum((ratings - predicted)[rated] ** 2) + sum(penalty)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_a_history_is_folded_in_by_its_normal_equations(ratings, history, power):
    model = BiasedMF(n_factors=3, l2=0.7, l2_bias=0.2, count_power=power, epochs=3).fit(csr_array(ratings))
    items = model.item_factors_
    users = dense_step(history, items, model.mean_[0], 0.7, 0.2, power)
    assert (users[0] == 0).all()
    expected = model.mean_ + users[:, -1:] + items[:, -1] + users[:, :-1] @ items[:, :-1].T
    np.testing.assert_allclose(model.score_items(history), expected, rtol=1e-5)


@pytest.mark.parametrize("l2_bias", ["auto", 0.5])
def test_every_epoch_lowers_the_cost_that_is_written_down(ratings, l2_bias):
    models = [BiasedMF(n_factors=3, l2=0.5, l2_bias=l2_bias, epochs=epochs).fit(ratings) for epochs in (1, 2, 5, 20)]
    costs = [cost(ratings, model) for model in models]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0]


@pytest.mark.parametrize("l2_bias", ["auto", 0.5])
def test_it_ends_where_no_factor_can_lower_the_cost(ratings, l2_bias):
    model = BiasedMF(n_factors=2, l2=1.0, l2_bias=l2_bias, epochs=400).fit(csr_array(ratings))
    lowest = cost(ratings, model)
    rng = np.random.default_rng(0)
    for name in ("user_factors_", "item_factors_"):
        learned = getattr(model, name)
        for _ in range(20):
            step = 1e-3 * rng.standard_normal(learned.shape)
            sides = []
            for sign in (1, -1):
                setattr(model, name, learned + sign * step)
                sides.append(cost(ratings, model))
            assert min(sides) > lowest
            assert abs(sides[0] - sides[1]) < 0.1 * (sum(sides) - 2 * lowest)  # no slope, only curvature
        setattr(model, name, learned)


def test_the_automatic_penalty_is_relative_to_what_the_biases_leave_over(ratings):
    model = BiasedMF(n_factors=2, epochs=30).fit(csr_array(ratings))
    of_users, of_items = (np.count_nonzero(ratings) / n for n in ratings.shape)
    noise = (np.sqrt(of_users) + np.sqrt(of_items)) / (2 * (of_users * of_items) ** 0.25)
    assert noise > 1
    biases = BiasBaseline().fit(csr_array(ratings))
    np.testing.assert_allclose(model.l2_bias_, [biases.l2_user_[0], biases.l2_item_[0]])
    left = (ratings - (biases.mean_ + np.add.outer(biases.user_bias_, biases.item_bias_)))[ratings > 0]
    assert model.l2_ == pytest.approx(1.6 * np.sqrt(np.square(left).mean()) * noise, rel=1e-5)
    wide = BiasedMF(n_factors=2, epochs=30).fit(csr_array(20 * ratings))
    users, items = np.divmod(np.arange(ratings.size), ratings.shape[1])
    np.testing.assert_allclose(wide.predict(users, items), 20 * model.predict(users, items), rtol=0.02)


def test_ratings_that_are_all_equal_are_predicted(ratings):
    model = BiasedMF(n_factors=2).fit(csr_array(np.where(ratings > 0, 3.0, 0)))
    np.testing.assert_allclose(model.predict([0, 1], [1, 0]), 3, atol=1e-3)


def test_predictions_are_the_formula_clipped(ratings):
    model = BiasedMF(n_factors=2, epochs=5).fit(csr_array(ratings))
    P, Q = model.user_factors_, model.item_factors_
    full = model.mean_ + P[:, -1:] + Q[:, -1] + P[:, :-1] @ Q[:, :-1].T
    low, high = ratings[ratings > 0].min(), ratings.max()
    users, items = np.divmod(np.arange(full.size), full.shape[1])
    np.testing.assert_allclose(model.predict(users, items), np.clip(full, low, high).ravel(), rtol=1e-5)
    unknown = [model.mean_[0], model.mean_[0] + Q[3, -1], model.mean_[0] + P[2, -1]]
    np.testing.assert_allclose(model.predict([-1, -1, 2], [-1, 3, -1]), np.clip(unknown, low, high), rtol=1e-5)


def test_it_finds_ratings_of_low_rank_that_were_hidden():
    rng = np.random.default_rng(0)
    truth = 3 + rng.standard_normal((80, 2)) @ rng.standard_normal((2, 30)) / 2
    shown = np.where(rng.random(truth.shape) < 0.6, truth, 0)
    model = BiasedMF(n_factors=2, l2=0.01, l2_bias=0.01, epochs=50).fit(csr_array(shown))
    users, items = np.nonzero(shown == 0)
    error = np.sqrt(np.mean((model.predict(users, items) - truth[users, items]) ** 2))
    assert error < 0.1 * truth.std()


def test_the_automatic_penalty_holds_where_few_items_have_many_users():
    rng = np.random.default_rng(2)
    taste = 0.6 * rng.standard_normal((1500, 1)) @ rng.standard_normal((1, 30))
    ratings = np.clip(np.rint(3 + taste + rng.standard_normal(taste.shape)), 1, 5)
    shown, hidden = rng.random((2, *taste.shape)) < 0.3
    train = csr_array(ratings * shown)
    users, items = np.nonzero(hidden & ~shown)
    error = [
        np.sqrt(np.mean(np.square(BiasedMF(l2=l2).fit(train).predict(users, items) - ratings[users, items])))
        for l2 in ("auto", 1.0 * ratings[shown].std())
    ]
    assert error[0] < error[1] - 0.01


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_pure_noise_is_predicted_nearly_as_well_as_by_the_mean(share):
    rng = np.random.default_rng(5)
    ratings = rng.integers(1, 6, (500, 300)).astype(float)
    shown, hidden = rng.random((2, *ratings.shape)) < share
    users, items = np.nonzero(hidden & ~shown)
    model = BiasedMF().fit(csr_array(ratings * shown))
    error = np.sqrt(np.mean(np.square(model.predict(users, items) - ratings[users, items])))
    assert error < 1.01 * ratings[users, items].std()


def test_biases_of_few_ratings_are_shrunken_as_the_bias_baseline_shrinks_them():
    rng = np.random.default_rng(6)
    ratings = 3 + 0.7 * rng.standard_normal((800, 1)) + 0.5 * rng.standard_normal(400) + rng.standard_normal((800, 400))
    shown, hidden = rng.random((2, *ratings.shape)) < 0.006  # two or three ratings a user
    train, (users, items) = csr_array(ratings * shown), np.nonzero(hidden & ~shown)
    errors = [
        np.sqrt(np.mean(np.square(model.fit(train).predict(users, items) - ratings[users, items])))
        for model in (BiasedMF(), BiasBaseline(), BiasedMF(l2_bias=0.5))
    ]
    assert errors[0] < 1.005 * errors[1]
    assert errors[0] < 0.99 * errors[2]


def test_items_about_which_all_agree_are_predicted():
    ratings = np.tile([1.0, 2.0, 4.0, 5.0], (12, 1))
    ratings[:, 3][:11] = 0  # seen once
    ratings[11, :3] = 0
    model = BiasedMF(n_factors=2).fit(csr_array(ratings))
    assert model.l2_bias_.min() > 0
    np.testing.assert_allclose(model.predict([0, 0, 0], [0, 1, 2]), [1, 2, 4], atol=0.1)
