"""Best values near an end of what was searched."""

import pytest

from aerec.models import EASE, EDLAE, ELSA
from aerec.search_spaces import Choice, Number, Whole
from aerec.tuning.edges import find_edges

L2 = Number(10.0, 1000.0, log=True)


def wider(model, dimension, value, name="l2"):
    return [(edge.end, edge.wider) for edge in find_edges(model, {name: dimension}, {name: value})]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (12.0, [("lower", Number(1.0, 1000.0, log=True))]),
        (13.0, []),  # 5.7 % of the way on the logarithmic scale
        (500.0, []),
        (900.0, [("upper", Number(10.0, 10_000.0, log=True))]),
    ],
)
def test_within_five_per_cent_of_a_logarithmic_range(value, found):
    assert wider(EASE(), L2, value) == found


def test_a_linear_range_is_widened_by_its_width():
    assert wider(EASE(), Number(10.0, 20.0), 19.9) == [("upper", Number(10.0, 30.0))]
    assert wider(EASE(), Number(10.0, 20.0), 15.0) == []


def test_at_the_end_of_what_a_model_takes_there_is_less_to_widen():
    found = wider(EDLAE(), Number(0.05, 0.75), 0.74, "dropout")
    assert found == [("upper", Number(0.05, 0.89))]  # a fifth of the width: 1.0 and more is no dropout
    assert wider(EDLAE(), Number(0.05, 0.95), 0.949, "dropout") == []


def test_whole_numbers_stay_whole():
    assert wider(ELSA(), Whole(32, 512, log=True), 512, "n_factors") == [("upper", Whole(32, 5120, log=True))]
    assert wider(ELSA(), Whole(1, 50), 1, "n_factors") == []


def test_choices_have_no_ends():
    assert wider(ELSA(), Choice((128, 256)), 256, "batch_size") == []


def test_as_text_it_names_value_and_range():
    (edge,) = find_edges(EASE(), {"l2": L2}, {"l2": 1000.0})
    assert (
        str(edge) == "the best l2, 1000, lies near the upper end of its range, 10 to 1000; a better one may lie beyond"
    )
