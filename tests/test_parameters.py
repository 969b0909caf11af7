from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from aerec.noise import MaskingNoise
from aerec.parameters import OneOf, RealNumber, WholeNumber, changed_choice, check_fraction, check_parameters, fields_of


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


def test_fractions_are_between_zero_and_one():
    check_fraction("share", 0.5)
    check_fraction("share", 0, zero=True)
    for value in (0, 1, -0.1, 1.5, float("nan"), "2025-09-01", None):
        with pytest.raises(ValueError, match=r"share must be in \(0, 1\), got"):
            check_fraction("share", value)
    for value in (1, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"share must be in \[0, 1\), got"):
            check_fraction("share", value, zero=True)


def test_the_fields_of_a_choice_are_named_after_it():
    noise = MaskingNoise(0.2)
    fields = fields_of({"noise": noise, "hidden": 3, "kind": MaskingNoise})
    assert set(fields) == {f"noise__{name}" for name in vars(noise)}
    assert 0.2 in fields.values()
    (name,) = [name for name, value in vars(noise).items() if value == 0.2]
    assert changed_choice(noise, {name: 0.3}) == MaskingNoise(0.3)
    with pytest.raises(ValueError, match="MaskingNoise has no 'width'; it has"):
        changed_choice(noise, {"width": 1})
