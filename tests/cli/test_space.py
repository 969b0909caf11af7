"""`--space`: what a text means beside the usual space, and back."""

import pytest

from aerec.cli.space import format_dimension, parse_dimension
from aerec.search_spaces import Choice, Number, Whole

USUAL = {"l2": Number(1.0, 100.0, True), "share": Number(0.1, 0.9), "k": Whole(5, 50)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l2=2:3", Number(2.0, 3.0, log=True)),  # the scale of the usual one
        ("l2=2:3:linear", Number(2.0, 3.0)),
        ("l2=0:3", Number(0.0, 3.0)),  # which has no logarithm
        ("share=0.01:1", Number(0.01, 1.0)),
        ("k=2:400", Whole(2, 400)),
        ("new=1:49", Whole(1, 49)),
        ("new=1:50", Whole(1, 50, log=True)),  # a factor of 50
        ("new=1:50.0", Number(1.0, 50.0, log=True)),
        ("new=-5:5", Whole(-5, 5)),
        ("activation=tanh|relu", Choice(("tanh", "relu"))),
        ("noise=none|masking:0.5", None),
    ],
)
def test_what_a_text_means(text, expected):
    name, dimension = parse_dimension(text, USUAL)
    assert name == text.partition("=")[0]
    assert expected is None or dimension == expected
    if expected is None:
        assert dimension.values[0] is None
        assert dimension.values[1].p == 0.5


@pytest.mark.parametrize("text", ["l2", "l2=", "l2=1", "l2=a:b", "l2=1:2:3", "l2=1:2:log:log", "l2=1:true"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match=r"--space .* cannot be read; write name=low:high"):
        parse_dimension(text, USUAL)


def test_ends_in_the_wrong_order_are_refused_with_the_text():
    with pytest.raises(ValueError, match=r"--space 'l2=3:2': "):
        parse_dimension("l2=3:2", USUAL)


@pytest.mark.parametrize(("name", "dimension"), [("l2", Number(2.0, 30.0, True)), ("k", Whole(1, 9))])
def test_ranges_come_back(name, dimension):
    assert parse_dimension(format_dimension(name, dimension), {name: dimension}) == (name, dimension)


def test_choices_come_back():
    choice = Choice((200, (600, 200), "tanh", None))
    assert parse_dimension(format_dimension("x", choice), {}) == ("x", choice)
