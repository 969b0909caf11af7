"""scikit-learn's own estimator checks over the autoencoders; what cannot apply is listed with its reason."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from aerec.models import Autoencoder, DenoisingAutoencoder, RecencyWeighted, SparseAutoencoder
from aerec.noise import GaussianNoise, MaskingNoise
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
