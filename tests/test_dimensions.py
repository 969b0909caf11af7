"""Dimensions of a search: what a trial draws, and what is refused."""

import pytest

from aerec.dimensions import Choice, Number, Whole
from aerec.noise import MaskingNoise
from aerec.sparsity import KLSparsity


@pytest.mark.parametrize(
    ("dimension", "drawn"),
    [
        (Choice([MaskingNoise(0.5)]), MaskingNoise(0.5)),
        (Choice([(600, 200)]), (600, 200)),
        (Choice((None,)), None),
        (Number(1.5, 1.5000001), 1.5),
        (Whole(3, 4, log=True), 3),
    ],
)
def test_a_trial_draws_a_value_of_the_kind_that_models_take(dimension, drawn):
    optuna = pytest.importorskip("optuna", reason="the search needs the package optuna")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    found = dimension.read(study.ask({"any": dimension.distribution()}).params["any"])
    if isinstance(dimension, Choice):
        assert found == drawn
    else:
        assert dimension.low <= found <= dimension.high
    assert type(found) is type(drawn)
    assert dimension.holds(found)
    assert dimension.read(dimension.store(found)) == found


@pytest.mark.parametrize(
    ("dimension", "value"),
    [
        (Choice([1, "tanh"]), True),
        (Choice([MaskingNoise(0.5)]), MaskingNoise(0.4)),
        (Number(0.0, 1.0), 1.5),
        (Number(0.0, 1.0), "auto"),
        (Number(0.0, 1.0), True),
        (Whole(1, 5), 2.0),
        (Whole(1, 5), 0),
        (Whole(1, 5), None),
    ],
)
def test_what_a_dimension_does_not_hold(dimension, value):
    assert not dimension.holds(value)


def test_values_that_compare_equal_are_told_apart():
    dimension = Choice([1, True, 1.0])
    assert [dimension.read(repr(one)) for one in dimension.values] == [1, True, 1.0]
    assert dimension.read("True") is True


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Choice([]), r"at least one value, got \[\]"),
        (lambda: Choice("tanh"), "takes a list of at least one value, got 'tanh'"),
        (lambda: Choice([1, 2, 1]), "Choice has 1 twice"),
        (lambda: Choice([KLSparsity(), KLSparsity()]), "KLSparsity.* twice"),
        (lambda: Number(2, 1), r"with low < high; got \(2, 1\)"),
        (lambda: Number(1, 1), "with low < high"),
        (lambda: Number(0, float("inf")), "finite numbers"),
        (lambda: Number(float("nan"), 1), "finite numbers"),
        (lambda: Number("0", 1), "finite numbers"),
        (lambda: Number(False, True), "finite numbers"),
        (lambda: Number(0, 1, log=True), r"Number\(low=0, high=1, log=True\).* low must be above 0"),
        (lambda: Whole(1, 2.5), "whole numbers"),
        (lambda: Whole(0, 5, log=True), "low must be above 0"),
    ],
)
def test_a_dimension_without_sense_is_refused(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()
