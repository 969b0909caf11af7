"""scikit-learn's own estimator checks over the autoencoders; what cannot apply is listed with its reason."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from aerec.models import Autoencoder, DenoisingAutoencoder, SparseAutoencoder

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
