"""Dimensions of a search: what a trial draws, and what is refused."""

import pytest

from aerec.dimensions import Choice, Number, Whole
from aerec.noise import MaskingNoise
from aerec.sparsity import KLSparsity


class FirstOf:
    """Stands in for a trial of Optuna, and draws the low end."""

    def suggest_categorical(self, name, choices):
        assert all(isinstance(one, str) for one in choices)  # what a study can store
        return choices[0]

    def suggest_float(self, name, low, high, log):
        return low

    def suggest_int(self, name, low, high, log):
        return low


@pytest.mark.parametrize(
    ("dimension", "drawn"),
    [
        (Choice([MaskingNoise(0.5), None]), MaskingNoise(0.5)),
        (Choice([(600, 200), 200]), (600, 200)),
        (Choice((None, 1)), None),
        (Number(0, 2), 0.0),
        (Whole(3, 9, log=True), 3),
    ],
)
def test_a_trial_draws_a_value_of_the_kind_that_models_take(dimension, drawn):
    found = dimension.suggest(FirstOf(), "any")
    assert found == drawn
    assert type(found) is type(drawn)


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
