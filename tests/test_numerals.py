"""Numbers in text: the digits 0 to 9 and nothing that only Python takes for a number."""

import math

import pytest

from aerec.numerals import NUMBER, number_from_text, whole_from_text

NONE = ["", " ", "1_0", "１０", "٣", "0x10", "1,5", "one", "--1", "1 0", "²", "."]


@pytest.mark.parametrize("text", ["1", "-1.5", ".5", "5.", "1e9", "NaN", "-inf", "+2"])
def test_numbers(text):
    assert NUMBER.fullmatch(text)
    number = number_from_text(f" {text} ")
    assert number == float(text) or math.isnan(number)


@pytest.mark.parametrize("text", ["7", "-7", "+7", " 07"])
def test_whole_numbers(text):
    assert whole_from_text(text) == int(text)
    assert type(whole_from_text(text)) is int


@pytest.mark.parametrize("text", NONE)
def test_no_numbers(text):
    assert not NUMBER.fullmatch(text)
    with pytest.raises(ValueError, match="is not a number in the digits 0 to 9"):
        number_from_text(text)


@pytest.mark.parametrize("text", [*NONE, "1.0", "1e3", "inf", "nan"])
def test_no_whole_numbers(text):
    with pytest.raises(ValueError, match="is not a whole number in the digits 0 to 9"):
        whole_from_text(text)
