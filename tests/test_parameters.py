from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from aerec.noise import MaskingNoise
from aerec.parameters import OneOf, RealNumber, WholeNumber, check_parameters


@pytest.mark.parametrize(
    ("constraint", "accepted", "refused"),
    [
        (WholeNumber(1), [1, np.int64(7), 10**30], [0, 1.0, True, "1", None, np.float32(2)]),
        (WholeNumber(0, 2), [0, 2], [-1, 3]),
        (
            RealNumber(above=0),
            [1e-300, 1, np.float32(0.5), Fraction(1, 3)],
            [0, -1, np.nan, np.inf, 10**400, True, "1", None],
        ),
        (RealNumber(at_least=0, below=1), [0, 0.999], [1, -1e-9]),
        (RealNumber(at_least=0, at_most=1), [0, 1], [1 + 1e-9]),
        (OneOf(("item", "user")), ["item"], ["items", 1, None, ["item"]]),
    ],
)
def test_what_a_constraint_accepts(constraint, accepted, refused):
    assert all(map(constraint.accepts, accepted))
    assert not any(map(constraint.accepts, refused))


class _Model(BaseEstimator):
    _parameter_constraints: ClassVar = {
        "size": [WholeNumber(1), tuple, OneOf(("auto",))],
        "share": [RealNumber(at_least=0, below=1)],
        "kind": [OneOf(("item", "user"))],
        "tied": [bool],
        "metric": [str, None],
        "noise": [MaskingNoise, None],
    }

    def __init__(self, size=1, share=0.5, kind="item", tied=False, metric=None, noise=None, free=None):
        self.size, self.share, self.kind, self.tied, self.metric, self.noise = size, share, kind, tied, metric, noise
        self.free = free


@pytest.mark.parametrize(
    "fine", [{}, {"size": (3, 4)}, {"tied": np.True_}, {"noise": MaskingNoise(0.1)}, {"metric": "x", "free": object()}]
)
def test_parameters_within_their_constraints_pass(fine):
    check_parameters(_Model(**fine))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, "The 'size' parameter of _Model must be a whole number of at least 1, a tuple or 'auto', got 0"),
        ({"share": 1.5}, "The 'share' parameter of _Model must be a number of at least 0 and below 1, got 1.5"),
        ({"kind": "it"}, "The 'kind' parameter of _Model must be one of 'item', 'user', got 'it'"),
        ({"tied": 1}, "The 'tied' parameter of _Model must be True or False, got 1"),
        ({"metric": 5}, "The 'metric' parameter of _Model must be a text or None, got 5"),
        ({"noise": 0.5}, "The 'noise' parameter of _Model must be a MaskingNoise or None, got 0.5"),
    ],
)
def test_the_error_names_the_parameter_what_it_may_be_and_what_was_given(wrong, message):
    with pytest.raises(ValueError, match=r"^The") as refused:
        check_parameters(_Model(**wrong))
    assert str(refused.value) == message
