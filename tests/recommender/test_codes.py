"""Units of a code, one by one, of a scorer whose code is the history itself."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from aerec.recommender.codes import describe_unit, explain_units
from aerec.recommender.scorer import CodeScorer, UserBlock

WEIGHTS = np.float32([[3, 1, 3, -2], [0, 5, 1, 1], [2, 2, 2, 2]])  # units × items


class Linear:
    """score = code · WEIGHTS, with the first three columns of the history as the code."""

    def code(self, block):
        return block.history.toarray()[:, :3].astype(np.float32)

    def code_size(self):
        return 3

    def unit_weights(self, unit, activation):
        return activation * WEIGHTS[unit]

    def unit_contributions(self, code, units, columns):
        return code[units, None] * WEIGHTS[np.ix_(units, columns)]


def test_it_is_a_scorer_with_a_code():
    assert isinstance(Linear(), CodeScorer)


def test_a_unit_is_described_by_its_largest_weights_ties_in_their_order():
    found = describe_unit(Linear(), pd.Index(["a", "b", "c", "d"]), 0, 3, 1.0)
    assert found["item"].tolist() == ["a", "c", "b"]
    assert found["weight"].tolist() == [3, 3, 1]
    assert describe_unit(Linear(), None, 0, 1, -1.0)["item"].tolist() == [3]


@pytest.mark.parametrize("unit", [-1, 3, 1.0, True, "0"])
def test_a_unit_that_is_not_there_is_refused(unit):
    with pytest.raises(ValueError, match=r"unit must be a whole number from 0 to 2, got"):
        describe_unit(Linear(), None, unit, 1, 1.0)
    assert len(describe_unit(Linear(), None, np.int64(2), 2, 1.0)) == 2


def test_units_are_explained_by_what_they_add_and_silent_ones_left_out():
    user = UserBlock.new(sp.csr_array(np.float32([[2, -1, 0, 7]])))
    found = explain_units(Linear(), user, 1, None)
    assert found["unit"].tolist() == [0, 1]
    assert found["activation"].tolist() == [2, -1]
    assert found["contribution"].tolist() == [2, -5]
    assert explain_units(Linear(), user, 1, 1)["unit"].tolist() == [0]
    for n in (0, -1):
        with pytest.raises(ValueError, match="n is a number of rows to show"):
            explain_units(Linear(), user, 1, n)
