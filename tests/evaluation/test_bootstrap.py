"""The bootstrap: reproducible, centred, as wide as theory says, and right about 95 times in 100."""

import numpy as np
import pytest
from scipy import stats

from aerec.evaluation import bootstrap
from aerec.evaluation.bootstrap import (
    FEW,
    Ratios,
    bootstrap_sums,
    difference_interval,
    mean_interval,
    percentile_interval,
    wilson_interval,
)


def interval_of_the_mean(values, n_resamples=1000, seed=0):
    return percentile_interval(bootstrap_sums(values[:, None], n_resamples, seed)[:, 0] / len(values))


@pytest.fixture
def values():
    return np.random.default_rng(5).exponential(size=60)


def test_the_same_seed_draws_the_same_users_and_another_seed_others(values):
    first = bootstrap_sums(values[:, None], 200, seed=1)
    np.testing.assert_array_equal(first, bootstrap_sums(values[:, None], 200, seed=1))
    assert not np.array_equal(first, bootstrap_sums(values[:, None], 200, seed=2))
    assert first.shape == (200, 1)


def test_all_columns_are_summed_over_the_same_users_as_many_as_there_are(values):
    sums = bootstrap_sums(np.stack([values, 3 * values, np.ones_like(values)], axis=1), 300, seed=0)
    np.testing.assert_allclose(sums[:, 1], 3 * sums[:, 0])
    np.testing.assert_array_equal(sums[:, 2], len(values))
    assert len(np.unique(sums[:, 0])) > 250


@pytest.mark.parametrize("at_a_time", [1, 7, 300])
def test_drawing_in_blocks_is_drawing_at_once(values, at_a_time, monkeypatch):
    at_once = bootstrap_sums(values[:, None], 300, seed=4)
    monkeypatch.setattr(bootstrap, "_BLOCK", at_a_time)
    np.testing.assert_allclose(bootstrap_sums(values[:, None], 300, seed=4), at_once, rtol=1e-12)


def test_resampled_means_have_the_mean_and_the_standard_error_of_the_sample(values):
    means = bootstrap_sums(values[:, None], 20_000, seed=0)[:, 0] / len(values)
    standard_error = values.std() / len(values) ** 0.5  # of a draw with replacement from this sample, exactly
    assert means.mean() == pytest.approx(values.mean(), abs=5 * standard_error / 20_000**0.5)
    assert means.std() == pytest.approx(standard_error, rel=0.05)


def test_the_interval_is_that_of_scipy_but_for_chance(values):
    ours = interval_of_the_mean(values, n_resamples=20_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", random_state=0
    ).confidence_interval
    standard_error = values.std() / len(values) ** 0.5
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.1 * standard_error)


def test_the_interval_leaves_out_a_fortieth_on_either_side():
    low, high = percentile_interval(np.random.default_rng(0).permutation(1001).astype(float))
    assert (low, high) == (25, 975)


def test_it_covers_the_true_mean_about_95_times_in_100():
    covered = 0
    for seed in range(500):
        low, high = interval_of_the_mean(np.random.default_rng(seed).normal(0.3, 1, size=80), 400, seed)
        covered += low <= 0.3 <= high
    # three standard errors of a share of 500 are 0.03; the percentile interval of 80 values is a little too narrow
    assert 0.91 <= covered / 500 <= 0.98


def test_users_who_do_not_differ_leave_no_doubt():
    assert interval_of_the_mean(np.full(10, 0.5)) == (0.5, 0.5)
    assert interval_of_the_mean(np.array([0.25])) == (0.25, 0.25)


@pytest.mark.parametrize("n_resamples", [0, -1])
def test_no_resamples_are_refused(values, n_resamples):
    with pytest.raises(ValueError, match=f"n_resamples must be at least 1, got {n_resamples}"):
        bootstrap_sums(values[:, None], n_resamples, seed=0)


# ---------------------------------------------------------------------- rare hits


@pytest.mark.parametrize("hits", [0, 1, 3, 10, 29, 30])
def test_the_score_interval_is_that_of_scipy(hits):
    expected = stats.binomtest(hits, 30).proportion_ci(0.95, method="wilson")
    assert wilson_interval(hits / 30, 30) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_interval_is_the_bootstrap_s_unless_few_users_differ():
    resampled = np.linspace(0.2, 0.4, 1001)
    for values in (np.zeros(30), np.ones(30), np.repeat([0.0, 0.5], [21, 9]), np.repeat([1.0, 0.5], [21, 9])):
        assert mean_interval(values, resampled) == wilson_interval(values.mean(), 30)
    for values in (np.repeat([0.0, 1.0], [FEW, 20]), np.repeat([0.0, 0.5], [20, FEW])):
        assert mean_interval(values, resampled) == pytest.approx((0.205, 0.395))


@pytest.mark.parametrize("gain", [1.0, 0.5])
@pytest.mark.parametrize(("n_users", "share"), [(30, 0.01), (30, 0.03), (30, 0.1), (100, 0.03), (300, 0.01)])
def test_rare_hits_are_covered_about_as_often_as_promised(n_users, share, gain):
    rng = np.random.default_rng(0)
    covered = narrow = 0
    for _ in range(300):
        values = gain * (rng.random(n_users) < share)
        resampled = bootstrap_sums(values[:, None], 200, seed=0)[:, 0] / n_users
        low, high = mean_interval(values, resampled)
        covered += low <= gain * share <= high
        narrow += percentile_interval(resampled)[0] <= gain * share <= percentile_interval(resampled)[1]
    assert covered / 300 >= 0.91
    assert n_users * share > 2 or narrow / 300 < 0.75  # the percentile interval is no answer there


def test_an_interval_of_gains_alone_ends_where_wilson_s_and_that_of_no_loss_do():
    difference = np.repeat([0.0, 1.0], [28, 2])
    (low, high), none = wilson_interval(2 / 30, 30), wilson_interval(0.0, 30)[1]
    found = difference_interval(difference, np.zeros(3))
    assert found == pytest.approx((2 / 30 - np.hypot(2 / 30 - low, none), 2 / 30 + (high - 2 / 30)))
    assert difference_interval(-difference, np.zeros(3)) == pytest.approx((-found[1], -found[0]))
    many = np.repeat([0.0, 1.0], [20, FEW])
    assert difference_interval(many, np.linspace(0.2, 0.4, 1001)) == pytest.approx((0.205, 0.395))
    assert difference_interval(50 * difference, np.zeros(3)) == pytest.approx((50 * found[0], 50 * found[1]))


@pytest.mark.parametrize(
    ("n_users", "wins", "losses"),
    [(8, 0.3, 0.3), (30, 0.03, 0.0), (30, 0.05, 0.05), (30, 0.1, 0.02), (100, 0.03, 0.0), (1000, 0.002, 0.001)],
)
def test_rare_differences_are_covered_about_as_often_as_promised(n_users, wins, losses):
    rng = np.random.default_rng(0)
    covered = narrow = 0
    for _ in range(300):
        drawn = rng.random(n_users)
        values = (drawn < wins).astype(float) - (drawn > 1 - losses)
        resampled = bootstrap_sums(values[:, None], 200, seed=0)[:, 0] / n_users
        (low, high), plain = difference_interval(values, resampled), percentile_interval(resampled)
        covered += low <= wins - losses <= high
        narrow += plain[0] <= wins - losses <= plain[1]
    assert covered / 300 >= 0.92
    assert (n_users, losses) != (30, 0.0) or narrow / 300 < 0.75  # the percentile interval is no answer there


def test_ratios_are_means_over_users_ratings_and_roots(values):
    counts = np.arange(1.0, 61.0)
    table = Ratios(60)
    table.add("share", values / values.max())
    table.add_ratio("rmse", values, counts, root=True)
    table.add_constant("coverage", 0.25)
    mean, interval, per_user = table.summary(["rmse", "coverage", "share"], 200, seed=0)
    assert list(mean) == ["rmse", "coverage", "share"]
    assert mean["share"] == pytest.approx(np.mean(values / values.max()))
    assert mean["rmse"] == pytest.approx((values.sum() / counts.sum()) ** 0.5)
    np.testing.assert_allclose(per_user["rmse"], np.sqrt(values / counts))
    assert interval["rmse"][0] < mean["rmse"] < interval["rmse"][1]
    assert np.isnan(interval["coverage"]).all()
    assert set(per_user) == {"rmse", "share"}
