"""scikit-learn's own estimator checks over the autoencoders; what cannot apply is listed with its reason."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from small_models import PARTS

from aerec.baselines import NMF
from aerec.models import EASE, Autoencoder, DenoisingAutoencoder, RecencyWeighted, SparseAutoencoder
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.registry import MODELS
from aerec.sparsity import KLSparsity

QUICK = {"hidden": 4, "likelihood": "gaussian", "epochs": 2, "batch_size": 16, "progress": False}

NOT_APPLICABLE = {
    "check_parameters_default_constructible": "noise and sparsity default to frozen dataclasses, not plain values",
}
DEPENDS_ON_THE_PROCESSOR = {
    "check_methods_sample_order_invariance": "asks for 1e-7; float32 products round by the place of a row in its block",
}


@parametrize_with_checks(
    [Autoencoder(**QUICK), DenoisingAutoencoder(**QUICK), SparseAutoencoder(**QUICK)],
    expected_failed_checks=lambda _: NOT_APPLICABLE,
)
def test_scikit_learn_accepts_the_estimator(estimator, check):
    if reason := DEPENDS_ON_THE_PROCESSOR.get(check.func.__name__):
        pytest.skip(reason)
    check(estimator)


# ---------------------------------------------------------------------- every model


SMALL = {"epochs": 2, "hidden": 4, "n_factors": 2, "batch_size": 16, "k": 3, "progress": False}
NOT_RUN = {
    "cdae": "its likelihood takes values from 0 to 1, the data of the checks go beyond",
    "slist": "it learns from the order of the ratings: it needs times, which a matrix does not have",
    "sparse-code": "it is made of a fitted autoencoder, see its own tests",
}
OF_ALL = {
    "check_dtype_object": "the message says what was expected, in words other than those of scikit-learn",
    "check_estimators_empty_data_messages": "a matrix without columns has no ratings, which is what the message says",
    "check_parameters_default_constructible": "noise and sparsity default to frozen dataclasses, not plain values",
    "check_methods_sample_order_invariance": DEPENDS_ON_THE_PROCESSOR["check_methods_sample_order_invariance"],
    "check_positive_only_tag_during_fit": "negative values are refused in words that say what to do instead",
    "check_methods_subset_invariance": "asks for 1e-7, too",
}
OF_RATINGS = dict.fromkeys(
    (
        "check_dict_unchanged",
        "check_dont_overwrite_attributes",
        "check_estimator_sparse_array",
        "check_estimator_sparse_matrix",
        "check_estimators_dtypes",
        "check_estimators_nan_inf",
        "check_estimators_pickle",
        "check_estimators_unfitted",
        "check_f_contiguous_array_estimator",
        "check_fit2d_predict1d",
        "check_fit_idempotent",
        "check_n_features_in_after_fitting",
    ),
    "predict takes pairs of user and item, as rating prediction is asked for, not rows",
)
OF_ITEMS = dict.fromkeys(
    ("check_transformer_data_not_an_array", "check_transformer_general"),
    "the codes of an item-based AutoRec are of items: transform goes by the users of the training data",
)
OF_UPDATES = {"check_n_features_in_after_fitting": "partial_fit says how many columns and items there are"}
OF_ONE = {
    "autorec": OF_RATINGS | OF_ITEMS,
    "kernel-autorec": OF_RATINGS | OF_ITEMS,
    **dict.fromkeys(("bias", "biased-mf", "rating-blend"), OF_RATINGS),
    **dict.fromkeys(("ease", "edlae"), OF_UPDATES),
}


@pytest.mark.no_cover
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(MODELS))
def test_scikit_learn_accepts_every_model_but_for_what_is_explained(name):
    if reason := NOT_RUN.get(name):
        pytest.skip(reason)
    model = MODELS[name]()
    model.set_params(**{key: value for key, value in SMALL.items() if key in model.get_params(deep=False)})
    model.set_params(**PARTS.get(name, {}))
    results = check_estimator(model, on_fail=None)
    assert len(results) > 30
    failed = {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"}
    unexplained = failed.keys() - (OF_ALL | OF_ONE.get(name, {})).keys()
    assert not unexplained, {check: failed[check] for check in unexplained}


def test_tags_say_what_a_model_takes():
    for name, model_class in MODELS.items():
        assert get_tags(model_class()).input_tags.sparse, name
    for model, positive in ((NMF(), True), (Autoencoder(), True), (Autoencoder(**QUICK), False), (EASE(), False)):
        assert get_tags(model).input_tags.positive_only is positive


def test_a_grid_searches_over_the_fields_of_a_noise():
    X = np.random.default_rng(0).normal(size=(24, 6)).astype(np.float32)
    model = make_pipeline(StandardScaler(), Autoencoder(**QUICK, noise=GaussianNoise(0.1)))
    found = GridSearchCV(model, {"autoencoder__noise__scale": [0.0, 50.0]}, cv=2).fit(X)
    assert found.best_params_ == {"autoencoder__noise__scale": 0.0}
    assert found.best_estimator_[-1].noise == GaussianNoise(0.0)


def test_fields_of_choices_are_parameters_and_setting_one_changes_no_other_model():
    model = Autoencoder(noise=MaskingNoise(0.2), sparsity=KLSparsity(0.1, 0.5))
    assert {name: value for name, value in model.get_params().items() if "__" in name} == {
        "noise__p": 0.2,
        "noise__rescale": True,
        "noise__hold_out": False,
        "sparsity__target": 0.1,
        "sparsity__weight": 0.5,
    }
    default = Autoencoder()
    assert default.set_params(noise__p=0.9).noise == MaskingNoise(0.9)
    assert Autoencoder().noise == MaskingNoise(0.5)  # the default is one object for all
    both = default.set_params(noise__scale=0.3, noise=GaussianNoise(0.1))  # the choice first, whatever the order
    assert both.noise == GaussianNoise(0.3)
    nested = RecencyWeighted(Autoencoder()).set_params(model__noise__p=0.1, half_life=2.0)
    assert nested.model.noise == MaskingNoise(0.1)
    assert nested.get_params()["model__noise__p"] == 0.1


@pytest.mark.parametrize("wrong", [{"noise__scale": 0.1}, {"noise__p": 1.5}, {"nose__p": 0.1}])
def test_fields_that_are_not_there_or_out_of_range_are_refused(wrong):
    model = Autoencoder()
    with pytest.raises(ValueError, match=r"p, rescale|p is the share|nose"):
        model.set_params(**wrong)
    assert model.noise == MaskingNoise(0.5)


def test_a_field_of_a_choice_that_is_not_there_is_refused():
    model = DenoisingAutoencoder(noise=None)
    with pytest.raises(ValueError, match="noise__scale: noise is None, which has no 'scale'; set noise too"):
        model.set_params(noise__scale=0.2)
    assert model.set_params(noise=GaussianNoise(0.1), noise__scale=0.2).noise == GaussianNoise(0.2)
