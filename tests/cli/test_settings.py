"""How the text of options becomes hyper-parameters, lists and ids."""

import pandas as pd
import pytest

from aerec.baselines import ItemKNN
from aerec.cli.options import parse_list
from aerec.cli.settings import build_model, parse_ids, settings_of
from aerec.errors import DataError
from aerec.models import EASE, Autoencoder, Blend, MultDAE, MultVAE, RecencyWeighted
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.sparsity import KLSparsity, L1Sparsity, TopKSparsity

# ---------------------------------------------------------------------- hyper-parameters


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs=7", 7),
        ("learning_rate=1e-4", 1e-4),
        ("hidden=600", 600),
        ("hidden=600,200", (600, 200)),
        ("hidden=600,", (600,)),
        ("hidden=[600, 200]", (600, 200)),
        ("hidden=(600,)", (600,)),
        ("hidden= [600]", (600,)),
        ("tied=true", True),
        ("tied=False", False),
        ("patience=none", None),
        ("activation=relu", "relu"),
        ("noise=None", None),
        ("noise=masking", MaskingNoise()),
        ("noise=masking:0.3", MaskingNoise(0.3)),
        ("noise=masking:0.3:false", MaskingNoise(0.3, rescale=False)),
        ("noise=masking:0.3:true:true", MaskingNoise(0.3, hold_out=True)),
        ("noise=held-out", MaskingNoise(hold_out=True)),
        ("noise=held-out:0.3", MaskingNoise(0.3, hold_out=True)),
        ("noise=held-out:0.3:false", MaskingNoise(0.3, rescale=False, hold_out=True)),
        ("noise=gaussian:2:all", GaussianNoise(2, "all")),
        ("sparsity=l1:0.1", L1Sparsity(0.1)),
        ("sparsity=kl:0.2:3", KLSparsity(0.2, 3)),
        ("sparsity=topk:9", TopKSparsity(9)),
    ],
)
def test_a_setting_is_read(setting, value):
    found = getattr(build_model(Autoencoder, [setting]), setting.partition("=")[0])
    assert found == value
    assert type(found) is type(value)


def test_what_is_not_set_keeps_its_default():
    assert build_model(ItemKNN, ["k=3"]).get_params() == {**ItemKNN().get_params(), "k": 3}


def test_defaults_count_only_where_the_model_has_them_and_nothing_is_set():
    assert build_model(EASE, [], epochs=3, seed=1, progress=False).get_params() == EASE().get_params()
    found = build_model(MultVAE, ["seed=5"], epochs=3, seed=1, device=None)
    assert (found.epochs, found.seed, found.device) == (3, 5, "auto")


def test_of_two_settings_the_last_counts():
    assert build_model(EASE, ["l2=1", "l2=2"]).l2 == 2


def test_a_model_inside_is_named_and_takes_settings_and_defaults():
    weighted = build_model(RecencyWeighted, ["model__hidden=50,20", "model=mult-dae", "half_life=2"], seed=3)
    assert weighted.get_params(deep=False)["half_life"] == 2
    assert isinstance(weighted.model, MultDAE)
    assert (weighted.model.hidden, weighted.model.seed) == ((50, 20), 3)
    assert build_model(RecencyWeighted, ["model=none"]).model is None
    assert build_model(Autoencoder, ["noise=masking:0.3", "noise__p=0.4"]).noise == MaskingNoise(0.4)


def test_a_blend_takes_a_list_of_models():
    blend = build_model(Blend, ["models=ease, mult-dae", "weights=1, 2"])
    assert [*map(type, blend.models)] == [EASE, MultDAE]
    assert [*map(type, build_model(Blend, ["models=ease"]).models)] == [EASE]
    assert [*map(type, build_model(Blend, ["models=[ease, mult-dae]"]).models)] == [EASE, MultDAE]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["model__l2=3"], "model is None, which has no 'l2'; set model too"),
        (["model=foo"], "unknown model 'foo'"),
        (["model=ease", "model__l3=3"], "'l3'"),
        (["model=ease", "model__l2=-3"], "The 'l2' parameter of EASE must be a number above 0"),
        (["model=ease,elsa"], "The 'model' parameter of RecencyWeighted must be a Recommender"),
        (["half__life=3"], "has no parameter 'half'; did you mean half_life"),
        (["model__=3"], "'model__=3' is no setting; write that of a model inside as model__epochs=50"),
        (["model=ease", "model____l2=3"], "is no setting"),
    ],
)
def test_a_wrong_setting_of_a_model_inside_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        build_model(RecencyWeighted, settings)


@pytest.mark.parametrize(
    "model",
    [
        MultVAE(),
        MultDAE(hidden=(600, 200), noise=MaskingNoise(0.3), patience=None),
        RecencyWeighted(RecencyWeighted(EASE(l2=7.0), half_life=2.0)),
        Blend((EASE(), MultDAE()), weights=(1.0, 2.0)),
    ],
)
def test_the_settings_of_a_model_build_it_again(model):
    assert repr(build_model(type(model), settings_of(model)).get_params()) == repr(model.get_params())


@pytest.mark.parametrize("setting", ["l2", "", "500"])
def test_a_text_without_a_value_is_no_setting(setting):
    with pytest.raises(ValueError, match=r"is no setting; write name=value"):
        build_model(EASE, [setting])


def test_an_unknown_parameter_lists_those_there_are():
    with pytest.raises(ValueError, match=r"ItemKNN has no parameter 'l2'; there are .*k.*shrinkage"):
        build_model(ItemKNN, ["l2=3"])


@pytest.mark.parametrize(
    "setting",
    [
        "epochs=0",
        "epochs=1.5",
        "epochs=",
        "epochs=1_0",
        "epochs=１",
        "hidden=0",
        "activation=step",
        "tied=2",
        "noise=l1",
        "sparsity=5",
    ],
)
def test_a_value_out_of_its_range_is_refused_before_any_training(setting):
    with pytest.raises(ValueError, match=f"{setting.partition('=')[0]}.* of Autoencoder must be"):
        build_model(Autoencoder, [setting])


@pytest.mark.parametrize(
    ("setting", "form"),
    [
        ("noise=masking:half", "masking:0.5:True"),
        ("noise=masking:", "masking:0.5:True"),
        ("noise=masking:0.5:true:9", "masking:0.5:True"),
        ("noise=masking:0.5:abc", "masking:0.5:True"),
        ("noise=held-out:half", "held-out:0.5:True"),
        ("noise=gaussian:0.1:3", "gaussian:0.1:observed"),
        ("sparsity=topk:x", "topk:32"),
        ("sparsity=topk:inf", "topk:32"),
        ("sparsity=kl:none", "kl:0.05:1.0"),
    ],
)
def test_a_choice_that_cannot_be_read_shows_how_it_is_written(setting, form):
    with pytest.raises(ValueError, match=f"cannot be read; write it like {form}"):
        build_model(Autoencoder, [setting])


# ---------------------------------------------------------------------- lists and ids


@pytest.mark.parametrize(
    ("text", "parts"),
    [("1,2", ["1", "2"]), (" a b , c,", ["a b", "c"]), ("", []), (" , ,", []), ("recall@20", ["recall@20"])],
)
def test_lists_are_split_at_commas(text, parts):
    assert parse_list(text) == parts


def test_ids_take_the_type_of_the_data():
    assert parse_ids(["7", "-3", "1212092628029698001"], pd.Index([1, 2]), "item") == [7, -3, 1212092628029698001]
    assert parse_ids(["7", "x"], pd.Index(["7", "y"]), "item") == ["7", "x"]


@pytest.mark.parametrize("text", ["x", "", "1.5", "1e3", "1 2", "٣x", "9" * 30])
def test_what_is_no_number_is_refused_where_ids_are_numbers(text):
    with pytest.raises(DataError, match=r"user .* is not a whole number, as the users of this data set are"):
        parse_ids([text], pd.Index([1, 2]), "user")
