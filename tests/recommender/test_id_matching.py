"""Ids of histories and those of the training data: matched, left out with a warning, or refused."""

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.errors import DataError
from aerec.holdout import Holdout
from aerec.recommender.id_matching import IdMatching, check_n

ITEMS = pd.Index([10, 20, 30])


def interactions(*triples):
    return Interactions.from_frame(pd.DataFrame(triples, columns=["user", "item", "rating"]))


def test_items_are_brought_into_the_order_of_the_model():
    block = IdMatching("EASE", 3, ITEMS).match(interactions((1, 30, 5.0), (2, 10, 3.0)))
    np.testing.assert_array_equal(block.history.toarray(), [[0, 0, 5], [3, 0, 0]])
    assert block.known_users.tolist() == [-1, -1]


def test_a_history_over_the_very_items_is_taken_as_it_is():
    history = interactions((1, 10, 5.0), (2, 20, 3.0), (3, 30, 4.0))
    matching = IdMatching("EASE", 3, history.items)
    assert matching.match(history).history is history.matrix


def test_users_are_recognised_by_id():
    matching = IdMatching("CDAE", 3, ITEMS, users=pd.Index([7, 5]))
    assert matching.match(interactions((5, 10, 1.0), (6, 10, 1.0), (7, 20, 1.0))).known_users.tolist() == [1, -1, 0]


def test_items_that_are_not_known_are_left_out_with_one_warning():
    history = interactions((1, 10, 5.0), (1, 40, 1.0), (2, 50, 3.0))
    with pytest.warns(
        UserWarning, match=r"2 of 3 ratings left out of the history: EASE was not trained on their .* 40"
    ):
        block = IdMatching("EASE", 3, ITEMS).match(history)
    np.testing.assert_array_equal(block.history.toarray(), [[5, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("matching", "history", "message"),
    [
        (IdMatching("EASE", 3, ITEMS), interactions((1, "10", 1.0)), "items of the history are text"),
        (IdMatching("EASE", 3), interactions((1, 10, 1.0)), "was fitted on a matrix of 3 columns without item ids"),
        (IdMatching("EASE", 3), np.ones((1, 4)), "the history has 4 columns, EASE was fitted on 3 items"),
        (IdMatching("EASE", 3), [1, 2], "does not say whose history it is"),
        (
            IdMatching("EASE", 2, frame_columns=pd.Index(["a", "b"])),
            pd.DataFrame({"b": [1], "a": [2]}),
            "the columns of the frame are not those that EASE was fitted on: they are in another order; give",
        ),
        (
            IdMatching("EASE", 2, frame_columns=pd.Index(["a", "b"])),
            pd.DataFrame({"a": [1], "c": [2]}),
            "are not those that EASE was fitted on: without 'b' and with 'c'; give",
        ),
    ],
)
def test_histories_that_cannot_be_matched_are_refused(matching, history, message):
    with pytest.raises(DataError, match=message):
        matching.match(history)


def test_users_of_another_type_are_all_new_with_a_warning():
    matching = IdMatching("CDAE", 3, ITEMS, users=pd.Index(["7", "5"]))
    with pytest.warns(UserWarning, match=r"such as 5, 7, are all taken for new ones: CDAE"):
        block = matching.match(interactions((5, 10, 1.0), (7, 20, 1.0)))
    assert block.known_users.tolist() == [-1, -1]


def test_what_is_barred():
    matching, history = IdMatching("EASE", 3, ITEMS), interactions((1, 10, 1.0))
    assert matching.barred(None, None, history).tolist() == [False, False, False]
    assert matching.barred([20, 30], None, history).tolist() == [True, False, False]
    assert matching.barred([20, 30], [30], history).tolist() == [True, False, True]
    with pytest.warns(UserWarning, match="1 of 2 items of block_items left out"):
        assert matching.barred(None, [10, 99], history).tolist() == [True, False, False]
    with pytest.raises(DataError, match="no item of allow_items is known"):
        matching.barred([99], None, history)
    assert IdMatching("EASE", 3).barred([2], None, np.ones((1, 3))).tolist() == [True, True, False]


def test_ids_of_items_belong_to_the_history():
    history = interactions((1, 10, 1.0))
    assert IdMatching("EASE", 3, ITEMS).item_ids(history) is ITEMS
    assert IdMatching("EASE", 1).item_ids(history) is history.items
    assert IdMatching("EASE", 3, ITEMS).item_ids({1: [10]}) is ITEMS
    assert IdMatching("EASE", 3, ITEMS).item_ids(np.ones((1, 3))).tolist() == [0, 1, 2]


def test_columns_of_items_and_of_one():
    matching = IdMatching("EASE", 3, ITEMS)
    assert matching.columns_of([30, 10]).tolist() == [2, 0]
    with pytest.raises(DataError, match="unknown item 99: the model was not trained on it"):
        matching.columns_of([99])
    assert matching.column_for_one(20, interactions((1, 10, 1.0))) == 1
    with pytest.raises(DataError, match="for the history of one user, got 2"):
        matching.column_for_one(20, interactions((1, 10, 1.0), (2, 10, 1.0)))


def test_a_holdout_of_few_known_items_is_warned_of_and_of_none_refused():
    matching = IdMatching("EASE", 3, ITEMS)

    def holdout(*items):
        targets = interactions(*((1, item, 1.0) for item in items))
        return Holdout(targets, targets)

    matching.aligned(holdout(10, 20, 99))
    with pytest.warns(UserWarning, match=r"2 of 3 held-out ratings can never be found: EASE was not trained on"):
        matching.aligned(holdout(10, 98, 99))
    with pytest.raises(DataError, match="EASE was trained on none of the items of the holdout"):
        matching.aligned(holdout(98, 99))
    IdMatching("EASE", 3).aligned(holdout(98, 99))  # it knows no ids


def test_numbers_of_rows_to_show():
    check_n(None), check_n(1)
    with pytest.raises(ValueError, match="at least 1; got 0"):
        check_n(0)


def test_users_of_whom_something_is_kept_have_to_be_the_same():
    data = interactions((1, 10, 1.0), (2, 20, 1.0))
    matching = IdMatching("AutoRec", 3, ITEMS, data.users)
    matching.check_same_users(data, 2, 2)
    with pytest.raises(DataError, match="AutoRec has learned of its users is kept row by row, for 3 users, got 2"):
        matching.check_same_users(data, 2, 3)
    with pytest.raises(DataError, match=r"in the same order; give X\.with_users"):
        matching.check_same_users(data.select_users([2, 1]), 2, 2)
