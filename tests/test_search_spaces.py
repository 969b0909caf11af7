"""Dimensions of a search, and that the default space of every model fits it."""

import pytest

from aerec.baselines import ItemKNN, Popularity
from aerec.models import EASE, Autoencoder
from aerec.noise import MaskingNoise
from aerec.parameters import check_parameters
from aerec.registry import MODELS
from aerec.search_spaces import SPACES, Choice, Number, Whole, check_space
from aerec.sparsity import KLSparsity

# ---------------------------------------------------------------------- default spaces


def test_every_model_has_a_space():
    assert set(SPACES) == set(MODELS)


@pytest.mark.parametrize("name", [name for name in SPACES if SPACES[name]])
def test_a_default_space_fits_its_model_at_every_end(name):
    model = MODELS[name]()
    assert set(SPACES[name]) <= set(model.get_params(deep=False))
    for parameter, dimension in SPACES[name].items():
        for value in dimension.ends():
            check_parameters(MODELS[name](**{parameter: value}))
    check_space(SPACES[name], model)


@pytest.mark.parametrize("name", SPACES)
def test_spaces_are_of_similar_width(name):
    assert len(SPACES[name]) <= 7
    for dimension in SPACES[name].values():
        assert len(dimension.ends()) <= 5
    if not SPACES[name]:
        assert MODELS[name]().get_params() == {}


@pytest.mark.parametrize("name", SPACES)
def test_every_penalty_fits_every_activation_that_goes_with_it(name):
    space = SPACES[name]
    defaults = MODELS[name]().get_params(deep=False)
    for sparsity in space.get("sparsity", Choice([None])).values:
        for activation in space.get("activation", Choice([defaults.get("activation")])).values:
            if sparsity is not None:
                sparsity.check_activation(activation)


# ---------------------------------------------------------------------- dimensions


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


@pytest.mark.parametrize(
    ("model", "space", "reason"),
    [
        (EASE(), {}, "the space of EASE is empty"),
        (Popularity(), {"k": Whole(1, 5)}, "Popularity has no parameter 'k'; there are none"),
        (ItemKNN(), {"l2": Number(1, 5)}, "ItemKNN has no parameter 'l2'; there are k, "),
        (ItemKNN(), {"k": [10, 20]}, r"'k' must be a Choice, a Number or a Whole, got \[10, 20\]"),
        (ItemKNN(), {"k": Number(1.0, 5.0)}, "'k' does not fit: The 'k' parameter of ItemKNN must be a whole number"),
        (ItemKNN(), {"k": Whole(0, 5)}, "'k' does not fit"),
        (EASE(), {"l2": Choice([1.0, "much"])}, "'l2' does not fit"),
        (Autoencoder(), {"noise": Choice([None, "masking"])}, "'noise' does not fit"),
    ],
)
def test_a_space_that_does_not_fit_is_refused(model, space, reason):
    with pytest.raises(ValueError, match=reason):
        check_space(space, model)
