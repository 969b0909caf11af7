"""Dimensions of a search, and that the default space of every model fits it."""

import pytest

from aerec.baselines import ItemKNN, Popularity
from aerec.models import EASE, Autoencoder, RecencyWeighted
from aerec.parameters import check_parameters
from aerec.registry import MODELS
from aerec.search_spaces import SPACES, Choice, Number, Whole, check_space

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
def test_a_default_space_holds_the_defaults_of_its_model(name):
    defaults = MODELS[name]().get_params(deep=False)
    for parameter, dimension in SPACES[name].items():
        assert dimension.holds(defaults[parameter]) or defaults[parameter] == "auto", parameter


@pytest.mark.parametrize("name", SPACES)
def test_spaces_are_of_similar_width(name):
    assert len(SPACES[name]) <= 7
    for dimension in SPACES[name].values():
        assert len(dimension.ends()) <= 6
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
        (RecencyWeighted(), {"model__l2": Number(1, 5)}, "no 'model__l2' while model is None; set model too"),
        (Autoencoder(), {"noise": Choice([None, "masking"])}, "'noise' does not fit"),
    ],
)
def test_a_space_that_does_not_fit_is_refused(model, space, reason):
    with pytest.raises(ValueError, match=reason):
        check_space(space, model)
