"""Holdout and Split: parts fit together, and nothing is in two of them."""

import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_data import ratings, tenths

from aerec import Interactions
from aerec.errors import DataError
from aerec.holdout import Holdout, Split, given_validation, weak_split


def of(pairs, **more):
    frame = pd.DataFrame([(user, item, 1.0) for user, item in pairs], columns=["user", "item", "rating"])
    return Interactions.from_frame(frame, **more)


def rows(*parts):
    return sorted(row for part in parts for row in part.to_frame().itertuples(index=False, name=None))


# ---------------------------------------------------------------------- Holdout


def test_it_counts_users_with_or_without_a_target():
    history = of([(1, 7), (2, 7), (3, 8)])
    target = history.keep(np.array([True, False, False]))
    assert Holdout(history, target).n_users == 3
    assert Holdout(history, target).exclude is None


def test_a_split_prints_as_a_row_a_part():
    history = of([(1, 7), (2, 7), (3, 8)])
    split = weak_split(history, history.keep(np.array([True, False, False])))
    assert repr(split).splitlines() == [
        "Split",
        "part          users  with a rating  items  ratings",
        "train             3              3      2        3",
        "test history      3              3      2        3",
        "test target       3              1      2        1",
    ]
    assert repr(split.test).startswith("Holdout\npart     users  with a rating")


@pytest.mark.parametrize("name", ["target", "exclude"])
def test_parts_over_other_users_or_items_are_refused(name):
    history = of([(1, 7), (2, 8)])
    for other in (of([(1, 7), (3, 8)]), of([(1, 7), (2, 9)]), history.with_items(pd.Index([8, 7]))):
        parts = {"history": history, "target": history} | {name: other}
        with pytest.raises(DataError, match=f"history and {name} must be over the same users.*Split.from_parts"):
            Holdout(**parts)


def test_over_other_columns_it_says_the_same_and_keeps_what_is_unknown():
    users, items = pd.Index([1, 2]), pd.Index([7, 8, 9])
    parts = ([(1, 7), (2, 8)], [(1, 9), (2, 7)], [(1, 8), (2, 9)])
    holdout = Holdout(*(of(pairs).with_users(users).with_items(items) for pairs in parts))
    moved = holdout.over(pd.Index([9, 50, 7]))
    for one in (moved.history, moved.target, moved.exclude):
        assert one.items.tolist() == [9, 50, 7, 8]
    for name in ("history", "target", "exclude"):
        assert rows(getattr(moved, name)) == rows(getattr(holdout, name))
    assert Holdout(holdout.history, holdout.target).over(pd.Index([9])).exclude is None


# ---------------------------------------------------------------------- Split.from_parts


@given(ratings(), st.data())
@settings(deadline=None)
def test_parts_are_taken_over_the_union_of_their_ids(frame, data):
    which = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(frame), max_size=len(frame))))
    train, validation, test = (Interactions.from_frame(frame[which == part]) for part in range(3))
    split = Split.from_parts(train, test, validation)
    parts = (split.train, split.validation.target, split.test.target)
    for given_part, part in zip((train, validation, test), parts, strict=True):
        assert rows(part) == rows(given_part)
        assert part.users.tolist() == sorted(set(frame.user))
        assert part.items.tolist() == sorted(set(frame.item))
    assert rows(split.validation.history) == rows(split.test.history) == rows(train)
    assert rows(split.test.exclude) == rows(validation)
    assert split.validation.exclude is None


def test_canonical_folds_without_validation():
    base, test = of([("ann", 7), ("ann", 8), ("bob", 7)]), of([("bob", 9), ("eve", 7)])
    split = Split.from_parts(base, test)
    assert split.validation is None
    assert split.test.exclude is None
    assert split.train.users.tolist() == ["ann", "bob", "eve"]
    assert split.test.target.items.tolist() == [7, 8, 9]
    assert rows(split.test.history) == rows(base)
    assert rows(split.test.target) == rows(test)


@given(ratings(), tenths, st.integers(0, 3))
@settings(deadline=None)
def test_validation_may_be_drawn_from_the_training_part(frame, fraction, seed):
    base, test = Interactions.from_frame(frame), of([(99, 99)])
    split = Split.from_parts(base, test, validation_fraction=float(fraction), seed=seed)
    assert rows(split.train, split.validation.target) == rows(base)
    assert abs(split.validation.target.n_ratings - fraction * len(frame)) <= Fraction(1, 2)
    assert rows(split.test.target) == rows(test)
    assert rows(split.test.exclude) == rows(split.validation.target)
    again = Split.from_parts(base, test, validation_fraction=float(fraction), seed=seed)
    assert rows(again.train) == rows(split.train)


def test_another_seed_draws_another_validation():
    base, test = of([(user, item) for user in range(10) for item in range(10)]), of([(99, 99)])
    drawn = {tuple(rows(Split.from_parts(base, test, validation_fraction=0.3, seed=n).train)) for n in range(5)}
    assert len(drawn) == 5


@pytest.mark.parametrize("twice", ["train and test", "train and validation", "validation and test"])
def test_a_rating_in_two_parts_is_refused_and_named(twice):
    parts = {"train": [(1, 7), (1, 8)], "validation": [(2, 8)], "test": [(2, 7)]}
    for name in twice.split(" and "):
        parts[name] = [*parts[name], (3, 9)]
    with pytest.raises(DataError, match="1 ratings are in more than one part, the first of user 3 and item 9"):
        Split.from_parts(**{name: of(pairs) for name, pairs in parts.items()})


def test_overlap_is_found_by_id_not_by_place():
    # row 0 and column 0 in both, but of other users and items
    Split.from_parts(of([(1, 7)]), of([(2, 9)]))
    # other rows and columns, but of the same user and item
    with pytest.raises(DataError, match="user 5 and item 9"):
        Split.from_parts(of([(1, 7), (5, 9)]), of([(5, 9)]))


def test_two_wishes_for_validation_are_refused():
    parts = of([(1, 7)]), of([(1, 8)]), of([(1, 9)])
    with pytest.raises(ValueError, match="either validation or validation_fraction"):
        Split.from_parts(*parts, validation_fraction=0.1)
    for fraction in (-0.1, 1.0, 5):
        with pytest.raises(ValueError, match=r"validation_fraction must be in \(0, 1\)"):
            Split.from_parts(*parts[:2], validation_fraction=fraction)


def test_names_and_genres_of_all_parts_are_kept():
    base = of([(1, 7), (1, 8)], item_names=pd.Series({8: "Eight"}), item_genres=pd.Series([("A",)], index=[7]))
    test = of([(2, 7), (2, 9)], item_names=pd.Series({7: "Seven", 9: "Nine"}))
    split = Split.from_parts(base, test)
    for part in (split.train, split.test.history, split.test.target):
        assert part.item_names.to_dict() == {7: "Seven", 8: "Eight", 9: "Nine"}
        assert part.item_genres.to_dict() == {7: ("A",), 8: (), 9: ()}
    assert Split.from_parts(of([(1, 7)]), of([(1, 8)])).train.item_names is None


def test_timestamps_follow_their_ratings():
    frames = [
        pd.DataFrame({"user": [2, 1], "item": [7, 9], "rating": [1.0, 2.0], "timestamp": [50, 60]}),
        pd.DataFrame({"user": [1, 0], "item": [7, 8], "rating": [3.0, 4.0], "timestamp": [70, 80]}),
    ]
    split = Split.from_parts(*map(Interactions.from_frame, frames))
    assert rows(split.train) == [(1, 9, 2.0, 60), (2, 7, 1.0, 50)]
    assert rows(split.test.target) == [(0, 8, 4.0, 80), (1, 7, 3.0, 70)]


def test_a_weak_split_shows_the_training_part_and_keeps_validation_out_of_the_way():
    train, validation, test = (of([(1, item)]).with_items(pd.Index([7, 8, 9])) for item in (7, 8, 9))
    split = weak_split(train, validation, test)
    assert (split.train, split.validation.history, split.test.history) == (train, train, train)
    assert (split.validation.target, split.test.target, split.test.exclude) == (validation, test, validation)
    assert weak_split(train, test).validation is None


def test_a_notebook_shows_the_parts_of_a_split_row_by_row():
    split = Split.from_parts(of([(1, 7), (2, 7), (2, 8)]), of([(1, 8)]), of([(2, 9)]))
    shown = split._repr_html_()
    cells = [line.split("</th>")[1] for line in shown.splitlines() if 'scope="row"' in line]
    assert [one.count("<td>") for one in cells] == [4] * 6  # train, and history, target, (exclude) of two parts
    assert '<th scope="row">train</th><td>2</td><td>2</td><td>3</td><td>3</td>' in shown
    assert '<th scope="row">test target</th><td>2</td><td>1</td><td>3</td><td>1</td>' in shown
    assert "<caption>Holdout</caption>" in split.test._repr_html_()
    assert "exclude" not in split.validation._repr_html_()


def ids_of(users, items):
    return Interactions.from_frame(pd.DataFrame({"user": users, "item": items}), rating=None)


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        (["0001", "0002"], [7, 8], "users of the test data are text, such as '0001', .* whole numbers, such as 1"),
        ([1, 2], ["7", "8"], "items of the test data are text, such as '7', .* whole numbers, such as 7"),
        ([1.5, 2.5], [8, 7], "users of the test data are numbers with fractions, such as 1.5"),
    ],
)
def test_parts_whose_ids_are_of_other_types_are_refused(users, items, message):
    with pytest.raises(DataError, match=message):
        Split.from_parts(ids_of([1, 2], [7, 8]), ids_of(users, items))


def test_few_users_in_common_are_warned_of_with_examples_of_both_sides():
    with pytest.warns(UserWarning, match=r"2 of 3 users of the test data .* such as 8, 9; it has users such as 1, 2"):
        Split.from_parts(ids_of([1, 2], [7, 8]), ids_of([1, 8, 9], [8, 7, 7]))


MATRIX = np.eye(3, dtype=np.float32)


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize(
    ("given_data", "what"),
    [
        ((1, 2), "a tuple of int and int"),
        (("a", "b"), "a tuple of str and str"),
        ((None, None), "a tuple of NoneType and NoneType"),
        ((np.zeros(3), np.zeros(3)), "a tuple of ndarray and ndarray"),
        ((ids_of([1], [2]), 3), "a tuple of Interactions and int"),
        ((ids_of([1], [2]), None), "a tuple of Interactions and NoneType"),
        ((ids_of([1], [2]),) * 3, "a tuple of Interactions and Interactions and Interactions"),
        ([ids_of([1], [2])] * 5, "a list of 5"),
    ],
)
def test_what_is_no_validation_data_is_said(by_name, given_data, what):
    where = "validation=" if by_name else "the second argument of fit"
    message = re.escape(
        f"{where} is a Holdout, a pair (history, target) of Interactions or matrices, or a matrix; got "
    )
    with pytest.raises(TypeError, match=message + what):
        given_validation(*((None, given_data) if by_name else (given_data, None)))


@pytest.mark.parametrize("by_name", [False, True])
def test_one_interactions_is_no_validation_data(by_name):
    one = ids_of([1], [2])
    with pytest.raises(TypeError, match=r"this is one Interactions: give split\.validation; .* its \.matrix"):
        given_validation(*((None, one) if by_name else (one, None)))


@pytest.mark.parametrize("y", [None, 5, "x", [1, 2, 3], np.zeros(3), np.zeros((3, 2)), (1, 2, 3), [1, 2]])
def test_what_scikit_learn_calls_y_is_ignored(y):
    assert given_validation(y, None) is None
    assert given_validation(y, MATRIX) is MATRIX


def test_validation_data_is_taken_from_either_place():
    pair = (MATRIX, MATRIX)
    assert given_validation(pair, None) is pair
    assert given_validation(None, pair) is pair
    with pytest.raises(TypeError, match="given twice"):
        given_validation(pair, pair)
