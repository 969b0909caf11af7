"""Weights of units as text."""

import pytest

from aerec.runs.steering import parse_weights


def test_weights_are_read():
    assert parse_weights([]) == {}
    assert parse_weights(["3:1.5,7:-2", " 9:1e-1"]) == {3: 1.5, 7: -2.0, 9: 0.1}


@pytest.mark.parametrize("text", ["3", "3:", ":1", "a:1", "3:b", "3:1,", "", "1.5:1", "1:1_0", "1_0:1", "1:１", "１:1"])
def test_what_is_no_weight(text):
    with pytest.raises(ValueError, match="cannot be read; write unit:weight"):
        parse_weights([text])


def test_a_unit_twice():
    with pytest.raises(ValueError, match="unit 3 is named twice"):
        parse_weights(["3:1", "3:2"])
