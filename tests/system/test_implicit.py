"""Without the package implicit its models say how to get it."""

import sys

import pytest
from scipy.sparse import csr_array

from aerec.baselines import ALS, BPR
from aerec.errors import MissingExtraError


@pytest.mark.parametrize("model", [ALS(), BPR()])
def test_a_missing_package_is_named_with_the_line_that_installs_it(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "implicit", None)
    with pytest.raises(MissingExtraError, match=rf"{type(model).__name__} .*pip install 'aerec\[baselines\]'"):
        model.fit(csr_array([[1.0, 0], [0, 1]]))
