"""What metrics are given: lists, scores and targets become column numbers, or are refused with the reason."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from aerec.errors import DataError
from aerec.metrics.lists import as_ranking, matrix_of, number_ids, within_catalogue


def test_lists_are_cut_and_filled_up():
    assert as_ranking([[3, 1, 2]], 2).tolist() == [[3, 1]]
    assert as_ranking([[3, 1]], 4).tolist() == [[3, 1, -1, -1]]
    assert as_ranking(np.uint8([[3, 1]]), None).dtype == np.int64


def test_scores_are_ranked():
    assert as_ranking([[0.1, 0.9, -np.inf, 0.5]], 4).tolist() == [[1, 3, 0, -1]]


@pytest.mark.parametrize(
    ("recommended", "k", "message"),
    [
        (sp.eye_array(2), 1, "recommended comes first, as an array"),
        ([1, 2], 1, r"must be of shape \(n_users, n\)"),
        ([[0.5, 0.1]], None, "holds scores .*say how many of the best count"),
        ([[np.nan, 0.1]], 1, "holds NaN scores"),
        ([[1, 1]], 2, "row 0 recommends the same item twice"),
        ([[-2, 1]], 2, "item -2 is recommended"),
        ([["a", "b"]], 2, "holds ids such as 'a', but the items here are columns of a matrix"),
        ([[1], [1, 2]], 2, "lists of different lengths"),
        ([[True, False]], 1, "ids of type bool, such as True"),
        ([[2, True]], 1, "ids of type bool"),
        (np.array([[True, False]]), 1, "must hold items"),
        (np.ma.array([[1, 2]], mask=[[0, 1]]), 1, "would lose its mask: fill it with -1"),
        ([[1, "a"]], 1, "holds ids of several types, int, such as 1, and str, such as 'a', which never meet"),
        (np.array([[np.nan, 0.5]], dtype=object), 1, "holds NaN scores"),
        (np.array([["2026-01-01"]], dtype="M8[ns]"), 1, "must hold items"),
        ({1: 2.0}, 1, "is a dict of users: give a list of lists"),
        (3, 1, r"must be of shape \(n_users, n\)"),
    ],
)
def test_what_is_no_ranking_is_refused(recommended, k, message):
    with pytest.raises((DataError, ValueError), match=message):
        as_ranking(recommended, k)


@pytest.mark.parametrize("k", [0, -1, 1.5, True])
def test_k_is_a_whole_number_from_1_on(k):
    with pytest.raises(ValueError, match="k must be at least 1"):
        as_ranking([[1]], k)


def test_columns_have_to_be_those_of_the_target():
    with pytest.raises(DataError, match="item 5 is recommended, but the target has 5 columns"):
        as_ranking([[5]], 1, n_columns=5)
    with pytest.raises(DataError, match="scores, of 2 items, but the target has 5 columns"):
        as_ranking([[0.5, 0.1]], 1, n_columns=5)
    assert as_ranking([[4]], 1, n_columns=5).tolist() == [[4]]


def test_ids_of_any_type_are_numbered_and_meet():
    ranking, relevant = number_ids([["a", "b", None], ["c", -1, "a"]], [["b"], {"a": 4.0, "z": 2.0}], 3)
    assert ranking[0, 2] == ranking[1, 1] == -1
    a, b = ranking[0, :2]
    assert ranking[1, 2] == a
    assert relevant.toarray()[0].nonzero()[0].tolist() == [b]
    assert relevant[1, a] == 4.0
    assert relevant.toarray().sum(axis=1).tolist() == [1.0, 6.0]


def test_large_numbers_stay_apart():
    ranking, relevant = number_ids([[2**53, 2**53 + 1]], [[2**53 + 1]], 2)
    assert relevant.toarray()[0, ranking[0]].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("recommended", "target", "message"),
    [
        ([["1"]], [[1]], "ids of type str, such as '1', the target of type int, such as 1: they never meet"),
        ([[1]], [[1.0]], "the target names item 1.0; ids are whole numbers or text"),
        ([[1]], ["ab"], "row 0 of the target is 'ab': give a list of ids for each user"),
        ([[1]], [[-3]], "the target names item -3"),
        ([[0.0, 1.0, 2.0]], [[1]], "whole numbers as floats, such as 0.0: are they ids"),
        ([[0.5, 0.1]], [[2]], "scores, of the items 0 to 1, but the target names 2"),
        ([[1, 2]], [[1, "a"]], "the target holds ids of several types, int, such as 1, and str, such as 'a'"),
        ([[1], [2]], [[1], ["a"]], "the target holds ids of several types"),
        ([[1, "a"]], [["a"]], "recommended holds ids of several types"),
        ([[1, 2]], [{1: 5.0, "a": 1.0}], "the target holds ids of several types"),
        ([[1, 2]], [[1, True]], "the target names item True"),
        ([[1, 2]], [[True]], "the target names item True"),
        ([["a"]], [["a", None]], "the target names item None"),
        ([["a"]], [["a", pd.NA]], "the target holds ids of type NAType"),
        ([["a", pd.NA]], [["a"]], "recommended holds ids of type NAType"),
        ([["a", 0.5]], [["a"]], "recommended holds ids of type float"),
        ([[np.datetime64("2026-01-01", "ns")]], [[1767225600000000000]], "holds ids of type datetime64"),
        ([[1 + 0j]], [[1]], "holds ids of type complex"),
        ([[b"a"]], [["a"]], "ids of type bytes, such as b'a', the target of type str"),
        ([[dt.date(2026, 1, 1)]], [[dt.datetime(2026, 1, 1)]], "of type date, .* the target of type datetime"),
    ],
)
def test_ids_that_cannot_meet_are_refused(recommended, target, message):
    with pytest.raises(DataError, match=message):
        number_ids(recommended, target, 1)


@pytest.mark.parametrize(
    "ids",
    [["a", "b"], [1, 2], [2**63, 2**63 + 1], [2**70, 1], [("a", 1), ("b", 2)], [(1, 2), (3, 4)], [b"a", b"b"]],
    ids=repr,
)
@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series])
def test_lists_of_any_kind_hold_the_ids_they_hold(ids, kind):
    if kind is np.array and isinstance(ids[0], tuple):
        pytest.skip("an array has one more dimension")
    ranking, relevant = number_ids([kind(ids)], [kind(ids[1:])], 3)
    assert ranking[0, 2] == -1
    assert relevant.toarray()[0, ranking[0, :2]].tolist() == [0, 1]


def test_an_id_beyond_64_bits_may_stand_beside_none():
    ranking, relevant = number_ids([[2**63, -1], [None, 5]], [[2**63], [5]], 2)
    assert (ranking < 0).tolist() == [[False, True], [True, False]]
    assert relevant.toarray()[[0, 1], [ranking[0, 0], ranking[1, 1]]].tolist() == [1, 1]


def test_hand_written_scores_may_hold_whole_numbers():
    assert as_ranking([[0, 0.5, 1]], 2).tolist() == [[2, 1]]
    assert as_ranking(np.array([[0.25, 1]], dtype=object), 2).tolist() == [[1, 0]]


def test_lists_as_a_matrix_of_ones():
    found = matrix_of(np.array([[2, 0, -1], [-1, -1, -1]]), 4)
    np.testing.assert_array_equal(found.toarray(), [[1, 0, 1, 0], [0, 0, 0, 0]])


def test_items_outside_of_the_catalogue_are_refused():
    ranking = np.array([[0, 3]])
    assert within_catalogue(ranking, 4) is ranking
    with pytest.raises(DataError, match="item 3 is recommended, but the catalogue has 3 items"):
        within_catalogue(ranking, 3)
    with pytest.raises(DataError, match="n_items must be at least 1"):
        within_catalogue(ranking, 0)
